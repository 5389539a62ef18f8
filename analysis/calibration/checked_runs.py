"""Single runs of teams and their calls, as rows.

Other processes do this: they need neither pandas nor what fits agents to runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.calibration.simulated_runs import checked
from simulator.engine import Simulation
from simulator.model.trace import Event, Trace

MEASURED = [
    "wall_clock_seconds",
    "total_tokens",
    "total_rounds",
    "success",
    "concurrent_writes",
    "idle_rounds",
    "failed_tests",
    "straggler_gap_s",
    "calls",
    "idle_calls",
]
"""What is measured of a run."""

Call = tuple[float, int]
"""Duration and number of attempts."""


@dataclass(frozen=True)
class Team:
    """A team of which each run has parameters of its own.

    Attributes
    ----------
    documents : sequence of mapping
        The scenario of each run.
    traced : int
        How many of the first runs also give their calls.
    """

    documents: Sequence[Mapping[str, Any]]
    traced: int


def checked_runs(team: Team) -> tuple[list[tuple[float, ...]], list[Call]]:
    """Return `MEASURED` of each run, and the calls of those that are traced."""
    rows: list[tuple[float, ...]] = []
    calls: list[Call] = []
    for i, scenario in enumerate(checked(team.documents)):
        trace = Trace() if i < team.traced else None
        row = Simulation(scenario).run(0, trace)
        rows.append(
            (
                row.makespan_s,
                row.input_tokens + row.output_tokens,
                row.rounds,
                row.success,
                row.concurrent_writes,
                row.idle_rounds,
                row.failed_tests,
                row.straggler_gap_s,
                row.calls,
                row.idle_calls,
            )
        )
        if trace is not None:
            calls += _calls(trace)
    return rows, calls


def _calls(trace: Trace) -> list[Call]:
    attempts: dict[int, int] = {}
    ended = []
    for row in trace.rows:
        if row.event == Event.ATTEMPT and row.call is not None:
            attempts[row.call] = attempts.get(row.call, 0) + 1
        elif row.event == Event.CALL_END and row.call is not None and row.duration_s is not None:
            ended.append((row.duration_s, attempts.get(row.call, 0)))
    return ended
