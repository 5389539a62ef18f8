"""Faults and the patterns that answer them, against closed forms and published numbers.

Where a test compares a mean, |z| < 4 over the stated replications, with fixed seeds: a false
alarm once in 16,000 comparisons.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.engine import Simulation
from simulator.model.agents.agent import AgentState
from simulator.model.resilience.patterns.backup import Backups
from simulator.model.trace import Event, Trace
from tests.conftest import agent, exponential, run, runs, scenario, z_score

pytestmark = pytest.mark.theory

FIVE: dict[str, Any] = {"team__size": 5, "coordination__timing": "asynchronous"}
LONG: dict[str, Any] = {"coordination__timing": "asynchronous"}
PRE_ASSIGNED: dict[str, Any] = {"kind": "pre_assigned"}
NO_WAIT = {"kind": "none"}


def test_a_dead_worker_that_holds_nothing_costs_its_share() -> None:
    """20 tasks on four workers rather than five."""
    metrics = run(**FIVE, faults=[{"at_s": 0, "kind": "kill", "agent": 0}])
    assert (metrics.makespan_s, metrics.outcome) == (5.0, "completed")
    assert metrics.availability == pytest.approx(0.8)


STALL = [{"at_s": 0, "kind": "stall", "agent": 0}]


def test_a_stalled_worker_keeps_its_task_for_ever_without_a_lease() -> None:
    """The run ends with a named outcome and says what is left."""
    metrics = run(**FIVE, faults=STALL)
    assert (metrics.outcome, metrics.tasks_done) == ("deadlock", 19)
    assert "1 tasks are left: independent-1" in metrics.reason


@pytest.mark.parametrize("found_s", [2.0, 3.0, 6.0])
def test_detection_lets_others_do_what_was_dealt_to_the_lost(found_s: float) -> None:
    """It takes max(4, D) + 1 s, for a stuck call and for a dead agent."""
    expected = max(4.0, found_s) + 1.0
    dealt = {**FIVE, "coordination__protocol": PRE_ASSIGNED}
    stuck = run(**dealt, faults=STALL, resilience={"detector": {"progress_s": found_s}})
    assert stuck.makespan_s == pytest.approx(expected)
    kill = [{"at_s": 0, "kind": "kill", "agent": 0}]
    heartbeat = {"detector": {"timeout_s": found_s, "period_s": 1}}
    dead = run(**dealt, faults=kill, resilience=heartbeat)
    assert dead.makespan_s == pytest.approx(expected)
    assert dead.detection_s == pytest.approx(found_s)
    assert dead.reassigned == 4


def test_a_stuck_call_is_found_when_it_has_taken_too_long_whichever_it_is() -> None:
    """One timer watches an agent's calls one after the other; others end in between."""
    trace = Trace()
    Simulation(
        scenario(
            **LONG,
            team__size=4,
            team__agent=agent(latency=exponential(), faults={"stall": 0.05}),
            workload__tasks=400,
            resilience={"detector": {"progress_s": 7.3}},
        )
    ).run(0, trace)
    begun, waits = dict[int, float](), list[float]()
    for row in trace.rows:
        if row.event is Event.CALL_START and row.agent is not None:
            begun[row.agent] = row.time_s
        elif row.event is Event.DETECTED and row.agent is not None:
            waits.append(row.time_s - begun[row.agent])
    assert len(waits) > 10
    assert waits == pytest.approx([7.3] * len(waits))


# A service of 10 ms, once in a hundred times a hundred times longer.
BIMODAL = agent(
    latency={"kind": "seconds", "base": {"kind": "lognormal", "median": 10, "sigma": 0.3}},
    faults={"slow": {"probability": 0.01, "factor": 100}},
)


@pytest.mark.slow
def test_a_hedge_by_percentile_learns_when_to_send() -> None:
    metrics = run(
        **LONG,
        workload__tasks=20_000,
        team__agent=agent(latency=exponential()),
        resilience={"hedge": {"percentile": 0.95}},
    )
    # Of what was seen, the hedged times: their 95th percentile is the exponential's.
    assert metrics.hedges / 20_000 == pytest.approx(0.05, rel=0.1)


@pytest.mark.slow
def test_hedging_cuts_a_heavy_tail_by_an_order_of_magnitude_for_five_percent_more_calls() -> None:
    """Dean & Barroso 2013, on single calls of which one in a hundred takes a hundred times."""
    tasks, patterns = 8000, {"hedge": {"percentile": 0.95}}
    tails = []
    for resilience in ({}, patterns):
        trace = Trace()
        metrics = Simulation(
            scenario(**LONG, workload__tasks=tasks, team__agent=BIMODAL, resilience=resilience)
        ).run(0, trace)
        lasted = [row.duration_s for row in trace.rows if row.event is Event.ATTEMPT]
        tails.append(float(np.quantile(np.array(lasted, dtype=float), 0.999)))
    assert tails[0] > 10 * tails[1]
    assert metrics.hedges / tasks == pytest.approx(0.05, rel=0.1)


def test_a_correlated_hedge_gains_nothing() -> None:
    alike = {"hedge": {"after_s": 1.0, "correlation": 1.0}}
    common: dict[str, Any] = {"workload__tasks": 500, "team__agent": agent(latency=exponential())}
    plain, hedged = run(**common), run(**common, resilience=alike)
    assert hedged.hedges > 100
    assert hedged.makespan_s == pytest.approx(plain.makespan_s)


def test_who_is_free_backs_up_what_has_fewest_backups_and_is_longest_in_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The heap gives what a walk over everything in progress would."""
    chosen = list[list[int]]()
    backups_for = Backups.backups_for

    def checked(self: Backups, agent: AgentState) -> list[int]:
        found = backups_for(self, agent)
        board = agent.board
        walk = [
            (len(others), others[0].time.started_s, task)
            for task, others in self._at_work.items()
            if not board.done[task] and agent not in others and len(others) <= 2
        ]
        near = 0 < board.left <= 0.3 * len(board.graph)
        assert found == ([min(walk)[2]] if near and walk else [])
        chosen.append(found)
        return found

    monkeypatch.setattr(Backups, "backups_for", checked)
    common: dict[str, Any] = {
        **LONG,
        "workload__tasks": 60,
        "team": {"size": 25, "agent": agent(latency=exponential(), errors={"probability": 0.3})},
        "resilience": {"backup": {"when_left": 0.3, "copies": 2}},
    }
    assert all(m.outcome == "completed" for m in runs(20, **common))
    assert sum(map(bool, chosen)) > 100


CRASHES: dict[str, Any] = {"crash": {"up_s": {"kind": "exponential", "mean": 10}, "repair_s": 0}}


def _until_done(work_s: float, count: int, **fields: Any) -> list[float]:
    latency = {"kind": "seconds", "base": work_s}
    failing = agent(latency=latency, faults=CRASHES)
    return [m.makespan_s for m in runs(count, workload__tasks=1, team__agent=failing, **fields)]


@pytest.mark.slow
def test_the_best_interval_between_checkpoints_is_about_youngs() -> None:
    """It is sqrt(2 c M) for checkpoints that cost c and a mean time M between crashes."""
    cost, mean = 0.2, 10.0
    best = np.sqrt(2 * cost * mean)

    def lasts(every_s: float) -> float:
        patterns = {"checkpoint": {"every_s": every_s, "cost_s": cost}}
        return float(np.mean(_until_done(24, 500, resilience=patterns)))

    # 29.5 s against 34.8 and 38.1, with standard errors of 0.1, 0.04 and 0.5.
    assert best == pytest.approx(2.0)
    assert lasts(best) < min(lasts(best / 4), lasts(best * 4))


def test_checkpoints_cost_what_they_take() -> None:
    common: dict[str, Any] = {
        "workload__tasks": 1,
        "team__agent": agent(latency={"kind": "seconds", "base": 20}),
    }
    metrics = run(**common, resilience={"checkpoint": {"every_s": 5, "cost_s": 0.5}})
    assert metrics.makespan_s == pytest.approx(20 + 3 * 0.5)


def test_a_reply_that_came_whole_is_paid_whole() -> None:
    trace = Trace()
    latency = {"kind": "seconds", "base": {"kind": "lognormal", "median": 5, "sigma": 0.5}}
    agents = agent(latency=latency, tokens={"output": 450}, faults={"malformed": 0.5})
    timing = {"protocol": "self_claim", "timing": "asynchronous"}
    team = scenario(
        team={"size": 4, "agent": agents},
        coordination=timing,
        workload__tasks=100,
        resilience={"retry": {"max_retries": 50}},
    )
    Simulation(team).run(0, trace)
    malformed = [row.output_tokens for row in trace.rows if row.outcome == "malformed"]
    assert len(malformed) > 50
    assert set(malformed) == {450}


def test_a_worker_whose_tasks_are_left_as_they_are_is_given_more() -> None:
    """Each call of a worker comes to nothing, and its lead hands out the next task all the same."""
    agent = {"latency": {"kind": "seconds", "base": 1}}
    metrics = run(
        team={"size": 2, "agent": {**agent, "faults": {"malformed": 1}}, "coordinator": agent},
        topology={"kind": "centralised"},
        coordination={"protocol": {"kind": "lead_assign"}, "timing": "asynchronous"},
        workload={"kind": "parallel_fraction", "tasks": 6, "parallel_fraction": 1},
        resilience={"fallback": {"partial": True}},
    )
    assert (metrics.outcome, metrics.partial_tasks) == ("completed", 6)


def test_each_of_two_requests_that_fail_is_booked_as_it_failed_itself() -> None:
    """A half are errors of the provider, after a second; the others are malformed, after ten."""
    simulation = Simulation(
        scenario(
            team__agent__faults={"malformed": 1},
            team__agent__latency={"kind": "seconds", "base": 10},
            provider={"errors": {"probability": 0.5, "after_s": 1}},
            resilience={"hedge": {"after_s": 0.1}},
            limits={"max_calls": 40},
        )
    )
    failed: list[str] = []
    for replication in range(20):
        trace = Trace()
        simulation.run(replication, trace)
        failed += [row.outcome or "" for row in trace.rows if row.event is Event.REQUEST]
    # No answer is good, so that none is left unused.
    assert set(failed) <= {"error", "malformed", "cut_off"}
    n = failed.count("error") + failed.count("malformed")
    assert n > 1000
    assert abs(z_score([float(each == "error") for each in failed if each != "cut_off"], 0.5)) < 3.3
