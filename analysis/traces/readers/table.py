"""Plain tables of calls: CSV or Parquet, with a map from our column names to theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from analysis.traces.canonical import CALLS, Collector, Traces
from analysis.traces.reading import Reader
from simulator.errors import TeamsimError, unknown_name

ALIASES = {
    "run_id": ("session", "run", "conversation_id", "session_id", "run_dir"),
    "agent_id": ("agent",),
    "response_model": ("model", "request_model"),
    "duration_s": ("latency_s", "seconds", "duration"),
    "start_s": ("start", "timestamp", "time_s"),
    "input_tokens": ("prompt_tokens",),
    "cache_read_input_tokens": ("cached_input_tokens", "cached_tokens"),
    "output_tokens": ("completion_tokens",),
    "first_chunk_s": ("ttft_s",),
    "finish_reason": ("stop_reason",),
}
"""Names under which a column is found without being told."""

_EXTRA = ("duration_s", "start_s")
"""Columns that a table may have in place of start_ns and end_ns, in seconds."""


class Table(Reader):
    """A row a call. Needed: a duration (``duration_s``, or start_ns and end_ns)."""

    kind: ClassVar[str] = "table"

    def recognises(self, path: Path) -> bool:
        """Return whether it is a table with a duration."""
        if not path.is_file() or path.suffix not in {".csv", ".parquet"}:
            return False
        try:
            names = set(_load(path).columns)
        except TeamsimError:
            return False
        return (
            bool(names & {"duration_s", *ALIASES["duration_s"]}) or {"start_ns", "end_ns"} <= names
        )

    def read(self, paths: Sequence[Path], columns: dict[str, str]) -> Traces:
        """Read the files."""
        known = [*CALLS, *_EXTRA]
        for name in columns:
            if name not in known:
                raise TeamsimError(unknown_name("column", name, known))
        out = Collector(self.kind)
        for path in paths:
            _read_table(path, columns, out)
        return out.traces()


def _load(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise TeamsimError(f"{path} cannot be read as {path.suffix[1:]}: {error}") from None


def _read_table(path: Path, columns: dict[str, str], out: Collector) -> None:
    table = _load(path)
    for ours, theirs in columns.items():
        if theirs not in table:
            raise TeamsimError(
                f"{path}: {unknown_name(f'column (for {ours})', theirs, list(table.columns))}"
            )
    chosen = {**_aliases(table, columns), **columns}
    if "duration_s" not in chosen and not {"start_ns", "end_ns"} <= chosen.keys():
        raise TeamsimError(
            f"{path} lacks a duration: say --column duration_s=NAME (it has "
            f"{', '.join(map(str, table.columns))})"
        )
    frame = pd.DataFrame({ours: table[theirs] for ours, theirs in chosen.items()})
    for name in list(chosen):
        if CALLS.get(name, "Float64") != "string":
            _check_numbers(frame, name, chosen[name], path, out)
    _add_times(frame, path, out)
    bad = frame.index[frame["end_ns"].isna() | (frame["end_ns"] < frame["start_ns"])]
    for row in bad:
        out.skip(f"{path}, row {row}", "no duration, or one below 0")
    frame = frame.drop(index=bad)
    texts = [name for name in chosen if CALLS.get(name) == "string"]
    frame[texts] = frame[texts].astype("string")
    defaults: dict[str, Any] = {
        "run_id": path.stem,
        "operation_name": "chat",
        "status": "ok",
        "quality_time": "exact",
        "quality_tokens": "exact",
    }
    for name, value in defaults.items():
        frame[name] = frame[name].fillna(value) if name in frame else value
    for row in frame.drop(columns=[n for n in _EXTRA if n in frame]).to_dict("records"):
        out.call(path, **{str(k): None if pd.isna(v) else v for k, v in row.items()})


def _aliases(table: pd.DataFrame, columns: dict[str, str]) -> dict[str, str]:
    found = {}
    for name in [*CALLS, *_EXTRA]:
        for candidate in (name, *ALIASES.get(name, ())):
            if name not in columns and candidate in table and candidate not in columns.values():
                found[name] = candidate
                break
    return found


def _check_numbers(frame: pd.DataFrame, name: str, theirs: str, path: Path, out: Collector) -> None:
    """Turn a column into numbers; what is none is counted and becomes null."""
    numbers = pd.to_numeric(frame[name], errors="coerce")
    for row in frame.index[numbers.isna() & frame[name].notna()]:
        out.skip(f"{path}, row {row}, column {theirs!r}", f"{frame.at[row, name]!r} is no number")
    negative = numbers < 0
    for row in frame.index[negative & (name not in {"start_s", "start_ns", "end_ns"})]:
        out.skip(f"{path}, row {row}, column {theirs!r}", f"{frame.at[row, name]!r} is below 0")
    if name not in {"start_s", "start_ns", "end_ns"}:
        numbers = numbers.where(~negative)
    is_count = CALLS.get(name) == "Int64"
    frame[name] = numbers.round().astype("Int64") if is_count else numbers.astype("Float64")


def _add_times(frame: pd.DataFrame, path: Path, out: Collector) -> None:
    """Give every row a start and an end; calls without a start follow each other."""
    if {"start_ns", "end_ns"} <= set(frame.columns):
        return
    length = (frame["duration_s"].astype("Float64") * 1e9).round()
    if "start_s" in frame:
        start = (frame["start_s"] * 1e9).round()
    else:
        groups = [frame[name].astype(str) for name in ("run_id", "agent_id") if name in frame]
        ends = length.groupby(groups).cumsum() if groups else length.cumsum()
        start = ends - length
        out.notes.append(f"{path.name} has no start times: calls are taken to follow each other")
    frame["start_ns"] = start.astype("Int64")
    frame["end_ns"] = (start + length).replace([np.inf, -np.inf], pd.NA).astype("Int64")
