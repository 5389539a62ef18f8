"""Loops of agents with too few requests for a fit: the observed values are used as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.calibration.between_turns import BETWEEN_TURNS, is_much, without_tools
from analysis.calibration.estimates import BetaEstimate
from analysis.calibration.loops import turns_without_failures
from analysis.calibration.requests import UNNAMED, Requests
from analysis.calibration.rounding import four_digits
from analysis.calibration.sessions import as_distribution
from analysis.calibration.tool_order import are_sequential, share_alone


def seen_loops(requests: Requests, is_alone: bool = False) -> dict[str, Any]:
    """Return ``loop`` and ``tools`` of an agent from its requests; cut ones count as whole.

    Empty if no request has more than one turn. If the agent waits for no others (`is_alone`), time
    between turns in which no tool runs is a tool, too.
    """
    turns = turns_without_failures(requests).astype(float)
    fails = bool((turns < requests.table["turns"].to_numpy()).any())
    if not len(turns) or turns.max() <= 1.0:
        return {}
    asked = requests.turns[requests.turns["gap_s"].notna()]
    found = {"loop": {"turns": as_distribution(turns)}}
    tools = requests.tools
    if tools.empty:
        gaps = asked["gap_s"].to_numpy(dtype=float)
        named = {UNNAMED: _tool(gaps, 1.0, [])} if gaps.sum() > 0.0 else {}
    else:
        called = tools.drop_duplicates(["request", "turn", "tool"])["tool"].value_counts()
        named = {
            str(name): _tool(
                some["seconds"].to_numpy(dtype=float),
                min(1.0, int(called[name]) / max(1, len(asked))),
                some.groupby(["request", "turn"]).size().tolist(),
                float(some["failed"].mean()) if fails else 0.0,
                share_alone(some),
            )
            for name, some in tools.groupby("tool", sort=False)
        }
        if is_alone and is_much(asked):
            named[BETWEEN_TURNS] = {
                "seconds": as_distribution(without_tools(asked)),
                "sequential": True,
            }
    return {**found, "tools": named} if named else found


def _tool(
    seconds: np.ndarray,
    share: float,
    at_once: Sequence[int],
    errors: float = 0.0,
    alone: BetaEstimate | None = None,
) -> dict[str, Any]:
    said: dict[str, Any] = {"probability": four_digits(share)}
    if at_once and max(at_once) > 1:
        said["calls"] = as_distribution(np.asarray(at_once, dtype=float))
    said["seconds"] = as_distribution(seconds)
    if 0.0 < errors < 1.0:
        said["errors"] = four_digits(errors)
    if are_sequential(alone):
        said["sequential"] = True
    return said
