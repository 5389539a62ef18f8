"""Probabilities whose logit is normal."""

from __future__ import annotations

import numpy as np

from analysis.statistics.roots import root_between
from simulator import special

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def median_of_logit_normal(mean: float, sigma: float) -> float:
    """Return the median of the probability whose logit is normal and whose mean is `mean`."""
    if sigma == 0.0 or not 0.0 < mean < 1.0:
        return mean

    def excess(centre: float) -> float:
        return float(_WEIGHTS @ special.expit(centre + sigma * _NODES)) - mean

    middle, far = float(special.logit(mean)), 10.0 * sigma
    centre = root_between(excess, middle - far, middle + far)
    return float(special.expit(centre))
