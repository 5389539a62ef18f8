"""Runs of calibrated scenarios, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from simulator.experiment import replicate
from simulator.scenario import Scenario

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


def simulated_runs(scenarios: Iterable[Scenario]) -> pd.DataFrame:
    """Return `METRICS` of all replications of scenarios, a row a replication; times in seconds."""
    rows = [
        (
            row.makespan_s,
            row.input_tokens + row.output_tokens,
            row.rounds,
            row.success,
            row.concurrent_writes,
            row.blocked_claims,
            row.calls,
        )
        for scenario in scenarios
        for row in replicate(scenario)
    ]
    return pd.DataFrame(rows, columns=METRICS)
