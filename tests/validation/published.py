"""What was measured with real teams of language models."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.scenario import Scenario, load_study
from tests.conftest import agent, run, runs
from tests.validation.rows import (
    Above,
    Case,
    Found,
    Row,
    Tolerance,
    less,
    mean,
    over,
    share,
)
from tests.validation.stragglers import rounds_of_equal_work

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
TALKS = agent(behaviour={"talk": 1})
PAPER = "arXiv 2603.12229"
SCALING = "arXiv 2512.08296, version 2"


def architecture(topology: Any, rounds: int, each: int = 3, **fields: Any) -> Found:
    """Return the calls of three agents that make so many in each round."""
    m = run(
        team={"size": 3, "agent": TALKS},
        topology=topology,
        coordination={
            "protocol": {"kind": "pre_assigned", "keep_chains": False, "work_ahead": False},
            "calls_per_round": each,
            **fields,
        },
        workload__tasks=rounds * 3 * each,
    )
    assert (m.outcome, m.rounds) == ("completed", rounds)
    return Found(m.calls)


@functools.cache
def _point(series: str, n: int) -> Scenario:
    study = load_study(SCENARIOS / "quickstart.yaml")
    return next(
        p.scenario for p in study.points if p.series == series and p.scenario.team.worker_count == n
    )


def ratio(above: list[float], below: list[float]) -> Found:
    """Return the ratio of two means."""
    return over(mean(above), mean(below))


@functools.cache
def batches(n: int) -> Found:
    """Return the seconds of n agents who are dealt 20 tasks of p = 0.9, one reply each.

    Replies of one, five and eight tasks took 8.1, 20.3 and 29 s in the median, which is 5.05 s and
    3.05 s for each task; they were lognormal with sigma 0.6.
    """
    latency = {
        "kind": "seconds",
        "base": 5.05,
        "per_work_unit_s": 3.05,
        "residual": {"kind": "lognormal", "median": 1, "sigma": 0.6},
    }
    found = runs(
        800,
        team={"size": n, "agent": agent(latency=latency, batch=20)},
        coordination__protocol="pre_assigned",
        workload={"kind": "parallel_fraction", "tasks": 20, "parallel_fraction": 0.9},
    )
    return mean(m.makespan_s for m in found)


def speed_up_by_batches(n: int) -> Found:
    """Return the speed-up of agents with the published latency and nothing else."""
    return over(batches(1), batches(n))


def longest_over_mean(sigma: float, n: int) -> Found:
    """Return the longest over the mean reply of a round, lognormal replies."""
    found = rounds_of_equal_work("lognormal", sigma, n, rounds=500, times=5)
    return mean(1 + m.straggler_gap_s * m.tasks / m.work_s for m in found)


def _at(series: str, n: int, p: float) -> Simulation:
    """Return the simulation of a point of the shipped quickstart with another p."""
    point = _point(series, n)
    workload = {**point.workload.model_dump(mode="json"), "parallel_fraction": p}
    return Simulation(
        point.model_copy(update={"workload": type(point.workload).model_validate(workload)})
    )


@functools.cache
def runs_at(series: str, n: int, p: float, times: int = 400) -> list[Metrics]:
    """Run a point of the shipped quickstart with a p many times."""
    simulation = _at(series, n, p)
    return [simulation.run(replication) for replication in range(times)]


MANY = 1600
"""Runs, where 400 do not resolve what is asked."""


def successful_at(series: str, n: int, p: float, times: int = 400) -> list[Metrics]:
    """Return those runs with another p that succeed."""
    return [m for m in runs_at(series, n, p, times) if m.success]


def speed_up_at(series: str, p: float, n: int, times: int = 400) -> Found:
    """Return the mean time of successful runs of one agent over that of n, with another p."""
    return ratio(
        *([m.makespan_s for m in successful_at(series, size, p, times)] for size in (1, n))
    )


def tokens_at(series: str, p: float, n: int, times: int = 400) -> Found:
    """Return the mean tokens of successful runs of n agents over those of one, with another p."""
    team, one = (map(named("tokens"), successful_at(series, size, p, times)) for size in (n, 1))
    return ratio(list(team), list(one))


@functools.cache
def log_speed_ups(p: float) -> np.ndarray[Any, Any]:
    """Return the logarithm of the speed-up of four agents who claim, in each of 1,600 runs.

    Runs of the same number have the same random numbers; those that fail are not a number.
    """
    found = []
    for size in (1, 4):
        simulation = _at(CLAIMED, size, p)
        each = [simulation.run(replication) for replication in range(1600)]
        found.append([math.log(m.makespan_s) if m.success else math.nan for m in each])
    return np.asarray(np.array(found[0]) - np.array(found[1]))


def order_of_speed_ups(more: float, less: float) -> Found:
    """Return by how much the logarithm of the speed-up is more at one p than at another."""
    gains = log_speed_ups(more) - log_speed_ups(less)
    return mean(gains[~np.isnan(gains)])


DEALT, CLAIMED = "tasks dealt out, p = 0.9", "agents claim tasks, p = 0.9"
ALL_P = (0.9, 0.5, 0.2)


def quickstart_speed_up(series: str, n: int, times: int = 400) -> Found:
    """Return the speed-up of the shipped quickstart, as the paper has it."""
    return speed_up_at(series, 0.9, n, times)


def values_at(
    of: Callable[[Metrics], float],
    series: str,
    n: int,
    successful: bool = True,
    times: int = 400,
) -> np.ndarray[Any, Any]:
    """Return a number of each run, shape (p, runs); those that fail are not a number if asked."""
    return np.array(
        [
            [
                of(m) if m.success or not successful else math.nan
                for m in runs_at(series, n, p, times)
            ]
            for p in ALL_P
        ]
    )


def weighted(means: np.ndarray[Any, Any], weights: Any) -> Found:
    """Return a sum of means, of rows of runs with the same random numbers, with its error.

    Runs of the same number have the same random numbers, so that their errors are added by run.
    """
    of_rows = np.nanmean(means, axis=1)
    counts = (~np.isnan(means)).sum(axis=1)
    off = np.nan_to_num(means - of_rows[:, None]) / counts[:, None]
    return Found(float(weights @ of_rows), math.sqrt(((weights @ off) ** 2).sum()))


def over_all_p(of: Callable[[Metrics], float], series: str, n: int) -> Found:
    """Return the mean of a number of successful runs, all p alike, as they were published."""
    return weighted(values_at(of, series, n), np.full(3, 1 / 3))


def claimed_over_dealt(n: int, what: str) -> Found:
    """Return the geometric mean of a metric of successful runs that claim, over dealt ones.

    It is that of the ratios at p = 0.9, 0.5 and 0.2, as runs were published in equal numbers.
    """

    values = np.vstack([values_at(named(what), series, n) for series in (CLAIMED, DEALT)])
    found = weighted(np.log(values), np.array([1, 1, 1, -1, -1, -1]) / 3)
    value = math.exp(found.value)
    return Found(value, value * found.error)


def rounds_at(series: str, p: float, n: int) -> Found:
    """Return the mean rounds of successful runs."""
    return mean(m.rounds for m in successful_at(series, n, p))


def value_of(what: str, m: Metrics) -> float:
    """Return a metric of a run, or its tokens, or those of each of its replies."""
    if what == "tokens":
        return m.input_tokens + m.output_tokens
    if what == "tokens of a reply":
        return (m.input_tokens + m.output_tokens) / m.calls
    return float(getattr(m, what))


def named(what: str) -> Callable[[Metrics], float]:
    """Return how to read a metric."""
    return functools.partial(value_of, what)


def three_times_as_many(what: str, n: int) -> Found:
    """Return the mean of a metric of teams that claim, less three times that of those dealt."""
    claimed, dealt = (over_all_p(named(what), it, n) for it in (CLAIMED, DEALT))
    return Found(claimed.value - 3 * dealt.value, math.hypot(claimed.error, 3 * dealt.error))


def gap_with_one_agent() -> Found:
    """Return the share of the logarithm of the ratio of times at n = 5 that is there at n = 1."""
    one, five = (claimed_over_dealt(n, "makespan_s") for n in (1, 5))
    value = math.log(one.value) / math.log(five.value)
    parts = (
        one.error / one.value / math.log(one.value),
        five.error / five.value / math.log(five.value),
    )
    return Found(value, value * math.hypot(*parts))


def barrier_share(series: str, n: int) -> Found:
    """Return the share of the agents' time that they wait at the barrier."""
    return over_all_p(lambda m: m.waiting_s / (m.agents * m.makespan_s), series, n)


def idle_share(series: str, n: int) -> Found:
    """Return the share of idle calls, in all runs and at all p."""
    idle, calls = (
        values_at(named(what), series, n, False).sum(axis=0) for what in ("idle_calls", "calls")
    )
    return ratio(list(idle), list(calls))


def share_of_runs(outcome: str, series: str, n: int) -> Found:
    """Return the share of runs at all p that succeed, or that are stopped after 60 rounds."""
    found = [m for p in ALL_P for m in runs_at(series, n, p)]
    return share(
        sum(m.success if outcome == "success" else m.outcome == outcome for m in found), len(found)
    )


def exponent(what: str, series: str) -> Found:
    """Return the exponent with which a metric grows with n, within each p, in all runs."""
    x = np.log(np.arange(1, 6))
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    values = [values_at(named(what), series, n, successful=False) for n in range(1, 6)]
    return weighted(np.log(np.vstack(values)), np.repeat(weights, 3) / 3)


def concurrent_writes(n: int) -> Found:
    """Return the writes of several agents to one file in the same round, of teams that claim."""
    return Found(np.nanmax(values_at(named("concurrent_writes"), CLAIMED, n)))


def jump_over_growth() -> Found:
    """Return concurrent writes of two agents less three times what five have more than four."""
    writes = [values_at(named("concurrent_writes"), CLAIMED, n, times=1600) for n in (2, 4, 5)]
    return weighted(np.vstack(writes), np.repeat([1, 3, -3], 3) / 3)


def straggler_gap(series: str) -> Found:
    """Return the median over runs of two to five agents of the longest less the mean call."""
    found = [values_at(named("straggler_gap_s"), series, n) for n in range(2, 6)]
    gaps = np.concatenate(found, axis=None)
    gaps = gaps[~np.isnan(gaps)]
    rng = np.random.default_rng(1)
    medians = np.median(rng.choice(gaps, size=(200, len(gaps))), axis=1)
    return Found(float(np.median(gaps)), float(medians.std()))


@functools.cache
def architectures(series: str, times: int = 200) -> list[Metrics]:
    """Run a point of the shipped scenario of five architectures."""
    study = load_study(SCENARIOS / "architectures.yaml")
    simulation = Simulation(next(p for p in study.points if p.series == series).scenario)
    return [simulation.run(replication) for replication in range(times)]


def turns(series: str) -> Found:
    """Return the calls of an architecture."""
    return mean(m.calls for m in architectures(series))


def overhead(series: str) -> Found:
    """Return the calls of an architecture beyond those of a single agent, as a share of them."""
    found = ratio(*([float(m.calls) for m in architectures(s)] for s in (series, "single agent")))
    return Found(found.value - 1, found.error)


def less_efficient(better: str, worse: str) -> Found:
    """Return how much more quality one architecture has for the same turns than another."""
    alone = turns("single agent").value

    def efficiency(series: str) -> Found:
        found = architectures(series)
        return ratio([m.quality for m in found], [m.calls / alone for m in found])

    return less(efficiency(better), efficiency(worse))


def over_the_single(what: str, series: str) -> Found:
    """Return the quality of an architecture over a single agent's, or that for a turn."""

    def of(series: str) -> Found:
        found = architectures(series)
        quality = [m.quality for m in found]
        return ratio(quality, [float(m.calls) for m in found]) if what == "turn" else mean(quality)

    return over(of(series), of("single agent"))


def fewer_errors(worse: str, better: str, times: int = 200) -> Found:
    """Return how much larger the share of wrong tasks of one architecture is than of another."""
    return less(*(mean(1 - m.quality for m in architectures(it, times)) for it in (worse, better)))


FITTED = (
    "The agents were fitted to runs of one to three agents in two of the paper's three suites of "
    "tasks, of one model."
)
POOLED = (
    "Two suites of tasks were fitted together, of which one takes three times as long: one "
    "simulated agent takes 58 s in the mean at any p, and the real one took 42 s at p = 0.9."
)
CLAUDE = {2: 1.80, 3: 2.42, 4: 2.78, 5: 3.35}
QUICK = "runs published with arXiv 2603.12229"
QUICKSTARTS = f"{QUICK}; shipped scenario quickstart, p = 0.9, 0.5 and 0.2"


def _cases(values: dict[int, float], *args: Any) -> list[Case]:
    return [Case(f"n = {n}", value, (*args, n), slow=True) for n, value in values.items()]


# Of three models, n = 2..5: speed-up within the way of working, and tokens over one agent's.
SPEED_UPS = {
    ("dealt", 0.5): (1.12, 1.17, 1.42, 1.18),
    ("dealt", 0.2): (0.94, 0.66, 0.69, 0.95),
    ("claimed", 0.5): (0.92, 0.90, 0.84, 0.80),
    ("claimed", 0.2): (0.81, 0.81, 0.66, 0.65),
}
TOKENS = {
    ("claimed", 0.5): (1.66, 2.13, 3.17, 3.08),
    ("claimed", 0.2): (1.63, 2.21, 3.56, 4.84),
    ("dealt", 0.2): (2.51, 8.32, 5.78, 5.39),
}
ROUNDS = {
    ("dealt", 0.9): (9.0, 5.9, 3.6, 3.9, 4.3),
    ("dealt", 0.5): (5.4, 4.0, 3.7, 2.4, 3.1),
    ("dealt", 0.2): (4.9, 3.4, 7.1, 5.0, 5.8),
    ("claimed", 0.9): (15.0, 11.6, 10.4, 10.6, 11.1),
    ("claimed", 0.5): (20.3, 17.5, 13.3, 14.5, 13.3),
    ("claimed", 0.2): (26.2, 19.2, 16.7, 18.5, 19.3),
}
"""Of teams of one to five."""
NEAR_ROUNDS = [
    ("claimed", 0.5, 1),
    *(("claimed", 0.2, n) for n in (1, 2, 3, 4)),
]
NEAR_SPEED_UPS = [
    *(("dealt", 0.5, n) for n in (2, 3, 4)),
    ("dealt", 0.2, 2),
    *(("claimed", 0.5, n) for n in (2, 3, 4, 5)),
    *(("claimed", 0.2, n) for n in (2, 3)),
]
NEAR_TOKENS = [("claimed", 0.5, 2), ("claimed", 0.2, 2)]


def _other_p(
    values: dict[tuple[str, float], tuple[float, ...]],
    near: list[tuple[str, float, int]],
    is_near: bool,
    smallest: int = 2,
) -> list[Case]:
    return [
        Case(
            f"{how}, p = {p}, n = {n}",
            asked,
            (DEALT if how == "dealt" else CLAIMED, p, n),
            slow=True,
        )
        for (how, p), of_teams in values.items()
        for n, asked in enumerate(of_teams, smallest)
        if ((how, p, n) in near) == is_near
    ]


ROWS = [
    Row(
        key="architectures",
        name="Calls of five architectures",
        law="Single k; independent n k + 1; decentralised d n k; centralised r (n k + 1) with a "
        "reviewing orchestrator, one less if nobody waits for it after the last round.",
        source=f"{SCALING}, table 2",
        measure=architecture,
        cases=[
            Case("independent, k = 4", 3 * 4 + 1, ("independent", 1, 4)),
            Case("decentralised, d = 3, k = 3", 27, ("decentralised", 3)),
            *(
                Case(f"centralised, r = {r}, k = 3", r * 9 + r - 1, ("centralised", r))
                for r in (1, 2, 3)
            ),
            Case("hybrid, r = 3, k = 3", 3 * 9 + 2, ({"kind": "hybrid", "peers": 2}, 3)),
        ],
    ),
    Row(
        key="turns",
        name="Turns of five architectures",
        law="7.2, 11.4, 26.1, 27.7 and 44.3.",
        source=f"{SCALING}, table 5; shipped scenario architectures",
        measure=turns,
        cases=[
            Case(series, asked, (series,), slow=True)
            for series, asked in (
                ("single agent", 7.2),
                ("independent", 11.4),
                ("decentralised", 26.1),
                ("hybrid", 44.3),
            )
        ],
        tolerance=Tolerance(share=0.15),
        note="The parameters are the paper's; error rates are assumed.",
    ),
    Row(
        key="turns-centralised",
        name="Turns of the centralised architecture",
        law="27.7.",
        source=f"{SCALING}, table 5; shipped scenario architectures",
        measure=turns,
        cases=[Case("", 27.7, ("centralised",), slow=True)],
        tolerance=Tolerance(share=0.15),
        not_reached="Three rounds of three agents with three calls, and the orchestrator's, are 30 "
        "already, and tasks that it rejects are done again; by its formula the published number is "
        "2.8 rounds.",
    ),
    Row(
        key="overhead",
        name="Overhead of two architectures",
        law="Turns beyond those of a single agent, as a share of them: 2.63 decentralised, 5.15 "
        "hybrid.",
        source=f"{SCALING}, table 5; shipped scenario architectures",
        measure=overhead,
        cases=[
            Case(series, asked, (series,), slow=True)
            for series, asked in (("decentralised", 2.63), ("hybrid", 5.15))
        ],
        tolerance=Tolerance(share=0.15),
        note="The parameters are the paper's; error rates are assumed.",
    ),
    Row(
        key="overhead-others",
        name="Overhead of the two others",
        law="0.58 independent, 2.85 centralised.",
        source=f"{SCALING}, table 5; shipped scenario architectures",
        measure=overhead,
        cases=[
            Case(series, asked, (series,), slow=True)
            for series, asked in (("independent", 0.58), ("centralised", 2.85))
        ],
        tolerance=Tolerance(share=0.15),
        not_reached="Turns themselves are within 4 % for the single agent and the independent "
        "team; their difference, which is small, is not. Of the centralised team see its turns "
        "above.",
    ),
    Row(
        key="efficiency-order",
        name="Quality for the turns spent",
        law="Success over turns relative to the single agent's: 0.466, 0.234, 0.132, 0.120 and "
        "0.074 in the order single, independent, decentralised, centralised, hybrid; differences.",
        source=f"{SCALING}, table 5; shipped scenario architectures, error rates assumed",
        measure=less_efficient,
        cases=[
            Case(f"{a} less {b}", 0, (a, b), slow=True)
            for a, b in itertools.pairwise(
                ("single agent", "independent", "decentralised", "hybrid")
            )
        ],
        tolerance=Above(),
        note="Decentralised and centralised teams, 0.012 apart as published, differ by less than "
        "these 200 runs resolve.",
    ),
    Row(
        key="efficiency",
        name="Quality for the turns spent, over the single agent's",
        law="0.502, 0.283, 0.258 and 0.159, from the published successes and turns.",
        source=f"{SCALING}, table 5; shipped scenario architectures, error rates assumed",
        measure=functools.partial(over_the_single, "turn"),
        cases=[
            Case(series, asked, (series,), slow=True)
            for series, asked in (
                ("independent", 0.502),
                ("decentralised", 0.283),
                ("centralised", 0.258),
                ("hybrid", 0.159),
            )
        ],
        tolerance=Tolerance(share=0.15),
    ),
    Row(
        key="success-of-architectures",
        name="Success of two architectures over a single agent's",
        law="0.370 and 0.477 over 0.466.",
        source=f"{SCALING}, table 5; shipped scenario architectures, error rates assumed",
        measure=functools.partial(over_the_single, "run"),
        cases=[
            Case(series, asked / 0.466, (series,), slow=True)
            for series, asked in (("independent", 0.370), ("decentralised", 0.477))
        ],
        tolerance=Tolerance(share=0.15),
    ),
    Row(
        key="success-with-an-orchestrator",
        name="Success of architectures with an orchestrator over a single agent's",
        law="0.463 and 0.452 over 0.466.",
        source=f"{SCALING}, table 5; shipped scenario architectures, error rates assumed",
        measure=functools.partial(over_the_single, "run"),
        cases=[
            Case(series, asked / 0.466, (series,), slow=True)
            for series, asked in (("centralised", 0.463), ("hybrid", 0.452))
        ],
        tolerance=Tolerance(share=0.15),
        not_reached="The scenario's orchestrator finds most faults and has them done again, which "
        "makes more of the work right. Published teams with one were no better than one agent.",
    ),
    Row(
        key="error-order",
        name="Architectures in the order of their errors",
        law="Independent, decentralised, hybrid, centralised: difference of the shares of wrong "
        "tasks. Only the order: the published factors do not follow from the published successes.",
        source=f"{SCALING}, table 5; shipped scenario architectures, error rates assumed",
        measure=fewer_errors,
        cases=[
            Case(f"{a} less {b}", 0, (a, b), slow=True)
            for a, b in itertools.pairwise(("independent", "decentralised", "hybrid"))
        ],
        tolerance=Above(),
        note="Which faults are failures of coordination, of which the published hybrid teams have "
        "most, is not modelled.",
    ),
    Row(
        key="error-order-orchestrated",
        name="Hybrid teams err more than centralised ones",
        law="The same, of the last two.",
        source=f"{SCALING}, table 5; shipped scenario architectures, error rates assumed",
        measure=fewer_errors,
        cases=[
            Case("hybrid less centralised", 0, ("hybrid", "centralised", 16_000), thorough=True)
        ],
        tolerance=Above(),
        not_reached="The orchestrator of the scenario's hybrid team misses more, and its peers "
        "correct each other: at the assumed rates that comes out alike.",
    ),
    Row(
        key="speed-up-dealt",
        name="Speed-up of two to four agents who are dealt their tasks",
        law="Claude Sonnet 4.6, p = 0.9: 1.80, 2.42 and 2.78, means over three suites of tasks.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=functools.partial(quickstart_speed_up, times=MANY),
        cases=_cases({n: CLAUDE[n] for n in (2, 3, 4)}, DEALT),
        tolerance=Tolerance(share=0.15),
        note="The quickstart is not quite that cell: its agents were fitted to two of the three "
        "suites, in which teams of two and three are 1.30 and 1.62 times as fast as one agent. "
        "They are faster here, because one agent is slower. " + POOLED,
    ),
    Row(
        key="speed-up-five",
        name="Speed-up of five agents who are dealt their tasks",
        law="The same: 3.35.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=functools.partial(quickstart_speed_up, times=MANY),
        cases=_cases({5: CLAUDE[5]}, DEALT),
        tolerance=Tolerance(share=0.15),
        not_reached="The quickstart is not that cell, see above. For means of 1.80 and 2.42 of two "
        "and three agents the third suite must have reached 2.8 and 4.0, more than it had agents.",
        thorough=True,
    ),
    Row(
        key="batch-latency",
        name="Speed-up by the published latency alone",
        law="1.80, 2.42, 2.78 and 3.35 for n = 2..5, agents who are dealt their tasks and do "
        "them in one reply each, with a barrier.",
        source=f"{QUICK}, Claude Sonnet 4.6, p = 0.9",
        measure=speed_up_by_batches,
        cases=[Case(f"n = {n}", value, (n,), slow=n > 2) for n, value in CLAUDE.items()],
        tolerance=Tolerance(share=0.15),
        not_reached="Replies with a spread of 0.6 make the longest of five 1.8 times the mean, and "
        "5 s of each reply do not divide. The published speed-ups are those of the largest share "
        "without either; replies of a team may have been more alike than those of all runs.",
    ),
    Row(
        key="longest-reply",
        name="The longest reply of a round",
        law="Over the mean reply, n = 2..5: 1.36, 1.63, 1.86 and 1.88 dealt, 1.24, 1.40, 1.52 and "
        "1.64 claimed. The spreads of replies within rounds are put in, 0.72 and 0.53 on the log "
        "scale, means of three models.",
        source=QUICK,
        measure=longest_over_mean,
        cases=[
            Case(f"{how}, n = {n}", value, (sigma, n))
            for how, sigma, values in (
                ("dealt", 0.72, (1.36, 1.63, 1.86, 1.88)),
                ("claimed", 0.53, (1.24, 1.40, 1.52, 1.64)),
            )
            for n, value in enumerate(values, 2)
        ],
        tolerance=Tolerance(share=0.1),
        thorough=True,
    ),
    Row(
        key="claimed-over-dealt",
        name="Claimed work takes longer",
        law="Time of teams that claim over that of teams that are dealt their tasks: 2.43, 2.54, "
        "2.78, 3.83 and 3.48 for n = 1..5; geometric means over three models and all p.",
        source=QUICKSTARTS,
        measure=lambda n: claimed_over_dealt(n, "makespan_s"),
        cases=_cases({1: 2.43, 2: 2.54, 3: 2.78, 4: 3.83, 5: 3.48}),
        tolerance=Tolerance(share=0.25),
        not_reached="The model whose runs were fitted loses more by claiming than the mean of "
        "three: its own ratios are 2.79, 3.09 and 3.47 for n = 1, 2 and 3, of which the standard "
        "error is 18 %. The fits are 18, 42 and 49 % above those: with one agent they lose less "
        "than it did at p = 0.9 (1.72 against 2.02) and more where most tasks wait for others "
        "(5.69 against 4.04 at p = 0.2), and simulated teams do more of the work twice. " + FITTED,
        thorough=True,
    ),
    Row(
        key="claimed-tokens",
        name="Claimed work of four and five agents takes more tokens",
        law="Tokens of teams that claim over those of teams that are dealt their tasks: 10.1 for "
        "both; geometric mean over three models and all p.",
        source=QUICKSTARTS,
        measure=lambda n: claimed_over_dealt(n, "tokens"),
        cases=_cases({4: 10.1, 5: 10.1}),
        tolerance=Tolerance(share=0.25),
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="claimed-tokens-others",
        name="Claimed work takes more tokens: one to three agents",
        law="The same: 7.0, 6.7 and 7.6.",
        source=QUICKSTARTS,
        measure=lambda n: claimed_over_dealt(n, "tokens"),
        cases=_cases({1: 7.0, 2: 6.7, 3: 7.6}),
        tolerance=Tolerance(share=0.25),
        not_reached="The model whose runs were fitted takes more by claiming than the mean of "
        "three: its own ratios are 12.7 and 8.6 for one and two agents, with standard errors of 36 "
        "to 62 %. " + FITTED,
        thorough=True,
    ),
    Row(
        key="gap-of-one",
        name="The loss is there with one agent",
        law="Some 70 % of the logarithm of the ratio of times at n = 5 is there at n = 1: agents "
        "who claim do fewer tasks with each reply.",
        source=QUICKSTARTS,
        measure=gap_with_one_agent,
        cases=[Case("", 0.7, slow=True)],
        tolerance=Tolerance(absolute=0.1),
        note="Both ratios are larger than the published ones, see above. " + FITTED,
        thorough=True,
    ),
    Row(
        key="claimed-speed-up",
        name="Speed-up of agents who claim",
        law="Below 1 from three on: 0.88 and 0.89 for n = 3 and 4; three models, p = 0.9.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=quickstart_speed_up,
        cases=_cases({3: 0.88, 4: 0.89}, CLAIMED),
        tolerance=Tolerance(share=0.15),
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="claimed-speed-up-five",
        name="Speed-up of five agents who claim",
        law="The same: 0.92.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=quickstart_speed_up,
        cases=_cases({5: 0.92}, CLAIMED),
        tolerance=Tolerance(share=0.15),
        not_reached="A fifth agent gains a little there, and costs here as much as a "
        "fourth. " + FITTED,
        thorough=True,
    ),
    Row(
        key="speed-up-other-p",
        name="Speed-up at p = 0.5 and p = 0.2",
        law="Dealt 1.12, 1.17, 1.42 and 1.18 at p = 0.5 and 0.94, 0.66, 0.69 and 0.95 at 0.2, "
        "claimed 0.92, 0.90, 0.84 and 0.80, and 0.81, 0.81, 0.66 and 0.65, for n = 2..5, three "
        "models; those that are near.",
        source=f"{QUICK}; shipped scenario quickstart with other p",
        measure=speed_up_at,
        cases=_other_p(SPEED_UPS, NEAR_SPEED_UPS, True),
        tolerance=Tolerance(share=0.25),
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="speed-up-other-p-far",
        name="Speed-up of larger teams at p = 0.5 and p = 0.2",
        law="The others.",
        source=f"{QUICK}; shipped scenario quickstart with other p",
        measure=speed_up_at,
        cases=_other_p(SPEED_UPS, NEAR_SPEED_UPS, False),
        tolerance=Tolerance(share=0.25),
        not_reached="Published teams lose time where there is little to divide, the more the "
        "larger they are (claimed) or in some sizes (dealt); simulated ones hardly do. " + FITTED,
        thorough=True,
    ),
    Row(
        key="tokens-other-p",
        name="Tokens of claimed work at p = 0.5 and p = 0.2",
        law="Over those of one agent: 1.66, 2.13, 3.17 and 3.08 at p = 0.5, 1.63, 2.21, 3.56 and "
        "4.84 at 0.2, for n = 2..5, three models; those that are near.",
        source=f"{QUICK}; shipped scenario quickstart with other p",
        measure=tokens_at,
        cases=_other_p(TOKENS, NEAR_TOKENS, True),
        tolerance=Tolerance(share=0.25),
        note=FITTED + " Dealt work at p = 0.5 takes 1.45, 2.06, 1.41 and 1.73 times the tokens in "
        "3,000 runs (1.48, 1.95, 1.99 and 2.30 published), which these 400 do not resolve.",
        thorough=True,
    ),
    Row(
        key="tokens-other-p-far",
        name="Tokens of larger teams at p = 0.5, and of dealt work at p = 0.2",
        law="The others; dealt 2.51, 8.32, 5.78 and 5.39 at p = 0.2.",
        source=f"{QUICK}; shipped scenario quickstart with other p",
        measure=tokens_at,
        cases=_other_p(TOKENS, NEAR_TOKENS, False),
        tolerance=Tolerance(share=0.25),
        not_reached="Tokens of larger teams grow more slowly here, as at p = 0.9, and published "
        "means of dealt work are carried by a few long runs. " + FITTED,
        thorough=True,
    ),
    Row(
        key="rounds",
        name="Rounds of claimed work at p = 0.5 and p = 0.2",
        law="20.3, 17.5, 13.3, 14.5 and 13.3 rounds at p = 0.5, 26.2, 19.2, 16.7, 18.5 and 19.3 at "
        "0.2, for n = 1..5, three models; those that are near.",
        source=f"{QUICK}; shipped scenario quickstart with other p",
        measure=rounds_at,
        cases=_other_p(ROUNDS, NEAR_ROUNDS, True, smallest=1),
        tolerance=Tolerance(share=0.25),
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="rounds-far",
        name="Rounds of larger teams, of work with little to wait for, and of dealt work",
        law="The others; claimed 15.0, 11.6, 10.4, 10.6 and 11.1 at p = 0.9; dealt 9.0, 5.9, 3.6, "
        "3.9 and 4.3 at p = 0.9, 5.4, 4.0, 3.7, 2.4 and 3.1 at 0.5, 4.9, 3.4, 7.1, 5.0 and 5.8 at "
        "0.2.",
        source=f"{QUICK}; shipped scenario quickstart with other p",
        measure=rounds_at,
        cases=_other_p(ROUNDS, NEAR_ROUNDS, False, smallest=1),
        tolerance=Tolerance(share=0.25),
        not_reached="The agents are those of the model that does the most tasks with each reply: "
        "alone it took 1.6 rounds for what it was dealt at p = 0.9 and 5.7 for what it claimed, "
        "where the two others took 1.7 and 4.8, and 13.6 and 12.6. That is not all: for the "
        "published 9.0, 5.9 and 3.6 rounds of one, two and three agents who were dealt tasks of "
        "p = 0.9, the third suite must have taken 22, 11 and 8, since the three models took 2.7, "
        "3.5 and 1.4 in the other two. " + FITTED,
        thorough=True,
    ),
    Row(
        key="claimed-order",
        name="More parallel work gains more",
        law="Speed-up of four agents who claim: 0.89 at p = 0.9, 0.84 at 0.5, 0.66 at 0.2; "
        "differences of logarithms.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=order_of_speed_ups,
        cases=[
            Case(f"p = {p} less p = {less}", 0, (p, less), thorough=True)
            for p, less in ((0.9, 0.5), (0.9, 0.2), (0.5, 0.2))
        ],
        tolerance=Above(),
        not_reached="Teams that claim gain the less here the more can be done in parallel, as "
        "they do the more of it twice: four agents make 49 duplicate attempts at p = 0.9, 33 at "
        "0.5 and 28 at 0.2. " + FITTED,
        thorough=True,
    ),
    Row(
        key="claimed-barrier",
        name="Time at the barrier, claimed",
        law="Share of the agents' time; three models and all p.",
        source=QUICKSTARTS,
        measure=barrier_share,
        cases=_cases({2: 0.22, 3: 0.30, 4: 0.36, 5: 0.41}, CLAIMED),
        tolerance=Tolerance(absolute=0.07),
        thorough=True,
    ),
    Row(
        key="dealt-barrier",
        name="Time at the barrier, dealt",
        law="Share of the agents' time; three models and all p.",
        source=QUICKSTARTS,
        measure=barrier_share,
        cases=_cases({2: 0.27, 3: 0.40, 4: 0.46, 5: 0.48}, DEALT),
        tolerance=Tolerance(absolute=0.07),
    ),
    Row(
        key="idle-replies",
        name="Idle replies of agents who claim",
        law="Share of replies that claim, edit, complete and test nothing; three models, all p.",
        source=QUICKSTARTS,
        measure=idle_share,
        cases=_cases({2: 0.33, 3: 0.46, 4: 0.50, 5: 0.54}, CLAIMED),
        tolerance=Tolerance(absolute=0.07),
        not_reached="The simulator counts a call that takes no task; a call whose task turns out "
        "to be another's is a duplicate there. " + FITTED,
        thorough=True,
    ),
    Row(
        key="idle-replies-alone",
        name="Idle replies of one agent who claims",
        law="The same, n = 1.",
        source=QUICKSTARTS,
        measure=idle_share,
        cases=_cases({1: 0.05}, CLAIMED),
        tolerance=Tolerance(absolute=0.07),
        thorough=True,
    ),
    Row(
        key="no-concurrent-writes",
        name="Concurrent writes of one agent",
        law="None.",
        source=QUICKSTARTS,
        measure=concurrent_writes,
        cases=_cases({1: 0}),
        thorough=True,
    ),
    Row(
        key="concurrent-writes",
        name="Concurrent writes jump and then level off",
        law="25.0, 35.1, 36.0, 34.2 for n = 2..5: those of two less three times what the fifth "
        "adds.",
        source=QUICKSTARTS,
        measure=jump_over_growth,
        cases=[Case("", 0, thorough=True)],
        tolerance=Above(),
        thorough=True,
    ),
    Row(
        key="failed-tests",
        name="Failed tests of claimed work",
        law="Median of 19 against 4 for dealt work: three times as many at least; the mean less "
        "three times the other.",
        source=QUICKSTARTS,
        measure=lambda n: three_times_as_many("failed_tests", n),
        cases=_cases({3: 0}),
        tolerance=Above(),
        thorough=True,
    ),
    Row(
        key="success-dealt",
        name="Dealt work succeeds",
        law="0.96, 0.95, 0.98, 0.95 and 0.98 for n = 1..5; three models and all p.",
        source=QUICKSTARTS,
        measure=functools.partial(share_of_runs, "success"),
        cases=_cases(dict(enumerate((0.96, 0.95, 0.98, 0.95, 0.98), 1)), DEALT),
        tolerance=Tolerance(absolute=0.07),
    ),
    Row(
        key="success-claimed",
        name="Claimed work succeeds less often in larger teams",
        law="0.90, 0.82, 0.73, 0.74 and 0.68 for n = 1..5; three models and all p.",
        source=QUICKSTARTS,
        measure=functools.partial(share_of_runs, "success"),
        cases=_cases(dict(enumerate((0.90, 0.82, 0.73, 0.74, 0.68), 1)), CLAIMED),
        tolerance=Tolerance(absolute=0.07),
        not_reached="Fitted agents finish what they claim within 60 rounds, almost always. 15 to "
        "27 % of the published runs did not, and what they got stuck in is not in the fits.",
        thorough=True,
    ),
    Row(
        key="time-exponent",
        name="Time and rounds by the size of the team",
        law="Exponents in n within a condition, all p: time 0.29 claimed and -0.06 dealt, rounds "
        "0.03 and -0.06.",
        source=QUICKSTARTS,
        measure=exponent,
        cases=[
            Case(f"{name}, {how}", asked, (what, series), thorough=True)
            for name, what, both in (
                ("time", "makespan_s", (0.29, -0.06)),
                ("rounds", "rounds", (0.03, -0.06)),
            )
            for how, series, asked in zip(("claimed", "dealt"), (CLAIMED, DEALT), both, strict=True)
        ],
        tolerance=Tolerance(absolute=0.1),
        not_reached="More agents save time and rounds here at every p. Of the published runs those "
        "that failed, which are long, are many in larger teams that claim. " + FITTED,
        thorough=True,
    ),
    Row(
        key="reply-exponent",
        name="Replies grow in proportion to the team",
        law="Exponent of replies in n: 1.03 claimed, 0.94 dealt.",
        source=QUICKSTARTS,
        measure=exponent,
        cases=[
            Case("claimed", 1.03, ("calls", CLAIMED), slow=True),
            Case("dealt", 0.94, ("calls", DEALT), slow=True),
        ],
        tolerance=Tolerance(absolute=0.15),
        not_reached="Each simulated agent makes fewer calls in a larger team. " + FITTED,
        thorough=True,
    ),
    Row(
        key="token-exponent",
        name="Tokens grow in proportion to the team: claimed",
        law="Exponent of tokens in n: 0.96.",
        source=QUICKSTARTS,
        measure=exponent,
        cases=[Case("claimed", 0.96, ("tokens", CLAIMED), slow=True)],
        tolerance=Tolerance(absolute=0.1),
        not_reached="Tokens of one simulated agent who claims are more than a real one's beside "
        "those of five. " + FITTED,
        thorough=True,
    ),
    Row(
        key="token-exponent-dealt",
        name="Tokens of dealt work grow more slowly than the team",
        law="The same: 0.61.",
        source=QUICKSTARTS,
        measure=exponent,
        cases=[Case("dealt", 0.61, ("tokens", DEALT), slow=True)],
        tolerance=Tolerance(absolute=0.1),
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="published-gap",
        name="The straggler gap of real teams",
        law="Median longest less mean reply of a round: 1.42 s dealt, 2.64 s claimed; three "
        "models.",
        source=QUICKSTARTS,
        measure=straggler_gap,
        cases=[Case("dealt", 1.42, (DEALT,), True), Case("claimed", 2.64, (CLAIMED,), True)],
        tolerance=Tolerance(share=0.1),
        not_reached="Where tasks are dealt, median replies of this model take 11.9 s, those of the "
        "other two in the published median 4.1 and 3.0 s. Why the claimed one is longer as well is "
        "not known.",
        thorough=True,
    ),
]
