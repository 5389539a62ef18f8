"""What ``sweep:`` may say, and the points it stands for."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from simulator.spec import Spec

Overrides = dict[str, Any]
"""Dotted paths and the values that they take at one point."""


class Range(Spec):
    """Numbers from `from` to `to`, by `step` or `num` of them."""

    start: Annotated[float, Field(alias="from")]
    """First value."""
    to: float
    """Last value, included when the steps meet it."""
    step: Annotated[float, Field(gt=0)] | None = None
    """Distance between values (1 unless `num` is given)."""
    num: Annotated[int, Field(ge=2, le=100_000)] | None = None
    """How many values, evenly spaced on the scale."""
    scale: Literal["linear", "log"] = "linear"
    """Spacing of `num` values."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.to < self.start:
            raise ValueError(f"'to' ({self.to}) is below 'from' ({self.start})")
        if self.step is not None and self.num is not None:
            raise ValueError("give 'step' or 'num', not both")
        if self.scale == "log" and (self.num is None or self.start <= 0):
            raise ValueError("a log scale needs 'num' and a 'from' above 0")
        if len(self.values()) > 100_000:
            raise ValueError("a range of more than 100,000 values")
        return self

    def values(self) -> list[int | float]:
        """Return the values; whole numbers come back as int."""
        if self.num is not None:
            space = np.geomspace if self.scale == "log" else np.linspace
            found = space(self.start, self.to, self.num)
        else:
            step = self.step or 1.0
            count = int(np.floor((self.to - self.start) / step * (1 + 1e-12) + 1e-9)) + 1
            found = self.start + step * np.arange(min(count, 100_001))
        if self.scale == "log" and self.start == int(self.start) and self.to == int(self.to):
            found = np.unique(np.round(found))
        return [int(x) if float(x).is_integer() else float(x) for x in found]


Sweep = dict[str, list[Any] | Range] | list[dict[str, Any]]
"""A full grid of dotted paths and their values, or a list of named points."""


def parse_sweep(raw: object) -> list[tuple[str, Overrides]]:
    """Return the name and the overrides of each point of a sweep, the last axis fastest.

    Raises
    ------
    SweepError
        With the path inside the sweep and what is wrong there.
    """
    if raw is None:
        return [("base", {})]
    if isinstance(raw, Mapping) and raw:
        axes = {str(path): _axis_values(str(path), values) for path, values in raw.items()}
        grid = (dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values()))
        return [(point_name(overrides), overrides) for overrides in grid]
    if isinstance(raw, list) and raw:
        points = [_named_point(i, point) for i, point in enumerate(raw)]
        names = [name for name, _ in points]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise SweepError((i, "name"), f"two points are called {name!r}")
        return points
    raise SweepError((), f"a sweep maps dotted paths to values or lists named points; found {raw!r}")


class SweepError(ValueError):
    """What is wrong in a sweep, and where in it."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        self.path = path
        self.message = message
        super().__init__(message)


def _axis_values(path: str, raw: object) -> list[Any]:
    if isinstance(raw, list) and raw:
        return raw
    if isinstance(raw, Mapping):
        try:
            return list(Range.model_validate(raw).values())
        except ValidationError as error:
            detail = error.errors()[0]
            raise SweepError((path, *detail["loc"]), detail["msg"]) from None
    raise SweepError((path,), f"an axis is a list of values or a range {{from, to}}; found {raw!r}")


def _named_point(index: int, raw: object) -> tuple[str, Overrides]:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
        raise SweepError((index,), "a point is a mapping with a 'name' and dotted paths")
    return raw["name"], {path: value for path, value in raw.items() if path != "name"}


def point_name(overrides: Overrides) -> str:
    """Return ``team.size=4, topology=centralised`` for the overrides of a point."""
    return ", ".join(f"{path}={label(value)}" for path, value in overrides.items()) or "base"


def label(value: Any) -> str | int | float | bool:
    """Return a swept value as it stands in a table: itself, its kind, or compact JSON."""
    if isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping) and set(value) == {"kind"}:
        return str(value["kind"])
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
