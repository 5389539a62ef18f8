"""Agents fed by arrivals against queueing theory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.conftest import scenario

pytestmark = pytest.mark.theory


def erlang_c_wait(servers: int, load: float) -> float:
    """Mean wait in an M/M/c queue with service rate 1 (Erlang 1917)."""
    a = servers * load
    blocked = a**servers / math.factorial(servers) / (1 - load)
    idle = sum(a**k / math.factorial(k) for k in range(servers))
    return blocked / (idle + blocked) / (servers * (1 - load))


def waits(servers: int, load: float, tasks: int, replication: int) -> np.ndarray:
    """Waits of all tasks in order of arrival."""
    simulation = Simulation(
        scenario(
            team__size=servers,
            team__agent__latency={"kind": "seconds", "base": {"kind": "exponential", "mean": 1}},
            coordination__timing="asynchronous",
            workload={
                "kind": "arrivals",
                "tasks": tasks,
                "interarrival_s": {"kind": "exponential", "mean": 1 / (servers * load)},
            },
            seed=11,
        )
    )
    trace = Trace()
    simulation.run(replication, trace)
    ready, begun, found = {}, {}, np.empty(tasks)
    for row in trace.rows:
        if row.event is Event.TASK_READY:
            ready[row.task] = row.time_s
        elif row.event is Event.CALL_START:
            begun[row.call] = row.time_s
        elif row.event is Event.ATTEMPT:
            found[row.task] = begun[row.call] - ready[row.task]
    return found


# Warm-up: several times the relaxation time 1 / (c (1 - sqrt(rho))^2) (Whitt 1989). Twelve
# independent replications; |t| < 3 with 11 degrees of freedom is 98.8 % two-sided, fixed seed.
# Power: at load 0.8 the standard error is about 2 % of the wait, so a bias of 8 % is found with
# probability above 0.8; at load 0.5 it is 4 % at most, and a bias of 16 %.
@pytest.mark.parametrize(
    ("servers", "load", "tasks", "warm_up"),
    [
        (1, 0.5, 6_000, 500),
        (4, 0.5, 6_000, 500),
        pytest.param(1, 0.8, 12_000, 2_000, marks=pytest.mark.slow),
        pytest.param(4, 0.8, 12_000, 2_000, marks=pytest.mark.slow),
        pytest.param(1, 0.95, 60_000, 12_000, marks=pytest.mark.slow),
        pytest.param(4, 0.95, 60_000, 12_000, marks=pytest.mark.slow),
    ],
)
def test_mean_wait_is_erlangs(servers: int, load: float, tasks: int, warm_up: int) -> None:
    means = [waits(servers, load, tasks, r)[warm_up:].mean() for r in range(12)]
    error = np.std(means, ddof=1) / math.sqrt(len(means))
    assert abs(np.mean(means) - erlang_c_wait(servers, load)) < 3 * error


def test_waiting_time_in_the_metrics_is_the_traces() -> None:
    sim = scenario(
        team__size=2,
        coordination__timing="asynchronous",
        workload={
            "kind": "arrivals",
            "tasks": 500,
            "interarrival_s": {"kind": "exponential", "mean": 0.6},
        },
    )
    trace = Trace()
    accumulated = Simulation(sim).run(0, trace)
    begun = {r.call: r.time_s for r in trace.rows if r.event is Event.CALL_START}
    ready = {r.task: r.time_s for r in trace.rows if r.event is Event.TASK_READY}
    found = [begun[r.call] - ready[r.task] for r in trace.rows if r.event is Event.ATTEMPT]
    assert accumulated.task_wait_s == pytest.approx(np.mean(found), rel=1e-12)


@pytest.mark.slow
def test_a_coordinator_with_one_server_is_a_machine_repairman() -> None:
    # N workers think for Z and then queue for the coordinator's S, all exponential:
    # throughput (1 - p0) / S with 1 / p0 = sum_k N! / (N - k)! (S / Z)^k (closed M/M/1//N).
    service, think, n, tasks = 1.0, 9.0, 5, 4_000
    inverse_p0 = sum(
        math.factorial(n) / math.factorial(n - k) * (service / think) ** k for k in range(n + 1)
    )
    rate = (1 - 1 / inverse_p0) / service
    simulation = Simulation(
        scenario(
            team__size=n,
            team__agent={
                "latency": {"kind": "seconds", "base": {"kind": "exponential", "mean": think}},
                "behaviour": {"talk": 1},
            },
            team__coordinator={
                "latency": {"kind": "seconds", "base": {"kind": "exponential", "mean": service}},
            },
            topology="centralised",
            coordination__timing="asynchronous",
            workload__tasks=tasks,
        )
    )
    rates = [tasks / simulation.run(r).makespan_s for r in range(12)]
    error = np.std(rates, ddof=1) / math.sqrt(len(rates))
    assert abs(np.mean(rates) - rate) < 3 * error
