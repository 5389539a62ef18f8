"""Calls and jobs a second beside other programs, interleaved in one run; a table and a picture.

    python benchmarks/peers.py [--repeats 15] [--picture benchmarks/peers.png]

Ratios are medians over repetitions of two programs measured one after the other: machines are
noisy, and neighbours come and go.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from analysis.plots.colours import REFERENCE, colour
from analysis.plots.style import PAGE_IN, footnote, paper_style
from benchmarks import programs
from benchmarks.programs import Program

OURS = "teamsim"


def teams() -> dict[str, Program]:
    """Return the programs of a team of ten."""
    n, calls_each = 10, 500
    asynchronous = {"timing": "asynchronous"}
    return {
        f"{OURS}, mesh in rounds": programs.team(n, calls_each),
        f"{OURS}, asynchronous mesh": programs.team(n, calls_each, **asynchronous),
        "SimPy: a process a call, rounds": programs.process_a_call(n, calls_each),
        "SimPy: agents are a Resource": programs.agents_as_a_resource(n, calls_each),
        "SimPy: tasks in a Store": programs.tasks_in_a_store(n, calls_each),
        "SimPy: leanest, rounds": programs.process_an_agent(n, calls_each),
        "bare heap, no framework": programs.bare_heap(n, calls_each),
    }


def queues() -> dict[str, Program]:
    """Return the programs of the queue, of those packages that are installed."""
    found = {OURS: programs.queue(600.0), "SimPy, hand-written": programs.queue_simpy(600.0)}
    for name, make in (
        ("Ciw", programs.queue_ciw),
        ("AsyncFlow", programs.queue_asyncflow),
        ("salabim", programs.queue_salabim),
    ):
        try:
            found[name] = make(600.0)
        except ImportError:
            print(f"({name} is not installed)")
    return found


def seconds_each(run: Program) -> float:
    """Return the seconds that one call or job takes."""
    started = time.perf_counter()
    done = run()
    return (time.perf_counter() - started) / done


def interleaved(runs: Mapping[str, Program], repeats: int) -> dict[str, list[float]]:
    """Return seconds a call of each program, measured in turn `repeats` times."""
    for run in runs.values():
        run()
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            found[name].append(seconds_each(run))
    return found


def ratio(a: list[float], b: list[float]) -> float:
    """Return the median over repetitions of a / b."""
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def table(times: Mapping[str, list[float]], what: str) -> None:
    """Print a row a program; ours are the columns of ratios."""
    ours = [name for name in times if name.startswith(OURS)]
    print(f"| program | {what}/s | " + " | ".join(f"{name} makes" for name in ours) + " |")
    print("|---|---:|" + "---:|" * len(ours))
    for name, seconds in times.items():
        ratios = " | ".join(f"{ratio(seconds, times[mine]):.2f}x" for mine in ours)
        print(f"| {name} | {1.0 / statistics.median(seconds):,.0f} | {ratios} |")
    print()


def picture(measured: Mapping[str, Mapping[str, list[float]]]) -> Figure:
    """Return calls and jobs a second as bars, with the range of the middle half."""
    with paper_style():
        figure = Figure(figsize=(PAGE_IN, 2.5), layout="constrained")
        for ax, (what, times) in zip(figure.subplots(1, 2), measured.items(), strict=True):
            for i, (name, seconds) in enumerate(times.items()):
                low, middle, high = statistics.quantiles([1e-3 / s for s in seconds], n=4)
                face = colour(0) if name.startswith(OURS) else "#bbbbbb"
                ax.barh(i, middle, color=face, height=0.65)
                ax.plot([low, high], [i, i], color="#222222", linewidth=1.2)
                ax.annotate(
                    f"{middle:,.0f}",
                    (high, i),
                    (4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=7,
                    color=REFERENCE,
                )
            ax.set_yticks(range(len(times)), list(times))
            ax.invert_yaxis()
            ax.set(title=what, xlabel="thousand a second (logarithmic)", xscale="log")
            ax.set_xlim(1.0, 2.2 * max(1e-3 / min(seconds) for seconds in times.values()))
            ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            ax.grid(visible=False, axis="y")
        footnote(figure, "lines: the middle half of the repetitions")
    return figure


def main() -> None:
    """Measure, print Markdown tables, draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    of_teams = interleaved(teams(), arguments.repeats)
    table(of_teams, "calls")
    of_queues = interleaved(queues(), max(4, arguments.repeats // 3))
    table(of_queues, "jobs")
    if arguments.picture:
        titles = {"Calls of a team of ten": of_teams, "Jobs of an M/D/4 queue": of_queues}
        with paper_style():
            picture(titles).savefig(arguments.picture)


if __name__ == "__main__":
    main()
