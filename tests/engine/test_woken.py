"""Whom something new wakes: who can do it, and somebody else if who is woken does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import agent, run

TEN: dict[str, Any] = {"latency": {"kind": "seconds", "per_work_unit_s": 10, "idle": 10}}
QUEUE: dict[str, Any] = {"kind": "self_claim", "claims": "immediate", "choice": "first"}
ASYNC: dict[str, Any] = {"coordination__timing": "asynchronous"}


def tasks(*said: dict[str, Any]) -> dict[str, Any]:
    """Return a workload of tasks named a, b, c, ... of 10 s each."""
    return {"kind": "dag", "tasks": [{"id": "abcdef"[i], **each} for i, each in enumerate(said)]}


def test_a_task_that_arrives_while_a_sleeper_is_cut_off_is_for_the_others() -> None:
    """Agent 2 has slept from the start, so that it would be woken first."""
    metrics = run(
        **ASYNC,
        team={"size": 3, "agent": agent(**TEN)},
        coordination__protocol=QUEUE,
        workload=tasks({}, {}, {"arrival_s": 20}),
        network={"partitions": [{"at_s": 15, "duration_s": 100, "minority": 0.34}]},
    )
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 30)


def test_who_is_cut_off_as_it_is_woken_leaves_the_task_to_another() -> None:
    """At 10 s two tasks are freed, and agents 3 and 4, who have slept longest, are cut off."""
    metrics = run(
        **ASYNC,
        team={"size": 5, "agent": agent(**TEN)},
        coordination__protocol=QUEUE,
        workload=tasks(
            {}, {"size": 0.5}, {"size": 0.5}, {"dependencies": ["a"]}, {"dependencies": ["a"]}
        ),
        network={"partitions": [{"at_s": 10, "duration_s": 100, "minority": 0.4}]},
    )
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 20)


def test_a_task_dealt_to_somebody_dead_is_stolen_at_once() -> None:
    """Agent 0 has died in its sleep, and nobody has found out yet."""
    metrics = run(
        **ASYNC,
        team={"size": 2, "agent": agent(**TEN)},
        coordination__protocol="work_stealing",
        workload=tasks({"arrival_s": 20}),
        faults=[{"at_s": 5, "kind": "kill", "agent": 0}],
    )
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 30)


@pytest.mark.parametrize(
    ("protocol", "habit"),
    [(QUEUE, {"deference": 1}), (QUEUE, {"idle": 1}), ("work_stealing", {"idle": 1})],
)
def test_what_one_leaves_to_others_wakes_another(protocol: Any, habit: dict[str, Any]) -> None:
    """Of two that sleep, the first to be woken takes nothing; the other does the task."""
    team = {
        "groups": {
            "shy": {"size": 1, "agent": agent(**TEN, behaviour=habit)},
            "bold": {"size": 1, "agent": agent(**TEN)},
        }
    }
    metrics = run(
        **ASYNC,
        team=team,
        coordination__protocol=protocol,
        workload=tasks({"arrival_s": 20}),
        limits={"max_calls": 20},
    )
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 30)


def test_what_is_left_once_more_wakes_a_third() -> None:
    """Two are shy, and the third does it."""
    team = {
        "groups": {
            "shy": {"size": 2, "agent": agent(**TEN, behaviour={"idle": 1})},
            "bold": {"size": 1, "agent": agent(**TEN)},
        }
    }
    metrics = run(
        **ASYNC,
        team=team,
        coordination__protocol=QUEUE,
        workload=tasks({"arrival_s": 20}),
        limits={"max_calls": 20},
    )
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 30)


@pytest.mark.parametrize("protocol", [QUEUE, "work_stealing"])
def test_a_minority_that_goes_on_does_side_by_side_what_it_has_freed(protocol: Any) -> None:
    """Agents 2 and 3 are cut off; at 10 s agent 2 has done what two tasks wait for."""
    long = {"size": 4}
    metrics = run(
        **ASYNC,
        team={"size": 4, "agent": agent(**TEN)},
        coordination__protocol=protocol,
        workspace={"kind": "last_writer_wins", "on_partition": "available"},
        workload=tasks(long, long, {}, {"dependencies": ["c"]}, {"dependencies": ["c"]}),
        network={"partitions": [{"at_s": 5, "duration_s": 16, "minority": 0.5}]},
    )
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 40)
    assert (metrics.tasks_done, metrics.attempts) == (5, 5)


@pytest.mark.parametrize("kind", ["kill", "stall"])
def test_another_verifier_takes_up_a_review_that_came_to_nothing(kind: str) -> None:
    """The task is done at 10 s. The first verifier dies, or is found stuck, in its review."""
    metrics = run(
        **ASYNC,
        team={"size": 1, "agent": agent(**TEN)},
        coordination__review={"by": "verifiers", "verifiers": 2, "work": 1},
        workload__tasks=1,
        faults=[{"at_s": 12, "kind": kind, "agent": "verifier"}],
        resilience={"detector": {"progress_s": 15}},
        limits={"max_calls": 10},
    )
    assert metrics.outcome == "completed"
    assert metrics.makespan_s == pytest.approx(22 if kind == "kill" else 35)


@pytest.mark.parametrize("timing", ["asynchronous", "rounds"])
@pytest.mark.parametrize("protocol", [QUEUE, "work_stealing"])
def test_what_a_stuck_agent_had_goes_to_others(protocol: Any, timing: str) -> None:
    """All that agent 0 asks gets stuck; agent 1, which is free, does its task."""
    metrics = run(
        coordination={"protocol": protocol, "timing": timing, "idle_agents": "wait"},
        team={"size": 2, "agent": agent(**TEN)},
        workload__tasks=2,
        faults=[{"at_s": 0, "kind": "stall", "agent": 0}],
        resilience={"detector": {"progress_s": 15}},
        limits={"max_calls": 10},
    )
    assert metrics.outcome == "completed"
    assert metrics.makespan_s == pytest.approx(25)


HIERARCHY: dict[str, Any] = {
    "topology": {"kind": "hierarchical", "fan_out": 2},
    "coordination": {"protocol": "lead_assign", "timing": "asynchronous"},
    "team": {"size": 4, "agent": agent(**TEN)},
}
"""Two coordinators with two workers each."""


def test_all_coordinators_who_have_somebody_free_hand_out_what_can_start() -> None:
    """The first task is done at 20 s; four others wait for it, one for each worker."""
    long = {"size": 5, "dependencies": ["a"]}
    metrics = run(**HIERARCHY, workload=tasks({}, *[long] * 4))
    assert metrics.makespan_s == 10 + 10 + 10 + 50


def test_a_coordinator_hands_out_what_arrives_while_another_is_dead() -> None:
    metrics = run(
        **HIERARCHY,
        workload=tasks({"arrival_s": 40}),
        faults=[{"at_s": 1, "kind": "kill", "agent": "coordinator"}],
    )
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 60)


def test_what_an_agent_has_again_and_does_not_take_up_is_stolen() -> None:
    """Agent 0 has done both tasks in its first call, and does one at a time from then on."""
    wrong = {"probability": 1, "detection": 1, "max_attempts": 2}
    metrics = run(
        **ASYNC,
        team={"size": 2, "agent": agent(**TEN, first_batch=2, errors=wrong)},
        coordination__protocol={"kind": "work_stealing", "start": "one"},
        workload__tasks=2,
    )
    assert (metrics.makespan_s, metrics.steals) == (30, 1)
