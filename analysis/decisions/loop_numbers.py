"""The numbers of a scenario that govern its agents' loops: turns, tools, stations, the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.distributions import Distribution
from simulator.scenario import Scenario
from simulator.scenario.context import PromptCache

_SCALES = ("value", "mean", "median", "scale", "minimum", "high")
"""Fields of distributions that say how large the draws are, one for each."""


@dataclass(frozen=True)
class LoopNumber:
    """A number that governs loops.

    Attributes
    ----------
    path : str
        Its dotted path.
    what : {'turns', 'end', 'tool', 'sub-agents', 'station', 'cache'}
        What it is: turns, the probability that a turn is the last, seconds of a tool, sub-agents
        that a tool starts, places of a station, seconds that a cache lives.
    label : str
        In words.
    now : float
        Its value in the scenario.
    """

    path: str
    what: str
    label: str
    now: float

    @property
    def is_whole(self) -> bool:
        """Whether it counts something."""
        return self.what in ("station", "sub-agents")


def loop_numbers(scenario: Scenario) -> list[LoopNumber]:
    """Return the numbers above 0 that govern the loops of ``team.agent``; none without loops.

    Parameters
    ----------
    scenario : Scenario
    """
    agent = scenario.team.agent
    if agent is None or agent.loop is None or not agent.loops:
        return []
    return [each for each in _found(scenario) if each.now > 0.0]


def _found(scenario: Scenario) -> Iterator[LoopNumber]:
    agent = scenario.team.agent
    assert agent is not None
    assert agent.loop is not None
    loop, cache = agent.loop, agent.context.prompt_cache
    if loop.turns is not None:
        yield from _scale("team.agent.loop.turns", loop.turns, "turns", "turns of a loop")
    if loop.end_probability is not None:
        path = "team.agent.loop.end_probability"
        yield LoopNumber(path, "end", "probability that a turn is the last", loop.end_probability)
    for name, tool in agent.tools.items():
        path = f"team.agent.tools.{name}"
        if tool.starts is not None:
            yield from _scale(f"{path}.calls", tool.calls, "sub-agents", f"sub-agents of {name}")
        else:
            yield from _scale(f"{path}.seconds", tool.seconds, "tool", f"seconds of {name}")
    for name, station in scenario.stations.items():
        path = f"stations.{name}.concurrency"
        yield LoopNumber(path, "station", f"places of station {name}", station.concurrency)
    if isinstance(cache, PromptCache) and cache.life_s is not None:
        path = "team.agent.context.cache.life_s"
        yield LoopNumber(path, "cache", "seconds that the cache lives", cache.life_s)


def _scale(path: str, drawn: Distribution, what: str, label: str) -> Iterator[LoopNumber]:
    """Yield the number that says how large the draws of a distribution are, if it has one."""
    for name in _SCALES:
        value = getattr(drawn, name, None)
        if isinstance(value, (int, float)):
            said = label if name == "value" else f"{label} ({name})"
            yield LoopNumber(f"{path}.{name}", what, said, float(value))
            return
