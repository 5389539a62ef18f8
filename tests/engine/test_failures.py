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


def test_a_hedge_by_percentile_learns_when_to_send() -> None:
    metrics = run(
        **LONG,
        workload__tasks=20_000,
        team__agent=agent(latency=exponential()),
        resilience={"hedge": {"percentile": 0.95}},
    )
    # Of what was seen, the hedged times: their 95th percentile is the exponential's.
    assert metrics.hedges / 20_000 == pytest.approx(0.05, rel=0.1)


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


def test_retries_until_success_cost_one_in_one_minus_f() -> None:
    f, tasks = 0.3, 20_000
    metrics = run(
        **LONG,
        workload__tasks=tasks,
        team__agent=agent(faults={"malformed": f}),
        resilience={"retry": {"max_retries": 1000, "backoff": NO_WAIT}},
    )
    error = np.sqrt(f / (1 - f) ** 2 / tasks)  # of a geometric mean
    assert abs(metrics.requests / tasks - 1 / (1 - f)) < 4 * error
    assert metrics.malformed == metrics.requests - tasks
    assert metrics.tasks_correct == tasks


@pytest.mark.slow
def test_a_retry_budget_leaves_what_its_formula_says() -> None:
    f, b, tasks = 0.3, 2, 20_000
    metrics = run(
        **LONG,
        workload__tasks=tasks,
        team__agent=agent(faults={"malformed": f}),
        resilience={
            "retry": {"max_retries": b, "backoff": NO_WAIT},
            "fallback": {"partial": True},
        },
    )
    succeeds = 1 - f ** (b + 1)
    error = np.sqrt(succeeds * (1 - succeeds) / tasks)
    assert abs(metrics.tasks_correct / tasks - succeeds) < 4 * error
    assert metrics.partial_tasks == metrics.faulty_detected == tasks - metrics.tasks_correct


@pytest.mark.parametrize("f", [0.5, 1.0])
def test_retry_load_is_a_geometric_sum(f: float) -> None:
    """Requests of a call: the sum of f^i for i = 0 to R."""
    tasks, most = 4000, 3
    metrics = run(
        workload__tasks=tasks,
        provider={
            "errors": {"probability": f, "after_s": 0.1},
            "retry": {"max_retries": most, "base_s": 0.01},
        },
        resilience={"fallback": {"partial": True}},
    )
    expected = sum(f**i for i in range(most + 1))
    assert metrics.requests / tasks == pytest.approx(expected, rel=0.03 if f < 1 else 1e-12)


def test_three_layers_of_retries_multiply() -> None:
    """Client library, call and task, four attempts each: 4^3 = 64 requests a task."""
    metrics = run(
        workload__tasks=5,
        provider={
            "errors": {"probability": 1, "after_s": 0.1},
            "retry": {"max_retries": 3, "base_s": 0.01},
        },
        resilience={
            "retry": {"max_retries": 3, "backoff": NO_WAIT},
            "fallback": {"partial": True, "partial_after": 4},
        },
    )
    assert (metrics.requests, metrics.partial_tasks) == (5 * 64, 5)


def _goodput(rate: float, seed: int, **patterns: Any) -> tuple[float, float]:
    """Goodput before a pause of 60 units at 200, and between 1000 and 1500."""
    queue = patterns.pop("queue", {})
    simulation = Simulation(
        scenario(
            team={"size": 300, "agent": agent(latency=exponential())},
            coordination__timing="asynchronous",
            workload={
                "kind": "arrivals",
                "tasks": int(1650 * rate),
                "interarrival_s": {"kind": "exponential", "mean": 1 / rate},
            },
            provider={
                "concurrency": 1,
                "queue": queue,
                "cancels": False,
                "retry": {"max_retries": 0},
            },
            faults=[{"at_s": 200, "kind": "outage", "for_s": 60, "hangs": True}],
            limits={"deadline_s": 1500},
            resilience={
                "timeout": {"seconds": 10},
                "retry": {"max_retries": 3, "backoff": NO_WAIT},
                "fallback": {"partial": True},
                **patterns,
            },
            seed=seed,
        )
    )
    trace = Trace()
    simulation.run(0, trace)
    done = [row for row in trace.rows if row.event is Event.ATTEMPT and row.outcome == "done"]
    times = np.array([row.time_s for row in done])
    before = ((times >= 50) & (times < 200)).sum() / 150
    after = ((times >= 1000) & (times < 1500)).sum() / 500
    return before, after


def _mean_goodput(rate: float, **patterns: Any) -> tuple[float, float]:
    before, after = np.mean([_goodput(rate, seed, **patterns) for seed in range(6)], axis=0)
    return float(before), float(after)


def test_the_overload_stays_after_its_cause_is_gone() -> None:
    """After the pause it recovers if rate x (1 + R) < 1, and else stays at nothing."""
    _, after = _mean_goodput(0.2)
    assert after == pytest.approx(0.2, rel=0.1)
    before, after = _mean_goodput(0.4)
    assert before == pytest.approx(0.4, rel=0.15)  # the load itself was no trouble
    assert after < 0.01


@pytest.mark.slow
def test_the_overload_stays_at_a_higher_load_too() -> None:
    assert _mean_goodput(0.6)[1] < 0.01


@pytest.mark.parametrize(
    "patterns",
    [
        {"retry": {"max_retries": 3, "backoff": NO_WAIT, "budget": 0.1}},
        {"queue": {"drops_expired": True}},
        {"breaker": {"window": 20, "open_s": 30}},
    ],
    ids=["retry budget", "drop expired work", "breaker"],
)
@pytest.mark.parametrize("rate", [0.4, pytest.param(0.6, marks=pytest.mark.slow)])
def test_the_retry_storm_dies_down_with_a_budget_with_dropping_and_with_a_breaker(
    rate: float, patterns: dict[str, Any]
) -> None:
    assert _mean_goodput(rate, **patterns)[1] == pytest.approx(rate, rel=0.1)


CRASHES: dict[str, Any] = {"crash": {"up_s": {"kind": "exponential", "mean": 10}, "repair_s": 0}}


def _until_done(work_s: float, count: int, **fields: Any) -> list[float]:
    latency = {"kind": "seconds", "base": work_s}
    failing = agent(latency=latency, faults=CRASHES)
    return [m.makespan_s for m in runs(count, workload__tasks=1, team__agent=failing, **fields)]


@pytest.mark.parametrize(
    ("work_s", "expected"), [(10, 17.18), pytest.param(20, 63.89, marks=pytest.mark.slow)]
)
def test_work_that_starts_again_after_each_crash_takes_exponentially_long(
    work_s: float, expected: float
) -> None:
    """The mean time is (e^(lambda w) - 1) / lambda.

    Four standard errors of 800 runs are 8 and 11 % of it; work that went on where it was would
    take w, 42 and 69 % less.
    """
    exact = 10 * (np.exp(work_s / 10) - 1)
    assert exact == pytest.approx(expected, abs=0.01)
    assert abs(z_score(_until_done(work_s, 800), exact)) < 4


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(2, 34.37, marks=pytest.mark.slow),
        pytest.param(4, 25.95, marks=pytest.mark.slow),
        (10, 22.14),
    ],
)
def test_checkpoints_keep_what_a_crash_would_destroy(parts: int, expected: float) -> None:
    """With m checkpoints it is m (e^(lambda w / m) - 1) / lambda.

    Four standard errors of 800 runs are 6, 3 and 1.2 % of it for 2, 4 and 10 parts; of half as
    many parts it is 86, 32 and 11 % longer.
    """
    exact = parts * 10 * (np.exp(2 / parts) - 1)
    assert exact == pytest.approx(expected, abs=0.01)
    seconds = _until_done(20, 800, resilience={"checkpoint": {"every_s": 20 / parts}})
    assert abs(z_score(seconds, exact)) < 4


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


@pytest.mark.parametrize(
    ("agents", "expected"), [(5, 1.463), pytest.param(10, 1.530, marks=pytest.mark.slow)]
)
def test_random_probes_find_the_dead_as_swim_says(agents: int, expected: float) -> None:
    """On average after 1 / (1 - (1 - 1/(n-1))^(n-1)) periods.

    Four standard errors of 1,000 runs are 0.1. If everybody were probed in every period it would
    be 1, and n - 1 if one of all were.
    """
    exact = 1 / (1 - (1 - 1 / (agents - 1)) ** (agents - 1))
    assert exact == pytest.approx(expected, abs=1e-3)
    found = runs(
        1000,
        workload__tasks=agents,
        team={"size": agents, "agent": agent(latency={"kind": "seconds", "base": 10})},
        coordination__timing="asynchronous",
        faults=[{"at_s": 0, "kind": "kill", "agent": 0}],
        resilience={"detector": {"kind": "swim", "period_s": 0.1}},
        limits={"deadline_s": 1.5},  # 15 periods: all but one in 10^7 are found by then
    )
    assert all(m.detections == 1 for m in found)
    assert abs(z_score([m.detection_s / 0.1 for m in found], exact)) < 4


@pytest.mark.parametrize("idempotent", [True, False])
def test_at_least_once_with_an_idempotency_key_is_exactly_once(idempotent: bool) -> None:
    """Without the key, effects are 1 + duplicates."""
    workspace = {"kind": "last_writer_wins", "ack_loss": 0.3, "idempotent": idempotent}
    metrics = run(workload__tasks=4000, workspace=workspace)
    assert metrics.tasks_done == 4000
    assert metrics.duplicate_effects == (0 if idempotent else metrics.retries)
    assert metrics.retries / 4000 == pytest.approx(0.3 / 0.7, rel=0.1)


def test_a_breaker_sends_no_more_than_its_threshold_and_a_probe_a_period() -> None:
    """While it is open nothing is sent, and then one trial call at a time."""
    down_s, open_s, minimum = 200.0, 30.0, 5
    metrics = run(
        team__size=4,
        coordination__timing="asynchronous",
        workload__tasks=40,
        provider={"error_s": 0.5, "retry": {"max_retries": 0}},
        faults=[{"at_s": 0, "kind": "outage", "for_s": down_s}],
        resilience={
            "breaker": {"minimum": minimum, "open_s": open_s},
            "retry": {"max_retries": 1000, "backoff": NO_WAIT},
        },
    )
    under_way = 4 - 1  # sent before the breaker could open
    assert metrics.provider_errors <= minimum + under_way + np.ceil(down_s / open_s)
    assert metrics.breaker_opens == 1 + np.floor(down_s / open_s)
    assert metrics.outcome == "completed"
    without = run(
        team__size=4,
        coordination__timing="asynchronous",
        workload__tasks=40,
        provider={"error_s": 0.5, "retry": {"max_retries": 0}},
        faults=[{"at_s": 0, "kind": "outage", "for_s": down_s}],
        resilience={"retry": {"max_retries": 1000, "backoff": NO_WAIT}},
    )
    assert without.provider_errors == 4 * down_s / 0.5


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
