"""Votes and debates against binomial, beta-binomial and mixture laws.

Tasks of one replication are independent trials. Tests allow 3 standard errors (99.7 % each,
fixed seeds); with 10,000 tasks a standard error is 0.005 at most, so that a probability that
is off by 0.022 is found with a power above 0.9.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from tests.conftest import agent, run, runs
from tests.validation.votes import TASKS, right

pytestmark = pytest.mark.theory


def share_correct(k: int, errors: dict[str, Any], tasks: int = TASKS, **protocol: Any) -> float:
    return right(k, errors, tasks, **protocol).value


def standard_error(p: float, tasks: int = TASKS) -> float:
    return float(np.sqrt(p * (1 - p) / tasks))


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


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_nobody_judges_what_all_have_answered(p: float) -> None:
    # With one wrong answer, three agents of probability 0 or 1 agree: three calls, and no fourth.
    m = run(
        team__size=3,
        team__agent=agent(errors={"probability": p, "detection": 0}),
        coordination__protocol={"kind": "replicate_and_vote", "vote": "judge"},
        workload__tasks=1,
    )
    assert (m.calls, m.tasks_correct) == (3, 1 - p)
