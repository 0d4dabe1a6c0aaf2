"""Run the sides of a comparison by turns, each in a process of its own, and write down what came out and on what machine.

A side is a function that prepares its work and returns what is measured. Its process stays alive between the turns and
sleeps while another side has its turn, so that all sides meet the same machine, warm, and none holds threads of another.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("SHELFWISE_DATA", Path(__file__).parents[2] / "shared" / "data"))
RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    "shelfwise",
    "numpy",
    "onnxruntime",
    "pillow",
    "simplejpeg",
    "scikit-learn",
    "torch",
    "torchvision",
    "timm",
    "faiss-cpu",
    "imagededup",
)

# Done once, then measured at every turn; what a turn returns are facts for the tables (numbers or text).
Turn = Callable[[], dict[str, Any] | None]
Prepare = Callable[[], Turn]


@dataclass(slots=True)
class Side:
    """What was measured of one side: wall and processor seconds of every turn, peak memory, facts of the last turn."""

    name: str
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)

    @property
    def median_cpu_s(self) -> float:
        return statistics.median(self.cpu_seconds)


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times faster one side is than another, and the goal; by processor time too where it is comparable."""

    what: str
    times: float
    goal: float
    times_by_cpu: float | None = None


def arguments(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a small part of the work: says whether the script works")
    parser.add_argument("--turns", type=int, help="turns a side")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser.parse_args()


def serve(prepare: Prepare) -> None:
    """Be one side: prepare, then run a turn for every line on standard input and answer with a line of JSON."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not get among the answers
    turn = prepare()
    answers.write("ready\n")
    for _ in sys.stdin:
        cpu, started = cpu_seconds(), time.perf_counter()
        facts = turn() or {}
        seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answers.write(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mib": peak_mib, "facts": facts}) + "\n")


def cpu_seconds() -> float:
    """Processor time of this process and of its children, those that live (Linux) and those that ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + ended.ru_utime + ended.ru_stime
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            user, system = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]
            total += (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return total


def alternate(script: str, names: Sequence[str], options: argparse.Namespace, turns: int) -> dict[str, Side]:
    """Start the sides one after the other, then give each a turn, `turns` times."""
    sides = {name: Side(name) for name in names}
    command = [sys.executable, script, *(["--quick"] if options.quick else []), "--side"]
    running = {}
    try:
        for name in names:
            running[name] = subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            _line(running[name], name)
            print(f"{name}: ready", file=sys.stderr)
        for turn in range(turns):
            for name, side in sides.items():
                running[name].stdin.write("go\n")
                running[name].stdin.flush()
                answer = json.loads(_line(running[name], name))
                side.seconds.append(answer["seconds"])
                side.cpu_seconds.append(answer["cpu_seconds"])
                side.peak_mib, side.facts = max(side.peak_mib, answer["peak_mib"]), answer["facts"]
                print(f"turn {turn + 1}: {name}: {answer['seconds']:.2f} s", file=sys.stderr)
    finally:
        for process in running.values():
            process.stdin.close()
            process.wait()
            process.stdout.close()
    return sides


def _line(process: subprocess.Popen[str], name: str) -> str:
    line = process.stdout.readline()
    if not line:
        sys.exit(f"{name}: ended without an answer (exit code {process.wait()}); what it said stands above")
    return line


def ratio(what: str, slow: Side, fast: Side, goal: float) -> Ratio:
    return Ratio(what, slow.median_s / fast.median_s, goal, slow.median_cpu_s / fast.median_cpu_s)


def machine() -> dict[str, Any]:
    """Describe what this runs on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = {flag for line in lines if line.startswith("flags") for flag in line.split()}
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "vnni": bool(flags & {"avx512_vnni", "avx_vnni"}),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "load_before": round(os.getloadavg()[0], 1),
        "versions": versions,
    }


def write(
    name: str, title: str, sides: Sequence[Side], ratios: Sequence[Ratio], notes: Sequence[str], *, on: dict[str, Any],
    quick: bool,
) -> None:  # fmt: skip
    """Write results/NAME.json and .md, with -quick in the name of a quick run, and print the table.

    on: what `machine` said before the run.
    """
    stem = RESULTS / (f"{name}-quick" if quick else name)
    RESULTS.mkdir(exist_ok=True)
    values = {
        "title": title, "date": date.today().isoformat(), "quick": quick, "machine": on, "notes": list(notes),
        "sides": [asdict(side) | {"median_s": side.median_s, "median_cpu_s": side.median_cpu_s} for side in sides],
        "ratios": [asdict(r) for r in ratios],
    }  # fmt: skip
    stem.with_suffix(".json").write_text(json.dumps(values, indent=1) + "\n")
    page = _page(name, title, sides, ratios, notes, on, quick)
    stem.with_suffix(".md").write_text(page)
    print(page)


def _page(
    name: str, title: str, sides: Sequence[Side], ratios: Sequence[Ratio], notes: Sequence[str], on: dict[str, Any],
    quick: bool,
) -> str:  # fmt: skip
    versions = ", ".join(f"{package} {version}" for package, version in on["versions"].items())
    columns = list(dict.fromkeys(fact for side in sides for fact in side.facts))
    rows = [["side", "seconds (median)", "least - most", "processor seconds", "peak MiB", *columns]]
    for side in sides:
        spread = f"{min(side.seconds):.2f} - {max(side.seconds):.2f}"
        facts = [_shown(side.facts.get(column)) for column in columns]
        cpu, peak = f"{side.median_cpu_s:.2f}", f"{side.peak_mib:,.0f}"
        rows.append([side.name, f"{side.median_s:.2f}", spread, cpu, peak, *facts])
    compared = [["compared", "times", "by processor time", "goal", "reached"]]
    for r in ratios:
        by_cpu = "" if r.times_by_cpu is None else f"{r.times_by_cpu:.1f}"
        compared.append([r.what, f"{r.times:.1f}", by_cpu, f"{r.goal:g}", "yes" if r.times >= r.goal else "no"])
    lines = [
        f"# {title}", "",
        f"`python benchmarks/{name}.py{' --quick' if quick else ''}`, {date.today().isoformat()}"
        f"{': a quick run, too short to judge by' if quick else ''}.",
        f"Machine: {on['cpu']}, {on['cores']} cores{', VNNI' if on['vnni'] else ''}, {on['system']}, "
        f"load {on['load_before']} before the run. {versions}.", "",
        *_table(rows), "", *_table(compared), "", *(f"- {note}" for note in notes),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _table(rows: list[list[str]]) -> list[str]:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return [head, "|" + "---|" * len(rows[0]), *body]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
