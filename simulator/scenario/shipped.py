"""The scenarios and templates that ship with the simulator, found by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from simulator.documents import is_there
from simulator.errors import Problem, ScenarioError, unknown_name

_PACKAGE = Path(__file__).parents[1]
TEMPLATES = _PACKAGE / "templates"
"""Directory of the scenarios that ``teamsim new`` writes."""


@cache
def scenario_directory() -> Path:
    """Return where the scenarios that ship are: in the package or, in a source tree, beside it."""
    installed = _PACKAGE / "scenarios"
    return installed if installed.is_dir() else _PACKAGE.parent / "scenarios"


@cache
def scenario_names() -> tuple[str, ...]:
    """Return the names of the scenarios that ship."""
    return names_in(scenario_directory())


def names_in(directory: Path) -> tuple[str, ...]:
    """Return the names of the scenarios in a directory, without the ending."""
    return tuple(sorted(path.stem for path in directory.glob("*.yaml")))


def scenario_path(path: Path) -> Path:
    """Return the file that a user means: the path itself or, for a bare name, what ships.

    Raises
    ------
    ScenarioError
        If it is a bare name, and neither a file nor a scenario that ships.
    """
    if path.suffix or len(path.parts) != 1:
        return path
    if path.name in scenario_names() and (path.is_dir() or not path.exists()):
        return scenario_directory() / f"{path.name}.yaml"
    if is_there(path):
        return path
    unknown = unknown_name("scenario", path.name, scenario_names()).partition(" (allowed")[0]
    message = f"no such file, and {unknown} (`teamsim scenarios` lists those that ship)"
    raise ScenarioError([Problem(str(path), "", message)])
