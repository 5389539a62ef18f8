"""The programs that are measured beside each other: ours, hand-written ones, other packages.

Each function returns a function that runs the program once and returns what it has done: calls
of a team (`TEAM`) or jobs of a queue (`QUEUE`).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import simpy

from simulator.engine import Simulation
from simulator.scenario import parse_study

Program = Callable[[], int]

TEAM = """
name: bench
team:
  size: {n}
  agent:
    latency: {{kind: seconds, base: {{kind: lognormal, median: 8, sigma: 0.6}}}}
    context: {{board_tokens_per_task: 0}}
    tokens: {tokens}
topology: {topology}
coordination: {{protocol: {protocol}, timing: {timing}{more}}}
workload: {{kind: parallel_fraction, tasks: {tasks}, parallel_fraction: 1}}
workspace: {workspace}
resilience: {resilience}
"""
"""n agents, each taking one open task at a time, log-normal durations, until the tasks are done."""

LOOPS = """
name: loops
team:
  size: {n}
  agent:
    latency: {{kind: seconds, base: {{kind: lognormal, median: 8, sigma: 0.6}}}}
    context: {{board_tokens_per_task: 0}}
    tokens: {{output: 300}}
    loop: {{turns: {turns}}}
    tools: {tools}
topology: {{kind: independent, aggregate: false}}
coordination:
  protocol: {{kind: self_claim, claims: immediate, choice: first}}
  timing: asynchronous
workload: {{kind: parallel_fraction, tasks: {n}, parallel_fraction: 1}}
stations: {{ci: {{concurrency: {places}}}}}
"""
"""n agents, each in a loop whose turns call the `tools`, one of which waits for a place at a CI."""

TOOLS = """
      read: {seconds: {kind: exponential, mean: 1}, result_tokens: 500}
      edit: {seconds: {kind: exponential, mean: 2}, result_tokens: 100}
      tests: {seconds: {kind: lognormal, median: 20, sigma: 0.8}, result_tokens: 1500, station: ci}
"""
"""Three tools, all of which every turn calls."""

QUEUE = """
name: queue
team:
  size: 4
  agent:
    latency: {{kind: seconds, base: 0.1}}
    context: {{board_tokens_per_task: 0}}
topology: {{kind: independent, aggregate: false}}
coordination:
  protocol: {{kind: self_claim, claims: immediate, choice: first}}
  timing: asynchronous
workload:
  kind: arrivals
  tasks: {jobs}
  interarrival_s: {{kind: exponential, mean: 0.03125}}
"""
"""M/D/4 at load 0.8: Poisson arrivals, four servers, a tenth of a second each."""

_RATE, _SERVICE_S, _SERVERS = 32.0, 0.1, 4


def team(n: int, calls_each: int, **fields: str) -> Program:
    """Return the simulator on `TEAM`; `fields` are those of the scenario."""
    said = {
        "topology": "decentralised",
        "protocol": "pre_assigned",
        "timing": "rounds",
        "workspace": "last_writer_wins",
        "more": "",
        "resilience": "{}",
        "tokens": "{}",
        **fields,
    }
    simulation = Simulation(parse_study(TEAM.format(n=n, tasks=n * calls_each, **said)).base)
    return lambda: simulation.run(0).calls


def loops(n: int, turns: int, tools: str) -> Program:
    """Return the simulator on `LOOPS`, with a place at the CI for every tenth agent."""
    text = LOOPS.format(n=n, turns=turns, tools=tools, places=max(1, n // 10))
    simulation = Simulation(parse_study(text).base)
    return lambda: simulation.run(0).calls


def bare_heap(n: int, calls_each: int) -> Program:
    """Return a loop on a heap without any framework: the limit of what Python can do."""

    def run() -> int:
        rng, heap, left, calls = np.random.default_rng(0), list[Any](), n * calls_each, 0
        draws = iter(rng.lognormal(2.08, 0.6, size=left + n).tolist())
        for agent in range(n):
            heapq.heappush(heap, (next(draws), agent))
        while heap:
            now, agent = heapq.heappop(heap)
            calls += 1
            left -= 1
            if left >= n:
                heapq.heappush(heap, (now + next(draws), agent))
        return calls

    return run


def process_a_call(n: int, calls_each: int) -> Program:
    """Return the SimPy program of the documentation: a process a call, `all_of` as the barrier."""

    def run() -> int:
        env, rng = simpy.Environment(), np.random.default_rng(0)
        tasks, calls = deque(range(n * calls_each)), 0

        def agent(task: int) -> Iterator[simpy.Event]:
            nonlocal calls
            yield env.timeout(rng.lognormal(2.08, 0.6))
            calls += 1

        def rounds() -> Iterator[simpy.Event]:
            while tasks:
                yield env.all_of([env.process(agent(tasks.popleft())) for _ in range(n)])

        env.process(rounds())
        env.run()
        return calls

    return run


def process_an_agent(n: int, calls_each: int) -> Program:
    """Return the leanest SimPy program with rounds: a process an agent and a counting barrier."""

    def run() -> int:
        env, rng = simpy.Environment(), np.random.default_rng(0)
        tasks, calls = deque(range(n * calls_each)), 0
        barrier, waiting = env.event(), 0

        def agent() -> Iterator[simpy.Event]:
            nonlocal barrier, calls, waiting
            while tasks:
                tasks.popleft()
                yield env.timeout(rng.lognormal(2.08, 0.6))
                calls += 1
                waiting += 1
                if waiting == n:
                    waiting, full, barrier = 0, barrier, env.event()
                    full.succeed()
                else:
                    yield barrier

        for _ in range(n):
            env.process(agent())
        env.run()
        return calls

    return run


def tasks_in_a_store(n: int, calls_each: int) -> Program:
    """Return SimPy agents who get their tasks from a `Store`, without rounds."""

    def run() -> int:
        env, rng = simpy.Environment(), np.random.default_rng(0)
        tasks, calls = simpy.Store(env), 0
        tasks.items.extend(range(n * calls_each))

        def agent() -> Iterator[simpy.Event]:
            nonlocal calls
            while True:
                yield tasks.get()
                yield env.timeout(rng.lognormal(2.08, 0.6))
                calls += 1

        for _ in range(n):
            env.process(agent())
        env.run()
        return calls

    return run


def agents_as_a_resource(n: int, calls_each: int) -> Program:
    """Return SimPy tasks that request one of n agents, a `Resource`, without rounds."""

    def run() -> int:
        env, rng = simpy.Environment(), np.random.default_rng(0)
        agents, calls = simpy.Resource(env, capacity=n), 0

        def task() -> Iterator[simpy.Event]:
            nonlocal calls
            with agents.request() as mine:
                yield mine
                yield env.timeout(rng.lognormal(2.08, 0.6))
                calls += 1

        for _ in range(n * calls_each):
            env.process(task())
        env.run()
        return calls

    return run


def queue(seconds: float) -> Program:
    """Return the simulator on `QUEUE`, for as many jobs as arrive in so many seconds."""
    simulation = Simulation(parse_study(QUEUE.format(jobs=int(_RATE * seconds))).base)
    return lambda: simulation.run(0).tasks_done


def queue_simpy(seconds: float) -> Program:
    """Return a hand-written SimPy program of the same queue."""

    def run() -> int:
        env, rng = simpy.Environment(), np.random.default_rng(0)
        servers, done = simpy.Resource(env, capacity=_SERVERS), 0

        def job() -> Iterator[simpy.Event]:
            nonlocal done
            with servers.request() as mine:
                yield mine
                yield env.timeout(_SERVICE_S)
                done += 1

        def source() -> Iterator[simpy.Event]:
            while True:
                yield env.timeout(rng.exponential(1.0 / _RATE))
                env.process(job())

        env.process(source())
        env.run(until=seconds)
        return done

    return run


def queue_ciw(seconds: float) -> Program:
    """Return the same queue in Ciw."""
    import ciw

    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(_RATE)],
        service_distributions=[ciw.dists.Deterministic(_SERVICE_S)],
        number_of_servers=[_SERVERS],
    )

    def run() -> int:
        ciw.seed(0)
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_time(seconds)
        return len(simulation.get_all_records())

    return run


def queue_salabim(seconds: float) -> Program:
    """Return the same queue in salabim, as its manual shows it: a component a job."""
    import salabim

    def run() -> int:
        salabim.yieldless(False)  # its faster mode
        env = salabim.Environment(trace=False, random_seed=0)
        servers = salabim.Resource("servers", capacity=_SERVERS, monitor=False)
        gap, done = salabim.Exponential(1.0 / _RATE), 0

        class Job(salabim.Component):
            def process(self) -> Iterator[Any]:
                nonlocal done
                yield self.request(servers)
                yield self.hold(_SERVICE_S)
                self.release()
                done += 1

        class Source(salabim.Component):
            def process(self) -> Iterator[Any]:
                while True:
                    yield self.hold(gap.sample())
                    Job()

        Source()
        env.run(seconds)
        return done

    return run


def queue_asyncflow(seconds: float) -> Program:
    """Return the same queue in AsyncFlow: a server of four cores, edges that take no time."""
    from asyncflow.runtime.simulation_runner import SimulationRunner
    from asyncflow.schemas.payload import SimulationPayload

    def edge(name: str, source: str, target: str) -> dict[str, Any]:
        latency = {"mean": 1e-9, "distribution": "exponential"}
        ends = {"id": name, "source": source, "target": target}
        return {**ends, "latency": latency, "dropout_rate": 0}

    step = {"kind": "cpu_bound_operation", "step_operation": {"cpu_time": _SERVICE_S}}
    server = {
        "id": "server",
        "server_resources": {"cpu_cores": _SERVERS, "ram_mb": 1024},
        "endpoints": [{"endpoint_name": "job", "steps": [step]}],
    }
    users = {"mean": 60 * _RATE, "distribution": "normal", "variance": 1e-9}
    payload = SimulationPayload.model_validate(
        {
            "rqs_input": {
                "id": "source",
                "avg_active_users": users,
                "avg_request_per_minute_per_user": {"mean": 1, "distribution": "poisson"},
                "user_sampling_window": 60,
            },
            "topology_graph": {
                "nodes": {"client": {"id": "client"}, "servers": [server]},
                "edges": [
                    edge("in", "source", "client"),
                    edge("to", "client", "server"),
                    edge("back", "server", "client"),
                ],
            },
            "sim_settings": {"total_simulation_time": int(seconds), "sample_period_s": 0.1},
        }
    )

    def run() -> int:
        found = SimulationRunner(env=simpy.Environment(), simulation_input=payload).run()
        return int(found.get_latency_stats()["total_requests"])

    return run
