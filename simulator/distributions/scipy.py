"""Any continuous distribution of scipy.stats, under its scipy name and parameters."""

from __future__ import annotations

import inspect
import math
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from simulator.distributions._distribution import Distribution, Floats
from simulator.errors import unknown_name
from simulator.spec import Number, Positive


class Scipy(Distribution):
    """``scipy.stats.<name>(*shapes, loc, scale)``, for families that have no file of their own."""

    kind: Literal["scipy"] = "scipy"
    name: str
    """Name in scipy.stats, for example ``invgauss``."""
    shapes: dict[str, Number] = Field(default_factory=dict, validate_default=True)
    """Shape parameters by their scipy names, for example ``{mu: 0.5}``."""
    loc: Number = 0.0
    """Location, in the unit of the variable."""
    scale: Positive = 1.0
    """Scale, in the unit of the variable."""

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        from scipy import stats

        known = {n for n, f in inspect.getmembers(stats) if isinstance(f, stats.rv_continuous)}
        if name not in known:
            raise ValueError(unknown_name("scipy.stats distribution", name, known))
        return name

    @field_validator("shapes")
    @classmethod
    def _are_of_the_family(cls, shapes: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        from scipy import stats

        name = info.data.get("name")
        if name is None:  # it is wrong itself
            return shapes
        family = getattr(stats, name)
        wanted = [s.strip() for s in family.shapes.split(",")] if family.shapes else []
        if sorted(shapes) != sorted(wanted):
            raise ValueError(f"{name} takes the shapes {wanted}, found {sorted(shapes)}")
        if not np.all(family._argcheck(*(shapes[s] for s in wanted))):
            raise ValueError(f"{name} does not allow the shapes {shapes}")
        return shapes

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
