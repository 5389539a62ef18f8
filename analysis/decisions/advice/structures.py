"""The teams that are compared: sizes and structures, replicated with the same random numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from simulator.errors import TeamsimError
from simulator.experiment import run_each
from simulator.experiment.pool import Processes, Progress
from simulator.scenario import Scenario
from simulator.scenario.changes import with_changes
from simulator.scenario.validation_words import words_of

ALONE = "one agent"

_STRUCTURES: Mapping[str, dict[str, Any]] = {
    "dealt out, nobody talks": {
        "topology": {"kind": "independent", "aggregate": False},
        "coordination.protocol": {"kind": "pre_assigned"},
    },
    "claimed from one queue, nobody talks": {
        "topology": {"kind": "independent", "aggregate": False},
        "coordination.protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
    },
    "claimed, everybody talks": {
        "topology": {"kind": "decentralised"},
        "coordination.protocol": {"kind": "self_claim", "claims": "immediate"},
    },
    "dealt out, a coordinator is told": {
        "topology": {"kind": "centralised"},
        "coordination.protocol": {"kind": "pre_assigned"},
    },
    "a lead hands out the work": {
        "topology": {"kind": "centralised"},
        "coordination.protocol": {"kind": "lead_assign"},
    },
}

_OWN = "as it is"
"""The scenario's own structure."""

_ALONE: dict[str, Any] = {
    "topology": {"kind": "single"},
    "coordination.protocol": {"kind": "pre_assigned"},
}


def size_of(name: str) -> int:
    """Return how many agents a candidate of this name has."""
    return 1 if name == ALONE else int(name.partition(", ")[0])


def structure_of(name: str) -> str:
    """Return how a candidate of this name works together."""
    return name.partition(", ")[2] or "alone"


def changes_to(scenario: Scenario, name: str) -> dict[str, Any]:
    """Return the changes that make the candidate of this name: dotted paths and values."""
    structure = _ALONE if name == ALONE else _STRUCTURES.get(structure_of(name), {})
    return {**structure, **sized(scenario, size_of(name))}


def candidates(scenario: Scenario, sizes: Sequence[int]) -> dict[str, Scenario]:
    """Return one agent, and a team of each size in each structure that the scenario allows.

    The scenario's own structure is one of them. Groups keep their shares of a team.

    Raises
    ------
    TeamsimError
        If the scenario has something that is not possible with one agent.
    """
    own = {
        "topology": scenario.topology.model_dump(),
        "coordination.protocol": scenario.coordination.protocol.model_dump(),
    }
    try:
        found = {ALONE: with_changes(scenario, {**_ALONE, **sized(scenario, 1)})}
    except ValidationError as error:
        said = words_of(error.errors(include_url=False)[0])
        raise TeamsimError(
            f"this scenario cannot be done by one agent ({said}): leave that out with --set"
        ) from None
    seen: set[str] = set()
    for name, changes in {**_STRUCTURES, _OWN: own}.items():
        for n in sizes:
            try:
                team = with_changes(scenario, {**changes, **sized(scenario, n)})
            except ValidationError:
                continue
            said = team.model_dump_json()
            if n > 1 and said not in seen:
                seen.add(said)
                found[f"{n}, {name}"] = team
    return found


def sized(scenario: Scenario, n: int) -> dict[str, int]:
    """Return the changes that make a team of `n` workers: dotted paths and values.

    The sizes of groups are as near to their shares as possible (`dealt`).
    """
    groups = scenario.team.groups
    if groups is None:
        return {"team.size": n}
    return dealt({name: group.size for name, group in groups.items()}, n)


def dealt(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    """Return the sizes of groups that have `n` workers together, by dotted path.

    They are as near to the shares that the groups have now as possible (Hamilton's method of
    largest remainders; of equal remainders, the larger group's comes first, then the earlier
    group's).

    Parameters
    ----------
    sizes : mapping of str to int
        Workers of each group now, not all 0.
    n : int
        At least 0.
    """
    whole = sum(sizes.values())
    quotas = {name: n * size / whole for name, size in sizes.items()}
    counts = {name: math.floor(quota) for name, quota in quotas.items()}
    in_turn = sorted(sizes, key=lambda name: (counts[name] - quotas[name], -sizes[name]))
    for name in in_turn[: n - sum(counts.values())]:
        counts[name] += 1
    return {f"team.groups.{name}.size": count for name, count in counts.items()}


def replicate(
    systems: Mapping[str, Scenario],
    count: int,
    workers: int,
    progress: Progress | None,
    first: int = 0,
    pool: Processes | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the rows of replications `first` to `count` of each system."""
    table = run_each(list(systems.values()), count, workers, progress, first, pool)
    results = table.to_pandas()
    return {name: rows for name, (_, rows) in zip(systems, results.groupby("point"), strict=True)}


def come_to_the_same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Tell whether all runs of two systems came to the same, in all that advice looks at."""
    judged = one.columns.intersection(_JUDGED)
    values, others = (each[judged].to_numpy(np.float64) for each in (one, other))
    return np.array_equal(values, others, equal_nan=True)  # no price: no cost


_JUDGED = ["makespan_s", "cost_usd", "quality", "success", "input_tokens", "output_tokens"]


def leave_out_own(rows: dict[str, pd.DataFrame]) -> str:
    """Leave out the scenario's own structure if another gave the same in all replications so far.

    For example, a mesh whose agents never talk is the same as a team without communication. Two
    names for one team would share the probability of being the best. Returns the other structure,
    or nothing.
    """
    own = [name for name in rows if name.endswith(f", {_OWN}")]
    for structure in _STRUCTURES:
        if own and all(_is_same(rows, name.replace(_OWN, structure), name) for name in own):
            for name in own:
                del rows[name]
            return structure
    return ""


def _is_same(rows: Mapping[str, pd.DataFrame], name: str, other: str) -> bool:
    return name in rows and come_to_the_same(rows[name], rows[other])
