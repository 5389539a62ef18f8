"""Agents as the servers of queues."""

from __future__ import annotations

import functools
import heapq
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.conftest import agent, exponential, runs, scenario
from tests.validation.laws import erlang_c, erlang_sojourn, harmonic
from tests.validation.rows import (
    ONE_PERCENT,
    THREE_PERCENT,
    Below,
    Case,
    Found,
    Row,
    Tolerance,
    controlled,
    mean,
)

Array = np.ndarray[Any, np.dtype[np.float64]]


class Served(NamedTuple):
    """Tasks in order of arrival: when each came, how long it waited, how long it was served."""

    arrival: Array
    wait: Array
    service: Array


def serve(simulation: Simulation, replication: int) -> Served:
    """Run a team that is fed by arrivals, and read what it did from the trace."""
    trace = Trace()
    metrics = simulation.run(replication, trace)
    assert metrics.outcome == "completed"
    arrival, wait, service = (np.empty(metrics.tasks) for _ in range(3))
    begun: dict[int | None, float] = {}
    for row in trace.rows:
        if row.event is Event.TASK_READY:
            arrival[row.task] = row.time_s
        elif row.event is Event.CALL_START:
            begun[row.call] = row.time_s
        elif row.event is Event.ATTEMPT:
            start = begun.pop(row.call)
            wait[row.task] = start - arrival[row.task]
            service[row.task] = row.time_s - start
    return Served(arrival, wait, service)


def eased(served: Served, servers: int, factor: float) -> Array:
    """Return the waits of the same tasks had each taken `factor` of its time (Kiefer-Wolfowitz)."""
    free = [0.0] * servers
    waits = np.empty(len(served.arrival))
    pairs = zip(served.arrival.tolist(), (factor * served.service).tolist(), strict=True)
    for i, (came, takes) in enumerate(pairs):
        start = max(came, free[0])
        heapq.heapreplace(free, start + takes)
        waits[i] = start - came
    return waits


EASED = (0.8, 0.95)
WARM_UP = 500


def queue(servers: int, load: float, tasks: int, latency: dict[str, Any]) -> Simulation:
    """Return a team of `servers` to whom tasks come as a Poisson process."""
    gap = {"kind": "exponential", "mean": 1 / (servers * load)}
    return Simulation(
        scenario(
            team__size=servers,
            team__agent__latency=latency,
            coordination__timing="asynchronous",
            workload={"kind": "arrivals", "tasks": tasks, "interarrival_s": gap},
            seed=11,
        )
    )


class InQueue(NamedTuple):
    """The mean time of tasks from arrival to end, and the share that has to wait."""

    time: Found
    waits: Found


@functools.cache
def in_queue(
    servers: int,
    load: float,
    replications: int,
    tasks: int,
    law: str = "exponential",
) -> InQueue:
    """Serve tasks of mean 1, by agents to whom they come as a Poisson process.

    Controls are the waits that the same arrivals and services would have had at 80 and 95 % of
    their load, or the shares that would have waited, of which the means are known. They take away
    noise that the draws make, not what the team does with them; the draws have a row of their own.
    """
    base, variation = GENERAL[law]
    simulation = queue(servers, load, tasks, {"kind": "seconds", "base": base})
    times, times_eased, waited, waited_eased = [], [], [], []
    for replication in range(replications):
        served = serve(simulation, replication)
        with_less = [eased(served, servers, f)[WARM_UP:] for f in EASED]
        times.append((served.wait + served.service)[WARM_UP:].mean())
        times_eased.append([each.mean() for each in with_less])
        waited.append((served.wait[WARM_UP:] > 1e-9).mean())
        waited_eased.append([(each > 1e-9).mean() for each in with_less])

    def wait(load: float) -> float:
        if servers > 1:
            return erlang_sojourn(servers, load) - 1
        return pollaczek_khinchine(load, variation) - 1

    return InQueue(
        controlled(times, times_eased, [f * wait(f * load) for f in EASED]),
        controlled(waited, waited_eased, [erlang_c(servers, f * load) for f in EASED]),
    )


def time_in_queue(servers: int, load: float, replications: int, tasks: int) -> Found:
    """Return the mean time from arrival to end, of exponential services of mean 1."""
    return in_queue(servers, load, replications, tasks).time


def waits_in_queue(servers: int, load: float, replications: int, tasks: int) -> Found:
    """Return the share of tasks that have to wait, of exponential services of mean 1."""
    return in_queue(servers, load, replications, tasks).waits


@functools.cache
def some_served() -> list[Served]:
    """Return 42,000 tasks."""
    return [serve(queue(1, 0.5, 3500, exponential()), replication) for replication in range(12)]


def draws_of(what: str) -> Found:
    """Return the mean of what comes to the queues, of 42,000 tasks: services, or times between."""
    served = some_served()
    if what == "service":
        return mean(each.service.mean() for each in served)
    return mean(np.diff(each.arrival).mean() for each in served)


def pollaczek_khinchine(load: float, squared_variation: float) -> float:
    """Return the mean time in M/G/1 with services of mean 1."""
    return 1 + load * (1 + squared_variation) / (2 * (1 - load))


GENERAL: dict[str, tuple[Any, float]] = {
    "exponential": (exponential()["base"], 1.0),
    "deterministic": ({"kind": "deterministic", "value": 1}, 0.0),
    "lognormal": (
        {"kind": "lognormal", "median": float(np.exp(-0.5)), "sigma": 1},
        float(np.e - 1),
    ),
}
"""Service times of mean 1, and their squared coefficients of variation."""


def time_with_general_service(law: str, replications: int, tasks: int) -> Found:
    """Return the mean wait in M/G/1 at load 0.8."""
    each = in_queue(1, 0.8, replications, tasks, law).time
    return Found(each.value - 1, each.error)


def time_with_deterministic_service() -> Found:
    """Return the mean time in M/D/1 at load 0.8."""
    wait = time_with_general_service("deterministic", 13, 3000)
    return Found(wait.value + 1, wait.error)


@functools.cache
def fork_join(branches: int, load: float, replications: int, jobs: int) -> Found:
    """Return the mean time of jobs that each bring one task to every agent.

    The mean time of all tasks, each in M/M/1, is known and the control.
    """
    found, controls = [], []
    for replication in range(replications):
        rng = np.random.default_rng(replication)
        times = np.cumsum(rng.exponential(1 / load, jobs))
        tasks = [
            {"id": f"{job}-{branch}", "arrival_s": float(time_s)}
            for job, time_s in enumerate(times)
            for branch in range(branches)
        ]
        simulation = Simulation(
            scenario(
                team={"size": branches, "agent": agent(latency=exponential())},
                workload={"kind": "dag", "tasks": tasks},
                coordination={
                    "protocol": {"kind": "pre_assigned", "keep_chains": False},
                    "timing": "asynchronous",
                },
                seed=replication,
            )
        )
        served = serve(simulation, 0)
        by_job = (served.wait + served.service).reshape(jobs, branches)[WARM_UP:]
        found.append(by_job.max(axis=1).mean())
        controls.append([by_job.mean()])
    return controlled(found, controls, [1 / (1 - load)])


def nelson_tantawi(branches: int, load: float) -> float:
    """Return the approximation of a fork-join with more than two branches."""
    two = (12 - load) / (8 * (1 - load))
    ratio = harmonic(branches) / harmonic(2)
    return (ratio + 4 * load / 11 * (1 - ratio)) * two


def beyond_fork_join_bounds(branches: int, load: float, replications: int, jobs: int) -> Found:
    """Return by how much a fork-join is longer than it may be, or shorter; below 0 if neither."""
    each = fork_join(branches, load, replications, jobs)
    upper = harmonic(branches) / (1 - load)
    lower = harmonic(branches) + sum(load / (j * (j - load)) for j in range(1, branches + 1))
    return Found(max(each.value - upper, lower - each.value), each.error)


class Passed(NamedTuple):
    """Items that agents work on one after the other: arrivals, ends, and services by agent."""

    arrival: Array
    end: Array
    services: Array

    def times(self) -> Array:
        """Return the time of each item after the warm-up."""
        return (self.end - self.arrival)[WARM_UP:]

    def eased(self, factor: float) -> Passed:
        """Return the same items had each service taken `factor` of its time."""
        end = self.arrival
        for service in factor * self.services:
            end = end + eased(Served(end, end, service), 1, 1.0) + service
        return Passed(self.arrival, end, factor * self.services)


def in_a_row(stages: int, items: int, seed: int, sent_back: float = 0.0) -> Passed:
    """Send items through agents one after the other, at load 1/2 each.

    `sent_back` is the share of what each agent does that it finds wrong and does again.
    """
    rate = 0.5 * (1.0 - sent_back)
    times = np.cumsum(np.random.default_rng(seed).exponential(1.0 / rate, items))
    tasks: list[dict[str, Any]] = []
    for i, time_s in enumerate(times):
        for stage in range(stages):
            before = [f"{i}-{stage - 1}"] if stage else []
            tasks.append({"id": f"{i}-{stage}", "dependencies": before, "arrival_s": float(time_s)})
    errors = {"probability": sent_back, "detection": 1.0}
    simulation = Simulation(
        scenario(
            team={"size": stages, "agent": agent(latency=exponential(), errors=errors)},
            workload={"kind": "dag", "tasks": tasks},
            coordination={"protocol": "pipeline", "timing": "asynchronous"},
            seed=seed,
        )
    )
    served = serve(simulation, 0)
    ends = (served.arrival + served.wait + served.service)[stages - 1 :: stages]
    return Passed(times, ends, served.service.reshape(items, stages).T)


@functools.cache
def passed(stages: int, replications: int, items: int) -> list[Passed]:
    """Return replications of items that nothing is sent back of."""
    return [in_a_row(stages, items, seed) for seed in range(replications)]


def tandem(stages: int, replications: int, items: int) -> Found:
    """Return the mean time of items in agents one after the other.

    The times that the same draws would take at 80 and 95 % of the service times are known by
    Jackson's law, and the controls.
    """
    found = passed(stages, replications, items)
    controls = [[each.eased(f).times().mean() for f in EASED] for each in found]
    expected = [stages / (1 / f - 0.5) for f in EASED]
    return controlled([each.times().mean() for each in found], controls, expected)


def tandem_longer_than(limit: float, stages: int, replications: int, items: int) -> Found:
    """Return the share of items whose time is longer; the controls are as of `tandem`."""
    found = passed(stages, replications, items)
    longer = [(each.times() > limit).mean() for each in found]
    controls = [[(each.eased(f).times() > limit).mean() for f in EASED] for each in found]
    expected = [erlang_tail(stages, 1 / f - 0.5, limit) for f in EASED]
    return controlled(longer, controls, expected)


def erlang_tail(stages: int, rate: float, limit: float) -> float:
    """Return the probability that a sum of independent exponential times is larger."""
    return float(stats.gamma.sf(limit, stages, scale=1 / rate))


def sent_back(stages: int, share: float, replications: int, items: int) -> Found:
    """Return the mean time of items of which each agent does a share again."""
    return mean(in_a_row(stages, items, seed, share).times().mean() for seed in range(replications))


def shortest_of(choices: int, load: float, servers: int, tasks: int, times: int) -> Found:
    """Return the mean time of tasks that join the shortest of some queues.

    From runs of two lengths, so that the beginning does not count. The time that agents work, whose
    mean is known, is the control.
    """
    gap = {"kind": "exponential", "mean": 1 / (servers * load)}

    def sums(count: int) -> np.ndarray[Any, Any]:
        found = runs(
            times,
            team={"size": servers, "agent": agent(latency=exponential())},
            coordination={
                "protocol": {"kind": "shortest_queue", "choices": choices},
                "timing": "asynchronous",
            },
            workload={"kind": "arrivals", "tasks": count, "interarrival_s": gap},
        )
        return np.array([(count * m.task_wait_s, m.work_s) for m in found])

    first = tasks // 4
    wait, work = ((sums(tasks) - sums(first)) / (tasks - first)).T
    return controlled(wait + work, work[:, None], [1.0])


def supermarket(choices: int, load: float) -> float:
    """Return the mean time at infinitely many servers."""
    if choices == 1:
        return 1 / (1 - load)
    powers = [(choices**i - choices) / (choices - 1) for i in range(1, 30)]
    return float(sum(load**power for power in powers))


def wait_if_stolen(tasks: int, replications: int) -> Found:
    """Return the mean wait at load 1/2 if tasks are dealt in turn to four agents who steal."""
    found = runs(
        replications,
        team={"size": 4, "agent": agent(latency=exponential())},
        coordination={"protocol": "work_stealing", "timing": "asynchronous"},
        workload={
            "kind": "arrivals",
            "tasks": tasks,
            "interarrival_s": {"kind": "exponential", "mean": 0.5},
        },
    )
    return mean(m.task_wait_s for m in found)


def off_littles_law(servers: int, load: float) -> Found:
    """Return the largest distance from L = lambda W over three runs, as a share of L.

    L is the mean number of waiting tasks by the clock, from the trace; W is the metric.
    """
    off = 0.0
    for replication in range(3):
        simulation = queue(servers, load, 1000, exponential())
        served = serve(simulation, replication)
        m = simulation.run(replication)
        times = np.concatenate([served.arrival, served.arrival + served.wait])
        steps = np.concatenate([np.ones(1000), -np.ones(1000)])
        order = np.lexsort((-steps, times))
        waiting = (np.cumsum(steps[order])[:-1] * np.diff(times[order])).sum() / m.makespan_s
        off = max(off, abs(waiting - 1000 / m.makespan_s * m.task_wait_s) / waiting)
    return Found(round(off, 9))


def unbalanced(servers: int, load: float) -> Found:
    """Return the largest number of tasks in three runs that came and neither left nor were there.

    Who is there is counted twice: by arrivals less departures, and as the waiting and the served.
    """
    off = 0
    for replication in range(3):
        served = serve(queue(servers, load, 1000, exponential()), replication)
        begun = served.arrival + served.wait
        ended = begun + served.service
        for now in np.linspace(0, ended.max() + 1, 200):
            there = (served.arrival <= now).sum() - (ended <= now).sum()
            waiting = ((served.arrival <= now) & (begun > now)).sum()
            busy = ((begun <= now) & (ended > now)).sum()
            idle = servers - busy
            off = max(off, abs(there - waiting - busy), -idle, min(waiting, idle))
    return Found(float(off))


def off_the_utilisation_law(servers: int, load: float) -> Found:
    """Return the largest distance from U = lambda S over three runs."""
    off = 0.0
    for replication in range(3):
        simulation = queue(servers, load, 1000, exponential())
        served = serve(simulation, replication)
        m = simulation.run(replication)
        rate = 1000 / m.makespan_s
        off = max(off, abs(m.utilisation - rate * served.service.mean() / servers))
    return Found(round(off, 9))


@functools.cache
def shares_of_numbers() -> list[list[float]]:
    """Return the shares of time with 0, 1, ... tasks in a team of three, for each replication."""
    shares = []
    for replication in range(14):
        served = serve(queue(3, 10 / 36, 3000, exponential()), replication)
        ends = served.arrival + served.wait + served.service
        times = np.concatenate([served.arrival, ends])
        order = np.argsort(times)
        number = np.cumsum(np.concatenate([np.ones(3000), -np.ones(3000)])[order])[:-1]
        lasts = np.diff(times[order])
        shares.append([float(lasts[number == k].sum() / lasts.sum()) for k in range(6)])
    return shares


def number_in_system(count: int) -> Found:
    """Return the share of time with so many tasks, lambda = 10, mu = 12."""
    return mean(each[count] for each in shares_of_numbers())


FORKS = ((5, 0.5, 9, 800), (5, 0.8, 16, 1500), (10, 0.8, 14, 1500))

ROWS = [
    Row(
        key="draws",
        name="What comes to the queues",
        law="The mean of exponential services is 1, that of times between arrivals 2.",
        source="the scenario",
        measure=draws_of,
        cases=[
            Case("service", 1, ("service",), slow=True),
            Case("between", 2, ("gap",), slow=True),
        ],
        tolerance=Tolerance(share=0.02, z=4),
    ),
    Row(
        key="erlang-c",
        name="Time in a queue with one or several servers",
        law="M/M/c: 1 / mu + C / (c mu - lambda), where C is the probability to wait.",
        source="Erlang 1917",
        measure=time_in_queue,
        cases=[
            Case(
                f"c = {c}, load {load}",
                erlang_sojourn(c, load),
                (c, load, times, tasks),
                slow=True,
                thorough=c != 2,
            )
            for c, load, times, tasks in (
                (1, 0.5, 16, 2500),
                (1, 0.8, 23, 6500),
                (2, 0.8, 20, 6000),
                (4, 0.8, 28, 6500),
                (5, 0.8, 22, 6500),
            )
        ],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="erlang-waits",
        name="The probability to wait",
        law="Erlang's C of M/M/c: 0.711, 0.596 and 0.554 for c = 2, 4 and 5 at a load of 0.8, "
        "0.762 and 0.669 for c = 5 and 10 at 0.9.",
        source="Erlang 1917",
        measure=waits_in_queue,
        cases=[
            Case(
                f"c = {c}, load {load}",
                erlang_c(c, load),
                (c, load, times, tasks),
                slow=True,
                thorough=c != 2,
            )
            for c, load, times, tasks in (
                (2, 0.8, 20, 6000),
                (4, 0.8, 28, 6500),
                (5, 0.8, 22, 6500),
                (5, 0.9, 18, 5000),
                (10, 0.9, 18, 5000),
            )
        ],
        tolerance=ONE_PERCENT,
        thorough=True,
    ),
    Row(
        key="erlang-c-heavy",
        name="Time in a busier queue",
        law="The same, at a load of 0.9.",
        source="Erlang 1917",
        measure=time_in_queue,
        cases=[
            Case(f"c = {c}, load 0.9", erlang_sojourn(c, 0.9), (c, 0.9, 18, 5000), slow=True)
            for c in (5, 10)
        ],
        tolerance=Tolerance(share=0.05, z=4),
        thorough=True,
    ),
    Row(
        key="general-service",
        name="Wait for one server with any service time",
        law="M/G/1: rho (1 + c^2) / (2 (1 - rho)), where c is the coefficient of variation; load "
        "0.8.",
        source="Pollaczek 1930, Khinchine 1932",
        measure=time_with_general_service,
        cases=[
            Case(law, pollaczek_khinchine(0.8, GENERAL[law][1]) - 1, (law, times, tasks), slow=True)
            for law, times, tasks in (
                ("deterministic", 13, 3000),
                ("exponential", 23, 6500),
                ("lognormal", 20, 2500),
            )
        ],
        tolerance=THREE_PERCENT,
    ),
    Row(
        key="fork-join-two",
        name="Fork and join of two",
        law="(12 - rho) / (8 (mu - lambda)).",
        source="Flatto and Hahn 1984; Nelson and Tantawi 1988",
        measure=fork_join,
        cases=[
            Case(
                f"load {load}",
                (12 - load) / (8 * (1 - load)),
                (2, load, times, jobs),
                slow=True,
                thorough=load > 0.5,
            )
            for load, times, jobs in ((0.5, 9, 1000), (0.8, 30, 1500))
        ],
        tolerance=THREE_PERCENT,
    ),
    Row(
        key="fork-join-more",
        name="Fork and join of more than two",
        law="(H_K / H_2 + 4 rho / 11 (1 - H_K / H_2)) R_2, which is up to 5 % off.",
        source="Nelson and Tantawi 1988",
        measure=fork_join,
        cases=[
            Case(
                f"K = {k}, load {load}",
                nelson_tantawi(k, load),
                (k, load, times, jobs),
                slow=True,
                thorough=load > 0.5,
            )
            for k, load, times, jobs in FORKS
        ],
        tolerance=Tolerance(share=0.05),
    ),
    Row(
        key="fork-join-bounds",
        name="Bounds of fork and join",
        law="H_K / (mu - lambda) above, H_K + sum of rho / (j (j - rho)) below; seconds beyond.",
        source="Nelson and Tantawi 1988; Varma and Makowski 1994",
        measure=beyond_fork_join_bounds,
        cases=[
            Case(
                f"K = {k}, load {load}",
                0,
                (k, load, times, jobs),
                slow=True,
                thorough=load > 0.5,
            )
            for k, load, times, jobs in FORKS
        ],
        tolerance=Below(),
    ),
    Row(
        key="tandem",
        name="Two and three queues in a row",
        law="Product form: the sum of 1 / (mu_i - lambda); load 1/2.",
        source="Jackson 1957; Burke 1956",
        measure=tandem,
        cases=[
            Case(f"{stages} queues", 2.0 * stages, (stages, times, items), slow=True)
            for stages, times, items in ((2, 8, 1500), (3, 6, 1000))
        ],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="tandem-tail",
        name="Long times in two queues in a row",
        law="Product form: times in both are independent and exponential, their sum is Erlang; "
        "load 1/2.",
        source="Jackson 1957; Reich 1963",
        measure=tandem_longer_than,
        cases=[
            Case(
                f"longer than {limit:g}",
                erlang_tail(2, 0.5, limit),
                (limit, 2, 20, 3000),
                slow=True,
            )
            for limit in (2.0, 4.0, 10.0)
        ],
        tolerance=Tolerance(share=0.05, z=4),
        thorough=True,
    ),
    Row(
        key="sent-back",
        name="Queues in a row of which a fifth is sent back",
        law="Product form: K / (mu (1 - p) - lambda), where K agents do a share p again; load 1/2.",
        source="Jackson 1957",
        measure=sent_back,
        cases=[
            Case(
                f"{stages} queues",
                stages / 0.4,
                (stages, 0.2, times, items),
                slow=True,
                thorough=stages > 1,
            )
            for stages, times, items in ((1, 20, 3000), (2, 20, 2000))
        ],
        tolerance=Tolerance(share=0.05, z=4),
        thorough=True,
    ),
    Row(
        key="shortest-queue",
        name="Join the shortest of d queues",
        law="Many servers: sum over i of lambda^((d^i - d) / (d - 1)); 1 / (1 - lambda) for d = 1.",
        source="Mitzenmacher 2001; Vvedenskaya, Dobrushin and Karpelevich 1996",
        measure=shortest_of,
        cases=[
            Case(
                f"d = {d}, lambda = {load}",
                supermarket(d, load),
                (d, load, 100, tasks, times),
                slow=True,
                thorough=d == 3,
            )
            for d, load, tasks, times in (
                (2, 0.5, 4_000, 8),
                (2, 0.9, 32_000, 4),
                (3, 0.9, 16_000, 12),
            )
        ],
        tolerance=Tolerance(share=0.04),
        note="With 100 servers the time is up to 2 % longer than with infinitely many.",
    ),
    Row(
        key="number-in-system",
        name="Number in a system of three servers",
        law="Birth and death with rates 10 and 12 min(k, 3): also that of a processor shared by up "
        "to three.",
        source="Erlang 1917; documentation of Ciw, capacity-limited processor sharing",
        measure=number_in_system,
        cases=[
            Case(f"{k} tasks", share, (k,), slow=True)
            for k, share in enumerate((0.4321, 0.3601, 0.15, 0.0417, 0.0116, 0.0032))
        ],
        tolerance=Tolerance(absolute=0.01, z=4),
    ),
    Row(
        key="processor-sharing",
        name="Processor sharing",
        law="M/G/1-PS: 1 / (mu - lambda) whatever the service time; here deterministic, load 0.8.",
        source="Kleinrock 1976; Sakata, Noguchi and Oizumi 1971",
        measure=time_with_deterministic_service,
        cases=[Case("", 5.0, slow=True)],
        tolerance=THREE_PERCENT,
        not_reached="Agents and providers serve one request after the other: calls in service do "
        "not slow each other down, and the time is that of M/D/1. With exponential services the "
        "means of both disciplines are the same.",
    ),
    Row(
        key="stolen-work",
        name="Agents who steal are one queue",
        law="Nobody is idle while a task waits: the wait of M/M/4 at load 1/2, C / (4 mu - "
        "lambda).",
        source="Erlang 1917",
        measure=wait_if_stolen,
        cases=[Case("", erlang_c(4, 0.5) / 2, (2000, 45), slow=True)],
        tolerance=Tolerance(share=0.1, z=4),
        note="Without stealing each agent is E4/M/1, with a wait five times as long.",
    ),
    Row(
        key="little",
        name="Little's law",
        law="L = lambda W for the waiting tasks of every run; largest distance as a share of L.",
        source="Little 1961",
        measure=off_littles_law,
        cases=[Case(f"c = {c}, load {load}", 0, (c, load)) for c, load in ((1, 0.8), (4, 0.9))],
    ),
    Row(
        key="flow-balance",
        name="What comes goes",
        law="At any time, arrivals less departures wait or are served, no more than c at a time, "
        "and none waits while one of c is free; largest number of tasks off.",
        source="Denning and Buzen 1978",
        measure=unbalanced,
        cases=[Case(f"c = {c}, load {load}", 0, (c, load)) for c, load in ((1, 0.8), (4, 0.9))],
    ),
    Row(
        key="utilisation",
        name="The utilisation law",
        law="U = lambda S / c over every run; largest distance.",
        source="Denning and Buzen 1978",
        measure=off_the_utilisation_law,
        cases=[Case(f"c = {c}, load {load}", 0, (c, load)) for c, load in ((1, 0.8), (4, 0.9))],
    ),
]
