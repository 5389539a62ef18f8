"""Whether a team is worth it, how large, in which structure, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from analysis.economics import break_even_usd_per_hour, total_usd
from analysis.selection import paired_difference, rank
from analysis.statistics import Interval
from simulator.errors import TeamsimError
from simulator.experiment import run_each
from simulator.scenario import Scenario
from simulator.scenario.changes import with_changes

ALONE = "one agent"

_STRUCTURES: Mapping[str, dict[str, Any]] = {
    "dealt out, nobody talks": {
        "topology": {"kind": "independent", "aggregate": False},
        "coordination.protocol": {"kind": "pre_assigned"},
    },
    "claimed from one queue, nobody talks": {
        "topology": {"kind": "independent", "aggregate": False},
        "coordination.protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"},
    },
    "claimed, everybody talks": {
        "topology": {"kind": "decentralised"},
        "coordination.protocol": {"kind": "self_claim", "claims": "immediate"},
    },
    "dealt out, a coordinator is told": {
        "topology": {"kind": "centralised"},
        "coordination.protocol": {"kind": "pre_assigned"},
    },
    "a lead hands out the work": {
        "topology": {"kind": "centralised"},
        "coordination.protocol": {"kind": "lead_assign"},
    },
}

_OWN = "as it is"
"""The scenario's own structure."""

_ALONE: dict[str, Any] = {
    "topology": {"kind": "single"},
    "coordination.protocol": {"kind": "pre_assigned"},
}

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes
    ----------
    usd_per_hour : float or None
        What an hour until the work is done is worth; with it, cost plus time is made least,
        without it, time alone.
    budget_usd : float or None
        Most that a run may cost in the mean.
    min_quality : float or None
        Share of the tasks that must be right in the mean; when absent, what one agent gets
        right, less two points.
    worth : float
        Share by which a team must be better for being a team.
    confidence : float
        Wanted of the answer.
    """

    usd_per_hour: float | None = None
    budget_usd: float | None = None
    min_quality: float | None = None
    worth: float = 0.05
    confidence: float = 0.95


TIME_ONLY = Wish()
"""The least time, with the quality of one agent."""


@dataclass(frozen=True)
class Threshold:
    """A change of one parameter that changes the verdict."""

    parameter: str
    now: float
    then: float


@dataclass(frozen=True)
class Advice:
    """What was found.

    Attributes
    ----------
    verdict : {'team', 'alone', 'open', 'neither'}
        Whether a team is worth it; ``open`` where the intervals leave it so, ``neither`` where
        nothing fulfils the conditions.
    best : str
        The system that is best as far as one can tell.
    p_best : float
        Probability that it is, among all that fulfil the conditions.
    as_good : list of str
        Others that the intervals do not exclude.
    gain : Interval
        What the best team saves over one agent, as a share of one agent's objective.
    table : DataFrame
        A row a system: ``system, n, structure``; means of ``objective, makespan_s, cost_usd,
        quality, success``; ``fulfils`` (the conditions), ``behind``, ``behind_low``,
        ``behind_high``, ``may_be_best``, ``p_best``, ``replications``.
    break_even : Interval or None
        Value of an hour from which the best team pays, where it costs more than one agent.
    thresholds : list of Threshold, or None
        The nearest first; None where they were not looked for.
    same_as_own : str
        The structure that comes to the same as the scenario's own, which is then not in the
        table; empty if there is none.
    """

    verdict: str
    best: str
    p_best: float
    as_good: list[str]
    gain: Interval
    table: pd.DataFrame
    break_even: Interval | None
    thresholds: list[Threshold] | None = None
    same_as_own: str = ""


def candidates(scenario: Scenario, sizes: Sequence[int]) -> dict[str, Scenario]:
    """Return one agent, and a team of each size in each structure that the scenario allows.

    The scenario's own structure is one of them.

    Raises
    ------
    TeamsimError
        If the team is made of groups, whose size is no one number, or if the scenario says
        something that one agent cannot have.
    """
    if scenario.team.size is None:
        raise TeamsimError("advise asks how many agents: give 'team.size', not 'team.groups'")
    own = {
        "topology": scenario.topology.model_dump(),
        "coordination.protocol": scenario.coordination.protocol.model_dump(),
    }
    try:
        found = {ALONE: with_changes(scenario, {**_ALONE, "team.size": 1})}
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise TeamsimError(
            f"this scenario cannot be done by one agent ({said}): leave that out with --set"
        ) from None
    seen: set[str] = set()
    for name, changes in {**_STRUCTURES, _OWN: own}.items():
        for n in sizes:
            try:
                team = with_changes(scenario, {**changes, "team.size": n})
            except ValidationError:
                continue
            said = team.model_dump_json()
            if n > 1 and said not in seen:
                seen.add(said)
                found[f"{n}, {name}"] = team
    return found


def advise(
    scenario: Scenario,
    wish: Wish = TIME_ONLY,
    sizes: Sequence[int] = (2, 3, 4, 6, 8, 12, 16),
    replications: int = 400,
    first: int = 30,
    workers: int = 1,
    progress: Progress | None = None,
) -> Advice:
    """Compare one agent with teams, and say what to do.

    All systems are replicated `first` times with the same random numbers; those that the joint
    intervals of the paired differences exclude are dropped, and the others are replicated
    twice as often, until the best is known with the wanted confidence, those left are equal to
    within half of `wish.worth`, or `replications` are reached.

    Parameters
    ----------
    scenario : Scenario
    wish : Wish
    sizes : sequence of int
        Team sizes to be tried.
    replications : int
        Most of each system.
    first : int
        Of the first stage.
    workers : int
        Processes.
    progress : callable, optional
        Told ``(replications done, replications of this stage)``.

    Raises
    ------
    TeamsimError
        If the scenario says nothing that could be compared.
    """
    systems = candidates(scenario, sizes)
    if len(systems) < 2:
        raise TeamsimError("there is no team to compare: none of the sizes and structures fits")
    rows = _replicate(systems, min(first, replications), workers, progress)
    same_as_own = _leave_out_own(rows)
    while True:
        table, ranked, feasible = _judge(rows, wish)
        if ranked is None:
            break
        alive = [*ranked.loc[ranked["may_be_best"], "system"], ALONE]
        count = int(min(len(rows[name]) for name in alive))
        if count >= replications or _is_settled(ranked, wish):
            break
        more = {name: systems[name] for name in dict.fromkeys(alive)}
        fresh = _replicate(more, min(replications, 2 * count), workers, progress, count)
        rows |= {name: pd.concat([rows[name], new]) for name, new in fresh.items()}
    found = _advice(table, ranked, feasible, rows, wish)
    return replace(found, same_as_own=same_as_own)


def _leave_out_own(rows: dict[str, pd.DataFrame]) -> str:
    """Leave out the scenario's own structure if another is the same in all replications so far.

    A mesh whose agents never talk is one: two names for one team would share the probability of
    being the best. Returns the other, or nothing.
    """
    columns = ["makespan_s", "cost_usd", "quality", "success", "input_tokens", "output_tokens"]

    def is_same(name: str, other: str) -> bool:
        return name in rows and bool(np.array_equal(rows[name][columns], rows[other][columns]))

    own = [name for name in rows if name.endswith(f", {_OWN}")]
    for structure in _STRUCTURES:
        if own and all(is_same(name.replace(_OWN, structure), name) for name in own):
            for name in own:
                del rows[name]
            return structure
    return ""


def _replicate(
    systems: Mapping[str, Scenario],
    count: int,
    workers: int,
    progress: Progress | None,
    first: int = 0,
) -> dict[str, pd.DataFrame]:
    """Return the rows of replications `first` to `count` of each system."""
    results = run_each(list(systems.values()), count, workers, progress, first).to_pandas()
    return {name: rows for name, (_, rows) in zip(systems, results.groupby("point"), strict=True)}


def objective(rows: pd.DataFrame, wish: Wish) -> pd.Series[float]:
    """Return what is to be made least, a number a replication."""
    if wish.usd_per_hour is None:
        makespan: pd.Series[float] = rows["makespan_s"]
        return makespan
    return total_usd(rows, wish.usd_per_hour)


def _judge(
    rows: Mapping[str, pd.DataFrame], wish: Wish
) -> tuple[pd.DataFrame, pd.DataFrame | None, list[str]]:
    """Return a table of all systems, the ranks of those that fulfil the conditions, and these."""
    alone = rows[ALONE]
    least = wish.min_quality
    if least is None:
        least = float(alone["quality"].mean()) - 0.02
    finishes = float(alone["success"].mean()) - 0.02
    said, feasible = [], []
    for name, each in rows.items():
        cost, quality = float(each["cost_usd"].mean()), float(each["quality"].mean())
        fulfils = (
            quality >= least
            and (wish.budget_usd is None or cost <= wish.budget_usd)
            and float(each["success"].mean()) >= finishes
            and bool(each["success"].any())
        )
        if fulfils:
            feasible.append(name)
        n, _, structure = name.partition(", ")
        said.append(
            {
                "system": name,
                "n": 1 if name == ALONE else int(n),
                "structure": structure or "alone",
                "objective": float(objective(each, wish).mean()),
                "makespan_s": float(each["makespan_s"].mean()),
                "cost_usd": cost,
                "quality": quality,
                "success": float(each["success"].mean()),
                "fulfils": fulfils,
                "replications": len(each),
            }
        )
    table = pd.DataFrame(said)
    if not feasible:
        return table, None, feasible
    # Who was dropped has fewer replications: all are held against each other on those in common
    # with the ones that are left.
    most = max(len(rows[name]) for name in feasible)
    left = [name for name in feasible if len(rows[name]) == most]
    samples = {name: objective(rows[name], wish).to_numpy() for name in left}
    ranked = rank(samples, confidence=wish.confidence)
    columns = ["system", "behind", "behind_low", "behind_high", "may_be_best", "p_best"]
    table = table.merge(ranked[columns], on="system", how="left")
    table["may_be_best"] = table["may_be_best"].eq(True)
    table["p_best"] = table["p_best"].fillna(0.0)
    return table, ranked, feasible


def _is_settled(ranked: pd.DataFrame, wish: Wish) -> bool:
    best = ranked.iloc[0]
    if best["p_best"] >= wish.confidence:
        return True
    rivals = ranked[ranked["may_be_best"]]
    width = wish.worth / 2 * abs(float(best["mean"]))
    return bool((rivals["behind_high"] <= width).all())


def _advice(
    table: pd.DataFrame,
    ranked: pd.DataFrame | None,
    feasible: list[str],
    rows: Mapping[str, pd.DataFrame],
    wish: Wish,
) -> Advice:
    if ranked is None:
        nothing = Interval(math.nan, math.nan, math.nan)
        return Advice("neither", "", 0.0, [], nothing, table, None)
    best = str(ranked.iloc[0]["system"])
    rivals = ranked[ranked["may_be_best"] & (ranked["system"] != best)]
    teams = [name for name in ranked["system"] if name != ALONE]
    gain, break_even = Interval(0.0, 0.0, 0.0), None
    if teams:
        team, alone = rows[teams[0]], rows[ALONE].head(len(rows[teams[0]]))
        team = team.head(len(alone))
        saved = paired_difference(objective(alone, wish), objective(team, wish), wish.confidence)
        whole = float(objective(alone, wish).mean())
        gain = Interval(*(value / whole for value in (saved.estimate, saved.low, saved.high)))
        if team["cost_usd"].mean() > alone["cost_usd"].mean():
            break_even = break_even_usd_per_hour(alone, team)
    if ALONE not in feasible:
        verdict = "team"
    elif not teams or gain.high < wish.worth:
        verdict = "alone"
    else:
        verdict = "team" if gain.low > wish.worth else "open"
    if verdict == "alone":
        best = ALONE
    p_best = float(ranked.set_index("system")["p_best"].get(best, 0.0))
    return Advice(verdict, best, p_best, list(rivals["system"]), gain, table, break_even)


_FACTORS = (1 / 8, 1 / 4, 1 / 2, 1 / 1.4, 1.4, 2.0, 4.0, 8.0)

_PARAMETERS = (
    "workload.tasks",
    "workload.parallel_fraction",
    "team.agent.errors.probability.probability",
    "team.agent.tokens.message.value",
    "team.agent.faults.stall",
    "network.delay_s.value",
)
"""What is varied: numbers of a scenario that are above 0, by factors."""


def thresholds(
    scenario: Scenario,
    advice: Advice,
    wish: Wish = TIME_ONLY,
    parameters: Sequence[str] = _PARAMETERS,
    replications: int = 60,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[Threshold]:
    """Return where a change of one parameter makes the other choice better, the nearest first.

    One agent and the best team are compared at multiples of each parameter's value from an
    eighth to eight times; between two of them that decide otherwise, the value is interpolated
    on a logarithmic scale. The wished-for advantage `wish.worth` counts as in the verdict.

    Parameters
    ----------
    scenario : Scenario
    advice : Advice
        Of this scenario.
    wish : Wish
    parameters : sequence of str
        Dotted paths of numbers; those that are not there, or are 0, are left out.
    replications : int
        Of each comparison.
    workers : int
        Processes.
    progress : callable, optional
    """
    teams = advice.table[advice.table["system"] != ALONE].sort_values("objective")
    chosen = [name for name in (advice.best, *teams["system"]) if name != ALONE]
    if not chosen:
        return []
    size = int(advice.table.set_index("system").loc[chosen[0], "n"])
    systems = candidates(scenario, [size])
    pair = {ALONE: systems[ALONE], chosen[0]: systems[chosen[0]]}
    varied: dict[str, float] = {}
    variants = {_named("", 1.0, name): system for name, system in pair.items()}
    for path in parameters:
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
    rows = _replicate(variants, replications, workers, progress)
    found = []
    for path, now in varied.items():
        gains = {}
        for factor in (1.0, *_FACTORS):
            names = [_named(path, factor, name) for name in pair]
            if all(name in rows for name in names):
                alone, team = (objective(rows[name], wish).mean() for name in names)
                gains[factor] = float(1.0 - team / alone) - wish.worth
        crossing = _nearest_crossing(gains)
        if crossing is not None:
            found.append(Threshold(path, now, now * crossing))
    return sorted(found, key=lambda each: abs(math.log(each.then / each.now)))


def _named(path: str, factor: float, system: str) -> str:
    """Return the name of a variant; unchanged, a system is the same whatever is not changed."""
    return f"{path}|{factor}|{system}" if factor != 1.0 else system


def _value(scenario: Scenario, path: str) -> float | None:
    node: Any = scenario
    for part in path.split("."):
        node = getattr(node, part, None)
    return float(node) if isinstance(node, (int, float)) and not isinstance(node, bool) else None


def _like(now: float, value: float) -> float | int:
    return max(1, round(value)) if float(now).is_integer() and now >= 2 else value


def _nearest_crossing(gains: Mapping[float, float]) -> float | None:
    """Return the factor nearest to 1 at which the gain changes its sign, if it does."""
    factors = sorted(gains)
    crossings = []
    for a, b in pairwise(factors):
        if gains[a] * gains[b] < 0.0:
            share = gains[a] / (gains[a] - gains[b])
            crossings.append(a * (b / a) ** share)
    return min(crossings, key=lambda factor: abs(math.log(factor)), default=None)


def in_words(advice: Advice, wish: Wish = TIME_ONLY) -> list[str]:
    """Return the advice in plain sentences, no surer than the numbers."""
    what = "time" if wish.usd_per_hour is None else "cost and time together"
    gain = f"{advice.gain.estimate:.0%} of {what} ({advice.gain.low:.0%} to {advice.gain.high:.0%})"
    lines = {
        "neither": ["Nothing that was tried fulfils the conditions: not one agent, and no team."],
        "alone": [
            f"One agent is enough: the best team saves {gain}, less than the "
            f"{wish.worth:.0%} for which a team would be worth it."
        ],
        "open": [
            f"It is open whether a team is worth it: the best saves {gain}, and {wish.worth:.0%} "
            "is within that."
        ],
        "team": [f"A team is worth it: {advice.best}. It saves {gain} over one agent."],
    }[advice.verdict]
    if advice.verdict == "team" and advice.p_best < wish.confidence:
        shown = "; ".join(advice.as_good[:4])
        more = f" and {len(advice.as_good) - 4} more" if len(advice.as_good) > 4 else ""
        lines.append(
            f"That it is the best of those tried has a probability of {advice.p_best:.0%} only"
            + (f": as good, as far as one can tell, are {shown}{more}." if shown else ".")
        )
    elif advice.verdict == "team":
        sure = "more than 99%" if advice.p_best > 0.99 else f"{advice.p_best:.0%}"
        lines.append(f"It is the best of those tried with a probability of {sure}.")
    largest = int(advice.table["n"].max())
    if advice.verdict == "team" and advice.best.startswith(f"{largest},"):
        lines.append(f"{largest} is the largest size that was tried: more agents may save more.")
    if advice.same_as_own:
        lines.append(
            f'The scenario\'s own structure comes to the same as "{advice.same_as_own}" here.'
        )
    if advice.break_even is not None and np.isfinite(advice.break_even.estimate):
        price = advice.break_even
        lines.append(
            f"It costs more than one agent, and pays if an hour is worth more than "
            f"{price.estimate:,.2f} US dollars ({price.low:,.2f} to {price.high:,.2f})."
        )
    if advice.thresholds:
        nearest = advice.thresholds[0]
        lines.append(
            f"What would change the answer first: {nearest.parameter} at about "
            f"{nearest.then:.3g} (now {nearest.now:.3g})."
        )
    elif advice.thresholds is not None:
        lines.append(
            "None of the parameters that were varied, one at a time and up to eight times, changes "
            "the answer."
        )
    return lines
