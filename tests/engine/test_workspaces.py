"""Workspaces: which agent may write when, and the cost of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from analysis.breakdown.trace_metrics import metrics_from_trace
from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import IN_VAIN, Event, Trace
from tests.conftest import agent, run, run_as_traced, runs, scenario, z_score

SAME_FILE = {
    "kind": "dag",
    "tasks": [{"id": str(i), "files": ["shared"]} for i in range(6)],
}


def six_writers(**workspace: Any) -> Metrics:
    """Six agents, each with one task of 1 s, all of which write the same file."""
    return run(
        team__size=6,
        team__agent={**agent(), "errors": {"detection": 1}},
        workload=SAME_FILE,
        workspace=workspace,
        coordination={"protocol": "pre_assigned", "idle_agents": "wait"},
    )


def test_the_last_writer_undoes_the_others_who_do_their_work_again() -> None:
    m = six_writers(kind="last_writer_wins")
    # Six, five, ... write at once: all but the last of a round are lost.
    assert m.rounds == 6
    assert m.lost_updates == 5 + 4 + 3 + 2 + 1
    assert m.work_s == 6.0
    assert m.rework_s == 15.0
    assert m.tasks_correct == 6


def test_a_loss_that_no_test_finds_leaves_a_fault() -> None:
    m = run(
        team__size=6,
        team__agent=agent(),
        workload=SAME_FILE,
        coordination__protocol="pre_assigned",
    )
    assert (m.rounds, m.lost_updates, m.faulty_undetected) == (1, 5, 5)


def test_optimistic_writers_merge_one_after_another() -> None:
    m = six_writers(kind="optimistic", merge_s=2.0)
    # All commit at 1 s; one wins, five merge for 2 s, one of them wins, and so on.
    assert m.makespan_s == 1 + 2 * 5
    assert m.commit_attempts == 6 + 5 + 4 + 3 + 2 + 1
    assert m.merges == 5 + 4 + 3 + 2 + 1
    assert m.coordination_s == 2 * (5 + 4 + 3 + 2 + 1)
    assert m.lost_updates == m.rework_s == 0


def test_optimistic_writers_who_redo_waste_their_work() -> None:
    m = six_writers(kind="optimistic", on_conflict="redo")
    assert m.rounds == 6
    assert (m.work_s, m.wasted_s, m.commit_attempts) == (6.0, 15.0, 21)


def test_locks_serialise_the_writers() -> None:
    m = six_writers(kind="locks")
    assert m.makespan_s == 6
    assert m.lock_wait_s == 1 + 2 + 3 + 4 + 5
    assert (m.work_s, m.wasted_s, m.concurrent_writes) == (6.0, 0.0, 0)


def test_a_single_writer_applies_what_the_others_hand_it() -> None:
    m = six_writers(kind="single_writer", apply_s=0.5)
    assert m.lost_updates == 0
    assert m.coordination_s == pytest.approx(5 * 0.5)
    assert m.makespan_s == pytest.approx(1.5)


def test_two_owners_hand_each_other_their_changes() -> None:
    """One works for 4 s and waits for the call of the other, who works for 6 s.

    The other finds it waiting, and not at work: it takes 1 s to apply the change, and ends its call
    at 7 s. Then the first goes on, and ends at 8 s.
    """
    m = run(
        team__size=2,
        team__agent=agent(latency={"kind": "seconds", "base": 0, "per_work_unit_s": 1}),
        workload={
            "kind": "dag",
            "tasks": [
                {"id": "a", "files": ["x", "y"], "size": 4},
                {"id": "b", "files": ["x", "y"], "size": 6},
            ],
        },
        workspace={"kind": "single_writer", "apply_s": 1},
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
    )
    assert (m.outcome, m.makespan_s, m.coordination_s) == ("completed", 8.0, 2.0)


def test_a_circle_of_locks_is_broken_by_who_closes_it_by_order_or_by_leases() -> None:
    def dine(**workspace: Any) -> Metrics:
        return run(
            team__size=2,
            team__agent={"latency": {"kind": "seconds", "base": 2}, "behaviour": {"talk": 0}},
            workload={
                "kind": "dag",
                "tasks": [
                    {"id": "a", "files": ["x", "y"]},
                    {"id": "b", "files": ["y", "x"]},
                ],
            },
            workspace={"kind": "locks", "acquire": "one_by_one", **workspace},
            coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        )

    aborted = dine(order="listed")
    assert (aborted.deadlocks, aborted.outcome) == (1, "completed")
    assert aborted.wasted_s == 1.0  # the half of a call that the victim had served
    ordered = dine(order="sorted")
    assert (ordered.deadlocks, ordered.makespan_s) == (0, 4.0)
    leased = dine(order="listed", lease_s=1.5, on_deadlock="stop")
    assert leased.outcome == "deadlock"  # found before any lease runs out
    assert "agent 1 waits for artifact 0, locked by agent 0" in leased.reason


@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
@pytest.mark.parametrize(("turns", "base"), [(1, 3.0), (3, 0.1), (7, 0.3)])
def test_a_lease_as_long_as_a_call_is_long_enough(timing: str, turns: int, base: float) -> None:
    m = run(
        team__size=2,
        team__agent={"latency": {"kind": "seconds", "base": base}, "loop": {"turns": turns}},
        workload={"kind": "dag", "tasks": [{"id": i, "files": ["x"]} for i in "abcd"]},
        workspace={"kind": "locks", "lease_s": turns * base},
        limits={"max_calls": 100},
        coordination={"protocol": "pre_assigned", "timing": timing},
    )
    assert (m.outcome, m.turns or m.calls) == ("completed", 4 * turns)
    assert m.makespan_s == pytest.approx(4 * turns * base)


def test_a_lock_that_outlives_its_lease_is_given_on_and_its_holder_refused() -> None:
    m = run(
        team__size=2,
        team__agent={"latency": {"kind": "seconds", "base": 3}, "behaviour": {"talk": 0}},
        workload={"kind": "dag", "tasks": [{"id": i, "files": ["x"]} for i in "ab"]},
        workspace={"kind": "locks", "lease_s": 2},
        limits={"max_calls": 7},
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
    )
    # No call of 3 s can keep a lock of 2 s: nothing is ever done, and the run says so.
    assert m.tasks_done == 0
    assert m.lease_expiries >= 3
    assert (m.outcome, m.reason) == ("max_calls", "7 calls have begun: 0 of 2 tasks are done")


@pytest.mark.theory
@pytest.mark.parametrize("idempotent", [True, False])
def test_effects_are_applied_once_with_a_key_and_once_a_retry_without(idempotent: bool) -> None:
    # With loss f of the acknowledgement, E[retries] = f / (1 - f) for each task.
    found = runs(
        300,
        team__agent=agent(),
        workload__tasks=20,
        workspace={"kind": "optimistic", "ack_loss": 0.25, "idempotent": idempotent},
    )
    retries = [m.retries / 20 for m in found]
    assert abs(z_score(retries, 1 / 3)) < 3
    assert [m.duplicate_effects for m in found] == [0 if idempotent else m.retries for m in found]
    assert all(m.tasks_done == 20 for m in found)


def cut_in_two(on_partition: str, **fields: Any) -> list[Metrics]:
    return runs(
        100,
        team__size=5,
        team__agent={
            "latency": {
                "kind": "seconds",
                "base": {"kind": "lognormal", "median": 5, "sigma": 0.4},
            },
            "behaviour": {"talk": 0},
        },
        workload={"kind": "parallel_fraction", "tasks": 100, "parallel_fraction": 1},
        workspace={
            "kind": "optimistic", "on_partition": on_partition, "merge_s": 4, "idempotent": False,
        },
        network={"partitions": [{"at_s": 20, "duration_s": 40, "minority": 0.4}]},
        coordination={
            "protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
            "timing": "asynchronous",
        },
        **fields,
    )  # fmt: skip


@pytest.mark.slow
def test_a_partition_costs_a_consistent_team_time_and_an_available_one_double_work() -> None:
    consistent, available = cut_in_two("consistent"), cut_in_two("available")
    assert all(m.outcome == "completed" and m.tasks_done == 100 for m in consistent + available)
    for m in consistent:
        # Two agents are cut off for 40 s; what they wait with a finished call is part of it.
        assert m.duplicate_attempts == m.merges == m.duplicate_effects == 0
        assert 0 < m.partition_wait_s < 80
        assert m.waiting_s > 60
    for m in available:
        # First-listed choice: both sides do the same tasks; each is merged and applied twice.
        # (A call under way at the end of the partition may meet a merged task, and merge too.)
        assert m.merges >= m.duplicate_effects > 0
        assert m.coordination_s == pytest.approx(4.0 * m.merges, rel=0.01)
        assert m.partition_wait_s == 0


def test_work_and_rework_together_are_what_was_spent_and_not_taken_back() -> None:
    """Attempts at what a test has found wrong, on both sides of a partition.

    Which of them is the first is known to each side alone, and so not told by the trace.
    """
    each = scenario(
        team__size=4,
        team__agent=agent(errors={"probability": 0.4, "detection": 0.7}),
        workload__tasks=80,
        workspace={"kind": "optimistic", "on_partition": "available"},
        network={"partitions": [{"at_s": 2.5, "duration_s": 12, "minority": 0.5}]},
        coordination__timing="asynchronous",
    )
    trace = Trace()
    metrics = Simulation(each).run(0, trace)
    taken_back: Counter[str] = Counter()
    for row in trace.rows:
        if row.event is Event.DIVERGED:
            taken_back[str(row.outcome)] += int(row.duration_s or 0.0)
    assert {"first_attempt", "rework", "work", "work_was_faulty"} <= set(taken_back)
    attempts = [row for row in trace.rows if row.event is Event.ATTEMPT]
    spent = sum(row.duration_s or 0.0 for row in attempts if row.outcome not in IN_VAIN)
    left = spent - sum(taken_back.values())
    assert metrics.work_s + metrics.rework_s == pytest.approx(left)
    told = metrics_from_trace(trace.rows, metrics.agents, metrics.tasks, 4)
    assert told.work_s + told.rework_s == pytest.approx(left)
    assert metrics.tasks_correct < metrics.tasks_done == 80
    assert (told.tasks_done, told.tasks_correct) == (80, metrics.tasks_correct)
    assert told.faulty_undetected == metrics.faulty_undetected == 80 - metrics.tasks_correct


def test_pre_assigned_sides_have_nothing_to_merge() -> None:
    found = cut_in_two("available", coordination__protocol="pre_assigned")
    assert all(m.merges == m.duplicate_attempts == 0 for m in found)
    assert all(m.tasks_done == 100 for m in found)


def test_who_hands_a_change_to_its_owner_waits_for_one_call_of_it() -> None:
    groups = {"quick": {"size": 1, "agent": agent()}, "slow": {"size": 1, "agent": agent()}}
    metrics = run(
        team={"groups": groups},
        coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
        workload={
            "kind": "dag",
            "tasks": [{"id": str(i), "files": ["even"]} for i in range(20)],
        },
        workspace={"kind": "single_writer", "apply_s": 0.5},
    )
    # Of ten calls of each, those of the one that does not own the file wait for a second at most.
    assert metrics.lock_wait_s <= 10
    assert metrics.makespan_s <= 10 * 2.5


@pytest.mark.parametrize("resilience", [{}, {"timeout": {"seconds": 100}}])
@pytest.mark.parametrize("delay_s", [0.0, 0.5, 3.0])
def test_reads_and_writes_of_replicas_are_coordination_and_nobody_waits(
    delay_s: float, resilience: dict[str, Any]
) -> None:
    m = run(
        team__agent__latency={"kind": "seconds", "base": 2},
        workload__tasks=3,
        workspace={"kind": "quorum", "delay_s": delay_s},
        coordination__timing="asynchronous",
        resilience=resilience,
    )
    assert (m.work_s, m.waiting_s) == (3 * 2.0, 0.0)
    assert m.coordination_s == pytest.approx(3 * 2 * delay_s)
    assert m.makespan_s == pytest.approx(m.work_s + m.coordination_s)


@pytest.mark.parametrize("size", [3, 5])
def test_a_round_in_which_as_much_is_undone_as_done_is_idle_and_the_trace_tells_it(
    size: int,
) -> None:
    # Who fails its tests has still overwritten what another has done in the same round.
    trace = Trace()
    spec = scenario(
        team__size=size,
        team__agent=agent(errors={"probability": 0.5, "detection": 1.0}),
        workspace={"kind": "last_writer_wins"},
        coordination__protocol="pre_assigned",
        workload={
            "kind": "dag",
            "tasks": [{"id": str(i), "files": ["shared"]} for i in range(3 * size)],
        },
    )
    run_as_traced(spec, trace=trace)
    done: list[int] = []
    undone: list[int] = []
    for row in trace.rows:
        if row.event is Event.ROUND_START:
            done, undone = [*done, 0], [*undone, 0]
        elif row.event is Event.ATTEMPT:
            done[-1] += row.outcome == "done"
        elif row.event is Event.LOST:
            undone[-1] += str(row.outcome).startswith("redo")
    rounds = list(zip(done, undone, strict=True))
    assert any(gained == lost > 0 for gained, lost in rounds)
    told = metrics_from_trace(trace.rows, size, 3 * size, size)
    assert told.idle_rounds == sum(gained == lost for gained, lost in rounds)


def test_known_faults_that_others_overwrite_are_told_by_the_trace() -> None:
    trace = Trace()
    spec = scenario(
        team__size=4,
        team__agent=agent(errors={"probability": 0.5, "detection": 1.0, "max_attempts": 1}),
        workspace={"kind": "last_writer_wins"},
        coordination__timing="asynchronous",
        workload__tasks=24,
        workload__files="shared",
        limits={"max_calls": 50},
    )
    run_as_traced(spec, trace=trace)
    assert any(row.outcome == "redo_was_known" for row in trace.rows)


TWO_WRITERS: dict[str, Any] = {
    "team": {"size": 2, "agent": agent(latency={"kind": "seconds", "base": 10})},
    "coordination": {"protocol": "pre_assigned", "timing": "asynchronous"},
    "workload": {"kind": "dag", "tasks": [{"id": i, "files": ["x"]} for i in ("a", "b")]},
    "workspace": {"kind": "single_writer", "apply_s": 2},
}
"""Worker 0 owns the file that both write."""


def lost(at_s: float, **how: Any) -> dict[str, Any]:
    return {"at_s": at_s, "kind": "crash", "agent": 0, **how}


def test_a_change_waits_for_an_owner_that_is_down_and_is_applied_before_its_next_call() -> None:
    m = run(**TWO_WRITERS, faults=[lost(9, for_s=21)])
    # Worker 1 has done its task at 10 s; the owner is back at 30 s, and does its own again.
    assert (m.outcome, m.makespan_s, m.lock_wait_s) == ("completed", 40.0, 20.0)
    assert (m.down_s, m.work_s, m.wasted_s, m.coordination_s) == (21.0, 20.0, 9.0, 2.0)


def test_a_change_for_an_owner_that_never_comes_back_is_never_applied() -> None:
    m = run(**TWO_WRITERS, faults=[{"at_s": 9, "kind": "kill", "agent": 0}])
    assert (m.outcome, m.makespan_s, m.tasks_done) == ("deadlock", 10.0, 0)
    assert "agent 1 waits for agent 0, which is down, to write artifact 0" in m.reason


@pytest.mark.parametrize("reassign", [True, False])
def test_the_next_worker_writes_for_an_owner_whose_tasks_have_gone_to_others(
    reassign: bool,
) -> None:
    m = run(
        **TWO_WRITERS,
        faults=[{"at_s": 9, "kind": "kill", "agent": 0}],
        resilience={"detector": {"period_s": 5, "timeout_s": 15, "reassign": reassign}},
    )
    if not reassign:
        assert (m.outcome, m.makespan_s) == ("deadlock", 10.0)
        return
    # Found at 20 s, 15 s after its last heartbeat; then worker 1 does the other task, too.
    assert (m.outcome, m.makespan_s, m.lock_wait_s) == ("completed", 30.0, 10.0)
    assert m.coordination_s == 0.0


def test_a_restarted_owner_applies_what_has_waited_for_it() -> None:
    m = run(
        **TWO_WRITERS,
        faults=[{"at_s": 9, "kind": "kill", "agent": 0}],
        resilience={
            "detector": {"period_s": 5, "timeout_s": 15, "reassign": False},
            "supervisor": {"restart_s": 4},
        },
    )
    assert (m.outcome, m.makespan_s, m.lock_wait_s) == ("completed", 34.0, 14.0)


@pytest.mark.parametrize("minority_owns", [False, True])
def test_no_change_is_handed_across_a_partition(minority_owns: bool) -> None:
    # Cut off from 5 to 25 s is worker 1. The task of who owns the file is done at 10 s, or at the
    # end of the partition; the other's change is applied in two seconds after that.
    # Files are numbered as they appear: x is of worker 0, or y before it, and x of worker 1.
    files = [["y", "x"], ["x"]] if minority_owns else [["x"], ["x"]]
    tasks = [{"id": str(i), "files": each} for i, each in enumerate(files)]
    m = run(
        **TWO_WRITERS | {"workload": {"kind": "dag", "tasks": tasks}},
        network={"partitions": [{"at_s": 5, "duration_s": 20, "minority": 0.5}]},
    )
    assert (m.outcome, m.makespan_s, m.lock_wait_s) == ("completed", 27.0, 15.0)
    assert m.partition_wait_s == (15.0 if minority_owns else 0.0)
    assert m.coordination_s == 2.0


@pytest.mark.parametrize("from_s", [7, 9])
def test_who_has_waited_for_an_owner_before_a_partition_waits_for_its_next_call(
    from_s: int,
) -> None:
    # Worker 1 is cut off until 20 s, and is done at 8 s: before or after that it waits for the end
    # of the owner's call, at 10 s. As the partition ends the owner is in its next call, until 40 s.
    sizes = [10, 8, 30]
    tasks = [{"id": str(i), "files": ["x"], "size": size} for i, size in enumerate(sizes)]
    latency = {"kind": "seconds", "base": 0, "per_work_unit_s": 1}
    m = run(
        **TWO_WRITERS
        | {
            "team": {"size": 2, "agent": agent(latency=latency)},
            "workload": {"kind": "dag", "tasks": tasks},
        },
        network={"partitions": [{"at_s": from_s, "duration_s": 20 - from_s, "minority": 0.5}]},
    )
    assert (m.outcome, m.makespan_s, m.lock_wait_s) == ("completed", 42.0, 32.0)


def test_who_is_elected_leaves_its_files_to_the_next_worker() -> None:
    simulation = Simulation(
        scenario(
            team={"size": 3, "agent": agent(latency={"kind": "seconds", "base": 10})},
            topology="centralised",
            coordination={"protocol": "pre_assigned", "timing": "asynchronous"},
            workload={"kind": "dag", "tasks": [{"id": str(i), "files": ["x"]} for i in range(12)]},
            workspace={"kind": "single_writer", "apply_s": 2},
            faults=[{"at_s": 1, "kind": "kill", "agent": "coordinator"}],
            resilience={"election": {}},
        )
    )
    elected = set()
    for replication in range(8):
        trace = Trace(replication)
        assert simulation.run(replication, trace).outcome == "completed"
        elected |= {row.peer for row in trace.rows if row.event is Event.LEADS}
    assert elected == {0, 1, 2}
