"""Says in words how teams compare."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from analysis.decisions.side_by_side import SHARES, Comparison, SideBySide
from analysis.statistics.completion import unseen_failures
from analysis.statistics.intervals import Interval
from analysis.statistics.unseen import most_unseen_percent
from simulator.scenario.costs import HOW_TO_PRICE

NAMES = {
    "makespan_s": "time",
    "cost_usd": "cost",
    "tokens": "tokens",
    "success": "runs finished",
    "quality": "tasks right",
}
"""What the metrics of a comparison are called."""


def sentences(found: SideBySide) -> list[str]:
    """Return the verdict on each team beside the reference."""
    return [_sentence(found, team) for team in found.comparisons]


def caveats(found: SideBySide, sure: Collection[str] = ()) -> list[str]:
    """Return what the intervals leave out: failures that no run shows, and what never varied.

    Parameters
    ----------
    found : SideBySide
    sure : collection of str
        Teams in which nothing is random: their further runs are like those made.
    """
    pairs = [*found.replications.values()]
    all_finished = all(
        finished >= found.replications.get(name, max(pairs))
        for name, finished in found.finished.items()
    )
    said = []
    if all_finished and not {*sure} >= found.finished.keys():
        said.append(unseen_failures(min(pairs)))
    return [*said, *same_runs_note(found, sure)]


def same_runs_note(found: SideBySide, sure: Collection[str] = ()) -> list[str]:
    """Return what is not known of teams that are like the reference, or unlike by the same.

    Parameters
    ----------
    found : SideBySide
    sure : collection of str
        Teams in which nothing is random: their further runs are like those made.
    """
    drawn = {
        team: each
        for team, each in found.comparisons.items()
        if not {team, found.reference} <= {*sure}
    }
    said = []
    for what, is_so in (
        ("What is the same in all pairs has no interval", _is_same),
        ("What changes by the same in all pairs has an interval of no width", _is_level),
    ):
        pairs = [found.replications[team] for team, each in drawn.items() if any(map(is_so, each))]
        if pairs:
            said.append(
                f"{what}: up to {most_unseen_percent(min(pairs))} of further pairs may differ "
                "(95 % confidence)."
            )
    return said


def _is_same(each: Comparison) -> bool:
    return each.verdict == "same"


def _is_level(each: Comparison) -> bool:
    """Return whether a change is the same in all pairs, but for rounding, and is one."""
    change = each.change
    return change.high - change.low <= 1e-12 * (1.0 + abs(change.estimate))


def price_notes(has_price: Mapping[str, bool]) -> list[str]:
    """Return a note on the teams whose cost is unknown, and how to give a price."""
    unpriced = [name for name, priced in has_price.items() if not priced]
    if not unpriced:
        return []
    return [f"cost: unknown, as there is no price in {', '.join(unpriced)}: {HOW_TO_PRICE}"]


def _sentence(found: SideBySide, team: str) -> str:
    reference, pairs = found.reference, found.replications[team]
    by_metric = {each.metric: each for each in found.comparisons[team]}
    known = [each for each in by_metric.values() if each.verdict != "unknown"]
    if all(each.verdict == "same" for each in known):
        said = f"{team} and {reference} are the same in all {pairs:,} replications."
        return said + _known_cost(by_metric["cost_usd"], found, team)
    time, cost = by_metric["makespan_s"], by_metric["cost_usd"]
    clauses = [
        _clause(each) for each in known if each is not time and each.verdict in ("less", "more")
    ]
    said = _time(time, found, team)
    if clauses:
        said += f". {team} " if time.verdict == "unknown" else ", "
    said += f"{', '.join(clauses)}."
    open_ = [each for each in known if each.verdict == "not resolved"]
    if open_:
        said += f" {_apart(open_, pairs)}"
    return said if time.verdict == "unknown" else said + _known_cost(cost, found, team)


def _known_cost(cost: Comparison, found: SideBySide, team: str) -> str:
    """Return what is known of costs that cannot be compared; nothing where they can."""
    if cost.verdict != "unknown":
        return ""
    values = {found.reference: cost.reference, team: cost.value}
    known = {name: each for name, each in values.items() if not math.isnan(each.estimate)}
    if not known:
        return " What they cost is not known."
    # If both are known, the reference costs nothing, of which there is no share.
    said = [f"{name} costs {_usd(each)}" for name, each in known.items()]
    said += [f"what {name} costs is not known" for name in values if name not in known]
    return f" {'; '.join(said)}."


def _usd(value: Interval) -> str:
    if value.low == value.high == 0.0:
        return "nothing"
    low, high = (f"{end:.3g}" if math.isfinite(end) else "?" for end in (value.low, value.high))
    return f"{value.estimate:.3g} USD a run [{low}, {high}]"


def _time(time: Comparison, found: SideBySide, team: str) -> str:
    reference = found.reference
    if time.verdict == "unknown":
        who = [name for name in (team, reference) if not found.finished[name]]
        return (
            f"How long {team} and {reference} take is not known, as {_listed(who)} never finished"
        )
    if time.verdict == "not resolved":
        return f"{team} is neither known to be faster than {reference} nor slower"
    if time.verdict == "same":
        return f"{team} takes as long as {reference}"
    change = time.change
    if time.verdict == "more" and change.estimate >= 2.0:
        return f"{team} is slower than {reference}, takes {times(change)} as long"
    saved = Interval(-change.estimate, -change.high, -change.low)
    word, share = ("faster", saved) if time.verdict == "less" else ("slower", change)
    return f"{team} is {word} than {reference} by {percent(share)}"


def _clause(each: Comparison) -> str:
    """Return what a team does more or less, as a part of a sentence."""
    is_more, change = each.verdict == "more", each.change
    size = change if is_more else Interval(-change.estimate, -change.high, -change.low)
    if each.metric in SHARES:
        points = f"{amount(100 * size.estimate)} points {'more' if is_more else 'less'}"
        span = f"[{amount(100 * size.low)}, {amount(100 * size.high)}]"
        does = "finishes" if each.metric == "success" else "gets right"
        return f"{does} {points} {span}"
    verb, less, more, many = _SPENDS[each.metric]
    if is_more and change.estimate >= 2.0:
        return f"{verb} {times(change)} as {many}"
    share, span = percent(size).split(" [")
    return f"{verb} {share} {more if is_more else less} [{span}"


_SPENDS = {
    "cost_usd": ("costs", "less", "more", "much"),
    "tokens": ("uses", "fewer tokens", "more tokens", "many tokens"),
}


def _apart(open_: Iterable[Comparison], pairs: int) -> str:
    told = {f"{NAMES[each.metric]}{_would(each)}": each.needed for each in open_}
    said = f"Not told apart after {pairs:,} replications: {', '.join(told)}."
    if any(told.values()):
        said += " So many would, four times in five, if the change is as large as was found."
    return said


def _would(each: Comparison) -> str:
    return "" if each.needed is None else f" (about {each.needed:,} would tell)"


def percent(share: Interval) -> str:
    """Return ``12 % [8, 16]``."""
    low, high = (amount(100 * end) for end in (share.low, share.high))
    return f"{amount(100 * share.estimate)} % [{low}, {high}]"


def times(change: Interval) -> str:
    """Return ``3.1 times [2.8, 3.4]`` for a change of 2.1."""
    low, high = (
        f"{1.0 + end:.3g}" if math.isfinite(end) else "?" for end in (change.low, change.high)
    )
    return f"{1.0 + change.estimate:.3g} times [{low}, {high}]"


def amount(value: float) -> str:
    """Return a number with two digits or three, without an exponent."""
    if not math.isfinite(value):
        return "not known"
    size = abs(value)
    digits = 0 if size >= 9.95 else 1 if size >= 0.995 else 2
    return f"{value:,.{digits}f}"


def _listed(names: Iterable[str]) -> str:
    return " and ".join(names)
