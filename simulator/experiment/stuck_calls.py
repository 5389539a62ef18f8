"""Tells, before experiments begin, whether calls are given up that would have come to an end.

A detector may take them for stuck, or a time-out be shorter than nearly all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from simulator import special
from simulator.distributions import Distribution
from simulator.model.latency import LatencyModel
from simulator.model.streams import always
from simulator.scenario import Scenario
from simulator.scenario.agent import Agent
from simulator.scenario.subagents import Subagents


def falsely_stuck(scenario: Scenario) -> str | None:
    """Return a warning if the detector's time is shorter than half of the calls of some agents.

    Time without progress is the service of a call or of a turn, or a tool's. Waits, and what is
    sent again, come on top.
    """
    detector = scenario.resilience.detector
    if detector is None or detector.progress_s is None:
        return None
    progress_s = detector.progress_s
    found = [each for each in _typical(scenario, 0.5) if each[1] > progress_s]
    if not found:
        return None
    what, seconds, _ = max(found, key=lambda each: each[1])
    return (
        f"resilience.detector.progress_s is {progress_s:g} s, and half of {what} take "
        f"{seconds:.3g} s or more: they are taken for stuck, cancelled and begun anew, and a run "
        f"may go on to limits.max_calls ({scenario.limits.max_calls:,}); make it longer than "
        "nearly all of them take"
    )


def never_in_time(scenario: Scenario) -> str | None:
    """Return a warning if the time-out is shorter than nine in ten of the calls of some agents."""
    timeout, fallback = scenario.resilience.timeout, scenario.resilience.fallback
    if timeout is None or timeout.percentile is not None or fallback is not None:
        return None
    seconds = timeout.seconds
    found = [each for each in _typical(scenario, 0.1) if each[1] > seconds and not each[2]]
    if not found:
        return None
    what, quick, _ = max(found, key=lambda each: each[1])
    return (
        f"resilience.timeout.seconds is {seconds:g} s, and nine in ten of {what} take {quick:.3g} "
        "s or more: they time out and are sent again, and a run may go on to limits.max_calls "
        f"({scenario.limits.max_calls:,}); make it longer than nearly all of them take"
    )


def _typical(scenario: Scenario, share: float) -> Iterator[tuple[str, float, bool]]:
    """Yield kinds of steps without progress, a quantile of their seconds, and if they are tools'.

    It is that of which each part takes the quantile of this share: exact for the median of one
    part.
    """
    team = scenario.team
    size = getattr(scenario.workload, "size", 1.0)
    work = float(size) if isinstance(size, (int, float)) else 1.0
    others = None if team.size else team.agent  # whoever has no agent of its own
    who: dict[str, Agent | None] = {"": team.agent if team.size else None}
    for name, group in (team.groups or {}).items():
        who[f" of group {name!r}"] = group.agent if group.size else None
    for role, own in (("coordinator", team.coordinator), ("verifier", team.verifier)):
        who[f" of the {role}"] = (own or others) if scenario.staff[role] else None
    there = {of: agent for of, agent in who.items() if agent is not None}
    for of, agent in there.items():
        yield from _steps(agent, work, of, share)
    for name, kind in _started(list(there.values()), team.subagents).items():
        yield from _steps(kind, 1.0, f" of sub-agents {name!r}", share)


def _started(agents: list[Agent], subagents: Subagents | None) -> dict[str, Agent]:
    """Return the kinds of sub-agents that agents start, or that these start in turn."""
    if subagents is None or subagents.max_total == 0:
        return {}
    found: dict[str, Agent] = {}
    starting = list(agents)
    while starting:
        agent = starting.pop()
        for tool in agent.tools.values() if agent.loops else ():
            if tool.starts is None or tool.chance == 0.0 or tool.starts.agent in found:
                continue
            found[tool.starts.agent] = subagents.kinds[tool.starts.agent]
            starting.append(found[tool.starts.agent])
    return found


def _steps(agent: Agent, work: float, of: str, share: float) -> Iterator[tuple[str, float, bool]]:
    loop, turns = agent.loop, 1.0
    if loop is not None:
        if loop.turns is not None:
            turns = max(1.0, _quantile(loop.turns, 0.5))
        elif loop.end_probability is not None:
            turns = 1.0 / loop.end_probability
        elif loop.work_per_turn is not None:
            turns = max(1.0, work / loop.work_per_turn)
    output = _quantile(agent.tokens.output, share) + agent.tokens.per_work_unit * work / turns
    latency = LatencyModel.of(agent.latency).sampler(
        lambda drawn, purpose: always(_quantile(drawn, share))
    )
    seconds = latency(work / turns, int(agent.context.system_tokens), 0, int(output))
    yield f"the {'turns' if agent.loops else 'calls'}{of}", seconds / agent.speed, False
    for name, tool in agent.tools.items() if agent.loops else ():
        if tool.starts is None and not tool.background and tool.chance > 0.0:
            seconds = _quantile(tool.seconds, share)
            if tool.timeout_s is not None:
                seconds = min(seconds, tool.timeout_s)
            yield f"the calls of tool {name!r}{of}", seconds, True


def _quantile(drawn: Distribution, share: float) -> float:
    """Return a quantile of the draws, of which each effect on them takes that of this share."""
    effects = float(special.ndtri(share)) * math.hypot(*drawn.sigmas)
    return float(drawn.transform(np.asarray([share]))[0]) * math.exp(effects)
