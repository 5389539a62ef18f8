"""Waits for the slowest, and what redundancy, hedges and leases do about it."""

from __future__ import annotations

import functools
import math
import zlib
from typing import Any

import numpy as np
from scipy import integrate, optimize, stats

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Trace
from tests.conftest import agent, exponential, run, runs, scenario
from tests.validation.laws import harmonic, longest_of, longest_share
from tests.validation.queues import EASED, WARM_UP, Served, eased
from tests.validation.rows import (
    CHANCE,
    ONE_PERCENT,
    THREE_PERCENT,
    Above,
    Below,
    Between,
    Case,
    Found,
    Row,
    Tolerance,
    controlled,
    less,
    mean,
    quantile,
    share,
)

ASYNC: dict[str, Any] = {"coordination__timing": "asynchronous"}
DEALT: dict[str, Any] = {"coordination__protocol": "pre_assigned"}


def seconds(law: str, spread: float) -> tuple[dict[str, Any], Any]:
    """Return a distribution of seconds as a scenario has it, and as scipy does."""
    if law == "exponential":
        return {"kind": "exponential", "mean": 1}, stats.expon()
    if law == "lognormal":
        return {"kind": "lognormal", "median": 1, "sigma": spread}, stats.lognorm(spread)
    return {"kind": "pareto", "shape": spread, "minimum": 1}, stats.pareto(spread)


def seed_of(*case: object) -> int:
    """Return a seed for a case alone, so that what chance does to one says nothing of others."""
    return zlib.crc32(repr(case).encode())


@functools.cache
def rounds_of_equal_work(law: str, spread: float, n: int, rounds: int, times: int) -> list[Metrics]:
    """Run rounds in which each of n agents does one task."""
    base, _ = seconds(law, spread)
    return runs(
        times,
        team__size=n,
        team__agent__latency={"kind": "seconds", "base": base},
        **DEALT,
        workload__tasks=n * rounds,
        seed=seed_of(law, spread, n),
    )


TIMES = 20


def rounds_for(spread: float) -> int:
    """Return how many rounds are run; more where the longest calls carry the mean."""
    return 1000 if spread > 1 else 700 if spread >= 0.9 else 550


def longest(law: str, spread: float, n: int, rounds: int | None = None) -> Found:
    """Return the length of a round over the mean of one call.

    The mean of all calls, which is known, is the control.
    """
    _, exact = seconds(law, spread)
    found = rounds_of_equal_work(law, spread, n, rounds or rounds_for(spread), TIMES)
    lengths = [m.makespan_s / m.rounds / exact.mean() for m in found]
    calls = [[m.work_s / m.tasks / exact.mean()] for m in found]
    return controlled(lengths, calls, [1.0])


def barrier_share(law: str, spread: float, n: int) -> Found:
    """Return the share of the agents' time that they spend at the barrier."""
    found = rounds_of_equal_work(law, spread, n, rounds_for(spread), TIMES)
    return mean(m.waiting_s / (n * m.makespan_s) for m in found)


def straggler_gap(law: str, spread: float, n: int) -> Found:
    """Return the longest less the mean call of a round, over the mean of one call."""
    _, exact = seconds(law, spread)
    found = rounds_of_equal_work(law, spread, n, rounds_for(spread), TIMES)
    return mean(m.straggler_gap_s / exact.mean() for m in found)


@functools.cache
def heavy_tailed_rounds(shape: float, n: int) -> list[float]:
    """Return the lengths of 10,000 rounds of n Pareto calls."""
    rounds, trace = 10_000, Trace()
    Simulation(
        scenario(
            team__size=n,
            team__agent__latency={
                "kind": "seconds",
                "base": {"kind": "pareto", "shape": shape, "minimum": 1},
            },
            **DEALT,
            workload__tasks=n * rounds,
            seed=seed_of(shape, n),
        )
    ).run(0, trace)
    return [row.duration_s or 0.0 for row in trace.rows if row.event is Event.ROUND_END]


def rounds_longer_than(shape: float, n: int, quantile: float) -> Found:
    """Return the share of rounds above a quantile of the longest of n Pareto calls."""
    limit = stats.pareto(shape).ppf(quantile ** (1 / n))
    lengths = heavy_tailed_rounds(shape, n)
    return share(sum(length > limit for length in lengths), len(lengths))


def first_of(needed: int, n: int) -> Found:
    """Return the seconds until so many of n exponential answers are there.

    Tasks come so seldom that all agents are idle. The mean of all answers is the control.
    """
    tasks, found, answers = 1000, [], []
    simulation = Simulation(
        scenario(
            team={"size": n, "agent": agent(latency=exponential())},
            workload={
                "kind": "dag",
                "tasks": [{"id": str(i), "arrival_s": 100.0 * i} for i in range(tasks)],
            },
            coordination={
                "protocol": {"kind": "replicate_and_vote", "replicas": n, "quorum": needed},
                "timing": "asynchronous",
            },
        )
    )
    for replication in range(8):
        trace = Trace()
        simulation.run(replication, trace)
        rows = [row for row in trace.rows if row.event is Event.ATTEMPT]
        decided = [row.time_s % 100 for row in rows if row.outcome == "done"]
        found.append(np.mean(decided[:-1]))  # the run ends with the last one
        answers.append([np.mean([row.duration_s for row in rows if row.task != tasks - 1])])
    return controlled(found, answers, [1.0])


@functools.cache
def beyond(spread: float) -> list[tuple[float, float]]:
    """Return quantiles of a lognormal law of median 1, and by how much a draw is longer on average.

    The first is 0: by how much is the mean.
    """
    law = stats.lognorm(spread)
    limits = [0.0, *(float(law.ppf(q)) for q in (0.8, 0.95, 0.99))]
    return [(it, float(integrate.quad(law.sf, it, np.inf, limit=500)[0])) for it in limits]


def lognormal_spans(spread: float, dealt: bool, times: int) -> Found:
    """Return the seconds of 20 lognormal tasks of mean 1 for five agents, claimed or dealt.

    By how much calls are longer than some of their quantiles is known, and the controls.
    """
    base, exact = seconds("lognormal", spread)
    simulation = Simulation(
        scenario(
            team__size=5,
            team__agent__latency={"kind": "seconds", "base": base},
            **ASYNC,
            **(DEALT if dealt else {}),
            workload__tasks=20,
            seed=3,
        )
    )
    limits, expected = zip(*beyond(spread), strict=True)
    lasted, controls = [], []
    for replication in range(times):
        trace = Trace()
        lasted.append(simulation.run(replication, trace).makespan_s)
        calls = np.array([row.duration_s for row in trace.rows if row.event is Event.CALL_END])
        controls.append([float(np.maximum(calls - limit, 0.0).mean()) for limit in limits])
    each, mean_s = controlled(lasted, controls, expected), float(exact.mean())
    return Found(each.value / mean_s, each.error / mean_s)


@functools.cache
def spans(law: str, spread: float, tasks: int, n: int, dealt: bool, times: int) -> Found:
    """Return the seconds of tasks that are claimed or dealt, without overhead.

    The mean of all calls is the control.
    """
    base, exact = seconds(law, spread)
    found = runs(
        times,
        team__size=n,
        team__agent__latency={"kind": "seconds", "base": base},
        **ASYNC,
        **(DEALT if dealt else {}),
        workload__tasks=tasks,
        seed=3,
    )
    calls = [[m.work_s / m.tasks] for m in found]
    each = controlled([m.makespan_s for m in found], calls, [exact.mean()])
    return Found(each.value / float(exact.mean()), each.error / float(exact.mean()))


def slow_worker(factor: float, dealt: bool, exponentially: bool) -> Found:
    """Return the seconds of 20 tasks of which one of five workers needs `factor` times as long."""
    found = runs(
        (600 if factor == 2 else 1200) if exponentially else 1,
        team={"size": 5, "agent": agent(**({"latency": exponential()} if exponentially else {}))},
        **ASYNC,
        **(DEALT if dealt else {}),
        faults=[{"at_s": 0, "kind": "slow", "agent": 0, "factor": factor}],
    )
    return mean(m.makespan_s for m in found) if exponentially else Found(found[0].makespan_s)


STALL: list[dict[str, Any]] = [{"at_s": 0, "kind": "stall", "agent": 0}]
KILL: list[dict[str, Any]] = [{"at_s": 0, "kind": "kill", "agent": 0}]


def lost_worker(**fields: Any) -> Metrics:
    """Run 20 unit tasks of five workers of which one is lost."""
    return run(team__size=5, **ASYNC, **fields)


def claims_after_a_loss(faults: list[dict[str, Any]], lease_s: float | None) -> Found:
    """Return the seconds with a lease of so many."""
    protocol = {"kind": "self_claim", "claims": "immediate", "choice": "first", "lease_s": lease_s}
    m = lost_worker(faults=faults, coordination__protocol=protocol)
    assert m.outcome == "completed"
    return Found(m.makespan_s)


def done_without_a_lease() -> Found:
    """Return how many of 20 tasks are ever done if the first agent holds one for ever."""
    m = lost_worker(faults=STALL)
    assert m.outcome == "deadlock"
    return Found(m.tasks_done)


def deals_after_a_loss(faults: list[dict[str, Any]], detector: dict[str, float]) -> Found:
    """Return the seconds if lost agents are found and their tasks dealt to others."""
    m = lost_worker(faults=faults, **DEALT, resilience={"detector": detector})
    assert (m.outcome, m.reassigned) == ("completed", 4)
    return Found(m.makespan_s)


# A service of 10 ms, once in a hundred times a hundred times longer.
BIMODAL = agent(
    latency={"kind": "seconds", "base": {"kind": "lognormal", "median": 10, "sigma": 0.3}},
    faults={"slow": {"probability": 0.01, "factor": 100}},
)


def _tail(t: float) -> float:
    base = stats.lognorm(0.3, scale=10)
    return float(0.99 * base.sf(t) + 0.01 * base.sf(t / 100))


P95 = float(optimize.brentq(lambda t: _tail(t) - 0.05, 1, 100))
FAN_OUTS = 500


def _hedged_tail(t: float) -> float:
    return _tail(t) * (_tail(t - P95) if t > P95 else 1.0)


@functools.cache
def fan_outs(
    hedged: bool, rounds: int = FAN_OUTS
) -> tuple[np.ndarray[Any, Any], int, np.ndarray[Any, Any]]:
    """Run rounds of 100 calls.

    Returns
    -------
    How long each round took, how many hedges there were, and how many calls of each round were
    answered ten times later than any that is not slow.
    """
    trace = Trace()
    metrics = Simulation(
        scenario(
            team={"size": 100, "agent": BIMODAL},
            **DEALT,
            workload__tasks=100 * rounds,
            limits__max_rounds=10 * rounds,
            resilience={"hedge": {"after_s": P95}} if hedged else {},
            seed=5,
        )
    ).run(0, trace)
    lasted = [row.duration_s for row in trace.rows if row.event is Event.ROUND_END]
    late = [r.round for r in trace.rows if r.event is Event.ATTEMPT and r.duration_s > 200]
    late_by_round = np.bincount(late, minlength=rounds + 1)[-rounds:]
    return np.array(lasted, dtype=float), metrics.hedges, late_by_round


def fan_outs_above(q: float, hedged: bool) -> Found:
    """Return the share of fan-outs that take longer than a quantile of the exact law."""
    lasted, *_ = fan_outs(hedged)
    return share(int((lasted > slowest_of_a_hundred(q, hedged)).sum()), FAN_OUTS)


def slowest_of_a_hundred(q: float, hedged: bool) -> float:
    """Return a quantile of the exact law of fan-outs."""
    tail = _hedged_tail if hedged else _tail
    return float(optimize.brentq(lambda t: (1 - tail(t)) ** 100 - q, 5, 20_000))


def quantile_of_fan_outs(q: float, hedged: bool, rounds: int) -> Found:
    """Return a quantile of what fan-outs take."""
    return quantile(fan_outs(hedged, rounds)[0], q)


def fan_outs_that_meet_a_straggler() -> Found:
    """Return the share of fan-outs that last ten times as long as any that meets none.

    The slow calls, whose mean number is known, are the control, in fifty parts.
    """
    lasted, _, late = fan_outs(False)
    met, slow = (each.reshape(50, -1).mean(axis=1) for each in (lasted > 200, late))
    return controlled(met, slow[:, None], [1.0])


def wide_fan_outs_that_meet_a_straggler(n: int, slow: float, rounds: int, times: int) -> Found:
    """Return the share of fan-outs with a call that takes a hundred times as long.

    The slow calls, whose mean number is known, are the control.
    """
    found = runs(
        times,
        team={
            "size": n,
            "agent": agent(faults={"slow": {"probability": slow, "factor": 100}}),
        },
        **DEALT,
        workload__tasks=n * rounds,
    )
    met = [(m.makespan_s - rounds) / 99 / rounds for m in found]
    return controlled(met, [[m.slow_calls / rounds] for m in found], [n * slow])


def extra_requests_of_fan_outs() -> Found:
    """Return the hedges for each call."""
    _, hedges, _ = fan_outs(True)
    return share(hedges, 100 * FAN_OUTS)


@functools.cache
def hedged_calls() -> tuple[np.ndarray[Any, Any], int]:
    """Run exponential calls, hedged at their 95th percentile."""
    trace = Trace()
    metrics = Simulation(
        scenario(
            **ASYNC,
            workload__tasks=110_000,
            team__agent=agent(latency=exponential()),
            limits__max_calls=10**6,
            resilience={"hedge": {"after_s": float(np.log(20))}},
        )
    ).run(0, trace)
    rows = [row.duration_s for row in trace.rows if row.event is Event.ATTEMPT]
    return np.array(rows, dtype=float), metrics.hedges


def hedged_longer_than(limit: float) -> Found:
    """Return the share of hedged calls that take longer."""
    lasted, _ = hedged_calls()
    return share(int((lasted > limit).sum()), len(lasted))


def hedged_quantile(q: float) -> Found:
    """Return a quantile of hedged calls."""
    return quantile(hedged_calls()[0], q)


def extra_requests() -> Found:
    """Return the hedges for each call."""
    lasted, hedges = hedged_calls()
    return share(hedges, len(lasted))


@functools.cache
def backed_up(n: int, times: int) -> np.ndarray[Any, Any]:
    """Run n exponential tasks at once, with backups of the last tenth.

    Returns
    -------
    array, shape (times, 4)
        How long each job took, the work of all its calls, those in vain included, how long it took
        until a tenth was left, and the work after that.
    """
    simulation = Simulation(
        scenario(
            workload__tasks=n,
            team={"size": n, "agent": agent(latency=exponential())},
            **ASYNC,
            resilience={"backup": {"when_left": 0.1}},
        )
    )
    jobs = []
    for replication in range(times):
        trace = Trace()
        m = simulation.run(replication, trace)
        done = [r.time_s for r in trace.rows if r.event is Event.ATTEMPT and r.outcome == "done"]
        cost, left_s = m.work_s + m.wasted_s, sorted(done)[n - n // 10 - 1]
        before = sum(min(time_s, left_s) for time_s in done)
        jobs.append((m.makespan_s, cost, left_s, cost - before))
    return np.array(jobs)


def job_seconds(n: int, times: int) -> Found:
    """Return how long the job takes.

    How long until a tenth is left, and the work after that, are known without backups and the
    controls: exponential calls have no memory.
    """
    jobs = backed_up(n, times)
    return controlled(jobs[:, 0], jobs[:, 2:], [harmonic(n) - harmonic(n // 10), n // 10])


def job_cost(n: int, times: int) -> Found:
    """Return the work of all calls of a job with backups, those in vain included."""
    return mean(backed_up(n, times)[:, 1])


def cost_of_backups(base: dict[str, Any], times: int) -> Found:
    """Return the work of jobs of 100 tasks with backups of the last tenth, less that without."""

    def cost(resilience: dict[str, Any]) -> np.ndarray[Any, Any]:
        found = runs(
            times,
            workload__tasks=100,
            team={"size": 100, "agent": agent(latency={"kind": "seconds", "base": base})},
            **ASYNC,
            resilience=resilience,
        )
        return np.array([m.work_s + m.wasted_s for m in found])

    return mean(cost({"backup": {"when_left": 0.1}}) - cost({}))


@functools.cache
def map_reduce(backups: bool, stragglers: bool, killed: int) -> tuple[Found, Found]:
    """Return seconds and requests of 1,000 tasks on 100 workers.

    Three calls in a thousand take 5 to 13 times as long, such that they cost about what was
    published. Workers are killed in the middle of the job.
    """
    slow = {"slow": {"probability": 0.003, "factor": {"kind": "uniform", "low": 5, "high": 13}}}
    latency = {"kind": "seconds", "base": {"kind": "lognormal", "median": 10, "sigma": 0.25}}
    found = runs(
        20 if backups else 80,
        workload__tasks=1000,
        team={"size": 100, "agent": agent(latency=latency, faults=slow if stragglers else {})},
        **ASYNC,
        faults=[{"at_s": 50, "kind": "kill", "agent": list(range(killed))}] if killed else [],
        resilience={"detector": {}, "backup": {"when_left": 0.05}} if backups else {},
    )
    assert all(m.outcome == "completed" for m in found)
    return mean(m.makespan_s for m in found), mean(m.requests for m in found)


def ratio_of_jobs(this: tuple[bool, bool, int], to: tuple[bool, bool, int]) -> Found:
    """Return the seconds of one kind of job over those of another."""
    (above, _), (below, _) = map_reduce(*this), map_reduce(*to)
    ratio = above.value / below.value
    parts = (above.error / above.value) ** 2 + (below.error / below.value) ** 2
    return Found(ratio, ratio * math.sqrt(parts))


def _gardner(agents: int, copies: int, load: float) -> float:
    return sum(
        1
        / (
            agents * math.comb(agents - 1, copies - 1) / math.comb(i - 1, copies - 1)
            - load * agents
        )
        for i in range(copies, agents + 1)
    )


def redundant(
    agents: int,
    copies: int,
    load: float,
    tasks: int,
    replications: int,
    correlation: float = 0.0,
) -> Found:
    """Return the mean time of a task that is sent to the queues of several agents.

    Controls whose means are known: if one agent or all have a copy, waits of the same tasks in
    M/M/1 with 80 and 95 % of the services; else the seconds that all copies of a task are served,
    1 whatever their number, as exponential services have no memory, and waits of the same arrivals
    in M/D/1 at three loads.
    """
    simulation = Simulation(
        scenario(
            team={"size": agents, "agent": agent(latency=exponential())},
            coordination={
                "protocol": {"kind": "redundancy", "copies": copies, "correlation": correlation},
                "timing": "asynchronous",
            },
            workload={
                "kind": "arrivals",
                "tasks": tasks,
                "interarrival_s": {"kind": "exponential", "mean": 1 / (load * agents)},
            },
            seed=2,
        )
    )
    found, controls = [], []
    known: list[float] = []
    for replication in range(replications):
        trace, ready = Trace(), np.empty(tasks)
        lasted, service, where = np.empty(tasks), np.empty(tasks), np.empty(tasks, dtype=int)
        metrics = simulation.run(replication, trace)
        done = 0
        for row in trace.rows:
            if row.event is Event.TASK_READY:
                ready[row.task] = row.time_s
            elif row.event is Event.ATTEMPT and row.outcome == "done":
                lasted[row.task] = row.time_s - ready[row.task]
                service[row.task], where[row.task] = row.duration_s or 0.0, row.agent
                done += 1
        assert done == tasks
        found.append(lasted[WARM_UP:].mean())
        if correlation == 0.0 and copies in (1, agents):
            lines = where if copies == 1 else np.zeros(tasks, dtype=int)
            each, known = _eased_waits(
                ready, service, lines, load, 1.0 if copies == 1 else 1 / agents
            )
        else:
            each, known = _waits_of_arrivals(ready, load * agents)
            if correlation == 0.0:
                each.append((metrics.work_s + metrics.wasted_s) / tasks)
                known.append(1.0)
        controls.append(each)
    return controlled(found, controls, known)


def _eased_waits(
    ready: np.ndarray[Any, Any],
    service: np.ndarray[Any, Any],
    lines: np.ndarray[Any, Any],
    load: float,
    mean_s: float,
) -> tuple[list[float], list[float]]:
    """Return mean waits of the same tasks in lines of M/M/1 if eased, and what is expected."""
    found = []
    for f in EASED:
        waits = np.empty(len(ready))
        for line in np.unique(lines):
            here = lines == line
            waits[here] = eased(Served(ready[here], ready[here], service[here]), 1, f)
        found.append(float(waits[WARM_UP:].mean()))
    return found, [f * mean_s * f * load / (1 - f * load) for f in EASED]


def _waits_of_arrivals(ready: np.ndarray[Any, Any], rate: float) -> tuple[list[float], list[float]]:
    """Return mean waits of Poisson arrivals for constant services, and what is expected."""
    loads = (0.5, 0.7, 0.85)
    alike = np.ones(len(ready))
    waits = [eased(Served(ready, ready, alike), 1, f / rate)[WARM_UP:].mean() for f in loads]
    return [float(wait) for wait in waits], [f / rate * f / (2 * (1 - f)) for f in loads]


def longer_when_alike(copies: int) -> Found:
    """Return how much longer a task takes if its copies take the same time than without any."""
    return less(*(redundant(5, c, 0.7, 2500, 18, r) for c, r in ((copies, 1.0), (1, 0.0))))


LAWS = [
    ("exponential", 1.0, (2, 3, 4, 5, 10)),
    ("lognormal", 0.4, (2, 3, 4, 5)),
    ("lognormal", 0.6, (2, 3, 4, 5, 10)),
    ("lognormal", 0.9, (2, 3, 4, 5)),
    ("lognormal", 1.2, (2, 3, 4, 5)),
]
HEAVY = [("pareto", 2.5, (2, 3, 4, 5))]


PARAMETER = {"exponential": "", "lognormal": ", sigma = {}", "pareto": ", shape = {}"}
QUICK = [("exponential", 1.0, 2), ("lognormal", 0.6, 5), ("lognormal", 1.2, 2)]


@functools.cache
def _longest_over_mean(law: str, spread: float, n: int) -> float:
    drawn = seconds(law, spread)[1]
    return float(longest_of(drawn, n) / drawn.mean())


def _over_laws(value: Any, laws: list[tuple[str, float, tuple[int, ...]]] = LAWS) -> list[Case]:
    return [
        Case(
            f"{law}{PARAMETER[law].format(spread)}, n = {n}",
            value(_longest_over_mean(law, spread, n)),
            (law, spread, n),
            slow=(law, spread, n) not in QUICK,
        )
        for law, spread, sizes in laws
        for n in sizes
    ]


# Of 400,000 draws with numpy: 20 lognormal tasks of mean 1, each to the first of five workers that
# is free, and four dealt to each. Standard errors are below 0.12 %.
LOGNORMAL = {0.4: (4.599, 5.027), 0.6: (4.865, 5.647), 0.9: (5.605, 6.774), 1.2: (6.829, 8.169)}
LOGNORMAL_RUNS = {0.4: (400, 500), 0.6: (600, 900), 0.9: (1200, 1600), 1.2: (1900, 2400)}

JOBS = 900
MAP_REDUCE = "Dean and Ghemawat 2004, section 5"
ORDER_STATISTICS = "order statistics, David and Nagaraja 2003"

ROWS = [
    Row(
        key="longest-of-n",
        name="A round lasts as long as its longest call",
        law="E[max of n] / E[X]; H_n if exponential.",
        source=ORDER_STATISTICS,
        measure=longest,
        cases=_over_laws(lambda longest: longest, LAWS + HEAVY),
        tolerance=ONE_PERCENT,
        note="100,000 rounds are asked and 11,000 to 20,000 run: the known mean of all calls takes "
        "so much of the chance away that they resolve the 1 %.",
    ),
    Row(
        key="barrier-share",
        name="Time at the barrier",
        law="Share of the agents' time: 1 - E[X] / E[max of n].",
        source=ORDER_STATISTICS,
        measure=barrier_share,
        cases=_over_laws(lambda longest: 1 - 1 / longest),
        tolerance=Tolerance(share=0.01, absolute=0.005, z=4),
    ),
    Row(
        key="straggler-gap",
        name="The straggler gap",
        law="Longest less mean call of a round: (E[max of n] - E[X]) / E[X].",
        source=ORDER_STATISTICS,
        measure=straggler_gap,
        cases=_over_laws(lambda longest: longest - 1),
        tolerance=Tolerance(share=0.05, z=4),
    ),
    Row(
        key="heavy-tailed-rounds",
        name="Rounds of heavy-tailed calls",
        law="Share of rounds above a quantile of the longest of n Pareto calls.",
        source=ORDER_STATISTICS,
        measure=rounds_longer_than,
        cases=[
            Case(
                f"shape {shape}, n = {n}, {q:g} quantile",
                1 - q,
                (shape, n, q),
                slow=(shape, n) != (1.5, 2),
            )
            for shape, n in ((1.5, 2), (2.5, 5))
            for q in (0.5, 0.99)
        ],
        tolerance=CHANCE,
        note="The variance of shape 1.5 is infinite, so that no means of it can be compared; those "
        "of shape 2.5 are in the first row.",
    ),
    Row(
        key="first-of-n",
        name="The first of several answers",
        law="Until q of n exponential answers are there: H_n - H_(n - q).",
        source=ORDER_STATISTICS,
        measure=first_of,
        cases=[
            Case(f"{q} of {n}", harmonic(n) - harmonic(n - q), (q, n), slow=True)
            for q, n in ((2, 3), (3, 5), (4, 5), (4, 7))
        ],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="claimed-or-dealt",
        name="Claimed and dealt work",
        law="Exponential tasks of mean 1: claimed (N - n) / n + H_n, dealt the mean of the longest "
        "of n Erlang(N / n).",
        source=ORDER_STATISTICS,
        measure=spans,
        cases=[
            Case(
                f"N = {tasks}, n = {n}, {'dealt' if dealt else 'claimed'}",
                longest_share(tasks, n) if dealt else (tasks - n) / n + harmonic(n),
                ("exponential", 1.0, tasks, n, dealt, times),
                slow=True,
            )
            for tasks, n, times in ((20, 2, 1000), (20, 4, 2000), (20, 5, 2400), (100, 10, 1100))
            for dealt in (False, True)
        ],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="claimed-or-dealt-lognormal",
        name="Claimed and dealt work of lognormal length",
        law="20 tasks of mean 1 for five agents; no closed form.",
        source="400,000 draws of the two rules, without a team",
        measure=lognormal_spans,
        cases=[
            Case(
                f"sigma = {sigma}, {'dealt' if dealt else 'claimed'}",
                LOGNORMAL[sigma][dealt],
                (sigma, bool(dealt), times[dealt]),
                slow=sigma > 0.4,
            )
            for sigma, times in LOGNORMAL_RUNS.items()
            for dealt in (0, 1)
        ],
        tolerance=ONE_PERCENT,
        thorough=True,
    ),
    Row(
        key="slow-worker",
        name="One slow worker",
        law="20 unit tasks, one of five workers s times slower: dealt 4 s, claimed 6, 8, 10 for "
        "s = 2, 4, 10.",
        source="counting",
        measure=slow_worker,
        cases=[
            Case(f"s = {s}, {'dealt' if dealt else 'claimed'}", t, (s, dealt, False))
            for s, both in ((2, (6, 8)), (4, (8, 16)), (10, (10, 40)))
            for dealt, t in zip((False, True), both, strict=True)
        ],
    ),
    Row(
        key="slow-worker-exponential",
        name="One slow worker, exponential tasks",
        law="The same with exponential tasks of mean 1.",
        source="an independent simulation",
        measure=slow_worker,
        cases=[
            Case(f"s = {s}, {'dealt' if dealt else 'claimed'}", t, (s, dealt, True), slow=True)
            for s, both in ((2, (6.2, 8.9)), (4, (8.1, 16.2)), (10, (14.0, 40.0)))
            for dealt, t in zip((False, True), both, strict=True)
        ],
        tolerance=Tolerance(share=0.05),
        thorough=True,
    ),
    Row(
        key="lost-worker-claims",
        name="A lost worker, claimed work",
        law="20 unit tasks, one of five workers lost: 20 / 4 if it holds nothing, max(5, L + 1) "
        "with a lease of L if it holds one.",
        source="counting",
        measure=claims_after_a_loss,
        cases=[
            Case("it holds nothing", 5, (KILL, None)),
            *(Case(f"L = {it}", max(5, it + 1), (STALL, it)) for it in (2.0, 3.5, 7.0, 9.0)),
        ],
    ),
    Row(
        key="lost-worker-for-ever",
        name="A lost worker without a lease",
        law="The task that it holds is never done: 19 of 20.",
        source="released code of arXiv 2603.12229, which has no leases",
        measure=done_without_a_lease,
        cases=[Case("", 19)],
    ),
    Row(
        key="lost-worker-deals",
        name="A lost worker, dealt work",
        law="Found after D, its four tasks are dealt to four others: max(4, D) + 1.",
        source="counting",
        measure=deals_after_a_loss,
        cases=[
            *(
                Case(f"stuck, D = {it}", max(4, it) + 1, (STALL, {"progress_s": it}))
                for it in (2.0, 3.0, 6.0)
            ),
            *(
                Case(f"dead, D = {it}", max(4, it) + 1, (KILL, {"timeout_s": it, "period_s": 1}))
                for it in (2.0, 3.0, 6.0)
            ),
        ],
    ),
    Row(
        key="fan-out",
        name="Fan-outs of a hundred meet a straggler",
        law="1 - 0.99^100, with calls of which one in a hundred takes a hundred times as long.",
        source="Dean and Barroso 2013",
        measure=fan_outs_that_meet_a_straggler,
        cases=[Case("", 1 - 0.99**100, slow=True)],
        tolerance=Tolerance(share=0.06, z=4),
        note="500 fan-outs resolve 6 %; 1 % would take eleven thousand.",
    ),
    Row(
        key="fan-out-wide",
        name="Fan-outs of two thousand meet a straggler",
        law="1 - (1 - 10^-4)^2000, with calls of which one in ten thousand takes a hundred times "
        "as long; and the same with a tenth of the calls, ten times as often slow.",
        source="Dean and Barroso 2013",
        measure=wide_fan_outs_that_meet_a_straggler,
        cases=[
            Case("2000 calls", 1 - (1 - 1e-4) ** 2000, (2000, 1e-4, 3, 12), thorough=True),
            Case(
                "200 calls",
                1 - (1 - 1e-3) ** 200,
                (200, 1e-3, 10, 20),
                slow=True,
                tolerance=Tolerance(share=0.1, z=4),
            ),
        ],
        tolerance=CHANCE,
        note="The first takes two thousand calls for each of its 36 fan-outs; the second has 200.",
    ),
    Row(
        key="fan-out-quantiles",
        name="Fan-outs with hedges and without",
        law="Share above a quantile of the maximum of 100 of F(t), or of F(t) F(t - d) with hedges "
        "after the 95th percentile d.",
        source="Dean and Barroso 2013",
        measure=fan_outs_above,
        cases=[
            Case(
                f"{'hedged' if hedged else 'plain'}, {q:g} quantile", 1 - q, (q, hedged), slow=True
            )
            for hedged in (False, True)
            for q in (0.5, 0.99)
        ],
        tolerance=CHANCE,
        note="Of 500 fan-outs. The means that were published are context-bound: not asked.",
    ),
    Row(
        key="fan-out-times",
        name="Times of fan-outs with hedges and without",
        law="Quantiles of the same law.",
        source="Dean and Barroso 2013",
        measure=quantile_of_fan_outs,
        cases=[
            Case(
                f"{'hedged' if hedged else 'plain'}, {q:g} quantile",
                slowest_of_a_hundred(q, hedged),
                (q, hedged, 20_000),
                slow=True,
                tolerance=tolerance,
                thorough=True,
            )
            for q, hedged, tolerance in (
                (0.5, False, THREE_PERCENT),
                (0.99, False, THREE_PERCENT),
                (0.999, False, Tolerance(share=0.06, z=4)),
                (0.5, True, ONE_PERCENT),
                (0.999, True, Tolerance(share=0.1, z=4)),
            )
        ],
        note="Of 20,000 fan-outs, which do not resolve more. The 0.99 quantile of hedged ones is "
        "left out: 0.9 % of them take anything from 50 to 600, so that it lies between.",
    ),
    Row(
        key="fan-out-extra",
        name="Hedges of fan-outs",
        law="One call in twenty is hedged after the 95th percentile.",
        source="Dean and Barroso 2013",
        measure=extra_requests_of_fan_outs,
        cases=[Case("", 0.05, slow=True)],
        tolerance=CHANCE,
        note="1 % of 0.05 is asked, which would take 1.2 million calls to resolve; four standard "
        "errors of these 50,000 are 8 %.",
        thorough=True,
    ),
    Row(
        key="hedged-tail",
        name="The tail of hedged calls",
        law="Exponential, hedged at d = ln 20: P(T > t) = exp(-t) exp(-(t - d)); 0.01 above 3.800, "
        "0.001 above 4.952.",
        source="Dean and Barroso 2013; independence",
        measure=hedged_longer_than,
        cases=[
            Case(f"above {t}", float(np.exp(-t) * np.exp(-(t - np.log(20)))), (t,), slow=True)
            for t in (3.8, 4.952)
        ],
        tolerance=CHANCE,
        note="1 % is asked: it would take six and sixty million calls; see the quantiles.",
        thorough=True,
    ),
    Row(
        key="hedged-quantile",
        name="Quantiles of hedged calls",
        law="The same: 3.800 is the 99th percentile, 4.952 the 99.9th; 4.605 and 6.908 without "
        "hedges.",
        source="Dean and Barroso 2013; independence",
        measure=hedged_quantile,
        cases=[
            Case("99th percentile", math.log(20 / 0.01) / 2, (0.99,), True, ONE_PERCENT),
            Case("99.9th percentile", math.log(20 / 0.001) / 2, (0.999,), True),
        ],
        tolerance=THREE_PERCENT,
        note="1 % is asked; of the 99.9th percentile it would take 900,000 calls to resolve, and "
        "3 % is held.",
        thorough=True,
    ),
    Row(
        key="hedged-extra",
        name="Extra requests of hedged calls",
        law="Hedging at the 95th percentile sends 5 % more requests.",
        source="Dean and Barroso 2013",
        measure=extra_requests,
        cases=[Case("", 0.05, slow=True)],
        tolerance=CHANCE,
        note="1 % of 0.05 is asked, which would take 1.2 million calls to resolve; four standard "
        "errors of these 110,000 are 5 %.",
        thorough=True,
    ),
    Row(
        key="single-fork",
        name="Backups of the last tenth",
        law="n exponential tasks at once, each of the last pn with a backup: H_n - H_pn + H_pn / "
        "2; p = 0.1.",
        source="Wang, Joshi and Wornell, arXiv 1503.03128",
        measure=job_seconds,
        cases=[Case("n = 100", harmonic(100) - harmonic(10) / 2, (100, JOBS), thorough=True)],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="without-backups",
        name="The same without backups",
        law="H_n.",
        source=ORDER_STATISTICS,
        measure=lambda n: longest("exponential", 1.0, n, 210),
        cases=[Case("n = 100", harmonic(100), (100,), slow=True)],
        tolerance=ONE_PERCENT,
        thorough=True,
    ),
    Row(
        key="single-fork-cost",
        name="What backups cost",
        law="As much as no backups, for exponential tasks: n.",
        source="Wang, Joshi and Wornell, arXiv 1503.03128",
        measure=job_cost,
        cases=[Case("n = 100", 100, (100, JOBS), thorough=True)],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="single-fork-dearer",
        name="Backups of tasks that all take a while",
        law="They cost more where the tail is light: exponential tasks that take half a second at "
        "least, mean 1; seconds more.",
        source="Wang, Joshi and Wornell, arXiv 1503.03128",
        measure=cost_of_backups,
        cases=[
            Case("n = 100", 0, ({"kind": "exponential", "mean": 0.5, "shift": 0.5}, 20), slow=True)
        ],
        tolerance=Above(),
    ),
    Row(
        key="single-fork-cheaper",
        name="Backups of tasks with a heavy tail",
        law="They save work: lognormal tasks with sigma = 1.5, mean 1; seconds more.",
        source="Wang, Joshi and Wornell, arXiv 1503.03128",
        measure=cost_of_backups,
        cases=[
            Case(
                "n = 100",
                0,
                ({"kind": "lognormal", "median": math.exp(-(1.5**2) / 2), "sigma": 1.5}, 60),
                slow=True,
            )
        ],
        tolerance=Below(),
        thorough=True,
    ),
    Row(
        key="map-reduce-stragglers",
        name="Backup tasks of MapReduce",
        law="Without backup tasks the sort takes 1283 s instead of 891 s: 1.44 times.",
        source=MAP_REDUCE,
        measure=ratio_of_jobs,
        cases=[Case("", 1283 / 891, ((False, True, 0), (True, True, 0)), slow=True)],
        tolerance=Between(1.3, 1.6),
        note="The stragglers are such that they cost about that much: what is tested is that "
        "backups take it back.",
        thorough=True,
    ),
    Row(
        key="map-reduce-killed",
        name="Killed workers of MapReduce",
        law="With 200 of 1,746 workers killed in the middle the sort takes 933 s instead of 891 s: "
        "5 % longer.",
        source=MAP_REDUCE,
        measure=ratio_of_jobs,
        cases=[Case("11 of 100 killed", 933 / 891, ((True, True, 11), (True, True, 0)), slow=True)],
        tolerance=Between(1.0, 1.15),
    ),
    Row(
        key="redundancy",
        name="Each task in the queues of d of k servers",
        law="Sum over i = d..k of 1 / (k mu C(k - 1, d - 1) / C(i - 1, d - 1) - k lambda).",
        source="Gardner et al. 2017",
        measure=redundant,
        cases=[
            Case(
                f"k = {k}, d = {d}, lambda = {load}",
                _gardner(k, d, load),
                (k, d, load, tasks, times),
                slow=True,
                thorough=d == 2,
            )
            for k, d, load, tasks, times in (
                (5, 1, 0.7, 3000, 10),
                (5, 2, 0.7, 2500, 36),
                (5, 3, 0.7, 2500, 16),
                (5, 5, 0.7, 2000, 7),
                (10, 2, 0.7, 4000, 16),
            )
        ],
        tolerance=THREE_PERCENT,
    ),
    Row(
        key="redundancy-alike",
        name="Copies that are alike",
        law="Copies that take the same time lose what redundancy gains: two take longer than one.",
        source="Gardner et al. 2017, with dependent copies",
        measure=longer_when_alike,
        cases=[Case("seconds more", 0, (2,), slow=True)],
        tolerance=Above(),
        thorough=True,
    ),
]
