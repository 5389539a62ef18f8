"""Time between the turns of a request in which no tool runs: approvals, and the harness itself."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.calibration.estimates import BetaEstimate
from analysis.calibration.requests import clusters
from analysis.calibration.seen_times import SHORTEST_S
from analysis.calibration.tool_fits import ToolFit
from analysis.calibration.tool_times import fit_tool_times
from simulator.distributions import Floats

BETWEEN_TURNS = "between_turns"
"""Name of the tool that stands for this time: it runs alone, after the others."""

_LEAST = 0.01
"""Share of the time between turns from which it counts."""


def without_tools(asked: pd.DataFrame) -> Floats:
    """Return the seconds after each turn in which no tool ran; shape (n,).

    Parameters
    ----------
    asked : DataFrame
        Turns that ask for tools, with ``gap_s`` and ``tool_s`` (`Requests.turns`).
    """
    rest = (asked["gap_s"] - asked["tool_s"]).to_numpy(dtype=float)
    return np.asarray(np.clip(rest, 0.0, None))


def is_much(asked: pd.DataFrame) -> bool:
    """Return whether it is more than can be left out."""
    whole_s = float(asked["gap_s"].sum())
    return whole_s > 0.0 and float(without_tools(asked).sum()) > _LEAST * whole_s


def fit_between_turns(asked: pd.DataFrame, fewest: int) -> ToolFit | None:
    """Fit this time as a tool of its own; None if it is little, or follows fewer turns than that.

    Parameters
    ----------
    asked : DataFrame
        As of `without_tools`, with ``session``.
    fewest : int
    """
    seconds = without_tools(asked)
    there = seconds > SHORTEST_S
    n = int(there.sum())
    if not is_much(asked) or n < fewest:
        return None
    times = fit_tool_times(seconds[there], clusters(asked["session"][there]))
    share = BetaEstimate(n + 0.5, len(seconds) - n + 0.5)
    # It never runs beside a tool, and adds nothing to the context.
    alone = BetaEstimate(1.0, 0.0)
    return ToolFit(BETWEEN_TURNS, share, False, np.ones(1), times, None, np.zeros(0), alone)
