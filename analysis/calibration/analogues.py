"""Analogues: agents at work on task lists, fitted call by call, for runs of which less is known.

Of runs that are known by their totals alone, nobody can tell how many tasks a call took on or how
long each took. But they resemble runs that are known call by call: those of the same agent on other
task lists. A forecast from analogues (Lorenz 1969) takes the nearest of these, here as simulated
agents, each in both of the modes in which it was fitted: with its tasks dealt out, and claiming
them. What runs take more or less than their analogue under one mode they take, in part, under the
other. How much of it carries over is a regression on the analogues themselves: on the differences
between lists of the same agent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.cell import CellFit
from analysis.calibration.profile_names import profile_name
from analysis.calibration.store import Calibrated, decode_fit, encode_fit
from simulator.distributions import Floats
from simulator.documents import DocumentError, parse_json, read_own, sealed, unsealed
from simulator.errors import TeamsimError

FILE = "analogues.json"
COMPARED = ("seconds", "tokens", "rounds", "calls")
"""The totals by which runs are compared, on a log scale."""

_VERSION = 3
_DOUBT = 0.5
"""Standard deviation of the prior of the share that carries over, around 1."""
_LEAST_NOISE = 1e-6
"""Least variance of what does not carry over."""
_UNKNOWN_SD = 0.5
"""What is taken for the spread between lists where there are too few to tell it."""


@dataclass(frozen=True)
class Analogue:
    """An agent on a task list, fitted with its tasks dealt out, claiming them, or both."""

    model: str
    task_list: str
    tasks: list[dict[str, Any]]
    dealt: CellFit | None
    claiming: CellFit | None

    def fit(self, claims: bool) -> CellFit | None:
        """Return the fit of one mode, None if there is none."""
        return self.claiming if claims else self.dealt


@dataclass(frozen=True)
class Carry:
    """How differences between task lists carry over from one mode to the other.

    Attributes
    ----------
    share : dict
        For each of `COMPARED`, how much of a difference in one mode is found in the other, too.
    spread : dict
        Standard deviation of the rest, that of one list.
    """

    share: dict[str, float]
    spread: dict[str, float]


@dataclass(frozen=True)
class Analogues:
    """All that runs are compared with.

    Attributes
    ----------
    source : str
    found : list of Analogue
    carry : dict
        By whether the agents of the known runs claim their tasks: what carries over to the others.
    between : dict
        By whether agents claim: covariance of the log totals (`COMPARED`) of lists of one agent.
    """

    source: str
    found: list[Analogue]
    carry: dict[bool, Carry]
    between: dict[bool, Floats]

    def spread(self, claims: bool, name: str) -> float:
        """Return the standard deviation of a log total between task lists of one agent."""
        at = COMPARED.index(name)
        return float(np.sqrt(self.between[claims][at, at]))

    def of(self, model: str) -> tuple[list[int], bool]:
        """Return the places of a model's analogues, and True; of all models' if it has none."""
        name = profile_name(model)
        same = [i for i, each in enumerate(self.found) if profile_name(each.model) == name]
        return (same, True) if same else (list(range(len(self.found))), False)


def analogues_of(cells: Sequence[Calibrated], source: str) -> Analogues:
    """Return the analogues that fitted cells are, and how their differences carry over."""
    pairs: dict[tuple[str, str], dict[bool, Calibrated]] = {}
    for cell in cells:
        at = cell.fit.cell
        key = at["model_dir"], f"{at['task_type']}/{at['p_label']}"
        pairs.setdefault(key, {})[cell.fit.claims_itself] = cell
    found = [
        Analogue(
            *key,
            _without_names(next(iter(modes.values())).tasks),
            modes[False].fit if False in modes else None,
            modes[True].fit if True in modes else None,
        )
        for key, modes in pairs.items()
    ]
    rows = [
        pd.DataFrame({claims: _log_totals(cell.pilot) for claims, cell in modes.items()})
        for modes in pairs.values()
    ]
    models = [key[0] for key in pairs]
    return Analogues(
        source,
        found,
        {claims: _carry(rows, models, claims) for claims in (False, True)},
        {claims: _between(rows, models, claims) for claims in (False, True)},
    )


def _without_names(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return tasks under neutral names: only who waits for whom, and who writes what, matters."""
    ids = {task["id"]: f"t{i + 1}" for i, task in enumerate(tasks)}
    files: dict[str, str] = {}
    for task in tasks:
        for name in task["files"]:
            files.setdefault(name, f"f{len(files) + 1}")
    return [
        {
            "id": ids[task["id"]],
            "dependencies": [ids[each] for each in task["dependencies"]],
            "files": [files[name] for name in task["files"]],
        }
        for task in tasks
    ]


def _log_totals(runs: pd.DataFrame) -> pd.Series:
    """Return the means of the log totals, all team sizes counted alike."""
    totals = pd.DataFrame(
        {
            "seconds": runs["wall_clock_seconds"],
            "tokens": runs["total_input_tokens"] + runs["total_output_tokens"],
            "rounds": runs["total_rounds"],
            "calls": runs["calls"],
        }
    ).astype(float)
    logs = totals.apply(np.log)
    return logs.groupby(runs["n_teammates"].to_numpy()).mean().mean()


def _carry(rows: Sequence[pd.DataFrame], models: Sequence[str], claims: bool) -> Carry:
    """Regress the other mode on this one, over the lists of each agent, its means removed."""
    both = [i for i, row in enumerate(rows) if row.shape[1] == 2]
    of = pd.Series([models[i] for i in both], dtype=object)
    freedom = len(both) - of.nunique() - 1
    if freedom < 1:
        return Carry(dict.fromkeys(COMPARED, 1.0), dict.fromkeys(COMPARED, _UNKNOWN_SD))
    here, there = (_apart([rows[i][mode] for i in both], of) for mode in (claims, not claims))
    squares, products = (here**2).sum(), (here * there).sum()
    alone = products / squares
    noise = ((there - alone * here) ** 2).sum() / freedom + _LEAST_NOISE
    share = (products / noise + _DOUBT**-2) / (squares / noise + _DOUBT**-2)
    spread = np.sqrt(((there - share * here) ** 2).sum() / freedom)
    return Carry(
        {name: float(share[name]) for name in COMPARED},
        {name: float(spread[name]) for name in COMPARED},
    )


def _apart(rows: Sequence[pd.Series], of: pd.Series) -> pd.DataFrame:
    """Return the log totals of lists, less the mean over the lists of the same agent."""
    table = pd.DataFrame(rows)[list(COMPARED)].reset_index(drop=True)
    return table - table.groupby(of).transform("mean")


def _between(rows: Sequence[pd.DataFrame], models: Sequence[str], claims: bool) -> Floats:
    """Return the covariance of the log totals of lists of one agent, its own mean removed.

    Of few lists, only the variances.
    """
    kept = [(row[claims], model) for row, model in zip(rows, models, strict=True) if claims in row]
    if not kept:
        return np.eye(len(COMPARED)) * _UNKNOWN_SD**2
    of = pd.Series([model for _, model in kept], dtype=object)
    apart = _apart([row for row, _ in kept], of)
    freedom = len(apart) - of.nunique()
    if freedom < 2:
        return np.eye(len(COMPARED)) * _UNKNOWN_SD**2
    covariance = np.asarray(apart.T @ apart / freedom, dtype=np.float64)
    return covariance if freedom >= 2 * len(COMPARED) else np.diag(np.diag(covariance))


def read_analogues(directory: Path | None) -> Analogues:
    """Return the analogues that a calibration of team runs has written, or those that ship.

    Raises
    ------
    TeamsimError
        If the directory holds none, or they are damaged.
    """
    try:
        if directory is None:
            file = resources.files("analysis.calibration").joinpath(FILE)
            document = parse_json(file.read_text(encoding="utf-8"), any_float=True)
        else:
            document = read_own(directory / FILE)
        return analogues_in(unsealed(document))
    except DocumentError as error:
        where = FILE if directory is None else directory / FILE
        raise TeamsimError(
            f"{where}: {error} (`teamsim calibrate` writes it for runs of teams on task lists)"
        ) from None


def write_analogues(analogues: Analogues, directory: Path) -> None:
    """Write ``analogues.json``, numbers to six digits."""
    text = json.dumps(sealed(document_of(analogues)))
    (directory / FILE).write_text(text + "\n", encoding="utf-8")


def document_of(analogues: Analogues) -> dict[str, Any]:
    """Return analogues as JSON holds them."""
    said = {
        "version": _VERSION,
        "source": analogues.source,
        "found": [
            {
                "model": each.model,
                "task_list": each.task_list,
                "tasks": each.tasks,
                "dealt": None if each.dealt is None else encode_fit(each.dealt),
                "claiming": None if each.claiming is None else encode_fit(each.claiming),
            }
            for each in analogues.found
        ],
        "carry": [[claims, carry.share, carry.spread] for claims, carry in analogues.carry.items()],
        "between": [[claims, each.tolist()] for claims, each in analogues.between.items()],
    }
    return dict(_rounded(said))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return value


def analogues_in(document: dict[str, Any]) -> Analogues:
    """Return the analogues that a JSON document holds."""
    if document.get("version") != _VERSION:
        raise TeamsimError("the analogues are of another version: calibrate again")
    return Analogues(
        document["source"],
        [
            Analogue(
                each["model"],
                each["task_list"],
                each["tasks"],
                None if each["dealt"] is None else decode_fit(each["dealt"]),
                None if each["claiming"] is None else decode_fit(each["claiming"]),
            )
            for each in document["found"]
        ],
        {claims: Carry(share, spread) for claims, share, spread in document["carry"]},
        {claims: np.asarray(each) for claims, each in document["between"]},
    )
