"""How the cost of a packet grows with what a node has: growth_bench and workers_bench, as charts and as a section of
docs/performance.md. Nothing of it needs a network. bench.sh --growth."""

import dataclasses
import json
import os
import re
import statistics
import subprocess

# All are readable on white and on black.
COLOURS = ("#2f81f7", "#a371f7", "#3fb950", "#d29922", "#f778ba", "#db6d28")
INK = "#7d8590"
REPETITIONS = 5
LONGEST = 15 * 60  # seconds of one axis
HEADING = "## Growth"


@dataclasses.dataclass(frozen=True)
class Axis:
    key: str
    title: str
    program: str
    pattern: str  # of the benchmarks' names
    note: str


AXES = (
    Axis("sessions", "sessions", "growth_bench", "^growth/sessions/",
         "Packets to targets, of sessions at random. What grows are misses of the processor's caches."),
    Axis("targets", "targets of a server", "growth_bench", "^growth/targets/forward/",
         "Packets to targets, of 16384 sessions spread over them."),
    Axis("new-sessions", "targets of a server, new sessions", "growth_bench", "^growth/targets/new_",
         "SYNs that each begin a session, by method; IPv4. With `hash` each target draws a number."),
    Axis("servers", "servers", "growth_bench", "^growth/servers/", "Packets to two targets that all servers share."),
    Axis("networks", "networks of targets", "growth_bench", "^growth/networks/",
         "All on one interface, 258 targets spread over them: packets to targets (`forward`), from them (`reverse`), and "
         "from them where each network has a VLAN tag (`reverse_vlans`)."),
    Axis("modules", "modules in the chain", "growth_bench", "^growth/modules/",
         "The seed's seven; the others want every packet and do nothing."),
    Axis("workers", "workers", "workers_bench", "^workers_on_threads/",
         "Each on a thread and with a port of its own; half of the packets cross with two. Nanoseconds for each packet of "
         "the node: as many cores as threads must be free."),
)


def place_of(name):
    """(series, size) of a benchmark's name; None for one that is on no axis."""
    name = re.sub(r"/(iterations|repeats):\d+", "", name)
    workers = re.fullmatch(r"workers_on_threads(?:/real_time)?/threads:(\d+)", name)
    if workers:
        return "workers", int(workers[1])
    match = re.fullmatch(r"growth/[^/]+/([^/]+)/(ipv[46])/(\d+)", name)
    return (f"{match[1].removeprefix('new_')} {match[2].replace('ipv', 'IPv')}", int(match[3])) if match else None


def read(text):
    """{series: {size: median ns a packet}} of a Google benchmark's JSON; ValueError with what an erring one said."""
    values = {}
    for entry in json.loads(text)["benchmarks"]:
        if entry.get("error_occurred"):
            raise ValueError(f"{entry['name']}: {entry.get('error_message', 'an error')}")
        place = place_of(entry.get("run_name", entry["name"]))
        if entry.get("run_type", "iteration") != "iteration" or not place:
            continue
        ns = entry["ns/packet"] if "ns/packet" in entry else 1e9 / entry["items_per_second"]
        values.setdefault(place[0], {}).setdefault(place[1], []).append(ns)
    return {series: {size: statistics.median(runs) for size, runs in sizes.items()} for series, sizes in values.items()}


def measure(build, quick, say):
    """({axis: as read()}, problems)."""
    found, problems = {}, []
    for axis in AXES:
        path = os.path.join(build, "bin", axis.program)
        say(f"{axis.title} ...")
        command = [path, "--benchmark_format=json", f"--benchmark_filter={axis.pattern}",
                   f"--benchmark_min_time={0.01 if quick else 0.3}",
                   f"--benchmark_repetitions={1 if quick else REPETITIONS}"]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=True,
                                    start_new_session=True)
            found[axis.key] = read(result.stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            problems.append(f"{axis.title}: {error}")
    return found, problems


# --- what is shown ------------------------------------------------------------------------------------------------------

def size_text(size):
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if size >= unit and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)


def chart(axis, series, path):
    """Nanoseconds over sizes, a line each; sizes by their logarithm."""
    import matplotlib  # of the group `bench` only
    matplotlib.use("svg")
    from matplotlib import pyplot
    matplotlib.rcParams.update({"svg.hashsalt": "trivet", "svg.fonttype": "none", "font.family": "sans-serif",
                                "font.size": 10})
    figure, axes = pyplot.subplots(figsize=(7.5, 3.4))
    sizes = sorted({size for values in series.values() for size in values})
    for colour, (name, values) in zip(COLOURS, series.items()):
        line = sorted(values.items())
        axes.plot([size for size, _ in line], [ns for _, ns in line], color=colour, marker="o", markersize=4, label=name)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [size_text(size) for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_title(f"ns a packet, by {axis.title}", color=INK, fontsize=10)
    axes.tick_params(colors=INK)
    if len(series) > 1:
        axes.legend(frameon=False, labelcolor=INK, loc="upper left", bbox_to_anchor=(1, 1))
    page.save_chart(figure, axes, path)
    pyplot.close(figure)


def table(series):
    sizes = sorted({size for values in series.values() for size in values})
    lines = ["| | " + " | ".join(size_text(size) for size in sizes) + " | last to first |",
             "|---|" + "---:|" * (len(sizes) + 1)]
    for name, values in series.items():
        cells = [f"{values[size]:.0f}" if size in values else "-" for size in sizes]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {values[max(values)] / values[min(values)]:.2f} |")
    return lines


def section(found, kind, problems, quick):
    """The part of the page; `kind`: see page.machine()."""
    lines = [HEADING, "",
             "What a packet costs by how many there are of each thing: nanoseconds from receive to transmit through the whole "
             "chain of the seed pair, frames from memory, one worker unless it says otherwise. By `scripts/bench.sh "
             f"--growth` on {kind['cores']} cores ({kind['processor']}), {kind['memory']}, Linux {kind['kernel']}; "
             + ("**a run for trying**." if quick else f"medians of {REPETITIONS} runs."), "",
             "That nothing grows faster than the logarithm of targets, servers and networks is tested by instructions, which "
             "repeat where times do not (`bench.growth`); [record 15](decisions/0015-what-grows-with-what.md) names what was "
             "done for it, and the exception.", ""]
    lines += [f"- Not measured as it should be: {problem}" for problem in problems] + ([""] if problems else [])
    for axis in AXES:
        if axis.key not in found:
            continue
        title = axis.title[0].upper() + axis.title[1:]
        lines += [f"### {title}", "", axis.note, "", f"![ns a packet, by {axis.title}](performance/growth-{axis.key}.svg)", ""]
        lines += [*table(found[axis.key]), ""]
    return "\n".join(lines)


def placed(text, part):
    """The page with `part` instead of the section that it had, or at its end."""
    match = re.search(rf"(?ms)^{HEADING}\n.*?(?=^## |\Z)", text)
    if match:
        return text[:match.start()] + part.rstrip("\n") + "\n" + ("\n" if match.end() < len(text) else "") + text[match.end():]
    return text.rstrip("\n") + "\n\n" + part.rstrip("\n") + "\n"


def write(found, kind, problems, quick, folder):
    """folder/performance/growth-*.svg and growth.md, which page.write() takes up again, and the section of the page."""
    pictures = os.path.join(folder, "performance")
    os.makedirs(pictures, exist_ok=True)
    for axis in AXES:
        if axis.key in found:
            chart(axis, found[axis.key], os.path.join(pictures, f"growth-{axis.key}.svg"))
    part = section(found, kind, problems, quick)
    with open(os.path.join(pictures, "growth.md"), "w", encoding="utf-8") as file:
        file.write(part)
    path = os.path.join(folder, "performance.md")
    text = "# Performance\n"
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(placed(text, part))
