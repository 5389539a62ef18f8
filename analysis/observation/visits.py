"""When people gave a team its work: after pauses in which nobody worked and all had ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.calibration.rounding import four_digits
from analysis.observation.activity import MODEL, PEOPLE, TOOL, Activity
from analysis.observation.arrivals import LEAST_SHARE, SHORTEST_S
from analysis.observation.runs import Run
from analysis.observation.units import Unit
from analysis.observation.workload import Work
from simulator.words import percent


def pauses_of(activity: Activity) -> list[tuple[float, float]]:
    """Return the stretches in which nobody works and some agent waits for people, in seconds."""
    works = np.asarray([cause == MODEL or cause.startswith(TOOL) for cause in activity.causes])
    is_busy = (works[activity.states] & (activity.states >= 0)).any(axis=0)
    waits = (activity.states == activity.causes.index(PEOPLE)).any(axis=0)
    found: list[tuple[float, float]] = []
    for i in np.flatnonzero(waits & ~is_busy):
        start, end = float(activity.edges[i]), float(activity.edges[i + 1])
        if found and found[-1][1] == start:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return [(start, end) for start, end in found if end - start >= SHORTEST_S]


def visited_workload(runs: Sequence[Run], units: Mapping[str, Sequence[Unit]]) -> Work | None:
    """Return the tasks of the run of median length, each arriving when people gave the work.

    None if there are no pauses for people, or hardly any.

    Parameters
    ----------
    runs : sequence of Run
    units : mapping
        Units of work of each run's workers.
    """
    known = [run for run in runs if units[run.name] and run.operations.makespan_s > 0.0]
    if not known:
        return None
    pauses = {run.name: pauses_of(run.activity) for run in known}
    shares = [
        sum(end - start for start, end in pauses[run.name]) / run.operations.makespan_s
        for run in known
    ]
    if float(np.median(shares)) < LEAST_SHARE:
        return None
    paused = sorted(
        (run for run in known if pauses[run.name]), key=lambda run: run.operations.makespan_s
    )
    middle = paused[(len(paused) - 1) // 2]
    begins = [0.0, *(end for _, end in pauses[middle.name])]
    counts = np.bincount(
        [
            max(0, int(np.searchsorted(begins, unit.start_s + 1e-6, side="right")) - 1)
            for unit in units[middle.name]
        ],
        minlength=len(begins),
    )
    tasks: list[dict[str, Any]] = []
    for i, (begin, count) in enumerate(zip(begins, counts, strict=True), start=1):
        at = {"arrival_s": four_digits(begin)} if begin > 0.0 else {}
        tasks += [{"id": f"request-{i}-task-{j + 1}", **at} for j in range(count)]
    said = (
        f"units of work of the run of median length with such pauses; they arrive when people gave "
        f"them, {np.count_nonzero(counts)} times in it, as then. People took "
        f"{percent(float(np.median(shares)))} of the median run"
    )
    return Work({"kind": "dag", "tasks": tasks}, said, len(tasks), is_certain=True)
