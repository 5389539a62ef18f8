"""Two patterns or more at a time, with constant times, so that a run can be counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.conftest import agent, run, scenario

TEN: dict[str, Any] = agent(latency={"kind": "seconds", "base": 10})
ASYNC: dict[str, Any] = {"coordination__timing": "asynchronous"}
NO_SDK: dict[str, Any] = {"max_retries": 0}
AT_ONCE: dict[str, Any] = {"kind": "none"}


def test_a_time_out_by_percentile_knows_how_long_requests_wait_in_the_queue() -> None:
    """Four agents before one server of 10 s: each request takes 40 s, 30 of them in the queue."""
    metrics = run(
        **ASYNC,
        team={"size": 4, "agent": TEN},
        workload__tasks=60,
        provider={"concurrency": 1, "queue": {}, "retry": NO_SDK},
        resilience={
            "timeout": {"seconds": 100, "percentile": 0.9, "factor": 1.5, "minimum": 20},
            "retry": {"backoff": AT_ONCE},
        },
    )
    # The limit is 60 s once 20 requests are seen: nobody loses patience.
    assert (metrics.timeouts, metrics.makespan_s) == (0, 600)


def test_after_an_outage_patience_is_what_it_was_before() -> None:
    """For 30 s every request fails after 1 s; four calls of 10 s follow."""
    fields: dict[str, Any] = {
        **ASYNC,
        "team__agent": TEN,
        "workload__tasks": 4,
        "provider": {"error_s": 1, "retry": NO_SDK},
        "faults": [{"at_s": 0, "kind": "outage", "for_s": 30}],
    }
    seen = {"percentile": 0.9, "minimum": 20, "window": 20}
    retry = {"max_retries": 99, "backoff": AT_ONCE}
    for patterns in ({"timeout": {**seen, "seconds": 100, "factor": 2}}, {"hedge": seen}):
        metrics = run(**fields, resilience={"retry": retry, **patterns})
        assert metrics.provider_errors == 30
        assert (metrics.timeouts, metrics.hedges, metrics.makespan_s) == (0, 0, 70)


def test_losses_one_after_another_do_not_add_up_to_a_long_one() -> None:
    """Two crashes of 5 s each, 4 s apart, are not half of the team down for 10 s."""
    metrics = run(
        **ASYNC,
        team={"size": 2, "agent": TEN},
        coordination__protocol="pre_assigned",
        workload__tasks=8,
        faults=[
            {"at_s": at_s, "kind": "crash", "agent": worker, "for_s": 5}
            for worker, at_s in enumerate((1, 10.5))
        ],
        resilience={
            "simpler_protocol": {
                "protocol": "self_claim",
                "when_lost": "workers",
                "share": 0.5,
                "after_s": 10,
                "agents": 1,
            }
        },
    )
    # Four tasks each: from 6 s on; and one by 10 s, three more from 15.5 s on.
    assert metrics.makespan_s == 46


TWO_FILES: dict[str, Any] = {
    "workload": {"kind": "dag", "tasks": [{"id": "a", "files": ["x", "y"]}]},
    "workspace": {"kind": "locks", "acquire": "one_by_one"},
}
"""A call of two parts: one file is locked after the other, and half of the work follows each."""


def test_a_hedge_asks_for_the_part_of_the_call_that_it_repeats() -> None:
    metrics = run(
        **ASYNC,
        **TWO_FILES,
        team__agent=TEN,
        faults=[{"at_s": 0, "kind": "slow", "agent": 0, "factor": 10, "for_s": 1}],
        resilience={"hedge": {"after_s": 2}},
    )
    # The first half would take 50 s; its second request is sent at 2 s and takes 5 s.
    assert (metrics.hedges, metrics.makespan_s) == (2, 2 + 5 + 5)


CHECKPOINTS: dict[str, Any] = {"checkpoint": {"every_s": 1}}
ONE_TASK: dict[str, Any] = {**ASYNC, "team__agent": TEN, "workload__tasks": 1}


@pytest.mark.parametrize("kind", ["slow", "brownout"])
def test_checkpoints_save_work_and_not_seconds(kind: str) -> None:
    """After 8 s at half the pace 4 of 10 s of work are done; 6 s are left after the crash."""
    slow = {"at_s": 0, "kind": kind, "factor": 2, "for_s": 8}
    crash = {"at_s": 8, "kind": "crash", "agent": 0, "for_s": 2}
    faults = [slow | ({"agent": 0} if kind == "slow" else {}), crash]
    assert run(**ONE_TASK, faults=faults, resilience=CHECKPOINTS).makespan_s == 8 + 2 + 6


def test_who_takes_over_from_a_checkpoint_needs_its_own_time_for_what_is_left() -> None:
    """Half of a task of 100 s is done when its agent is lost; the other needs 5 of its 10 s."""
    groups = {
        "slow": {"size": 1, "agent": agent(latency={"kind": "seconds", "base": 100})},
        "quick": {"size": 1, "agent": TEN},
    }
    metrics = run(
        **ASYNC,
        team={"groups": groups},
        coordination__protocol="pre_assigned",
        workload__tasks=2,
        faults=[{"at_s": 50, "kind": "kill", "agent": 0}],
        resilience={**CHECKPOINTS, "detector": {"period_s": 1, "timeout_s": 1}},
    )
    assert metrics.makespan_s == 51 + 5


def test_a_request_that_stalls_does_no_more_work() -> None:
    stall = {"at_s": 3, "kind": "stall", "agent": 0, "for_s": 20}
    crash = {"at_s": 23, "kind": "crash", "agent": 0, "for_s": 2}
    metrics = run(**ONE_TASK, faults=[stall, crash], resilience=CHECKPOINTS)
    assert metrics.makespan_s == 23 + 2 + 7


def test_a_call_in_parts_goes_on_from_its_checkpoint() -> None:
    """The crash comes 3 s into the second half: 8 of 10 s of work are saved."""
    crash = {"at_s": 8, "kind": "crash", "agent": 0, "for_s": 2}
    metrics = run(**ASYNC, **TWO_FILES, team__agent=TEN, faults=[crash], resilience=CHECKPOINTS)
    assert metrics.makespan_s == pytest.approx(8 + 2 + 2)


@pytest.mark.parametrize(
    ("every_s", "crash_s", "left_s"),
    [
        (100, 8, 10),  # none is ever made
        (4, 8, 6),  # the last was made after 4 s, in the first half
        (4, 9.5, 1),  # and this after 4 s of the second half
        (3, 5, 7),  # between the halves
    ],
)
def test_a_part_that_is_answered_is_saved_as_far_as_a_checkpoint_has_it(
    every_s: float, crash_s: float, left_s: float
) -> None:
    crash = {"at_s": crash_s, "kind": "crash", "agent": 0, "for_s": 2}
    patterns = {"checkpoint": {"every_s": every_s}}
    metrics = run(**ASYNC, **TWO_FILES, team__agent=TEN, faults=[crash], resilience=patterns)
    assert metrics.makespan_s == pytest.approx(crash_s + 2 + left_s)


def test_a_hedge_goes_on_from_the_checkpoint_too() -> None:
    """Of 10 s, 6 are saved at the crash; then the first request takes ten times its 4 s."""
    crash = {"at_s": 7, "kind": "crash", "agent": 0, "for_s": 3}
    slow = {"at_s": 10, "kind": "slow", "agent": 0, "factor": 10, "for_s": 1}
    patterns = {"checkpoint": {"every_s": 2}, "hedge": {"after_s": 3}}
    metrics = run(**ONE_TASK, faults=[crash, slow], resilience=patterns)
    assert metrics.makespan_s == pytest.approx(7 + 3 + 3 + 4)


ONE_A_MINUTE: dict[str, Any] = {"requests_per_minute": 1, "burst_s": 60}
FOUR_S: dict[str, Any] = {"kind": "exponential", "base_s": 4, "cap_s": 4}


def test_who_is_refused_for_the_last_time_asks_another_model_at_once() -> None:
    other = agent(latency={"kind": "seconds", "base": 5})
    fallback = {"model": other, "shares_limits": False}
    fields: dict[str, Any] = {**ASYNC, "team__agent": TEN, "workload__tasks": 2}
    for retries, waited_s in ((0, 0), (1, 20)):
        metrics = run(
            **fields,
            provider={
                "requests_per_minute": 2,
                "burst_s": 30,
                "retry": {"max_retries": retries, "lag": 0},
            },
            resilience={"fallback": fallback},
        )
        # The second call is refused at 10 s, and would be let in at 30 s.
        assert metrics.rate_limited_s == pytest.approx(waited_s)
        assert metrics.makespan_s == pytest.approx(10 + (5 if not retries else 20 + 10))


def test_the_team_itself_obeys_no_retry_after() -> None:
    """Refused at 10 s, it tries again every 4 s, until it is let in at 62 s."""
    metrics = run(
        **ASYNC,
        team__agent=TEN,
        workload__tasks=2,
        provider={**ONE_A_MINUTE, "retry": NO_SDK},
        resilience={"retry": {"max_retries": 99, "backoff": FOUR_S}},
    )
    assert (metrics.rate_limited_s, metrics.held_back_s, metrics.makespan_s) == (0, 52, 72)


def test_the_clients_library_has_so_many_retries_for_refusals_and_errors_together() -> None:
    """One refusal and one error use up two retries; the second error is final."""
    metrics = run(
        **ASYNC,
        team__agent=TEN,
        workload__tasks=1,
        provider={
            "requests_per_minute": 60,
            "burst_s": 1,
            "errors": {"probability": 1, "after_s": 0.5},
            "retry": {"max_retries": 2, "base_s": 0.1, "jitter": 0, "lag": 0},
        },
        resilience={"fallback": {"partial": True}},
    )
    # Fails at 0.5 s, is refused at 0.6 s, comes back at 1 s, and fails at 1.5 s.
    assert (metrics.rate_limits, metrics.provider_errors, metrics.retries) == (1, 2, 2)
    assert metrics.makespan_s == pytest.approx(1.5)


@pytest.mark.parametrize("loop", [None, {"turns": 5}], ids=["call", "loop"])
def test_each_of_several_answers_has_a_checkpoint_of_its_own(loop: dict[str, Any] | None) -> None:
    """The crash at 5 s leaves 5 of 10 s, or 3 of 5 turns; the other's answer changes nothing."""
    latency = {"kind": "seconds", "base": 2 if loop else 10}
    metrics = run(
        **ASYNC,
        team={"size": 2, "agent": agent(latency=latency, loop=loop)},
        coordination__protocol={"kind": "replicate_and_vote", "replicas": 2},
        workload__tasks=1,
        faults=[{"at_s": 5, "kind": "crash", "agent": 0, "for_s": 10}],
        resilience=CHECKPOINTS,
    )
    assert metrics.makespan_s == 15 + (6 if loop else 5)


def test_nobody_gives_its_answer_from_the_checkpoint_of_another() -> None:
    """The second agent comes to the vote after the first has crashed half-way: it needs 10 s."""
    metrics = run(
        **ASYNC,
        team={"size": 2, "agent": TEN},
        coordination__protocol={"kind": "replicate_and_vote", "replicas": 2},
        workload__tasks=1,
        faults=[
            {"at_s": 0, "kind": "crash", "agent": 1, "for_s": 6},
            {"at_s": 5, "kind": "kill", "agent": 0},
        ],
        resilience={**CHECKPOINTS, "detector": {"period_s": 1, "timeout_s": 1}},
    )
    # The second starts at 6 s; its second answer, in place of the first agent's, is its own too.
    assert metrics.makespan_s == 6 + 10 + 10


def test_what_was_saved_in_service_outlasts_a_crash_after_it() -> None:
    """The crash comes while the call commits: of its 10 s, the last is not saved."""
    metrics = run(
        **ONE_TASK,
        workspace={"kind": "optimistic", "one_way_s": 2},
        faults=[{"at_s": 15, "kind": "crash", "agent": 0, "for_s": 5}],
        resilience=CHECKPOINTS,
    )
    # It reads until 4 s, works until 14 s; then it reads, works for 1 s and commits.
    assert metrics.makespan_s == pytest.approx(15 + 5 + 4 + 1 + 4)


def test_what_was_saved_outlasts_a_crash_between_two_parts_of_a_call() -> None:
    """The agent waits for its second lock, until 10 s, when it crashes at 7 s."""
    files = [{"id": "a", "files": ["x", "y"]}, {"id": "b", "files": ["y"]}]
    metrics = run(
        **ASYNC,
        team={"size": 2, "agent": TEN},
        coordination__protocol="pre_assigned",
        workload={"kind": "dag", "tasks": files},
        workspace=TWO_FILES["workspace"],
        faults=[{"at_s": 7, "kind": "crash", "agent": 0, "for_s": 5}],
        resilience=CHECKPOINTS,
    )
    # Of the first 5 s, the last is not saved.
    assert metrics.makespan_s == pytest.approx(7 + 5 + 1 + 5)


@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
@pytest.mark.parametrize("protocol", ["self_claim", "pre_assigned", "work_stealing"])
@pytest.mark.parametrize("killed_s", [0, 20, 34])
def test_a_simpler_protocol_takes_over_before_and_while_the_team_is_cut_in_two(
    killed_s: float, protocol: str, timing: str
) -> None:
    """The coordinator is gone for good; the last of three workers is cut off from 15 to 45 s."""
    metrics = run(
        coordination={"protocol": "lead_assign", "timing": timing},
        team={"size": 3, "agent": TEN},
        topology="centralised",
        workload__tasks=9,
        workspace={"kind": "quorum", "on_partition": "consistent"},
        network={"partitions": [{"at_s": 15, "duration_s": 30, "minority": 0.34}]},
        faults=[{"at_s": killed_s, "kind": "kill", "agent": "coordinator"}],
        resilience={"simpler_protocol": {"protocol": protocol}, "detector": {}},
    )
    assert (metrics.outcome, metrics.tasks_done, metrics.tasks_correct) == ("completed", 9, 9)
    worked = metrics.work_s + metrics.rework_s + metrics.wasted_s + metrics.coordination_s
    time = worked + metrics.waiting_s + metrics.down_s
    assert time == pytest.approx(metrics.agents * metrics.makespan_s, rel=1e-9)
    assert metrics.work_s == 90


def test_an_open_breaker_that_is_due_to_be_half_open_degrades_nobody() -> None:
    """It opens at 5 s, for 20 s; calls begin at 0, 15 and 25 s, and one message is left out."""
    metrics = run(
        **ASYNC,
        topology="decentralised",
        team={"size": 2, "agent": agent(latency=TEN["latency"], behaviour={"talk": 1})},
        coordination__protocol="pre_assigned",
        workload={"kind": "dag", "tasks": [{"id": name, "worker": 1} for name in "abc"]},
        provider__retry=NO_SDK,
        faults=[{"at_s": 5, "kind": "outage", "for_s": 1}],
        resilience={
            "breaker": {"window": 1, "minimum": 1, "open_s": 20},
            "fallback": {"model": {"latency": TEN["latency"]}},
            "degraded": {"when_down": 1, "skip": ["messages"]},
        },
    )
    assert (metrics.makespan_s, metrics.fallbacks, metrics.messages) == (35, 2, 2)


@pytest.mark.parametrize(("minority", "is_majority_left"), [(0.2, True), (0.4, False)])
def test_an_election_during_a_partition_needs_a_majority_on_the_side_of_the_seat(
    minority: float, is_majority_left: bool
) -> None:
    """The coordinator of five is lost at 12 s, while some are cut off, from 5 to 205 s."""
    fields: dict[str, Any] = {
        "coordination": {"protocol": "pre_assigned", "timing": "asynchronous"},
        "team": {"size": 5, "agent": TEN},
        "topology": "centralised",
        "workload__tasks": 100,
        "network": {"partitions": [{"at_s": 5, "duration_s": 200, "minority": minority}]},
        "faults": [{"at_s": 12, "kind": "kill", "agent": "coordinator"}],
        "resilience": {"election": {}},
    }
    for replication in range(20):
        trace = Trace(replication)
        Simulation(scenario(**fields)).run(replication, trace)
        (leads,) = [row for row in trace.rows if row.event is Event.LEADS]
        assert (leads.time_s < 60) == is_majority_left
        assert leads.time_s < 60 or leads.time_s > 205 + 10
        assert not is_majority_left or leads.peer != 4  # it is cut off
