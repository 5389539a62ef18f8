"""Distributions as a scenario says them: scaled, with an effect of the run, their means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.calibration.rounding import four_digits
from simulator.distributions import DISTRIBUTIONS, Floats
from simulator.scenario.tools import mean_count

_IN_UNITS = ("median", "mean", "scale", "value", "shift", "at_least", "at_most", "low", "high",
             "sd")  # fmt: skip
"""Parameters that have the unit of the variable."""

_EFFECTS = ("run_sigma", "agent_sigma", "phase_sigma")
"""Parameters of effects on all draws of a run, an agent, a phase."""

_NEAR, _HALVINGS = 0.01, 24
"""How near the mean of counts must come to the one that is wanted, and how often it is tried."""


def scaled(said: Any, factor: float) -> Any:
    """Return a distribution, as a scenario says it, whose draws are multiplied by a factor."""
    if isinstance(said, (int, float)):
        return four_digits(said * factor)
    found = dict(said)
    for name in _IN_UNITS:
        if name in found:
            found[name] = four_digits(found[name] * factor)
    if "values" in found:
        found["values"] = [four_digits(each * factor) for each in found["values"]]
    if "components" in found:
        found["components"] = [
            {**part, "distribution": scaled(part["distribution"], factor)}
            for part in found["components"]
        ]
    return found


def scaled_counts(said: Any, factor: float) -> Any:
    """Return a distribution of counts whose mean is multiplied by a factor.

    Its draws are rounded, and at least 1. Counts that hardly differ jump all at once when their
    median passes a half: where no multiple has the mean, it is that of the two counts next to it.
    """
    wanted = max(1.0, _mean(said) * factor)
    low, high = factor / 2.0, factor * 2.0
    found = scaled(said, factor)
    for _ in range(_HALVINGS):
        mean = _mean(found)
        if abs(mean / wanted - 1.0) <= _NEAR:
            return found
        middle = (low * high) ** 0.5
        found = scaled(said, middle)
        low, high = (middle, high) if _mean(found) < wanted else (low, middle)
    below = math.floor(wanted)
    share = four_digits(wanted - below)
    effects = {k: v for k, v in said.items() if k in _EFFECTS} if isinstance(said, dict) else {}
    weights = [four_digits(1.0 - share), share]
    return {"kind": "empirical", "values": [below, below + 1], "weights": weights, **effects}


def _mean(said: Any) -> float:
    """Return the mean of the draws, rounded and at least 1."""
    if isinstance(said, (int, float)):
        return float(max(1, round(said)))
    return mean_count(DISTRIBUTIONS.get(str(said["kind"])).model_validate(said))


def geometric(end_probability: float) -> dict[str, Any]:
    """Return the variable that, rounded, is geometric from 1: an exponential one from 0.5 on."""
    if end_probability >= 1.0:
        return {"kind": "deterministic", "value": 1}
    mean = -1.0 / math.log1p(-end_probability)
    return {"kind": "exponential", "mean": four_digits(mean), "shift": 0.5}


def with_run_effect(said: Any, sigma: float) -> dict[str, Any]:
    """Return a distribution with an effect of the whole run, of standard deviation `sigma`."""
    if isinstance(said, (int, float)):
        said = {"kind": "deterministic", "value": said}
    return {**said, "run_sigma": four_digits(sigma)}


def first_input(context: Mapping[str, Any]) -> float:
    """Return the typical (geometric mean) input of first calls.

    What fits into no window is compacted before.
    """
    system = float(context.get("system_tokens", 0.0))
    starts, weights = _values(context.get("start_tokens", 0.0))
    windows, _ = _values(context.get("window_tokens", np.inf))
    window = windows.max()
    left = np.minimum(starts, float(context.get("compaction", 0.2)) * window)
    starts = np.where(system + starts > window, left, starts)
    logs = np.log(np.maximum(system + starts, 1.0))
    return float(np.exp(np.average(logs, weights=weights)))


def _values(said: Any) -> tuple[Floats, Floats]:
    """Return the values of a distribution with their weights, or its middle alone."""
    if isinstance(said, Mapping) and "values" in said:
        values = np.asarray(said["values"], dtype=float)
        return values, np.asarray(said.get("weights") or np.ones(len(values)), dtype=float)
    if isinstance(said, Mapping):
        said = said.get("mean", said.get("median", said.get("value", 0.0)))
    return np.asarray([float(said)]), np.ones(1)
