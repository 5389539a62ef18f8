"""From what value of an hour on a dearer team pays."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from analysis.decisions.advice.evidence import Evidence
from analysis.decisions.advice.structures import ALONE
from analysis.decisions.economics import HOUR_S
from analysis.statistics.intervals import Interval


def break_even(evidence: Evidence, team: str) -> Interval | None:
    """Return the value of an hour from which a team pays, if it costs more than one agent.

    The interval has all values at which it is not known which of the two takes less in all
    (Fieller 1954); as the gain, it holds whichever team was chosen.

    Parameters
    ----------
    evidence : Evidence
    team : str
        One of its systems, or nothing.

    Returns
    -------
    Interval or None
        US dollars an hour until success; infinite where the team saves no time.
    """
    pair = {name: evidence.rows[name] for name in (ALONE, team) if name}
    if len(pair) < 2:
        return None
    pair = {name: rows.head(len(pair[team])) for name, rows in pair.items()}
    if not all(rows["success"].any() for rows in pair.values()):
        return None
    usd, hours = (
        [rows[column].sum() / rows["success"].sum() / unit for rows in pair.values()]
        for column, unit in (("cost_usd", 1.0), ("makespan_s", HOUR_S))
    )
    if usd[1] <= usd[0]:
        return None
    error = 0.5 * (1.0 - evidence.wish.confidence) / max(1, len(evidence.names) - 1)

    def difference(value: float) -> tuple[float, float]:
        wish = dataclasses.replace(evidence.wish, usd_per_hour=value)
        bounds = Evidence(pair, wish, evidence.looks).bounds(error)
        return float(bounds.low[1, 0]), float(bounds.high[1, 0])

    saved = hours[0] - hours[1]
    estimate = (usd[1] - usd[0]) / saved if saved > 0.0 else math.inf
    low = _first_value(lambda value: difference(value)[0] <= 0.0)
    high = _first_value(lambda value: difference(value)[1] < 0.0)
    return Interval(estimate, min(low, estimate), max(high, estimate))


def _first_value(holds: Callable[[float], bool]) -> float:
    """Return from which value of an hour on something holds, to a part in a thousand."""
    low, high = 1e-4, 1e6
    if holds(low):
        return 0.0
    if not holds(high):
        return math.inf
    while high > 1.001 * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
