"""Reads our own tables: calls.parquet, and beside it messages, runs, agents and tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from analysis.traces.canonical import AGENTS, CALLS, MESSAGES, RUNS, TASKS
from analysis.traces.collector import Collector
from analysis.traces.named_tables import read_parquet
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.values import MOST_COUNT, amount, count, exact_ns, text

_SURE = {"run_id", "operation_name", "start_ns", "end_ns", "quality_time"}


class Canonical(Reader):
    """A directory that `analysis.traces.tables.write_traces` wrote, or its table of calls."""

    kind: ClassVar[str] = "canonical"

    def recognises(self, head: Head) -> float:
        """Return whether it has the columns of the table of calls."""
        return 0.99 if head.columns and set(head.columns) >= _SURE else 0.0

    def holds(self, directory: Path) -> bool:
        """Return whether it has the four tables that are always written."""
        names = ("calls", "messages", "runs", "agents")
        return all((directory / f"{name}.parquet").is_file() for name in names)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files and directories."""
        for source in sources:
            calls = source.path
            if source.path.is_dir():
                calls = source.path / "calls.parquet"
                _read_others(source.path, out)
            of_calls = Source(calls, str(calls) if source.path.is_dir() else source.name)
            for record in of_calls.records(frozenset(), out.skip):
                out.report.rows += 1
                _add_call(record.place, record.node, self.kind, out)


def _read_others(directory: Path, out: Collector) -> None:
    for row in _rows(directory / "messages.parquet", MESSAGES):
        out.message(**row)
    for row in _rows(directory / "runs.parquet", RUNS):
        out.run(**row)
    if (directory / "tasks.parquet").is_file():
        for row in _rows(directory / "tasks.parquet", TASKS):
            if row["run_id"] is not None and row["task_id"] is not None:
                needs = [] if row["needs"] is None else [row["needs"]]
                out.task(row["run_id"], row["task_id"], needs, row["agent_id"])
    for row in _rows(directory / "agents.parquet", AGENTS):
        if row["run_id"] is not None and row["agent_id"] is not None:
            out.agent(str(row["run_id"]), str(row["agent_id"]), **_rest(row))


def _rest(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {"run_id", "agent_id"}}


def _rows(path: Path, dtypes: Mapping[str, str]) -> list[dict[str, Any]]:
    table = read_parquet(path, ["run_id"])
    return [_typed(row, dtypes) for row in table.to_dict("records")]


_TYPES: dict[str, Callable[[Any], Any]] = {
    "string": text,
    "Int64": count,
    "Float64": amount,
    "boolean": lambda value: value if isinstance(value, bool) else None,
}


def _typed(row: Mapping[Any, Any], dtypes: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: (exact_ns if name.endswith("_ns") else _TYPES[dtype])(row.get(name))
        for name, dtype in dtypes.items()
    }


def _add_call(place: str, row: Mapping[str, Any], form: str, out: Collector) -> None:
    fields = _typed(row, CALLS)
    for name, value in fields.items():
        said = row.get(name)
        if value is None and said is not None and said != "" and not _is_nan(said):
            what = f"is no {CALLS[name]} from 0 to {MOST_COUNT:g}"
            out.skip(f"{place}, column {name!r}", f"{str(said)[:40]!r} {what}")
    start, end = fields["start_ns"], fields["end_ns"]
    if start is not None and end is not None and end < start:
        out.skip(place, "it ends before it starts")
        return
    if fields["run_id"] is None:
        out.skip(place, "no run_id")
        return
    source = fields.pop("source") or "calls"
    out.call(place, source, fields.pop("source_format") or form, **fields)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124 (this is what NaN is)
