"""The value of an hour from which a more expensive team pays."""

from __future__ import annotations

import dataclasses

import numpy as np

from analysis.decisions.advice.evidence import Evidence
from analysis.decisions.advice.structures import ALONE
from analysis.decisions.economics import break_even_usd_per_hour
from analysis.statistics.intervals import Interval


def break_even(evidence: Evidence, team: str) -> Interval | None:
    """Return the value of an hour from which a team pays, if it costs more than one agent.

    It is that of `analysis.decisions.economics.break_even_usd_per_hour`, but with the bounds of the
    evidence: like the interval of the gain, this one holds whichever team was chosen.

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
    if team in ("", ALONE):
        return None
    pair = {name: evidence.rows[name].head(len(evidence.rows[team])) for name in (ALONE, team)}
    alone, chosen = pair.values()
    if not (alone["success"].any() and chosen["success"].any()):
        return None
    usd = [rows["cost_usd"].sum() / rows["success"].sum() for rows in pair.values()]
    if usd[1] <= usd[0]:
        return None
    error = 0.5 * (1.0 - evidence.wish.confidence) / max(1, len(evidence.names) - 1)

    def advantage(usd_per_hour: float) -> Interval:
        wish = dataclasses.replace(evidence.wish, usd_per_hour=usd_per_hour)
        found = Evidence(pair, wish, evidence.looks, evidence.sure)
        bounds = found.bounds(error)
        logs = [found.takes[0] - found.takes[1], bounds.low[0, 1], bounds.high[0, 1]]
        return Interval(*np.exp(logs).tolist())

    return break_even_usd_per_hour(alone, chosen, advantage=advantage)
