"""Compare teams that are run, or have been run before, with the first of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.decisions.comparison_words import caveats, price_notes, sentences
from analysis.decisions.side_by_side import SideBySide
from analysis.decisions.side_by_side import compare as hold_beside
from analysis.statistics.chance import are_sure
from simulator.api.arguments import replications_in, seed_in, workers_in
from simulator.api.results import ComparisonResult, SweepResult, with_origin
from simulator.api.running import Loadable, base_of
from simulator.documents import is_there
from simulator.errors import TeamsimError, TeamsimWarning, nearest_name
from simulator.experiment import read_manifest, read_results, run_each
from simulator.experiment.manifest import Manifest, scenario_of
from simulator.experiment.pool import Progress
from simulator.scenario import Scenario
from simulator.scenario.costs import is_cost_known

_MOST_SHOWN = 12
"""Most points of a sweep that a message lists, a line each."""

Team = Loadable | SweepResult
"""A scenario or, not to be run again, the directory of a sweep or the result of a run."""


def compare(
    teams: Team | Mapping[str, Team] | Sequence[Team],
    *others: Team,
    replications: int | None = None,
    seed: int | None = None,
    workers: int = 1,
) -> ComparisonResult:
    """Compare teams with the first of them, all run with the same random numbers.

    Parameters
    ----------
    teams : str, Path, Study, Scenario, SweepResult, or mapping or sequence of them
        The first team, or all of them, also by names of yours. The results of a sweep are a team,
        too: their directory or, where it has several points, ``DIRECTORY:POINT`` with its number
        or name. They are not run again, nor is what `run` has returned.
    *others : str, Path, mapping, Study, Scenario or SweepResult
        The other teams, where the first argument is a team.
    replications : int, optional
        Of each team, the first ones of those that have been run; the most that any of them has or
        says when absent.
    seed : int, optional
        That of the first team that has been run, else the first team's, when absent.
    workers : int
        Processes, 0 for one for each core; the results do not depend on them.

    Raises
    ------
    TeamsimError
        If there are fewer than two teams or replications, a team has been run fewer times than
        asked for, or a scenario is wrong.

    Warns
    -----
    TeamsimWarning
        If a team has been run with another seed: its pairs are independent runs.
    """
    replications, seed = replications_in(replications, least=2), seed_in(seed)
    workers = workers_in(workers)
    compared = _by_name(teams, others)
    if len(compared) < 2:
        raise TeamsimError("a comparison is of two teams or more: compare(first, second)")
    seed = seed_for(compared.values(), seed)
    has_price = {name: is_cost_known(each.scenario) for name, each in compared.items()}
    rows = all_rows(compared, seed, replications, workers)
    found = hold_beside(rows, has_price)
    for name in of_other_seeds(compared, seed):
        warnings.warn(
            f"{name} was run with another seed than {seed}: its pairs are independent runs",
            TeamsimWarning,
            stacklevel=2,
        )
    sure = {name for name, each in compared.items() if are_sure(each.scenario, rows[name])}
    said = [*sentences(found), *caveats(found, sure), *price_notes(has_price)]
    return ComparisonResult(with_origin(rows_of(found), found.reference, seed), found, said)


def _by_name(
    teams: Team | Mapping[str, Team] | Sequence[Team], others: Sequence[Team]
) -> dict[str, Compared]:
    if not others and isinstance(teams, Mapping) and not _is_scenario(teams):
        return unlike([(str(name), _compared(each)) for name, each in teams.items()])
    if isinstance(teams, Sequence) and not isinstance(teams, (str, bytes)):
        in_order = [*teams, *others]
    else:
        in_order = [teams, *others]
    return unlike([(_name_of(each), _compared(each)) for each in in_order])


def _is_scenario(said: Mapping[str, Any]) -> bool:
    """Return whether a mapping says one team, and does not name several."""
    return isinstance(said.get("name"), str) and {"team", "workload"} <= said.keys()


def unlike(teams: Iterable[tuple[str, Compared]]) -> dict[str, Compared]:
    """Return teams by names that differ: one that is there already gets a number."""
    named: dict[str, Compared] = {}
    for said, team in teams:
        name, i = said, 2
        while name in named:
            name, i = f"{said} ({i})", i + 1
        named[name] = team
    return named


def _name_of(team: Team) -> str:
    if isinstance(team, SweepResult):
        return str(team.table.attrs["scenario"])
    if isinstance(team, (str, Path)):
        return name_of(str(team))
    return base_of(team).name


def name_of(said: str) -> str:
    """Return the name of a team that is said as a scenario, a directory or DIRECTORY:POINT."""
    directory, point = directory_in(said)
    if directory is None:
        return Path(said).stem
    return f"{directory.name}:{point}" if point else directory.resolve().name


@dataclass(frozen=True)
class Compared:
    """A team to compare: a scenario still to be run or, with rows, one that has been run."""

    scenario: Scenario
    rows: pd.DataFrame | None = None


def _compared(said: Team) -> Compared:
    if isinstance(said, SweepResult):
        points = said.manifest["points"]
        if len(points) > 1:
            raise TeamsimError(
                f"{said.table.attrs['scenario']} was run at {len(points)} points: compare what "
                "`run` returns, or save the sweep and name DIRECTORY:POINT"
            )
        return Compared(scenario_of(points[0]), said.table)
    if isinstance(said, (str, Path)):
        directory, point = directory_in(str(said))
        if directory is not None:
            return stored(directory, point)
    return Compared(base_of(said))


def directory_in(text: str) -> tuple[Path | None, str]:
    """Return the directory and the point in DIRECTORY or DIRECTORY:POINT; None if it is neither."""
    if _is_directory(text):
        return Path(text), ""
    for i, letter in enumerate(text):
        if letter == ":" and _is_directory(text[:i]):
            return Path(text[:i]), text[i + 1 :]
    return None, ""


def _is_directory(text: str) -> bool:
    return bool(text.strip()) and is_there(Path(text)) and Path(text).is_dir()


def stored(directory: Path, point: str) -> Compared:
    """Return a point of a sweep that is in a directory.

    Raises
    ------
    TeamsimError
        If there is no sweep, or no such point, or if there are several and none is named.
    """
    manifest = read_manifest(directory)
    index = _point_in(manifest, point, directory)
    table = read_results(directory).to_pandas()
    rows = table[table["point"] == index].reset_index(drop=True)
    return Compared(scenario_of(manifest["points"][index]), rows)


def _point_in(manifest: Manifest, point: str, directory: Path) -> int:
    names = [each["name"] for each in manifest["points"]]
    if not point and len(names) == 1:
        return 0
    if point in names:
        return names.index(point)
    if point.isdecimal() and int(point) < len(names):
        return int(point)
    nearest = nearest_name(point, names) if point else ""
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    wrong = f"unknown point {point!r}{hint}" if point else f"it holds {len(names):,} points"
    lines = [f"{directory}: {wrong}; write {directory}:POINT, by number or name"]
    lines += [f"  {i}: {name}" for i, name in enumerate(names[:_MOST_SHOWN])]
    if len(names) > _MOST_SHOWN:
        lines.append(f"  ... and {len(names) - _MOST_SHOWN:,} more")
    raise TeamsimError("\n".join(lines))


def seed_for(teams: Iterable[Compared], asked: int | None) -> int:
    """Return the seed that is asked for, else that of the first team that has been run, or is.

    Raises
    ------
    TeamsimError
        If one is asked for, and all teams have been run already, with another.
    """
    in_order = sorted(teams, key=lambda each: each.rows is None)
    if asked is not None and all(each.rows is not None for each in in_order):
        seeds = sorted({each.scenario.seed for each in in_order})
        if seeds != [asked]:
            ran = " and ".join(map(str, seeds))
            raise TeamsimError(f"seed: these have been run already, with {ran}: leave it out")
    return in_order[0].scenario.seed if asked is None else asked


def of_other_seeds(teams: Mapping[str, Compared], seed: int) -> list[str]:
    """Return the teams that have been run with another seed."""
    run = {name: each for name, each in teams.items() if each.rows is not None}
    return [name for name, each in run.items() if each.scenario.seed != seed]


def all_rows(
    teams: Mapping[str, Compared],
    seed: int,
    replications: int | None,
    workers: int = 1,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the runs of each team; those that have not been run are, with the same seed.

    Raises
    ------
    TeamsimError
        If a team has been run fewer times than `replications` says.
    """
    rows = {name: each.rows for name, each in teams.items() if each.rows is not None}
    for name, each in rows.items():
        if replications is not None and len(each) < replications:
            raise TeamsimError(
                f"replications: {name} has been run {len(each):,} times, not {replications:,}: ask "
                "for fewer, or run it again"
            )
    counts = [
        each.scenario.replications if each.rows is None else len(each.rows)
        for each in teams.values()
    ]
    to_run = [name for name in teams if name not in rows]
    if to_run:
        same = [teams[name].scenario.model_copy(update={"seed": seed}) for name in to_run]
        count = replications or max(counts)
        made = run_each(same, count, workers, progress).to_pandas()
        rows |= {name: made[made["point"] == i] for i, name in enumerate(to_run)}
    if replications is not None:
        rows = {name: each[each["replication"] < replications] for name, each in rows.items()}
    return {name: rows[name] for name in teams}


def rows_of(found: SideBySide) -> pd.DataFrame:
    """Return a comparison as a table, a row a metric of a team."""
    return pd.DataFrame(
        {
            "team": team,
            "reference": found.reference,
            "metric": each.metric,
            "reference_value": each.reference.estimate,
            "reference_low": each.reference.low,
            "reference_high": each.reference.high,
            "value": each.value.estimate,
            "value_low": each.value.low,
            "value_high": each.value.high,
            "change": each.change.estimate,
            "change_low": each.change.low,
            "change_high": each.change.high,
            "verdict": each.verdict,
            "replications": found.replications[team],
        }
        for team, comparisons in found.comparisons.items()
        for each in comparisons
    )
