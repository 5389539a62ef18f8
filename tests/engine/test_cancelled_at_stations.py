"""Calls that are cancelled take no place of a station, also where others leave it just then.

The tools start sub-agents: one that began would count, and be paid for.
"""

from __future__ import annotations

from typing import Any

import pytest

from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row
from tests.engine.test_loops import GROWS, SYSTEM
from tests.engine.test_subagents import REPORT, asking, lasting, of_event, traced


def asked(
    calls: int, wait_for: Any, concurrency: int, size: int = 1, **fields: Any
) -> tuple[Metrics, list[Row]]:
    """Run a team whose agents each ask for sub-agents of 10 s once, all at a station."""
    team = asking(lasting(10), calls=calls, wait_for=wait_for, station="desk")
    return traced(
        team={**team, "size": size},
        stations={"desk": {"concurrency": concurrency}},
        workload__tasks=size,
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        **fields,
    )


def outcomes(rows: list[Row]) -> list[tuple[str, float]]:
    return [(row.outcome or "", row.duration_s or 0.0) for row in of_event(rows, Event.TOOL)]


def test_a_call_does_not_take_the_place_of_another_that_is_cancelled_with_it() -> None:
    # Two of three are served; the first that ends cancels the other and the one that waits.
    metrics, rows = asked(3, "any", 2)
    assert metrics.sub_agents == 2
    assert sorted(outcomes(rows)) == [("cancelled", 0.0), ("cancelled", 10.0), ("done", 10.0)]
    assert [row.duration_s for row in of_event(rows, Event.TOOL_WAIT)] == [10.0]


@pytest.mark.parametrize(("calls", "wait_for", "places"), [(4, 2, 2), (9, 3, 3), (6, 5, 5)])
def test_calls_that_end_together_are_all_counted_before_another_begins(
    calls: int, wait_for: int, places: int
) -> None:
    metrics, rows = asked(calls, wait_for, places)
    assert metrics.sub_agents == places
    assert metrics.tool_s == 10.0 * places
    own = SYSTEM + SYSTEM + GROWS + places * REPORT  # two turns, the second with the reports
    assert metrics.input_tokens == places * SYSTEM + own
    expected = [("cancelled", 0.0)] * (calls - places) + [("done", 10.0)] * places
    assert sorted(outcomes(rows)) == expected


def test_a_place_that_another_agent_leaves_is_not_taken_by_a_call_cancelled_just_then() -> None:
    # Both calls of one agent are served and one of the other's, whose second call waits.
    metrics, _ = asked(2, "any", 3, size=2)
    assert metrics.sub_agents == 3
    assert metrics.makespan_s == 1 + 10 + 1


def test_who_waits_behind_cancelled_calls_is_served_at_once() -> None:
    # The first agent's two calls take both places; the second one's begin when these end.
    metrics, rows = asked(3, "any", 2, size=2)
    assert metrics.sub_agents == 4
    assert metrics.makespan_s == 1 + 10 + 10 + 1
    starts = [row.time_s for row in of_event(rows, Event.SUBAGENT_START)]
    assert starts == [1.0, 1.0, 11.0, 11.0]


def test_what_is_still_needed_begins_at_the_instant_at_which_a_place_is_free() -> None:
    metrics, rows = asked(5, 3, 2)
    assert [row.time_s for row in of_event(rows, Event.SUBAGENT_START)] == [1.0, 1.0, 11.0, 11.0]
    assert metrics.makespan_s == 1 + 20 + 1
    assert metrics.sub_agents == 4


def test_a_crash_of_who_asked_begins_none_of_the_calls_that_wait() -> None:
    crash = [{"kind": "crash", "agent": 0, "at_s": 5.0, "for_s": 100}]
    metrics, _ = asked(4, "all", 2, faults=crash, limits={"deadline_s": 50})
    assert metrics.sub_agents == 2
