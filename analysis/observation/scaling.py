"""Distributions as a scenario says them, multiplied by a factor, and with an effect of the run."""

from __future__ import annotations

import math
from typing import Any

from analysis.calibration.rounding import four_digits

_IN_UNITS = ("median", "mean", "scale", "value", "shift", "at_least", "at_most", "low", "high",
             "sd")  # fmt: skip
"""Parameters that have the unit of the variable."""


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
