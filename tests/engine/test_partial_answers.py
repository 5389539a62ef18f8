"""Calls that fail for good in votes and debates: the others decide without them."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.model.metrics import Metrics
from tests.conftest import agent, run_as_traced, scenario

LATENCY = {"kind": "seconds", "base": 10}
ASKING: dict[str, dict[str, Any]] = {
    "vote": {"kind": "replicate_and_vote"},
    "early": {"kind": "replicate_and_vote", "early_stop": True},
    "debate": {"kind": "debate", "rounds": 0},
    "in turn": {"kind": "debate", "rounds": 0, "order": "sequential"},
    "in rounds": {"kind": "debate", "rounds": 2},
}

asked = pytest.mark.parametrize("asks", ASKING)
timed = pytest.mark.parametrize("timing", ["rounds", "asynchronous"])


def three(protocol: dict[str, Any], timing: str, lost: set[int], **fields: Any) -> Metrics:
    """Run one task in a team of three, of whom the replies of some can never be used."""
    groups = {
        str(i): {
            "size": 1,
            "agent": agent(latency=LATENCY, faults={"malformed": float(i in lost)}),
        }
        for i in range(3)
    }
    defaults: dict[str, Any] = {
        "workload__tasks": 1,
        "resilience": {"fallback": {"partial": True}},
        "limits": {"max_calls": 100},
    }
    coordination = {"protocol": protocol, "timing": timing, "idle_agents": "wait"}
    coordination |= fields.pop("more", {})
    return run_as_traced(
        scenario(team={"groups": groups}, coordination=coordination, **(defaults | fields))
    )


@timed
@asked
@pytest.mark.parametrize("lost", [{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}], ids=str)
@pytest.mark.parametrize("after", [1, 2])
def test_the_others_decide(asks: str, timing: str, lost: set[int], after: int) -> None:
    resilience = {"fallback": {"partial": True, "partial_after": after}}
    m = three(ASKING[asks], timing, lost, resilience=resilience)
    assert (m.outcome, m.tasks_correct, m.partial_tasks) == ("completed", 1, 0)
    at_least = 1 if asks == "early" else len(lost) * after
    assert at_least <= m.failed_calls <= len(lost) * after


@timed
@asked
@pytest.mark.parametrize("after", [1, 2])
def test_what_nobody_answers_is_left_as_it_is(asks: str, timing: str, after: int) -> None:
    resilience = {"fallback": {"partial": True, "partial_after": after}}
    m = three(ASKING[asks], timing, {0, 1, 2}, resilience=resilience)
    assert (m.outcome, m.tasks_correct, m.partial_tasks) == ("completed", 0, 1)
    assert (m.faulty_detected, m.failed_calls) == (1, 3 * after)


@timed
def test_what_the_others_decide_is_reviewed(timing: str) -> None:
    m = three(ASKING["vote"], timing, {2}, more={"review": {"by": "verifiers"}})
    assert (m.outcome, m.tasks_correct, m.reviews) == ("completed", 1, 1)


@timed
def test_a_quorum_is_of_those_who_answer(timing: str) -> None:
    protocol = {"kind": "replicate_and_vote", "quorum": 2}
    assert three(protocol, timing, {1}).makespan_s == 10
    m = three(protocol, timing, {0, 1})
    assert (m.makespan_s, m.tasks_correct) == (10, 1)


@timed
def test_a_task_whose_judge_fails_is_left_as_it_is(timing: str) -> None:
    """The three answer until 10 s, and one judges from then on, in an outage from 12 s on."""
    m = three(
        {"kind": "replicate_and_vote", "vote": "best_of"},
        timing,
        set(),
        provider={"error_s": 1, "retry": {"max_retries": 0}},
        faults=[{"at_s": 12, "kind": "outage", "for_s": 28}],
    )
    assert (m.outcome, m.makespan_s, m.partial_tasks) == ("completed", 12, 1)
