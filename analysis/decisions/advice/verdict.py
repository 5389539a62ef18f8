"""The verdict on the evidence: a team or not, which one, and which others are as good."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.decisions.advice.evidence import Bounds, Evidence, Flags
from analysis.decisions.advice.hour_value import break_even
from analysis.decisions.advice.structures import ALONE, size_of, structure_of
from analysis.statistics.intervals import Interval


@dataclass(frozen=True)
class Threshold:
    """A change of one parameter that changes the verdict.

    Attributes
    ----------
    parameter : str
    now : float
    then : float
        Interpolated between `low` and `high`.
    low, high : float
        The values that were tried, and between which the verdict changes.
    """

    parameter: str
    now: float
    then: float
    low: float
    high: float


@dataclass(frozen=True)
class Move:
    """A change of one parameter of the advised system, and what it saves.

    Attributes
    ----------
    parameter : str
    now, then : float
    saves : Interval
        Share of the time, or of the cost and time together; below 0 if it takes more.
    """

    parameter: str
    now: float
    then: float
    saves: Interval


@dataclass(frozen=True)
class Advice:
    """What was found.

    Attributes
    ----------
    verdict : {'team', 'alone', 'open', 'neither'}
        Whether a team is worth it; ``open`` if the intervals do not decide it, ``neither`` if no
        system fulfils the conditions.
    best : str
        The advised system. Among the systems known to be as good as the best, it has the fewest
        agents, and among these it is the cheapest. If none is known to be, it is the best by the
        means.
    p_best : float
        Lower bound of the probability that `best` fulfils the conditions and that no other system
        that does is better by more than the indifference; NaN if nothing is known, at most 0.99.
    as_good : list of str
        Others known to be as good as the best, to within the indifference.
    not_excluded : list of str
        Others that may be the best, and are not known to be as good.
    best_team : str
        The best team by the means, where one agent is best; empty if the means of none meet the
        conditions.
    gain : Interval
        The saving of the best team over one agent, as a share of what one agent takes. The interval
        holds with the wanted confidence, whatever was chosen and whenever the procedure stopped.
    unsure : list of str
        Conditions that `best` is neither known to fulfil nor known to fail.
    table : DataFrame
        A row a system: ``system, n, structure``; ``objective``, what success takes: seconds, or
        US dollars with an hour's worth; ``time_to_success_s``; means over runs, finished or not,
        of ``makespan_s, cost_usd, quality, success``; ``finished`` and ``replications``, numbers
        of runs; ``fulfils`` the conditions: yes, no, not known; ``behind, behind_low,
        behind_high``, the share by which it takes more than the best, with joint bounds;
        ``may_be_best``; ``p_best``, as above for each system, and 0 where it is known not to fulfil
        them.
    break_even : Interval or None
        Value of an hour from which the best team pays, if it costs more than one agent.
    is_settled : bool
        Whether more replications are not needed.
    thresholds : list of Threshold, or None
        The nearest first; None if they were not computed.
    moves : list of Move
        Changes beside the number of agents, the one that saves most first.
    same_as_own : str
        The structure with the same results as the scenario's own, which is then not in the table;
        empty if there is none.
    """

    verdict: str
    best: str
    p_best: float
    as_good: list[str]
    not_excluded: list[str]
    best_team: str
    gain: Interval
    unsure: list[str]
    table: pd.DataFrame
    break_even: Interval | None
    is_settled: bool
    thresholds: list[Threshold] | None = None
    moves: Sequence[Move] = ()
    same_as_own: str = ""


_NO_GAIN = Interval(math.nan, math.nan, math.nan)


def conclude(evidence: Evidence) -> Advice:
    """Return the advice that the evidence supports.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    Advice
        Without thresholds and the fields that `complete` adds. Until then, `p_best` is the wanted
        confidence or NaN.
    """
    wish, names = evidence.wish, evidence.names
    error = 1.0 - wish.confidence
    bounds = evidence.bounds(error)
    good = evidence.good(error)
    table = _table(evidence, bounds)
    left = ~bounds.violates & (evidence.finished > 0.0)
    if not left.any():
        settled = bool(bounds.violates.any() or (evidence.finished == 0.0).all())
        table["may_be_best"] = False
        return Advice("neither", "", math.nan, [], [], "", _NO_GAIN, [], table, None, settled)
    eligible = left & (bounds.fulfils | evidence.meets)
    best = _choose(evidence, table, good, eligible, left)
    teams = eligible & (table["n"].to_numpy() > 1)
    team = best if best != ALONE else _least(evidence, teams)
    possible = evidence.possible(bounds, bounds.fulfils)
    verdict, gain = _verdict(evidence, team, possible, eligible, bounds)
    if verdict == "team":
        best = team
    elif verdict == "alone" and best != ALONE:
        least = evidence.takes[names.index(best)]
        if evidence.takes[names.index(ALONE)] <= least + np.log1p(wish.indifference):
            best = ALONE
    at = names.index(best)
    others = [i for i in range(len(names)) if i != at]
    behind = np.expm1(evidence.takes - evidence.takes[at])
    table["behind"] = behind
    # Any of the systems could have been the one with which all others are compared.
    joint = evidence.bounds(error / len(names))
    with np.errstate(over="ignore"):  # of two replications, so much more is infinite
        table["behind_low"] = np.minimum(np.expm1(joint.low[:, at]), behind)
        table["behind_high"] = np.maximum(np.expm1(joint.high[:, at]), behind)
    table["may_be_best"] = possible
    return Advice(
        verdict,
        best,
        wish.confidence if good[at] else math.nan,
        [names[i] for i in others if good[i] and good[at]],
        [names[i] for i in others if possible[i] and not (good[i] and good[at])],
        team,
        gain,
        [
            each.name
            for each, holds in zip(evidence.conditions, bounds.holds[:, at], strict=True)
            if not holds
        ],
        table,
        None,
        bool(good[at] and verdict != "open"),
    )


def complete(advice: Advice, evidence: Evidence) -> Advice:
    """Return the advice with the probabilities of all systems, and with the break-even.

    Parameters
    ----------
    advice : Advice
        From `conclude`.
    evidence : Evidence
        The evidence from which it was concluded.
    """
    table = advice.table
    violates = (table["fulfils"] == "no").to_numpy()
    table = table.assign(p_best=np.where(violates, 0.0, evidence.probability_good()))
    p_best = dict(zip(evidence.names, table["p_best"], strict=True)).get(advice.best, math.nan)
    price = break_even(evidence, advice.best_team)
    return dataclasses.replace(advice, table=table, p_best=float(p_best), break_even=price)


def _table(evidence: Evidence, bounds: Bounds) -> pd.DataFrame:
    rows = []
    for i, (name, each) in enumerate(evidence.rows.items()):
        finished = int(each["success"].sum())
        fulfils = "yes" if bounds.fulfils[i] and finished else "not known"
        rows.append(
            {
                "system": name,
                "n": size_of(name),
                "structure": structure_of(name),
                "objective": math.exp(evidence.takes[i]),
                "time_to_success_s": each["makespan_s"].sum() / finished if finished else math.inf,
                "makespan_s": each["makespan_s"].mean(),
                "cost_usd": each["cost_usd"].mean(),
                "quality": each["quality"].mean(),
                "success": each["success"].mean(),
                "finished": finished,
                "replications": len(each),
                "fulfils": "no" if bounds.violates[i] else fulfils,
                "p_best": math.nan,
            }
        )
    return pd.DataFrame(rows)


def _least(evidence: Evidence, among: Flags) -> str:
    """Return the system that takes least by the means, or nothing if there is none."""
    if not among.any():
        return ""
    return evidence.names[int(np.argmin(np.where(among, evidence.takes, np.inf)))]


def _choose(
    evidence: Evidence, table: pd.DataFrame, good: Flags, eligible: Flags, left: Flags
) -> str:
    """Return the advised system."""
    if good.any():
        simplest = table[good].sort_values(["n", "cost_usd", "objective"], kind="stable")
        return str(simplest["system"].iloc[0])
    if eligible.any():
        return _least(evidence, eligible)
    # No system's means meet the conditions: take the one that comes nearest.
    lacking = evidence.reserves.min(axis=0)
    return evidence.names[int(np.argmax(np.where(left, lacking, -np.inf)))]


def _verdict(
    evidence: Evidence, team: str, possible: Flags, eligible: Flags, bounds: Bounds
) -> tuple[str, Interval]:
    """Return whether a team is worth it, and what the best one saves.

    A team is worth it if it is known to save enough. One agent is enough if no team that may be
    the best can save that much, or if all teams are known not to fulfil the conditions: that the
    means of none meet them may be chance.
    """
    wish, alone = evidence.wish, evidence.names.index(ALONE)
    if not team:
        is_known = bool(eligible[alone] and np.delete(bounds.violates, alone).all())
        return ("alone" if is_known else "open"), _NO_GAIN
    at = evidence.names.index(team)
    # Both ends are used: each has half of the error.
    joint = evidence.bounds(0.5 * (1.0 - wish.confidence))
    estimate, low, high = (
        1.0 - math.exp(value)
        for value in (
            evidence.takes[at] - evidence.takes[alone],
            joint.high[at, alone],
            joint.low[at, alone],
        )
    )
    gain = Interval(estimate, min(low, estimate), max(high, estimate))
    if eligible[at] and (bounds.violates[alone] or gain.low >= wish.worth):
        return "team", gain
    rivals = possible & (np.arange(len(possible)) != alone)
    if rivals.any():
        most = 1.0 - math.exp(float(joint.low[rivals, alone].min()))
        gain = Interval(gain.estimate, gain.low, max(gain.high, most))
    if eligible[alone] and gain.high < wish.worth:
        return "alone", gain
    return "open", gain
