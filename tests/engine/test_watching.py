"""Whichever agent makes a call: if it hangs, it is found and made again."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Trace
from simulator.scenario import Scenario
from tests.conftest import agent, run_as_traced, scenario

TEN = agent(latency={"kind": "seconds", "base": 10})
WATCHED = {"detector": {"progress_s": 30}, "supervisor": {"restart_s": 2}}
TIMINGS = ["rounds", "asynchronous"]


def found_stuck(of: Scenario) -> tuple[Metrics, list[int | None]]:
    """Run a scenario; return its metrics and who was found stuck."""
    trace = Trace()
    Simulation(of).run(0, trace)
    found = [row.agent for row in trace.rows if row.event is Event.DETECTED]
    return run_as_traced(of), found


def stalled_at(seconds: float, who: int | str) -> dict[str, Any]:
    return {"faults": [{"at_s": seconds, "kind": "stall", "agent": who, "for_s": 15}]}


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("at_s", [5.0, 25.0, 62.0])
@pytest.mark.parametrize(
    "structure",
    [
        {"topology": "centralised", "coordination__protocol": "lead_assign"},
        {"topology": "centralised", "coordination__protocol": "pre_assigned"},
        {"topology": "hierarchical", "coordination__protocol": "pre_assigned"},
    ],
)
def test_a_coordinator_that_hangs_is_found_and_restarted(
    structure: dict[str, Any], at_s: float, timing: str
) -> None:
    speaks = {**TEN, "behaviour": {"talk": 1}}
    team = scenario(
        team={"size": 3, "agent": speaks},
        **structure,
        coordination__timing=timing,
        workload__tasks=12,
        resilience=WATCHED,
        **stalled_at(at_s, "coordinator"),
    )
    metrics, found = found_stuck(team)
    assert metrics.outcome == "completed"
    assert metrics.detections == metrics.restarts == len(found)
    assert metrics.stalls == metrics.detections  # each request that hung, and nothing else
    assert metrics.failed_calls == metrics.detections
    assert set(found) <= {3, 4}


def test_a_coordinator_that_hangs_is_found_whatever_it_is_at() -> None:
    """The lead's first call is in flight at 5 s, in rounds and asynchronously."""
    for timing in TIMINGS:
        team = scenario(
            team={"size": 3, "agent": TEN},
            topology="centralised",
            coordination={"protocol": "lead_assign", "timing": timing},
            workload__tasks=12,
            resilience=WATCHED,
            **stalled_at(5, "coordinator"),
        )
        metrics, found = found_stuck(team)
        assert (metrics.outcome, metrics.stalls, found) == ("completed", 1, [3])


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize(
    ("by", "who", "index"), [("verifiers", "verifier", 2), ("peers", 0, 0), ("peers", 1, 1)]
)
def test_a_reviewer_that_hangs_is_found(by: str, who: int | str, index: int, timing: str) -> None:
    team = scenario(
        team={"size": 2, "agent": TEN},
        coordination={
            "protocol": "pre_assigned",
            "timing": timing,
            "review": {"by": by, "work": 0},
        },
        workload__tasks=4,
        resilience=WATCHED,
        **stalled_at(15, who),
    )
    metrics, found = found_stuck(team)
    assert metrics.outcome == "completed"
    assert (metrics.stalls, found) == (1, [index])
    assert metrics.tasks_correct == 4


@pytest.mark.parametrize("timing", TIMINGS)
def test_a_judge_that_hangs_is_found(timing: str) -> None:
    team = scenario(
        team={"size": 3, "agent": TEN},
        coordination={
            "protocol": {"kind": "replicate_and_vote", "vote": "judge", "replicas": 2},
            "timing": timing,
        },
        workload__tasks=3,
        team__agent=TEN,
        resilience={"detector": {"progress_s": 30}},
        faults=[{"at_s": 0, "kind": "stall", "agent": [0, 1, 2], "for_s": 200}],
    )
    metrics, _ = found_stuck(team)
    assert metrics.outcome == "completed"
    assert metrics.stalls == metrics.detections == metrics.failed_calls > 3


@pytest.mark.parametrize("hedge", [None, {"after_s": 3}])
def test_a_script_counts_the_requests_in_flight_that_it_stops(hedge: dict[str, Any] | None) -> None:
    team = scenario(
        team__agent=TEN,
        coordination__timing="asynchronous",
        workload__tasks=2,
        resilience={"timeout": {"seconds": 12}, "retry": {}, "hedge": hedge},
        faults=[{"at_s": 5, "kind": "stall", "agent": 0, "for_s": 2}],
    )
    metrics = run_as_traced(team)
    assert metrics.outcome == "completed"
    assert metrics.stalls == (1 if hedge is None else 2)


@pytest.mark.parametrize("timing", TIMINGS)
def test_calls_of_all_roles_hang_at_random_and_the_work_is_done(timing: str) -> None:
    hanging = agent(latency={"kind": "seconds", "base": 10}, faults={"stall": 0.1})
    team = scenario(
        team={"size": 3, "agent": hanging},
        topology="centralised",
        coordination={
            "protocol": "lead_assign",
            "timing": timing,
            "review": {"by": "verifiers", "verifiers": 2},
        },
        workload__tasks=60,
        resilience=WATCHED,
    )
    metrics, found = found_stuck(team)
    assert metrics.outcome == "completed"
    assert metrics.stalls == metrics.detections > 5
    assert {0, 1, 2} & set(found)
    assert {3, 4, 5} & set(found)
