"""The pure parts of the side-by-side benchmark: the search, the statistics, the verdicts, the reading of outputs."""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import figures  # noqa: E402
import growth  # noqa: E402
import page  # noqa: E402
import side_by_side  # noqa: E402


class Path:
    """One that forwards so many a second and loses the rest, at a sender that can do so many."""

    def __init__(self, capacity, sender, collapse=0.0):
        self.capacity, self.sender, self.collapse = capacity, sender, collapse
        self.offers = []

    def __call__(self, rate):
        rate = min(self.sender, rate or self.sender)
        self.offers.append(rate)
        passed = rate if rate <= self.capacity else max(0.0, self.capacity - self.collapse * (rate - self.capacity))
        return figures.Offer(sent=int(rate), received=int(passed), seconds=1.0)


class HighestRate(unittest.TestCase):
    def test_what_the_sender_can_is_the_answer_where_all_of_it_arrives(self):
        path = Path(capacity=3e6, sender=2.6e6)
        self.assertEqual(figures.highest_rate(path), 2.6e6)
        self.assertEqual(len(path.offers), 1)

    def test_the_search_comes_as_close_as_it_says_from_below(self):
        for capacity in (0.2e6, 0.9e6, 1.31e6, 2.59e6):
            for collapse in (0.0, 0.3):
                path = Path(capacity, sender=2.6e6, collapse=collapse)
                best = figures.highest_rate(path, bursts=40)
                self.assertLessEqual(best, capacity * 1.001)
                self.assertGreater(best, capacity / 1.035, f"{capacity} {collapse}")

    def test_it_finds_a_rate_above_what_an_overload_lets_through(self):
        path = Path(capacity=2e6, sender=2.6e6, collapse=2.5)
        self.assertGreater(figures.highest_rate(path), 1.8e6)

    def test_one_pause_of_the_machine_puts_no_lid_on_the_rest(self):
        for pause in range(2, 6):
            path = Path(capacity=2e6, sender=2.6e6, collapse=2.5)

            def offer(rate):
                got = path(rate)
                return got if len(path.offers) != pause else got._replace(received=got.received * 0.99)

            self.assertGreater(figures.highest_rate(offer), 1.8e6, pause)

    def test_the_number_of_bursts_is_bounded(self):
        path = Path(capacity=0, sender=2.6e6)
        self.assertEqual(figures.highest_rate(path, bursts=6), 0)
        self.assertEqual(len(path.offers), 6)

    def test_a_loss_of_one_in_a_thousand_is_let_pass_and_no_more(self):
        self.assertGreater(figures.highest_rate(lambda rate: figures.Offer(100000, 99900, 1.0), bursts=3), 0)
        self.assertEqual(figures.highest_rate(lambda rate: figures.Offer(100000, 99899, 1.0), bursts=3), 0)

    def test_nothing_sent_is_all_lost_and_frames_of_others_are_no_gain(self):
        self.assertFalse(figures.Offer(0, 0, 1.0).is_within(0.5))
        self.assertTrue(figures.Offer(100, 103, 1.0).is_within(0))
        self.assertEqual(figures.Offer(100, 103, 1.0).received_rate, 100)


class Processes(unittest.TestCase):
    def test_as_many_as_the_limit_of_open_files_asks_for(self):
        self.assertEqual([figures.processes_for(sockets, 20000) for sockets in (0, 16000, 17000, 17001, 200000)],
                         [1, 1, 1, 2, 12])
        self.assertEqual(figures.processes_for(200000, 2**19), 1)


class Statistics(unittest.TestCase):
    def test_median_and_quartiles(self):
        self.assertEqual(figures.summary([5, 1, 2, 4, 3]), figures.Summary(5, 3, 2, 4))

    def test_one_run_has_no_spread_and_none_no_summary(self):
        self.assertEqual(figures.summary([7]), figures.Summary(1, 7, 7, 7))
        self.assertIsNone(figures.summary([]))
        self.assertIsNone(figures.summary([None]))

    def test_runs_are_gathered_by_measure_and_contender(self):
        runs = [{"contender": "raw", "round": 1, "pps": 1.0}, {"contender": "nft", "round": 1, "pps": 2.0},
                {"contender": "raw", "round": 2, "pps": 3.0, "bulk": 5.0}, {"contender": "raw", "round": 2}]
        found = figures.summaries(runs)
        self.assertEqual(found["pps"]["raw"].median, 2.0)
        self.assertEqual(found["pps"]["raw"].runs, 2)
        self.assertEqual(set(found), {"pps", "bulk"})
        self.assertEqual(figures.ratio(found, "pps", "raw", "nft"), 1.0)
        self.assertIsNone(figures.ratio(found, "bulk", "raw", "bridge"))
        self.assertIsNone(figures.ratio({"pps": {"raw": figures.summary([1]), "nft": figures.summary([0])}}, "pps", "raw",
                                        "nft"))


class RatiosOfRounds(unittest.TestCase):
    def test_each_is_taken_within_its_round(self):
        rounds = ((1, 2, 1), (2, 20, 10), (3, 9, 3))
        runs = [{"contender": name, "round": number, "pps": value} for number, raw, nft in rounds
                for name, value in (("raw", raw), ("nft", nft))]
        self.assertEqual(figures.ratios(runs, "pps", "raw", "nft"), figures.Summary(3, 2, 2, 2.5))

    def test_a_round_that_lacks_one_does_not_count(self):
        runs = [{"contender": "raw", "round": 1, "pps": 2}, {"contender": "nft", "round": 2, "pps": 1}]
        self.assertIsNone(figures.ratios(runs, "pps", "raw", "nft"))

    def test_differences_likewise(self):
        runs = [{"contender": name, "round": number, "pps": value} for number, raw, nft in ((1, 2, 1), (2, 20, 10), (3, 9, 3))
                for name, value in (("raw", raw), ("nft", nft))]
        self.assertEqual(figures.differences(runs, "pps", "raw", "nft"), figures.Summary(3, 6, 3.5, 8))


def runs_with(**ratios):
    """Runs in which Trivet is so much of each other in a measure."""
    others = {name: 1 for name in ("nft", "forward", "haproxy", "nginx", "bridge")}
    return [{"contender": name, "round": number, **{key: 100.0 * (ratio if name in ("raw", "xdp") else 1)
                                                    for key, ratio in ratios.items()}}
            for name in ("raw", "xdp", *others) for number in (1, 2, 3)]


class Verdicts(unittest.TestCase):
    def words(self, runs):
        return {(v.target.measure, v.target.contender, v.target.other): v.word for v in figures.verdicts(runs)}

    def test_a_bound_is_met_at_it_and_missed_below(self):
        for ratio, raw, xdp in ((1.4, "met", "met"), (1.39, "missed", "met"), (1.1, "missed", "met"),
                                (1.09, "missed", "missed")):
            words = self.words(runs_with(pps=ratio))
            self.assertEqual((words["pps", "raw", "nft"], words["pps", "xdp", "nft"]), (raw, xdp), ratio)
        self.assertEqual(self.words(runs_with(bulk=0.75))["bulk", "raw", "bridge"], "met")
        self.assertEqual(self.words(runs_with(bulk=0.74))["bulk", "raw", "bridge"], "missed")
        self.assertEqual(self.words(runs_with(requests=1.49))["requests", "raw", "nft"], "met")
        self.assertEqual(self.words(runs_with(requests=1.49))["requests", "raw", "haproxy"], "missed")

    def test_below_is_not_equal(self):
        self.assertEqual(self.words(runs_with(memory=0.99))["memory", "xdp", "nft"], "met")
        self.assertEqual(self.words(runs_with(memory=1.0))["memory", "xdp", "nft"], "missed")
        self.assertEqual(self.words(runs_with(busy=1.0))["busy", "raw", "nginx"], "missed")

    def test_a_difference_is_met_up_to_its_bound(self):
        for added, word in ((0, "met"), (40e-6, "met"), (41e-6, "missed")):
            runs = [{"contender": name, "round": 1, "round_trip": 60e-6 + (added if name == "raw" else 0)}
                    for name in ("raw", "bridge")]
            self.assertEqual(self.words(runs)["round_trip", "raw", "bridge"], word, added)
        line = page.verdict_line(figures.verdicts(runs)[0])
        self.assertEqual(line[2:], ("+41 us", "+41 us - +41 us", "at most +40 us", "missed"))

    def test_what_is_not_measured_is_not_met(self):
        self.assertEqual(set(self.words([]).values()), {figures.NOT_MEASURED})

    def test_the_last_line_says_what_came_of_it(self):
        values = {"round_trip": 1, "pps": 2, "bulk": 2, "requests": 2, "busy": 0.5, "memory": 0.5}
        good = runs_with(**values)
        self.assertEqual(figures.conclusion(figures.verdicts(good)), (0, "BENCH PASSED: 21 of 21 targets met"))
        status, text = figures.conclusion(figures.verdicts(runs_with(**{**values, "pps": 1.2})))
        self.assertEqual((status, text), (1, "BENCH MISSED: 20 of 21 targets met, 1 missed"))
        status, text = figures.conclusion(figures.verdicts(good), ["interrupted by SIGINT"])
        self.assertEqual((status, text), (1, "BENCH FAILED: interrupted by SIGINT (21 of 21 targets met)"))


WRK = """Running 2s test @ http://10.0.0.100:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   371.59us  117.12us   3.98ms   88.50%
    Req/Sec   161.52k     9.76k  170.59k    90.99%
  Latency Distribution
     50%  346.00us
     75%  420.00us
     90%  503.00us
     99%    1.71ms
  337347 requests in 2.10s, 48.91MB read
{errors}Requests/sec: 160655.24
Transfer/sec:     23.29MB
"""


class Outputs(unittest.TestCase):
    def test_wrk(self):
        rate, p50, p99, wrong = figures.read_wrk(WRK.format(errors=""))
        self.assertEqual((rate, wrong), (160655.24, 0))
        self.assertAlmostEqual(p50, 346e-6)
        self.assertAlmostEqual(p99, 1.71e-3)
        errors = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 90\n"
        self.assertAlmostEqual(figures.read_wrk(WRK.format(errors=errors))[3], 100 / 337347)

    def test_h2load(self):
        text = "requests: 40000 total, 40000 started, 39998 done, 39990 succeeded, 8 failed, 8 errored, 0 timeout\n"
        self.assertEqual(figures.read_h2load(text), (39990, 40000))

    def test_iperf3(self):
        self.assertEqual(figures.read_iperf3('{"end": {"sum_received": {"bits_per_second": 4e10}}}'), 4e10)
        with self.assertRaisesRegex(OSError, "busy"):
            figures.read_iperf3('{"error": "the server is busy"}')

    def test_time_of_the_machine(self):
        self.assertEqual(figures.read_stat("cpu  10 1 20 600 50 3 4 5 0 0\ncpu0 1 1\n"), (43, 693))

    def test_slab(self):
        text = ("slabinfo - version: 2.1\nnf_conntrack        1600   1600    256   16    1 : tunables    0    0    0 : "
                "slabdata    100    100      0\n")
        self.assertEqual(figures.read_slab(text, "nf_conntrack"), 409600)
        self.assertEqual(figures.read_slab(text, "conntrack"), 0)

    def test_benchmarks(self):
        text = """{"benchmarks": [
          {"name": "seed/a", "run_type": "iteration", "ns/packet": 51.5, "instructions/packet": 300.0, "items_per_second": 2e7},
          {"name": "seed/b", "run_type": "iteration", "ns/packet": 9.0, "items_per_second": 1e8},
          {"name": "seed/c", "run_type": "iteration", "error_occurred": true, "ns/packet": 1.0},
          {"name": "seed/a_mean", "run_type": "aggregate", "ns/packet": 51.5}]}"""
        self.assertEqual(figures.read_benchmark(text), [("seed/a", 51.5, 300.0, 2e7), ("seed/b", 9.0, None, 1e8)])


class Page(unittest.TestCase):
    results = {"machine": {"cores": 2, "processor": "some processor", "memory": "8 GiB", "kernel": "6.1.0"},
               "versions": {"wrk": "4.1.0"}, "settings": {"rounds": 7, "files": 20000},
               "problems": ["round 3, nginx, stream: no answer"],
               "in_memory": [("seed/mixed/ipv6/100000", 51.5, 321.0, 19.4e6)],
               "instructions": {"slb-hit/ipv4/1000": 300.4, "slb-hit/ipv6/1000": 290.6, "door/ipv6": 99},
               "runs": [{"contender": name, "round": number, "pps": rate * 1e6, "memory": 50}
                        for name, rate in (("raw", 1.2), ("xdp", 1.5), ("nft", 1.0)) for number in range(7)]}

    def test_three_digits(self):
        self.assertEqual([page.number(value) for value in (0, 0.01234, 0.123, 1.234, 12.34, 123.4, 1234.5)],
                         ["0", "0.0123", "0.123", "1.23", "12.3", "123", "1,234"])

    def test_a_missed_target_and_a_problem_are_on_the_page(self):
        text = page.markdown(self.results, {"pps": "performance/pps.svg"}, "## Why\n\nBecause.\n")
        self.assertIn("| Small UDP packets, at most 0.1 % lost | Trivet, access raw to kernel, nftables DNAT | 1.20 | "
                      "1.20 - 1.20 | at least 1.4 | **missed** |", text)
        self.assertIn("| 1.50 | 1.50 - 1.50 | at least 1.1 | met |", text)
        self.assertIn("**Targets: 1 met, 3 missed, 17 not measured.**", text)
        self.assertIn("round 3, nginx, stream: no answer", text)
        self.assertIn("![Small UDP packets, at most 0.1 % lost](performance/pps.svg)", text)
        self.assertIn("| `seed/mixed/ipv6/100000` | 51.5 | 321 | 19.40 |", text)
        self.assertIn("| `door` | - | 99 |\n| `slb-hit/1000` | 300 | 291 |", text)
        self.assertIn("12 processes", text)
        self.assertIn("## Why\n\nBecause.", text)
        self.assertNotIn(page.bench_lab.ROOT, text)

    def test_the_table_of_the_terminal_has_every_contender_of_a_measure(self):
        text = page.terminal_table(page.figures.summaries(self.results["runs"]))
        for words in (["Trivet, access raw", "1.20"], ["kernel, nftables DNAT", "1.00"], ["Trivet, access xdp", "1.50"]):
            self.assertTrue(any(all(word in line for word in words) for line in text.split("\n")), words)


class Growth(unittest.TestCase):
    text = """{"benchmarks": [
      {"name": "growth/targets/new_rr/ipv4/1/iterations:1000", "run_name": "growth/targets/new_rr/ipv4/1/iterations:1000",
       "run_type": "iteration", "ns/packet": 40.0},
      {"name": "growth/targets/new_rr/ipv4/1/iterations:1000", "run_type": "iteration", "ns/packet": 60.0},
      {"name": "growth/targets/new_rr/ipv4/1/iterations:1000", "run_type": "iteration", "ns/packet": 50.0},
      {"name": "growth/targets/new_rr/ipv4/1024", "run_type": "iteration", "ns/packet": 75.0},
      {"name": "growth/targets/new_rr/ipv4/1024_mean", "run_type": "aggregate", "ns/packet": 1.0},
      {"name": "workers_on_threads/real_time/threads:2", "run_type": "iteration", "items_per_second": 2e7}]}"""
    kind = {"cores": 2, "processor": "some processor", "memory": "8 GiB", "kernel": "6.1.0"}

    def test_medians_by_series_and_size(self):
        self.assertEqual(growth.read(self.text), {"rr IPv4": {1: 50.0, 1024: 75.0}, "workers": {2: 50.0}})

    def test_a_benchmark_that_did_not_measure_what_it_says_is_no_number(self):
        with self.assertRaisesRegex(ValueError, "not every packet left"):
            growth.read('{"benchmarks": [{"name": "growth/a/b/ipv4/1", "error_occurred": true, '
                        '"error_message": "not every packet left"}]}')

    def test_the_section_has_each_axis_that_was_measured(self):
        text = growth.section({"new-sessions": growth.read(self.text)}, self.kind, ["servers: no time"], True)
        self.assertIn("| rr IPv4 | 50 | - | 75 | 1.50 |", text)
        self.assertIn("(performance/growth-new-sessions.svg)", text)
        self.assertIn("servers: no time", text)
        self.assertIn("a run for trying", text)
        self.assertNotIn("### Servers", text)

    def test_the_section_takes_the_place_of_the_one_before(self):
        page_text = "# Performance\n\n## How\n\nSo.\n"
        once = growth.placed(page_text, "## Growth\n\nOld.\n")
        self.assertEqual(once, page_text + "\n## Growth\n\nOld.\n")
        self.assertEqual(growth.placed(once, "## Growth\n\nNew.\n"), page_text + "\n## Growth\n\nNew.\n")
        self.assertEqual(growth.placed(once + "\n## Why\n\nBecause.\n", "## Growth\n\nNew.\n"),
                         page_text + "\n## Growth\n\nNew.\n\n## Why\n\nBecause.\n")

    def test_a_side_by_side_run_keeps_it(self):
        self.assertIn("## Growth\n\nThere.\n\n## Why", page.markdown(Page.results, {}, "## Why\n", "## Growth\n\nThere.\n"))


class Options(unittest.TestCase):
    def test_only_a_full_run_writes_the_page_of_the_docs(self):
        for words, full, rounds in (([], True, 7), (["--quick"], False, 2), (["--only", "raw"], False, 7),
                                    (["--rounds", "9"], True, 9), (["--rounds", "3"], False, 3)):
            options = side_by_side.parse(words)
            self.assertEqual((options.is_full, options.rounds), (full, rounds), words)

    def test_only_takes_contenders_and_measures(self):
        options = side_by_side.parse(["--only", "raw", "--only", "pps"])
        self.assertEqual((options.contenders, options.measures), ({"raw"}, {"pps"}))


if __name__ == "__main__":
    unittest.main()
