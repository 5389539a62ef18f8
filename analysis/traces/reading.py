"""Reads traces of any known format from files and directories."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from analysis.traces.canonical import Collector, Traces
from simulator.errors import TeamsimError, unknown_name
from simulator.registry import Registry

READERS: Registry[Reader] = Registry(
    "trace reader", "analysis.traces.readers", "teamsim.trace_readers"
)


class Reader(ABC):
    """Reads one format; a subclass sets `kind`, its name."""

    kind: ClassVar[str]

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Return whether a file or directory is of this format, from a look at its beginning."""

    @abstractmethod
    def read(self, paths: Sequence[Path], columns: dict[str, str]) -> Traces:
        """Read files (or directories that are recognised as a whole).

        Parameters
        ----------
        paths : sequence of Path
        columns : dict
            Canonical names to the names that a plain table has.

        Raises
        ------
        TeamsimError
            If a file cannot be read at all.
        """


def read_traces(
    paths: Sequence[Path], form: str = "auto", columns: dict[str, str] | None = None
) -> Traces:
    """Read traces, the format detected or given.

    Parameters
    ----------
    paths : sequence of Path
        Files, or directories, in which every file of the format is read.
    form : str
        A reader's name, or ``auto``.
    columns : dict, optional
        For plain tables: canonical names to theirs.

    Raises
    ------
    TeamsimError
        If a path does not exist, no reader recognises it, or nothing usable is in it.
    """
    for path in paths:
        if not path.exists():
            raise TeamsimError(f"{path}: no such file or directory")
    names = [name for name in READERS.names() if name != "table"] + ["table"]
    if form != "auto":
        if form not in names:
            raise TeamsimError(unknown_name("trace format", form, ["auto", *names]))
        reader: Reader = READERS.get(form)()
        return _with_calls(reader.read(_files(reader, paths), columns or {}), paths)
    for name in names:
        reader = READERS.get(name)()
        found = _files(reader, paths, recognised_only=True)
        if found:
            return _with_calls(reader.read(found, columns or {}), paths)
    raise TeamsimError(
        f"{paths[0]}: no known trace format (tried {', '.join(names)}); say --format"
    )


def _files(reader: Reader, paths: Sequence[Path], recognised_only: bool = False) -> list[Path]:
    """Return what the reader is to read: paths as they are, or the files in directories."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir() and not reader.recognises(path):
            inside = sorted(each for each in path.rglob("*") if each.is_file())
            found += [each for each in inside if reader.recognises(each)]
        elif not recognised_only or reader.recognises(path):
            found.append(path)
    if not found and not recognised_only:
        raise TeamsimError(f"{paths[0]}: nothing in it is of the format {reader.kind!r}")
    return found


def _with_calls(traces: Traces, paths: Sequence[Path]) -> Traces:
    if traces.calls.empty and traces.team is None:
        reason = (
            f"; the first of {len(traces.skipped)} problems: {traces.skipped[0]}"
            if traces.skipped
            else ""
        )
        raise TeamsimError(f"{paths[0]}: no calls in it{reason}")
    return traces


def json_lines(path: Path, out: Collector) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line numbers (from 1) and objects of a JSON-lines file, counting broken lines.

    Raises
    ------
    TeamsimError
        If the file cannot be opened.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except ValueError as error:
                    out.skip(f"{path}:{number}", f"no JSON ({error})")
                    continue
                if isinstance(value, dict):
                    yield number, value
                else:
                    out.skip(
                        f"{path}:{number}",
                        f"a JSON object is expected, found {type(value).__name__}",
                    )
    except OSError as error:
        raise TeamsimError(f"{path} cannot be read: {error.strerror}") from None


def first_object(path: Path) -> dict[str, Any]:
    """Return the first JSON object of a file of lines or of one document; {} without any."""
    try:
        with path.open(encoding="utf-8") as lines:
            head = next((line for line in lines if line.strip()), "")
        value = json.loads(head)
    except ValueError:
        try:
            value = json.loads(path.read_text("utf-8"))
        except (ValueError, OSError):
            return {}
    except OSError:
        return {}
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def nanoseconds(text: Any) -> int | None:
    """Return an ISO 8601 time as nanoseconds since 1970; None if it is no such time."""
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return int(moment.timestamp() * 1e6) * 1000
