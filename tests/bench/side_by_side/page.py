"""The results as a table on the terminal, as docs/performance.md, and as charts."""

import math
import os
import platform
import re

import bench_lab
import contenders
import figures
import measures

# Both are readable on white and on black.
INK = "#7d8590"
OURS, OTHERS = "#2f81f7", "#a371f7"
CHARTS = ("round_trip", "pps", "bulk", "requests", "requests_p99", "connections", "connections_p99", "busy", "memory")
TITLES = {contender.name: contender.title for contender in contenders.CONTENDERS}


def machine():
    """What kind of machine this is; nothing that names it."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cores": os.cpu_count(), "processor": model[1].strip() if model else platform.machine(),
            "memory": f"{memory:.0f} GiB", "kernel": re.match(r"[0-9.]+", platform.release())[0].rstrip(".")}


def versions():
    found = {"HAProxy": contenders.version("haproxy", "-v"), "nginx": contenders.version("nginx", "-v"),
             "nftables": contenders.version("nft", "--version"), "wrk": contenders.version("wrk", "-v"),
             "iperf3": contenders.version("iperf3", "--version"), "h2load": contenders.version("h2load", "--version")}
    numbers = {name: re.search(r"\d+(\.\d+)+", text) for name, text in found.items()}
    return {name: match[0] for name, match in numbers.items() if match}


# --- numbers ------------------------------------------------------------------------------------------------------------

def number(value):
    """Three digits that count."""
    if value == 0:
        return "0"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def rows(found):
    """[(measure, contender, median, quartiles, runs, ratio to nftables)] as texts, in the order of the page."""
    result = []
    for key, measure in figures.MEASURES.items():
        for contender in contenders.CONTENDERS:
            item = found.get(key, {}).get(contender.name)
            if not item:
                continue
            share = figures.ratio(found, key, contender.name, "nft")
            result.append((key, contender.name, number(item.median / measure.scale),
                           f"{number(item.low / measure.scale)} - {number(item.high / measure.scale)}", str(item.runs),
                           f"{share:.2f}" if share is not None else "-"))
    return result


def terminal_table(found):
    lines = []
    for key, measure in figures.MEASURES.items():
        mine = [row for row in rows(found) if row[0] == key]
        if not mine:
            continue
        lines.append(f"\n{measure.title} ({measure.unit}; {'more' if measure.is_rate else 'less'} is better)")
        lines += [f"   {measure.note}"] if measure.note else []
        lines.append(f"   {'':<26}{'median':>10}{'quartiles':>22}{'runs':>6}{'x nftables':>12}")
        lines += [f"   {TITLES[name]:<26}{median:>10}{spread:>22}{runs:>6}{share:>12}"
                  for _, name, median, spread, runs, share in mine]
    return "\n".join(lines)


def verdict_line(verdict):
    target = verdict.target
    text = f"{TITLES[target.contender]} to {TITLES[target.other]}"
    share = "-" if verdict.value is None else target.text_of(verdict.value)
    spread = f"{target.text_of(verdict.rounds.low)} - {target.text_of(verdict.rounds.high)}" if verdict.rounds else "-"
    return figures.MEASURES[target.measure].title, text, share, spread, target.bound, verdict.word


# --- charts -------------------------------------------------------------------------------------------------------------

def save_chart(figure, axes, path):
    """Two axes only, and a file that is the same for the same numbers."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    figure.tight_layout()
    figure.savefig(path, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def chart(key, found, path):
    """Horizontal bars: medians, with the quartiles as whiskers."""
    import matplotlib  # of the group `bench` only: unit tests and whoever prints a table do without
    matplotlib.use("svg")
    from matplotlib import pyplot
    matplotlib.rcParams.update({"svg.hashsalt": "trivet", "svg.fonttype": "none", "font.family": "sans-serif",
                                "font.size": 10})
    measure = figures.MEASURES[key]
    names = [contender.name for contender in contenders.CONTENDERS if contender.name in found[key]]
    items = [found[key][name] for name in names]
    medians = [item.median / measure.scale for item in items]
    spreads = [[(item.median - item.low) / measure.scale for item in items],
               [(item.high - item.median) / measure.scale for item in items]]
    figure, axes = pyplot.subplots(figsize=(7.5, 0.9 + 0.42 * len(names)))
    axes.barh(range(len(names)), medians, xerr=spreads, height=0.62, ecolor=INK, capsize=3,
              color=[OURS if name in ("raw", "xdp") else OTHERS for name in names])
    reach = max([item.high / measure.scale for item in items] + medians)
    for place, item in enumerate(items):
        axes.text(item.high / measure.scale + reach * 0.02, place, number(item.median / measure.scale), va="center",
                  color=INK)
    axes.set_yticks(range(len(names)), [TITLES[name] for name in names], color=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, reach * 1.15 or 1)
    axes.set_title(f"{measure.title}\n{measure.unit}, {'more' if measure.is_rate else 'less'} is better", color=INK,
                   fontsize=10)
    axes.tick_params(colors=INK)
    save_chart(figure, axes, path)
    pyplot.close(figure)


# --- the page -----------------------------------------------------------------------------------------------------------

def command_text(words, build):
    """As somebody would type it: programs by their name, addresses as they are."""
    text = " ".join(f"'{word}'" if " " in word else word for word in words)
    return text.replace(build.rstrip("/") + "/", "build/")


def how(settings):
    raw = contenders.Trivet("raw")
    proxies = figures.processes_for(2 * measures.IDLE, settings["files"])
    many = "" if proxies == 1 else (f". A process may open {settings['files']} files on this machine: the proxies run as "
                                    f"{proxies} processes in this test")
    flood = command_text(measures.blaster_command("build", "CLIENT_MAC", "BALANCER_MAC", raw, None), "build")
    with open(os.path.join(bench_lab.HERE, "how.md"), encoding="utf-8") as file:
        return file.read().format(
            flood=flood, many=many, bulk=command_text(measures.iperf3_command(raw), "build"),
            requests=command_text(measures.wrk_command(raw), "build"),
            round_trip=command_text(measures.round_trip_command(raw), "build"),
            connections=command_text(measures.wrk_command(raw, closing=True), "build"),
            paced=command_text(measures.paced_command(raw), "build"), bursts=figures.BURSTS, flows=measures.FLOWS,
            rate=measures.RATE, idle=measures.IDLE, rounds=settings["rounds"]).strip()


def memory_section(in_memory, instructions):
    if not in_memory:
        return ""
    lines = ["## In memory", "",
             "The same code without any device: frames from memory through the whole chain of the seed pair (`seed/`), the "
             "balancer alone (`slb/`), the door alone (`door/`), one thread. `build/bin/seed_bench`, `slb_bench` and "
             "`pipeline_bench` print them. Instructions are those of user space; `-`: this machine does not let them be "
             "counted while it runs.", "",
             "| benchmark | ns a packet | instructions | million a second |", "|---|---:|---:|---:|"]
    for name, ns, counted, rate in in_memory:
        lines.append(f"| `{name}` | {ns:.1f} | {'-' if counted is None else f'{counted:.0f}'} | "
                     f"{'-' if rate is None else f'{rate / 1e6:.2f}'} |")
    if instructions:
        lines += ["", "Instructions a packet as callgrind counts them (`build/bin/packet_cost`; the same in each run, and held by "
                  "the test `bench.instructions`): from receive to transmit, the balancer alone by the size of its table, the "
                  "door alone.", "", "| packet | IPv4 | IPv6 |", "|---|---:|---:|"]
        for name in sorted({name.replace("/ipv4", "").replace("/ipv6", "") for name in instructions}):
            kind, _, size = name.partition("/")
            numbers = [instructions.get("/".join(filter(None, (kind, family, size)))) for family in ("ipv4", "ipv6")]
            lines.append(f"| `{name}` | " + " | ".join("-" if one is None else f"{one:.0f}" for one in numbers) + " |")
    return "\n".join(lines) + "\n"


def markdown(results, charts, notes, growth=""):
    """The page, of what measuring left (see side_by_side.py); `growth`: that section (see growth.py)."""
    found = figures.summaries(results["runs"])
    judged = figures.verdicts(results["runs"])
    kind = results["machine"]
    lines = ["# Performance", "",
             "Written by `scripts/bench.sh`, which measures all of it again: as root, in network namespaces, in less than a "
             "quarter of an hour (the first build apart). A number says something beside the others of the same run only: this "
             "is one machine, with virtual cables.", "",
             f"Machine: {kind['cores']} cores ({kind['processor']}), {kind['memory']}, Linux {kind['kernel']}. Versions: "
             + ", ".join(f"{name} {text}" for name, text in results["versions"].items()) + ".", ""]
    if results["settings"]["rounds"] < figures.FULL_ROUNDS:
        lines += [f"**A run for trying, of {results['settings']['rounds']} rounds.**", ""]
    loud = sum(not run.get("quiet", True) for run in results["runs"])
    if loud:
        lines += [f"{loud} of {len(results['runs'])} turns began while the machine was busy with something else.", ""]
    lines += ["## Targets", "",
              "Ratios of the medians of this run (with a sign: differences); the quartiles are those within each round.", "",
              "| measure | of | ratio | quartiles | target | |", "|---|---|---:|---:|---|---|"]
    for verdict in judged:
        title, text, share, spread, bound, word = verdict_line(verdict)
        lines.append(f"| {title} | {text} | {share} | {spread} | {bound} | {word if word == 'met' else f'**{word}**'} |")
    words = [verdict.word for verdict in judged]
    lines += ["", "All targets are met." if set(words) == {"met"} else
              f"**Targets: {words.count('met')} met, {words.count('missed')} missed, "
              f"{words.count(figures.NOT_MEASURED)} not measured.**", ""]
    if results["problems"]:
        lines += [*(f"- Not measured as it should be: {problem}" for problem in results["problems"]), ""]
    lines += ["## Side by side", "", "`quartiles` are those of the runs. `x nftables` is the ratio of medians.", ""]
    for key, measure in figures.MEASURES.items():
        mine = [row for row in rows(found) if row[0] == key]
        if not mine:
            continue
        better = "more" if measure.is_rate else "less"
        lines += [f"### {measure.title}", "", f"{measure.unit}; {better} is better. {measure.note}".strip(), ""]
        if key in charts:
            lines += [f"![{measure.title}]({charts[key]})", ""]
        lines += ["| | median | quartiles | runs | x nftables |", "|---|---:|---:|---:|---:|"]
        lines += [f"| {TITLES[name]} | {median} | {spread} | {runs} | {share} |"
                  for _, name, median, spread, runs, share in mine]
        lines.append("")
    lines += ["## How it is measured", "", "```"]
    lines += [line.rstrip() for line in bench_lab.__doc__.split("\n")[2:5]]
    lines += ["```", "", how(results["settings"]), ""]
    section = memory_section(results["in_memory"], results.get("instructions"))
    lines += [section] if section else []
    lines += [growth.strip(), ""] if growth else []
    lines += [notes.strip(), ""] if notes else []
    return "\n".join(lines)


def write(results, folder):
    """folder/performance.md and folder/performance/*.svg. What is in folder/performance/growth.md (of --growth) and in
    notes.md becomes part of the page."""
    pictures = os.path.join(folder, "performance")
    os.makedirs(pictures, exist_ok=True)
    found = figures.summaries(results["runs"])
    charts = {}
    for key in CHARTS:
        if key in found:
            charts[key] = f"performance/{key}.svg"
            chart(key, found, os.path.join(folder, charts[key]))
    parts = {}
    for name in ("notes.md", "growth.md"):
        parts[name] = ""
        if os.path.exists(os.path.join(pictures, name)):
            with open(os.path.join(pictures, name), encoding="utf-8") as file:
                parts[name] = file.read()
    with open(os.path.join(folder, "performance.md"), "w", encoding="utf-8") as file:
        file.write(markdown(results, charts, parts["notes.md"], parts["growth.md"]))
