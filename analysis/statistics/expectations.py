"""Holds runs against what is expected of them, with the uncertainty of so many replications."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from analysis.statistics.completion import quantile_to_finish, time_to_success
from analysis.statistics.curves import NUMBERS, TIMES, TO_SUCCESS, estimate_of, with_derived
from analysis.statistics.intervals import (
    SHARE_METRICS,
    Interval,
    mean_interval,
    proportion_interval,
    quantile_interval,
    replications_for_quantile,
)
from analysis.statistics.unseen import most_unseen
from simulator import special
from simulator.errors import TeamsimError, nearest_name
from simulator.scenario.expectation import (
    RATE,
    Expectation,
    metric_in,
    parse_expectation,
    statistic_in,
    statistic_of,
)

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["met", "failed", "not resolved"]

POWER = 0.8
"""Probability with which as many replications as are advised resolve an expectation, if the
statistic is what was found."""

_MOST = 10**9
"""More replications than anybody makes: an expectation that needs more is as good as on the
bound."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An expectation beside what was found."""

    expectation: Expectation
    found: Interval
    """In the unit of the metric; infinite where it falls among runs that did not finish."""
    verdict: Verdict
    beyond: float
    """Distance of the estimate from the bound; above 0 if it is on the wrong side."""
    needed: int | None
    """Replications that would resolve it (`POWER`); None if it is resolved, or if none would."""
    replications: int
    is_of_equal_values: bool = False
    """Whether it is about a mean of values that are all equal, in runs that otherwise differ: what
    no run has shown, such as a rare event, is not within the interval, whose width is 0."""

    @property
    def is_of_runs_made(self) -> bool:
        """Whether the verdict holds for the runs made, as no number of runs shows the extreme."""
        wants_less = self.expectation.wants_less
        extreme = {"max": wants_less, "min": not wants_less}.get(self.expectation.statistic, False)
        return extreme and self.verdict == "met"

    def is_wrong(self, strict: bool = False) -> bool:
        """Return whether the expectation failed or, if `strict`, is not resolved."""
        return self.verdict == "failed" or (strict and self.verdict == "not resolved")

    @property
    def unseen(self) -> float:
        """Most that the share of further runs can be that are not like the runs made (95 %).

        They are beyond a least or greatest value, or differ from values that are all equal.
        """
        return most_unseen(self.replications)


def expectations_in(texts: Iterable[str]) -> list[Expectation]:
    """Return what texts expect, each checked.

    Raises
    ------
    TeamsimError
        If one is not as `simulator.scenario.expectation.parse_expectation` wants it, or if there is
        no such metric. The message is about all that are wrong, a line each.
    """
    found, wrong, is_listed = [], [], False
    for text in dict.fromkeys(texts):
        try:
            metric = metric_in(text)
            if metric and metric.removesuffix(TO_SUCCESS) not in NUMBERS:
                names = "" if is_listed else f" (allowed: {', '.join(sorted(NUMBERS))})"
                is_listed = True
                raise TeamsimError(f"{_unknown_metric(metric, text)}{names}")
            expectation = parse_expectation(text, is_known=bool(metric))
            _check_spent(expectation)
            _check_range(expectation)
            found.append(expectation)
        except TeamsimError as error:
            wrong.append(f"expect: {error}")
    if wrong:
        raise TeamsimError("\n".join(wrong))
    return found


def _unknown_metric(metric: str, text: str) -> str:
    """Return the message; it shows the same statistic of the nearest metric, if that has it."""
    nearest = nearest_name(metric, NUMBERS)
    said = " ".join(text.split())
    hint = f"; did you mean {_with_statistic(nearest, said)!r}?" if nearest else ""
    return f"{said!r}: unknown metric {metric!r}{hint}"


def _with_statistic(metric: str, text: str) -> str:
    said = f"{metric}.{statistic_in(text)}"
    try:
        _check_spent(parse_expectation(f"{said} < 1", is_known=True))
    except TeamsimError:
        return statistic_of(metric)
    return said


def _check_spent(expectation: Expectation) -> None:
    metric = expectation.metric
    if metric.endswith(TO_SUCCESS) and expectation.statistic != "mean":
        raise TeamsimError(
            f"{expectation.text!r}: what is spent until success has a mean only: {metric}.mean"
        )


def _check_range(expectation: Expectation) -> None:
    """Refuse what no run can be, as no metric is below 0, and what is more than a share can be."""
    bound, is_share = expectation.bound, expectation.metric in SHARE_METRICS
    most = 1.0 if is_share else math.inf
    if bound > most or not (expectation.holds(0.0) or expectation.holds(most)):
        range_ = "a share, from 0 to 1" if is_share else "never below 0"
        hint = f"; {bound:g} % is {bound / 100:g}" if is_share and 1.0 < bound <= 100.0 else ""
        raise TeamsimError(f"{expectation.text!r}: {expectation.metric} is {range_}{hint}")


def judge(
    rows: pd.DataFrame, expectations: Sequence[Expectation], confidence: float = 0.95
) -> list[Finding]:
    """Hold runs against expectations.

    An expectation is met if the interval of its statistic lies wholly on the right side of the
    bound, failed if it lies wholly on the wrong side, and else not resolved. So each verdict
    ``met`` or ``failed`` is wrong in at most ``1 - confidence`` of cases, for itself; for several
    together see `chance_of_failing`. Where values are very skewed it is more often: of means of ten
    lognormal values with sigma 1, ``met`` is wrong in 9 % if the truth is on the bound. And of a
    mean of values that are all equal (`Finding.is_of_equal_values`) it may be wrong whenever an
    event is too rare for so few runs.

    Parameters
    ----------
    rows : DataFrame
        A row a replication, columns as `simulator.model.metrics.Metrics`.
    expectations : sequence of Expectation
    confidence : float
        Coverage of each interval.

    Returns
    -------
    list of Finding
        In the order of the expectations.

    Notes
    -----
    How long a run takes that did not finish is not known: quantiles and the greatest value count it
    as longer than all others; the mean is the time to success; the least value is that of runs that
    finished. Other metrics are of runs as they ended. ``min`` and ``max`` have no interval.
    """
    rows = with_derived(rows)
    return [_judged(rows, each, confidence) for each in expectations]


def chance_of_failing(expectations: int, confidence: float = 0.95) -> float:
    """Return the most often that, of expectations that all hold, one or more seem to fail.

    Each fails wrongly with half of ``1 - confidence`` if the truth is on its bound (Bonferroni).
    That all are met is no less sure than that one is: it is wrong only if one that does not hold
    is met wrongly (an intersection-union test; Berger 1982).

    Parameters
    ----------
    expectations : int
    confidence : float
        Coverage of each interval.
    """
    return min(1.0, expectations * (1.0 - confidence) / 2.0)


def _judged(rows: pd.DataFrame, expectation: Expectation, confidence: float) -> Finding:
    found = _interval(rows, expectation, confidence)
    ends = [expectation.holds(end) for end in (found.low, found.high)]
    verdict: Verdict = "not resolved"
    if not math.isnan(found.estimate):
        verdict = "met" if all(ends) else "not resolved" if any(ends) else "failed"
    beyond, needed = expectation.beyond(found.estimate), None
    if verdict == "not resolved":
        needed = _needed(rows, expectation, found, confidence)
    equal = expectation.statistic == "mean" and found.low == found.high and _differ(rows)
    return Finding(expectation, found, verdict, beyond, needed, len(rows), equal)


def _differ(rows: pd.DataFrame) -> bool:
    """Return whether the runs differ in any number."""
    return any(rows[name].nunique() > 1 for name in NUMBERS if name in rows)


def _interval(rows: pd.DataFrame, expectation: Expectation, confidence: float) -> Interval:
    metric, share = expectation.metric, expectation.share
    finished = rows["success"].to_numpy(dtype=bool)
    if expectation.statistic == RATE:
        return proportion_interval(finished, confidence)
    if expectation.statistic == "mean":
        found = estimate_of(rows, metric, confidence)
        if math.isnan(found.estimate):
            return _never_finished(rows[metric.removesuffix(TO_SUCCESS)], confidence)
        return found
    values = rows[metric].to_numpy(dtype=np.float64)
    if share is not None and metric in TIMES:
        return quantile_to_finish(values, finished, share, confidence)
    if share is not None:
        return quantile_interval(values, share, confidence)
    seen = _as_long_as_known(values, finished) if metric in TIMES else values
    value = float(seen.min() if expectation.statistic == "min" else seen.max())
    return Interval(value, value, value)


def _as_long_as_known(
    values: npt.NDArray[np.float64], finished: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    return np.where(finished, values, math.inf)


def _never_finished(spent: pd.Series[float], confidence: float) -> Interval:
    """Return what success takes if no run finished: more than a bound.

    It is the mean of a run over the share that finishes. The one is above the lower end of its
    interval and the other below the upper end of its own, each but for half of what may fail.
    """
    mean = mean_interval(spent, confidence)
    share = proportion_interval(np.zeros(len(spent)), confidence)
    return Interval(math.inf, max(0.0, mean.low) / share.high, math.inf)


def _needed(
    rows: pd.DataFrame, expectation: Expectation, found: Interval, confidence: float
) -> int | None:
    """Return how many replications would resolve an expectation, if all stays as it was found."""
    count, share = len(rows), expectation.share
    if count == 1:
        return None  # one run does not show how far the next may be from it
    if share is not None:
        return _needed_for_quantile(rows, expectation, share, confidence)
    gap = abs(found.estimate - expectation.bound)
    if expectation.is_on_bound(found.estimate):
        return None
    end = found.low if expectation.bound < found.estimate else found.high
    if not math.isfinite(end):
        return max(20, 2 * count)
    if _is_at_an_edge(rows, expectation, found.estimate):
        # One trial more of the same shows as much as the one before: the end is a power of it.
        room = found.estimate if expectation.bound < found.estimate else 1.0 - found.estimate
        return _rounded(math.log((1.0 - confidence) / 2) / math.log1p(-gap / room), count)
    z, z_power = _normal_quantiles(confidence)
    width = abs(end - found.estimate) * (z + z_power) / z
    return _rounded(count * (width / gap) ** 2, count)


def _normal_quantiles(confidence: float) -> tuple[float, float]:
    """Return the normal quantiles of an interval's coverage and of `POWER`."""
    return float(special.ndtri(0.5 + confidence / 2)), float(special.ndtri(POWER))


def _is_at_an_edge(rows: pd.DataFrame, expectation: Expectation, estimate: float) -> bool:
    """Return whether all values of a share are alike."""
    if expectation.statistic == RATE:
        return estimate in (0.0, 1.0)
    return expectation.metric in SHARE_METRICS and rows[expectation.metric].nunique() == 1


def _needed_for_quantile(
    rows: pd.DataFrame, expectation: Expectation, share: float, confidence: float
) -> int | None:
    """Return the replications at which the ranks of the interval lie on one side of the bound.

    It is the size of a test of whether the share of runs up to the bound is that of the quantile.
    """
    values = rows[expectation.metric].to_numpy(dtype=np.float64)
    if expectation.metric in TIMES:
        values = _as_long_as_known(values, rows["success"].to_numpy(dtype=bool))
    bound, is_on_bound = expectation.bound, expectation.is_on_bound
    below = float(np.mean([each < bound or is_on_bound(each) for each in values.tolist()]))
    if below == share:
        return None
    if below in (0.0, 1.0):  # and the interval ends at the least or the greatest value
        beyond = share if below == 1.0 else 1.0 - share
        return _rounded(math.log((1.0 - confidence) / 2) / math.log(beyond), len(values))
    z, z_power = _normal_quantiles(confidence)
    spread = z * math.sqrt(share * (1.0 - share)) + z_power * math.sqrt(below * (1.0 - below))
    needed = max((spread / (below - share)) ** 2, replications_for_quantile(share, confidence))
    return _rounded(needed, len(values))


def _rounded(needed: float, count: int) -> int | None:
    return two_digits(needed, count + max(1, count // 10))


def two_digits(needed: float, least: int) -> int | None:
    """Return a number of replications, at least `least`, rounded up to two digits.

    It is None if nobody makes so many.
    """
    if not needed < _MOST:
        return None
    whole = max(math.ceil(needed), least)
    unit = int(10 ** max(0, len(str(whole)) - 2))
    return -(-whole // unit) * unit


def how_unfinished_count(rows: pd.DataFrame, findings: Sequence[Finding]) -> str:
    """Return how runs that did not finish count in findings; nothing if all finished."""
    finished = rows["success"].astype(bool)
    if finished.all():
        return ""
    said = f"{int((~finished).sum()):,} of {len(rows):,} runs did not finish. "
    if not any(_is_a_time(each.expectation) for each in findings):
        return said + "What is expected here is of runs as they ended."
    time = time_to_success(rows)
    mean = f" ({time.estimate:,.4g} s)" if math.isfinite(time.estimate) else ""
    return (
        said + "How long they would have taken is not known: percentiles, median and max count "
        f"them as never, min leaves them out, and a mean is the time to success{mean}, failed "
        "runs started again."
    )


def _is_a_time(expectation: Expectation) -> bool:
    return expectation.metric in TIMES or expectation.metric.endswith(TO_SUCCESS)
