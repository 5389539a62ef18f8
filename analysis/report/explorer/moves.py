"""What each move of a control has changed: the time and the money of the largest team."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from analysis.report.explorer.curves import Drawn
from analysis.report.explorer.settings import Offered, Setting
from analysis.statistics.completion import ratio_to_success, runs_finished
from analysis.statistics.intervals import Interval
from analysis.statistics.series import SIZE
from simulator.errors import ScenarioError
from simulator.experiment import run_points
from simulator.experiment.pool import Progress
from simulator.scenario import Point
from simulator.scenario.costs import is_cost_known
from simulator.words import four_figures, percent

MOST_MOVES = 12
"""Moves whose effects are found; each takes a run of the largest team."""


def effects(
    offered: Offered, setting: Setting, replications: int, progress: Progress | None = None
) -> dict[str, str]:
    """Return what each control that was moved has changed, in words.

    The team is run as it is set and, for each control, with that one put back and all others as
    they are, with the same random numbers.

    Parameters
    ----------
    offered : Offered
    setting : Setting
    replications : int
    progress : callable, optional
        Called with the progress.

    Returns
    -------
    dict of str to str
        By path; a control is left out if it may not be put back while the others stay.
    """
    first = offered.first.said
    moved = [p for p, v in setting.said.items() if v != first.get(p, offered.now(p))]
    studies = {"": offered.study(setting, setting.most, replications)}
    for path in moved[:MOST_MOVES]:
        back = {**setting.said, path: first.get(path, offered.now(path))}
        study = offered.study(Setting(setting.most, back), setting.most, replications)
        try:
            _ = study.base
        except ScenarioError:
            continue
        studies[path] = study
    if len(studies) == 1:
        return {}
    points = [
        Point(i, path, {SIZE: setting.most}, None, "", study.base)
        for i, (path, study) in enumerate(studies.items())
    ]
    rows = run_points(points, [SIZE], progress=progress).to_pandas()
    now = rows[rows["point"] == 0]
    is_priced = is_cost_known(points[0].scenario)
    return {
        point.name: _effect(rows[rows["point"] == point.index], now, is_priced)
        for point in points[1:]
    }


def _effect(before: pd.DataFrame, now: pd.DataFrame, is_priced: bool) -> str:
    return f"{_change('makespan_s', 'time', before, now)}, " + (
        _change("cost_usd", "cost", before, now) if is_priced else "cost unknown"
    )


def _change(metric: str, name: str, before: pd.DataFrame, now: pd.DataFrame) -> str:
    """Say how a metric until success has changed, as far as the paired runs tell."""
    after, done = (now[each].to_numpy(dtype=float) for each in (metric, "success"))
    spent, before_done = (before[each].to_numpy(dtype=float) for each in (metric, "success"))
    if not spent.any():
        return f"{name} from 0" if after.any() else f"{name} the same"
    ratio = ratio_to_success(after, done, spent, before_done)
    if ratio.low == ratio.high == 1.0:
        return f"{name} the same"
    if not ratio.estimate < float("inf"):
        return f"{name} not known"
    change = f"{name} {percent(ratio.estimate - 1.0, is_change=True)}"
    return change if ratio.low > 1.0 or ratio.high < 1.0 else f"{change} (not resolved)"


def summary(found: Drawn) -> str:
    """Return what the largest team does, in a line."""
    row = found.curves.iloc[-1]
    finished, runs = int(row["finished"]), int(row["runs"])
    said = [f"{_amount(row, 'makespan_s')} s" if finished else "time not known"]
    said.append(f"{_amount(row, 'cost_usd')} dollars" if found.is_priced else "cost unknown")
    said.append(f"{percent(row['quality'])} right")
    if finished < runs:
        said.append(runs_finished(finished, runs))
    rough = "" if finished and found.replications > 4 else " (rough)"
    return f"{int(row['x'])} agents: {', '.join(said)}; {runs} replications{rough}"


def _amount(row: Any, metric: str) -> str:
    around = Interval(row[metric], row[f"{metric}_low"], row[f"{metric}_high"])
    if not math.isfinite(around.high):
        return four_figures(around.estimate)
    ends = f"{four_figures(around.low)} to {four_figures(around.high)}"
    return f"{four_figures(around.estimate)} ({ends})"
