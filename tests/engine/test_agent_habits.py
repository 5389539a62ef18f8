"""Habits, drafts, output limits and joint failures of agents, against exact expectations."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from simulator.distributions.lognormal import Lognormal
from simulator.engine import Simulation
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.trace import Event, Trace
from tests.conftest import agent, run, run_as_traced, runs, scenario, z_score

CHAIN = {"kind": "parallel_fraction", "tasks": 12, "parallel_fraction": 0}


def one(**fields: Any) -> dict[str, Any]:
    """Return a team of one agent whose calls take a second a task."""
    latency = {"kind": "seconds", "base": 0, "per_work_unit_s": 1, "idle": 1}
    return {"size": 1, "agent": agent(**{"latency": latency, **fields})}


def tasks_of_calls(trace: Trace) -> list[int]:
    """Return how many tasks each call attempted."""
    attempts = Counter(row.call for row in trace.rows if row.event is Event.ATTEMPT)
    return [attempts[row.call] for row in trace.rows if row.event is Event.CALL_END]


@pytest.mark.slow
def test_an_agent_that_idles_goes_on_idling() -> None:
    # A two-state chain: idle with 0.1 after work, 0.1 + 0.9 * 0.8 after idling.
    behaviour = {"talk": 0, "idle": 0.1, "idle_persistence": 0.8}
    after_idle = 0.1 + 0.9 * 0.8
    share = 0.1 / (0.1 + 1 - after_idle)
    rows = runs(200, team=one(behaviour=behaviour), workload__tasks=200)
    # 200 tasks take 200 working calls: idle calls are a sum of geometric stays.
    expected = 200 * 0.1 / (1 - after_idle)
    assert abs(z_score([row.idle_calls for row in rows], expected)) < 4
    assert expected / (expected + 200) == pytest.approx(share)
    first = {**behaviour, "idle": 0.5, "idle_persistence": 0, "idle_first": 0.0}
    trace = Trace()
    Simulation(scenario(team=one(behaviour=first), workload__tasks=3)).run(0, trace)
    assert tasks_of_calls(trace)[0] == 1


def test_batch_sizes_are_a_habit() -> None:
    team = one(
        batch={"kind": "empirical", "values": [1, 3]},
        batch_persistence=0.7,
        first_batch=2,
    )
    stays, first = [], []
    for replication in range(40):
        trace = Trace()
        Simulation(scenario(team=team, workload__tasks=300)).run(replication, trace)
        sizes = tasks_of_calls(trace)[:-3]  # the last calls take what is left
        first.append(sizes[0])
        stays += [a == b for a, b in pairwise(sizes[2:])]
    assert set(first) == {2}
    # Kept with 0.7, else drawn anew and the same again with 0.5.
    assert abs(z_score(np.asarray(stays, dtype=float), 0.7 + 0.3 * 0.5)) < 4


@pytest.mark.parametrize(
    ("protocol", "workers", "tasks", "finds"),
    [
        ("pre_assigned", 1, 20, 20),
        ("pre_assigned", 4, 20, 5),
        ("pre_assigned", 3, 30, 10),
        ("self_claim", 2, 40, 40),
    ],
)
@pytest.mark.parametrize("growth", [pytest.param(0.0, marks=pytest.mark.slow), 1.5])
def test_whoever_finds_more_tasks_is_likelier_to_do_them_one_by_one(
    protocol: str, workers: int, tasks: int, finds: int, growth: float
) -> None:
    style = {"probability": 0.4, "at_tasks": 20, "growth": growth}
    team = one(batch=99, batch_persistence=1.0, one_by_one=style)
    odds = 0.4 / 0.6 * (finds / 20) ** growth
    p = odds / (1 + odds)
    simulation = Simulation(
        scenario(
            team={**team, "size": workers},
            workload__tasks=tasks,
            coordination__protocol={"kind": protocol},
            coordination__timing="rounds",
        )
    )
    count, hits = 300, 0
    for replication in range(count):
        trace = Trace()
        simulation.run(replication, trace)
        first = next(
            row.call for row in trace.rows if row.event is Event.CALL_END and row.agent == 0
        )
        attempts = Counter(row.call for row in trace.rows if row.event is Event.ATTEMPT)
        hits += attempts[first] == 1
        if workers == 1:  # kept to the end
            assert list(attempts.values()) in ([tasks], [1] * tasks)
    # At 4 standard errors; 300 runs tell p from p without the growth, at growth 1.5, for certain.
    assert abs(hits - count * p) < 4 * (count * p * (1 - p)) ** 0.5


@pytest.mark.slow
def test_an_agent_that_begins_with_one_task_goes_on_by_habit() -> None:
    always = {"probability": 1}
    team = one(batch=3, first_batch=9, batch_persistence=0.5, one_by_one=always)
    switched = []
    for replication in range(400):
        trace = Trace()
        Simulation(scenario(team=team, workload__tasks=60)).run(replication, trace)
        sizes = tasks_of_calls(trace)
        assert sizes[0] == 1
        switched.append(sizes.index(3))
    # Calls with one task are geometric: the habit ends with 0.5 after each.
    assert abs(z_score(switched, 2.0)) < 4


def test_a_reply_holds_no_more_than_its_limit() -> None:
    limited = one(batch=20, capacity=8)
    row = run(team=limited, workload__tasks=20)
    assert row.calls == 3  # 8, 8 and 4
    assert row.makespan_s == 20
    assert row.lost_replies == 0
    # Every reply that is cut off is lost with 0.5: two of them must be got through.
    rows = runs(600, team=one(batch=20, capacity=8, truncation_loss=0.5), workload__tasks=20)
    assert abs(z_score([row.calls for row in rows], 2 / 0.5 + 1)) < 4
    assert all(row.lost_replies == row.calls - 3 for row in rows)
    assert all(row.wasted_s == pytest.approx(8 * row.lost_replies) for row in rows)
    never = run(
        team=one(batch=20, capacity=8, truncation_loss=1), limits__max_rounds=5, workload__tasks=20
    )
    assert never.lost_replies == 5
    assert never.tasks_done == 0
    # A single task that is too long is attempted all the same.
    assert run(team=one(capacity=0.5), workload__tasks=2).success


def test_what_fits_is_drawn_for_each_reply() -> None:
    """With 5 tasks to do it takes 1 call, with 10 tasks 3/2, with 15 tasks 9/4, with 20 23/8."""
    limit = {"kind": "empirical", "values": [5, 10]}
    rows = runs(600, team=one(batch=20, capacity=limit), workload__tasks=20)
    assert abs(z_score([row.calls for row in rows], 23 / 8)) < 4
    # A reply of one task needs no draw: all that it can do fits.
    assert run(team=one(batch=1, capacity=limit), workload__tasks=20).calls == 20


@pytest.mark.slow
def test_what_fits_may_differ_between_runs_and_agents() -> None:
    """A run whose limit is m exp(0.5 Z) does 20 tasks in one reply with P(Z > 2 log(20 / m))."""
    limit = {"kind": "deterministic", "value": 12, "run_sigma": 0.5}
    kept, at_once = 0, []
    for replication in range(600):
        trace = Trace()
        Simulation(scenario(team=one(batch=20, capacity=limit), workload__tasks=20)).run(
            replication, trace
        )
        sizes = tasks_of_calls(trace)
        at_once.append(len(sizes) == 1)
        kept += len(set(sizes[:-1])) <= 1  # all replies that are cut off are alike
    assert kept == 600
    assert abs(z_score(at_once, 1 - norm.cdf(2 * math.log(20 / 12)))) < 4
    teams = runs(
        600,
        team={**one(batch=10, capacity={**limit, "run_sigma": 0, "agent_sigma": 0.5}), "size": 2},
        coordination__protocol={"kind": "pre_assigned"},
        workload__tasks=20,
    )
    p = 1 - norm.cdf(2 * math.log(10 / 12))
    assert abs(z_score([row.calls == 2 for row in teams], p * p)) < 4


@pytest.mark.parametrize("elasticity", [1.0, 0.5])
def test_less_fits_into_a_reply_where_work_takes_longer(elasticity: float) -> None:
    """A run that takes x times as long fits 12 / x^e: all 20 tasks if Z < log(12 / 20) / (e s)."""
    sigma, at_once = 0.6, []
    slow = {"kind": "deterministic", "value": 1, "run_sigma": sigma}
    latency = {"kind": "seconds", "base": 0, "per_work_unit_s": 1, "residual": slow}
    team = one(latency=latency, batch=20, capacity=12, capacity_elasticity=elasticity)
    for row in runs(600, team=team, workload__tasks=20):
        x = row.makespan_s / 20
        assert row.calls == math.ceil(20 / max(1, math.floor(12 / x**elasticity)))
        at_once.append(row.calls == 1)
    p = norm.cdf(math.log(12 / 20) / (elasticity * sigma))
    assert abs(z_score(at_once, p)) < 4


def test_a_slow_agent_fits_less_into_a_reply_than_a_quick_one() -> None:
    slow = {"kind": "deterministic", "value": 1, "agent_sigma": 0.8}
    latency = {"kind": "seconds", "base": 0, "per_work_unit_s": 1, "residual": slow}
    limit = {"kind": "empirical", "values": [5, 10]}
    team = {**one(latency=latency, batch=20, capacity=limit, capacity_elasticity=1), "size": 2}
    seen = set()
    for replication in range(40):
        trace = Trace()
        Simulation(
            scenario(
                team=team,
                coordination__protocol={"kind": "pre_assigned"},
                workload__tasks=80,
            )
        ).run(replication, trace)
        for agent_of in (0, 1):
            ends = [
                row for row in trace.rows if row.event is Event.CALL_END and row.agent == agent_of
            ]
            attempts = Counter(row.call for row in trace.rows if row.event is Event.ATTEMPT)
            sizes = [size for row in ends if (size := attempts[row.call])][:-1]
            x = ends[0].duration_s / attempts[ends[0].call]
            fits = {min(20, max(1, math.floor(each / x))) for each in (5, 10)}
            assert set(sizes) <= fits
            seen |= set(sizes)
    assert len(seen) > 5


@pytest.mark.slow
def test_drafts_are_kept() -> None:
    team = one(errors={"probability": 0.5, "detection": 1}, redo_work=0.25, batch_persistence=0)
    rows = runs(2000, team=team, workload__tasks=1)
    # The first attempt takes 1 s, each of on average one further attempt 0.25 s.
    assert abs(z_score([row.makespan_s for row in rows], 1.25)) < 4
    assert abs(z_score([row.rework_s for row in rows], 0.25)) < 4


@pytest.mark.parametrize(
    "correlation", [0.5, *(pytest.param(it, marks=pytest.mark.slow) for it in (0.0, 1.0))]
)
def test_attempts_of_a_call_go_alike(correlation: float) -> None:
    errors = {"probability": 0.3, "detection": 1, "call_correlation": correlation}
    rows = runs(2000, team=one(batch=10, errors=errors), workload__tasks=10, limits__max_rounds=1)
    done = np.asarray([row.tasks_done for row in rows], dtype=float)
    assert abs(z_score(done, 7.0)) < 4
    # Two attempts go alike with the square: Var = N p q (1 + (N - 1) rho).
    expected = 10 * 0.21 * (1 + 9 * correlation**2)
    error = np.std((done - 7) ** 2) / np.sqrt(len(done))
    assert abs(done.var() - expected) < 4 * error
    if correlation == 1.0:
        assert set(done) == {0.0, 10.0}


def test_blind_calls_take_everything_and_are_blocked() -> None:
    behaviour = {"talk": 0, "blind_calls": 1.0}
    team = one(batch=12, behaviour=behaviour)
    protocol = {"kind": "self_claim", "choice": "first"}
    row = run(team=team, workload=CHAIN, coordination={"protocol": protocol})
    assert row.rounds == 12  # a plan handed in whole: one task of a chain is done at a time
    assert row.blocked_claims == sum(range(12))
    seeing = run(team=one(batch=12), workload=CHAIN, coordination={"protocol": protocol})
    assert seeing.blocked_claims == 0
    dealt = run(
        team={**team, "size": 2},
        workload=CHAIN,
        coordination={"protocol": {"kind": "pre_assigned", "keep_chains": False}},
    )
    assert dealt.success
    assert dealt.blocked_claims > 0


def test_prompts_grow_with_files_and_tool_results() -> None:
    context = {
        "system_tokens": 100,
        "board_tokens_per_task": 0,
        "artifact_tokens": 10,
        "turn_tokens": 7,
    }
    team = one(context=context, tokens={"output": 5})
    row = run(team=team, workload__tasks=4)
    # Call k reads 100 + k (5 + 7) that is kept + 10 for each of k files.
    assert row.input_tokens == sum(100 + 12 * k + 10 * k for k in range(4))


@pytest.mark.slow
def test_calls_end_at_the_longest_that_a_reply_takes() -> None:
    latency = {"kind": "seconds", "base": {"kind": "exponential", "mean": 10}, "most_s": 12}
    rows = runs(2000, team=one(latency=latency), workload__tasks=1)
    expected = 10 * (1 - np.exp(-1.2))
    assert abs(z_score([row.makespan_s for row in rows], expected)) < 4
    assert max(row.makespan_s for row in rows) == 12


def test_phases_come_and_go() -> None:
    law = Lognormal(median=1, sigma=0.4, phase_sigma=0.3, phase_length=5)
    lags = (1, 5, 20)
    products: dict[int, list[float]] = {lag: [] for lag in (0, *lags)}
    for replication in range(300):
        draw = Streams(1, replication).draws(law, Entity.AGENT, 0, Purpose.LATENCY)
        logs = np.log([draw() for _ in range(200)])
        products[0].append(float((logs**2).mean()))
        for lag in lags:
            products[lag].append(float((logs[lag:] * logs[:-lag]).mean()))
    assert abs(z_score(products[0], 0.16 + 0.09)) < 4
    for lag in lags:
        assert abs(z_score(products[lag], 0.09 * np.exp(-lag / 5))) < 4
    again = Streams(1, 7).draws(law, Entity.AGENT, 0, Purpose.LATENCY)
    once = Streams(1, 7).draws(law, Entity.AGENT, 0, Purpose.LATENCY)
    assert [again() for _ in range(150)] == [once() for _ in range(150)]


def test_the_trace_tells_of_all_of_it() -> None:
    team = {
        "size": 3,
        "agent": agent(
            latency={
                "kind": "seconds",
                "base": {"kind": "lognormal", "median": 2, "sigma": 0.5, "phase_sigma": 0.4},
                "per_work_unit_s": 1,
            },
            batch={"kind": "empirical", "values": [1, 4, 30]},
            first_batch=30,
            batch_persistence=0.5,
            capacity=6,
            truncation_loss=0.4,
            redo_work=0.3,
            errors={"probability": 0.3, "detection": 0.7, "call_correlation": 0.6},
            behaviour={"idle": 0.2, "idle_persistence": 0.5, "blind_calls": 0.4},
            context={"artifact_tokens": 20, "turn_tokens": 50, "retention": 0.8},
        ),
    }
    for protocol in ("pre_assigned", "work_stealing", {"kind": "self_claim"}):
        row = run_as_traced(
            scenario(
                team=team,
                workload={"kind": "parallel_fraction", "tasks": 30, "parallel_fraction": 0.6},
                coordination={"protocol": protocol},
                limits__max_rounds=300,
            )
        )
        assert row.lost_replies > 0
        assert row.tasks_done == 30
