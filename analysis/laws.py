"""Laws of speed-up and overhead, to hold against what was simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

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


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """``y = scale * n ** exponent``, with a confidence interval of the exponent."""

    scale: float
    exponent: float
    low: float
    high: float

    def __call__(self, n: npt.ArrayLike) -> Floats:
        """Return y at `n` (any shape)."""
        return self.scale * np.asarray(n, dtype=np.float64) ** self.exponent


def fit_power_law(n: npt.ArrayLike, y: npt.ArrayLike, confidence: float = 0.95) -> PowerLaw:
    """Fit a power law by least squares on log-log axes.

    Parameters
    ----------
    n, y : array_like, shape (points,)
        Positive; at least two different `n`.
    confidence : float
        Coverage of the exponent's interval (zero width for an exact fit; infinite for
        two points, which leave no residual).

    Raises
    ------
    ValueError
        If fewer than two different `n` have positive `y`.
    """
    x, z = np.asarray(n, dtype=np.float64), np.asarray(y, dtype=np.float64)
    usable = (x > 0) & (z > 0)
    x, z = np.log(x[usable]), np.log(z[usable])
    if len(np.unique(x)) < 2:
        raise ValueError("a power law needs positive values at two different n")
    line = stats.linregress(x, z)
    free = len(x) - 2
    half = stats.t.ppf(0.5 + confidence / 2, free) * line.stderr if free else np.inf
    slope = float(line.slope)
    return PowerLaw(float(np.exp(line.intercept)), slope, slope - half, slope + half)
