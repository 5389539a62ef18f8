"""What a row is: what is asked, how it is found by simulation, and how near is near enough."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

RESOLVES = 2.5
"""Standard errors that fit into an allowance, at least. A right simulator is then refused in 1 %
of cases (once, when a seed is chosen), and one that is wrong by twice the allowance passes in
0.6 %."""


@dataclass(frozen=True)
class Found:
    """A value found by simulation.

    Attributes
    ----------
    value : float
    error : float
        Its standard error; 0 if there is no chance in it. That of few replications is larger by
        as much as the t distribution is wider (`wider`), so that it holds what many would.
    """

    value: float
    error: float = 0.0


@dataclass(frozen=True)
class Tolerance:
    """How near to the asked value the found one must be; without limits, equal to it.

    Attributes
    ----------
    share : float
        Largest distance as a share of the asked value.
    absolute : float
        Largest distance, where that is more.
    z : float or None
        Largest distance in standard errors.

    The standard error must be small beside the allowance (`RESOLVES`).
    """

    share: float = 0.0
    absolute: float = 0.0
    z: float | None = None

    def holds(self, asked: float, found: Found) -> bool:
        """Return whether `found` is near enough."""
        allowed = max(self.share * abs(asked), self.absolute)
        distance = abs(found.value - asked)
        if allowed and found.error * RESOLVES > allowed * (1 + 1e-9):
            return False
        if allowed:
            near = distance <= allowed
        else:
            near = self.z is not None or math.isclose(found.value, asked, rel_tol=1e-9)
        return near and (self.z is None or distance <= self.z * found.error + 1e-12)

    def __str__(self) -> str:
        """Say it."""
        limits = []
        if self.share:
            limits.append(f"{100 * self.share:g} %")
        if self.absolute:
            limits.append(f"{self.absolute:g}")
        said = [" or ".join(limits)] if limits else []
        if self.z is not None:
            said.append(f"{self.z:g} standard errors")
        return " and ".join(said) or "exact"


@dataclass(frozen=True)
class Above:
    """The found value is above the asked one by so many standard errors: for orders."""

    z: float = 4.0

    def holds(self, asked: float, found: Found) -> bool:
        """Return whether it is."""
        return found.value - asked > self.z * found.error

    def __str__(self) -> str:
        """Say it."""
        return f"above, by {self.z:g} standard errors"


@dataclass(frozen=True)
class Below:
    """The found value is below the asked one by so many standard errors."""

    z: float = 4.0

    def holds(self, asked: float, found: Found) -> bool:
        """Return whether it is."""
        return asked - found.value > self.z * found.error

    def __str__(self) -> str:
        """Say it."""
        return f"below, by {self.z:g} standard errors"


@dataclass(frozen=True)
class Between:
    """The found value lies between two, and so does what it may be: for orders of magnitude.

    A value that lies on one of the bounds itself is held in 0.6 % of cases.
    """

    low: float
    high: float
    z: float = RESOLVES

    def holds(self, asked: float, found: Found) -> bool:
        """Return whether it does, with so many standard errors on both sides."""
        reach = self.z * found.error
        return self.low <= found.value - reach and found.value + reach <= self.high

    def __str__(self) -> str:
        """Say it."""
        return f"between {self.low:g} and {self.high:g}, by {self.z:g} standard errors"


EXACT = Tolerance()
ONE_PERCENT = Tolerance(share=0.01, z=4.0)
THREE_PERCENT = Tolerance(share=0.03, z=4.0)
CHANCE = Tolerance(z=4.0)
"""Within four standard errors, where a share of the asked value would be too small to resolve."""


Near = Tolerance | Above | Below | Between


@dataclass(frozen=True)
class Case:
    """One value of a row.

    Attributes
    ----------
    name : str
        What distinguishes it from the others of its row.
    asked : float
    args : tuple
        What the measuring function is given.
    slow : bool
        Whether it takes more than a second or two.
    tolerance : Tolerance or Above or Below or Between, optional
        Where it is not the row's: published values have intervals of their own.
    thorough : bool
        Whether the row's other cases show as much for less: CI then leaves it out, and
        `make test-all` and `make validation` do not.
    """

    name: str
    asked: float
    args: tuple[Any, ...] = ()
    slow: bool = False
    tolerance: Near | None = None
    thorough: bool = False


@dataclass(frozen=True)
class Row:
    """A law or a published result.

    Attributes
    ----------
    key : str
        Short name, unique, as part of the tests' names.
    name, law, source : str
        What it is about, what is asked, and who says so.
    tolerance : Tolerance or Above or Below or Between
    measure : callable
        Runs the simulator and returns what it finds, from the arguments of a case.
    cases : sequence of Case
    note : str
        What a reader of the numbers should know.
    not_reached : str
        Why the model does not reach the values, if it does not. The test then asserts that it
        does not.
    thorough : bool
        Whether its cases are run in `make test-all` only: other rows or tests show as much for
        less, or they need many runs of teams.
    """

    key: str
    name: str
    law: str
    source: str
    measure: Callable[..., Found]
    cases: Sequence[Case]
    tolerance: Near = EXACT
    note: str = ""
    not_reached: str = ""
    thorough: bool = False

    def tolerance_of(self, case: Case) -> Near:
        """Return how near the value of a case must be."""
        return case.tolerance or self.tolerance

    def holds(self, case: Case, found: Found) -> bool:
        """Return whether a value is near enough."""
        return self.tolerance_of(case).holds(case.asked, found)

    def test_id(self, case: Case) -> str:
        """Return the name of a case's test."""
        words = re.sub(r"[^A-Za-z0-9.]+", "-", case.name).strip("-")
        return f"{self.key}-{words}" if words else self.key


@functools.cache
def wider(degrees: int) -> float:
    """Return how much wider the t distribution is than the normal one, `RESOLVES` errors out."""
    return float(stats.t.isf(stats.norm.sf(RESOLVES), degrees) / RESOLVES)


def mean(values: Iterable[float]) -> Found:
    """Return the mean of independent values."""
    sample = np.asarray(list(values), dtype=float)
    error = sample.std(ddof=1) / math.sqrt(len(sample))
    return Found(float(sample.mean()), float(error) * wider(len(sample) - 1))


def share(hits: float, trials: int) -> Found:
    """Return a share of independent trials; the error is that of one hit and one miss more."""
    p = (hits + 1) / (trials + 2)
    return Found(hits / trials, math.sqrt(p * (1 - p) / trials))


def quantile(values: Sequence[float] | np.ndarray[Any, Any], q: float) -> Found:
    """Return a quantile of independent values.

    Its error is half the distance of the order statistics one standard deviation away.
    """
    reach = math.sqrt(q * (1 - q) / len(values))
    low, high = np.quantile(values, [q - reach, q + reach])
    return Found(float(np.quantile(values, q)), float(high - low) / 2)


def less(one: Found, other: Found) -> Found:
    """Return the difference of two independent values."""
    return Found(one.value - other.value, math.hypot(one.error, other.error))


def over(one: Found, other: Found) -> Found:
    """Return the ratio of two independent values."""
    value = one.value / other.value
    return Found(value, abs(value) * math.hypot(one.error / one.value, other.error / other.value))


def controlled(
    values: Sequence[float], controls: Sequence[Sequence[float]], expected: Sequence[float]
) -> Found:
    """Return the mean of values where that of others, correlated with them, is known.

    Linear regression on the controls (Lavenberg and Welch 1981, Management Science 27).

    Parameters
    ----------
    values : sequence of float, shape (n,)
        One for each replication.
    controls : sequence of sequences of float, shape (n, k)
    expected : sequence of float, shape (k,)
        Means of the controls.
    """
    y = np.asarray(values, dtype=float)
    design = np.column_stack([np.ones(len(y)), np.asarray(controls) - np.asarray(expected)])
    weights, *_ = np.linalg.lstsq(design, y, rcond=None)
    degrees = len(y) - design.shape[1]
    rest = ((y - design @ weights) ** 2).sum() / degrees
    error = math.sqrt(rest * np.linalg.inv(design.T @ design)[0, 0]) * wider(degrees)
    return Found(float(weights[0]), error)
