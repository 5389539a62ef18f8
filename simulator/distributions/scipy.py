"""Any continuous distribution of scipy.stats, under its scipy name and parameters."""

from __future__ import annotations

import inspect
import math
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from simulator.distributions._distribution import Distribution, Floats
from simulator.errors import unknown_name
from simulator.spec import Number, Positive


class Scipy(Distribution):
    """``scipy.stats.<name>(*shapes, loc, scale)``, for families that have no file of their own."""

    kind: Literal["scipy"] = "scipy"
    name: str
    """Name in scipy.stats, for example ``invgauss``."""
    shapes: dict[str, Number] = Field(default_factory=dict)
    """Shape parameters by their scipy names, for example ``{mu: 0.5}``."""
    loc: Number = 0.0
    """Location, in the unit of the variable."""
    scale: Positive = 1.0
    """Scale, in the unit of the variable."""

    @model_validator(mode="before")
    @classmethod
    def _names_are_known(cls, data: dict[str, Any]) -> dict[str, Any]:
        from scipy import stats

        name = data.get("name")
        known = {n for n, f in inspect.getmembers(stats) if isinstance(f, stats.rv_continuous)}
        if name not in known:
            raise ValueError(unknown_name("scipy.stats distribution", str(name), known))
        family = getattr(stats, str(name))
        shapes = data.get("shapes", {})
        wanted = [s.strip() for s in family.shapes.split(",")] if family.shapes else []
        if sorted(shapes) != sorted(wanted):
            raise ValueError(f"{name} takes the shapes {wanted}, found {sorted(shapes)}")
        if not np.all(family._argcheck(*(shapes[s] for s in wanted))):
            raise ValueError(f"{name} does not allow the shapes {shapes}")
        return data

    @cached_property
    def _frozen(self) -> Any:
        from scipy import stats

        return getattr(stats, self.name)(**self.shapes, loc=self.loc, scale=self.scale)

    def quantile(self, u: Floats) -> Floats:
        """Return the quantiles at `u`."""
        return np.asarray(self._frozen.ppf(u), dtype=np.float64)

    def cdf(self, x: Floats) -> Floats:
        """Return the probability of a value up to `x`."""
        return np.asarray(self._frozen.cdf(x), dtype=np.float64)

    @property
    def tail_index(self) -> float:
        """1 if the mean is infinite, 2 if the variance is, else infinite: scipy tells no more."""
        mean, variance = self._frozen.stats(moments="mv")
        return math.inf if np.isfinite(variance) else 2.0 if np.isfinite(mean) else 1.0
