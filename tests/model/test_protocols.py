"""Which agent gets which task, and the state of the task afterwards."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.engine import Simulation
from simulator.model.board import CONFLICT, FIRST, REWRITE, Board, TaskPool
from simulator.model.protocols.pre_assigned import PreAssigned
from simulator.model.tasks import Task, TaskGraph
from simulator.model.trace import Event, Trace
from tests.conftest import run, scenario


def chain(length: int, beside: int = 0) -> list[dict[str, object]]:
    tasks: list[dict[str, object]] = [{"id": f"c{i}"} for i in range(length)]
    for i in range(1, length):
        tasks[i]["dependencies"] = [f"c{i - 1}"]
    return tasks + [{"id": f"i{i}"} for i in range(beside)]


def test_pre_assignment_keeps_chains_together_and_deals_the_rest_in_turn() -> None:
    graph = TaskGraph.of([Task.model_validate(t) for t in chain(3, beside=3)])
    assert PreAssigned().owners(graph, 2) == [0, 0, 0, 1, 0, 1]
    assert PreAssigned(keep_chains=False).owners(graph, 2) == [0, 1, 0, 1, 0, 1]


def test_a_task_goes_to_the_agent_of_its_last_dependency() -> None:
    tasks = [Task(id="a"), Task(id="b"), Task(id="c", dependencies=("a", "b"))]
    assert PreAssigned().owners(TaskGraph.of(tasks), 2) == [0, 1, 1]


def test_a_task_that_says_who_does_it_goes_there() -> None:
    tasks = [
        Task(id="a", family="y"), Task(id="b", dependencies=("a",), family="x", worker=2),
        Task(id="c", dependencies=("b",)), Task(id="d", family="y"), Task(id="e", worker=9),
        Task(id="f", family="nobody"), Task(id="g", family="x", worker=5, size=8), Task(id="h"),
    ]  # fmt: skip
    graph, families = TaskGraph.of(tasks), ["x", "x", "y", "y"]
    dealt = PreAssigned().owners(graph, 4, families)
    # Two of a family in turn; the chain goes on; the fifth of two, and the ninth of four, is round.
    assert dealt == [2, 1, 1, 3, 0, 0, 0, 0]
    longest = PreAssigned(deal="longest_first").owners(graph, 4, families)
    assert (longest[:2], longest[3:7]) == ([2, 1], [3, 0, 0, 0])
    assert longest[7] != 0  # who has the longest task has enough


def test_a_team_waits_for_who_is_to_do_a_task() -> None:
    tasks = [{"id": str(i), "worker": 1} for i in range(4)]
    said: dict[str, Any] = {"team__size": 2, "coordination__protocol": {"kind": "pre_assigned"}}
    free = [{"id": task["id"]} for task in tasks]
    bound, dealt = (
        run(**said, workload={"kind": "dag", "tasks": each}).makespan_s for each in (tasks, free)
    )
    assert bound == pytest.approx(2 * dealt)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(1, 1, 2), (2, 3, 3, 2, 2), (5, 4, 3, 3, 3), (7,), (1, 9, 1, 1)])
def test_the_longest_tasks_are_dealt_first_and_to_who_has_least(
    sizes: tuple[int, ...], workers: int
) -> None:
    graph = TaskGraph.of([Task(id=str(i), size=size) for i, size in enumerate(sizes)])
    owners = PreAssigned(deal="longest_first").owners(graph, workers)
    loads = [sum(s for s, o in zip(sizes, owners, strict=True) if o == w) for w in range(workers)]
    best = min(
        max(sum(s for s, o in zip(sizes, deal, strict=True) if o == w) for w in range(workers))
        for deal in itertools.product(range(workers), repeat=len(sizes))
    )
    # Graham 1969: up to 4/3 - 1/(3n) of the best.
    assert max(loads) <= (4 / 3 - 1 / (3 * workers)) * best + 1e-9
    # Whoever is given a task last had least: no other has less than it had before.
    for w in range(workers):
        mine = [s for s, o in zip(sizes, owners, strict=True) if o == w]
        assert not mine or loads[w] - min(mine) <= min(loads)


def test_an_owner_may_do_a_chain_in_one_call_and_its_claims_count_as_blocked() -> None:
    fields = {
        "team__agent__batch": 10,
        "workload": {"kind": "dag", "tasks": chain(5)},
        "coordination__protocol": "pre_assigned",
    }
    m = run(**fields)
    assert (m.calls, m.tasks_done, m.blocked_claims, m.wasted_s) == (1, 5, 4, 0)
    fields["coordination__protocol"] = {"kind": "pre_assigned", "work_ahead": False}
    m = run(**fields)
    assert (m.calls, m.blocked_claims) == (5, 0)


def test_a_claiming_agent_needs_a_call_for_every_level_of_a_chain() -> None:
    m = run(team__agent__batch=10, workload={"kind": "dag", "tasks": chain(5)})
    assert (m.calls, m.blocked_claims) == (5, 0)


def test_agents_blind_to_dependencies_make_blocked_claims() -> None:
    behaviour = {"talk": 0, "dependency_blindness": 1}
    work = {"kind": "dag", "tasks": chain(5)}
    m = run(team__agent__behaviour=behaviour, workload=work)
    assert m.blocked_claims > 0
    assert m.attempts == 5 + m.blocked_claims
    assert m.wasted_s == m.blocked_claims


def test_agents_blind_to_claims_duplicate_work() -> None:
    agent = {
        "latency": {"kind": "seconds", "base": {"kind": "exponential", "mean": 1}},
        "behaviour": {"talk": 0, "claim_blindness": 1},
    }
    fields = {"team__size": 3, "coordination__timing": "asynchronous"}
    assert run(team__agent=agent, **fields).duplicate_attempts > 0
    agent["behaviour"]["claim_blindness"] = 0
    assert run(team__agent=agent, **fields).duplicate_attempts == 0


def test_deferent_agents_leave_the_last_tasks_to_others() -> None:
    stale = {"kind": "self_claim", "choice": "random"}
    fields = {"team__size": 4, "workload__parallel_fraction": 0, "coordination__protocol": stale}
    eager = run(**fields)
    deferent = run(team__agent__behaviour={"talk": 0, "deference": 0.7}, **fields)
    assert deferent.duplicate_attempts < eager.duplicate_attempts
    assert deferent.idle_calls > eager.idle_calls == 0


@pytest.mark.thorough
@pytest.mark.theory
def test_work_until_it_passes_its_tests_costs_one_over_one_minus_f() -> None:
    # Retries at failure probability f: 1 / (1 - f) attempts a task (geometric). 2,000 x 20 tasks,
    # |z| < 3: 99.7 %; the standard error is 0.4 %.
    f = 0.3
    sim = Simulation(scenario(team__agent__errors={"probability": f, "detection": 1}))
    calls = [sim.run(r).calls / 20 for r in range(2000)]
    error = np.std(calls, ddof=1) / math.sqrt(len(calls))
    assert abs(np.mean(calls) - 1 / (1 - f)) < 3 * error


@pytest.mark.thorough
def test_undetected_faults_travel_down_the_chain() -> None:
    agent = {
        "latency": {"kind": "seconds", "base": 1},
        "errors": {"probability": 1, "detection": 0},
    }
    assert run(team__agent=agent).quality == 0
    # The first fault spoils everything after it: E[correct] = sum_k (1 - p)^k. Three standard
    # errors are 4 %; if it spoilt only what is after it, 11 % more would be correct.
    p, length = 0.1, 10
    agent["errors"] = {"probability": p, "detection": 0, "propagation": 1}
    sim = Simulation(scenario(team__agent=agent, workload={"kind": "dag", "tasks": chain(length)}))
    correct = [sim.run(r).tasks_correct for r in range(2000)]
    expected = sum((1 - p) ** k for k in range(1, length + 1))
    assert abs(np.mean(correct) - expected) < 3 * np.std(correct) / math.sqrt(len(correct))


def test_drift_grows_error_and_hearing_others_lowers_it() -> None:
    errors = {"probability": 0.02, "detection": 1}
    drift = {"step": 0.3, "sync": 0.9}
    agent = {"latency": {"kind": "seconds", "base": 1}, "errors": errors}
    fields = {
        "team__size": 2,
        "workload__tasks": 30,
        "coordination__protocol": "pre_assigned",
        "limits": {"max_calls": 500},  # who drifts alone is soon always wrong
    }

    def failures(topology: str, **more: object) -> float:
        sim = Simulation(scenario(team__agent=agent | more, topology=topology, **fields))
        return float(np.mean([sim.run(r).failed_tests for r in range(20)]))

    steady = failures("independent")
    alone = failures("independent", drift=drift)
    synced = failures("decentralised", drift=drift)
    assert steady < synced < alone


def test_a_protocol_that_hands_out_nothing_ends_in_a_deadlock(monkeypatch: object) -> None:
    from simulator.model.protocols import _claims

    monkeypatch.setattr(_claims.Claims, "choose", lambda self, agent, count: [])
    for timing in ("asynchronous", "rounds"):
        m = run(coordination__timing=timing, coordination__idle_agents="wait")
        assert (m.outcome, m.success, m.tasks_done) == ("deadlock", False, 0)


def test_random_effects_make_slow_runs_and_slow_agents() -> None:
    base = {"kind": "deterministic", "value": 1, "agent_sigma": 0.5}
    trace = Trace()
    fields = {"team__size": 3, "coordination__protocol": "pre_assigned", "workload__tasks": 30}
    Simulation(scenario(team__agent__latency={"kind": "seconds", "base": base}, **fields)).run(
        0, trace
    )
    by_agent: dict[int, set[float]] = {}
    for row in trace.rows:
        if row.event is Event.CALL_END:
            by_agent.setdefault(row.agent, set()).add(row.duration_s)
    assert all(len(durations) == 1 for durations in by_agent.values())
    assert len(set.union(*by_agent.values())) == 3

    base = {"kind": "deterministic", "value": 1, "run_sigma": 0.4}
    sim = Simulation(scenario(team__agent__latency={"kind": "seconds", "base": base}))
    logs = np.log([sim.run(r).makespan_s / 20 for r in range(800)])
    # Chi-square: the standard deviation of 800 normals is within 10 % (four standard errors).
    assert logs.std() == pytest.approx(0.4, rel=0.1)


def test_a_write_conflicts_once_for_each_overlap() -> None:
    board = Board(TaskGraph.of([Task(id="a")]))
    assert board.write(0, agent=0, task=0, read_s=0, now=1) == FIRST
    assert board.write(0, agent=1, task=1, read_s=0, now=2) == CONFLICT
    assert board.write(0, agent=2, task=2, read_s=0, now=3) == REWRITE  # the same overlap
    assert board.write(0, agent=0, task=0, read_s=3, now=4) == REWRITE  # read after the last write
    assert board.write(0, agent=1, task=1, read_s=3, now=5) == CONFLICT


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=80))
def test_a_pool_of_tasks_is_a_set_that_knows_its_smallest(steps: list[tuple[bool, int]]) -> None:
    pool, truth = TaskPool(31), set[int]()
    for comes, task in steps:
        if comes:
            pool.add(task)
            truth.add(task)
        else:
            pool.discard(task)
            truth.discard(task)
        in_order = sorted(truth)
        assert [pool.first(count) for count in (0, 1, 3, 99)] == [
            in_order[:count] for count in (0, 1, 3, 99)
        ]
        assert sorted(pool) == in_order
        assert (task in pool, len(pool)) == (comes, len(truth))


def test_a_pool_of_tasks_keeps_order_under_removal() -> None:
    pool = TaskPool(10)
    for task in (5, 3, 8, 1):
        pool.add(task)
    pool.discard(3)
    pool.add(5)
    assert pool.first(2) == [1, 5]
    assert pool.first(9) == [1, 5, 8]
    assert (3 in pool, 8 in pool, len(pool)) == (False, True, 3)
    pool.add(3)
    assert pool.first(1) == [1]
    assert pool.first(3) == [1, 3, 5]


def test_a_coordinator_does_not_know_whom_a_partition_cuts_off() -> None:
    m = run(
        team={"size": 2, "agent": {"latency": {"kind": "seconds", "base": 10}}},
        topology="centralised",
        coordination={"protocol": "lead_assign", "timing": "asynchronous"},
        workload={"kind": "parallel_fraction", "tasks": 4, "parallel_fraction": 1},
        network={"partitions": [{"at_s": 5, "duration_s": 100, "minority": 0.5}]},
    )
    # Its first call, up to 10 s, gives one task to each; that of worker 1 waits until 105 s.
    assert (m.outcome, m.makespan_s, m.work_s) == ("completed", 115.0, 40.0)
