"""A precision is reached if the interval is narrow and rare events were expected to occur."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from analysis.statistics.completion import time_to_success
from analysis.statistics.intervals import mean_interval
from simulator.errors import TeamsimError
from simulator.experiment import (
    pacing,
    read_results,
    read_shortfalls,
    run_each,
    run_sweep,
    shortfalls,
)
from simulator.experiment.allocation import Allocation
from simulator.experiment.plan import Plan
from simulator.scenario import Study, parse_study

TEXT = """\
name: rare
seed: {seed}
replications: {most}
{precision}
team:
  size: 2
  agent:
    latency: {{kind: seconds, base: {base}}}
    {agent}
topology: {{kind: independent, aggregate: false}}
coordination: {{protocol: pre_assigned, timing: asynchronous}}
workload: {{kind: parallel_fraction, tasks: 4, parallel_fraction: 1.0}}
{more}
"""

BASE = "{kind: lognormal, median: 10, sigma: 0.3}"


def study(
    agent: str = "",
    metric: str = "makespan_s",
    more: str = "",
    base: str = BASE,
    most: int = 2000,
    seed: int = 0,
    precision: str | None = None,
) -> Study:
    if precision is None:
        precision = f"precision: {{metric: {metric}, relative: 0.1}}"
    fields = {"agent": agent, "more": more, "base": base, "most": most, "seed": seed}
    return parse_study(TEXT.format(precision=precision, **fields))


def test_without_rare_events_the_first_look_may_be_the_last() -> None:
    table = run_sweep(study())
    assert table.num_rows == 20
    assert shortfalls(table) == []


RARE: dict[str, tuple[Study, int]] = {
    # With 4 calls, 2 agents and about 25 s a replication; as many as 30 events take.
    "stragglers": (study("faults: {slow: {probability: 0.02, factor: 3}}"), 375),
    "stalls": (study("faults: {stall: 0.02}", "success", "limits: {deadline_s: 200}"), 375),
    "malformed replies": (study("faults: {malformed: 0.02}"), 375),
    "errors": (study("errors: {probability: 0.02, detection: 0}", "quality"), 375),
    "byzantine agents": (study("faults: {byzantine: {probability: 0.04}}", "quality"), 375),
    "provider errors": (study(more="provider: {errors: {probability: 0.02}}"), 375),
    "a mixture": (
        study(
            base="{kind: mixture, components: [{weight: 98, distribution: 10}, "
            "{weight: 2, distribution: 30}]}"
        ),
        375,
    ),
    "crashes": (
        study("faults: {crash: {up_s: {kind: exponential, mean: 1250}, repair_s: 1}}"),
        750,
    ),
    "outages": (
        study(
            more="provider: {outages: {up_s: {kind: exponential, mean: 1250}, "
            "down_s: 1, hangs: true}}"
        ),
        1500,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", RARE)
def test_a_precision_waits_for_rare_events(kind: str) -> None:
    scenario, about = RARE[kind]
    table = run_sweep(scenario)
    assert table.num_rows == pytest.approx(about, rel=0.35)
    assert shortfalls(table) == []


def test_a_precision_of_the_makespan_is_of_the_time_to_success() -> None:
    # Half of the runs are cut off at the deadline: their lengths differ little among each other
    # (a tenth), but the share that finishes is known to a tenth only after some 400 runs.
    table = run_sweep(study(more="limits: {deadline_s: 21.5}")).to_pandas()
    assert 0.3 < table["success"].mean() < 0.7
    assert mean_interval(table["makespan_s"][:20]).high / table["makespan_s"][:20].mean() < 1.1
    assert 200 < len(table) < 1200
    found = time_to_success(table)
    assert found.high / found.estimate < 1.12
    never = study(more="limits: {deadline_s: 3}", most=60)
    assert len(run_sweep(never)) == 60  # what is never finished is not known to any precision


def test_events_of_0_lets_them_be_missed() -> None:
    text = "precision: {relative: 0.1, events: 0}"
    assert run_sweep(study("faults: {slow: {probability: 1.0e-6}}", precision=text)).num_rows == 20


def test_used_up_replications_are_said_in_results_manifest_and_message(tmp_path: Path) -> None:
    rare = study("faults: {slow: {probability: 0.001}}", most=100)
    in_memory = run_sweep(rare)
    (found,) = shortfalls(in_memory)
    assert (found.point, found.metric, found.replications) == (0, "makespan_s", 100)
    x = in_memory.to_pandas()["makespan_s"].to_numpy()
    interval = mean_interval(x)
    far = max(interval.high - x.mean(), x.mean() - interval.low)
    assert found.relative == pytest.approx(far / x.mean())
    assert "0.4 of 30 events expected of team.agent.faults.slow" in str(found)
    assert "precision not reached in 100 replications: the interval of makespan_s" in str(found)

    kept = run_sweep(rare, tmp_path / "out")
    assert kept.equals(in_memory)
    assert shortfalls(kept) == read_shortfalls(tmp_path / "out") == [found]
    assert shortfalls(read_results(tmp_path / "out")) == [found]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["precision_not_reached"][0]["relative"] == found.relative


def test_a_budget_that_ends_first_is_said_for_its_points() -> None:
    text = "precision: {relative: 0.02, budget: 60}\nsweep: {team.size: [1, 2]}"
    table = run_sweep(study(precision=text))
    assert table.num_rows == 60
    assert [each.point for each in shortfalls(table)] == [0, 1]


def test_no_number_of_replications_is_enough_without_variance() -> None:
    table = run_sweep(study(base="{kind: pareto, shape: 2, minimum: 5}", most=300))
    assert table.num_rows == 300
    (found,) = shortfalls(table)
    assert found.reasons == ("team.agent.latency.base has infinite variance",)


def test_a_mean_of_0_has_no_relative_precision() -> None:
    text = "precision: {metric: crashes}"
    assert run_sweep(study(precision=text)).num_rows == 20  # none, and none can happen
    crash = "faults: {crash: {up_s: {kind: exponential, mean: 1.0e9}, repair_s: 1}}"
    (found,) = shortfalls(run_sweep(study(crash, precision=text, most=40)))
    assert found.relative == 0.0
    assert "of 30 events expected of team.agent.faults.crash" in found.reasons[0]


@pytest.mark.slow
def test_rare_events_are_waited_for_alike_with_two_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "TARGET_S", 0.1)
    rare = study("faults: {slow: {probability: 0.03, factor: 20}}", most=300)
    one, two = run_sweep(rare), run_sweep(rare, tmp_path / "out", workers=2)
    assert one.equals(two)
    assert shortfalls(one) == shortfalls(two)


Draw = Callable[[np.random.Generator, int], np.ndarray]


def two_of_two(calls: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]) -> Draw:
    """Return a law: the time in which both agents have done two calls each."""
    return lambda rng, count: calls(rng, (count, 2, 2)).sum(axis=2).max(axis=1)


def straggling(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.lognormal(np.log(10), 0.3, shape) * np.where(rng.random(shape) < 0.01, 200, 1)


def nested(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.where(rng.random(shape) < 0.01, 2000.0, 10.0)


def no_stall(rng: np.random.Generator, count: int) -> np.ndarray:
    return (rng.random((count, 4)) >= 0.01).all(axis=1).astype(float)


def correct(rng: np.random.Generator, count: int) -> np.ndarray:
    return (rng.random((count, 4)) >= 0.01).mean(axis=1)


STUDIES: dict[str, tuple[Study, Draw]] = {
    "stragglers": (
        study("faults: {slow: {probability: 0.01, factor: 200}}", most=1000),
        two_of_two(straggling),
    ),
    "success": (  # four calls without a stall; else they are done long before the deadline
        study("faults: {stall: 0.01}", "success", "limits: {deadline_s: 200}", most=1000),
        no_stall,
    ),
    "a nested mixture": (
        study(
            base="{kind: mixture, components: [{weight: 9, distribution: 10}, {weight: 1, "
            "distribution: {kind: mixture, components: [{weight: 9, distribution: 10}, "
            "{weight: 1, distribution: 2000}]}}]}",
            most=1000,
        ),
        two_of_two(nested),
    ),
    "errors": (
        study("errors: {probability: 0.01, detection: 0}", "quality", most=1000),
        correct,
    ),
}


def until_precise(study: Study, metric: str, draw: Callable[[int], np.ndarray]) -> np.ndarray:
    """Return a metric of all replications that are made, of runs that are drawn, not simulated."""
    allocation = Allocation(study.points, Plan([study.base.replications]))
    found = np.empty(0)
    while spans := allocation.next_round():
        for span in spans:
            rows = dict.fromkeys(allocation.looks_at, np.full(span.count, 4.0))  # calls of a run
            rows |= {"success": np.ones(span.count), metric: draw(span.count)}
            rows |= {"point": np.zeros(span.count), "replication": np.arange(span.start, span.stop)}
            allocation.add(pa.table(rows))
            found = np.concatenate([found, rows[metric]])
    return found


# Where 90 % hold the truth, fewer than 167 of 200 do so with a probability of 0.002. By the width
# of the interval alone, as once, 122 hold that of the stragglers and 160 that of success.
@pytest.mark.thorough
@pytest.mark.theory
@pytest.mark.parametrize("kind", STUDIES)
def test_the_interval_at_which_it_stops_holds_the_truth(kind: str) -> None:
    study, draw = STUDIES[kind]
    precision = study.base.precision
    assert precision is not None
    truth, held = draw(np.random.default_rng(0), 2_000_000).mean(), 0
    for seed in range(1, 201):
        rng = np.random.default_rng(seed)
        found = mean_interval(until_precise(study, precision.metric, partial(draw, rng)))
        held += found.low <= truth <= found.high
    assert held >= 167, f"{held} of 200"


# And the runs are of these laws.
@pytest.mark.slow
@pytest.mark.theory
@pytest.mark.parametrize("kind", STUDIES)
def test_runs_are_as_they_are_drawn(kind: str) -> None:
    study, draw = STUDIES[kind]
    precision = study.base.precision
    assert precision is not None
    runs = run_each([study.base], 1000).column(precision.metric).to_numpy().astype(float)
    drawn = draw(np.random.default_rng(0), 100_000)
    assert stats.ks_2samp(runs, drawn).pvalue > 0.001


def test_a_precision_of_what_is_not_known_is_refused() -> None:
    text = """
name: unpriced
precision: {metric: cost_usd}
team: {size: 2, agent: {latency: {kind: seconds, base: 1}}}
topology: decentralised
coordination: {protocol: self_claim}
workload: {kind: parallel_fraction, tasks: 4, parallel_fraction: 1}
"""
    with pytest.raises(TeamsimError, match="what a run costs is not known; give a price"):
        run_sweep(parse_study(text))
