"""Which changes beside the number of agents would help: stations, sub-agents, the cache."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analysis.decisions.advice.evidence import Evidence
from analysis.decisions.advice.structures import ALONE, candidates, replicate, size_of
from analysis.decisions.advice.verdict import Advice, Move
from analysis.decisions.advice.wish import TIME_ONLY, Wish
from analysis.decisions.loop_numbers import LoopNumber, loop_numbers
from analysis.statistics.intervals import Interval
from simulator.experiment.pool import Progress
from simulator.scenario import Scenario
from simulator.scenario.changes import with_changes

_LIVES_S = (300.0, 3600.0)
"""How long providers let a cache live, five minutes or an hour."""


def moves(
    scenario: Scenario,
    advice: Advice,
    wish: Wish = TIME_ONLY,
    replications: int = 60,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[Move]:
    """Return what single changes of the advised system would save, the most first.

    Twice the places of each station, half and twice the sub-agents of each tool, and the other of
    two lives of the cache are tried, each alone, with the same random numbers. The intervals hold
    together with the wanted confidence; failures that were not seen do not count.

    Parameters
    ----------
    scenario : Scenario
    advice : Advice
        The advice on this scenario.
    wish : Wish
    replications : int
        Of each change.
    workers : int
        Processes.
    progress : callable, optional

    Returns
    -------
    list of Move
        Without those that are known to break a condition of the wish.
    """
    if not advice.best:
        return []
    tried = [(number, then) for number in loop_numbers(scenario) for then in _others(number)]
    if not tried:
        return []
    best = candidates(scenario, [size_of(advice.best)])[advice.best]
    changed = {
        f"{number.path} = {then}": with_changes(best, {number.path: then}) for number, then in tried
    }
    rows = replicate({ALONE: best, **changed}, replications, workers, progress)
    error = (1.0 - wish.confidence) / len(tried)
    found = []
    for (number, then), name in zip(tried, changed, strict=True):
        both = Evidence({ALONE: rows[ALONE], name: rows[name]}, wish, [replications])
        bounds = both.bounds(error, with_unseen=False)
        if bounds.violates[1] or not both.finished.all():
            continue
        logs = [both.takes[1] - both.takes[0], bounds.high[1, 0], bounds.low[1, 0]]
        saves = Interval(*(1.0 - np.exp(logs)).tolist())
        found.append(Move(number.path, number.now, then, saves))
    return sorted(found, key=lambda move: -move.saves.estimate)


def _others(number: LoopNumber) -> Iterator[float]:
    """Yield the other values of a number that one could choose."""
    if number.what == "station":
        yield 2 * int(number.now)
    elif number.what == "sub-agents" and number.path.endswith(".value"):
        yield from sorted({max(1, round(number.now) // 2), 2 * round(number.now)} - {number.now})
    elif number.what == "cache":
        yield from (life_s for life_s in _LIVES_S if life_s != number.now)
