"""When a run ends: complete, stuck, at its deadline; and which clock tells."""

from __future__ import annotations

import math
from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.conftest import agent, run, run_as_traced, scenario

ASYNC: dict[str, Any] = {"coordination__timing": "asynchronous"}
DEALT: dict[str, Any] = {"coordination__protocol": "pre_assigned"}
TIMINGS = ["rounds", "asynchronous"]


def crashing(after_s: float, **more: Any) -> dict[str, Any]:
    """Return an agent with calls of 10 s that goes down after a given time."""
    latency = {"kind": "seconds", "base": 10}
    return agent(latency=latency, faults={"crash": {"up_s": after_s, **more}})


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("deadline_s", [None, 5000.0])
def test_a_stuck_team_ends_when_it_is_stuck(timing: str, deadline_s: float | None) -> None:
    groups = {
        "lost": {"size": 1, "agent": crashing(5)},
        "idle": {"size": 1, "agent": crashing(100_000)},
    }
    metrics = run_as_traced(
        scenario(
            team={"groups": groups},
            **DEALT,
            coordination__timing=timing,
            coordination__idle_agents="wait",
            workload__tasks=4,
            limits={"deadline_s": deadline_s},
        )
    )
    assert metrics.outcome == "deadlock"
    assert "2 tasks are left" in metrics.reason
    assert metrics.makespan_s == pytest.approx(20)
    assert metrics.down_s == pytest.approx(15)
    assert metrics.crashes == 1


LATE_TIMERS: list[dict[str, Any]] = [
    {"workspace": {"kind": "locks", "lease_s": 9000}},
    {"resilience": {"detector": {"progress_s": 9000, "reassign": False}}},
    {"resilience": {"timeout": {"seconds": 9000}}, "provider": {"concurrency": 1, "queue": {}}},
    {"faults": [{"at_s": 9000, "kind": "slow", "agent": 1, "factor": 2}]},
    {"faults": [{"at_s": 9000, "kind": "brownout", "factor": 2}]},
    {"faults": [{"at_s": 1, "kind": "stall", "agent": 1, "for_s": 9000}]},
    {"resilience": {"detector": {"kind": "swim", "reassign": False}}},
    {"faults": [{"at_s": 9000, "kind": "kill", "agent": 1}]},
    {"faults": [{"at_s": 9000, "kind": "crash", "agent": 1, "for_s": 5}]},
    {"network": {"partitions": [{"at_s": 9000, "duration_s": 10}]}},
]
"""Timers that are still set when the work is over; none can change anything then."""


@pytest.mark.parametrize("late", LATE_TIMERS)
def test_timers_that_come_too_late_keep_no_run_going(late: dict[str, Any]) -> None:
    # The first agent crashes with the last task in its hands; the second has done its own.
    groups = {
        "lost": {"size": 1, "agent": crashing(35)},
        "idle": {"size": 1, "agent": agent(latency={"kind": "seconds", "base": 10})},
    }
    fields: dict[str, Any] = {"team": {"groups": groups}, **DEALT, **ASYNC, "workload__tasks": 8}
    metrics = run(**(fields | late))
    assert metrics.outcome == "deadlock"
    assert metrics.makespan_s < 100


KILL: dict[str, Any] = {"at_s": 15, "kind": "kill", "agent": 0}
HANGS: dict[str, Any] = {"at_s": 0, "kind": "stall", "agent": 0}
BACK_BEFORE: dict[str, Any] = {"at_s": 15, "kind": "crash", "agent": "coordinator", "for_s": 5}
SILENT: dict[str, Any] = {"timeout_s": 100_000}
LEASE: dict[str, Any] = {"kind": "self_claim", "claims": "immediate", "lease_s": 100_000}
SIMPLER: dict[str, Any] = {"protocol": "self_claim", "after_s": 100_000}

IN_VAIN: dict[str, tuple[float, dict[str, Any]]] = {
    "nobody to take over": (15, {"faults": [KILL], "resilience": {"detector": SILENT}}),
    "found by probes": (
        15,
        {
            "faults": [KILL],
            "resilience": {"detector": {"kind": "swim", "period_s": 1000}},
        },
    ),
    "no restarts left": (
        15,
        {
            "faults": [KILL],
            "resilience": {"detector": SILENT, "supervisor": {"max_restarts": 0}},
        },
    ),
    "a crash of who hangs": (
        0,
        {"faults": [HANGS, {"at_s": 100_000, "kind": "kill", "agent": 0}]},
    ),
    "a lease nobody waits for": (15, {"faults": [KILL], "coordination__protocol": LEASE}),
    "a simpler protocol for nobody": (
        50,
        {
            "topology": "centralised",
            "faults": [BACK_BEFORE, {"at_s": 50, "kind": "kill", "agent": 0}],
            "resilience": {"simpler_protocol": SIMPLER},
        },
    ),
    "a partition of the dead": (
        15,
        {
            "faults": [KILL],
            "workspace": {"kind": "last_writer_wins", "on_partition": "available"},
            "network": {"partitions": [{"at_s": 100_000, "duration_s": 100}]},
        },
    ),
    "time-outs that are all equal": (
        5,
        {
            "coordination__protocol": "lead_assign",
            "team__size": 3,
            "topology": "centralised",
            "faults": [{"at_s": 5, "kind": "kill", "agent": "coordinator"}],
            "resilience": {"election": {"timeout_s": 10}},
        },
    ),
}
"""Timers that set off something, which gets nobody going; and when the team has got stuck."""


@pytest.mark.parametrize("deadline_s", [None, 60])
@pytest.mark.parametrize(("stuck_s", "late"), IN_VAIN.values(), ids=IN_VAIN)
def test_what_changes_nothing_keeps_no_run_going(
    stuck_s: float, late: dict[str, Any], deadline_s: float | None
) -> None:
    fields = {
        "team": {"size": 1, "agent": agent(latency={"kind": "seconds", "base": 10})},
        **DEALT,
        **ASYNC,
        "workload__tasks": 10,
        "limits": {"deadline_s": deadline_s},
    }
    metrics = run_as_traced(scenario(**(fields | late)))
    assert metrics.outcome == "deadlock"
    assert metrics.makespan_s == pytest.approx(stuck_s)


def test_who_comes_back_after_the_deadline_is_no_deadlock() -> None:
    metrics = run_as_traced(
        scenario(
            team={"size": 1, "agent": agent(latency={"kind": "seconds", "base": 10})},
            **ASYNC,
            workload__tasks=4,
            faults=[{"at_s": 15, "kind": "crash", "agent": 0, "for_s": 100}],
            limits={"deadline_s": 60},
        )
    )
    assert (metrics.outcome, metrics.makespan_s) == ("deadline", 60)
    assert metrics.down_s == pytest.approx(45)
    assert metrics.calls == 2


def test_overhead_is_paid_between_rounds_also_when_tasks_come_later() -> None:
    def overhead_s(interarrival_s: float) -> float:
        gap = {"kind": "deterministic", "value": interarrival_s}
        return run_as_traced(
            scenario(
                team={"size": 1, "agent": agent(latency={"kind": "seconds", "base": 10})},
                coordination__round_overhead_s=5,
                coordination__idle_agents="wait",
                workload={"kind": "arrivals", "tasks": 3, "interarrival_s": gap},
            )
        ).coordination_s

    assert overhead_s(14) == pytest.approx(10)
    assert overhead_s(16) == pytest.approx(10)


PEERS_THAT_WAIT: dict[str, dict[str, Any]] = {
    "dealt": DEALT,
    "claims": {"coordination__protocol": {"kind": "self_claim", "claims": "immediate"}},
    "stealing": {"coordination__protocol": "work_stealing"},
    "pipeline": {"coordination__protocol": "pipeline"},
    "lead": {
        "coordination__protocol": "lead_assign",
        "topology": {"kind": "centralised"},
    },
    "reviews": {**DEALT, "coordination__review": {"by": "verifiers"}},
}
"""Structures in which a task stays with an agent that is gone."""


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("structure", PEERS_THAT_WAIT.values(), ids=PEERS_THAT_WAIT)
def test_the_return_of_who_has_nothing_to_do_keeps_no_run_going(
    structure: dict[str, Any], timing: str
) -> None:
    # One hangs for good in its first call; the other, down when all else is done, comes back late.
    faults = [
        {"at_s": 5, "kind": "stall", "agent": 0},
        {"at_s": 500, "kind": "crash", "agent": 1, "for_s": 100_000},
    ]
    fields = {
        "team": {"size": 2, "agent": agent(latency={"kind": "seconds", "base": 10})},
        "coordination__timing": timing,
        "coordination__idle_agents": "wait",
        "workload__tasks": 4,
        "faults": faults,
    }
    metrics = run_as_traced(scenario(**(fields | structure)))
    assert metrics.outcome == "deadlock"
    assert metrics.makespan_s <= 500


@pytest.mark.parametrize("timing", TIMINGS)
def test_the_return_of_who_holds_a_task_gets_a_stuck_team_going(timing: str) -> None:
    metrics = run_as_traced(
        scenario(
            team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": 10})},
            **DEALT,
            coordination__timing=timing,
            coordination__idle_agents="wait",
            workload__tasks=4,
            faults=[{"at_s": 5, "kind": "crash", "agent": 1, "for_s": 100_000}],
        )
    )
    assert metrics.outcome == "completed"
    assert metrics.makespan_s == pytest.approx(100_005 + 20)


def test_a_crash_that_ends_a_call_which_hangs_gets_a_stuck_team_going() -> None:
    metrics = run(
        team={"size": 1, "agent": agent(latency={"kind": "seconds", "base": 10})},
        **ASYNC,
        workload__tasks=2,
        faults=[
            {"at_s": 5, "kind": "stall", "agent": 0, "for_s": 20},
            {"at_s": 500, "kind": "crash", "agent": 0, "for_s": 30},
        ],
    )
    assert metrics.outcome == "completed"
    assert metrics.makespan_s == pytest.approx(530 + 20)
    assert metrics.stalls == 1


@pytest.mark.parametrize("kind", ["heartbeat", "swim"])
def test_a_team_that_is_all_dead_is_stuck(kind: str) -> None:
    metrics = run(
        team={"size": 2, "agent": crashing(15)},
        **ASYNC,
        workload__tasks=8,
        resilience={"detector": {"kind": kind, "period_s": 5, "timeout_s": 15}},
    )
    assert metrics.outcome == "deadlock"
    assert metrics.makespan_s <= 30  # the last death, and its detection


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("seconds", [10.0, 10.1, 0.1, 1 / 3])
def test_what_ends_at_the_instant_of_the_deadline_has_ended(timing: str, seconds: float) -> None:
    def until(deadline_s: float) -> Any:
        return run(
            team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": seconds})},
            **DEALT,
            coordination__timing=timing,
            workload__tasks=14,
            limits={"deadline_s": deadline_s},
        )

    met = until(7 * seconds)
    assert (met.outcome, met.tasks_done) == ("completed", 14)
    missed = until(6.99 * seconds)
    assert (missed.outcome, missed.tasks_done) == ("deadline", 12)
    assert missed.makespan_s == pytest.approx(6.99 * seconds)


@pytest.mark.parametrize("limits", [{}, {"max_rounds": 2}, {"max_calls": 2}])
def test_the_harness_takes_its_time_between_rounds_only(limits: dict[str, int]) -> None:
    metrics = run_as_traced(
        scenario(
            team__agent=agent(latency={"kind": "seconds", "base": 10}),
            coordination__round_overhead_s=5,
            workload__tasks=3,
            limits=limits,
        )
    )
    rounds = 2 if limits else 3
    assert metrics.rounds == rounds
    assert metrics.makespan_s == pytest.approx(10 * rounds + 5 * (rounds - 1))
    assert metrics.coordination_s == pytest.approx(5 * (rounds - 1))


@pytest.mark.parametrize("overhead_s", [0, 1, 5, 60])
def test_a_call_is_timed_from_its_own_beginning(overhead_s: float) -> None:
    trace = Trace()
    metrics = Simulation(
        scenario(
            team__agent=agent(latency={"kind": "seconds", "base": 10}),
            **DEALT,
            coordination__round_overhead_s=overhead_s,
            workload__tasks=4,
            resilience={"detector": {"progress_s": 12}, "supervisor": {}},
        )
    ).run(0, trace)
    assert (metrics.outcome, metrics.detections, metrics.failed_calls) == ("completed", 0, 0)
    assert metrics.makespan_s == pytest.approx(40 + 3 * overhead_s)
    assert not any(row.event is Event.DETECTED for row in trace.rows)


@pytest.mark.parametrize("overhead_s", [0, 7])
def test_a_claim_lasts_as_long_as_its_lease_from_when_it_is_made(overhead_s: float) -> None:
    metrics = run(
        team__agent=agent(latency={"kind": "seconds", "base": 10}),
        coordination__round_overhead_s=overhead_s,
        coordination__protocol={"kind": "self_claim", "claims": "immediate", "lease_s": 12},
        workload__tasks=4,
    )
    assert (metrics.lease_expiries, metrics.duplicate_attempts) == (0, 0)


def test_a_lease_that_nobody_waits_for_keeps_no_run_going() -> None:
    metrics = run(
        team={"size": 2, "agent": agent(faults={"stall": 1.0})},
        **DEALT,
        **ASYNC,
        workload__tasks=4,
        workspace={"kind": "locks", "lease_s": 9000},
    )
    assert (metrics.outcome, metrics.makespan_s) == ("deadlock", 0)


def test_the_harness_takes_no_time_after_the_last_round_of_a_stuck_team() -> None:
    groups = {
        "lost": {"size": 1, "agent": crashing(5)},
        "idle": {"size": 1, "agent": agent(latency={"kind": "seconds", "base": 10})},
    }
    metrics = run_as_traced(
        scenario(
            team={"groups": groups},
            **DEALT,
            coordination__idle_agents="wait",
            coordination__round_overhead_s=1000,
            workload__tasks=4,
        )
    )
    assert (metrics.outcome, metrics.rounds) == ("deadlock", 2)
    assert metrics.makespan_s == pytest.approx(10 + 1000 + 10)
    assert metrics.coordination_s == pytest.approx(1000)


def test_what_is_answered_at_the_instant_of_its_time_out_is_answered() -> None:
    queued = run(
        team={"size": 3, "agent": agent(latency={"kind": "seconds", "base": 0.1})},
        **DEALT,
        **ASYNC,
        workload__tasks=3,
        provider={"concurrency": 1, "queue": {}},
        resilience={"timeout": {"seconds": 0.3}},
    )
    assert (queued.outcome, queued.timeouts) == ("completed", 0)
    watched = run(
        team__agent=agent(latency={"kind": "seconds", "base": 0.1}),
        **ASYNC,
        workload__tasks=3,
        resilience={"detector": {"progress_s": 0.1}},
    )
    assert (watched.outcome, watched.detections) == ("completed", 0)


def test_a_verifier_that_comes_back_takes_no_part_in_an_election() -> None:
    metrics = run(
        team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": 10})},
        topology="centralised",
        coordination={
            "protocol": "self_claim",
            "timing": "asynchronous",
            "review": {"by": "verifiers"},
        },
        workload__tasks=6,
        faults=[
            {"at_s": 4, "kind": "kill", "agent": "coordinator"},
            {"at_s": 5, "kind": "crash", "agent": "verifier", "for_s": 5},
        ],
        resilience={"election": {}},
    )
    assert (metrics.outcome, metrics.failovers) == ("completed", 1)


@pytest.mark.parametrize("each", [1, 3, 100])
@pytest.mark.parametrize(
    ("limits", "outcome"), [({"max_calls": 10}, "max_calls"), ({"budget_usd": 0.095}, "budget")]
)
def test_nobody_begins_another_call_of_a_round_once_a_limit_is_reached(
    each: int, limits: dict[str, float], outcome: str
) -> None:
    # A thousand tokens, which is a cent, in each call of a second; two workers call together.
    latency = {"kind": "seconds", "base": 1}
    price = {"input_per_mtok": 0, "cached_input_per_mtok": 0, "output_per_mtok": 10}
    m = run(
        team={"size": 2, "agent": agent(latency=latency, tokens={"output": 1000}, price=price)},
        coordination__calls_per_round=each,
        coordination__protocol="pre_assigned",
        workload__tasks=200,
        limits=limits,
    )
    # The limit is reached in the fifth second; who has begun a call by then ends it.
    assert m.outcome == outcome
    assert m.calls <= 12
    assert m.makespan_s <= 6.0


@pytest.mark.parametrize("each", [1, 3])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.7, 1.0])
def test_calls_that_end_at_one_instant_are_none_of_them_late_for_the_barrier(
    share: float, each: int
) -> None:
    fields = {
        "coordination__calls_per_round": each,
        "coordination__protocol": "pre_assigned",
        "resilience": {"wait_for": share},
    }
    m = run(team__size=4, workload__tasks=12, **fields)
    assert (m.outcome, m.makespan_s, m.calls, m.failed_calls) == ("completed", 3.0, 12, 0)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_a_call_that_goes_on_when_enough_others_have_ended_is_late(share: float) -> None:
    groups = {
        name: {"size": size, "agent": agent(latency={"kind": "seconds", "base": seconds})}
        for name, size, seconds in (("even", 4, 1), ("slow", 1, 2))
    }
    m = run(
        team={"groups": groups},
        coordination__protocol="pre_assigned",
        workload__tasks=5,
        resilience={"wait_for": share},
        limits={"max_rounds": 1},
    )
    assert (m.makespan_s, m.tasks_done, m.failed_calls) == (1.0, 4, 1)


@pytest.mark.parametrize("timed", [{}, {"resilience": {"timeout": {"seconds": 1000}}}])
@pytest.mark.parametrize("claims", ["at_commit", "immediate"])
@pytest.mark.parametrize(("tasks", "each"), [(2, 2), (4, 3), (6, 100)])
def test_nobody_begins_another_call_as_the_last_tasks_of_a_round_are_done(
    tasks: int, each: int, claims: str, timed: dict[str, object]
) -> None:
    # Two workers do two tasks in ten seconds: whoever ends first must not begin an idle call.
    m = run(
        team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": 10})},
        coordination__protocol="pre_assigned"
        if claims == "at_commit"
        else {"kind": "self_claim", "claims": claims},
        coordination__calls_per_round=each,
        workload__tasks=tasks,
        **timed,
    )
    assert (m.outcome, m.makespan_s, m.calls) == ("completed", 5.0 * tasks, tasks)
    assert (m.idle_calls, m.wasted_s) == (0, 0.0)


@pytest.mark.parametrize("deadline_s", [10, 20, 25])
def test_a_deadline_between_two_calls_of_a_round_is_a_deadline(deadline_s: int) -> None:
    m = run(
        team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": 10})},
        coordination={"protocol": "pre_assigned", "calls_per_round": 100},
        workload__tasks=50,
        limits={"deadline_s": deadline_s},
    )
    assert (m.outcome, m.makespan_s) == ("deadline", deadline_s)
    assert m.tasks_done == 2 * (deadline_s // 10)


@pytest.mark.parametrize("for_s", [None, 5, 25])
def test_the_harness_takes_no_time_after_the_last_round_of_who_goes_down_later(
    for_s: float | None,
) -> None:
    # The one round ends at 10 s, the harness at 12 s; the task of 50 s has nobody who does it.
    tasks = [{"id": "a", "worker": 2}, {"id": "b", "worker": 1, "arrival_s": 50}]
    later = {"kind": "kill"} if for_s is None else {"kind": "crash", "for_s": for_s}
    m = run_as_traced(
        scenario(
            team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": 10})},
            coordination__protocol="pre_assigned",
            coordination__idle_agents="wait",
            coordination__round_overhead_s=2,
            workload={"kind": "dag", "tasks": tasks},
            faults=[
                {"kind": "kill", "agent": 0, "at_s": 5},
                {"agent": 1, "at_s": 30, **later},
            ],
        )
    )
    assert (m.outcome, m.makespan_s, m.tasks_done) == ("deadlock", 50.0, 1)
    down_s = 45.0 + min(20.0, for_s or math.inf)
    assert (m.work_s, m.coordination_s, m.down_s) == (10.0, 0.0, down_s)
    assert m.waiting_s == pytest.approx(100.0 - 10.0 - down_s)


STEPS: list[dict[str, Any]] = [{}, {"resilience": {"timeout": {"seconds": 1000}}}]
"""Calls that are nothing but their service, and others."""


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("kind", ["crash", "kill", "stall", "silent", "wrong"])
def test_a_call_that_ends_as_a_fault_strikes_has_ended(
    kind: str, timing: str, steps: dict[str, Any]
) -> None:
    length = {"for_s": 5} if kind == "crash" else {}
    m = run_as_traced(
        scenario(
            team={"size": 1, "agent": agent(latency={"kind": "seconds", "base": 10})},
            **DEALT,
            coordination__timing=timing,
            workload__tasks=2,
            faults=[{"kind": kind, "agent": 0, "at_s": 10, **length}],
            limits={"deadline_s": 1000, "max_calls": 5, "max_rounds": 5},
            **steps,
        )
    )
    assert m.tasks_correct >= 1
    if kind == "crash":
        assert (m.outcome, m.makespan_s, m.calls, m.failed_calls) == ("completed", 25.0, 2, 0)
    if kind == "kill":
        assert (m.outcome, m.makespan_s, m.calls, m.wasted_s) == ("deadlock", 10.0, 1, 0.0)
    if kind == "wrong":
        assert (m.makespan_s, m.tasks_done, m.faulty_undetected) == (20.0, 2, 1)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("timing", TIMINGS)
def test_an_agent_that_crashes_as_often_as_its_calls_end_gets_on(
    timing: str, steps: dict[str, Any]
) -> None:
    m = run(
        team__agent=crashing(20, repair_s=5),
        **DEALT,
        coordination__timing=timing,
        workload__tasks=6,
        **steps,
    )
    # Two calls a life; the last crash comes as the last task is done.
    assert (m.outcome, m.makespan_s, m.failed_calls) == ("completed", 70.0, 0)


@pytest.mark.parametrize("timing", TIMINGS)
def test_a_call_that_ends_as_the_team_is_cut_in_two_has_ended(timing: str) -> None:
    m = run(
        team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": 10})},
        **DEALT,
        coordination__timing=timing,
        workload__tasks=2,
        network__partitions=[{"at_s": 10, "duration_s": 20, "minority": 0.5}],
    )
    assert (m.outcome, m.makespan_s, m.partition_wait_s) == ("completed", 10.0, 0.0)
