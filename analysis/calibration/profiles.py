"""Agent profiles made from fits: YAML files with source, date, sample size, standard errors."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from analysis.calibration.calls import CallFit
from analysis.calibration.cell import CellFit, Probability
from analysis.calibration.cells import AGENT, fit_pooled
from analysis.calibration.rounding import four_digits
from analysis.traces.readers.llm_teams import TeamRuns


def pooled_fits(team: TeamRuns, fits: Sequence[CellFit]) -> list[CellFit]:
    """Return one fit for each agent and mode, its cells taken as one.

    The two habits that are matched by simulation are the medians over the cells.
    """
    pooled = []
    for fit in fit_pooled(team):
        same = [each for each in fits if all(each.cell[key] == fit.cell[key] for key in AGENT)]
        deference, noise = (
            float(np.median([getattr(each, name).value for each in same]))
            for name in ("deference", "noise")
        )
        pooled.append(fit.with_habits(deference, noise))
    return pooled


def write_profile(fit: CellFit, path: Path, source: str) -> None:
    """Write an agent of a team as a profile."""
    said = f"{source}: {fit.runs} runs, {fit.calls} calls, {fit.cell['mode']}"
    if fit.claims_itself:
        said += f"; choice noise {four_digits(fit.noise.value)}"
    _write(path, said, fit.agent(), fit.parameters())


def call_profile(fit: CallFit, path: Path, source: str) -> None:
    """Write an agent fitted to single calls as a profile."""
    said = f"{source}: {fit.calls} calls of {fit.sessions} sessions of {fit.model}"
    _write(path, said, fit.agent(), fit.parameters())


def _write(
    path: Path, said: str, agent: dict[str, Any], parameters: Mapping[str, Probability]
) -> None:
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    document = {"source": f"{said}; fitted by teamsim calibrate on {today}", **agent}
    text: str = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=100)
    lines = [
        "# Estimates and standard errors (relative ones for what is fitted on a log scale):",
        *(
            f"#   {name}: {four_digits(each.value)} ± {four_digits(each.error)}"
            for name, each in parameters.items()
        ),
    ]
    path.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
