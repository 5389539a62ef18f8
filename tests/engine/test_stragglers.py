"""Barriers and work conservation against order statistics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.conftest import scenario

pytestmark = pytest.mark.theory


def longest_over_mean(law: Any, n: int) -> float:
    """E[max of n] / E[X] for a positive law, by integrating the survival function."""
    value, _ = integrate.quad(lambda t: 1 - law.cdf(t) ** n, 0, np.inf, limit=500)
    return value / law.mean()


def rounds_of_equal_work(base: dict[str, Any], n: int, rounds: int = 1_000) -> Any:
    return Simulation(
        scenario(
            team__size=n,
            team__agent__latency={"kind": "seconds", "base": base},
            coordination__protocol="pre_assigned",
            workload__tasks=n * rounds,
            seed=5,
        )
    )


# 20 replications of 1,000 rounds; |t| < 3 with 19 degrees of freedom is 99.3 % two-sided, and
# there are 27 comparisons, correlated in threes. Power: the standard error is below 0.6 % of the
# mean, so a bias of 2.2 % is found with probability above 0.75; one agent more makes about 3 %.
@pytest.mark.parametrize(
    ("base", "law", "n"),
    [
        pytest.param(base, law, n, marks=[pytest.mark.slow] if n > quick else [])
        for base, law, quick in (
            ({"kind": "exponential", "mean": 1}, stats.expon(), 2),
            ({"kind": "lognormal", "median": 1, "sigma": 0.6}, stats.lognorm(0.6), 5),
            ({"kind": "lognormal", "median": 1, "sigma": 0.9}, stats.lognorm(0.9), 2),
        )
        for n in (2, 5, 10)
    ],
)
def test_a_round_lasts_as_long_as_the_longest_of_n_calls(
    base: dict[str, Any], law: Any, n: int
) -> None:
    simulation = rounds_of_equal_work(base, n)
    rows = [simulation.run(r) for r in range(20)]
    expected = longest_over_mean(law, n)
    length = [row.makespan_s / row.rounds / law.mean() for row in rows]
    assert_mean(length, expected)
    # The share of the agents' time spent at the barrier is 1 - E[X] / E[max].
    assert_mean([row.waiting_s / (n * row.makespan_s) for row in rows], 1 - 1 / expected)
    # The straggler gap is E[max] - E[X].
    assert_mean([row.straggler_gap_s / law.mean() for row in rows], expected - 1)


# The mean of so heavy a tail has no usable standard error; its quantiles do (binomial, 3 sigma).
@pytest.mark.parametrize(
    ("shape", "n"),
    [
        (2.5, 2),
        (1.5, 5),
        *(
            pytest.param(shape, n, marks=pytest.mark.slow)
            for shape, n in ((1.5, 2), (2.5, 5), (1.5, 10), (2.5, 10))
        ),
    ],
)
def test_rounds_of_pareto_calls_have_the_quantiles_of_the_longest(shape: float, n: int) -> None:
    rounds, trace = 10_000, Trace()
    base = {"kind": "pareto", "shape": shape, "minimum": 1}
    rounds_of_equal_work(base, n, rounds).run(0, trace)
    lengths = [row.duration_s for row in trace.rows if row.event is Event.ROUND_END]
    for q in (0.5, 0.99):
        below = np.mean(np.asarray(lengths) <= stats.pareto(shape).ppf(q ** (1 / n)))
        assert abs(below - q) < 3 * math.sqrt(q * (1 - q) / rounds)


def assert_mean(values: list[float], expected: float) -> None:
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    assert abs(np.mean(values) - expected) < 3 * error


def test_the_closed_form_is_the_published_one() -> None:
    assert longest_over_mean(stats.expon(), 5) == pytest.approx(137 / 60)
    assert longest_over_mean(stats.lognorm(0.6), 5) == pytest.approx(1.825, abs=5e-4)


# |z| < 3: 99.7 %. The standard error of 1,000 replications is at most 1.4 % of the mean.
@pytest.mark.parametrize(
    ("tasks", "n"),
    [
        (8, 4),
        *(
            pytest.param(*it, marks=pytest.mark.slow)
            for it in ((20, 2), (20, 4), (20, 5), (100, 10))
        ),
    ],
)
def test_self_claim_conserves_work_and_pre_assignment_waits_for_the_longest_share(
    tasks: int, n: int
) -> None:
    # Exponential tasks, mean 1. Claimed: (N - n) / n + H_n. Dealt: E[max of n Erlang(N / n)].
    fields = {
        "team__size": n,
        "team__agent__latency": {"kind": "seconds", "base": {"kind": "exponential", "mean": 1}},
        "coordination__timing": "asynchronous",
        "workload__tasks": tasks,
        "seed": 3,
    }
    claimed = Simulation(scenario(**fields))
    assert_mean(
        [claimed.run(r).makespan_s for r in range(1000)],
        (tasks - n) / n + sum(1 / k for k in range(1, n + 1)),
    )
    dealt = Simulation(scenario(**fields | {"coordination__protocol": "pre_assigned"}))
    share = stats.gamma(tasks / n)
    longest, _ = integrate.quad(lambda t: 1 - share.cdf(t) ** n, 0, np.inf, limit=500)
    assert_mean([dealt.run(r).makespan_s for r in range(1000)], longest)


def test_agents_who_all_pick_the_first_task_do_one_task_a_round() -> None:
    protocol = {"kind": "self_claim", "choice": "first"}
    m = Simulation(scenario(team__size=5, coordination__protocol=protocol)).run(0)
    assert (m.rounds, m.duplicate_attempts, m.makespan_s) == (20, 80, 20)
