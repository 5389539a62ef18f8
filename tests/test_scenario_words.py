"""Words in the answers of shipped scenarios that compare points hold, replication by replication.

Replications of two points have the same random numbers, so that a difference shows in few of
them: one that is claimed must be four standard errors from none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from simulator.distributions import Floats
from simulator.experiment import run_each
from simulator.scenario import load_study
from tests.test_scenario_numbers import (
    ALIKE,
    ALL,
    CLAIM_05,
    CLAIM_09,
    CLAIMED,
    COMMON,
    CORRELATED,
    COUPLED,
    DEALT,
    DECOUPLED,
    FIRST,
    FOLLOWER,
    FOUR,
    GENERALISTS,
    IN_TURN,
    INDEPENDENT,
    LEADER,
    LINE,
    LONGEST_FIRST,
    MAJORITY,
    MESH,
    ONE_QUEUE,
    QUICKSTART_DEALT,
    REVIEWED,
    SCENARIOS,
    SOLO,
    STOLEN,
    TESTED,
    UNCHECKED,
    UNEVEN,
    WAITS,
    place,
)

Where = tuple[str, float]
"""Series and x."""


class Runs:
    """Replications of those points of a scenario that are asked for."""

    def __init__(self, name: str, replications: int) -> None:
        study = load_study(SCENARIOS / f"{name}.yaml")
        axis = "team.size" if study.base.figure is None else study.base.figure.x
        self.points = {place(point, axis): point for point in study.points}
        self.replications = replications
        self.done: dict[Where, dict[str, Floats]] = {}

    def __call__(self, metric: str, series: str, x: float) -> Floats:
        """Return the values of a metric, one a replication."""
        where = series, x
        if where not in self.done:
            table = run_each([self.points[where].scenario], self.replications)
            frame = table.to_pandas().select_dtypes("number")
            self.done[where] = {str(name): frame[name].to_numpy(float) for name in frame}
        return self.done[where][metric]


def below(less: Floats, more: Floats) -> bool:
    """Whether the mean of one is below that of the other by four standard errors of pairs."""
    gap = more - less
    return bool(gap.mean() > 4 * gap.std(ddof=1) / math.sqrt(len(gap)))


def ascending(samples: Iterable[Floats]) -> bool:
    """Whether each mean is below the next."""
    return all(below(one, other) for one, other in pairwise(samples))


def is_mean(values: Floats, mean: float) -> bool:
    """Whether a theoretical mean is within four standard errors of the values'."""
    return abs(values.mean() - mean) < 4 * values.std(ddof=1) / math.sqrt(len(values))


def slope(metric: Callable[[int], float], sizes: Iterable[int]) -> float:
    """Return the power of n as which a mean grows."""
    n = np.array(list(sizes))
    return float(np.polyfit(np.log(n), np.log([metric(each) for each in n]), 1)[0])


def quickstart(of: Runs) -> None:
    for dealt, claimed in zip(QUICKSTART_DEALT, (CLAIM_09, CLAIM_05), strict=True):
        for n in range(1, 9):
            assert below(of("makespan_s", dealt, 1), of("makespan_s", claimed, n))
        for trouble in ("blocked_claims", "duplicate_attempts"):
            assert below(of(trouble, dealt, 4), of(trouble, claimed, 4))


def broadcast_overhead(of: Runs) -> None:
    sizes = (8, 16, 32, 64)
    assert slope(lambda n: of("deliveries", "1000", n).mean(), sizes) == pytest.approx(1, abs=0.1)
    each = slope(lambda n: (of("deliveries", "1000", n) / of("rounds", "1000", n)).mean(), sizes)
    assert each == pytest.approx(2, abs=0.15)
    silent = [of("input_tokens", "0", n) / of("calls", "0", n) for n in (64, 16, 4, 1)]
    assert ascending(silent)
    for n in (2, 64):
        assert below(of("output_tokens", "0", n), of("output_tokens", "1000", n))


def centralised_vs_decentralised(of: Runs) -> None:
    def cost(series: str, n: int) -> Floats:
        return of("cost_usd", series, n)

    silent, led = "independent", "centralised"
    sizes = (2, 8, 32)
    # A task that is done is told once, and to everybody.
    told = [of("messages", MESH, n).mean() for n in sizes]
    assert max(told) < 1.02 * min(told)
    assert all(
        (of("deliveries", MESH, n) == (n - 1) * of("messages", MESH, n)).all() for n in sizes
    )
    assert below(5 * of("deliveries", led, 32), of("deliveries", MESH, 32))
    for n in sizes:
        assert below(of("makespan_s", MESH, n), of("makespan_s", led, n))
    assert below(cost(MESH, 2), cost(silent, 2))
    for n in (4, 6, 8, 12, 16, 24, 32):
        assert below(cost(silent, n), np.minimum(cost(MESH, n), cost(led, n)))
    assert below(cost(MESH, 8), cost(led, 8))
    assert below(cost(led, 12), cost(MESH, 12))
    assert ascending(of("quality", silent, n) for n in (1, 2, 8))
    for n in (2, 4, 8):
        assert below(of("quality", silent, n), of("quality", MESH, n))


def context_against_team(of: Runs) -> None:
    alone, four = (of("quality", each(COUPLED), 2) for each in (SOLO, FOUR))
    assert below(four, alone)
    alone, four = (of("quality", each(DECOUPLED), 4) for each in (SOLO, FOUR))
    assert below(alone, four)


def pipeline(of: Runs) -> None:
    items = (1, 2, 4, 8, 16, 32)
    assert ascending(-of("makespan_s", LINE, n) / n for n in items)  # with more items, faster
    assert ascending(of("makespan_s", series, 32) for series in (LINE, GENERALISTS, UNEVEN))


def work_stealing(of: Runs) -> None:
    queue, stolen, in_turn, longest = (
        of("makespan_s", series, 8) for series in (ONE_QUEUE, STOLEN, IN_TURN, LONGEST_FIRST)
    )
    assert below(stolen, 1.15 * queue)
    assert below(1.05 * stolen, in_turn)
    assert below(0.9 * in_turn, longest)  # to deal the longest first does not help
    assert below(2 * of("waiting_s", ONE_QUEUE, 8), of("waiting_s", ONE_QUEUE, 16))


def consensus(of: Runs) -> None:
    def late(series: str, replicas: int) -> Floats:
        return of("makespan_s", series, replicas) / of("makespan_s", ALIKE, replicas)

    assert ascending(late(FOLLOWER, each) for each in (9, 5, 3))
    assert below(5 * (late(FOLLOWER, 3) - 1), late(LEADER, 3) - 1)
    assert below(of("coordination_s", ALIKE, 3), of("coordination_s", ALIKE, 9))


def error_compounding(of: Runs) -> None:
    kinds = (UNCHECKED, TESTED, REVIEWED)
    for series in kinds:
        assert below(of("quality", series, 40), of("quality", series, 10))
    assert ascending(of("quality", series, 40) for series in kinds)
    # Every fault goes all the way down: a chain is right as far as its first one.
    length, right = 40, 0.95
    first_fault = sum(right**k for k in range(1, length + 1)) / length
    assert is_mean(of("quality", UNCHECKED, length), first_fault)
    # Were only tasks rejected that have a fault of their own, or by a false alarm:
    own = 1 / (1 - 0.05 * 0.8 - 0.95 * 0.05)
    assert below(np.full(of.replications, own * length), of("attempts", REVIEWED, length))


def voting(of: Runs) -> None:
    for k in (1, 9, 25):
        assert is_mean(of("quality", INDEPENDENT, k), stats.binom.sf(k // 2, k, 0.7))
        for rho in (0.2, 0.6):  # beta-binomial
            rest = 1 / rho - 1
            right = stats.betabinom.sf(k // 2, k, 0.7 * rest, 0.3 * rest)
            assert is_mean(of("quality", CORRELATED(rho), k), right)
    assert stats.beta.sf(0.5, 0.7 * 4, 0.3 * 4) == pytest.approx(0.82, abs=0.005)  # the limit
    assert is_mean(of("quality", COMMON, 25) - of("quality", COMMON, 1), 0)
    for series in (INDEPENDENT, CORRELATED(0.2), CORRELATED(0.6), COMMON):
        assert (of("calls", series, 25) == 25 * of("calls", series, 1)).all()
        grown = of("makespan_s", series, 25).mean() / of("makespan_s", series, 1).mean()
        assert grown == pytest.approx(25, rel=0.05)


def redundancy(of: Runs) -> None:
    for k in (3, 9):
        for series, quorum in ((FIRST, 1), (MAJORITY, k // 2 + 1), (ALL, k)):
            mean = 10 * sum(1 / (k - i) for i in range(quorum))
            assert is_mean(of("makespan_s", series, k), mean)
        first = of("makespan_s", FIRST, k)
        assert of("wasted_s", FIRST, k) == pytest.approx((k - 1) * first)


def stragglers(of: Runs) -> None:
    spans = [of("makespan_s", DEALT("barrier", 0.3), 16), of("makespan_s", CLAIMED, 16)]
    spans += [of("makespan_s", DEALT(barrier, 1.2), 16) for barrier in ("no barrier", "barrier")]
    assert ascending(spans)


def backoff(of: Runs) -> None:
    none, exponential, full, equal, decorrelated = WAITS
    assert ascending(
        of("commit_attempts", wait, 100) for wait in (full, equal, decorrelated, exponential, none)
    )
    jitter = max(of("makespan_s", wait, 100).max() for wait in (full, equal, decorrelated))
    assert jitter < of("makespan_s", exponential, 100).min()


WORDS: dict[Callable[[Runs], None], int] = {
    quickstart: 600,
    broadcast_overhead: 4,
    centralised_vs_decentralised: 60,
    context_against_team: 1000,
    pipeline: 20,
    work_stealing: 400,
    consensus: 100,
    error_compounding: 200,
    voting: 12,
    redundancy: 200,
    stragglers: 500,
    backoff: 3,
}


THOROUGH = (
    quickstart,
    centralised_vs_decentralised,
    work_stealing,
    stragglers,
    backoff,
    redundancy,
)
"""Those that need many runs of large teams, or whose numbers CI has."""


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(claim, marks=[pytest.mark.thorough] if claim in THOROUGH else [])
        for claim in WORDS
    ],
    ids=lambda claim: claim.__name__,
)
def test_words_of_an_answer_are_borne_out(claim: Callable[[Runs], None]) -> None:
    claim(Runs(claim.__name__, WORDS[claim]))
