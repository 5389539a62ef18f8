"""A twin beside the observed runs: what was observed, and the interval of the simulated runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.observation.runs import SHARES, answered
from analysis.observation.structure import SINGLE, Structure
from analysis.statistics.ranges import range_of_runs
from simulator.experiment.intervals import student_quantile

LOW, HIGH = 0.1, 0.9
"""Quantiles of an 80 % interval."""

MEASURES: dict[str, tuple[str, str]] = {
    "makespan_s": ("makespan", "s"),
    "cost_usd": ("cost", "USD"),
    "input_tokens": ("input", "tokens"),
    "output_tokens": ("output", "tokens"),
    "calls": ("calls answered", ""),
    "turns": ("turns that ask for tools", ""),
    "tool_calls": ("calls of tools", ""),
    "at_work": ("agents at work", ""),
    **{f"share: {cause}": (f"time: {cause}", "share") for cause in SHARES},
}
"""The measures: name and unit of each column of `analysis.observation.runs.run_table`."""

_WAITS = "agents may wait for each other, and tasks for tasks, otherwise than in the twin"
_CONTEXTS = "contexts may be cleared, compacted or shared otherwise than in the twin"
_ASKED = "runs differ in what they are asked, more than the twin's"
_GAPS = "gaps that the trace does not explain, and the twin does not have"

_REASONS = {
    "makespan_s": _WAITS,
    "cost_usd": _CONTEXTS,
    "input_tokens": _CONTEXTS,
    **dict.fromkeys(("output_tokens", "calls", "turns", "tool_calls"), _ASKED),
    "at_work": "agents may come and go, and the twin's are there throughout",
    "share: model": _WAITS,
    "share: tools": "tools may be called together, or wait, otherwise than in the twin",
    "share: waiting for others": _WAITS,
    "share: people": _GAPS,
    "share: idle": _GAPS,
}
"""Likely reasons why a measure does not fit."""

_CHANCE = "perhaps chance: runs of an exact twin may be as far apart"
"""Reason why a measure does not fit that one run in many has, or one measure of many."""

_FAR = math.log(1.25)
"""Logarithm of the ratio of medians from which a twin does not fit, however wide its interval."""

_OF_MEDIAN = 1.2533
"""Standard error of a median of normal values, over that of their mean."""

_IDLE = 0.1
"""Share of the agents' time without work from which it counts as a reason."""

_ROUNDING = 0.005
"""Share of a value by which an interval may miss it: no printed number shows less."""

_NEAR = 0.02
"""Share of the agents' time by which an interval may miss."""


@dataclass(frozen=True)
class Comparison:
    """A comparison of a twin with the runs it was made of.

    Attributes
    ----------
    table : DataFrame
        A row a measure: ``measure`` (a key of `MEASURES`), ``name, unit``; of the observed runs
        ``observed`` (their median), ``observed_low, observed_high`` (80 % of runs, of fewer than
        nine all: `analysis.statistics.ranges.range_of_runs`);
        ``low, median, high`` of the simulated; ``inside``, the share of observed runs within the
        simulated 80 % interval; ``fits``, whether the observed median lies in it and is not far
        from the simulated one (a quarter and twice its standard error), and ``reason``, the likely
        reason if not. A twin that is exact misses one of its measures in nearly all comparisons
        with a single run, and in three of five with three runs: no other reason is given where
        chance alone explains a miss of one of all measures in 5 % of comparisons or more.
    runs : int
        Number of observed runs.
    replications : int
    """

    table: pd.DataFrame
    runs: int
    replications: int

    @property
    def misfits(self) -> pd.DataFrame:
        """The measures that do not fit."""
        return self.table[~self.table["fits"]]


def compare(
    observed: pd.DataFrame, simulated: pd.DataFrame, structure: Structure, has_tool_rows: bool
) -> Comparison:
    """Compare observed runs and simulated ones.

    Parameters
    ----------
    observed, simulated : DataFrame
        From `analysis.observation.runs.run_table`.
    structure : Structure
    has_tool_rows : bool
        Whether the trace has rows of tools.
    """
    rows: list[dict[str, Any]] = []
    by_chance = set[str]()
    # An attempt that fails is a row of its own in a trace, and a part of a call in the twin.
    observed, simulated = (each.assign(calls=answered(each)) for each in (observed, simulated))
    for measure, (name, unit) in MEASURES.items():
        real = observed[measure].dropna().to_numpy(dtype=float)
        made = simulated[measure].dropna().to_numpy(dtype=float)
        if not len(real) or not len(made) or not (real.any() or made.any()):
            continue
        if measure == "tool_calls" and not has_tool_rows:
            continue
        low, middle, high = np.quantile(made, [LOW, 0.5, HIGH])
        (real_low, real_high), seen = range_of_runs(real), float(np.median(real))
        slack = _NEAR if unit == "share" else _ROUNDING * abs(seen)
        rows.append(
            {
                "measure": measure, "name": name, "unit": unit,
                "observed": seen, "observed_low": real_low, "observed_high": real_high,
                "low": low, "median": middle, "high": high,
                "inside": float(((real >= low - slack) & (real <= high + slack)).mean()),
                "fits": bool(low - slack <= seen <= high + slack)
                and not (unit != "share" and _is_far(real, middle)),
            }
        )  # fmt: skip
        if not rows[-1]["fits"] and _may_be_chance(real, made, unit):
            by_chance.add(measure)
    table = pd.DataFrame(rows)
    table["reason"] = [
        ""
        if row["fits"]
        else _CHANCE
        if row["measure"] in by_chance
        else _reason(row["measure"], row["observed"] > row["high"], rows, structure)
        for row in rows
    ]
    return Comparison(table, len(observed), len(simulated))


def _may_be_chance(real: npt.NDArray[np.float64], made: npt.NDArray[np.float64], unit: str) -> bool:
    """Return whether runs like the simulated ones may have a median as far from theirs.

    By Student's t, for all measures together (Bonferroni).
    """
    if len(made) < 2:
        return True
    if unit != "share" and min(real.min(), made.min()) > 0.0:
        real, made = np.log(real), np.log(made)
    of_runs = (1.0 if len(real) < 3 else _OF_MEDIAN**2) / len(real)
    error = float(made.std(ddof=1)) * math.sqrt(of_runs + _OF_MEDIAN**2 / len(made))
    most = student_quantile(1.0 - 0.025 / len(MEASURES), len(made) - 1) * error
    return bool(abs(np.median(real) - np.median(made)) <= most)


def _is_far(real: npt.NDArray[np.float64], simulated: float) -> bool:
    """Return whether the simulated median is farther from the observed than chance explains."""
    seen = float(np.median(real))
    if seen <= 0.0 or simulated <= 0.0:
        return False
    logs = np.log(real[real > 0.0])
    error = _OF_MEDIAN * float(logs.std(ddof=1)) / len(logs) ** 0.5 if len(logs) > 1 else 0.0
    return abs(math.log(simulated / seen)) > _FAR + 2.0 * error


def _reason(
    measure: str, is_more: bool, rows: Sequence[Mapping[str, Any]], structure: Structure
) -> str:
    """Return the likely reason why a measure does not fit."""
    seen = {row["measure"]: float(row["observed"]) for row in rows}
    idle = seen.get("share: idle", 0.0)
    if measure == "makespan_s" and is_more and idle > _IDLE and structure.kind != SINGLE:
        return "gaps between operations, which a team's twin does not have"
    if measure == "share: model" and "share: tools" in seen:
        return "the rest of the time went elsewhere: see the other shares"
    return _REASONS[measure]
