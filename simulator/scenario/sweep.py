"""What ``sweep:`` may say, and the points it stands for."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from simulator.scenario.validation_words import words_of
from simulator.spec import Spec, checked_name

Overrides = dict[str, Any]
"""Dotted paths and the values that they take at one point."""


class Range(Spec):
    """Numbers from `from` to `to`, by `step` or `num` of them, without rounding errors."""

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
        """Return the values, without rounding errors; whole numbers come back as int."""
        if self.num is not None:
            space = np.geomspace if self.scale == "log" else np.linspace
            found = np.asarray(space(self.start, self.to, self.num), dtype=np.float64)
        else:
            step = self.step or 1.0
            count = int(np.floor((self.to - self.start) / step * (1 + 1e-12) + 1e-9)) + 1
            found = self.start + step * np.arange(min(count, 100_001), dtype=np.float64)
        if self.scale == "log" and self.start == int(self.start) and self.to == int(self.to):
            found = np.unique(np.round(found))
        exact = found.tolist()
        rounded = [exact[0], *map(self._rounded, exact[1:])]
        is_fine_enough = len(set(rounded)) == len(rounded)
        values = rounded if is_fine_enough else exact
        return [int(value) if value.is_integer() else value for value in values]

    def _rounded(self, value: float) -> float:
        """Return a value without its rounding error, which is one of the largest value's size."""
        largest = abs(value) if self.scale == "log" else max(abs(self.start), abs(self.to))
        return round(value, _DIGITS - math.floor(math.log10(largest))) if largest else value


_DIGITS = 12
"""Digits of the values of a range after the first of the largest value: 0.1 + 2 * 0.1 is 0.3, not
0.30000000000000004, and -0.3 + 3 * 0.1 is 0."""

_MOST_POINTS = 100_000
"""Points of a sweep."""

Sweep = dict[str, list[Any] | Range] | list[dict[str, Any]]
"""A full grid of dotted paths and their values, or a list of named points."""


class SweepPoint(NamedTuple):
    """A point of a sweep before its scenario is made."""

    name: str
    overrides: Overrides
    series: str
    """Name of the entry it comes from, where the sweep is a list; else empty."""


def parse_sweep(raw: object) -> list[SweepPoint]:
    """Return the points of a sweep, the last axis fastest.

    A mapping is a full grid. In a list, each entry is a series. There, ``{from, to}`` or
    ``{values: [...]}`` stands for several values, which are taken in all combinations. Lists
    ``{in_step: [...]}`` must be equally long, and their values change together. Working hours,
    ``stations.NAME.available``, have a ``from`` and a ``to`` of their own: they are one value.

    Raises
    ------
    SweepError
        With the path inside the sweep and what is wrong there.
    """
    if raw is None:
        return [SweepPoint("base", {}, "")]
    if isinstance(raw, Mapping) and raw:
        axes = {str(path): _axis_values(str(path), values) for path, values in raw.items()}
        _check_count((), axes, _MOST_POINTS)
        return [SweepPoint(point_name(overrides), overrides, "") for overrides in _grid(axes)]
    if isinstance(raw, list) and raw:
        points: list[SweepPoint] = []
        names = set[str]()
        for i, entry in enumerate(raw):
            points += _named_points(i, entry, _MOST_POINTS - len(points))
            if entry["name"] in names:
                raise SweepError((i, "name"), f"two points are called {entry['name']!r}")
            names.add(entry["name"])
        return points
    raise SweepError(
        (), f"a sweep maps dotted paths to values or lists named points; found {raw!r}"
    )


class SweepError(ValueError):
    """What is wrong in a sweep, and where in it."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        self.path = path
        self.message = message
        super().__init__(message)


def _axis_values(path: str, raw: object) -> list[Any]:
    if isinstance(raw, list) and raw:
        return raw
    if isinstance(raw, Mapping) and _are_hours(path):
        said = ", ".join(f"{name}: {value}" for name, value in raw.items())
        message = f"working hours are one value, not a range; list them: [{{{said}}}, ...]"
        raise SweepError((path,), message)
    if isinstance(raw, Mapping):
        return _range_values((path,), raw)
    raise SweepError((path,), f"an axis is a list of values or a range {{from, to}}; found {raw!r}")


def _check_count(
    where: tuple[str | int, ...], axes: Mapping[str, Sequence[Any]], most: int
) -> None:
    """Refuse a grid of too many points, before it fills the memory."""
    count = math.prod(map(len, axes.values()))
    if count > most:
        before = f" beside {_MOST_POINTS - most:,}" if most < _MOST_POINTS else ""
        raise SweepError(
            where, f"a sweep has at most {_MOST_POINTS:,} points; these are {count:,}{before}"
        )


def _named_points(index: int, raw: object, most: int) -> list[SweepPoint]:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
        raise SweepError((index,), "a point is a mapping with a 'name' and dotted paths")
    try:
        name, varied = checked_name(raw["name"]), []
    except ValueError as error:
        raise SweepError((index, "name"), f"{error}; found {raw['name']!r}") from None
    axes: dict[str, Sequence[Any]] = {}
    in_step: dict[str, list[Any]] = {}
    for path, value in raw.items():
        if path == "name":
            continue
        if isinstance(value, Mapping) and set(value) == {"in_step"}:
            in_step[path] = _listed((index, path, "in_step"), value["in_step"])
        elif isinstance(value, Mapping) and set(value) == {"values"}:
            axes[path] = _listed((index, path, "values"), value["values"])
            varied.append(path)
        elif isinstance(value, Mapping) and "from" in value and not _are_hours(path):
            varied.append(path)
            axes[path] = _range_values((index, path), value)
        else:
            axes[path] = [value]
    if len({len(values) for values in in_step.values()}) > 1:
        counts = ", ".join(f"{path} has {len(values)}" for path, values in in_step.items())
        raise SweepError((index,), f"what changes in step needs as many values each: {counts}")
    varied += in_step
    changed_together = {"in_step": next(iter(in_step.values()), [None])}
    _check_count((index,), axes | changed_together, most)
    steps = [dict(zip(in_step, row, strict=True)) for row in zip(*in_step.values(), strict=True)]
    return [
        SweepPoint(
            ", ".join([name, *(f"{path}={label(overrides[path])}" for path in varied)]),
            overrides,
            name,
        )
        for fixed in _grid(axes)
        for step in steps or [{}]
        for overrides in [{**fixed, **step}]
    ]


def _are_hours(path: str) -> bool:
    """Return whether a path is that of a station's working hours."""
    return path.startswith("stations.") and path.endswith(".available")


def _listed(where: tuple[str | int, ...], raw: object) -> list[Any]:
    if isinstance(raw, list) and raw:
        return raw
    raise SweepError(where, f"a list of values; found {raw!r}")


def _grid(axes: Mapping[str, Sequence[Any]]) -> Iterator[Overrides]:
    for row in itertools.product(*axes.values()):
        yield dict(zip(axes, row, strict=True))


def _range_values(where: tuple[str | int, ...], raw: Mapping[str, Any]) -> list[Any]:
    try:
        return list(Range.model_validate(raw).values())
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise SweepError((*where, *detail["loc"]), words_of(detail)) from None


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
