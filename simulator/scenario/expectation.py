"""What a scenario, or ``--expect``, may expect of its runs: ``makespan_s.p95 < 600``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator

from simulator.documents import MOST_NUMBER
from simulator.errors import TeamsimError, unknown_name

Comparison = Literal["<", "<=", ">", ">="]

RATE = "rate"
"""Statistic of ``success``: the share of runs that finished."""

_ROUNDING = 1e-9
"""Share of a bound by which what is computed may miss it: three times 0.1 is more than 0.3."""

_SAME_AS = {"share": RATE, "p50": "median"}
_NAMED = ("mean", "median", "min", "max", "rate", "share")
_FORM = re.compile(r"(?P<name>[^<>=!]*?)\s*(?P<comparison><=|>=|<|>)(?P<bound>[^<>=!]*)")
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,6})?)")
_EXAMPLE = "as in 'makespan_s.p95 < 600'"


@dataclass(frozen=True, slots=True)
class Expectation:
    """A bound of a statistic of a metric over replications."""

    text: str
    """As the user wrote it, but for blanks."""
    metric: str
    statistic: str
    """``mean``, ``median``, ``min``, ``max``, ``rate``, or a percentile such as ``p95``."""
    comparison: Comparison
    bound: float

    @property
    def share(self) -> float | None:
        """The share of runs below a quantile; None if the statistic is none."""
        if self.statistic == "median":
            return 0.5
        return float(self.statistic[1:]) / 100 if _QUANTILE.fullmatch(self.statistic) else None

    def is_on_bound(self, value: float) -> bool:
        """Return whether a value is the bound, but for the rounding errors of sums and means."""
        return math.isclose(value, self.bound, rel_tol=_ROUNDING)

    def holds(self, value: float) -> bool:
        """Return whether a value is on the right side of the bound."""
        if self.is_on_bound(value):
            return self.comparison in ("<=", ">=")
        return value < self.bound if self.wants_less else value > self.bound

    def beyond(self, value: float) -> float:
        """Return how far a value is on the wrong side of the bound, below 0 if on the right one."""
        if self.is_on_bound(value):
            return 0.0
        return value - self.bound if self.wants_less else self.bound - value

    @property
    def wants_less(self) -> bool:
        """Whether smaller values are on the right side."""
        return self.comparison in ("<", "<=")


def metric_in(text: str) -> str:
    """Return the metric that a text names, as far as it has the form of an expectation."""
    found = _FORM.fullmatch(" ".join(text.split()))
    return found["name"].partition(".")[0] if found else ""


def statistic_in(text: str) -> str:
    """Return the statistic that a text names, as far as it has the form of an expectation."""
    found = _FORM.fullmatch(" ".join(text.split()))
    return found["name"].partition(".")[2] if found else ""


def statistic_of(metric: str) -> str:
    """Return the metric with a statistic that it has, for messages."""
    return f"{metric}.{RATE}" if metric == "success" else f"{metric}.mean"


def parse_expectation(text: str, is_known: bool = False) -> Expectation:
    """Return what a text expects; whether there is such a metric is not checked here.

    Parameters
    ----------
    text : str
    is_known : bool
        Whether there is such a metric: messages then show how to write it.

    Raises
    ------
    TeamsimError
        If it is not ``METRIC.STATISTIC COMPARISON NUMBER``.
    """
    said = " ".join(text.split())
    found = _FORM.fullmatch(said)
    if found is None:
        raise TeamsimError(
            f"{said!r}: an expectation is METRIC.STATISTIC, one of < <= > >=, and a number, "
            f"{_EXAMPLE}"
        )
    metric, dot, statistic = found["name"].partition(".")
    if not metric or not dot or not statistic:
        how = f"for example {statistic_of(metric)}" if is_known else f"METRIC.STATISTIC, {_EXAMPLE}"
        raise TeamsimError(f"{said!r}: it does not say which statistic of a metric; write {how}")
    bound = found["bound"].strip()
    return Expectation(
        f"{found['name']} {found['comparison']} {bound}",
        metric,
        _statistic(metric, statistic, said, is_known),
        found["comparison"],  # type: ignore[arg-type]
        _bound(bound, said),
    )


def _statistic(metric: str, name: str, said: str, is_known: bool) -> str:
    quantile = _QUANTILE.fullmatch(name)
    if quantile is None and name not in _NAMED:
        message = unknown_name("statistic", name, (*_NAMED, "p5", "p95", "p99"))
        raise TeamsimError(f"{said!r}: {message}; any percentile between p0 and p100 will do")
    if quantile is not None and not float(quantile[1]) > 0.0:
        raise TeamsimError(f"{said!r}: a percentile is above p0; the least value is 'min'")
    name = _SAME_AS.get(name, name)
    if (metric == "success") != (name == RATE) and not (metric == "success" and name == "mean"):
        if metric == "success":
            raise TeamsimError(
                f"{said!r}: a run succeeds or does not; write success.rate, the share that does"
            )
        if name == RATE:
            instead = f"{metric}.mean" if is_known else "the mean of a metric, as makespan_s.mean"
            raise TeamsimError(f"{said!r}: only success has a rate; write {instead}")
    return RATE if metric == "success" else name


def _bound(text: str, said: str) -> float:
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if not abs(bound) <= MOST_NUMBER:
        raise TeamsimError(
            f"{said!r}: {text!r} is no number up to {MOST_NUMBER:g}; write it without a unit, "
            f"{_EXAMPLE}"
        )
    return bound


def _checked(text: str) -> str:
    try:
        return parse_expectation(text).text
    except TeamsimError as error:
        raise ValueError(str(error)) from None


ExpectationText = Annotated[str, AfterValidator(_checked)]
"""A field of a scenario that holds an expectation."""
