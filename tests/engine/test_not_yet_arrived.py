"""Tasks that have not arrived are not on the board, and who is alone writes for nobody."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.trace import Event, Row, Trace
from tests.conftest import agent, scenario


def rows(event: Event, **fields: Any) -> list[Row]:
    """Return the trace's rows of one event of replication 0."""
    trace = Trace()
    Simulation(scenario(**fields)).run(0, trace)
    return [row for row in trace.rows if row.event is event]


def test_an_agent_reads_the_tasks_that_have_arrived() -> None:
    # One task a minute, each done at once: the k-th call finds k of the four on the board.
    ended = rows(
        Event.CALL_END,
        team__agent=agent(
            context={"system_tokens": 1000, "board_tokens_per_task": 100, "retention": 0},
            tokens={"output": 0, "message": 0},
        ),
        coordination__timing="asynchronous",
        workload={"kind": "arrivals", "tasks": 4, "interarrival_s": 60},
    )
    assert [row.input_tokens for row in ended] == [1100, 1200, 1300, 1400]


AT_ONCE = {"kind": "self_claim", "claims": "immediate"}
BLIND = [{"blind_calls": 1}, {"dependency_blindness": 1}]


@pytest.mark.parametrize("behaviour", BLIND)
@pytest.mark.parametrize("protocol", [{"kind": "pre_assigned"}, AT_ONCE])
@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
def test_who_is_blind_to_dependencies_sees_no_task_before_it_is_there(
    behaviour: dict[str, float], protocol: dict[str, str], timing: str
) -> None:
    # b needs a, which takes 30 s, and is there from 7 s on: then it is attempted blindly.
    attempts = rows(
        Event.ATTEMPT,
        team__size=2,
        team__agent=agent(
            latency={"kind": "seconds", "per_work_unit_s": 1, "base": 0.5},
            behaviour={"talk": 0, **behaviour},
        ),
        coordination={"protocol": protocol, "timing": timing, "idle_agents": "wait"},
        workload={
            "kind": "dag",
            "tasks": [
                {"id": "a", "size": 30},
                {"id": "b", "dependencies": ["a"], "arrival_s": 7},
            ],
        },
        limits__max_calls=100,
    )
    began = [row.time_s - (row.duration_s or 0.0) for row in attempts if row.task == 1]
    assert all(each >= 7.0 for each in began)
    if timing == "asynchronous" and protocol == AT_ONCE:
        assert (attempts[0].task, attempts[0].outcome) == (1, "blocked")
        assert began[0] == 7.0


def test_an_agent_finds_to_do_what_has_arrived() -> None:
    # The more tasks an agent finds, the likelier it is to begin one by one: of the nine, one is
    # there at first.
    habit = {
        "one_by_one": {"probability": 0.5, "at_tasks": 1, "growth": 50},
        "batch_persistence": 1,
    }
    tasks = [{"id": str(i), "arrival_s": 0.0 if i == 0 else 500.0} for i in range(9)]
    alone = agent(batch=9, **habit)
    fields: dict[str, Any] = {
        "team__agent": alone,
        "coordination__protocol": "pre_assigned",
        "coordination__timing": "asynchronous",
        "workload": {"kind": "dag", "tasks": tasks},
    }
    simulation = Simulation(scenario(**fields))
    several = sum(simulation.run(r).calls == 2 for r in range(200))
    assert 60 < several < 140  # a coin of one half, with 5.6 standard deviations to either side


@pytest.mark.parametrize("topology", ["decentralised", "blackboard", "ring", "gossip"])
def test_who_is_alone_says_nothing_to_anybody(topology: str) -> None:
    talks = agent(behaviour={"talk": 1, "chatter": 1}, tokens={"output": 10, "message": 100})
    fields: dict[str, Any] = {"team__agent": talks, "workload__tasks": 5}
    alone = Simulation(scenario(**fields)).run(0)
    there = Simulation(scenario(**fields, topology=topology)).run(0)
    assert alone == there
