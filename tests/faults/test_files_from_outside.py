"""Files that commands have written, and tables, are refused by name when they are not whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.calibration.request_model import RequestModel
from analysis.calibration.store import read_calibration
from analysis.traces import named_tables
from analysis.traces.named_tables import (
    read_csv,
    read_parquet,
    stored_in,
    with_numbers,
    with_stored,
)
from simulator import documents
from simulator.documents import DocumentError, read_own, sealed, unsealed
from simulator.errors import TeamsimError
from simulator.experiment import read_manifest

WRONG = {
    "deep": ('{"a":' * 9_000, "more than 50 lists"),
    "deep and closed": ("[" * 9_000 + "]" * 9_000, "more than 50 lists"),
    "digits": ('{"a": ' + "7" * 5_000 + "}", "a number of 5,000 digits"),
    "no mapping": ("[1, 2]", "a mapping is expected"),
    "empty": ("", "not JSON"),
    "broken": ('{"a": ', "not JSON"),
    "null bytes": ("\x00" * 20, "not JSON"),
}

READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "fits.json": ("is damaged", read_calibration),
    "requests.json": ("is damaged", RequestModel.read),
    "manifest.json": ("or it is damaged", read_manifest),
}


@pytest.mark.parametrize("file", READERS)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_damaged_document_is_refused_by_name(file: str, wrong: str, tmp_path: Path) -> None:
    text, why = WRONG[wrong]
    (tmp_path / file).write_text(text)
    with pytest.raises(DocumentError, match=why):
        read_own(tmp_path / file)
    message, reader = READERS[file]
    with pytest.raises(TeamsimError, match=rf"{file}.* {message}"):
        reader(tmp_path)


@pytest.mark.parametrize("file", READERS)
def test_a_document_without_end_is_refused(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_OWN_BYTES", 10_000)
    (tmp_path / file).symlink_to("/dev/zero")
    with pytest.raises(DocumentError, match="longer than 10,000 bytes"):
        read_own(tmp_path / file)


def test_a_sealed_document_is_read_as_it_was_written() -> None:
    document = {"a": [1, 0.1, float("inf"), None], "b": {"c": "é"}}
    written = json.loads(json.dumps(sealed(document)))
    assert unsealed(written) == document
    for changed in ({**written, "a": [1]}, {**written, "seal": "0"}, document):
        with pytest.raises(DocumentError, match="its digest is another"):
            unsealed(changed)


CELLS = {
    "text": "abc",
    "a tag": "!!int abc",
    "no number": "nan",
    "infinity": "inf",
    "too large": "1e300",
    "not finite": "1e999",
    "negative": "-1",
    "many digits": "9" * 5_000,
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_that_is_no_number_is_named(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"name,tokens\na,5\nb,{CELLS[cell]}\n")
    with pytest.raises(TeamsimError, match=r"table.csv, row 2: 'tokens' is "):
        with_numbers(read_csv(path), path, ["tokens"], may_miss=False)
    pd.DataFrame({"name": ["a", "b"], "tokens": ["5", CELLS[cell]]}).to_parquet(path)
    if cell != "no number":  # which is missing
        with pytest.raises(TeamsimError, match=r"table.csv, row 2: 'tokens' is "):
            read_parquet(path, ["name"], ["tokens"])


TABLES = {
    "nothing": (b"", "is empty"),
    "no text": (b"a,b\n\xff\xfe,1\n", "not UTF-8, at byte 4"),
    "rows wider than the header": (
        b"a,b\n" + b"1," * 9_000 + b"\n",
        "line 2: it has 9001 cells, and the header 2 names",
    ),
    "an open quote": (b'a,b\n"1,2\n', "cannot be read as CSV"),
    "a column twice": (b"a,b, a\n1,2,3\n", "has the column 'a' twice"),
    "too many columns": (b"a," * 10_001, "has more than 10,000 columns"),
    "a name without end": (b'"' + b"a" * 200_000, "cannot be read as CSV"),
    "no such column": (b"a,\x1b[31mb\n1,2\n", "lacks the column 'b'"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_wrong_table_is_refused(name: str, tmp_path: Path) -> None:
    content, why = TABLES[name]
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(TeamsimError, match=rf"table.csv.*{why}"):
        read_csv(tmp_path / "table.csv", ["a", "b"])


def test_columns_without_a_name_may_be_several(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("\na,b,,\n1,2,3,4\n")
    assert list(read_csv(tmp_path / "table.csv", ["a", "b"])["b"]) == [2]


def test_a_table_larger_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": [1] * 20, "b": [1] * 20}), path)
    assert len(read_parquet(path, ["a"])) == 20
    monkeypatch.setattr(named_tables, "MOST_CELLS", 39)
    with pytest.raises(TeamsimError, match="has more than 39 cells"):
        read_parquet(path, ["a"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TeamsimError, match="cannot be read as Parquet"):
        read_parquet(path, ["a"])


def test_what_is_stored_beside_a_table_is_whole_or_refused(tmp_path: Path) -> None:
    path, document = tmp_path / "table.parquet", {"columns": ["a"], "data": [[0.1]]}
    table = with_stored(pa.table({"a": [1]}), b"pilot", document)
    pq.write_table(table, path)
    assert stored_in(path, b"pilot") == document
    assert stored_in(path, b"other") is None
    for text in ("{}", "[" * 9_000, '{"columns": 1}', "", "5"):
        pq.write_table(table.replace_schema_metadata({"pilot": text}), path)
        with pytest.raises(TeamsimError, match=r"table.parquet is damaged"):
            stored_in(path, b"pilot")
