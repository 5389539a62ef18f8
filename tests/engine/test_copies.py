"""Copies and backups of a task: the first success counts, and a failure stops no other copy."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.model.metrics import Metrics
from tests.conftest import agent, exponential, run, run_as_traced, runs, scenario, z_score

REDUNDANT: dict[str, Any] = {"kind": "redundancy", "copies": 2}
CLAIMED: dict[str, Any] = {"kind": "self_claim", "claims": "immediate"}
LOGNORMAL = {"kind": "lognormal", "median": 5.0, "sigma": 0.5}
BACKED_UP: dict[str, Any] = {"backup": {"when_left": 1.0}}


def seconds(base: float, **errors: Any) -> dict[str, Any]:
    return agent(latency={"kind": "seconds", "base": base}, errors=errors or {"detection": 0})


def two(first: dict[str, Any], second: dict[str, Any], **fields: Any) -> Metrics:
    """Run one task in a team of two kinds, asynchronously."""
    groups = {"first": {"size": 1, "agent": first}, "second": {"size": 1, "agent": second}}
    defaults: dict[str, Any] = {
        "coordination__timing": "asynchronous",
        "workload__tasks": 1,
        "limits": {"deadline_s": 1000},
    }
    return run_as_traced(scenario(team={"groups": groups}, **(defaults | fields)))


WRONG = {"probability": 1.0, "detection": 1.0}


def test_a_copy_that_fails_leaves_the_other_at_work() -> None:
    metrics = two(seconds(1, **WRONG), seconds(10), coordination__protocol=REDUNDANT)
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 10)
    # The wrong one tries ten times; its call that ends with the right one's comes too late.
    assert metrics.failed_tests in (9, 10)
    assert metrics.tasks_correct == 1


@pytest.mark.parametrize("protocol", ["pre_assigned", CLAIMED, "work_stealing"])
def test_a_backup_that_fails_leaves_the_owner_at_work(protocol: Any) -> None:
    metrics = two(
        seconds(10),
        seconds(3, **WRONG),
        coordination__protocol=protocol,
        resilience=BACKED_UP,
    )
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 10)
    assert metrics.backups == 4
    assert metrics.duplicate_attempts == 0


@pytest.mark.parametrize("protocol", ["pre_assigned", CLAIMED, "work_stealing"])
def test_an_owner_that_fails_leaves_the_backup_at_work(protocol: Any) -> None:
    # The owner fails at 4, 8, 12 s; the backup began at 0 and is done at 10.
    metrics = two(
        seconds(4, **WRONG), seconds(10), coordination__protocol=protocol, resilience=BACKED_UP
    )
    assert (metrics.outcome, metrics.makespan_s, metrics.tasks_correct) == ("completed", 10, 1)
    assert metrics.failed_tests == 2


def test_a_backup_that_is_done_first_cancels_the_owner() -> None:
    metrics = two(
        seconds(30), seconds(10), coordination__protocol="pre_assigned", resilience=BACKED_UP
    )
    assert (metrics.makespan_s, metrics.calls, metrics.failed_calls) == (10, 2, 1)
    assert metrics.tasks_done == 1


def test_a_backup_that_waits_for_its_review_is_not_made_again() -> None:
    """The owner takes 50 s; what the backup has made in 10 s is reviewed for as long."""
    metrics = two(
        seconds(50),
        seconds(10),
        coordination={
            "protocol": "pre_assigned",
            "timing": "asynchronous",
            "review": {"by": "verifiers"},
        },
        resilience=BACKED_UP,
    )
    assert (metrics.backups, metrics.tasks_done, metrics.duplicate_attempts) == (1, 1, 0)


def test_a_backup_that_is_rejected_is_made_again_by_another_if_who_made_it_has_gone() -> None:
    """Of two free agents one backs it up, from 0 to 10 s, and dies at 12 s, in its sleep.

    Its backup is rejected at 20 s; the other's, from 20 to 30 s, is at 40 s; the owner takes 90 s.
    """
    groups = {"first": {"size": 1, "agent": seconds(90)}, "free": {"size": 2, "agent": seconds(10)}}
    metrics = run_as_traced(
        scenario(
            team={"groups": groups, "verifier": seconds(10)},
            coordination={
                "protocol": "pre_assigned",
                "timing": "asynchronous",
                "review": {"by": "verifiers", "false_alarm": 1.0},
            },
            workload__tasks=1,
            faults=[{"at_s": 12, "kind": "kill", "agent": 1}],
            resilience=BACKED_UP,
            limits={"deadline_s": 35},
        )
    )
    assert (metrics.backups, metrics.rejections) == (2, 1)


@pytest.mark.parametrize("protocol", ["pre_assigned", CLAIMED])
def test_a_task_is_not_given_up_while_a_copy_of_it_is_in_progress(protocol: Any) -> None:
    metrics = two(
        seconds(3, **WRONG, max_attempts=1),
        seconds(10),
        coordination__protocol=protocol,
        resilience=BACKED_UP,
    )
    assert (metrics.makespan_s, metrics.tasks_correct) == (10, 1)
    alone = run(
        team__agent=seconds(3, **WRONG, max_attempts=1),
        workload__tasks=1,
        coordination__timing="asynchronous",
    )
    assert (alone.makespan_s, alone.faulty_detected) == (3, 1)


def reviewed(attempts: int) -> Any:
    """Return the row of a quick one who is wrong, of a slow one, and of a verifier who sees it."""
    return run_as_traced(
        scenario(
            team={
                "groups": {
                    "first": {
                        "size": 1,
                        "agent": seconds(1, probability=1.0, detection=0.0, max_attempts=attempts),
                    },
                    "second": {"size": 1, "agent": seconds(10)},
                },
                "verifier": seconds(1),
            },
            coordination={
                "protocol": REDUNDANT,
                "timing": "asynchronous",
                "review": {"by": "verifiers", "work": 0},
            },
            workload__tasks=1,
            limits={"deadline_s": 1000},
        )
    )


def test_a_copy_that_a_reviewer_rejects_stops_nobody() -> None:
    # The quick one is wrong and its own tests see nothing; the verifier, who takes 1 s, does.
    metrics = reviewed(99)
    assert metrics.outcome == "completed"
    assert metrics.tasks_correct == 1
    assert metrics.makespan_s <= 12  # ten seconds of work, and a review or two
    assert metrics.rejections >= 4


@pytest.mark.thorough
@pytest.mark.theory
@pytest.mark.parametrize(
    ("p", "copies"),
    [(0.3, 2), *(pytest.param(*it, marks=pytest.mark.thorough) for it in ((0.6, 2), (0.3, 4)))],
)
def test_the_time_until_the_first_good_copy_is_that_of_a_thinned_process(
    p: float, copies: int
) -> None:
    # Each copy is tried again at once: attempts end at rate k mu, and 1 - p of them are good. Four
    # standard errors of 3,000 runs are 7 %: without faults it is 30 % less, with one copy double.
    found = runs(
        3000,
        team={
            "size": copies,
            "agent": agent(latency=exponential(10.0), errors={"probability": p, "detection": 1.0}),
        },
        coordination={
            "protocol": {"kind": "redundancy", "copies": copies},
            "timing": "asynchronous",
        },
        workload__tasks=1,
    )
    assert abs(z_score((m.makespan_s for m in found), 10 / (copies * (1 - p)))) < 4


def test_a_copy_that_is_cancelled_before_its_service_leaves_the_next_call_its_own_time() -> None:
    """The backup of 30 s waits in the queue until its original is done; a task of 10 s follows."""
    metrics = run(
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        team={
            "size": 2,
            "agent": agent(latency={"kind": "seconds", "per_work_unit_s": 10}),
        },
        workload={
            "kind": "dag",
            "tasks": [
                {"id": "a", "size": 3, "worker": 1},
                {"id": "b", "worker": 2, "arrival_s": 40},
            ],
        },
        provider={"concurrency": 1, "queue": {}},
        resilience={"backup": {"when_left": 1, "correlation": 1}},
    )
    assert metrics.makespan_s == 50


@pytest.mark.parametrize("kind", ["debate", "replicate_and_vote"])
def test_what_a_simpler_protocol_asks_several_agents_is_not_backed_up(kind: str) -> None:
    """Who backed up a task of a debate spoke in it though it was none of the debaters."""
    simpler = {"protocol": {"kind": kind}, "when_lost": "workers", "share": 0.2}
    metrics = runs(
        10,
        team={"size": 5, "agent": agent(latency={"kind": "seconds", "base": LOGNORMAL})},
        coordination__protocol="pre_assigned",
        coordination__timing="asynchronous",
        workload__tasks=20,
        faults=[{"at_s": 2, "kind": "crash", "agent": 0, "for_s": 200}],
        resilience={"simpler_protocol": simpler, "backup": {"when_left": 1.0, "copies": 3}},
    )
    assert {each.outcome for each in metrics} == {"completed"}
    # Before the crash nobody is free; with the simpler protocol nobody may.
    assert {each.backups for each in metrics} == {0}


COPYING: dict[str, dict[str, Any]] = {
    "redundancy": {"coordination__protocol": REDUNDANT},
    "dealt": {"coordination__protocol": "pre_assigned", "resilience": BACKED_UP},
    "claimed": {"coordination__protocol": CLAIMED, "resilience": BACKED_UP},
}
"""Ways in which a second agent attempts the first's task at the same time."""

copied = pytest.mark.parametrize("way", COPYING)


@copied
@pytest.mark.parametrize(("most", "failed"), [(1, 1), (2, 2), (3, 3)])
def test_a_task_is_attempted_no_more_often_than_it_may_while_a_copy_goes_on(
    way: str, most: int, failed: int
) -> None:
    # Attempts of 3 s end at 3, 6, 9 s; the copy is done at 10.
    metrics = two(seconds(3, **WRONG, max_attempts=most), seconds(10), **COPYING[way])
    assert (metrics.makespan_s, metrics.tasks_correct, metrics.failed_tests) == (10, 1, failed)
    assert (metrics.calls, metrics.duplicate_attempts) == (failed + 1, 0)


@copied
def test_a_task_is_given_up_when_the_last_copy_has_failed_too(way: str) -> None:
    wrong = {**WRONG, "max_attempts": 1}
    metrics = two(seconds(3, **wrong), seconds(10, **wrong), **COPYING[way])
    assert (metrics.outcome, metrics.makespan_s) == ("completed", 10)
    assert (metrics.failed_tests, metrics.faulty_detected, metrics.calls) == (2, 1, 2)


@copied
@pytest.mark.parametrize(("fault", "until_s"), [("kill", 5), ("silent", 10)])
def test_a_task_is_given_up_when_the_last_copy_comes_to_nothing(
    way: str, fault: str, until_s: int
) -> None:
    # Who is silent from 5 s on works to the end, and hands nothing in.
    metrics = two(
        seconds(3, **WRONG, max_attempts=1),
        seconds(10),
        faults=[{"at_s": 5, "kind": fault, "agent": 1}],
        **COPYING[way],
    )
    assert (metrics.outcome, metrics.makespan_s) == ("completed", until_s)
    assert (metrics.failed_tests, metrics.faulty_detected) == (1, 1)


@copied
@pytest.mark.parametrize("both", [False, True])
def test_a_call_that_fails_for_good_leaves_no_task_that_a_copy_may_do(way: str, both: bool) -> None:
    lost = {"faults": {"malformed": 1.0}}
    fields = dict(COPYING[way])
    fields["resilience"] = {**fields.get("resilience", {}), "fallback": {"partial": True}}
    metrics = two({**seconds(3), **lost}, {**seconds(10), **(lost if both else {})}, **fields)
    assert (metrics.outcome, metrics.makespan_s, metrics.calls) == ("completed", 10, 2)
    assert (metrics.tasks_correct, metrics.partial_tasks) == ((0, 1) if both else (1, 0))
    assert metrics.attempts == 1


def test_a_copy_that_has_not_begun_is_begun_no_more() -> None:
    """Three copies: one fails at 3 s, one is done at 10, and who has the third is busy until 5."""
    kinds = {"wrong": seconds(3, **WRONG, max_attempts=1), "slow": seconds(10), "busy": seconds(5)}
    metrics = run_as_traced(
        scenario(
            team={"groups": {name: {"size": 1, "agent": each} for name, each in kinds.items()}},
            coordination__protocol={"kind": "redundancy", "copies": 3},
            coordination__timing="asynchronous",
            workload={"kind": "dag", "tasks": [{"id": "first"}, {"id": "second"}]},
            limits={"deadline_s": 1000},
        )
    )
    # The first is failed at 3 s, and done by the busy one at 5, as the second is at 10.
    assert (metrics.makespan_s, metrics.tasks_correct) == (10, 2)


def test_what_a_reviewer_rejects_for_the_last_time_waits_for_the_copy_too() -> None:
    """The first hands in at 1 s, is rejected at 2 and not attempted again; the copy is in at 10."""
    metrics = reviewed(1)
    assert (metrics.makespan_s, metrics.tasks_correct, metrics.rejections) == (11, 1, 1)


def test_of_two_copies_that_are_reviewed_together_the_second_may_count() -> None:
    """Both end at 10 s, one wrong: the coordinator reads both in its call until 15 s."""
    groups = {
        "first": {
            "size": 1,
            "agent": seconds(10, probability=1.0, detection=0.0, max_attempts=1),
        },
        "second": {"size": 1, "agent": seconds(10)},
    }
    metrics = run_as_traced(
        scenario(
            team={"groups": groups, "coordinator": {"latency": {"kind": "seconds", "base": 5}}},
            topology="centralised",
            coordination={"protocol": REDUNDANT, "review": {"by": "coordinator"}},
            workload__tasks=1,
            limits={"deadline_s": 1000},
        )
    )
    assert (metrics.makespan_s, metrics.tasks_correct, metrics.rejections) == (15, 1, 1)
