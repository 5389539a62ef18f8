"""Runs of calibrated scenarios, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from simulator.engine import Simulation
from simulator.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

Row: TypeAlias = "tuple[float, int, int, bool, int, int, int]"
"""The `METRICS` of a run."""

METRICS = [
    "wall_clock_seconds",
    "total_tokens",
    "total_rounds",
    "success",
    "concurrent_writes",
    "claims_blocked",
    "calls",
]
"""The metrics of a run that are predicted, under the names that real runs have.

Time, tokens and rounds are those of a run as it ends, finished or not, because they are scored
against real runs that were cut off in the same way. They are not the time that the work takes, and
must be read together with ``success``.
"""


def rows_of(documents: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return all replications of scenarios that are documents still, a row a replication.

    Times are in seconds. Other processes do this: they need neither pandas nor what fits agents to
    runs, which take longer to import than a team takes to simulate.
    """
    return [row for scenario in checked(documents) for row in _rows(scenario)]


def checked(documents: Iterable[Mapping[str, Any]]) -> Iterator[Scenario]:
    """Yield scenarios that are documents still; parts that several in a row have, checked once."""
    before: Mapping[str, Any] = {}
    parts: dict[str, Any] = {}
    for document in documents:
        same = {
            name: parts[name]
            for name, said in document.items()
            if name in before and before[name] == said
        }
        scenario = Scenario.model_validate({**document, **same})
        before, parts = document, dict(scenario)
        yield scenario


def as_table(rows: Iterable[Row]) -> pd.DataFrame:
    """Return rows as a table of `METRICS`."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=METRICS)


def _rows(scenario: Scenario) -> Iterator[Row]:
    simulation = Simulation(scenario)
    for replication in range(scenario.replications):
        row = simulation.run(replication)
        yield (
            row.makespan_s,
            row.input_tokens + row.output_tokens,
            row.rounds,
            row.success,
            row.concurrent_writes,
            row.blocked_claims,
            row.calls,
        )
