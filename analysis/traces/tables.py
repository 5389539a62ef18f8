"""Writes traces as tables, which `read_traces` reads again."""

from __future__ import annotations

from pathlib import Path

from analysis.traces.canonical import Traces
from simulator.errors import TeamsimError


def write_traces(traces: Traces, directory: Path) -> None:
    """Write calls, messages, runs, agents and tasks as Parquet files into a directory.

    Raises
    ------
    TeamsimError
        If they cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("calls", "messages", "runs", "agents", "tasks"):
            getattr(traces, name).to_parquet(directory / f"{name}.parquet", index=False)
    except OSError as error:
        raise TeamsimError(f"{directory} cannot be written: {error.strerror}") from None
