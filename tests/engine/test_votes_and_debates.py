"""Votes and debates against binomial, beta-binomial and mixture laws.

Tasks of one replication are independent trials. Tests allow 3 standard errors (99.7 % each,
fixed seeds); with 10,000 tasks a standard error is 0.005 at most, so that a probability that
is off by 0.022 is found with a power above 0.9.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import betabinom, binom

from tests.conftest import agent, run, runs

pytestmark = pytest.mark.theory

TASKS = 10_000


def share_correct(k: int, errors: dict[str, Any], tasks: int = TASKS, **protocol: Any) -> float:
    m = run(
        team__size=min(k, 25),
        team__agent=agent(errors={"detection": 0, **errors}, batch=500),
        workload__tasks=tasks,
        coordination={
            "protocol": {"kind": "replicate_and_vote", "replicas": k, **protocol},
            "idle_agents": "wait",
        },
    )
    assert m.outcome == "completed"
    return m.quality


def standard_error(p: float, tasks: int = TASKS) -> float:
    return float(np.sqrt(p * (1 - p) / tasks))


@pytest.mark.parametrize(
    "k", [1, 3, 5, 9, *(pytest.param(k, marks=pytest.mark.slow) for k in (15, 21))]
)
@pytest.mark.parametrize("p", [0.6, 0.7])
def test_a_majority_of_independent_votes_is_the_binomial_tail(k: int, p: float) -> None:
    expected = binom.sf(k // 2, k, p)
    found = share_correct(k, {"probability": 1 - p})
    assert abs(found - expected) < 3 * standard_error(expected)


@pytest.mark.parametrize("rho", [0.2, 0.4])
@pytest.mark.parametrize("k", [3, 5, 9, pytest.param(21, marks=pytest.mark.slow)])
def test_correlated_votes_are_beta_binomial(k: int, rho: float) -> None:
    # p = .7, rho = .2: .745 .765 .784 .801 (k = 3, 5, 9, 21).
    both = 1 / rho - 1
    expected = betabinom.sf(k // 2, k, 0.7 * both, 0.3 * both)
    found = share_correct(k, {"probability": 0.3, "difficulty_correlation": rho})
    assert abs(found - expected) < 3 * standard_error(expected)


@pytest.mark.slow
def test_with_hard_and_easy_tasks_more_votes_stop_helping() -> None:
    # The limit is the share of tasks that more than half of all answers get right, P(Beta > 1/2).
    errors = {"probability": 0.3, "difficulty_correlation": 0.2}
    few, many, more = (share_correct(k, errors, 4000) for k in (3, 51, 101))
    assert few < many - 3 * standard_error(0.8, 4000)
    assert abs(more - 0.818) < 3 * standard_error(0.818, 4000)
    assert abs(more - many) < 0.02


def test_votes_that_fail_together_gain_nothing() -> None:
    errors = {"probability": 0.3, "common_mode": 1.0}
    assert abs(share_correct(5, errors) - 0.7) < 3 * standard_error(0.7)


def test_a_common_mode_share_correlates_pairs_by_its_square() -> None:
    # Two attempts take the common roll with probability c each: P(both err) = c2 p + (1 - c2) p2.
    p, c = 0.3, 0.6
    errors = {"probability": p, "common_mode": c}
    # Best of two with a perfect verifier fails only where both err.
    found = 1 - share_correct(2, errors, vote="best_of")
    expected = c**2 * p + (1 - c**2) * p**2
    assert abs(found - expected) < 3 * standard_error(expected)


@pytest.mark.parametrize(("similarity", "low", "high"), [(0.0, 0.0, 0.02), (1.0, 0.38, 0.42)])
def test_families_share_difficulty_as_far_as_they_are_alike(
    similarity: float, low: float, high: float
) -> None:
    # Correlation of the errors of one agent of each family, found through best-of-two.
    def group(family: str) -> dict[str, Any]:
        errors = {"detection": 0, "probability": 0.5, "difficulty_correlation": 0.4}
        return {"size": 1, "agent": agent(errors=errors, family=family, batch=500)}

    m = run(
        team={"groups": {"a": group("a"), "b": group("b")}, "family_similarity": similarity},
        workload__tasks=TASKS,
        coordination__protocol={"kind": "replicate_and_vote", "replicas": 2, "vote": "best_of"},
    )
    both_err = 1 - m.quality
    correlation = (both_err - 0.25) / 0.25
    assert low - 0.03 < correlation < high + 0.01


@pytest.mark.parametrize("k", [3, 5, 9])
def test_plurality_among_several_wrong_answers(k: int) -> None:
    # p = .4, 3 wrong options: .45 .51 .60; here against exact enumeration.
    wrong = {"options": 3, "shared": 0.0}
    found = share_correct(k, {"probability": 0.6, "wrong_answers": wrong})
    expected = {3: 0.45, 5: 0.51, 9: 0.60}[k]
    assert abs(found - expected) < 0.006 + 3 * standard_error(expected)


def test_a_weighted_vote_follows_the_one_who_knows() -> None:
    # One agent at 0.9 has log odds 2.2, two at 0.6 have 0.4 each: the expert decides alone.
    def group(size: int, e: float) -> dict[str, Any]:
        return {"size": size, "agent": agent(errors={"detection": 0, "probability": e}, batch=500)}

    def quality(vote: str) -> float:
        return run(
            team={"groups": {"expert": group(1, 0.1), "others": group(2, 0.4)}},
            workload__tasks=TASKS,
            coordination__protocol={"kind": "replicate_and_vote", "replicas": 3, "vote": vote},
        ).quality

    majority = 0.9 * (1 - 0.4**2) + 0.1 * 0.6**2
    assert abs(quality("majority") - majority) < 3 * standard_error(majority)
    assert abs(quality("weighted") - 0.9) < 3 * standard_error(0.9)


def test_best_of_k_with_a_perfect_verifier_is_coverage() -> None:
    expected = 1 - 0.7**4
    found = share_correct(4, {"probability": 0.7}, vote="best_of")
    assert abs(found - expected) < 3 * standard_error(expected)


def test_a_verifier_with_false_positives_loses_coverage() -> None:
    # k = 2: both right; one right (accepted for sure) beside a wrong one accepted with f; none.
    p, f = 0.4, 0.5
    expected = p**2 + 2 * p * (1 - p) * (1 - f / 2)
    found = share_correct(2, {"probability": 1 - p}, vote="best_of", miss=f)
    assert abs(found - expected) < 3 * standard_error(expected)


def test_a_judge_finds_the_right_answer_unless_it_misses_it() -> None:
    p, miss = 0.5, 0.25
    expected = p**2 + 2 * p * (1 - p) * (1 - miss)
    found = share_correct(2, {"probability": 1 - p}, vote="judge", miss=miss)
    assert abs(found - expected) < 3 * standard_error(expected)


def test_coverage_over_tasks_of_beta_difficulty() -> None:
    # E[1 - (1 - p)^k] with p ~ Beta(a, b) (Large Language Monkeys, arXiv 2407.21787).
    rho, p, k = 0.4, 0.3, 8
    both = 1 / rho - 1
    expected = 1 - betabinom.pmf(0, k, p * both, (1 - p) * both)
    errors = {"probability": 1 - p, "difficulty_correlation": rho}
    found = share_correct(k, errors, vote="best_of")
    assert abs(found - expected) < 3 * standard_error(expected)


def test_an_early_stop_changes_calls_and_not_the_majority() -> None:
    def vote(early: bool) -> tuple[int, float]:
        m = run(
            team__size=1,
            team__agent=agent(errors={"detection": 0, "probability": 0.3}),
            workload__tasks=500,
            coordination__protocol={
                "kind": "replicate_and_vote",
                "replicas": 5,
                "early_stop": early,
            },
        )
        return m.calls, m.quality

    (all_calls, _), (fewer_calls, quality) = vote(False), vote(True)
    assert all_calls == 2500
    # 3 to 5 answers are enough: E = 3 (p3 + q3) + 4 * 3 (p3 q + q3 p) + 5 * 6 p2 q2.
    expected = 3 * 0.37 + 12 * (0.7**3 * 0.3 + 0.3**3 * 0.7) + 30 * 0.09 * 0.49
    assert fewer_calls / 500 == pytest.approx(expected, abs=0.12)
    tail = binom.sf(2, 5, 0.7)
    assert abs(quality - tail) < 3 * standard_error(tail, 500)


@pytest.mark.parametrize(
    ("alpha", "easy", "hard", "best"),
    [(0.6, 0.85, 0.4, 5), (0.4, 0.85, 0.4, 3), (0.5, 0.9, 0.2, 1)],
)
def test_among_easy_and_hard_tasks_votes_help_and_then_hurt(
    alpha: float, easy: float, hard: float, best: int
) -> None:
    # F(K) = alpha I(p1) + (1 - alpha) I(p2) (arXiv 2403.02419): for (.6, .85, .4), K = 1, 3, 5,
    # 7, 9: .670 .704 .711 .709 .703, and down to .608 at 101: the optimum is 5.
    tasks = 6000

    def quality(k: int) -> float:
        difficulty = [-np.log(p / (1 - p)) for p in (easy, hard)]  # of an agent who errs at 0.5
        listed = [
            {"id": str(i), "difficulty": float(difficulty[i >= alpha * tasks])}
            for i in range(tasks)
        ]
        return run(
            team__size=k,
            team__agent=agent(errors={"detection": 0, "probability": 0.5}, batch=300),
            workload={"kind": "dag", "tasks": listed},
            coordination__protocol={"kind": "replicate_and_vote", "replicas": k},
        ).quality

    def law(k: int) -> float:
        right = [float(binom.sf(k // 2, k, p)) for p in (easy, hard)]
        return alpha * right[0] + (1 - alpha) * right[1]

    for k in (1, best, 21):
        assert abs(quality(k) - law(k)) < 3 * standard_error(law(k), tasks)
    assert max((1, 3, 5, 7, 9, 11, 21), key=law) == best


def opinions(rounds: int, **protocol: Any) -> float:
    """Return the share of right opinions after a debate, as a random debater's opinion."""
    m = run(
        team__size=5,
        team__agent=agent(errors={"detection": 0, "probability": 0.4}, batch=100),
        workload__tasks=8000,
        coordination={
            "protocol": {"kind": "debate", "rounds": rounds, "decision": "random", **protocol},
            "idle_agents": "wait",
        },
    )
    assert m.calls >= 5 * (rounds + 1)
    assert m.attempts == 8000 * 5 * (rounds + 1)
    return m.quality


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_following_a_random_peer_is_a_martingale(order: str) -> None:
    for rounds in (0, 1, 4):
        found = opinions(rounds, influence="peer", conformity=0.5, order=order)
        assert abs(found - 0.6) < 3 * standard_error(0.6, 8000)


def test_following_the_majority_or_correcting_helps() -> None:
    assert opinions(3, influence="majority", conformity=0.7) > 0.6 + 6 * standard_error(0.6, 8000)
    found = opinions(1, influence="peer", correction=0.25)
    expected = 0.6 + 0.4 * 0.25
    assert abs(found - expected) < 3 * standard_error(expected, 8000)


@pytest.mark.slow
def test_compromise_with_novices_holds_an_expert_back() -> None:
    # arXiv 2602.01011: the loss against the best member grows with the team; the damage of one
    # adversary falls with it. Power: the differences are above 6 standard errors.
    def quality(groups: dict[str, tuple[int, float]]) -> float:
        return run(
            team={
                "groups": {
                    name: {
                        "size": size,
                        "agent": agent(errors={"detection": 0, "probability": e}, batch=500),
                    }
                    for name, (size, e) in groups.items()
                }
            },
            workload__tasks=4000,
            coordination__protocol={
                "kind": "debate",
                "rounds": 1,
                "influence": "majority",
                "conformity": 0.8,
            },
        ).quality

    lost = [0.95 - quality({"expert": (1, 0.05), "novices": (n, 0.6)}) for n in (2, 4, 8)]
    assert 0.05 < lost[0] < lost[1] < lost[2]
    damage = [
        quality({"all": (n + 1, 0.3)}) - quality({"adversary": (1, 1.0), "others": (n, 0.3)})
        for n in (2, 4, 8)
    ]
    assert damage[0] > damage[1] > damage[2] > 0


def test_quality_varies_more_between_runs_when_attempts_fail_together() -> None:
    def spread(**errors: Any) -> float:
        found = runs(
            200,
            team__agent=agent(errors={"detection": 0, **errors}, batch=20),
            workload__tasks=20,
        )
        return float(np.std([m.quality for m in found]))

    alone = spread(probability=0.3)
    assert alone == pytest.approx(np.sqrt(0.21 / 20), rel=0.15)
    assert spread(probability={"probability": 0.3, "run_sigma": 1.5}) > 1.5 * alone
