"""Redundant calls, quorums and consensus against order statistics."""

from __future__ import annotations

from math import comb

import pytest

from tests.conftest import agent, run, runs, z_score

pytestmark = pytest.mark.theory

# Every comparison of means allows 3 standard errors (99.7 %, fixed seeds); with 2,000
# replications of an exponential a standard error is below 2.3 % of the mean.
REPLICATIONS = 2000


def harmonic(n: int) -> float:
    return sum(1 / i for i in range(1, n + 1))


def commits(replicas: int, **workspace: object) -> list[float]:
    """Seconds that one commit takes beside a call of 1 s."""
    found = runs(
        REPLICATIONS,
        team__agent=agent(),
        workload__tasks=1,
        workspace={
            "kind": "consensus",
            "replicas": replicas,
            "round_trip_s": {"kind": "exponential", "mean": 1},
            **workspace,
        },
    )
    return [m.makespan_s - 1 for m in found]


@pytest.mark.parametrize(
    "replicas", [3, *(pytest.param(n, marks=pytest.mark.slow) for n in (5, 7))]
)
def test_a_commit_waits_for_the_followers_that_make_a_majority(replicas: int) -> None:
    followers, needed = replicas - 1, replicas // 2
    expected = harmonic(followers) - harmonic(followers - needed)
    assert abs(z_score(commits(replicas), expected)) < 3


def test_consensus_is_slowed_by_its_leader_and_not_by_one_follower() -> None:
    # One of 4 followers a thousand times slower: 2 of the 3 others make the majority.
    with_slow_follower = commits(5, slow={"replica": 4, "factor": 1000})
    expected = harmonic(3) - harmonic(1)
    assert abs(z_score(with_slow_follower, expected)) < 3
    # All round trips are the leader's.
    with_slow_leader = commits(5, slow={"replica": 0, "factor": 10})
    assert abs(z_score(with_slow_leader, 10 * (harmonic(4) - harmonic(2)))) < 3


def test_message_counts_of_consensus_and_quorum() -> None:
    # Messages: 2 (N - 1) for each entry; a quorum asks all N and hears all, to read and to write.
    def messages(**workspace: object) -> int:
        return run(workload__tasks=6, workspace=workspace).replica_messages

    assert messages(kind="consensus", replicas=5) == 6 * 2 * 4
    assert messages(kind="quorum", replicas=5, read=3, write=3) == 6 * (10 + 10)


@pytest.mark.parametrize(
    ("n", "r", "w", "expected"),
    [(3, 1, 1, 2 / 3), (3, 1, 2, 1 / 3), (5, 2, 2, 0.3), (3, 2, 2, 0.0), (5, 1, 5, 0.0)],
)
def test_stale_reads_are_quorums_that_miss_each_other(
    n: int, r: int, w: int, expected: float
) -> None:
    # P(stale) = C(N - W, R) / C(N, R); a task reads what the one before has written, once.
    assert expected == pytest.approx(comb(n - w, r) / comb(n, r))
    reads = 4000
    m = run(
        team__agent=agent(),
        workload={"kind": "parallel_fraction", "tasks": reads + 1, "parallel_fraction": 0},
        workspace={
            "kind": "quorum", "replicas": n, "read": r, "write": w,
            "delay_s": {"kind": "exponential", "mean": 0.01},
        },
    )  # fmt: skip
    error = (expected * (1 - expected) / reads) ** 0.5
    assert abs(m.stale_reads / reads - expected) <= 3 * error


def test_what_is_read_in_an_old_version_spoils_what_is_built_on_it() -> None:
    m = run(
        team__agent=agent(),
        workload={"kind": "parallel_fraction", "tasks": 200, "parallel_fraction": 0},
        workspace={"kind": "quorum", "replicas": 3, "read": 1, "write": 1},
    )
    assert m.stale_reads > 0
    # The first stale read on the chain makes every later task faulty.
    assert m.faulty_undetected >= 190


def test_a_quorum_waits_for_its_slowest_member() -> None:
    found = runs(
        REPLICATIONS,
        team__agent=agent(),
        workload__tasks=1,
        workspace={
            "kind": "quorum", "replicas": 5, "read": 2, "write": 4,
            "delay_s": {"kind": "exponential", "mean": 1},
        },
    )  # fmt: skip
    expected = (harmonic(5) - harmonic(3)) + (harmonic(5) - harmonic(1))
    assert abs(z_score([m.makespan_s - 1 for m in found], expected)) < 3
