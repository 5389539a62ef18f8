"""Writes the scenario that is advised, with a comment that says why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.decisions.advice import ALONE, Advice, candidates
from analysis.decisions.advice.structures import changes_to, size_of
from simulator.cli.terminal import check_writable
from simulator.errors import ScenarioError, TeamsimError
from simulator.scenario import Scenario, Study, parse_study
from simulator.scenario.writing import scenario_lines, scenario_name
from simulator.version import __version__

_HEAD = "The scenario that teamsim advise"


def check_target(path: Path) -> None:
    """Check, before the work, that the advised scenario can be written.

    Raises
    ------
    TeamsimError
        If it cannot, or if another file would be written over.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise TeamsimError(f"--write {path}: a scenario is a file that ends in .yaml")
    check_writable(path)
    if path.exists() and not path.read_bytes().startswith(f"# {_HEAD}".encode()):
        raise TeamsimError(f"--write {path}: it exists, and is not from an earlier advice")


def write_advised(study: Study, advice: Advice, words: Sequence[str], path: Path) -> None:
    """Write the best scenario, with the advice above it."""
    sizes = [size_of(advice.best)] if advice.best != ALONE else [2]
    best = candidates(study.base, sizes)[advice.best]
    name = scenario_name(path.stem, study.base.name)
    best = best.model_copy(update={"name": name})
    document = study.document(changes_to(study.base, advice.best)) | {"name": name}
    head = [
        f"{_HEAD} {__version__} found best for {study.base.name!r}: {advice.best}.",
        *words,
    ]
    text = "\n".join(scenario_lines(document, head)) + "\n"
    if not _says(text, path, best):  # it names files that lie elsewhere
        text = "\n".join(scenario_lines(_in_full(best), head)) + "\n"
    path.write_text(text, encoding="utf-8")


def _says(text: str, path: Path, wanted: Scenario) -> bool:
    """Return whether a file would hold a scenario, but for what is no part of a run."""
    try:
        found = parse_study(text, str(path), path.parent).base
    except ScenarioError:
        return False
    return _matters(found) == _matters(wanted)


def _matters(scenario: Scenario) -> dict[str, Any]:
    said = scenario.model_dump(mode="json")
    kept = {key: value for key, value in said.items() if key not in ("answer", "figure")}
    return dict(_without_profiles(kept))


def _in_full(scenario: Scenario) -> dict[str, Any]:
    """Return all fields of a scenario, so that it needs no other file."""
    return {key: value for key, value in _matters(scenario).items() if value is not None}


def _without_profiles(value: Any) -> Any:
    """Return a document whose agents name no profile, as their fields are all there."""
    if isinstance(value, list):
        return [_without_profiles(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_profiles(each) for key, each in value.items() if key != "profile"}
