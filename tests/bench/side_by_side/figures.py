"""What is done with measured numbers: the search for the highest rate, medians, spreads, ratios, verdicts. Pure."""

import dataclasses
import json
import math
import re
import statistics
import typing

NOT_MEASURED = "not measured"
FULL_ROUNDS = 7
BURSTS = 14  # of small packets, in one search


@dataclasses.dataclass(frozen=True)
class Measure:
    key: str
    title: str
    unit: str
    scale: float  # what is measured is divided by this to be shown
    is_rate: bool  # more is better
    note: str = ""


MEASURES = {measure.key: measure for measure in (
    Measure("round_trip", "Round trip at low load: a request and its answer, one after the other", "us", 1e-6, False),
    Measure("pps", "Small UDP packets, at most 0.1 % lost", "Mpps", 1e6, True,
            "Trivet has one core more: the kernel forwards on the sender's core, Trivet's daemon on a second one."),
    Measure("bulk", "Bulk TCP, one connection", "Gbit/s", 1e9, True),
    Measure("requests", "Requests on open connections", "1000/s", 1e3, True),
    Measure("requests_p50", "Time of a request, median", "ms", 1e-3, False),
    Measure("requests_p99", "Time of a request, 99th percentile", "ms", 1e-3, False),
    Measure("connections", "Requests, each on a new connection", "1000/s", 1e3, True),
    Measure("connections_p50", "Time of a request on a new connection, median", "ms", 1e-3, False),
    Measure("connections_p99", "Time of a request on a new connection, 99th percentile", "ms", 1e-3, False),
    Measure("busy", "Busy time of the whole machine at a fixed rate of requests", "% of all cores", 0.01, False),
    Measure("memory", "Growth of memory for idle sessions", "bytes a session", 1, False),
)}


# --- the highest rate ---------------------------------------------------------------------------------------------------

class Offer(typing.NamedTuple):
    """What came of one burst."""
    sent: int
    received: int
    seconds: float

    def is_within(self, loss):
        """No larger share than this was lost."""
        return self.sent > 0 and self.sent - self.received <= loss * self.sent

    @property
    def sent_rate(self):
        return self.sent / self.seconds

    @property
    def received_rate(self):
        return min(self.received, self.sent) / self.seconds


def highest_rate(offer, loss=0.001, precision=0.03, bursts=BURSTS):
    """The highest rate at which received, with at most that loss; 0 if there was none.

    offer(rate) sends a burst at a rate (None: as fast as the sender can) and returns an Offer. If the sender's own most
    gets through, that is it. Else the search goes on between what passed and what did not, until these are as close as
    `precision`, in at most `bursts` bursts. One that loses more is repeated once: else a single pause of the machine
    would put a lid on all that follows.
    """
    first = offer(None)
    bursts -= 1
    if first.is_within(loss):
        return first.received_rate
    high, low, best = first.sent_rate, 0.0, 0.0
    rate = first.received_rate if first.received else first.sent_rate / 2
    while bursts > 0 and not (low and high <= low * (1 + precision)):
        got = offer(rate)
        bursts -= 1
        if not got.is_within(loss) and bursts > 0:
            got = offer(rate)
            bursts -= 1
        if got.is_within(loss):
            low = max(low, min(rate, got.sent_rate))
            best = max(best, got.received_rate)
        else:
            high = min(high, rate)
        rate = (low + high) / 2 if low else high * 0.8
    return best


def processes_for(sockets, files):
    """How many processes that may open so many files each it takes for so many sockets, with room left for other files
    and for uneven shares."""
    return max(1, math.ceil(sockets / (0.85 * files)))


# --- statistics ---------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Summary:
    runs: int
    median: float
    low: float  # first quartile
    high: float  # third quartile


def summary(values):
    """Of the runs that gave a number; None if none did."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    if len(values) == 1:
        return Summary(1, values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Summary(len(values), median, low, high)


def summaries(runs):
    """{measure: {contender: Summary}} of [{"contender": ..., "round": ..., measure: value, ...}]."""
    result = {}
    for key in MEASURES:
        values = {}
        for run in runs:
            if key in run:
                values.setdefault(run["contender"], []).append(run[key])
        found = {contender: summary(numbers) for contender, numbers in values.items()}
        found = {contender: item for contender, item in found.items() if item}
        if found:
            result[key] = found
    return result


def ratio(found, key, contender, other):
    """Of the medians; None where one of them is missing or the other is nothing."""
    one, two = found.get(key, {}).get(contender), found.get(key, {}).get(other)
    return one.median / two.median if one and two and two.median > 0 else None


def added(found, key, contender, other):
    """The difference of the medians; None where one of them is missing."""
    one, two = found.get(key, {}).get(contender), found.get(key, {}).get(other)
    return one.median - two.median if one and two else None


def by_round(runs, key, contender, other, compare):
    """Summary of compare(contender's, other's) of the rounds, each within its round; None where no round has both."""
    values = {}
    for run in runs:
        if run.get(key) is not None:
            values[run["round"], run["contender"]] = run[key]
    return summary([compare(value, values[number, other]) for (number, name), value in values.items()
                    if name == contender and values.get((number, other), 0) > 0])


def ratios(runs, key, contender, other):
    return by_round(runs, key, contender, other, lambda one, two: one / two)


def differences(runs, key, contender, other):
    return by_round(runs, key, contender, other, lambda one, two: one - two)


# --- targets ------------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Target:
    measure: str
    contender: str
    other: str
    least: float = None  # the ratio must be at least this
    below: float = None  # or below this
    most_added: float = None  # or the difference at most this

    def text_of(self, value):
        """A ratio as it is; a difference in the measure's unit."""
        if self.most_added is None:
            return f"{value:.2f}"
        measure = MEASURES[self.measure]
        return f"{value / measure.scale:+.0f} {measure.unit}"

    @property
    def bound(self):
        if self.most_added is not None:
            return f"at most {self.text_of(self.most_added)}"
        return f"at least {self.least:g}" if self.least is not None else f"below {self.below:g}"


@dataclasses.dataclass(frozen=True)
class Verdict:
    target: Target
    value: float  # ratio or difference of the medians, or None
    rounds: Summary = None  # of those of the rounds

    @property
    def word(self):
        if self.value is None:
            return NOT_MEASURED
        if self.target.most_added is not None:
            is_met = self.value <= self.target.most_added
        elif self.target.least is not None:
            is_met = self.value >= self.target.least
        else:
            is_met = self.value < self.target.below
        return "met" if is_met else "missed"


def targets():
    result = [Target("round_trip", ours, "bridge", most_added=40e-6) for ours in ("raw", "xdp")]
    result += [Target("pps", "raw", "nft", least=1.4), Target("pps", "xdp", "nft", least=1.1),
              Target("bulk", "raw", "bridge", least=0.75)]
    for ours in ("raw", "xdp"):
        result += [Target("requests", ours, "haproxy", least=1.5), Target("requests", ours, "nginx", least=1.5),
                   Target("requests", ours, "nft", least=0.8)]
        result += [Target("busy", ours, other, below=1) for other in ("haproxy", "nginx")]
        result += [Target("memory", ours, other, below=1) for other in ("nft", "haproxy", "nginx")]
    return result


def verdict(target, found, runs):
    medians, rounds = (ratio, ratios) if target.most_added is None else (added, differences)
    asked = (target.measure, target.contender, target.other)
    return Verdict(target, medians(found, *asked), rounds(runs, *asked))


def verdicts(runs):
    found = summaries(runs)
    return [verdict(target, found, runs) for target in targets()]


def conclusion(judged, problems=()):
    """(exit status, last line): 0 when every target is met and nothing went wrong."""
    words = [verdict.word for verdict in judged]
    parts = [f"{words.count('met')} of {len(words)} targets met"]
    parts += [f"{words.count(word)} {word}" for word in ("missed", NOT_MEASURED) if word in words]
    if problems:
        return 1, f"BENCH FAILED: {'; '.join(problems)} ({', '.join(parts)})"
    if words.count("met") == len(words):
        return 0, f"BENCH PASSED: {parts[0]}"
    return 1, f"BENCH MISSED: {', '.join(parts)}"


# --- reading what programs print ----------------------------------------------------------------------------------------

def seconds_of(text):
    """Of wrk's times: 1.20ms, 803.00us, 2.1s, 1.50m."""
    match = re.fullmatch(r"([0-9.]+)(us|ms|s|m)", text)
    if not match:
        raise ValueError(f"no time: {text}")
    return float(match[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[match[2]]


def read_wrk(text):
    """(requests a second, p50, p99) in seconds, and the share of requests that went wrong."""
    rate = float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1])
    times = {part: seconds_of(re.search(rf"(?m)^\s+{part}%\s+(\S+)$", text)[1]) for part in (50, 99)}
    total = int(re.search(r"(\d+) requests in", text)[1])
    wrong = 0
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    if errors:
        wrong += sum(int(number) for number in errors.groups())
    answers = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if answers:
        wrong += int(answers[1])
    return rate, times[50], times[99], wrong / max(1, total)


def read_h2load(text):
    """(answers that were right, all that were asked)."""
    match = re.search(r"requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded", text)
    return int(match[4]), int(match[1])


def read_iperf3(text):
    """Bits a second that arrived; OSError with the reason when it says that it failed."""
    report = json.loads(text)
    if "error" in report:
        raise OSError(report["error"])
    return report["end"]["sum_received"]["bits_per_second"]


def read_stat(text):
    """(busy, all) in ticks, of the first line of /proc/stat. Waiting for a disk is idle."""
    numbers = [int(word) for word in text.split("\n")[0].split()[1:9]]
    return sum(numbers) - numbers[3] - numbers[4], sum(numbers)


def read_slab(text, name):
    """Bytes of the pages that a cache of the kernel holds, of /proc/slabinfo; 0 if there is none of that name."""
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == name:
            pages_a_slab, slabs = int(words[5]), int(words[words.index("slabdata") + 2])
            return pages_a_slab * slabs * 4096
    return 0


def read_benchmark(text):
    """[(name, ns, instructions or None, a second)] for each packet, of a Google benchmark's JSON."""
    rows = []
    for entry in json.loads(text)["benchmarks"]:
        if entry.get("run_type", "iteration") != "iteration" or entry.get("error_occurred"):
            continue
        ns = next((entry[key] for key in ("ns/packet", "ns/key", "ns/item") if key in entry), None)
        if ns is None:
            continue
        # A rate that is inverted comes in seconds; the benchmarks scale it so that it reads as nanoseconds.
        instructions = next((entry[key] for key in entry if key.startswith("instructions/")), None)
        rows.append((entry["name"].removesuffix("/real_time"), ns, instructions, entry.get("items_per_second")))
    return rows
