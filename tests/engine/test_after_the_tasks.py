"""What follows once the tasks are done: the end of the run, aggregators, merges."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.conftest import agent, scenario

TWO = [{"id": "first"}, {"id": "second", "dependencies": ["first"]}]
LATENCY = {"kind": "seconds", "base": 10}


@pytest.mark.parametrize("way", ["plain", "stepwise"])
@pytest.mark.parametrize(
    "over", [{"resilience": {"enough": 0.5}}, {"limits": {"max_calls": 1}}], ids=["enough", "calls"]
)
def test_nobody_begins_a_call_as_the_run_ends(over: dict[str, Any], way: str) -> None:
    # The first task frees the second, for which the other agent would be woken.
    if way == "stepwise":
        over = {"provider": {"concurrency": 2}, **over}
    trace = Trace()
    m = Simulation(
        scenario(
            team={"size": 2, "agent": agent(latency=LATENCY)},
            topology={"kind": "independent", "aggregate": False},
            coordination={
                "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
                "timing": "asynchronous",
            },
            workload={"kind": "dag", "tasks": TWO},
            **over,
        )
    ).run(0, trace)
    assert (m.makespan_s, m.tasks_done, m.calls) == (10.0, 1, 1)
    assert sum(row.event is Event.CALL_START for row in trace.rows) == 1


def cut_off_and_killed(resilience: dict[str, Any], *more: dict[str, Any]) -> Any:
    """Return the row of three workers, of whom the last owes a merge from 23 s on, and dies then.

    It has done task 2, and task 3 as the others have; merging that takes 7 s. `more` are faults.
    """
    return Simulation(
        scenario(
            team={"size": 3, "agent": agent(latency=LATENCY)},
            topology={"kind": "independent", "aggregate": False},
            coordination={
                "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
                "timing": "asynchronous",
            },
            workload__tasks=6,
            workload__parallel_fraction=1.0,
            workspace={"kind": "last_writer_wins", "on_partition": "available", "merge_s": 7},
            network={"partitions": [{"at_s": 5, "duration_s": 18, "minority": 0.4}]},
            faults=[{"at_s": 24, "kind": "kill", "agent": 2}, *more],
            resilience=resilience,
        )
    ).run(0)


def test_another_makes_the_merge_of_an_agent_that_is_found_dead() -> None:
    # Its last heartbeat is at 20 s, so that it is missed at 35 s.
    m = cut_off_and_killed({"detector": {"period_s": 5, "timeout_s": 15}})
    assert (m.outcome, m.makespan_s, m.tasks_done) == ("completed", 42.0, 6)
    assert (m.merges, m.coordination_s) == (1, 7.0)


def test_who_comes_back_makes_the_merge_that_nobody_could_make() -> None:
    # The others are down from 33 s to 45 and 43 s; the dead one is found at 35 s.
    m = cut_off_and_killed(
        {"detector": {"period_s": 5, "timeout_s": 15}},
        {"at_s": 33, "kind": "crash", "agent": 0, "for_s": 12},
        {"at_s": 33, "kind": "crash", "agent": 1, "for_s": 10},
    )
    assert (m.outcome, m.makespan_s, m.tasks_done) == ("completed", 43 + 7, 6)


@pytest.mark.parametrize(("faults", "until_s"), [([], 65), ([{"agent": 1}], 75)])
def test_who_makes_a_merge_may_come_to_owe_another(
    faults: list[dict[str, Any]], until_s: float
) -> None:
    """Workers 2 and 3 owe merges of 20 s. They are found dead at 35 and 45 s.

    Worker 0 makes the first, and worker 1 the other; if worker 1 is gone, worker 0 makes both.
    """
    m = Simulation(
        scenario(
            team={"size": 4, "agent": agent(latency=LATENCY)},
            topology={"kind": "independent", "aggregate": False},
            coordination={
                "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
                "timing": "asynchronous",
            },
            workload__tasks=8,
            workload__parallel_fraction=1.0,
            workspace={"kind": "last_writer_wins", "on_partition": "available", "merge_s": 20},
            network={"partitions": [{"at_s": 5, "duration_s": 18, "minority": 0.5}]},
            faults=[
                {"at_s": 24, "kind": "kill", "agent": 2},
                {"at_s": 31, "kind": "kill", "agent": 3},
                *[{"at_s": 32, "kind": "kill", **fault} for fault in faults],
            ],
            resilience={"detector": {"period_s": 5, "timeout_s": 15}},
        )
    ).run(0)
    assert (m.outcome, m.makespan_s) == ("completed", until_s)
    assert (m.merges, m.coordination_s) == (2, 40)


def test_a_run_says_whose_merge_it_lacks() -> None:
    m = cut_off_and_killed({})
    assert (m.outcome, m.makespan_s) == ("deadlock", 30.0)
    assert m.reason.endswith("all tasks are done; agent 2 has a merge to make")


def test_a_run_says_that_it_lacks_the_call_of_its_aggregator() -> None:
    m = Simulation(
        scenario(
            team={"size": 2, "agent": agent(latency=LATENCY)},
            topology="independent",
            coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
            workload__tasks=2,
            faults=[{"at_s": 1, "kind": "kill", "agent": "coordinator"}],
        )
    ).run(0)
    assert (m.outcome, m.tasks_done) == ("deadlock", 2)
    assert m.reason.endswith("all tasks are done; the aggregator has not made its call")


AGGREGATED: dict[str, Any] = {
    "topology": "independent",
    "workload": {"kind": "parallel_fraction", "tasks": 2, "parallel_fraction": 1.0},
}


def slow_aggregator(**fields: Any) -> Any:
    """Return the row of a team whose aggregator takes 25 s, and calls of workers mostly 10 s."""
    team = {"size": 2, "agent": agent(latency=LATENCY)} | fields.pop("team", {})
    lead = {"latency": {"kind": "seconds", "base": 25}}
    each = scenario(team={**team, "coordinator": lead}, **{**AGGREGATED, **fields})
    return Simulation(each).run(0)


def test_no_more_is_asked_of_workers_while_an_aggregator_is_at_work() -> None:
    # The fourth of eight tasks is done at 22 s. The call from 20 to 30 s is the last but that of
    # the aggregator.
    slow = agent(latency={"kind": "seconds", "base": 11})
    groups = {"a": {"size": 1, "agent": agent(latency=LATENCY)}, "b": {"size": 1, "agent": slow}}
    m = slow_aggregator(
        team={"size": None, "agent": None, "groups": groups},
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        workload={"kind": "parallel_fraction", "tasks": 8, "parallel_fraction": 1.0},
        resilience={"enough": 0.5},
    )
    assert (m.makespan_s, m.tasks_done, m.calls) == (22 + 25, 5, 3 + 2 + 1)


def test_an_aggregator_follows_at_once_where_workers_make_several_calls_a_round() -> None:
    m = slow_aggregator(coordination={"protocol": "pre_assigned", "calls_per_round": 3})
    assert (m.makespan_s, m.calls, m.idle_calls) == (10 + 25, 3, 0)


def test_nobody_calls_idly_while_the_aggregator_is_down() -> None:
    m = slow_aggregator(
        coordination={"protocol": "pre_assigned"},
        faults=[{"at_s": 12, "kind": "crash", "agent": "coordinator", "for_s": 8}],
    )
    assert (m.makespan_s, m.calls, m.failed_calls, m.idle_calls) == (20 + 25, 4, 1, 0)


def test_nobody_calls_idly_while_another_merges() -> None:
    """As those who are cut off and killed, in rounds of 10 s and with nobody dead."""
    m = Simulation(
        scenario(
            team={"size": 3, "agent": agent(latency=LATENCY)},
            topology={"kind": "independent", "aggregate": False},
            coordination={
                "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"}
            },
            workload__tasks=6,
            workload__parallel_fraction=1.0,
            workspace={"kind": "last_writer_wins", "on_partition": "available", "merge_s": 7},
            network={"partitions": [{"at_s": 5, "duration_s": 18, "minority": 0.4}]},
        )
    ).run(0)
    # The last task is done at 30 s, and the merge takes 7 s.
    assert (m.outcome, m.makespan_s, m.merges) == ("completed", 37, 1)


def test_all_go_on_when_a_task_that_was_enough_is_undone() -> None:
    """Of A, B, C and D two are enough: A and C are done at 10 s. B, over A's file, fails at 15 s.

    Then A is done again, and D is done until 25 s. At 30 s B undoes A once more.
    """
    wrong = agent(
        latency={"kind": "seconds", "base": 15}, errors={"probability": 1.0, "detection": 1.0}
    )
    right = agent(latency=LATENCY, errors={"detection": 1.0})
    m = slow_aggregator(
        team={
            "size": None,
            "agent": None,
            "groups": {
                "a": {"size": 1, "agent": right},
                "b": {"size": 1, "agent": wrong},
                "c": {"size": 1, "agent": right},
            },
        },
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        workload={
            "kind": "dag",
            "tasks": [
                {"id": "A", "files": ["f"], "worker": 1},
                {"id": "B", "files": ["f"], "worker": 2},
                {"id": "C", "worker": 3},
                {"id": "D", "worker": 3},
            ],
        },
        workspace="last_writer_wins",
        resilience={"enough": 0.5},
        limits={"deadline_s": 1000},
    )
    assert (m.outcome, m.makespan_s, m.tasks_done, m.lost_updates) == ("completed", 35, 2, 2)


@pytest.mark.parametrize("timing", ["asynchronous", "rounds"])
def test_an_aggregator_follows_where_those_who_were_cut_off_did_the_last_task(timing: str) -> None:
    m = slow_aggregator(
        coordination={"protocol": "pre_assigned", "timing": timing, "idle_agents": "wait"},
        workspace={"kind": "last_writer_wins", "on_partition": "available"},
        network={"partitions": [{"at_s": 6, "duration_s": 34, "minority": 0.5}]},
    )
    assert (m.outcome, m.makespan_s, m.calls) == ("completed", 40 + 25, 3)
