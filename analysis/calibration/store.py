"""Writes a calibration into a directory, and reads it again.

``fits.json`` holds every cell's estimates with their uncertainty, its task list and its pilot
runs; the scenarios, profiles and reports beside it are for people.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from analysis.calibration.cell import CellFit
from analysis.calibration.drafts import DraftHabit
from analysis.calibration.estimates import BetaEstimate, Estimate, VectorFit
from analysis.calibration.forgetting import Forgetfulness
from analysis.calibration.habits import Habits
from analysis.calibration.latency import Residual
from analysis.calibration.output_limits import Capacity
from analysis.calibration.tokens import TokenFit
from analysis.traces.team_runs import CELL, TeamRuns
from simulator.documents import DocumentError, read_own, sealed, unsealed
from simulator.errors import TeamsimError
from simulator.scenario.schema_text import FILE as SCHEMA_FILE
from simulator.scenario.schema_text import scenario_schema_text

FILE = "fits.json"
_VERSION = 6
_TYPES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        CellFit,
        Capacity,
        DraftHabit,
        Estimate,
        BetaEstimate,
        VectorFit,
        Forgetfulness,
        Habits,
        Residual,
        TokenFit,
    )
}


@dataclass(frozen=True)
class Calibrated:
    """A calibrated cell: its fit, the task list it was fitted on, and its pilot runs.

    Attributes
    ----------
    fit : CellFit
    tasks : list of dict
    runs : sequence of mapping
        A pilot run each.
    """

    fit: CellFit
    tasks: list[dict[str, Any]]
    runs: Sequence[Mapping[str, Any]]

    @cached_property
    def pilot(self) -> pd.DataFrame:
        """The pilot runs as a table, a row a run."""
        return pd.DataFrame(self.runs)

    @property
    def sizes(self) -> list[int]:
        """The team sizes of the pilot, in order."""
        return sorted({int(run["n_teammates"]) for run in self.runs})


def calibrated(real: TeamRuns, fits: Sequence[CellFit]) -> list[Calibrated]:
    """Return fits with the task lists and the runs that they were fitted to."""
    return [
        Calibrated(
            fit,
            real.tasks[fit.cell["task_type"], fit.cell["p_label"]],
            _records(runs_of(real.runs, fit.cell)),
        )
        for fit in fits
    ]


def write_calibration(cells: Sequence[Calibrated], out: Path, source: str) -> None:
    """Write ``fits.json``, a scenario a cell, and ``fit_report.csv``.

    Raises
    ------
    TeamsimError
        If `out` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write(cells, out, source)
    except OSError as error:
        raise TeamsimError(f"{out} cannot be written: {error.strerror}") from None


def _write(cells: Sequence[Calibrated], out: Path, source: str) -> None:
    said = [
        {"fit": encode_fit(cell.fit), "tasks": cell.tasks, "pilot": cell.runs} for cell in cells
    ]
    document = {"version": _VERSION, "source": source, "made": _today(), "cells": said}
    (out / FILE).write_text(json.dumps(sealed(document)), encoding="utf-8")
    (out / SCHEMA_FILE).write_text(scenario_schema_text(), encoding="utf-8")
    header = (
        f"# yaml-language-server: $schema=./{SCHEMA_FILE}\n"
        f"# Fitted by `teamsim calibrate` to {source}.\n"
    )
    for cell in cells:
        text = _yaml(cell.fit.scenario(cell.tasks))
        untold = "".join(f"# {each}.\n" for each in cell.fit.gaps())
        (out / f"{cell.fit.name}.yaml").write_text(header + untold + text, encoding="utf-8")
    report = pd.DataFrame([cell.fit.report() for cell in cells])
    report.to_csv(out / "fit_report.csv", index=False)


def read_calibration(directory: Path) -> list[Calibrated]:
    """Read what `write_calibration` wrote.

    Raises
    ------
    TeamsimError
        If the directory holds no calibration of this version.
    """
    path = directory / FILE
    if not path.is_file():
        raise TeamsimError(
            f"{directory} holds no calibrated cells (no {FILE}): " + _other_than_cells(directory)
        )
    try:
        document = read_own(path)
        if (version := document.get("version")) != _VERSION:
            raise TeamsimError(
                f"{path} is of version {version}, this reads {_VERSION}: calibrate again"
            )
        cells = unsealed(document)["cells"]
    except DocumentError as error:
        raise TeamsimError(f"{path} is damaged ({error}): calibrate again") from None
    return [Calibrated(decode_fit(cell["fit"]), cell["tasks"], cell["pilot"]) for cell in cells]


def _other_than_cells(directory: Path) -> str:
    """Return advice for a directory without cells: run the session of a fit to calls."""
    session = next(iter(sorted(directory.glob("*.session.yaml"))), None)
    if session is None:
        return "run `teamsim calibrate` first"
    return f"it holds fits to single calls; run one: teamsim run {session}"


def runs_of(runs: pd.DataFrame, cell: dict[str, str]) -> pd.DataFrame:
    """Return the runs of a cell."""
    return runs[(runs[CELL] == pd.Series(cell)[CELL]).all(axis=1)]


def _records(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Return runs as they are written: whoever reads them has the same."""
    text = runs[_kept(runs)].to_json(orient="records", double_precision=15)
    records: list[dict[str, Any]] = json.loads(text)
    return records


def _kept(runs: pd.DataFrame) -> list[str]:
    """Return the columns of runs that are kept: numbers and names."""
    return [name for name in runs.columns if name != "exp_dir"]


def encode_fit(value: Any) -> Any:
    """Return a fit, or a part of one, as JSON holds it."""
    if type(value).__name__ in _TYPES and dataclasses.is_dataclass(value):
        fields = {f.name: encode_fit(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist()}
    if isinstance(value, dict):
        return {"dict": {key: encode_fit(item) for key, item in value.items()}}
    if isinstance(value, tuple):
        return {"pair": list(value)}
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    return value


def decode_fit(value: Any) -> Any:
    """Return the fit, or the part of one, that `encode_fit` has made JSON of."""
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return np.asarray(value["array"])
    if "dict" in value:
        return {key: decode_fit(item) for key, item in value["dict"].items()}
    if "pair" in value:
        return tuple(value["pair"])
    if "type" not in value:
        return value
    kind = _TYPES[value["type"]]
    return kind(**{name: decode_fit(item) for name, item in value.items() if name != "type"})


def _yaml(document: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=100)
    return text


def _today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()
