"""How agents go on after calls that failed: how often they try again, and after what wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.rounding import four_digits
from analysis.traces.canonical import CHATS
from simulator.words import counted

_NEVER = 1000
"""Retries of agents that are never seen to give up."""

_SHORTEST_S = 0.001
"""Shortest wait before a retry."""


@dataclass(frozen=True)
class Retries:
    """How agents of a trace go on after calls that failed.

    Attributes
    ----------
    most : int
        Most failed calls in a row before one that was answered.
    given_up : int
        Most failed calls in a row after which an agent made no call any more; 0 if none did.
    waited_s : float
        Median seconds until the next call.
    """

    most: int
    given_up: int
    waited_s: float

    def said(self) -> dict[str, Any]:
        """Return what a scenario says of it."""
        wait_s = four_digits(max(self.waited_s, _SHORTEST_S))
        most = max(self.most, self.given_up - 1) if self.given_up else _NEVER
        return {"max_retries": most, "base_s": wait_s, "cap_s": wait_s, "jitter": 0.0}

    def why(self) -> str:
        """Return where it is from."""
        row = counted(self.most, "failed call")
        gave_up = f"up to {counted(self.given_up, 'call')}" if self.given_up else "never"
        return f"up to {row} in a row before one was answered; given up: {gave_up}; median wait"


def retries_in(calls: pd.DataFrame) -> Retries | None:
    """Return how agents go on after calls that failed; None if none was answered after one.

    Parameters
    ----------
    calls : DataFrame
        The canonical table.
    """
    chats = calls[calls["operation_name"].isin(CHATS) & calls["start_ns"].notna()]
    chats = chats.sort_values("start_ns", kind="stable")
    status = chats["status"].fillna("ok")
    chats = chats.assign(failed=status.isin(["error", "timeout"]), answered=status == "ok")
    most = given_up = 0
    waits: list[float] = []
    for _, mine in chats.groupby(["run_id", "agent_id"], dropna=False, sort=False):
        row, ended = 0, 0
        columns = (mine[name] for name in ("failed", "answered", "start_ns", "end_ns"))
        for failed, answered, start, end in zip(*columns, strict=True):
            if row:
                waits.append(max(0.0, (start - ended) / 1e9))
            if row and answered:
                most = max(most, row)
            row, ended = (row + 1 if failed else 0), end
        given_up = max(given_up, row)
    return Retries(most, given_up, float(np.median(waits))) if most else None
