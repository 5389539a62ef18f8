"""Whether the calls of tools that a turn asks for run at once or one after another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.estimates import BetaEstimate
from simulator.distributions import Floats

_OVERLAP = 0.05
"""Share of the shorter of two calls that may overlap the other if one follows the other: clocks are
read at different places, and times are rounded."""


def run_alone(tools: pd.DataFrame) -> pd.Series:
    """Return for each call of a tool whether it ran while no other call of its turn did.

    Parameters
    ----------
    tools : DataFrame
        With ``position`` (of the turn), ``begin`` and ``finish`` in seconds.

    Returns
    -------
    Series of boolean
        NA for the only call of a turn, and for one that takes no time: neither tells.
    """
    alone = pd.Series(pd.NA, index=tools.index, dtype="boolean")
    of_several = tools[tools.duplicated("position", keep=False)]
    for _, some in of_several.groupby("position", sort=False):
        begin, finish = some["begin"].to_numpy(), some["finish"].to_numpy()
        told = finish > begin
        alone[some.index[told]] = _alone(begin[told], finish[told])
    return alone


def _alone(begin: Floats, finish: Floats) -> npt.NDArray[np.bool_]:
    """Return for each of some intervals whether it overlaps no other; shape (n,)."""
    seconds = finish - begin
    shared = np.minimum.outer(finish, finish) - np.maximum.outer(begin, begin)
    overlaps = shared > _OVERLAP * np.minimum.outer(seconds, seconds)
    np.fill_diagonal(overlaps, False)
    return np.asarray(~overlaps.any(axis=1), dtype=np.bool_)


def share_alone(tools: pd.DataFrame) -> BetaEstimate | None:
    """Return the share of calls, in turns of several, that ran alone; None if there are none.

    Parameters
    ----------
    tools : DataFrame
        Calls of one tool, with ``alone`` from `run_alone`.
    """
    told = tools["alone"].dropna()
    if told.empty:
        return None
    alone = int(told.sum())
    return BetaEstimate(alone + 0.5, len(told) - alone + 0.5)


def are_sequential(alone: BetaEstimate | None) -> bool:
    """Return whether calls of which this share ran alone (`share_alone`) wait for each other."""
    return alone is not None and alone.value > 0.5
