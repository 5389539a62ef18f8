"""What a scenario lets happen seldom: it must be seen before a mean over replications is believed.

Twenty replications without a straggler have a narrow interval, and a wrong one. But the scenario
gives the probability of each rare event, and the results count the chances that it had. Together
they give the expected number of each rare event in the replications, seen or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.distributions import Distribution, Floats
from simulator.distributions.exponential import Exponential
from simulator.distributions.lognormal import Lognormal
from simulator.scenario.agent import Agent
from simulator.scenario.schema import Scenario
from simulator.scenario.tools import mean_count
from simulator.spec import Spec

REPLICATIONS = "replications"
"""Stands for a column that counts one chance in each replication."""


@dataclass(frozen=True, slots=True)
class RareEvent:
    """Something that happens or not at each of many chances."""

    path: str
    """Dotted path of the field that gives its probability."""
    probability: float
    """Probability of the event at each chance."""
    column: str
    """The column of the results that counts the chances, or `REPLICATIONS`."""
    share: float = 1.0
    """Chances of the event for each chance that `column` counts."""

    def expected(self, columns: Mapping[str, Floats], replications: int) -> float:
        """Return the expected number of this event in so many replications.

        Parameters
        ----------
        columns : mapping of str to ndarray, each of shape (replications,)
            Results, `column` among them.
        replications : int
        """
        chances = replications if self.column == REPLICATIONS else float(columns[self.column].sum())
        return self.probability * self.share * chances


@dataclass(frozen=True, slots=True)
class RareOnset:
    """Something that begins after a random time, if the run lasts that long."""

    path: str
    after_s: Distribution
    clocks: int = 1
    """How many agents, or other parts, it may befall, each independently."""
    column: str = "makespan_s"

    def expected(self, columns: Mapping[str, Floats], replications: int) -> float:
        """Return the expected number of cases in which it began, as `RareEvent.expected`."""
        return self.clocks * float(self.after_s.probability_up_to(columns[self.column]).sum())


Event = RareEvent | RareOnset

_Count = tuple[str, float]
"""A column, and the chances for each of what it counts."""


def rare_events(scenario: Scenario, negligible: float) -> list[Event]:
    """Return the rare events of a scenario, with their chances.

    These are faults of agents and provider, errors and lost messages, and the rare tails of all
    distributions (`rare_tail`) and of their effects on runs and agents. Each event has the
    probability that the scenario gives it, or that of its not happening, if that is smaller.

    Parameters
    ----------
    scenario : Scenario
    negligible : float
        A tail that carries less of the mean of its distribution, times the number of workers that
        may wait for one of them, is left out.
    """
    found: list[Event] = []
    for path, agent, share, heads in _agents(scenario):
        found += _faults_of(path, agent, share, heads, _counts(scenario, path, agent, share))
    for path, agent in _subagents(scenario):
        found += _faults_of_subagents(path, agent, _share_of_subagents(scenario))
    found += _faults_of_the_rest(scenario)
    found = [each for each in found if isinstance(each, RareOnset) or each.probability > 0.0]
    return [*found, *_tails(scenario, negligible)]


def endless_tails(scenario: Scenario) -> list[str]:
    """Return where a scenario has distributions of infinite variance.

    With such draws, no number of replications gives a mean an interval that can be trusted.
    """
    return [path for path, each in _drawn(scenario) if not each.has_variance]


def rare_tail(distribution: Distribution) -> tuple[float, float]:
    """Return the probability of a distribution's rare tail, and the share of the mean in it.

    Where the tail falls more slowly than a power law of exponent 2, rarer draws carry more of the
    variance than more frequent ones: the quantile at least doubles from tail probability p to
    p / 4. The rare tail is the one with the smallest such p. Examples are the rare component of a
    mixture, an outlier among measured values, and the last 0.02 % of a lognormal with sigma 2. If
    p is more than 5 %, there is no rare tail.

    Parameters
    ----------
    distribution : Distribution

    Returns
    -------
    float
        Probability of a draw in the tail, 0 where there is none.
    float
        Share of the mean that the tail carries.
    """
    edges = 10.0 ** np.linspace(0.0, -_DECADES, _DECADES * _STEPS + 1)
    # In the middle of each stratum of probability, from the largest to the smallest.
    middles = np.sqrt(edges[1:] * edges[:-1])
    quantiles = distribution.transform(1.0 - middles)
    apart = round(2.0 * math.log10(2.0) * _STEPS)
    doubles = (quantiles[apart:] >= 2.0 * quantiles[:-apart]) & (quantiles[apart:] > 0.0)
    if not doubles.any():
        return 0.0, 0.0
    last = int(np.flatnonzero(doubles)[-1])
    probability = 2.0 * float(middles[last + apart // 2])
    if probability > _MOST_OF_A_TAIL:
        return 0.0, 0.0
    weighted = quantiles * -np.diff(edges)
    carried, total = float(weighted[middles <= probability].sum()), float(weighted.sum())
    return probability, carried / total if total > 0.0 else 1.0


_DECADES, _STEPS = 10, 40
"""Tails are examined down to 10 ** -_DECADES, at _STEPS probabilities for each power of ten."""

_MOST_OF_A_TAIL = 0.05


def _agents(scenario: Scenario) -> Iterator[tuple[str, Agent, float, int]]:
    """Yield path, specification, share of the team's calls and number, for each kind of agents."""
    team, staff = scenario.team, scenario.staff
    everybody = team.worker_count + sum(staff.values())
    kinds = [("team.agent", team.agent, team.size or 0)] + [
        (f"team.groups.{name}.agent", group.agent, group.size)
        for name, group in (team.groups or {}).items()
    ]
    kinds += [
        ("team.coordinator", team.coordinator, staff["coordinator"]),
        ("team.verifier", team.verifier, staff["verifier"]),
    ]
    for path, agent, heads in kinds:
        if agent is not None and heads:
            yield path, agent, heads / everybody, heads


def _counts(scenario: Scenario, path: str, agent: Agent, share: float) -> dict[str, _Count]:
    """Return how calls, of models and of tools, are counted for one kind of the team's agents.

    The results count those of sub-agents too. Where there are any, the team's own calls are
    those that its attempts and errands take: idle calls, and turns that failures add, are left out.
    """
    if not scenario.subagents:
        return {name: (name, share) for name in ("calls", "tool_calls")}
    errands = {"team.coordinator": "coordination_calls", "team.verifier": "review_calls"}
    turns = 1.0 if agent.loop is None else agent.loop.mean_turns(1.0)
    column, loops = errands.get(path, "attempts"), 1.0
    if path not in errands:
        of_workers = share * (1.0 + sum(scenario.staff.values()) / scenario.team.worker_count)
        loops = of_workers / mean_count(agent.batch)
    tools = (turns - 1.0) * agent.tools_per_turn if agent.loops else 0.0
    return {"calls": (column, loops * turns), "tool_calls": (column, loops * tools)}


def _faults_of(
    path: str, agent: Agent, share: float, heads: int, counts: Mapping[str, _Count]
) -> Iterator[Event]:
    faults, errors = agent.faults, agent.errors
    for name, probability in (
        ("faults.slow", faults.slow.probability if faults.slow else 0.0),
        ("faults.stall", faults.stall),
        ("faults.malformed", faults.malformed),
    ):
        yield RareEvent(f"{path}.{name}", _rarer(probability), *counts["calls"])
    for name, tool in agent.tools.items():
        where = f"{path}.tools.{name}.errors"
        yield RareEvent(where, _rarer(tool.errors), *counts["tool_calls"])
    if faults.crash is not None:
        yield RareOnset(f"{path}.faults.crash", faults.crash.up_s, heads)
    if faults.byzantine is not None:
        probability = _rarer(faults.byzantine.probability)
        yield RareEvent(f"{path}.faults.byzantine", probability, REPLICATIONS, heads)
    faulty = errors.probability.probability
    for name, probability in (
        ("errors.probability", _rarer(faulty)),
        ("errors.detection", faulty * _rarer(errors.detection)),
        ("errors.hand_off", _rarer(errors.hand_off)),
    ):
        yield RareEvent(f"{path}.{name}", probability, "attempts", share)


def _subagents(scenario: Scenario) -> Iterator[tuple[str, Agent]]:
    """Yield path and specification of each kind of sub-agents."""
    subagents = scenario.team.subagents
    for name, kind in ({} if subagents is None else subagents.kinds).items():
        yield f"team.subagents.kinds.{name}", kind


def _share_of_subagents(scenario: Scenario) -> float:
    """Return the share of sub-agents that are of one kind, where all are asked for as often."""
    return 1.0 / max(1, len(scenario.subagents))


def _faults_of_subagents(path: str, kind: Agent, share: float) -> Iterator[Event]:
    """Yield what may befall a kind of sub-agents; each of them makes a call at least."""
    faults = kind.faults
    for name, probability in (
        ("faults.slow", faults.slow.probability if faults.slow else 0.0),
        ("faults.stall", faults.stall),
        ("faults.malformed", faults.malformed),
        *((f"tools.{name}.errors", tool.errors) for name, tool in kind.tools.items()),
    ):
        yield RareEvent(f"{path}.{name}", _rarer(probability), "sub_agents", share)
    if faults.crash is not None:
        yield RareOnset(f"{path}.faults.crash", faults.crash.up_s, column="sub_agent_s")


def _faults_of_the_rest(scenario: Scenario) -> Iterator[Event]:
    provider, network = scenario.provider, scenario.network
    review = scenario.coordination.review
    if provider.errors is not None:
        probability = _rarer(provider.errors.probability)
        yield RareEvent("provider.errors", probability, "requests")
    if provider.outages is not None:
        yield RareOnset("provider.outages", provider.outages.up_s)
    for name, station in scenario.stations.items():
        if station.outages is not None:
            yield RareOnset(f"stations.{name}.outages", station.outages.up_s)
    if provider.slow is not None:
        yield RareOnset("provider.slow", Exponential(mean=provider.slow.mean_normal_s))
    yield RareEvent("network.loss", _rarer(network.loss), "deliveries")
    yield RareEvent("network.duplication", _rarer(network.duplication), "deliveries")
    if review is not None:
        faulty = max(kind.errors.probability.probability for kind in scenario.team.kinds)
        missed, alarmed = faulty * _rarer(review.miss), _rarer(review.false_alarm)
        yield RareEvent("coordination.review.miss", missed, "reviews")
        yield RareEvent("coordination.review.false_alarm", alarmed, "reviews")


def _rarer(probability: float) -> float:
    return min(probability, 1.0 - probability)


def _tails(scenario: Scenario, negligible: float) -> Iterator[Event]:
    kinds = list(_agents(scenario))
    workers = scenario.team.worker_count
    for path, each in _drawn(scenario):
        column, own, heads = _column_of(path), 1.0, 1
        kind = next((kind for kind in kinds if path.startswith(kind[0])), None)
        if kind is not None:
            heads = kind[3]
            if column == "calls" or (column == "tool_calls" and scenario.subagents):
                column, own = _counts(scenario, *kind[:3])[column]
        if column == "sub_agents":
            own = _share_of_subagents(scenario)
        tails = [
            (path, each, column, own),
            (f"{path}.run_sigma", _effect(each.run_sigma), REPLICATIONS, 1.0),
            (f"{path}.agent_sigma", _effect(each.agent_sigma), REPLICATIONS, heads),
            (f"{path}.phase_sigma", _effect(each.phase_sigma), column, own / each.phase_length),
        ]
        for where, distribution, counted, times in tails:
            probability, carried = rare_tail(distribution)
            if carried * workers > negligible:
                yield RareEvent(where, probability, counted, times)


def _effect(sigma: float) -> Distribution:
    return Lognormal(median=1.0, sigma=sigma)


_COLUMNS = {
    "faults.slow.factor": "slow_calls",
    "faults.crash.repair_s": "crashes",
    "coordination.round_overhead_s": "rounds",
    "workload": "tasks",
    "network": "deliveries",
    "provider.errors": "provider_errors",
    "provider.outages": REPLICATIONS,
    "stations": REPLICATIONS,
    "resilience.fallback": "fallbacks",
    "resilience.supervisor": "restarts",
    "resilience.election": "elections",
}
"""The column that counts the draws of paths that begin or end so; calls for all others."""


def _column_of(path: str) -> str:
    if path.startswith("team.subagents."):
        return "sub_agents"  # each draws once, at least
    if ".tools." in path:
        return "tool_calls"
    for part, column in _COLUMNS.items():
        if path.startswith(part) or path.endswith(part):
            return column
    return "calls"


def _drawn(scenario: Scenario) -> Iterator[tuple[str, Distribution]]:
    """Yield the distributions of a scenario with their paths, those of absent agents apart."""
    absent = tuple(f"team.{role}." for role, heads in scenario.staff.items() if not heads)
    for path, each in _distributions(scenario, ""):
        if not path.startswith(absent):
            yield path, each


def _distributions(said: object, path: str) -> Iterator[tuple[str, Distribution]]:
    """Yield the distributions of what a scenario does, with their paths.

    Times until a fault begins are not among them: a long one is no event (`RareOnset`).
    """
    if isinstance(said, Distribution):
        yield path, said
    elif isinstance(said, Spec):
        for name, each in said:
            if name != "up_s":
                yield from _distributions(each, f"{path}.{name}" if path else name)
    elif isinstance(said, Mapping):
        for name, each in said.items():
            yield from _distributions(each, f"{path}.{name}")
    elif isinstance(said, Sequence) and not isinstance(said, str):
        for i, each in enumerate(said):
            yield from _distributions(each, f"{path}[{i}]")
