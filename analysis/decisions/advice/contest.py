"""The order in which systems are replicated: more and more of fewer and fewer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.decisions.advice.evidence import Evidence, looks_at
from analysis.decisions.advice.structures import ALONE, come_to_the_same
from analysis.decisions.advice.verdict import Advice, complete, conclude
from analysis.decisions.advice.wish import Wish

Simulate = Callable[[Sequence[str], int, int], dict[str, pd.DataFrame]]
"""``simulate(names, first, count)``: the rows of replications `first` to `count` of each."""


_FAR = 8
"""A system set aside has this many times fewer replications than the others."""

_ALIKE = 240
"""Replications after which systems that came to the same in all of them are simulated as one: for
example 12 and 16 agents that are dealt 12 tasks."""


def contest(
    rows: Mapping[str, pd.DataFrame],
    simulate: Simulate,
    wish: Wish,
    most: int,
    sure: Collection[str] = (),
) -> Advice:
    """Replicate systems until it is known which of them to advise.

    At each look, the replications of those that may still be the best are doubled. The others are
    set aside, not dropped: at the next look they are judged again by all replications made by
    then, also those of the best system and of one agent.

    Parameters
    ----------
    rows : mapping of str to DataFrame
        The first replications of each system, equally many and at least 2: ``makespan_s,
        cost_usd, quality, success``. `ALONE` is one of them.
    simulate : callable
        ``simulate(names, first, count)`` returns the rows of replications `first` to `count` of
        each. The same replication of all of them may have the same random numbers.
    wish : Wish
    most : int
        Most replications of each.
    sure : collection of str
        Systems whose further runs are known to be the same as those made.

    Returns
    -------
    Advice
    """
    rows = dict(rows)
    looks = looks_at(len(rows[ALONE]), most)
    for following in [*looks[1:], 0]:
        evidence = Evidence(rows, wish, looks, sure)
        advice = conclude(evidence)
        if not following or advice.is_settled:
            return complete(advice, evidence)
        groups: dict[tuple[int, int], list[str]] = {}
        for name, upto in _more(evidence, advice, following).items():
            groups.setdefault((len(rows[name]), upto), []).append(name)
        for (begin, end), names in groups.items():
            stands_for = _one_for_all(rows, names)
            fresh = simulate(sorted(set(stands_for.values()), key=names.index), begin, end)
            for name, one in stands_for.items():
                rows[name] = pd.concat([rows[name], fresh[one]], ignore_index=True)
    raise AssertionError("the last look returns")


def _one_for_all(rows: Mapping[str, pd.DataFrame], names: Sequence[str]) -> dict[str, str]:
    """Return for each system the first of those that it came to the same as, often enough."""
    found: dict[str, str] = {}
    for name in names:
        firsts = dict.fromkeys(found.values()) if len(rows[name]) >= _ALIKE else ()
        same = (first for first in firsts if come_to_the_same(rows[first], rows[name]))
        found[name] = next(same, name)
    return found


def _more(evidence: Evidence, advice: Advice, following: int) -> dict[str, int]:
    """Return the systems to simulate next, and for each the replication up to which.

    Systems that may be as good as the best, and those they are compared with, go to the next look.
    Failures that were not seen are left out here: the best system has to rule them out by more
    replications, the others need not. A system that is set aside, but that the best by the means
    does not exclude, follows with fewer replications, because the system for which it was set
    aside may itself have been set aside since.
    """
    names, looks, wish = evidence.names, evidence.looks, evidence.wish
    more = dict.fromkeys(
        (name for name in (ALONE, advice.best, advice.best_team) if name), following
    )
    if advice.p_best > 0.0:
        return more
    error = 1.0 - wish.confidence
    bounds = evidence.bounds(error, with_unseen=False)
    contends = evidence.possible(
        bounds, evidence.meets & ~bounds.violates, margin=wish.indifference
    )
    bounds = evidence.bounds(error)
    is_best = np.array([name == advice.best for name in names])
    remains = evidence.possible(bounds, bounds.fulfils | is_best)
    for i, count in enumerate(evidence.counts.tolist()):
        if contends[i]:
            more[names[i]] = following
        elif remains[i] and names[i] not in more and _FAR * count <= following:
            more[names[i]] = looks[looks.index(count) + 1]
    return more
