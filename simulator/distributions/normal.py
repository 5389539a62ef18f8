"""The normal distribution."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator import special
from simulator.distributions._distribution import Distribution, Floats
from simulator.spec import NonNegative

_TINY = np.finfo(np.float64).tiny


class Normal(Distribution):
    """Normal, for quantities that may go down as well as up (drift steps)."""

    kind: Literal["normal"] = "normal"
    mean: float
    """Mean, in the unit of the variable."""
    sd: NonNegative
    """Standard deviation, in the unit of the variable."""

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        return self.mean + self.sd * special.ndtri(np.maximum(u, _TINY))

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        return np.asarray(special.ndtr((x - self.mean) / max(self.sd, _TINY)), dtype=np.float64)
