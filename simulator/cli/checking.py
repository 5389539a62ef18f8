"""The command ``check``: everything that is wrong with any number of scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.harmless import complain, say
from simulator.cli.json_output import AsJson, print_json
from simulator.cli.options import Settings
from simulator.cli.quiet import Quiet, is_quiet
from simulator.words import counted

if TYPE_CHECKING:
    from simulator.errors import Problem
    from simulator.registry import Plugin
    from simulator.scenario import Scenario, Study

Files = Annotated[
    list[Path],
    typer.Argument(help="Scenario files (YAML), or scenarios that ship.", metavar="SCENARIO..."),
]


def check(
    scenarios: Files, settings: Settings = None, as_json: AsJson = False, quiet: Quiet = False
) -> int:
    """Check scenarios: all that is wrong, with line and remedy, else points and replications."""
    from simulator.errors import ScenarioError

    files, problems = [], []
    for path in scenarios:
        found, wrong = _checked(path, settings or [])
        files.append({"file": str(path), "ok": not wrong, **found, "errors": _described(wrong)})
        problems += wrong
        if not wrong and not as_json:
            points = counted(found["points"], "point")
            say(f"{path}: ok, {points}, {counted(found['replications'], 'replication')}")
            for note in [] if is_quiet() else found["notes"]:
                complain(f"note: {note}")
    if as_json:
        print_json("check", {"ok": not problems, "files": files})
        return 2 if problems else 0
    if problems:
        raise ScenarioError(list(dict.fromkeys(problems)))  # one of --set is of each file
    return 0


def _checked(path: Path, settings: list[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Return what a file holds, or what is wrong with it."""
    from simulator.errors import ScenarioError
    from simulator.experiment.estimate import estimate
    from simulator.scenario import load_study
    from simulator.scenario.costs import budget_notes

    try:
        study = load_study(path, settings)
    except ScenarioError as error:
        return {}, list(error.problems)
    wrong = study.problems() or _wrong_beside_the_fields(study)
    if wrong:
        return {}, sorted(wrong, key=_line)
    points = study.points
    unused = dict.fromkeys(note for point in points for note in budget_notes(point.scenario))
    found = {
        "deprecated": _described(study.deprecated),
        "name": points[0].scenario.name,
        "points": len(points),
        "replications": sum(point.scenario.replications for point in points),
        "notes": [*estimate(points).notes(), *_cannot_run(study), *unused],
    }
    return found, []


def _cannot_run(study: Study) -> list[str]:
    """Say that a scenario is one only with its sweep, which `run` leaves out."""
    from simulator.errors import ScenarioError

    try:
        _ = study.base
    except ScenarioError as error:
        return [f"without its sweep it cannot be run: {each}" for each in error.problems]
    return []


def _line(problem: Problem) -> int:
    """Return the line of a problem in its file; 0 for an option."""
    line = problem.origin.rpartition(":")[2]
    return int(line) if line.isdecimal() else 0


def _wrong_beside_the_fields(study: Study) -> list[Problem]:
    """Return what is wrong with figure, precision, expectations and the size of the experiment."""
    from analysis.statistics.curves import check_figure
    from simulator.api.expecting import expected_of
    from simulator.errors import Problem, TeamsimError
    from simulator.experiment.allocation import budget_of
    from simulator.experiment.estimate import estimate
    from simulator.scenario.costs import is_cost_known

    points = study.points
    expected = dict.fromkeys(text for point in points for text in point.scenario.expect)
    scenarios = [point.scenario for point in points]
    priced = next(filter(is_cost_known, scenarios), scenarios[0])
    wrong = []
    for is_right in (
        lambda: check_figure(study),
        lambda: budget_of(scenarios),
        lambda: expected_of(priced, expected),
        lambda: estimate(points).check_memory(),
        lambda: _set_up_plugins(scenarios),
    ):
        try:
            is_right()
        except TeamsimError as error:
            for line in str(error).split("\n"):
                field, colon, message = line.partition(": ")
                is_field = bool(colon) and field.replace(".", "_").isidentifier()
                where = study.where(field if is_field else "")
                wrong.append(Problem(where, field, message) if is_field else
                             Problem(where, "", line))  # fmt: skip
    return wrong


def _set_up_plugins(scenarios: list[Scenario]) -> None:
    """Make what the plugins of other packages make, once for each combination of them."""
    found: dict[tuple[Plugin, ...], Scenario] = {}
    for each in scenarios:
        plugins = (each.topology, each.coordination.protocol, each.workload, each.workspace)
        if not all(plugin.ships() for plugin in plugins):
            found.setdefault(plugins, each)
    if not found:
        return
    from simulator.engine import Simulation

    for scenario in found.values():
        Simulation(scenario).set_up()


def _described(problems: list[Problem]) -> list[dict[str, str]]:
    return [{"where": p.origin, "field": p.path, "message": p.message} for p in problems]
