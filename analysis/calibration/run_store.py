"""Writes fits to the totals of runs into a directory, and reads them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from analysis.calibration.analogues import Analogues, analogues_in, document_of
from analysis.calibration.cell import safe_name
from analysis.calibration.run_file import FILE
from analysis.calibration.run_fits import SCALED, RunFit
from analysis.calibration.run_teams import TeamOf
from analysis.traces.run_tables import RunTable
from simulator.documents import DocumentError, read_own, sealed, unsealed
from simulator.errors import TeamsimError

_VERSION = 3


@dataclass(frozen=True)
class CalibratedRuns:
    """What a calibration on totals of runs has found.

    Attributes
    ----------
    fits : list of RunFit
    analogues : Analogues
    meant : dict
        What names of protocols mean, as for `protocol_names.protocol_called`.
    pilot : DataFrame
        The runs, as in a `RunTable`.
    """

    fits: list[RunFit]
    analogues: Analogues
    meant: dict[str, Any]
    pilot: pd.DataFrame


def write_run_fits(
    fits: Sequence[RunFit], analogues: Analogues, meant: dict[str, Any], table: RunTable, out: Path
) -> None:
    """Write ``run_fits.json``, and a scenario of the nearest analogue for each fit.

    Raises
    ------
    TeamsimError
        If `out` cannot be written.
    """
    document = {
        "version": _VERSION,
        "analogues": document_of(analogues),
        "meant": meant,
        "fits": [fit.to_document() for fit in fits],
        "pilot": json.loads(table.runs.to_json(orient="records", double_precision=15)),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / FILE).write_text(json.dumps(sealed(document)), encoding="utf-8")
        for fit in fits:
            scenario = scenario_of(fit, analogues)
            text = yaml.safe_dump(scenario, sort_keys=False, default_flow_style=None, width=100)
            (out / f"{scenario['name']}.yaml").write_text(text, encoding="utf-8")
    except OSError as error:
        raise TeamsimError(f"{out} cannot be written: {error.strerror}") from None


def scenario_of(fit: RunFit, analogues: Analogues) -> dict[str, Any]:
    """Return the team of the nearest analogue, of the smallest size that was run, as a scenario."""
    match = fit.nearest
    like = analogues.found[match.analogue]
    agent = like.fit(fit.claims)
    assert agent is not None
    team = TeamOf(agent, like.tasks, fit.spec, fit.sizes[0], fit.max_rounds)
    factors = {name: float(np.exp(match.gaps[name])) for name in SCALED if name in match.gaps}
    parts = [part for part in (fit.model, fit.task_list, fit.protocol) if part]
    return {
        **team.scenario(agent, factors),
        "name": safe_name("-".join(parts)),
        "question": f"What do teams of {fit.model or 'these agents'} do under {fit.protocol}?",
    }


def read_run_fits(directory: Path) -> CalibratedRuns:
    """Read what `write_run_fits` wrote.

    Raises
    ------
    TeamsimError
        If it is damaged, or of another version.
    """
    path = directory / FILE
    try:
        document = read_own(path)
        if (version := document.get("version")) != _VERSION:
            raise TeamsimError(
                f"{path} is of version {version}, this reads {_VERSION}: calibrate again"
            )
        document = unsealed(document)
    except DocumentError as error:
        raise TeamsimError(f"{path} is damaged ({error}): calibrate again") from None
    return CalibratedRuns(
        [RunFit.of_document(each) for each in document["fits"]],
        analogues_in(document["analogues"]),
        document["meant"],
        pd.DataFrame(document["pilot"]),
    )
