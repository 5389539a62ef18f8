"""Claims, work and hand-ins that come apart: what stalls a team, and what gets it going again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from simulator.scenario import Scenario
from tests.conftest import agent, exponential, run, run_as_traced, runs, scenario, z_score
from tests.engine.test_every_combination import check, not_told, of_many

CLAIM: dict[str, Any] = {"kind": "self_claim", "claims": "immediate", "choice": "first"}
CHAIN = {"kind": "pipeline", "items": 1, "stages": 4}
KILL = {"kind": "kill", "agent": 0, "at_s": 0.5}


def forgetful(probability: float = 1.0, **fields: Any) -> dict[str, Any]:
    """Return an agent that forgets."""
    return agent(forgetting={"probability": probability, **fields})


def team(
    size: int, probability: float = 1.0, tasks: int = 1, claims: Any = (), **forgetting: Any
) -> dict[str, Any]:
    """Return the fields of a team whose agents claim tasks and forget to hand in."""
    return {
        "team__size": size,
        "team__agent": forgetful(probability, **forgetting),
        "coordination__protocol": {**CLAIM, **dict(claims)},
        "workload__tasks": tasks,
        "limits": {"max_rounds": 40},
    }


def traced(fields: dict[str, Any], replication: int = 0) -> tuple[Metrics, list[Row]]:
    """Run a scenario with a trace."""
    trace = Trace()
    return Simulation(scenario(**fields)).run(replication, trace), trace.rows


def of(rows: Iterable[Row], event: Event) -> list[Row]:
    return [row for row in rows if row.event is event]


def conserved(rows: list[Row]) -> None:
    """Every claim of a trace ends once, after it was made; only open ones are orphaned."""
    is_open: dict[int | None, Row] = {}
    seen: set[int | None] = set()
    for row in rows:
        if row.event is Event.CLAIM:
            assert row.peer not in seen
            seen.add(row.peer)
            is_open[row.peer] = row
        elif row.event is Event.ORPHANED:
            made = is_open[row.peer]
            assert (row.agent, row.task) == (made.agent, made.task)
        elif row.event is Event.CLAIM_END:
            made = is_open.pop(row.peer)
            assert (row.agent, row.task) == (made.agent, made.task)
            assert row.duration_s == pytest.approx(row.time_s - made.time_s)
    assert not is_open


@pytest.mark.slow
@pytest.mark.parametrize(
    ("examples", "fails"),
    [
        (25, False),
        (25, True),
        *(pytest.param(250, f, marks=pytest.mark.thorough) for f in (True, False)),
    ],
)
def test_every_claim_ends_once(examples: int, fails: bool) -> None:
    counted = Counter[str]()

    def law(scenario: Scenario) -> None:
        trace = Trace()
        m = run_as_traced(scenario, not_told(scenario), trace)
        check(m, scenario.resilience.enough)
        conserved(trace.rows)
        for name in ("marked", "released", "open", "orphaned", "recovered"):
            counted[name] += bool(dict(metrics(m))[f"{name}_claims"])

    of_many(examples, fails, law, "self_claim")
    assert min(counted.values()) > examples / 40, counted  # all of it has happened


def metrics(m: Metrics) -> list[tuple[str, Any]]:
    return [(name, getattr(m, name)) for name in m.__slots__]


def test_success_follows_from_marks_and_quality_from_work() -> None:
    m = run(**team(2, tasks=6))
    assert (m.outcome, m.success, m.quality, m.tasks_done) == ("max_rounds", False, 1.0, 0)
    assert (m.claims, m.orphaned_claims, m.unmarked_tasks, m.open_claims) == (6, 6, 6, 6)
    faulty = {**forgetful(), "errors": {"probability": 1.0, "detection": 0.0}}
    assert run(**{**team(2, tasks=6), "team__agent": faulty}).quality == 0.0


def test_what_depends_on_an_orphaned_claim_is_stalled() -> None:
    m = run(**{**team(2), "workload": CHAIN})
    assert (m.claims, m.unmarked_tasks, m.stalled_tasks) == (1, 1, 3)
    assert m.idle_rounds == m.rounds == 40


def test_claims_are_counted_where_something_is_said_of_them() -> None:
    said: list[dict[str, Any]] = [
        {"release": "never"}, {"release": "on_exit"}, {"lease_rounds": 3}, {"completion": "anyone"}
    ]  # fmt: skip
    for claims in said:
        m = run(coordination__protocol={**CLAIM, **claims})
        assert (m.claims, m.marked_claims) == (20, 20)
    assert run(coordination__protocol={**CLAIM, "lease_s": 99}).claims == 0


@pytest.mark.parametrize("claims", [{"release": "never"}, {"lease_rounds": 9}])
def test_whoever_forgets_nothing_takes_as_long_as_without_a_ledger(claims: Any) -> None:
    law = agent(latency=exponential(), errors={"probability": 0.2, "detection": 0.7})
    plain = {"team__size": 3, "team__agent": law, "workload__parallel_fraction": 0.5}
    counted = {**plain, "coordination__protocol": {**CLAIM, **claims}}
    for replication in range(5):
        with_ledger = run(replication, **counted)
        assert with_ledger.makespan_s == run(replication, **plain).makespan_s
        assert with_ledger.marked_claims == with_ledger.claims == 20


@pytest.mark.slow
@pytest.mark.theory
def test_no_claim_of_t_is_orphaned_with_probability_one_minus_p_to_the_t() -> None:
    found = runs(1000, **team(3, 0.1, tasks=12))
    # 4 standard errors: about 1 test in 16,000 fails by chance.
    assert abs(z_score([m.success for m in found], 0.9**12)) < 4
    assert abs(z_score([m.orphaned_claims for m in found], 1.2)) < 4
    assert all(m.success == (m.orphaned_claims == 0) for m in found)


@pytest.mark.theory
@pytest.mark.parametrize(
    ("size", "claims", "agents_who_may"), [(1, {}, 1), (3, {}, 1), (3, {"completion": "anyone"}, 3)]
)
def test_rounds_until_a_claim_is_recovered_are_geometric(
    size: int, claims: Any, agents_who_may: int
) -> None:
    q = 0.2
    fields = {**team(size, claims=claims, notice=q), "limits": {"max_rounds": 1000}}
    found = runs(600, **fields)
    assert all(m.recovered_claims == 1 and m.success for m in found)
    waited = np.array([m.rounds - 1 for m in found])
    hazard = 1.0 - (1.0 - q) ** agents_who_may
    assert abs(z_score(waited, 1.0 / hazard)) < 4
    most = 6
    counts = [np.sum(waited == k) for k in range(1, most)] + [np.sum(waited >= most)]
    law = stats.geom(hazard)
    expected = [*law.pmf(np.arange(1, most)), law.sf(most - 1)] * np.array(len(waited))
    assert stats.chisquare(counts, expected).pvalue > 1e-4


@pytest.mark.theory
@pytest.mark.parametrize(
    ("workload", "hazard"),
    [
        ({"kind": "pipeline", "items": 1, "stages": 1}, 0.2),
        pytest.param(CHAIN, 0.1, marks=pytest.mark.thorough),
    ],
)
def test_a_task_for_which_others_wait_is_noticed_by_its_own_chance(
    workload: dict[str, Any], hazard: float
) -> None:
    """The odds are 1 to 9 while a task waits that nobody has claimed, else 1 to 4."""
    fields = team(2, notice=0.1, all_claimed_logit=float(np.log(9 / 4)))
    fields |= {"workload": workload, "limits": {"max_rounds": 1000}}
    waited = []
    for replication in range(400):
        first = next(row for row in traced(fields, replication)[1] if row.event is Event.HAND_IN)
        assert first.task == 0
        waited.append((first.round or 0) - 1)
    assert abs(z_score(waited, 1.0 / hazard)) < 4


@pytest.mark.slow
@pytest.mark.theory
def test_in_a_loop_each_turn_of_a_later_call_is_a_chance_to_notice() -> None:
    fields = team(1, tasks=50, notice=0.1)
    fields["team__agent"] = {**fields["team__agent"], "loop": {"turns": 4}}
    found = []
    for replication in range(200):
        _, rows = traced(fields, replication)
        (late,) = (row for row in of(rows, Event.HAND_IN) if row.task == 0)
        found.append((late.round or 0) - 1)
    assert abs(z_score(found, 1.0 / (1.0 - 0.9**4))) < 4


@pytest.mark.slow
@pytest.mark.theory
def test_the_depth_of_a_task_tells() -> None:
    fields = {**team(1, 0.2, depth_logit=1.0), "workload": CHAIN}
    done = [m.tasks_done for m in runs(1500, **fields)]
    odds = 0.25 * np.exp(np.arange(4.0))
    reached = np.cumprod(1.0 / (1.0 + odds))  # P(the first k + 1 tasks are handed in)
    for k in range(4):
        assert abs(z_score([d > k for d in done], float(reached[k]))) < 4


@pytest.mark.slow
@pytest.mark.theory
def test_how_many_tasks_wait_for_it_tells() -> None:
    """In a chain of four, the odds of forgetting the first are four times those of the last."""
    fields = {**team(1, 0.2, waiting_logit=1.0), "workload": CHAIN}
    done = [m.tasks_done for m in runs(1500, **fields)]
    reached = np.cumprod(1.0 / (1.0 + 0.25 * np.arange(4.0, 0.0, -1.0)))
    for k in range(4):
        assert abs(z_score([d > k for d in done], float(reached[k]))) < 4


@pytest.mark.slow
@pytest.mark.theory
def test_the_tasks_of_a_call_tell() -> None:
    fields = team(1, 0.2, tasks=5, claims_logit=0.5)
    fields["team__agent"] = {**fields["team__agent"], "batch": 5}
    odds = 0.25 * np.exp(0.5 * 4)
    found = [m.orphaned_claims for m in runs(800, **fields)]
    assert abs(z_score(found, 5 * odds / (1 + odds))) < 4


@pytest.mark.slow
@pytest.mark.theory
def test_a_call_may_keep_all_or_nothing() -> None:
    fields = team(1, 0.2, tasks=5, all_or_nothing=1.0)
    fields["team__agent"] = {**fields["team__agent"], "batch": 5}
    found = [m.orphaned_claims for m in runs(800, **fields)]
    assert set(found) == {0, 5}
    assert abs(z_score([kept == 5 for kept in found], 1 - 0.8**5)) < 4


@pytest.mark.parametrize("lease", [1, 2, 5])
@pytest.mark.parametrize("claims", ["immediate", "at_commit"])
def test_a_lease_in_rounds_ends_after_so_many(lease: int, claims: str) -> None:
    m, rows = traced(team(1, claims={"lease_rounds": lease, "claims": claims}))
    made = [row.round for row in of(rows, Event.CLAIM)]
    released = [row.round for row in of(rows, Event.CLAIM_END) if row.outcome == "released"]
    assert made == list(range(1, 41, lease + 1))
    assert released == made[1:]  # when the round begins in which the task is claimed again
    assert m.lease_expiries == m.released_claims == len(released)


def test_a_lease_in_seconds_opens_a_task_that_was_forgotten() -> None:
    fields = team(1, claims={"lease_s": 5})
    fields |= {"coordination__timing": "asynchronous", "limits": {"deadline_s": 12}}
    m, rows = traced(fields)
    assert [row.time_s for row in of(rows, Event.CLAIM)] == [0.0, 5.0, 10.0]
    assert (m.claims, m.released_claims, m.open_claims) == (3, 2, 1)


def test_without_a_lease_a_team_without_rounds_is_stuck_and_says_why() -> None:
    m = run(**{**team(2), "coordination__timing": "asynchronous"})
    assert m.outcome == "deadlock"
    assert "agent 0 has finished" in m.reason


def test_a_claim_ends_with_its_agent_or_waits_for_it() -> None:
    def lost(release: str, **fault: Any) -> tuple[Metrics, list[Row]]:
        fields = {
            "team__size": 2,
            "coordination__protocol": {**CLAIM, "release": release},
            "workload__tasks": 4,
            "faults": [{**KILL, **fault}],
            "limits": {"max_rounds": 30},
        }
        return traced(fields)

    stuck, _ = lost("never")
    assert (stuck.outcome, stuck.tasks_done, stuck.orphaned_claims) == ("max_rounds", 3, 1)
    freed, rows = lost("on_exit")
    ends = [
        (row.time_s, row.agent) for row in of(rows, Event.CLAIM_END) if row.outcome == "released"
    ]
    assert (freed.success, freed.released_claims, freed.orphaned_claims) == (True, 1, 0)
    assert ends == [(0.5, 0)]
    back, _ = lost("never", kind="crash", for_s=3.0)
    assert (back.success, back.orphaned_claims, back.recovered_claims) == (True, 1, 1)


def test_a_detector_opens_what_its_agent_had_finished_and_forgotten() -> None:
    fields = team(2, tasks=1) | {
        "team": {
            "groups": {
                "a": {"size": 1, "agent": forgetful()},
                "b": {"size": 1, "agent": agent()},
            }
        },
        "faults": [{**KILL, "at_s": 1.5}],
        "resilience": {"detector": {"timeout_s": 3}},
    }
    del fields["team__size"], fields["team__agent"]
    m = run(**fields)
    assert (m.success, m.orphaned_claims, m.released_claims, m.reassigned) == (True, 1, 1, 1)


def test_anyone_may_mark_what_another_has_claimed() -> None:
    # The second agent overlooks the claim of the first, who is slow: its work counts.
    def both(**claims: Any) -> Metrics:
        slow, quick = agent(speed=0.1), agent(behaviour={"talk": 0, "claim_blindness": 1.0})
        groups = {"slow": {"size": 1, "agent": slow}, "quick": {"size": 1, "agent": quick}}
        return run(
            team={"groups": groups},
            coordination={"protocol": {**CLAIM, **claims}, "timing": "asynchronous"},
            workload={"kind": "dag", "tasks": [{"id": "a"}]},
        )

    alone = both(release="never")
    assert (alone.makespan_s, alone.marked_claims) == (10.0, 1)
    assert alone.duplicate_attempts == 10  # one a second
    m = both(completion="anyone")
    assert (m.makespan_s, m.marked_claims, m.duplicate_attempts) == (1.0, 1, 0)


def test_what_was_forgotten_is_reviewed_when_it_is_handed_in() -> None:
    fields = team(2, notice=1.0) | {"coordination__review": {"by": "verifiers"}}
    m, rows = traced(fields)
    (late,) = of(rows, Event.HAND_IN)
    assert (late.outcome, m.reviews, m.success) == ("submitted", 1, True)
    assert m.recovered_claims == 1


def test_what_a_peer_hands_in_is_the_work_of_whoever_did_it() -> None:
    # The first finishes and forgets it; the second, whose own task is long, hands it in.
    sleepy, watchful = forgetful(), forgetful(0.0, notice=1.0)
    fields = team(2, claims={"completion": "anyone"}) | {
        "team": {"groups": {"sleepy": {"size": 1, "agent": sleepy},
                            "watchful": {"size": 1, "agent": watchful}}},
        "coordination__review": {"by": "verifiers"},
        "workload": {"kind": "dag", "tasks": [{"id": "a"}, {"id": "b"}, {"id": "c"}]},
    }  # fmt: skip
    del fields["team__size"], fields["team__agent"]
    m, rows = traced(fields)
    late = of(rows, Event.HAND_IN)
    assert (m.success, {(row.agent, row.peer) for row in late}) == (True, {(1, 0)})
    handed = {row.task for row in late}
    looked_at = {row.task: row.peer for row in of(rows, Event.REVIEW)}
    assert looked_at == {task: 0 if task in handed else 1 for task in range(3)}


def test_work_that_fails_its_tests_is_not_finished() -> None:
    never_right = {**forgetful(), "errors": {"probability": 1.0, "detection": 1.0}}
    m = run(**{**team(1), "team__agent": never_right})
    assert (m.unmarked_tasks, m.orphaned_claims, m.open_claims) == (0, 0, 1)


def test_another_protocol_begins_with_no_claims() -> None:
    fields = team(3, 0.0, tasks=9) | {
        "faults": [{**KILL, "at_s": 1.5}],
        "resilience": {
            "simpler_protocol": {"when_lost": "workers", "share": 0.3, "protocol": CLAIM}
        },
    }
    m, rows = traced(fields)
    assert m.success
    assert m.released_claims == 3  # of the calls that were in flight
    conserved(rows)


def test_a_backup_marks_the_claim_that_it_backs_up() -> None:
    fields = {
        "team": {
            "groups": {
                "slow": {"size": 1, "agent": agent(speed=0.1)},
                "quick": {"size": 1, "agent": forgetful()},
            }
        },
        "coordination": {"protocol": {**CLAIM, "release": "never"}, "timing": "asynchronous"},
        "workload": {"kind": "dag", "tasks": [{"id": "a"}]},
        "resilience": {"backup": {"when_left": 1.0}},
    }
    m = run(**fields)
    assert (m.success, m.backups, m.marked_claims, m.orphaned_claims) == (True, 1, 1, 0)


def test_a_failed_call_leaves_a_claim_open_until_it_succeeds() -> None:
    fields = team(2, 0.0, tasks=6) | {"provider": {"errors": {"probability": 0.5}}}
    fields["provider"]["retry"] = {"max_retries": 0}
    m = run(**fields)
    assert m.failed_calls > 0
    assert (m.success, m.claims, m.marked_claims) == (True, 6, 6)


def test_failures_of_claiming_teams_end_at_the_round_limit_by_orphaned_claims() -> None:
    fields = team(4, 0.05, notice=0.02) | {
        "workload": {"kind": "layered", "layers": 4, "width": 5, "coupling": 0.4}
    }
    found = [traced(fields, replication) for replication in range(60)]
    failed = [(m, rows) for m, rows in found if not m.success]
    assert 10 < len(failed) < 50
    for m, rows in failed:
        assert m.outcome == "max_rounds"
        orphaned = {row.peer for row in of(rows, Event.ORPHANED)}
        still = {row.peer for row in of(rows, Event.CLAIM_END) if row.outcome == "open"}
        assert still
        assert still <= orphaned
        assert m.tasks_done + m.unmarked_tasks + m.stalled_tasks == m.tasks


@pytest.mark.parametrize(
    ("lease_s", "completion", "makespan_s", "duplicates"),
    [
        (4, "owner", 9.5, 0),  # the second's claim has ended, too, at 8 s
        (6, "owner", 11.5, 1),  # when the first ends its call, the second holds the task
        (6, "anyone", 10.0, 0),
        (12, "owner", 10.0, 0),
    ],
)
def test_a_claim_that_ends_in_the_middle_of_its_call_counts_unless_another_holds_the_task(
    lease_s: float, completion: str, makespan_s: float, duplicates: int
) -> None:
    # The second worker finds nothing to do until the first's claim has ended.
    slow, quick = (agent(latency={"kind": "seconds", "base": each}) for each in (10, 5.5))
    m = run(
        team={"groups": {"slow": {"size": 1, "agent": slow}, "quick": {"size": 1, "agent": quick}}},
        coordination__timing="asynchronous",
        coordination__protocol={**CLAIM, "lease_s": lease_s, "completion": completion},
        workload__tasks=1,
        limits={"max_calls": 40},
    )
    assert (m.outcome, m.makespan_s) == ("completed", makespan_s)
    assert m.duplicate_attempts == duplicates
