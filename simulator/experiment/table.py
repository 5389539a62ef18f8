"""The columns of a results table."""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

from simulator.errors import TeamsimError
from simulator.model.metrics import Metrics
from simulator.scenario import Point
from simulator.scenario.costs import unknown_metrics
from simulator.scenario.sweep import label

_ARROW = {"float": pa.float64(), "int": pa.int64(), "str": pa.string(), "bool": pa.bool_()}

METRIC_FIELDS = [
    pa.field(field.name, _ARROW[str(field.type)]) for field in dataclasses.fields(Metrics)
]


def schema(points: Sequence[Point], axes: Sequence[str]) -> pa.Schema:
    """Return the schema of the results of a sweep: point, axes, replication, metrics."""
    axis_fields = [
        pa.field(axis, _axis_type([point.overrides.get(axis) for point in points])) for axis in axes
    ]
    return pa.schema(
        [
            pa.field("point", pa.int64()),
            pa.field("point_name", pa.string()),
            pa.field("series", pa.string()),
            pa.field("baseline_point", pa.int64()),
            pa.field("parallel_fraction", pa.float64()),
            *axis_fields,
            pa.field("replication", pa.int64()),
            *METRIC_FIELDS,
        ]
    )


def rows(
    point: Point,
    schema: pa.Schema,
    parallel_fraction: float,
    replications: Iterable[int],
    metrics: Sequence[Metrics],
) -> pa.Table:
    """Return the rows of some replications of one point; what is not known of them is missing."""
    unknown = unknown_metrics(point.scenario)
    columns: dict[str, list[Any]] = {
        "parallel_fraction": [parallel_fraction] * len(metrics),
        "replication": list(replications),
    }
    for field in METRIC_FIELDS:
        is_known = field.name not in unknown
        columns[field.name] = [getattr(row, field.name) if is_known else None for row in metrics]
    return _of_point(point, schema, len(metrics), columns)


def moved(rows: pa.Table, point: Point, schema: pa.Schema) -> pa.Table:
    """Return the rows of a point for a sweep in which the point has another place."""
    names = ["parallel_fraction", "replication", *(field.name for field in METRIC_FIELDS)]
    columns = {name: rows.column(name) for name in names}
    return _of_point(point, schema, rows.num_rows, columns)


def _of_point(point: Point, schema: pa.Schema, count: int, columns: Mapping[str, Any]) -> pa.Table:
    said = {
        "point": point.index,
        "point_name": point.name,
        "series": point.series,
        "baseline_point": point.baseline,
    }
    axes = {
        field.name: _axis_value(point.overrides.get(field.name), field.type)
        for field in schema
        if field.name not in said and field.name not in columns
    }
    alike = {name: [value] * count for name, value in (said | axes).items()}
    found = {**alike, **columns}
    try:
        arrays = [_array(found[field.name], field.type) for field in schema]
        return pa.Table.from_arrays(arrays, schema=schema)
    except (OverflowError, pa.ArrowInvalid) as error:
        raise TeamsimError(
            f"point {point.name!r}: a result is larger than a table holds ({error})"
        ) from None


def _array(values: Sequence[Any] | pa.ChunkedArray, kind: pa.DataType) -> Any:
    """Return a column of numbers, texts or truth values, or one that is null throughout.

    Arrow's own conversion of a list imports pandas, to see whether there is any in it. That would
    be a quarter of what a worker imports. Its casts import all that it can compute.
    """
    if isinstance(values, pa.ChunkedArray):
        return values
    count = len(values)
    if None in values:
        return pa.nulls(count, kind)
    if kind == pa.string():
        texts = [value.encode() for value in values]
        ends = array("i", accumulate(map(len, texts), initial=0))
        return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))
    if kind == pa.bool_():
        bits = np.packbits(np.array(values, bool), bitorder="little")
        return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(bits)])
    numbers = array(_CODES[kind], values)
    return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(numbers)])


_CODES = {pa.int64(): "q", pa.float64(): "d"}


def _axis_type(values: list[Any]) -> pa.DataType:
    said = [label(value) for value in values if value is not None]
    if said and all(isinstance(value, bool) for value in said):
        return pa.bool_()
    if said and all(isinstance(value, int) and not isinstance(value, bool) for value in said):
        return pa.int64()
    if said and all(isinstance(value, (int, float)) for value in said):
        return pa.float64()
    return pa.string()


def _axis_value(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    said = label(value)
    return str(said) if kind == pa.string() else said
