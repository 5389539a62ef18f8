"""Rows of Parquet files, batch by batch, with mappings as such."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

_BATCH = 4096


def parquet_head(stream: BinaryIO, most: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the names of the columns, and the first rows.

    Parameters
    ----------
    stream : binary file
    most : int
        Most rows.

    Raises
    ------
    pyarrow.ArrowException, OSError, ValueError
        If it is no Parquet, or damaged.
    """
    file = pq.ParquetFile(io.BytesIO(stream.read()))
    batch = next(file.iter_batches(batch_size=most), None)
    return list(file.schema_arrow.names), [] if batch is None else _rows(batch)


def parquet_rows(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield all rows; errors are those of `parquet_head`."""
    for batch in pq.ParquetFile(io.BytesIO(stream.read())).iter_batches(_BATCH):
        yield from _rows(batch)


def _rows(batch: Any) -> list[dict[str, Any]]:
    """Return the rows of a batch; mappings are no lists of pairs, and bytes are texts."""
    rows: list[dict[str, Any]] = batch.to_pylist()
    maps = [field.name for field in batch.schema if pa.types.is_map(field.type)]
    texts = [f.name for f in batch.schema if pa.types.is_binary(f.type)]
    for row in rows:
        row.update({name: dict(row[name]) for name in maps if row[name] is not None})
        row.update({k: row[k].decode("utf-8", "replace") for k in texts if row[k] is not None})
    return rows
