"""Writes an observation: tables, the twin's file, pictures; never texts of prompts or answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.observation.findings import describe_structure
from analysis.observation.observe import Observation
from analysis.observation.runs import cause_table, concurrency_table
from analysis.observation.team_file import team_yaml
from analysis.traces.canonical import Traces
from analysis.traces.error_kinds import is_name
from analysis.traces.tables import write_traces
from simulator.words import counted


def write_tables(observation: Observation, directory: Path) -> list[Path]:
    """Write the tables as Parquet: the canonical ones, and the findings on each run.

    Raises
    ------
    TeamsimError
        If they cannot be written.
    """
    write_traces(without_texts(observation.traces), directory)
    tables = {
        "run_measures": observation.table,
        "roles": observation.roles,
        "time_by_cause": cause_table(observation.runs),
        "concurrency": concurrency_table(observation.runs),
        "critical_path": observation.path,
        "simulated_runs": observation.simulated,
        "comparison": observation.comparison.table,
    }
    for name, table in tables.items():
        table.to_parquet(directory / f"{name}.parquet", index=False)
    return [directory / f"{name}.parquet" for name in tables]


def without_texts(traces: Traces) -> Traces:
    """Return traces whose errors are only names of errors: messages may quote a prompt."""
    kinds = traces.calls["error_type"]
    kept = kinds.where(kinds.fillna("").map(lambda each: is_name(str(each))))
    return replace(traces, calls=traces.calls.assign(error_type=kept.astype("string")))


def write_team(observation: Observation, path: Path, source: str, version: str) -> None:
    """Write the twin's scenario file."""
    table = observation.table
    head = [
        f"The twin of a team, made by teamsim observe {version} from {source}.",
        f"Observed: {counted(len(table), 'run')}, "
        f"{counted(int(table['calls'].sum()), 'call')} of models; "
        f"{describe_structure(observation)}.",
        *(_misfit(row) for row in observation.comparison.misfits.itertuples()),
        "Each number has above it where it comes from, ± its standard error; what is 'tuned' was "
        "chosen by simulation, so that whole runs are like those observed.",
    ]
    path.write_text(team_yaml(observation.twin, head), encoding="utf-8")


def _misfit(row: object) -> str:
    values = pd.Series(row._asdict())  # type: ignore[attr-defined]
    return (
        f"It does not fit in {values['name']}: observed {values['observed']:.4g}, simulated "
        f"{values['median']:.4g} ({values['low']:.4g} to {values['high']:.4g} in 80 % of runs)."
    )
