"""How well a law fits: distances of its probabilities of the values from the uniform law."""

from __future__ import annotations

import numpy as np

from simulator.distributions import Floats


def kolmogorov_smirnov(probabilities: Floats) -> float:
    """Return the largest distance of sorted probabilities from the uniform law."""
    n = len(probabilities)
    above = np.arange(1.0, n + 1.0) / n - probabilities
    return float(max(above.max(), (probabilities - np.arange(0.0, n) / n).max()))


def anderson_darling(probabilities: Floats) -> float:
    """Return A^2 of sorted probabilities against the uniform (Anderson & Darling 1954)."""
    u = np.clip(probabilities, 1e-12, 1.0 - 1e-12)
    n = len(u)
    i = np.arange(1, n + 1)
    return float(-n - np.mean((2 * i - 1) * (np.log(u) + np.log1p(-u[::-1]))))
