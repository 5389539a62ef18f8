"""The advice in plain sentences, no surer than the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from analysis.decisions.advice.structures import ALONE
from analysis.decisions.advice.verdict import Advice
from analysis.decisions.advice.wish import LESS_THAN_ALONE, TIME_ONLY, Wish
from analysis.statistics.intervals import Interval
from simulator.scenario.telling import assumed
from simulator.words import percent

_SAME = 1e-9
"""Share below which means of the same runs differ by rounding only."""

_EXACT = 2e-3
"""Share below which the ends of an interval are the same; a price is found to half of it."""


def in_words(advice: Advice, wish: Wish = TIME_ONLY, assumptions: Sequence[str] = ()) -> list[str]:
    """Return the advice in plain sentences.

    Parameters
    ----------
    advice : Advice
    wish : Wish
        The wish for which it was made.
    assumptions : sequence of str
        What the scenario takes for granted: the verdict is said to depend on it.
    """
    if advice.verdict == "neither":
        return [*_neither(advice), *assumed(assumptions)]
    lines = [_verdict(advice, wish, bool(assumptions)), *assumed(assumptions)]
    lines += [*_conditions(advice, wish), *_how_sure(advice, wish), *_finishing(advice)]
    lines += _largest(advice)
    if advice.same_as_own:
        lines.append(
            f'The scenario\'s own structure came to the same as "{advice.same_as_own}" in every '
            "run that was compared."
        )
    lines += _price(advice)
    if advice.thresholds:
        nearest = advice.thresholds[0]
        lines.append(
            f"What would change the answer first: {nearest.parameter}, between "
            f"{nearest.low:.3g} and {nearest.high:.3g} (now {nearest.now:.3g})."
        )
    elif advice.thresholds is not None:
        lines.append(
            "None of the parameters that were varied, one at a time and up to eight times, is seen "
            "to change the answer."
        )
    return [*lines, *_moves(advice, wish)]


def _largest(advice: Advice) -> list[str]:
    """Say that more agents may save more, unless a smaller team takes the same in every run."""
    table = advice.table
    largest = int(table["n"].max())
    if advice.verdict != "team" or not advice.best.startswith(f"{largest},"):
        return []
    smaller = table.loc[(table["n"] < largest) & (table["fulfils"] != "no"), "behind"]
    if smaller.le(_SAME).any():
        return []
    return [f"{largest} is the largest size that was tried: more agents may save more."]


def _moves(advice: Advice, wish: Wish) -> list[str]:
    """Say what changes beside the number of agents would help."""
    if not advice.moves:
        return []
    what = "time" if wish.usd_per_hour is None else "cost and time together"
    said = [
        f"{move.parameter} {move.then:g} (now {move.now:g}) saves {_share(move.saves.estimate)} of "
        f"{what} ({_share(move.saves.low)} to {_share(move.saves.high)})"
        for move in advice.moves
        if move.saves.low > wish.indifference
    ]
    if said:
        return [f"What else would help {advice.best}: {_listed(said)}."]
    tried = list(dict.fromkeys(move.parameter for move in advice.moves))
    return [f"No other change that was tried is seen to save anything: {_listed(tried)}."]


def _neither(advice: Advice) -> list[str]:
    runs, finished = (int(advice.table[name].sum()) for name in ("replications", "finished"))
    if not finished:
        return [
            f"Nothing that was tried finishes: not one of {runs:,} runs of {len(advice.table)} "
            "systems did."
        ]
    return ["Nothing that was tried fulfils the conditions: not one agent, and no team."]


def _verdict(advice: Advice, wish: Wish, assumes: bool) -> str:
    if not advice.best_team:
        return _no_team(advice, assumes)
    what = "time" if wish.usd_per_hour is None else "cost and time together"
    gain = advice.gain
    if gain.estimate < 0.0:
        saves = f"takes {_share(-gain.estimate)} more {what}"
        saves += _within(gain, lambda saved: _share(-saved), is_less=True)
    else:
        saves = f"saves {_share(gain.estimate)} of {what}{_within(gain, _share)}"
    worth = percent(wish.worth)
    subject = _if(bool(advice.unsure), assumes, "a team")
    if advice.verdict == "team":
        alone = advice.table.set_index("system").to_dict("index")[ALONE]
        if not alone["finished"]:
            return (
                f"{subject} is worth it: {advice.best}. One agent finished none of "
                f"{alone['replications']:,} runs."
            )
        lacks = " One agent does not fulfil the conditions." if alone["fulfils"] == "no" else ""
        return f"{subject} is worth it: {advice.best}. It {saves} over one agent.{lacks}"
    if advice.verdict == "alone":
        return (
            f"{_alone(advice, assumes)} is enough: the best team ({advice.best_team}) {saves}, "
            f"less than the {worth} for which a team would be worth it."
        )
    rows = advice.table.set_index("system").to_dict("index")
    if not rows[ALONE]["finished"]:
        team = rows[advice.best_team]
        return (
            f"It is open whether a team is worth it: one agent finished none of "
            f"{rows[ALONE]['replications']:,} runs, the best team ({advice.best_team}) "
            f"{team['finished']:,} of {team['replications']:,}."
        )
    if advice.gain.low < wish.worth <= advice.gain.high:
        why = f"and {worth} is within that"
    else:
        why = "and it is not known which of them fulfils the conditions"
    return f"It is open whether a team is worth it: the best ({advice.best_team}) {saves}, {why}."


def _no_team(advice: Advice, assumes: bool) -> str:
    """Return the verdict where no team's means meet the conditions."""
    if advice.verdict == "alone":
        return (
            f"{_alone(advice, assumes)} is enough: no team that was tried fulfils the conditions."
        )
    most = int(advice.table["replications"].max())
    return (
        "It is open whether a team is worth it: by the means, no team that was tried fulfils the "
        f"conditions, but after up to {most:,} runs of each that is not known."
    )


def _alone(advice: Advice, assumes: bool) -> str:
    """Return the subject of the verdict that one agent is enough, as sure as it is known to be."""
    return _if(advice.best == ALONE and bool(advice.unsure), assumes, "one agent")


def _if(is_unsure: bool, assumes: bool, subject: str) -> str:
    """Return the subject of a verdict after what it depends on."""
    conditions = ["it fulfils the conditions"] * is_unsure + ["what is assumed holds"] * assumes
    if not conditions:
        return subject[0].upper() + subject[1:]
    return f"If {' and '.join(conditions)}, {subject}"


def _share(value: float) -> str:
    """Return a share in percent; never 100 %, and never minus 0."""
    if not math.isfinite(value):
        return "an unknown part"
    if value >= 0.995:
        return "more than 99 %"
    return percent(round(value, 2) + 0.0)


def _within(found: Interval, said: Callable[[float], str], is_less: bool = False) -> str:
    """Return an interval in brackets; nothing where both ends are the same, as without chance."""
    if found.high - found.low <= _EXACT * abs(found.estimate):
        return ""
    ends = (found.high, found.low) if is_less else (found.low, found.high)
    return f" ({said(ends[0])} to {said(ends[1])})"


def _conditions(advice: Advice, wish: Wish) -> list[str]:
    """Say which conditions are not known to hold."""
    rows = advice.table.set_index("system").to_dict("index")
    row, alone, less = rows[advice.best], rows[ALONE], LESS_THAN_ALONE
    said = []
    for name in advice.unsure:
        if name == "budget":
            said.append(f"costs {row['cost_usd']:.3g} dollars of {wish.budget_usd:.3g}")
        elif name == "quality":
            least = wish.min_quality if wish.min_quality is not None else alone["quality"] - less
            said.append(
                f"gets {percent(row['quality'], 1)} right where "
                f"{percent(max(0.0, least), 1)} is wanted"
            )
        else:
            least = max(0.0, alone["success"] - less)
            if not alone["finished"]:
                continue  # no run of one agent finished, so that it sets no limit
            said.append(
                f"finishes {percent(row['success'], 1)} of its runs where "
                f"{percent(least, 1)} is wanted"
            )
    if not said:
        return []
    return [
        f"That {_it(advice)} fulfils the conditions is not known after "
        f"{row['replications']:,} runs: it " + ", and ".join(said) + "."
    ]


def _it(advice: Advice) -> str:
    """Return how to refer to the best system once the verdict has named it."""
    if advice.best == ALONE:
        return ALONE
    return "it" if advice.verdict == "team" else f'"{advice.best}"'


def _zone(wish: Wish) -> str:
    """Return the share that does not matter."""
    return f"{wish.indifference:.3g}" if wish.indifference < 0.01 else percent(wish.indifference)


def _how_sure(advice: Advice, wish: Wish) -> list[str]:
    """Say how sure it is that the best is the best, and which others are as good."""
    zone = _zone(wish)
    runs = int(advice.table["replications"].max())
    lines = []
    if advice.p_best >= 0.5:
        lines.append(
            f"With a probability of at least {percent(advice.p_best)}, no other of the "
            f"{len(advice.table)} systems tried is better than {_it(advice)} by more than {zone}."
        )
    if advice.as_good:
        lines.append(
            f"As good to within {zone}: {_listed(advice.as_good)}; of these, the one with the "
            "fewest agents is named, and then the cheapest."
        )
    behind = advice.table.set_index("system")["behind"].to_dict()
    rivals = sorted(advice.not_excluded, key=lambda name: behind[name])
    if advice.p_best >= wish.confidence:
        rivals = [name for name in rivals if behind[name] <= wish.indifference]
        if rivals:
            lines.append(f"Perhaps as good, but not known to be: {_listed(rivals)}.")
    elif rivals:
        shown = [f"{name} ({_behind(behind[name])})" for name in rivals]
        unknown = (
            "Nor is it known, then, which is the best"
            if advice.unsure
            else f"Which is the best is not known after up to {runs:,} runs of each"
        )
        are = "is" if len(rivals) == 1 else "are"
        lines.append(f"{unknown}: not excluded {are} {_listed(shown)}.")
    return lines


def _behind(share: float) -> str:
    return f"{percent(share, 1)} behind by the means" if math.isfinite(share) else "finished no run"


def _listed(names: Sequence[str]) -> str:
    more = f"; and {len(names) - 4} more" if len(names) > 4 else ""
    return "; ".join(names[:4]) + more


def _finishing(advice: Advice) -> list[str]:
    """Say how many runs finished, if not all did."""
    table = advice.table.set_index("system")
    names = list(dict.fromkeys([advice.best, ALONE]))
    finished, runs = table["finished"].to_dict(), table["replications"].to_dict()
    if all(finished[name] == runs[name] for name in names):
        return []
    said = [f"{finished[name]:,} of {runs[name]:,} runs of {name}" for name in names]
    return [
        "Finished: " + ", ".join(said) + ". What a system takes is until a run has finished, "
        "failed ones started again; costs and quality in the table are of runs as they ended."
    ]


def _price(advice: Advice) -> list[str]:
    price = advice.break_even
    if price is None or not math.isfinite(price.estimate):
        return []
    within = f" ({price.low:,.2f} or more)"
    if math.isfinite(price.high):
        within = _within(price, lambda usd: f"{usd:,.2f}")
    pays = f"pays if an hour is worth more than {price.estimate:,.2f} US dollars{within}."
    if price.low <= 0.0:
        return [f"Whether the team costs more than one agent is open: by the means, it {pays}"]
    return [f"The team costs more than one agent, and {pays}"]


def columns_in_words(advice: Advice, wish: Wish = TIME_ONLY) -> list[str]:
    """Say what the columns ``fulfils`` and ``p_best`` of the table of an advice mean.

    Parameters
    ----------
    advice : Advice
    wish : Wish
        The wish for which it was made.
    """
    less = f"less {100 * LESS_THAN_ALONE:g} points"
    wanted = [f"runs finished: those of one agent, {less}"]
    wanted += [
        f"tasks right: those of one agent, {less}"
        if wish.min_quality is None
        else f"tasks right: {percent(wish.min_quality, 1)}"
    ]
    if wish.budget_usd is not None:
        wanted.append(f"cost: at most {wish.budget_usd:g} USD a run")
    table = advice.table
    zone, said = _zone(wish), "; ".join(wanted)
    fulfils = f"fulfils: whether it is known to meet the conditions to within {zone} ({said})"
    if table["fulfils"].eq("not known").any():
        fulfils += "; where that is not known, more runs (-r) would tell"
    if not table["p_best"].gt(0.0).any():
        return [f"{fulfils}."]
    best = "p best: probability, at least, that none of the others that fulfil them is better by"
    return [f"{fulfils}.", f"{best} more than {zone}; empty where not known, or below 50 %."]
