"""Speed-up stacks: how much of the ideal speed-up each cause has taken.

A team of n workers that takes T spends n T seconds. One agent takes T1 for the same work, so the
speed-up is T1 / T. The rest, n - T1 / T = ``(n T - T1) / T``, is divided among the causes: each
takes the seconds that the team spent on it and one agent did not, over T. The parts add up to n
(Eyerman, Du Bois & Eeckhout 2012).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from math import fsum

import numpy as np
import pandas as pd

from analysis.breakdown.causes import CAUSES, WORK, times_by_cause
from analysis.statistics.completion import UNKNOWN
from analysis.statistics.intervals import Interval, mean_interval
from analysis.statistics.series import SIZE, name_value
from simulator.experiment.estimate import check_memory
from simulator.experiment.pool import Progress, in_processes
from simulator.scenario import Point
from simulator.scenario.sweep import label

_SEEN = 5
"""Runs that must show a cause before its interval is given: where fewer did, those of conflicts in
the quickstart, which are rare and of very different lengths, held 32 to 45 %, not 95 %."""


def losses(
    team: Mapping[str, float], alone: Mapping[str, float], workers: int, makespan_s: float
) -> dict[str, float]:
    """Return the speed-up and what each cause has taken from it; they add up to `workers`.

    Parameters
    ----------
    team, alone : mapping of str to float
        From `analysis.breakdown.causes.time_by_cause`, of a replication of the team and of one
        agent.
    workers : int
    makespan_s : float
        Makespan of the team.
    """
    found = {"speed-up": fsum(alone.values()) / makespan_s}
    for cause in CAUSES:
        source = WORK if cause == "slower calls" else cause
        found[cause] = (team[source] - alone[source]) / makespan_s
    return found


def speedup_stacks(
    points: Sequence[Point],
    replications: int = 10,
    progress: Progress | None = None,
    workers: int = 1,
) -> pd.DataFrame:
    """Return the speed-up stack of every point that has a single-agent baseline.

    Parameters
    ----------
    points : sequence of Point
        Of one study.
    replications : int
        Traced replications of each, the same random numbers for team and baseline.
    progress : callable, optional
        Told ``(points done, points in all)``, single agents among them.
    workers : int
        Processes; the results do not depend on them.

    Returns
    -------
    DataFrame
        A row for each point but the single agents: ``point, series, name, n`` (workers); ``runs``;
        ``finished``: runs in which both the team and the single agent finished; ``speed-up`` and
        each of `CAUSES`: means over these runs, in units of speed-up, which add up to n; and each
        with ``_low`` and ``_high``, its 95 % interval (`mean_interval`). They are null if there is
        no such run, since a run that did not finish has no speed-up to divide; of causes that fewer
        than five runs show, and not all, the interval is null: few values don't say how large
        rare ones are. The mean of the speed-ups of runs is above the ratio of mean times where
        these vary much.
    """
    baselines = {point.index: _baseline(point, points) for point in points}
    wanted = [point for point in points if baselines[point.index] not in (None, point.index)]
    needed = dict.fromkeys(
        index for each in wanted for index in (baselines[each.index], each.index)
    )
    by_index = {point.index: point.scenario for point in points}
    jobs = [(by_index[index], replications) for index in needed if index is not None]
    for scenario, _ in jobs:
        check_memory(scenario)
    stacked = dict(zip(needed, in_processes(times_by_cause, jobs, workers, progress), strict=True))
    rows = []
    for point in wanted:
        size = point.scenario.team.worker_count
        parts = [
            losses(team, single, size, fsum(team.values()) / size)
            for team, single in zip(
                stacked[point.index], stacked[baselines[point.index]], strict=True
            )
            if team is not None and single is not None
        ]
        rows.append(
            {
                "point": point.index,
                "series": point.series or _series(point),
                "name": point.name,
                "n": size,
                "runs": replications,
                "finished": len(parts),
                **_means(parts),
            }
        )
    return pd.DataFrame(rows)


def _means(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each part over runs, and the ends of its interval; null without a run."""
    means, ends = dict[str, float](), dict[str, float]()
    for name in ("speed-up", *CAUSES):
        values = [each[name] for each in parts]
        found = mean_interval(values) if parts else UNKNOWN
        if np.count_nonzero(values) < min(len(values), _SEEN):
            found = Interval(found.estimate, math.nan, math.nan)
        means[name] = found.estimate
        low = max(found.low, 0.0) if name == "speed-up" else found.low  # a ratio of times
        ends |= {f"{name}_low": low, f"{name}_high": found.high}
    return means | ends


def _series(point: Point) -> str:
    """Return the name of a point's series in a grid: the values of its other fields."""
    said = (name_value(key, label(value)) for key, value in point.overrides.items() if key != SIZE)
    return ", ".join(filter(None, said))


def _baseline(point: Point, points: Sequence[Point]) -> int | None:
    """Return the baseline of a point: the one that the scenario names, else its own n = 1."""
    if point.baseline is not None:
        return point.baseline
    others = {key: value for key, value in point.overrides.items() if key != SIZE}
    for candidate in points:
        rest = {key: value for key, value in candidate.overrides.items() if key != SIZE}
        is_alone = candidate.scenario.team.worker_count == 1
        if is_alone and rest == others and candidate.series == point.series:
            return candidate.index
    return None
