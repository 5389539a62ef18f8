"""Holds teams beside each other: ratios and differences of what they take, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from analysis.statistics.completion import UNKNOWN, ratio_to_success, to_success
from analysis.statistics.curves import with_derived
from analysis.statistics.expectations import two_digits
from analysis.statistics.intervals import (
    Interval,
    difference_of_shares_interval,
    proportion_interval,
)
from simulator.errors import TeamsimError
from simulator.scenario.costs import MONEY

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
Verdict = Literal["less", "more", "not resolved", "same", "unknown"]

SPENT = ("makespan_s", "cost_usd", "tokens")
"""What a team takes until success, compared as ratios."""

SHARES = ("success", "quality")
"""Shares of runs and of tasks, compared as differences."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric of a team beside that of the reference."""

    metric: str
    value: Interval
    """Of the team: the mean until success of `SPENT`, the mean of `SHARES`."""
    reference: Interval
    change: Interval
    """Of `SPENT`, the share by which the team takes more (0.12: 12 % more); of `SHARES`, the
    difference. Unknown if either never finished. The ends are NaN if all runs are the same: what
    none of them has shown, as a rare fault, may make others differ by any amount."""
    verdict: Verdict
    """Whether the interval of the change lies wholly below 0, wholly above it, or around it;
    ``same`` if all runs are the same."""
    needed: int | None
    """Replications that would resolve the change that was found; None if it is resolved, or if
    there is none."""


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Teams beside the first of them.

    Attributes
    ----------
    reference : str
    comparisons : mapping of str to sequence of Comparison
        Of each other team.
    replications : mapping of str to int
        Runs of each other team that were compared with as many of the reference.
    finished : mapping of str to int
        Runs that finished, of those; the reference among them.
    confidence : float
        Coverage of the changes of one metric of all teams together.
    """

    reference: str
    comparisons: Mapping[str, Sequence[Comparison]]
    replications: Mapping[str, int]
    finished: Mapping[str, int]
    confidence: float


def compare(
    teams: Mapping[str, pd.DataFrame],
    has_price: Mapping[str, bool] | None = None,
    confidence: float = 0.95,
) -> SideBySide:
    """Compare teams with the first of them, replication by replication.

    Rows are paired by their ``replication``. With common random numbers the two of a pair are
    alike, which narrows the intervals; without, they are as wide as those of independent runs
    (Law 2015, section 10.2.1). If there are k other teams, each interval of a change has the
    coverage ``1 - (1 - confidence) / k``, so that those of a metric hold together (Bonferroni).
    If some run of any team did not finish, the others may fail too, though none of their runs did
    (see `analysis.statistics.completion.ratio_to_success`).

    Parameters
    ----------
    teams : mapping of str to DataFrame
        A row a replication, with ``replication`` and the columns of
        `simulator.model.metrics.Metrics`.
    has_price : mapping of str to bool, optional
        Whether it is known what a team costs; assumed when absent.
    confidence : float

    Raises
    ------
    TeamsimError
        If there are fewer than two teams, or fewer than two pairs of runs.
    """
    names = list(teams)
    if len(names) < 2:
        raise TeamsimError("a comparison is of two teams or more")
    first, each = names[0], 1.0 - (1.0 - confidence) / (len(names) - 1)
    comparisons, replications = {}, {}
    finished = {first: int(teams[first]["success"].sum())}
    may_fail = not all(rows["success"].all() for rows in teams.values())
    for name in names[1:]:
        alone, team = paired(teams[first], teams[name])
        if len(alone) < 2:
            raise TeamsimError(
                f"{first} and {name} have {len(alone)} replications in common: at least 2 are "
                "needed"
            )
        priced = (True, True) if has_price is None else (has_price[first], has_price[name])
        comparisons[name] = [
            _spent(metric, alone, team, each, may_fail, priced if metric in MONEY else (True, True))
            for metric in SPENT
        ] + [_share(metric, alone, team, each) for metric in SHARES]
        replications[name] = len(alone)
        finished[name] = int(team["success"].sum())
    return SideBySide(first, comparisons, replications, finished, confidence)


def paired(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of the replications that both have, in the same order."""
    one, other = (with_derived(rows).set_index("replication") for rows in (first, second))
    common = one.index.intersection(other.index)
    return one.loc[common], other.loc[common]


def _spent(
    metric: str,
    alone: pd.DataFrame,
    team: pd.DataFrame,
    confidence: float,
    may_fail: bool,
    are_known: tuple[bool, bool],
) -> Comparison:
    """Compare what two teams have spent; `are_known` is of the first and of the second."""
    (before, alone_done), (after, team_done) = (
        (rows[metric].to_numpy(dtype=np.float64), rows["success"].to_numpy(dtype=np.float64))
        for rows in (alone, team)
    )
    values = (
        to_success(after, team_done) if are_known[1] else UNKNOWN,
        to_success(before, alone_done) if are_known[0] else UNKNOWN,
    )
    if not all(are_known):
        return Comparison(metric, *values, UNKNOWN, "unknown", None)
    if not before.any() and not after.any():
        ratio = Interval(1.0, 1.0, 1.0)
    elif not before.any():
        ratio = UNKNOWN
    else:  # the reference goes below
        ratio = ratio_to_success(after, team_done, before, alone_done, confidence, may_fail)
    change = Interval(ratio.estimate - 1.0, ratio.low - 1.0, ratio.high - 1.0)
    # On the scale of logarithms, where the interval is about as far to both sides.
    needed = _needed([math.log(x) if x > 0.0 else -math.inf for x in
                      (ratio.low, ratio.estimate, ratio.high)], len(alone))  # fmt: skip
    return _compared(metric, *values, change, needed)


def _share(metric: str, alone: pd.DataFrame, team: pd.DataFrame, confidence: float) -> Comparison:
    before, after = (rows[metric].to_numpy(dtype=np.float64) for rows in (alone, team))
    values = proportion_interval(after), proportion_interval(before)
    same = _are_same_runs(alone, team)
    change = (
        Interval(0.0, 0.0, 0.0)
        if same
        else difference_of_shares_interval(after, before, confidence)
    )
    needed = _needed([change.low, change.estimate, change.high], len(alone))
    return _compared(metric, *values, change, needed)


def _are_same_runs(alone: pd.DataFrame, team: pd.DataFrame) -> bool:
    """Return whether the teams did the same in all runs, if at other prices."""
    columns = [each for each in (*SPENT, *SHARES) if each not in MONEY]
    return bool(np.array_equal(alone[columns], team[columns]))


def _compared(
    metric: str, value: Interval, reference: Interval, change: Interval, needed: int | None
) -> Comparison:
    verdict: Verdict = "not resolved"
    if math.isnan(change.estimate):
        verdict = "unknown"
    elif change.low == change.high == 0.0:
        verdict, change = "same", Interval(0.0, math.nan, math.nan)
    elif change.high < 0.0:
        verdict = "less"
    elif change.low > 0.0:
        verdict = "more"
    return Comparison(
        metric, value, reference, change, verdict, needed if verdict == "not resolved" else None
    )


def _needed(ends: Sequence[float], count: int) -> int | None:
    """Return the replications at which 0 lies outside an interval, four times in five.

    Its length goes down with the root of their number; the normal quantiles of 97.5 and 80 % are
    1.96 and 0.84 (see `analysis.statistics.expectations.POWER`).
    """
    low, estimate, high = ends
    reach = estimate - low if estimate > 0.0 else high - estimate
    if not (math.isfinite(reach) and math.isfinite(estimate)) or estimate == 0.0:
        return None
    return two_digits(count * (reach / abs(estimate) * (1.96 + 0.84) / 1.96) ** 2, count + 1)
