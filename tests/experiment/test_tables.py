"""Tables of results are Arrow's own to the bit, and their files give back what was written."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from simulator.experiment.parts import DamagedPart, parts_in, write_part
from simulator.experiment.plan import Span
from simulator.experiment.table import METRIC_FIELDS, rows, schema
from simulator.model.metrics import Metrics
from simulator.scenario import Study, parse_study
from tests.experiment.conftest import SHORT

COUNT = 19
"""Replications: more than two bytes of truth values, and no whole number of bytes."""


@pytest.fixture(scope="module")
def study() -> Study:
    return parse_study(SHORT)


@pytest.fixture(scope="module")
def table(study: Study) -> pa.Table:
    metrics = [Metrics() for _ in range(COUNT)]
    for i, each in enumerate(metrics):
        each.success, each.makespan_s, each.calls = i % 3 != 1, i / 7, i
    return rows(study.points[1], schema(study.points, study.axes), 1.0, range(COUNT), metrics)


def test_truth_values_and_numbers_are_what_arrow_makes_of_them(table: pa.Table) -> None:
    table.validate(full=True)
    assert {field.type for field in METRIC_FIELDS} > {pa.bool_(), pa.float64(), pa.int64()}
    success = pa.array([i % 3 != 1 for i in range(COUNT)])
    assert table["success"].combine_chunks().equals(pa.chunked_array([success]).combine_chunks())
    assert table["makespan_s"].to_pylist() == [i / 7 for i in range(COUNT)]
    assert table["team.size"].to_pylist() == [4] * COUNT


@pytest.mark.parametrize("columns", [None, ["success", "team.size", "replication"], []])
def test_a_part_gives_back_the_columns_in_the_order_asked(
    table: pa.Table, tmp_path: Path, columns: list[str] | None
) -> None:
    write_part(tmp_path, "sweep", Span(0, COUNT), table)
    ((part,), _) = parts_in(tmp_path)
    found = part.read("sweep", columns)
    assert found.equals(table if columns is None else table.select(columns), check_metadata=True)


def test_a_part_without_a_column_is_damaged(table: pa.Table, tmp_path: Path) -> None:
    write_part(tmp_path, "sweep", Span(0, COUNT), table.drop_columns(["calls"]))
    ((part,), _) = parts_in(tmp_path)
    with pytest.raises(DamagedPart, match="calls"):
        part.read("sweep", ["replication", "calls"])
