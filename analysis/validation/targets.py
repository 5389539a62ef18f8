"""What is to be predicted: teams of calibrated cells, and what differs from their pilot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from pydantic import ValidationError

from analysis.calibration.store import Calibrated
from analysis.traces.team_runs import CELL
from simulator.errors import TeamsimError, nearest_name, unknown_name
from simulator.scenario import Scenario, parse_study
from simulator.scenario.families import PROTOCOLS
from simulator.scenario.source import Source

MOST_AGENTS = 10_000
"""Most agents of a predicted team, and most rounds."""


@dataclass(frozen=True)
class Team:
    """A team of a cell.

    Attributes
    ----------
    cell : int
        The cell's place in the calibration.
    n : int
        Agents.
    max_rounds : int or None
        Rounds after which its runs are given up; None: as in the pilot.
    """

    cell: int
    n: int
    max_rounds: int | None = None


@dataclass(frozen=True)
class Target:
    """The teams to predict.

    Attributes
    ----------
    team_sizes : sequence of int
        Sizes of every cell's teams, if `teams` are not said.
    changes : mapping
        Fields of the calibrated scenario that differ, dotted paths and values.
    teams : sequence of Team
    max_rounds : int or None
        Of teams that do not say it.
    """

    team_sizes: Sequence[int]
    changes: Mapping[str, Any]
    teams: Sequence[Team] = ()
    max_rounds: int | None = None

    def of(self, cells: Sequence[Calibrated]) -> list[Team]:
        """Return the teams of these cells, each once, with the limits that they are to have."""
        all_sizes = (Team(i, int(n)) for i in range(len(cells)) for n in self.team_sizes)
        teams = self.teams or all_sizes
        limited = (Team(it.cell, it.n, it.max_rounds or self.max_rounds) for it in teams)
        return list(dict.fromkeys(limited))

    def changes_of(self, team: Team) -> dict[str, Any]:
        """Return the fields that differ from the pilot's for a team."""
        limit = {} if team.max_rounds is None else {"limits.max_rounds": team.max_rounds}
        return {**self.changes, **limit}


def read_teams(path: Path, cells: Sequence[Calibrated]) -> list[Team]:
    """Return the teams of a table: the columns of a cell, ``n_teammates``, perhaps ``max_rounds``.

    Parameters
    ----------
    path : Path
        CSV or Parquet, a row a team; several rows may name the same one.
    cells : sequence of Calibrated

    Raises
    ------
    TeamsimError
        If it cannot be read, lacks a column, or names a cell that is not calibrated.
    """
    from analysis.traces.named_tables import read_csv, read_parquet  # few ask for a table

    columns = [*CELL, "n_teammates"]
    table = (read_parquet if path.suffix == ".parquet" else read_csv)(path, columns)
    if table.empty:
        raise TeamsimError(f"{path} has no teams: it has no rows")
    if "max_rounds" not in table:
        plain = {str(name).lower(): str(name) for name in table.columns}
        like_it = nearest_name("max_rounds", plain, cutoff=0.8)
        if like_it:
            name = plain[like_it]
            raise TeamsimError(f"{path} has the column {name!r}: call it 'max_rounds', or drop it")
    table = _with_whole_numbers(table, path, "n_teammates", may_miss=False)
    table = _with_whole_numbers(table, path, "max_rounds")
    known = {tuple(str(cell.fit.cell[key]) for key in CELL): i for i, cell in enumerate(cells)}
    teams = []
    for i, row in enumerate(table.to_dict("records")):
        key = tuple(str(row[name]) for name in CELL)
        if key not in known:
            names = ["/".join(each) for each in known]
            raise TeamsimError(f"{path}, row {i + 1}: {unknown_name('cell', '/'.join(key), names)}")
        limit = float(row.get("max_rounds", math.nan))
        said = None if math.isnan(limit) else int(limit)
        teams.append(Team(known[key], int(row["n_teammates"]), said))
    return list(dict.fromkeys(teams))


def _with_whole_numbers(
    table: pd.DataFrame, path: Path, name: str, may_miss: bool = True
) -> pd.DataFrame:
    if name not in table:
        return table
    found = table[name]
    numbers = pd.to_numeric(found, errors="coerce")
    wrong = ~((numbers >= 1) & (numbers <= MOST_AGENTS) & (numbers % 1 == 0))
    if may_miss:
        wrong &= found.notna()
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        said = f"{numbers.iloc[row]:g}"
        if pd.isna(numbers.iloc[row]):
            said = "missing" if pd.isna(found.iloc[row]) else repr(str(found.iloc[row])[:60])
        raise TeamsimError(
            f"{path}, row {row + 1}: {name!r} is {said}, not a whole number from 1 to "
            f"{MOST_AGENTS:,}"
        )
    return table.assign(**{name: numbers.astype(float)})


def parse_changes(
    topology: str | None, protocol: str | None, workload: str | None
) -> dict[str, Any]:
    """Return the changes that options of the command line ask for.

    Each is the name of a kind, a mapping in YAML, or a YAML file with one.

    Raises
    ------
    TeamsimError
        If a file cannot be read or is no YAML.
    """
    paths = {
        "topology": topology,
        "coordination.protocol": protocol,
        "workload": workload,
    }
    return {path: mapping_in(text) for path, text in paths.items() if text is not None}


def mapping_in(text: str) -> Any:
    """Return what an option says: a name, a mapping in YAML, or the content of a YAML file."""
    if text.endswith((".yaml", ".yml")):
        return Source.read(Path(text)).data
    return Source.parse(text, repr(text)).data


def changed(document: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with the fields at dotted paths set.

    Under another protocol, without claims that could stay open, agents forget none.
    """
    for path, value in changes.items():
        *parents, last = path.split(".")
        node = document
        for key in parents:
            node = node[key]
        node[last] = value
    if "coordination.protocol" in changes:
        protocol = document["coordination"]["protocol"]
        kind = protocol["kind"] if isinstance(protocol, Mapping) else protocol
        if kind in PROTOCOLS.names() and not PROTOCOLS.get(kind).has_claims:
            document["team"]["agent"].pop("forgetting", None)
    return document


def check_target(cells: Sequence[Calibrated], target: Target) -> None:
    """Check, before the work is done, that a target gives valid scenarios.

    Raises
    ------
    ScenarioError
        Naming what is wrong, where, and what is allowed.
    """
    for team in target.of(cells):
        cell = cells[team.cell]
        document = changed(cell.fit.scenario(cell.tasks, team.n), target.changes_of(team))
        try:
            Scenario.model_validate(document)
        except ValidationError:  # as text, what is wrong has a name and a line
            _ = parse_study(yaml.safe_dump(document), f"prediction of {cell.fit.name}").base
            raise
