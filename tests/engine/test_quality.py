"""Faults, tests, reviews and hand-offs: where errors go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.model.metrics import Metrics
from tests.conftest import agent, run, runs

CHAIN = {"kind": "parallel_fraction", "tasks": 8, "parallel_fraction": 0}


def share(found: list[Metrics], length: int) -> float:
    """Return the share of runs whose last task of a chain is correct, and so the whole chain."""
    return float(np.mean([m.tasks_correct == length for m in found]))


@pytest.mark.theory
@pytest.mark.parametrize("by", ["verifiers", "peers", "coordinator"])
@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
def test_a_reviewer_misses_and_alarms_as_it_is_said_to(by: str, timing: str) -> None:
    # Accepted faulty: e m / (e m + (1 - e)(1 - f)) of all; attempts 1 / (e m + (1 - e)(1 - f)).
    e, miss, false_alarm, tasks = 0.3, 0.2, 0.1, 4000
    m = run(
        team={"size": 2, "agent": agent(errors={"probability": e, "detection": 0}, batch=5)},
        topology="centralised" if by == "coordinator" else "decentralised",
        workload__tasks=tasks,
        coordination={
            "protocol": "pre_assigned",
            "timing": timing,
            "review": {"by": by, "miss": miss, "false_alarm": false_alarm, "batch": 5},
        },
    )
    accepted = e * miss + (1 - e) * (1 - false_alarm)
    faulty = e * miss / accepted
    assert m.tasks_done == tasks
    assert abs(m.faulty_undetected / tasks - faulty) < 3 * np.sqrt(faulty * (1 - faulty) / tasks)
    assert m.reviews / tasks == pytest.approx(1 / accepted, rel=0.05)
    assert m.reviews == m.attempts == tasks + m.rejections
    alarms = (1 - e) * false_alarm / accepted
    assert m.false_alarms / tasks == pytest.approx(alarms, rel=0.2)
    assert m.coordination_s > 0


def test_a_review_takes_the_reviewers_time() -> None:
    m = run(
        team={"size": 2, "agent": agent(latency={"kind": "seconds", "per_work_unit_s": 2})},
        workload__tasks=10,
        coordination={
            "protocol": "pre_assigned",
            "review": {"by": "verifiers", "work": 0.5},
            "timing": "asynchronous",
        },
    )
    # Two tasks finish every 2 s; one verifier takes 1 s for each, the last at 10 + 2.
    assert m.makespan_s == 12
    assert (m.review_calls, m.coordination_s) == (10, 10.0)


def test_a_fault_that_is_known_and_given_up_is_told_apart_from_one_that_escaped() -> None:
    m = run(
        team__agent=agent(errors={"probability": 1, "detection": 0.5, "max_attempts": 2}),
        workload__tasks=2000,
    )
    # Undetected at the first attempt 1/2, at the second 1/4; known 1/4.
    assert m.tasks_correct == 0
    assert m.faulty_detected + m.faulty_undetected == 2000
    assert abs(m.faulty_detected / 2000 - 0.25) < 3 * np.sqrt(0.1875 / 2000)


@pytest.mark.slow
def test_hand_offs_lose_and_staying_with_one_agent_does_not() -> None:
    def quality(size: int, **protocol: Any) -> float:
        found = runs(
            400,
            team={"size": size, "agent": agent(errors={"hand_off": 0.1, "detection": 0})},
            workload=CHAIN,
            coordination__protocol={"kind": "pre_assigned", **protocol},
        )
        return share(found, 8)

    assert quality(1) == 1.0
    assert quality(4, keep_chains=True) == 1.0  # the chain stays with one agent
    dealt = quality(4, keep_chains=False, work_ahead=False)
    expected = 0.9**7
    assert abs(dealt - expected) < 3 * np.sqrt(expected * (1 - expected) / 400)


@pytest.mark.slow
@pytest.mark.theory
def test_a_chain_decays_geometrically_and_a_judged_hierarchy_stays_nearly_flat() -> None:
    # arXiv 2408.00989: linear 50.0 / 26.8 / 15.9 / 6.7 % at message error 0 / .2 / .4 / .6,
    # hierarchical with a judge 62.2 / 53.7 / 54.3 / 49.4 %. Shape only.
    def chain(error: float) -> float:
        found = runs(
            400,
            team={"size": 4, "agent": agent(errors={"hand_off": error, "detection": 0})},
            topology="pipeline",
            workload={"kind": "pipeline", "items": 1, "stages": 4},
            coordination={"protocol": "pipeline", "timing": "asynchronous"},
        )
        return share(found, 4)

    def judged(error: float) -> float:
        found = runs(
            400,
            team={"size": 4, "agent": agent(errors={"hand_off": error, "detection": 0})},
            topology={"kind": "hierarchical", "fan_out": 2},
            workload={"kind": "map_reduce", "maps": 3},
            coordination={
                "protocol": "pre_assigned",
                "review": {"by": "coordinator", "miss": 0.05},
            },
        )
        return float(np.mean([m.quality == 1 for m in found]))

    chained = [chain(error) for error in (0, 0.2, 0.4, 0.6)]
    expected = [(1 - error) ** 3 for error in (0, 0.2, 0.4, 0.6)]
    for found, law in zip(chained, expected, strict=True):
        assert abs(found - law) <= 3 * np.sqrt(law * (1 - law) / 400)
    flat = [judged(error) for error in (0, 0.2, 0.4, 0.6)]  # standard errors of 2 points at most
    assert flat[0] == 1.0
    assert min(flat) > 0.75
    assert flat[0] - flat[3] < 0.35 * (chained[0] - chained[3])


def test_difficulty_is_the_tasks_and_not_the_attempts() -> None:
    # With rho near 1 a task is hard for good or not at all: retrying hard ones never ends well.
    m = run(
        team__agent=agent(
            errors={
                "probability": 0.3, "detection": 1, "difficulty_correlation": 0.99,
                "max_attempts": 20,
            },
            batch=50,
        ),
        workload__tasks=2000,
    )  # fmt: skip
    assert abs(m.faulty_detected / 2000 - 0.3) < 0.04


def test_context_adds_to_errors_and_to_time() -> None:
    def with_context(tokens: int, **context: Any) -> Metrics:
        return run(
            team__agent=agent(
                errors={"probability": 0.1, "detection": 0},
                context={
                    "system_tokens": tokens,
                    "board_tokens_per_task": 0,
                    "retention": 0,
                    **context,
                },
            ),
            workload__tasks=4000,
        )

    # Half a logit each doubling beyond 4,000: logit(.1) + .5 log2(32000 / 4000).
    rotten = with_context(32_000, error={"shape": "doubling", "height": 0.5})
    expected = 1 / (1 + np.exp(-(np.log(1 / 9) + 1.5)))
    assert abs(1 - rotten.quality - expected) < 3 * np.sqrt(expected * (1 - expected) / 4000)
    # A knee at half of 200,000 tokens: nothing far below it, everything far above.
    knee = {"shape": "logistic", "height": 4, "knee": 0.5, "width": 0.05}
    assert abs(1 - with_context(10_000, error=knee).quality - 0.1) < 3 * np.sqrt(0.09 / 4000)
    assert 1 - with_context(190_000, error=knee).quality > 0.8
    slow = with_context(100_000, slowdown={"shape": "linear", "height": 1})
    assert slow.makespan_s == pytest.approx(1.5 * 4000)


def test_compaction_costs_output_and_truncation_costs_cache() -> None:
    def overflowing(overflow: str) -> Metrics:
        return run(
            team__agent=agent(
                tokens={"output": 100},
                context={
                    "system_tokens": 0, "board_tokens_per_task": 0, "window_tokens": 450,
                    "compaction": 0.4, "compaction_output": 1, "overflow": overflow,
                },
            ),
            workload__tasks=6,
        )  # fmt: skip

    compacted = overflowing("compact")
    # Calls read 0 100 200 300 400, then 500 > 450: the sixth is compacted to 180, all rewritten.
    assert compacted.compactions == 1
    assert compacted.output_tokens == 600 + 180
    assert compacted.input_tokens == 0 + 100 + 200 + 300 + 400 + 180
    truncated = overflowing("truncate")
    assert (truncated.compactions, truncated.output_tokens) == (1, 600)
    assert truncated.input_tokens == 0 + 100 + 200 + 300 + 400 + 450


def test_lost_context_raises_the_error_rate() -> None:
    def faults(loss: float) -> int:
        return run(
            team__agent=agent(
                errors={"probability": 0.1, "detection": 0},
                tokens={"output": 100},
                context={
                    "system_tokens": 0, "board_tokens_per_task": 0, "window_tokens": 450,
                    "loss": loss,
                },
                drift={"sync": 0},
            ),
            workload__tasks=300,
        ).faulty_undetected  # fmt: skip

    assert faults(0.5) > 1.5 * faults(0)


def test_drift_slows_calls_down() -> None:
    m = run(team__agent=agent(drift={"step": 0.1, "slowdown": 1.0}), workload__tasks=11)
    # The call after i steps takes 1 + 0.1 i seconds.
    assert m.makespan_s == pytest.approx(sum(1 + 0.1 * i for i in range(11)))


@pytest.mark.thorough
@pytest.mark.theory
@pytest.mark.parametrize(
    "sizes", [(8, 16), pytest.param((8, 16, 32), marks=pytest.mark.thorough)], ids=str
)
def test_overhead_grows_as_the_count_says_without_drift_and_faster_with_it(
    sizes: tuple[int, ...],
) -> None:
    # Deliveries of a mesh: rounds x n (n - 1). Without drift the rounds do not depend on n; with
    # drift from what is read, more peers mean more errors, more rounds, and a steeper law.
    def deliveries(n: int, drift: dict[str, float]) -> float:
        found = runs(
            10,
            team={
                "size": n,
                "agent": agent(
                    behaviour={"talk": 1},
                    errors={"probability": 0.05, "detection": 1},
                    tokens={"message": 300},
                    context={"retention": 0},
                    drift={"sync": 0.3, **drift},
                ),
            },
            topology="decentralised",
            workload={"kind": "parallel_fraction", "tasks": 10 * n, "parallel_fraction": 1},
            coordination={"protocol": "pre_assigned", "idle_agents": "wait"},
        )
        return float(np.mean([m.deliveries for m in found]))

    def exponent(drift: dict[str, float]) -> float:
        counted = [deliveries(n, drift) for n in sizes]
        return float(np.polyfit(np.log(sizes), np.log(counted), 1)[0])

    steady = np.polyfit(np.log(sizes), np.log([n * (n - 1) for n in sizes]), 1)[0]
    assert exponent({}) == pytest.approx(steady, abs=0.05)
    assert exponent({"per_1k_tokens": 0.15}) > steady + 0.2


def test_a_reviewing_centre_amplifies_errors_less_than_agents_on_their_own() -> None:
    alone = run(
        team={"size": 1, "agent": agent(errors={"probability": 0.1, "detection": 0.5})},
        topology="single",
        workload__tasks=3000,
    )

    def amplification(topology: str, review: dict[str, Any] | None) -> float:
        m = run(
            team={
                "size": 3,
                "agent": agent(errors={"probability": 0.1, "detection": 0.5, "hand_off": 0.1}),
            },
            topology=topology,
            workload={"kind": "parallel_fraction", "tasks": 3000, "parallel_fraction": 1},
            coordination={"protocol": "pre_assigned", "review": review},
        )
        return (1 - m.quality) / (1 - alone.quality)

    centre = amplification("centralised", {"by": "coordinator", "miss": 0.3})
    assert centre < 0.6 < amplification("independent", None)
