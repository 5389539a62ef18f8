"""Load a scenario, run it as it stands, and run its sweep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from simulator.api.results import SweepResult, with_origin
from simulator.errors import TeamsimError
from simulator.experiment import run_sweep
from simulator.experiment.manifest import manifest_of
from simulator.scenario import Scenario, Study, load_study

Loadable = str | Path | Study | Scenario
"""A file, the name of a scenario that ships, or what was loaded from it."""


def load(scenario: str | Path, settings: Mapping[str, object] | None = None) -> Study:
    """Read a scenario file, or one that ships, and set fields of it.

    Parameters
    ----------
    scenario : str or Path
        A YAML file, or the name of a scenario that ships.
    settings : mapping of str to object, optional
        Values by dotted path, such as ``{"team.size": 4}``.

    Raises
    ------
    ScenarioError
        If the file cannot be read or a setting cannot be applied.
    """
    said = [f"{path}={json.dumps(value)}" for path, value in (settings or {}).items()]
    return load_study(scenario, said)


def base_of(scenario: Loadable) -> Scenario:
    """Return a scenario as it stands, without its sweep."""
    if isinstance(scenario, Scenario):
        return scenario
    return (scenario if isinstance(scenario, Study) else load(scenario)).base


def run(
    scenario: Loadable,
    replications: int | None = None,
    seed: int | None = None,
    workers: int = 1,
) -> SweepResult:
    """Run a scenario as it stands, without its sweep.

    Parameters
    ----------
    scenario : str, Path, Study or Scenario
    replications, seed : int, optional
        In place of the scenario's.
    workers : int
        Processes; the results do not depend on them.

    Returns
    -------
    SweepResult
        Of one point.

    Raises
    ------
    TeamsimError
        If the scenario is wrong, or there are to be no replications.
    """
    base = base_of(scenario)
    wanted = {"replications": replications, "seed": seed}
    said = {name: value for name, value in wanted.items() if value is not None}
    for name, value in said.items():
        if value < (name == "replications"):
            raise TeamsimError(f"{name}: {value} is too small")
    base = base.model_copy(update=said)
    study = Study.of_scenario(base)
    table = run_sweep(study, workers=workers).to_pandas()
    return SweepResult(with_origin(table, base.name, base.seed), manifest_of(study))


def sweep(
    scenario: str | Path | Study, out: str | Path | None = None, workers: int = 1
) -> SweepResult:
    """Run every point of a sweep.

    Parameters
    ----------
    scenario : str, Path or Study
    out : str or Path, optional
        Directory that keeps the results; a sweep that was interrupted goes on from there.
    workers : int
        Processes; the results do not depend on them.

    Raises
    ------
    TeamsimError
        If a point is wrong, or `out` holds other results.
    """
    study = scenario if isinstance(scenario, Study) else load(scenario)
    manifest = manifest_of(study)
    table = run_sweep(study, out, workers).to_pandas()
    return SweepResult(with_origin(table, manifest["scenario_name"], manifest["seed"]), manifest)
