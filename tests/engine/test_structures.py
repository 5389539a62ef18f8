"""Counting identities and bounds of the structures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.conftest import agent, exponential, run, runs, scenario

TALKS = {**agent(), "behaviour": {"talk": 1}}


@pytest.mark.parametrize("n", [2, 5, 9])
def test_a_lead_makes_one_call_for_each_round_of_assignments(n: int) -> None:
    m = run(
        team__size=n,
        team__agent=TALKS,
        topology="centralised",
        workload__tasks=4 * n,
        coordination__protocol="lead_assign",
    )
    assert m.coordination_calls == 4
    assert m.calls == 4 * (n + 1)
    assert m.idle_calls == 0


@pytest.mark.parametrize(("items", "stages"), [(1, 4), (10, 3), (25, 8)])
def test_a_pipeline_of_equal_stages_takes_items_plus_stages_minus_1(
    items: int, stages: int
) -> None:
    m = run(
        team={"size": stages, "agent": TALKS},
        topology="pipeline",
        workload={"kind": "pipeline", "items": items, "stages": stages},
        coordination={"protocol": "pipeline", "timing": "asynchronous"},
    )
    assert m.makespan_s == items + stages - 1
    assert m.deliveries == items * (stages - 1)  # the last agent has nobody to tell


def test_depth_first_recursion_works_in_one_place_at_a_time_and_in_fresh_contexts() -> None:
    fields: dict[str, Any] = {
        "team": {
            "size": 3,
            "agent": {
                **agent(),
                "context": {"system_tokens": 100, "board_tokens_per_task": 0},
                "tokens": {"output": 50},
            },
        },
        "workload": {"kind": "parallel_fraction", "tasks": 8, "parallel_fraction": 1},
        "coordination": {
            "protocol": {"kind": "depth_first", "fan_out": 2, "leaf_tasks": 2,
                         "briefing_tokens": 10, "report_tokens": 5},
            "timing": "asynchronous",
        },
    }  # fmt: skip
    m = run(**fields)
    # Splits and merges of 1 + 2 frames, and 8 tasks, one call each, one after another.
    assert m.coordination_calls == 2 * 3
    assert m.calls == m.makespan_s == 14
    assert (m.work_s, m.coordination_s, m.waiting_s) == (8, 6, 2 * 14)
    # Leaves: 100 + 10, and 50 more at their second task. Middle: 110, then 110 + 50 + 2 * 5.
    # Root: 100, then 100 + 50 + 2 * 5.
    assert m.input_tokens == 4 * (110 + 160) + 2 * (110 + 170) + (100 + 160)


def test_the_last_worker_is_all_deeper_levels_of_a_recursion() -> None:
    """16 tasks in four parts of four: split at depths 0 and 1, done at depth 2."""
    trace = Trace()
    said = scenario(
        team={"size": 2, "agent": agent()},
        coordination={"protocol": {"kind": "depth_first"}, "timing": "asynchronous"},
        workload__tasks=16,
    )
    Simulation(said).run(0, trace)
    calls = [row.agent for row in trace.rows if row.event is Event.CALL_END]
    attempts = [row.agent for row in trace.rows if row.event is Event.ATTEMPT]
    assert calls.count(0) == 2  # to split the whole, and to merge it
    assert attempts == [1] * 16
    assert calls.count(1) == 16 + 2 * 2


@pytest.mark.parametrize("staleness", [0, 1, 5])
def test_bounded_staleness_lets_nobody_run_ahead(staleness: int) -> None:
    simulation = Simulation(
        scenario(
            team={"size": 4, "agent": {**agent(), "latency": exponential()}},
            workload={"kind": "parallel_fraction", "tasks": 200, "parallel_fraction": 1},
            coordination={
                "protocol": "pre_assigned",
                "timing": "bounded_staleness",
                "staleness": staleness,
            },
        )
    )
    trace = Trace()
    simulation.run(0, trace)
    done = [0] * 4
    ahead = 0
    for row in trace.rows:
        if row.event == Event.CALL_START:
            assert row.agent is not None
            ahead = max(ahead, done[row.agent] - min(done))
        elif row.event == Event.CALL_END and row.agent is not None:
            done[row.agent] += 1
    assert ahead == staleness


def test_staleness_lies_between_a_barrier_and_none() -> None:
    def mean_makespan(**coordination: Any) -> float:
        found = runs(
            60,
            team={"size": 5, "agent": {**agent(), "latency": exponential()}},
            workload={"kind": "parallel_fraction", "tasks": 100, "parallel_fraction": 1},
            coordination={"protocol": "pre_assigned", "idle_agents": "wait", **coordination},
        )
        return float(np.mean([m.makespan_s for m in found]))

    barrier = mean_makespan(timing="rounds")
    bounds = [mean_makespan(timing="bounded_staleness", staleness=s) for s in (0, 1, 3)]
    free = mean_makespan(timing="asynchronous")
    assert bounds[0] == pytest.approx(barrier)
    assert barrier > bounds[1] > bounds[2] >= free


def test_more_agents_never_hurt_without_overhead_where_tasks_are_alike() -> None:
    spans = [
        run(
            team={"size": n, "agent": agent()},
            workload={"kind": "parallel_fraction", "tasks": 30, "parallel_fraction": 0.7},
        ).makespan_s
        for n in range(1, 12)
    ]
    assert spans == sorted(spans, reverse=True)


def test_grahams_anomaly_one_more_machine_makes_the_job_longer() -> None:
    # Graham 1969: 9 jobs of 3 2 2 2 4 4 4 4 9, job 9 after 1, jobs 5 to 8 after 4. List
    # scheduling takes 12 on three machines and 15 on four.
    sizes = [3, 2, 2, 2, 4, 4, 4, 4, 9]
    needs = {4: ["4"], 5: ["4"], 6: ["4"], 7: ["4"], 8: ["1"]}
    tasks = [
        {"id": str(i + 1), "size": size, "dependencies": needs.get(i, [])}
        for i, size in enumerate(sizes)
    ]

    def makespan(n: int) -> float:
        return run(
            team={
                "size": n,
                "agent": {**agent(), "latency": {"kind": "seconds", "per_work_unit_s": 1}},
            },
            workload={"kind": "dag", "tasks": tasks},
            coordination={
                "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
                "timing": "asynchronous",
            },
        ).makespan_s

    assert makespan(3) == 12
    assert makespan(4) == 15


def test_a_coordinator_passes_on_as_much_as_its_summaries_hold() -> None:
    def read(relay: float) -> int:
        talks = {**TALKS, "context": {"retention": 0, "board_tokens_per_task": 0}}
        return run(
            team={
                "size": 4,
                "agent": talks,
                "coordinator": {**talks, "tokens": {"message": 100, "relay": relay}},
            },
            topology="centralised",
            workload={"kind": "parallel_fraction", "tasks": 8, "parallel_fraction": 1},
            coordination__protocol="pre_assigned",
        ).input_tokens

    # One answer to the first round's four reports of 150 tokens, read by four workers.
    assert read(0.5) - read(0) == 4 * int(0.5 * 4 * 150)


STEALING: dict[str, Any] = {"protocol": "work_stealing", "timing": "asynchronous"}


def test_tasks_that_arrive_are_dealt_in_turn() -> None:
    # Each of four agents gets every fourth task, and is idle when it comes.
    metrics = run(
        team={"size": 4, "agent": agent(latency={"kind": "seconds", "base": 10})},
        coordination=STEALING,
        workload={"kind": "arrivals", "tasks": 200, "interarrival_s": 3.0},
    )
    assert metrics.steals == 0
    assert metrics.task_wait_s == pytest.approx(0)


def test_a_task_goes_to_who_freed_it_if_it_waits_and_else_to_a_thief() -> None:
    # A fork of three: who did the root takes one of the branches, two others steal the rest.
    metrics = run(
        team={"size": 3, "agent": agent(latency={"kind": "seconds", "base": 10})},
        coordination={"protocol": "work_stealing", "timing": "asynchronous"},
        workload={
            "kind": "dag",
            "tasks": [
                {"id": "root"},
                *({"id": f"branch {i}", "dependencies": ["root"]} for i in range(3)),
            ],
        },
    )
    assert metrics.makespan_s == pytest.approx(20)
    assert metrics.steals == 2


def test_agents_who_all_pick_the_first_task_do_one_task_a_round() -> None:
    protocol = {"kind": "self_claim", "choice": "first"}
    m = run(team__size=5, coordination__protocol=protocol)
    assert (m.rounds, m.duplicate_attempts, m.makespan_s) == (20, 80, 20)
