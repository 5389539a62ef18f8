"""Laws of speed-up, growth and overhead, to compare with simulated results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from analysis.statistics.least_squares import Array
from simulator.distributions import Floats


def amdahl_speedup(n: npt.ArrayLike, parallel_fraction: float) -> Floats:
    """Return Amdahl's speed-up ``1 / ((1 - p) + p / n)``.

    Parameters
    ----------
    n : array_like, any shape
        Number of agents, at least 1.
    parallel_fraction : float
        p, 0 to 1.

    Returns
    -------
    ndarray, shape of `n`

    Notes
    -----
    Amdahl (1967). It bounds work that is a serial part *followed by* a part that divides
    perfectly. A DAG can beat it, since its chain may overlap with the rest.
    """
    agents = np.asarray(n, dtype=np.float64)
    return 1.0 / ((1.0 - parallel_fraction) + parallel_fraction / agents)


def gustafson_speedup(n: npt.ArrayLike, parallel_fraction: float) -> Floats:
    """Return Gustafson's scaled speed-up ``n - (1 - p) (n - 1)`` (Gustafson 1988).

    The parallel part of the work grows with `n`, its time does not.

    Parameters
    ----------
    n : array_like, any shape
    parallel_fraction : float
        p, 0 to 1.
    """
    agents = np.asarray(n, dtype=np.float64)
    return agents - (1.0 - parallel_fraction) * (agents - 1.0)


def usl_speedup(n: npt.ArrayLike, contention: float, coherency: float) -> Floats:
    """Return the Universal Scalability Law ``n / (1 + sigma (n - 1) + kappa n (n - 1))``.

    Parameters
    ----------
    n : array_like, any shape
    contention : float
        sigma: the share of the work that is done one after another.
    coherency : float
        kappa: the cost of agreement for each pair of agents.

    Notes
    -----
    Gunther, "Guerrilla Capacity Planning" (2007), chapter 4.
    """
    agents = np.asarray(n, dtype=np.float64)
    return agents / (1.0 + contention * (agents - 1.0) + coherency * agents * (agents - 1.0))


def usl_peak(contention: float, coherency: float) -> float:
    """Return the n at which the USL is largest, ``sqrt((1 - sigma) / kappa)``; may be infinite."""
    return math.inf if coherency <= 0.0 else math.sqrt(max(0.0, 1.0 - contention) / coherency)


def channels(n: npt.ArrayLike) -> Floats:
    """Return the pairs that can talk, ``n (n - 1) / 2`` (Brooks 1975)."""
    agents = np.asarray(n, dtype=np.float64)
    return agents * (agents - 1.0) / 2.0


def logistic(n: npt.ArrayLike, ceiling: float, rate: float, midpoint: float) -> Floats:
    """Return logistic growth ``K / (1 + exp(-r (n - m)))`` (Verhulst 1845)."""
    agents = np.asarray(n, dtype=np.float64)
    return ceiling / (1.0 + np.exp(-rate * (agents - midpoint)))


@dataclass(frozen=True)
class Law:
    """A curve with parameters to be fitted.

    Attributes
    ----------
    name : str
    formula : str
        The formula, as text.
    curve : callable
        ``curve(n, *parameters)``.
    start : mapping of str to callable
        First guess of each parameter from the data, in the order of `curve`.
    bounds : mapping of str to (float, float)
        Bounds of the parameters that have any.
    """

    name: str
    formula: str
    curve: Callable[..., Floats]
    start: Mapping[str, Callable[[Array, Array], float]]
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def _of_one(n: Array, y: Array) -> float:
    """Guess the value at one agent from the smallest team."""
    first = int(np.argmin(n))
    return float(y[first] / n[first])


def _slope(n: Array, y: Array) -> float:
    positive = (n > 0) & (y > 0)
    if len(np.unique(n[positive])) < 2:
        return 1.0
    return float(np.polyfit(np.log(n[positive]), np.log(y[positive]), 1)[0])


LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law(
            "amdahl",
            "scale / ((1 - p) + p / n)",
            lambda n, scale, p: scale * amdahl_speedup(n, p),
            {"scale": _of_one, "p": lambda n, y: 0.9},
            {"p": (0.0, 1.0), "scale": (0.0, np.inf)},
        ),
        Law(
            "gustafson",
            "scale (n - (1 - p) (n - 1))",
            lambda n, scale, p: scale * gustafson_speedup(n, p),
            {"scale": _of_one, "p": lambda n, y: 0.5},
            {"p": (0.0, 1.0), "scale": (0.0, np.inf)},
        ),
        Law(
            "usl",
            "scale n / (1 + sigma (n - 1) + kappa n (n - 1))",
            lambda n, scale, sigma, kappa: scale * usl_speedup(n, sigma, kappa),
            {"scale": _of_one, "sigma": lambda n, y: 0.05, "kappa": lambda n, y: 1e-3},
            {"sigma": (0.0, 1.0), "kappa": (0.0, np.inf), "scale": (0.0, np.inf)},
        ),
        Law(
            "power",
            "scale n^exponent",
            lambda n, scale, exponent: scale * n**exponent,
            {"scale": lambda n, y: float(y[int(np.argmin(n))]), "exponent": _slope},
        ),
        Law(
            "channels",
            "base + each n (n - 1) / 2",
            lambda n, base, each: base + each * channels(n),
            {
                "base": lambda n, y: float(y[int(np.argmin(n))]),
                "each": lambda n, y: float(np.ptp(y) / max(1.0, np.ptp(channels(n)))),
            },
        ),
        Law(
            "logistic",
            "ceiling / (1 + exp(-rate (n - midpoint)))",
            logistic,
            {
                "ceiling": lambda n, y: float(y.max()),
                "rate": lambda n, y: 4.0 / max(1.0, float(np.ptp(n))),
                "midpoint": lambda n, y: float(np.median(n)),
            },
        ),
    )
}
"""Every law, by name. `scale` is the value for one agent: 1 for a speed-up, if not fitted."""
