"""Reads Parquet files that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from simulator.errors import TeamsimError


def read_parquet(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return a Parquet file as a data frame.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        Columns that it must have; the first one must have no nulls.

    Raises
    ------
    TeamsimError
        If it is missing, is no Parquet file, lacks a column, or has a null in the first.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise TeamsimError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise TeamsimError(f"{path} cannot be read as Parquet: {error}") from None
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise TeamsimError(
            f"{path} lacks the column {missing[0]!r} (it has {', '.join(table.column_names)})"
        )
    frame: pd.DataFrame = table.to_pandas()
    empty = frame[columns[0]].isna()
    if empty.any():
        raise TeamsimError(f"{path}, row {int(empty.to_numpy().argmax())}: no {columns[0]!r}")
    return frame
