"""Tells, before experiments begin, whether calls come to nothing that would have come to an end.

A detector may take them for stuck, or a time-out or a lease be shorter than nearly all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple

import numpy as np

from simulator import special
from simulator.distributions import Distribution
from simulator.model.latency import LatencyModel
from simulator.model.protocols.self_claim import SelfClaim
from simulator.model.streams import always
from simulator.model.tasks import AS_SAID, RunFactors
from simulator.model.workloads.resampled import Resampled
from simulator.model.workspaces.locks import Locks
from simulator.scenario import Scenario
from simulator.scenario.agent import Agent
from simulator.scenario.loop import LoopSpec
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


def too_short_lease(scenario: Scenario) -> str | None:
    """Return a warning if a lease is shorter than nine in ten of the calls of some workers.

    A claim that others may take meanwhile is no matter where anyone may mark its task done. The
    claims of a loop, and its locks, last as long as all its turns.
    """
    space, protocol = scenario.workspace, scenario.coordination.protocol
    found: list[tuple[str, float, str]] = []
    if isinstance(space, Locks) and space.lease_s is not None:
        found.append(("workspace", space.lease_s, "what they write is refused"))
    is_seen = False
    if isinstance(protocol, SelfClaim):
        is_seen = protocol.claims == "immediate" and protocol.completion == "owner"
        is_seen = is_seen and scenario.team.worker_count > 1
        if is_seen and protocol.lease_s is not None:
            found.append(("coordination.protocol", protocol.lease_s, _TAKEN))
    if not found and not is_seen:
        return None
    work, factors = _work(scenario), _factors(scenario, 0.1)
    calls = [_whole_call(each, work, of, 0.1, factors) for of, each in _workers(scenario).items()]
    what, quick, _ = max(calls, key=lambda each: each[1])
    for where, lease_s, consequence in found:
        if lease_s < quick:
            return (
                f"{where}.lease_s is {lease_s:g} s, and nine in ten of {what} take {quick:.3g} s "
                f"or more: {consequence}, {_goes_on(scenario)}"
            )
    if not isinstance(protocol, SelfClaim) or protocol.lease_rounds is None or not is_seen:
        return None
    what, _, turns = max(calls, key=lambda each: each[2])
    if scenario.coordination.round_of == "turn" and turns > protocol.lease_rounds + 1:
        return (
            f"coordination.protocol.lease_rounds is {protocol.lease_rounds}, a round is a turn, "
            f"and nine in ten of {what} take {turns:g} turns or more: {_TAKEN}, "
            f"{_goes_on(scenario)}"
        )
    return None


_TAKEN = "another takes the task meanwhile, and what they have done is in vain"


def _goes_on(scenario: Scenario) -> str:
    """Return the end of a warning of a lease that is too short."""
    return (
        f"and a run may go on to limits.max_calls ({scenario.limits.max_calls:,}); make it longer "
        "than nearly all of them take"
    )


def _workers(scenario: Scenario) -> dict[str, Agent]:
    """Return the workers' specifications, by what is said of the calls that are theirs."""
    team = scenario.team
    who = {"": team.agent if team.size else None}
    for name, group in (team.groups or {}).items():
        who[f" of group {name!r}"] = group.agent if group.size else None
    return {of: agent for of, agent in who.items() if agent is not None}


def _work(scenario: Scenario) -> float:
    """Return the work units of a task."""
    size = getattr(scenario.workload, "size", 1.0)
    return float(size) if isinstance(size, (int, float)) else 1.0


def _factors(scenario: Scenario, share: float) -> RunFactors:
    """Return the quantile `share` of each factor of a run's turns, over all turns of all runs."""
    workload = scenario.workload
    if not isinstance(workload, Resampled) or workload.by_work is None:
        return AS_SAID
    work = np.asarray([math.fsum(run.sizes) for run in workload.runs])
    counts = work * [run.weight for run in workload.runs]
    each = np.asarray([astuple(workload.by_work.factors(units)) for units in work.tolist()])
    order = each.argsort(axis=0)
    until = counts[order].cumsum(axis=0)
    places = (until < share * until[-1]).sum(axis=0)  # the first that reaches the share
    return RunFactors(
        *(float(column[i]) for column, i in zip(np.sort(each, 0).T, places, strict=True))
    )


def _typical(scenario: Scenario, share: float) -> Iterator[tuple[str, float, bool]]:
    """Yield kinds of steps without progress, a quantile of their seconds, and if they are tools'.

    It is that of which each part takes the quantile of this share: exact for the median of one
    part.
    """
    team, work = scenario.team, _work(scenario)
    others = None if team.size else team.agent  # whoever has no agent of its own
    workers = _workers(scenario)
    who: dict[str, Agent | None] = {**workers}
    for role, own in (("coordinator", team.coordinator), ("verifier", team.verifier)):
        who[f" of the {role}"] = (own or others) if scenario.staff[role] else None
    there = {of: agent for of, agent in who.items() if agent is not None}
    factors = _factors(scenario, share)
    for of, agent in there.items():
        yield from _steps(agent, work, of, share, factors if of in workers else AS_SAID)
    for name, kind in _started(list(there.values()), team.subagents).items():
        yield from _steps(kind, 1.0, f" of sub-agents {name!r}", share, AS_SAID)


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


def _whole_call(
    agent: Agent, work: float, of: str, share: float, factors: RunFactors
) -> tuple[str, float, float]:
    """Return what an attempt at a task is called, and quantiles of its seconds and its turns."""
    what, seconds, _ = next(_steps(agent, work, of, share, factors))
    if agent.loop is None or not agent.loops:
        return what, seconds, 1.0
    turns = _turns(agent.loop, work, share)
    return f"the loops{of}", turns * seconds, turns


def _turns(loop: LoopSpec, work: float, share: float) -> float:
    """Return a quantile of the turns of a loop."""
    if loop.turns is not None:
        turns = float(round(_quantile(loop.turns, share)))
    elif loop.end_probability is not None and loop.end_probability < 1.0:
        turns = math.ceil(math.log1p(-share) / math.log1p(-loop.end_probability))
    else:
        turns = loop.mean_turns(work)
    return min(max(1.0, turns), float(loop.max_turns))


def _steps(
    agent: Agent, work: float, of: str, share: float, factors: RunFactors
) -> Iterator[tuple[str, float, bool]]:
    loop, turns = agent.loop, 1.0
    if loop is not None:
        if loop.turns is not None:
            turns = max(1.0, _quantile(loop.turns, 0.5))
        elif loop.end_probability is not None:
            turns = 1.0 / loop.end_probability
        elif loop.work_per_turn is not None:
            turns = max(1.0, work / loop.work_per_turn)
    output = _quantile(agent.tokens.output, share) + agent.tokens.per_work_unit * work / turns
    output *= factors.output
    latency = LatencyModel.of(agent.latency).sampler(
        lambda drawn, purpose: always(_quantile(drawn, share))
    )
    seconds = latency(work / turns, int(agent.context.system_tokens), 0, int(output))
    yield f"the {'turns' if agent.loops else 'calls'}{of}", seconds / agent.speed, False
    for name, tool in agent.tools.items() if agent.loops else ():
        if tool.starts is None and not tool.background and tool.chance > 0.0:
            seconds = _quantile(tool.seconds, share) * factors.tools
            if tool.timeout_s is not None:
                seconds = min(seconds, tool.timeout_s)
            yield f"the calls of tool {name!r}{of}", seconds, True


def _quantile(drawn: Distribution, share: float) -> float:
    """Return a quantile of the draws, of which each effect on them takes that of this share."""
    effects = float(special.ndtri(share)) * math.hypot(*drawn.sigmas)
    return float(drawn.transform(np.asarray([share]))[0]) * math.exp(effects)
