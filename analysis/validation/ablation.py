"""The value of each part of the calibrated model: scores of predictions without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.calibration import fit_cells
from analysis.calibration.store import Calibrated, calibrated
from analysis.traces.team_runs import TeamRuns
from analysis.validation import validate
from analysis.validation.prediction import Adjust, predict_cells
from analysis.validation.targets import Target
from simulator.errors import TeamsimError, unknown_name
from simulator.experiment.pool import Processes, Progress


def no_run_variation(document: dict[str, Any]) -> dict[str, Any]:
    """Make all runs equal: no effects of a run on durations, tokens or errors."""
    cleaned: dict[str, Any] = _without(document, "run_sigma")
    return cleaned


def no_duplicates(document: dict[str, Any]) -> dict[str, Any]:
    """Let agents see claims at once, so that no two agents do the same work."""
    if document["coordination"]["protocol"]["kind"] == "self_claim":
        document["coordination"]["protocol"]["claims"] = "immediate"
    return document


def no_habits(document: dict[str, Any]) -> dict[str, Any]:
    """Remove habits: at each call, agents decide anew how much to take on and whether to idle."""
    document["team"]["agent"]["batch_persistence"] = 0.0
    document["team"]["agent"]["behaviour"]["idle_persistence"] = 0.0
    return document


def no_growth_of_style(document: dict[str, Any]) -> dict[str, Any]:
    """Let the number of tasks not matter for whether an agent begins with one a call."""
    document["team"]["agent"]["one_by_one"]["growth"] = 0.0
    return document


def no_drafts(document: dict[str, Any]) -> dict[str, Any]:
    """Let later attempts at a task take as much work as the first, and write its files again."""
    document["team"]["agent"]["redo_work"] = 1.0
    document["team"]["agent"]["behaviour"].pop("leave_drafts", None)
    return document


def no_output_limit(document: dict[str, Any]) -> dict[str, Any]:
    """Let replies be of any length."""
    document["team"]["agent"].pop("capacity", None)
    return document


def no_joint_failures(document: dict[str, Any]) -> dict[str, Any]:
    """Let the attempts of a call fail independently."""
    document["team"]["agent"]["errors"]["call_correlation"] = 0.0
    return document


def no_blindness(document: dict[str, Any]) -> dict[str, Any]:
    """Let agents pick only tasks that can start."""
    document["team"]["agent"]["behaviour"].pop("blind_calls", None)
    return document


def no_forgetting(document: dict[str, Any]) -> dict[str, Any]:
    """Let agents hand in what they have finished."""
    document["team"]["agent"].pop("forgetting", None)
    return document


WITHOUT: dict[str, Adjust] = {
    "run-level variation": no_run_variation,
    "duplicates": no_duplicates,
    "habits": no_habits,
    "growth of style": no_growth_of_style,
    "kept drafts": no_drafts,
    "output limit": no_output_limit,
    "joint failures": no_joint_failures,
    "blindness to dependencies": no_blindness,
    "forgetting": no_forgetting,
}
"""Parts of the mechanism, and the changes of a scenario that remove them."""

POOLING, UNCERTAINTY, CARRIED = "pooling over cells", "parameter uncertainty", "runs carried over"
PARTS = (*WITHOUT, POOLING, UNCERTAINTY, CARRIED)
"""All that can be left out: parts of the mechanism, and of the way from fits to predictions."""


def parts_in(names: Sequence[str]) -> tuple[str, ...]:
    """Return which of `PARTS` are named, with spaces or hyphens; all of them by ``each``.

    Raises
    ------
    TeamsimError
        If one is not known.
    """
    if "each" in names:
        return PARTS
    spaced = [name.replace("-", " ") for name in names]
    known = {part.replace("-", " "): part for part in PARTS}
    for name in spaced:
        if name not in known:
            raise TeamsimError(f"--without: {unknown_name('part', name, [*known, 'each'])}")
    return tuple(known[name] for name in spaced)


def ablation_table(
    pilot: TeamRuns,
    cells: Sequence[Calibrated],
    truth: Path,
    team_sizes: Sequence[int],
    replications: int = 100,
    workers: int | Processes = 1,
    progress: Progress | None = None,
    parts: Sequence[str] = PARTS,
) -> pd.DataFrame:
    """Return the mean CRPS (log) of predictions with all parts, and without each part.

    Parameters
    ----------
    pilot : TeamRuns
    cells : sequence of Calibrated
        The fits of `fit_cells` to the pilot.
    truth : Path
        Runs of the predicted teams.
    team_sizes : sequence of int
    replications : int
        Of each cell and size.
    workers, progress
        As for `simulator.experiment.pool.in_processes`.
    parts : sequence of str
        Which of `PARTS` are left out, each in turn.

    Returns
    -------
    DataFrame
        Index: the part left out; columns: the metrics, and ``success`` (Brier score).
    """
    variants: list[tuple[str, Sequence[Calibrated], dict[str, Any]]] = [("nothing", cells, {})]
    for name in parts:
        if name == POOLING:
            alone = calibrated(pilot, fit_cells(pilot, workers=workers, pooled=False))
            variants.append((name, alone, {}))
        elif name == UNCERTAINTY:
            certain = [Calibrated(_Certain(cell.fit), cell.tasks, cell.runs) for cell in cells]  # type: ignore[arg-type]
            variants.append((name, certain, {}))
        elif name == CARRIED:
            variants.append((name, cells, {"carry_over": False}))
        else:
            variants.append((name, cells, {"adjust": WITHOUT[name]}))
    rows = {}
    target = Target(team_sizes, {})
    for i, (name, used, options) in enumerate(variants):
        table = predict_cells(used, target, replications, workers, **options)
        known = pd.concat([cell.pilot for cell in used], ignore_index=True)
        rows[name] = validate(table, known, truth).summary.set_index("metric")["predicted"]
        if progress is not None:
            progress(i + 1, len(variants))
    result = pd.DataFrame(rows).T
    result.index.name = "without"
    return result


class _Certain:
    """A fit without uncertainty: each draw is the estimate itself."""

    def __init__(self, fit: Any) -> None:
        self._fit = fit

    def draw(self, rng: Any) -> Any:
        """Return the estimate."""
        return self._fit

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._fit, name)


def _without(node: Any, name: str) -> Any:
    if isinstance(node, dict):
        return {key: _without(value, name) for key, value in node.items() if key != name}
    if isinstance(node, list):
        return [_without(value, name) for value in node]
    return node
