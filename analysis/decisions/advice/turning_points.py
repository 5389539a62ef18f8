"""Which change of one parameter would change the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from analysis.decisions.advice.evidence import Evidence
from analysis.decisions.advice.structures import ALONE, candidates, replicate, size_of
from analysis.decisions.advice.verdict import Advice, Threshold
from analysis.decisions.advice.wish import TIME_ONLY, Wish
from analysis.decisions.loop_numbers import loop_numbers
from simulator.experiment.pool import Progress
from simulator.scenario import Scenario
from simulator.scenario.changes import with_changes

_FACTORS = (1 / 8, 1 / 4, 1 / 2, 1 / 1.4, 1.4, 2.0, 4.0, 8.0)

_PARAMETERS = (
    "workload.tasks",
    "workload.parallel_fraction",
    "team.agent.errors.probability.probability",
    "team.agent.tokens.message.value",
    "team.agent.faults.stall",
    "network.delay_s.value",
)
"""The parameters that are varied by factors, if they are numbers above 0."""


def thresholds(
    scenario: Scenario,
    advice: Advice,
    wish: Wish = TIME_ONLY,
    parameters: Sequence[str] | None = None,
    replications: int = 60,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[Threshold]:
    """Return the values of single parameters at which the choice changes, the nearest first.

    One agent and the best team are compared at multiples of each parameter's value, from an eighth
    to eight times. If the answer differs between two multiples, and is known at both, the value is
    between them, and interpolated on a logarithmic scale. It is known with the wanted confidence
    for all parameters together (Bonferroni), since the nearest change is named: a parameter is
    wrong only if the answer at a value next to the change is. The wanted advantage `wish.worth`
    counts as in the verdict; failures that were not seen do not count.

    Parameters
    ----------
    scenario : Scenario
    advice : Advice
        The advice on this scenario.
    wish : Wish
    parameters : sequence of str, optional
        Dotted paths of numbers; paths without a number, or with 0, are left out. When absent:
        those that most often matter, and the seconds of tools that a station serves.
    replications : int
        Of each comparison.
    workers : int
        Processes.
    progress : callable, optional
    """
    if not advice.best_team:
        return []
    systems = candidates(scenario, [size_of(advice.best_team)])
    pair = {name: systems[name] for name in (ALONE, advice.best_team)}
    varied: dict[str, float] = {}
    variants = {_named("", 1.0, name): system for name, system in pair.items()}
    for path in parameters or [*_PARAMETERS, *_served(scenario)]:
        now = _value(scenario, path)
        if now is None or now <= 0.0:
            continue
        varied[path] = now
        for factor in _FACTORS:
            for name, system in pair.items():
                try:
                    changed = with_changes(system, {path: _like(now, now * factor)})
                except ValidationError:
                    continue
                variants[_named(path, factor, name)] = changed
    if not varied:
        return []
    rows = replicate(variants, replications, workers, progress)
    found = []
    error = (1.0 - wish.confidence) / len(varied)
    for path, now in varied.items():
        lags = {}
        for factor in (1.0, *_FACTORS):
            names = {name: _named(path, factor, name) for name in pair}
            if all(variant in rows for variant in names.values()):
                both = {name: rows[variant] for name, variant in names.items()}
                lag = _known_lag(Evidence(both, wish, [replications]), error)
                if lag is not None:
                    lags[factor] = lag
        crossing = _nearest_crossing(lags)
        if crossing is not None:
            then, *tried = (now * factor for factor in crossing)
            found.append(Threshold(path, now, then, *(float(_like(now, value)) for value in tried)))
    return sorted(found, key=lambda each: abs(math.log(each.then / each.now)))


def _served(scenario: Scenario) -> list[str]:
    """Return the paths of the seconds of tools for which agents may have to queue."""
    agent = scenario.team.agent
    tools = {} if agent is None else agent.tools
    ours = [f"team.agent.tools.{name}." for name, tool in tools.items() if tool.station]
    return [
        number.path
        for number in loop_numbers(scenario)
        if number.what == "tool" and number.path.startswith(tuple(ours))
    ]


def _known_lag(evidence: Evidence, error: float) -> float | None:
    """Return how far a team is from being worth it, on a logarithmic scale.

    None if the replications do not show, but for an error, whether the team is worth it.
    """
    alone, team = evidence.finished
    if min(alone, team) == 0.0:
        return None if alone == team else math.inf if alone > team else -math.inf
    wanted = math.log1p(-min(evidence.wish.worth, 1.0 - 1e-9))
    bounds = evidence.bounds(error, with_unseen=False)
    if bounds.low[1, 0] <= wanted <= bounds.high[1, 0]:
        return None
    return float(evidence.takes[1] - evidence.takes[0]) - wanted


def _named(path: str, factor: float, system: str) -> str:
    """Return the name of a variant; all variants without a change have the same name."""
    return f"{path}|{factor}|{system}" if factor != 1.0 else system


def _value(scenario: Scenario, path: str) -> float | None:
    node: Any = scenario
    for part in path.split("."):
        node = node.get(part) if isinstance(node, dict) else getattr(node, part, None)
    return float(node) if isinstance(node, (int, float)) and not isinstance(node, bool) else None


def _like(now: float, value: float) -> float | int:
    return max(1, round(value)) if float(now).is_integer() and now >= 2 else value


def _nearest_crossing(lags: Mapping[float, float]) -> tuple[float, float, float] | None:
    """Return the factor nearest to 1 at which the lag changes its sign, if it does.

    With it come the two factors between which it does.
    """
    crossings = []
    for a, b in pairwise(sorted(lags)):
        if (lags[a] < 0.0) != (lags[b] < 0.0):
            finite = math.isfinite(lags[a]) and math.isfinite(lags[b])
            share = lags[a] / (lags[a] - lags[b]) if finite else 0.5
            crossings.append((a * (b / a) ** share, a, b))
    return min(crossings, key=lambda each: abs(math.log(each[0])), default=None)
