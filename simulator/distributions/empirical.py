"""The empirical distribution of values that were measured."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from simulator.distributions._distribution import Distribution, Floats
from simulator.spec import NonNegative, Number


class Empirical(Distribution):
    """Resamples `values`, each with its weight (equal weights when `weights` is absent)."""

    kind: Literal["empirical"] = "empirical"
    values: Annotated[tuple[Number, ...], Field(min_length=1)]
    """Measured values, in the unit of the variable."""
    weights: tuple[NonNegative, ...] | None = None
    """Relative weights, one a value; they need not add up to one."""

    @model_validator(mode="before")
    @classmethod
    def _weights_match_values(cls, data: dict[str, object]) -> dict[str, object]:
        values, weights = data.get("values"), data.get("weights")
        if isinstance(values, (list, tuple)) and isinstance(weights, (list, tuple)):
            if len(values) != len(weights):
                raise ValueError(f"{len(weights)} weights for {len(values)} values")
            if not any(isinstance(w, (int, float)) and w > 0 for w in weights):
                raise ValueError("at least one weight must be above 0")
        return data

    @cached_property
    def _table(self) -> tuple[Floats, Floats]:
        values = np.asarray(self.values, dtype=np.float64)
        weights = np.ones_like(values) if self.weights is None else np.asarray(self.weights)
        order = np.argsort(values, kind="stable")
        cumulated = np.cumsum(weights[order])
        return values[order], cumulated / cumulated[-1]

    def quantile(self, u: Floats) -> Floats:
        """Return the smallest value whose cumulated weight exceeds `u`."""
        values, cumulated = self._table
        index = cumulated.searchsorted(u, side="right")
        return values[np.minimum(index, len(values) - 1)]

    def cdf(self, x: Floats) -> Floats:
        """Return the weight of the values up to `x`."""
        values, cumulated = self._table
        index = values.searchsorted(x, side="right")
        return np.concatenate(([0.0], cumulated))[index]
