"""Load a scenario, run it as it stands, and run its sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator.api.arguments import path_in, replications_in, seed_in, workers_in
from simulator.api.results import SweepResult, with_origin
from simulator.errors import TeamsimError, what_is
from simulator.experiment import run_sweep
from simulator.experiment.manifest import manifest_of
from simulator.scenario import Scenario, Study, load_study, study_of

Loadable = str | Path | Mapping[str, Any] | Study | Scenario
"""A file, the name of a scenario that ships, what a file says, or what was loaded from it."""


def load(scenario: Loadable, settings: Mapping[str, object] | None = None) -> Study:
    """Read a scenario file, or one that ships, and set fields of it.

    Parameters
    ----------
    scenario : str, Path, mapping, Study or Scenario
        A YAML file, the name of a scenario that ships, or what such a file says.
    settings : mapping of str to object, optional
        Values by dotted path, such as ``{"team.size": 4}``; only of a file, or what it says.

    Raises
    ------
    ScenarioError
        If the file cannot be read or a setting cannot be applied. Wrong fields are found when
        `Study.base` or `Study.points` is asked for.
    TeamsimError
        If it is no scenario.
    """
    if settings is not None and not isinstance(settings, Mapping):
        raise TeamsimError(
            f"settings are values by dotted path, as {{'team.size': 4}}; found {what_is(settings)}"
        )
    if isinstance(scenario, (str, Path)):
        return load_study(scenario, settings or {})
    if isinstance(scenario, Mapping):
        return study_of(scenario, settings or {})
    if settings:
        raise TeamsimError("settings are of a file, or of what it says: load it with them")
    if isinstance(scenario, Scenario):
        return Study.of_scenario(scenario)
    if isinstance(scenario, Study):
        return scenario
    raise TeamsimError(
        "a scenario is a file, the name of one that ships, a dictionary of what a file says, or "
        f"what `load` returns; found {what_is(scenario)}"
    )


def base_of(scenario: Loadable) -> Scenario:
    """Return a scenario as it stands, without its sweep."""
    return scenario if isinstance(scenario, Scenario) else load(scenario).base


def _wanted(replications: int | None, seed: int | None) -> dict[str, int]:
    """Return what is to be in place of the scenario's."""
    wanted = {"replications": replications_in(replications), "seed": seed_in(seed)}
    return {name: value for name, value in wanted.items() if value is not None}


def run(
    scenario: Loadable,
    replications: int | None = None,
    seed: int | None = None,
    workers: int = 1,
) -> SweepResult:
    """Run a scenario as it stands, without its sweep.

    Parameters
    ----------
    scenario : str, Path, mapping, Study or Scenario
    replications, seed : int, optional
        In place of the scenario's.
    workers : int
        Processes, 0 for one for each core; the results do not depend on them.

    Returns
    -------
    SweepResult
        Of one point.

    Raises
    ------
    TeamsimError
        If the scenario is wrong, or there are to be no replications.
    """
    base = base_of(scenario).model_copy(update=_wanted(replications, seed))
    study = Study.of_scenario(base)
    table = run_sweep(study, workers=workers_in(workers)).to_pandas()
    return SweepResult(with_origin(table, base.name, base.seed), manifest_of(study))


def sweep(
    scenario: Loadable,
    out: str | Path | None = None,
    workers: int = 1,
    replications: int | None = None,
    seed: int | None = None,
) -> SweepResult:
    """Run every point of a sweep.

    Parameters
    ----------
    scenario : str, Path, mapping, Study or Scenario
    out : str or Path, optional
        Directory that keeps the results; a sweep that was interrupted goes on from there.
    workers : int
        Processes, 0 for one for each core; the results do not depend on them.
    replications, seed : int, optional
        Of every point, in place of the scenario's.

    Raises
    ------
    TeamsimError
        If a point is wrong, `out` holds other results, or what is given here is swept.
    """
    where = None if out is None else path_in("out is a directory", out)
    study = load(scenario)
    said = _wanted(replications, seed)
    for name in said.keys() & set(study.axes):
        raise TeamsimError(f"{name} is swept: leave it out here, or in the sweep")
    if said:
        study = Study.of_points(
            [
                replace(point, scenario=point.scenario.model_copy(update=said))
                for point in study.points
            ]
        )
    manifest = manifest_of(study)
    table = run_sweep(study, where, workers_in(workers)).to_pandas()
    return SweepResult(with_origin(table, manifest["scenario_name"], manifest["seed"]), manifest)
