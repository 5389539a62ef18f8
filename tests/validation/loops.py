"""Agents in loops: models, tools, caches and people."""

from __future__ import annotations

import functools
import math
from typing import Any

from scipy import stats

from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Trace
from tests.conftest import agent, exponential, run, runs, scenario
from tests.engine.test_subagents import asking, lasting
from tests.validation.laws import harmonic, kth_of, repairman
from tests.validation.rows import (
    ONE_PERCENT,
    Below,
    Case,
    Found,
    Row,
    Tolerance,
    controlled,
    mean,
    share,
)

SYSTEM, GROWS = 1000, 500
RUN_S = 4000.0


def looping(turns: Any, tools: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return an agent whose prompt grows by 500 tokens with every turn."""
    context = {"system_tokens": SYSTEM, "board_tokens_per_task": 0, "turn_tokens": GROWS - 100}
    context |= {"window_tokens": 1e9} | fields.pop("context", {})
    loop = turns if isinstance(turns, dict) else {"turns": turns}
    uses = {"tools": tools} if tools else {}
    return agent(tokens={"output": 100}, context=context, loop=loop, **uses, **fields)


RUNS = {(8, 10, 4, 2): 44}
"""Where waits need more than twelve."""


@functools.cache
def crew(n: int, think_s: float, serve_s: float, servers: int) -> list[Metrics]:
    """Run agents whose loops use one station after every turn; a closed network.

    A loop is a quarter longer than what an agent does in a run that never has to wait.
    """
    turns = round(1.25 * RUN_S / (think_s + serve_s))
    tools = {"ci": {"seconds": exponential(serve_s)["base"], "station": "ci"}}
    who = looping({"turns": turns, "max_turns": turns}, tools, latency=exponential(think_s))
    return runs(
        RUNS.get((n, think_s, serve_s, servers), 12),
        team={"size": n, "agent": who},
        stations={"ci": {"concurrency": servers}},
        workload__tasks=n,
        coordination__timing="asynchronous",
        limits={"deadline_s": RUN_S},
    )


def throughput(n: int, think_s: float, serve_s: float, servers: int) -> Found:
    """Return the calls of the tool a second."""
    crews = crew(n, think_s, serve_s, servers)
    calls = [m.tool_calls / m.makespan_s for m in crews]
    return controlled(calls, _beyond_their_time(crews, n, think_s, serve_s), [0.0, 0.0])


def wait_at_station(n: int, think_s: float, serve_s: float, servers: int) -> Found:
    """Return the mean wait of a call of the tool."""
    crews = crew(n, think_s, serve_s, servers)
    waits = [m.tool_wait_s / m.tool_calls for m in crews]
    return controlled(waits, _beyond_their_time(crews, n, think_s, serve_s), [0.0, 0.0])


def _beyond_their_time(
    crews: list[Metrics], n: int, think_s: float, serve_s: float
) -> list[list[float]]:
    """Return turns and calls a second beyond what the time spent on them makes, 0 in the mean."""
    beyond = []
    for m in crews:
        thinking_s = n * m.makespan_s - m.tool_s - m.tool_wait_s
        turns, calls = m.turns - thinking_s / think_s, m.tool_calls - m.tool_s / serve_s
        beyond.append([turns / m.makespan_s, calls / m.makespan_s])
    return beyond


def above_the_asymptotes(n: int, think_s: float, serve_s: float, servers: int) -> Found:
    """Return the throughput over the least of n / (Z + S) and c / S."""
    bound = min(n / (think_s + serve_s), servers / serve_s)
    each = throughput(n, think_s, serve_s, servers)
    return Found(each.value / bound, each.error / bound)


THINK_S, TURNS = 9.0, 6


def steady_crew(n: int) -> Found:
    """Return the seconds of agents who think for 9 s, use one tool for 1 s, and so on."""
    tools = {"ci": {"seconds": 1, "station": "ci"}}
    m = run(
        team={"size": n, "agent": looping(TURNS, tools, latency={"kind": "seconds", "base": 9})},
        stations={"ci": {"concurrency": 1}},
        workload__tasks=n,
        coordination__timing="asynchronous",
    )
    return Found(m.makespan_s)


def _steady(n: int) -> float:
    """Return the longer of what one agent needs, after the others at first, and what the tool."""
    uses = TURNS - 1
    alone = TURNS * THINK_S + uses
    return max(alone + n - 1, THINK_S + n * uses + THINK_S)


def tokens_of_a_loop(turns: int, what: str) -> Found:
    """Return the tokens that a loop reads, all of them or those that no cache holds."""
    m = run(team__agent=looping(turns), workload__tasks=1)
    return Found(m.input_tokens - (m.cached_tokens if what == "uncached" else 0))


@functools.cache
def waits_with_a_cache(gap_s: float, life_s: float) -> tuple[Found, Found]:
    """Return how often a cache survives a tool of exponential length, and tokens read anew.

    The tokens are those that have expired over those of prompts that no cache held.
    """
    turns, times = 2001, 21
    hits, expired, uncached = 0, 0, 0
    tools = {"look": {"seconds": exponential(gap_s)["base"]}}
    context = {"cache": {"life_s": life_s}, "system_tokens": 0}
    who = looping({"turns": turns, "max_turns": 3000}, tools, context=context)
    simulation = Simulation(
        scenario(team__agent=who, workload__tasks=1, coordination__timing="asynchronous")
    )
    for replication in range(times):
        trace = Trace()
        metrics = simulation.run(replication, trace)
        rows = [r for r in trace.rows if r.event in (Event.TURN, Event.CALL_END)]
        hits += sum(bool(row.cached_tokens) for row in rows[2:])
        expired += metrics.expired_tokens
        # A first prompt is nobody's yet; of each other one, all but what is new was read before.
        uncached += sum(row.input_tokens - GROWS for row in rows[1:] if not row.cached_tokens)
    return share(hits, times * (turns - 2)), Found(expired / uncached)


def cache_survives(gap_s: float, life_s: float) -> Found:
    """Return the share of waits after which the prompt is still in the cache."""
    return waits_with_a_cache(gap_s, life_s)[0]


def read_anew(gap_s: float, life_s: float) -> Found:
    """Return the tokens that have expired over those of prompts that no cache held."""
    return waits_with_a_cache(gap_s, life_s)[1]


@functools.cache
def random_loops() -> list[float]:
    """Return the seconds of 64,000 loops with a geometric number of exponential turns of 2 s."""
    loop = {"end_probability": 0.25, "max_turns": 1000}
    trace = Trace()
    who = looping(loop, latency=exponential(2), context={"retention": 0})
    Simulation(
        scenario(
            team__agent=who,
            workload__tasks=LOOPS,
            coordination__timing="asynchronous",
            seed=1,
        )
    ).run(0, trace)
    begun: dict[int | None, float] = {}
    found = []
    for row in trace.rows:
        if row.event is Event.CALL_START:
            begun[row.call] = row.time_s
        elif row.event is Event.CALL_END:
            found.append(row.time_s - begun.pop(row.call))
    assert len(found) == LOOPS
    return found


def loop_seconds() -> Found:
    """Return the mean."""
    return mean(random_loops())


def loops_longer_than(limit: float) -> Found:
    """Return the share of loops with a geometric number of turns that take longer."""
    found = random_loops()
    return share(sum(each > limit for each in found), len(found))


def parallel_tools(calls: int) -> Found:
    """Return the wait for so many tools of exponential length at the same time, over their mean.

    The mean of all tools is the control.
    """
    tools = {"test": {"seconds": exponential(6)["base"], "calls": calls}}
    found = runs(
        40,
        team__agent=looping({"turns": 201, "max_turns": 201}, tools),
        workload__tasks=1,
        coordination__timing="asynchronous",
    )
    waits = [m.on_tools_s / 200 / 6 for m in found]
    return controlled(waits, [[m.tool_s / m.tool_calls / 6] for m in found], [1.0])


def parallel_subagents(wait_for: Any, needed: int) -> Found:
    """Return the wait for some of five sub-agents, each of one lognormal turn, over its median."""
    seconds = {"kind": "lognormal", "median": 10, "sigma": SIGMA}
    team = asking(lasting(seconds), turns=41, calls=5, wait_for=wait_for)
    found = runs(100, team=team, workload__tasks=1)
    # What is not needed any more is cancelled.
    assert all(m.failed_calls == 40 * (5 - needed) for m in found)
    assert all(m.sub_agents == 200 and m.sub_agents_failed == 0 for m in found)
    return mean(m.on_subagents_s / 40 / 10 for m in found)


def limited_output(reserved: int, refunds: bool) -> Found:
    """Return the calls a minute at 6,000 output tokens a minute, of calls that write 100 in 1 s."""
    tasks, burst = 60, 10
    provider = {
        "output_tokens_per_minute": 6000,
        "burst_s": burst,
        "refunds_output": refunds,
        "retry": {"max_retries": 99, "lag": 0, "base_s": 1e-9, "cap_s": 1e-9},
    }
    m = run(
        team={"size": 1, "agent": agent(tokens={"output": 100, "max_tokens": reserved})},
        provider=provider,
        workload__tasks=tasks,
    )
    # The bucket is full at first: what it holds beyond one call is not throughput.
    free = 0 if refunds else (100 * burst - max(100, reserved)) / max(100, reserved)
    return Found(60 * (tasks - 1 - free) / (m.makespan_s - 1))


CREWS = [(2, 9, 1, 1), (5, 9, 1, 1), (5, 2, 1, 1), (20, 9, 1, 1), (8, 10, 4, 2), (6, 4, 9, 3)]
WAITING = CREWS[2:]
SIGMA = 0.3
LOOPS = 64_000


def _crew(n: int, think_s: float, serve_s: float, servers: int) -> str:
    return f"n = {n}, Z = {think_s}, S = {serve_s}, c = {servers}"


ROWS = [
    Row(
        key="shared-tool",
        name="Agents who share a tool: throughput",
        law="Machine repairman M/M/c//n: n agents think for Z and then queue for S.",
        source="Kleinrock 1975; Reiser and Lavenberg 1980",
        measure=throughput,
        cases=[Case(_crew(*it), repairman(*it)[0], it, slow=True) for it in CREWS],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="shared-tool-wait",
        name="Agents who share a tool: wait",
        law="The same.",
        source="Kleinrock 1975; Reiser and Lavenberg 1980",
        measure=wait_at_station,
        cases=[Case(_crew(*it), repairman(*it)[1], it, slow=True) for it in WAITING],
        tolerance=ONE_PERCENT,
        thorough=True,
    ),
    Row(
        key="shared-tool-asymptotes",
        name="Asymptotes of a shared tool",
        law="X <= min(n / (Z + S), c / S): the throughput as a share of it.",
        source="Denning and Buzen 1978",
        measure=above_the_asymptotes,
        cases=[Case(_crew(*it), 1.0, it, slow=True) for it in ((5, 9, 1, 1), (8, 10, 4, 2))],
        tolerance=Below(),
    ),
    Row(
        key="shared-tool-knee",
        name="The knee of a shared tool",
        law="n* = (Z + S) / S agents keep it busy, here 10. With steady times fewer never wait "
        "after the first turn: T Z + (T - 1) S + (n - 1) S. More are as fast as the tool: "
        "2 Z + n (T - 1) S. Z = 9, S = 1, T = 6.",
        source="Denning and Buzen 1978",
        measure=steady_crew,
        cases=[Case(f"n = {n}", _steady(n), (n,)) for n in (1, 2, 9, 10, 11, 20, 40)],
    ),
    Row(
        key="loop-tokens",
        name="Tokens of a loop",
        law="T turns read s T + u T (T - 1) / 2, of which no cache holds s + u (T - 1); s = 1,000, "
        "u = 500.",
        source="counting",
        measure=tokens_of_a_loop,
        cases=[
            Case(
                f"T = {t}, {what}",
                SYSTEM * t + GROWS * t * (t - 1) // 2
                if what == "all"
                else SYSTEM + GROWS * (t - 1),
                (t, what),
            )
            for t in (1, 2, 7, 50)
            for what in ("all", "uncached")
        ],
    ),
    Row(
        key="cache-survives",
        name="Prompt caches survive waits",
        law="An exponential wait of mean m with probability 1 - exp(-l / m) if they live for l = "
        "300 s.",
        source="exponential distribution",
        measure=cache_survives,
        cases=[
            Case(f"m = {m} s", 1 - math.exp(-300 / m), (m, 300), True, Tolerance(share=near, z=4))
            for m, near in ((60, 0.01), (300, 0.01), (3600, 0.05))
        ],
        note="1 % is asked; 42,000 waits, of which one in twelve is short enough, resolve 5 %.",
    ),
    Row(
        key="read-anew",
        name="Tokens that are read anew",
        law="All that was read before of prompts whose cache has died, and of no others.",
        source="counting",
        measure=read_anew,
        cases=[Case(f"m = {m} s", 1.0, (m, 300), slow=True) for m in (300, 3600)],
        note="How many die is the row before.",
    ),
    Row(
        key="loop-seconds",
        name="Seconds of loops with a random number of turns",
        law="E[turns] E[seconds of a turn].",
        source="Wald 1944",
        measure=loop_seconds,
        cases=[Case("geometric, 4 turns", 8.0, slow=True)],
        tolerance=ONE_PERCENT,
        thorough=True,
    ),
    Row(
        key="geometric-loops",
        name="Geometric loops are exponential",
        law="A geometric number of exponential turns is exponential: exp(-t / 8) are longer.",
        source="Wald 1944; Feller 1971",
        measure=loops_longer_than,
        cases=[
            Case(f"t = {t} s", math.exp(-t / 8), (t,), True, Tolerance(share=near, z=4))
            for t, near in ((2, 0.01), (8, 0.02), (24, 0.05))
        ],
        note="1 % is asked; of the longer ones it would take up to 25 times as many loops.",
        thorough=True,
    ),
    Row(
        key="parallel-tools",
        name="Tools at the same time",
        law="The longest of k exponential: H_k.",
        source="order statistics, David and Nagaraja 2003",
        measure=parallel_tools,
        cases=[Case(f"k = {k}", harmonic(k), (k,), slow=k > 2) for k in (2, 5)],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="parallel-subagents",
        name="Sub-agents at the same time",
        law="The k-th of five: integral of P(less than k of five are done by t), lognormal, sigma "
        "= 0.3.",
        source="order statistics, David and Nagaraja 2003",
        measure=parallel_subagents,
        cases=[
            Case(f"k = {k}", kth_of(stats.lognorm(SIGMA), k, 5), (wait_for, k), slow=True)
            for wait_for, k in (("all", 5), (3, 3), ("any", 1))
        ],
        tolerance=ONE_PERCENT,
        thorough=True,
    ),
    Row(
        key="limited-output",
        name="Limits on output tokens",
        law="Calls a minute: the limit by what each reserves, unless it gives the rest back; 6,000 "
        "tokens a minute, 100 written.",
        source="identity",
        measure=limited_output,
        cases=[
            Case(
                f"{reserved} reserved{', rest given back' if refunds else ''}",
                60 if refunds else 6000 / max(100, reserved),
                (reserved, refunds),
            )
            for reserved in (200, 400, 1000)
            for refunds in (False, True)
        ],
    ),
]
