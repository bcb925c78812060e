"""The measuring behind scripts/bench.sh: see there for the options.

Rounds of turns: in each round every contender has its turn (and one more, on a fresh balancer, for the memory of idle
sessions). What a turn measured is one run; medians are taken over the rounds.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # root's files have no place in the user's clone

from bench_lab import ROOT, BenchLab  # noqa: E402

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))
from contenders import CONTENDERS  # noqa: E402
import callgrind_sections  # noqa: E402
import figures  # noqa: E402
import growth  # noqa: E402
import measures  # noqa: E402
import page  # noqa: E402
from seed_lab import SIGNALS, Interrupted, LabError, end_strays, interrupt, signals_ignored  # noqa: E402

QUICK_ROUNDS = 2
LONGEST = 11.5 * 60  # seconds of turns; what is not measured then stays so
LONGEST_IN_MEMORY = 90  # seconds of one program
IN_MEMORY = (("pipeline_bench", r"^door/"),
             ("seed_bench", r"mixed/ipv./(100000|1000000|10000000)$|(hit_forward|with_idle_module)/ipv6/100000$|copy_alone|"
              r"new_sessions/ipv./1000000/"),
             ("slb_bench", r"(hit|miss)/ipv./(1000|1000000)$|look_up/ipv./8000000$|new_sessions/ipv./1000000/"))
QUICK_IN_MEMORY = (("pipeline_bench", r"^door/"), ("seed_bench", r"mixed/ipv./100000$|copy_alone"),
                   ("slb_bench", r"look_up/ipv./1000000$"))
BOLD, GREEN, RED, PLAIN = ("\033[1m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("",) * 4


def say(text):
    print(f"{BOLD}== {text}{PLAIN}", flush=True)


def clock(seconds):
    return f"{int(seconds) // 60} min {int(seconds) % 60:02} s"


class Bench:
    def __init__(self, lab, build, options):
        self.lab = lab
        self.build = build
        self.rounds = options.rounds
        self.is_full = options.is_full
        self.contenders = [one for one in CONTENDERS if not options.contenders or one.name in options.contenders]
        self.wanted = options.measures or set(figures.MEASURES)
        self.runs = []
        self.problems = []
        self.in_memory = []
        self.instructions = {}
        self.began = time.monotonic()

    def turns(self):
        """[(round, contender, {measure: function})], in the order in which they are taken."""
        result = []
        for number in range(1, self.rounds + 1):
            for group in (measures.TRAFFIC, measures.FRESH):
                for contender in self.contenders:
                    mine = {key: measure for key, measure in group.items()
                            if key in contender.measures and key in self.wanted}
                    if mine:
                        result.append((number, contender, mine))
        return result

    def run(self):
        self.lab.up()
        turns = self.turns()
        began = time.monotonic()
        for done, (number, contender, mine) in enumerate(turns):
            gone = time.monotonic() - began
            if gone > LONGEST:
                self.problems.append(f"no time left in round {number} of {self.rounds} for {contender.title}")
                break
            left = f", about {clock(gone / done * (len(turns) - done))} to go" if done else ""
            print(f"[{done + 1:>3}/{len(turns)}] round {number}, {contender.title}: ", end="", flush=True)
            run = self.turn(number, contender, mine)
            texts = [f"{key} {page.number(run[key] / figures.MEASURES[key].scale)}" for key in mine if key in run]
            print(f"{', '.join(texts) or 'nothing'} ({clock(gone)}{left})", flush=True)

    def turn(self, number, contender, mine):
        run = {"contender": contender.name, "round": number, "quiet": self.lab.wait_quiet()}
        self.runs.append(run)
        try:
            self.lab.make_balancer(contender.kernel_is_silent)
            sessions = measures.IDLE if "memory" in mine else 0
            self.lab.start_web(sessions)
            contender.start(self.lab, sessions)
            contender.check(self.lab)
            for key, measure in mine.items():
                try:
                    run.update(measure(self.lab, contender))
                except (LabError, subprocess.TimeoutExpired, ValueError, TypeError) as error:
                    self.fail(number, contender, f"{key}: {error}")
        except LabError as error:
            self.fail(number, contender, str(error))
            print(self.lab.log("lb")[-2000:], flush=True)
        finally:
            self.lab.remove_balancer()
        return run

    def fail(self, number, contender, text):
        self.problems.append(f"round {number}, {contender.title}: {text}")
        print(f"{RED}{text}{PLAIN} ", end="", flush=True)

    def measure_memory(self):
        """The benchmarks that need no network; and instructions, which callgrind counts alike on every machine."""
        for program, pattern in IN_MEMORY if self.rounds >= figures.FULL_ROUNDS else QUICK_IN_MEMORY:
            path = os.path.join(self.build, "bin", program)
            if not os.path.exists(path):
                self.problems.append(f"{program} is not built")
                continue
            print(f"{program} ...", flush=True)
            try:
                result = subprocess.run([path, "--benchmark_format=json", "--benchmark_min_time=0.1",
                                         f"--benchmark_filter={pattern}"], capture_output=True, text=True,
                                        timeout=LONGEST_IN_MEMORY, check=False, start_new_session=True)
            except subprocess.TimeoutExpired:
                self.problems.append(f"{program} took more than {LONGEST_IN_MEMORY} s")
                continue
            if result.returncode != 0:
                self.problems.append(f"{program} ended with {result.returncode}")
                continue
            self.in_memory += figures.read_benchmark(result.stdout)
        print("packet_cost ...", flush=True)
        try:
            self.instructions = callgrind_sections.measure(os.path.join(self.build, "bin", "packet_cost"))
        except (SystemExit, OSError, subprocess.TimeoutExpired) as error:
            self.problems.append(f"packet_cost: {error}")

    def results(self):
        return {"machine": page.machine(), "versions": page.versions(),
                "settings": {"rounds": self.rounds, "seconds": measures.SECONDS, "rate": measures.RATE,
                             "idle": measures.IDLE, "flows": measures.FLOWS, "burst": measures.BURST,
                             "files": self.lab.files, "is_full": self.is_full},
                "minutes": round((time.monotonic() - self.began) / 60, 1), "runs": self.runs,
                "in_memory": self.in_memory, "instructions": self.instructions, "problems": self.problems}


def parse(words):
    names = {contender.name for contender in CONTENDERS}
    keys = set(measures.TRAFFIC) | set(measures.FRESH) | {"in-memory"}
    parser = argparse.ArgumentParser(prog="bench.sh", description="Trivet beside the kernel, HAProxy and nginx, in network "
                                     "namespaces of this machine. Ends with a verdict for each target.")
    parser.add_argument("--quick", action="store_true",
                        help=f"{QUICK_ROUNDS} rounds instead of {figures.FULL_ROUNDS}, for trying")
    parser.add_argument("--growth", action="store_true", help="instead: how the cost of a packet grows with sessions, "
                        "targets, servers, networks, modules and workers; no network is needed. With --quick for trying")
    parser.add_argument("--rounds", type=int, choices=range(1, 51), metavar="N", help="so many rounds")
    parser.add_argument("--only", action="append", default=[], metavar="NAME",
                        help=f"these only, may be repeated: {', '.join(sorted(names | keys))}")
    parser.add_argument("--json", metavar="FILE", help="all results, and every run, as JSON")
    parser.add_argument("--page", metavar="FOLDER", help="where performance.md and performance/*.svg go (docs for a full "
                        "run, else build/bench)")
    parser.add_argument("--render", metavar="FILE", help="measures nothing: table, verdict and page of such a JSON file")
    options = parser.parse_args(words)
    unknown = set(options.only) - names - keys
    if unknown:
        parser.error(f"no such name: {', '.join(sorted(unknown))} (there are {', '.join(sorted(names | keys))})")
    if options.growth and (options.only or options.rounds or options.render):
        parser.error("--growth goes with --quick, --json and --page only")
    options.contenders = set(options.only) & names
    options.measures = set(options.only) & keys
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else figures.FULL_ROUNDS)
    options.is_full = not options.only and options.rounds >= figures.FULL_ROUNDS
    return options


def is_asked(target, options):
    """Whether --only leaves anything of a target."""
    return ((not options.measures or target.measure in options.measures) and
            (not options.contenders or {target.contender, target.other} <= options.contenders))


def measure(options, build):
    """(results, what went wrong beside the measuring itself)."""
    bench, wrong, lab = None, [], None
    try:
        lab = BenchLab(build)
        bench = Bench(lab, build, options)
        if bench.turns():
            say(f"Side by side: {bench.rounds} rounds of {len(bench.turns()) // bench.rounds} turns")
            bench.run()
        if not options.contenders and (not options.measures or "in-memory" in options.measures):
            say("In memory")
            bench.measure_memory()
    except (Exception, KeyboardInterrupt) as error:  # whatever it is: the verdict says so
        wrong.append(str(error) if isinstance(error, (LabError, Interrupted)) else repr(error))
    finally:
        with signals_ignored():
            if lab:
                try:
                    end_strays({process.pid for process in lab.processes.values()})
                    lab.close()
                except Exception as error:
                    wrong.append(f"cleaning up: {error}")
                wrong += [f"left behind: {thing}" for thing in lab.left_behind()]
    return (bench.results() if bench else None), wrong


def measure_growth(options, build):
    say("Growth: ns a packet by how many there are of each thing")
    found, problems = growth.measure(build, options.quick, lambda text: print(text, flush=True))
    kind = page.machine()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": kind, "growth": found, "problems": problems}, file, indent=1)
            file.write("\n")
    for axis in growth.AXES:
        if axis.key in found:
            print("\n".join(["", f"ns a packet, by {axis.title}", *growth.table(found[axis.key])]))
    folder = options.page or os.path.join(*((build, "bench") if options.quick else (ROOT, "docs")))
    growth.write(found, kind, problems, options.quick, folder)
    print(f"\nPage and charts: {os.path.join(folder, 'performance.md')}")
    if problems:
        print(f"{RED}{BOLD}BENCH FAILED: {'; '.join(problems)}{PLAIN}", flush=True)
        return 1
    print(f"{GREEN}{BOLD}BENCH PASSED: growth is measured{PLAIN}", flush=True)
    return 0


def main():
    options = parse(sys.argv[1:])
    build = os.path.join(ROOT, "build")
    if options.growth:
        return measure_growth(options, build)
    wrong = []
    if options.render:
        with open(options.render, encoding="utf-8") as file:
            results = json.load(file)
        options.is_full = results["settings"]["is_full"]
    else:
        for number in SIGNALS:
            signal.signal(number, interrupt)
        results, wrong = measure(options, build)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    if not results:
        print(f"{RED}{BOLD}BENCH FAILED: {'; '.join(wrong)}{PLAIN}", flush=True)
        return 1
    found = figures.summaries(results["runs"])
    print(page.terminal_table(found))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
    if not wrong:
        folder = options.page or (os.path.join(ROOT, "docs") if options.is_full else os.path.join(build, "bench"))
        page.write(results, folder)
        print(f"\nPage and charts: {os.path.join(folder, 'performance.md')}")
    judged = [verdict for verdict in figures.verdicts(results["runs"]) if is_asked(verdict.target, options)]
    say("Targets (ratios of medians, with a sign: differences; quartiles of those within the rounds)")
    for verdict in judged:
        title, text, share, spread, bound, word = page.verdict_line(verdict)
        colour = GREEN if word == "met" else RED
        print(f"   {colour}{word:<13}{PLAIN}{share:>7}  {spread:<18}{bound:<17}{text}: {title}")
    for problem in results["problems"]:
        print(f"{RED}Problem: {problem}{PLAIN}")
    count = len(results["problems"])
    wrong += [f"{count} problem{'s' if count > 1 else ''} above"] if count else []
    status, text = figures.conclusion(judged, wrong)
    print(f"{RED if status else GREEN}{BOLD}{text}{PLAIN}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
