"""The fit of one tool of an agent: how often it is called, its duration, the tokens it adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.rounding import four_digits
from analysis.calibration.sessions import as_distribution
from analysis.calibration.tool_order import are_sequential
from analysis.calibration.tool_times import ToolTimes
from simulator.distributions import Floats


@dataclass(frozen=True)
class ToolFit:
    """One tool.

    Attributes
    ----------
    name : str
    share : BetaEstimate
        Share of the turns, without last ones, that call it.
    is_only : bool
        Whether each turn calls just one of the tools: then the shares are weights.
    at_once : ndarray
        Calls at once, in the turns that call it.
    seconds : ToolTimes
    errors : BetaEstimate or None
        Probability that a call fails; None if not known.
    result : ndarray
        Tokens that a call adds to the context.
    alone : BetaEstimate or None
        Share of the calls, in turns of several, that ran while no other did; None if not known.
    """

    name: str
    share: BetaEstimate
    is_only: bool
    at_once: Floats
    seconds: ToolTimes
    errors: BetaEstimate | None
    result: Floats
    alone: BetaEstimate | None = None

    @property
    def is_sequential(self) -> bool:
        """Whether most calls, in turns of several, wait for each other."""
        return are_sequential(self.alone)

    def spec(self, has_pause: bool) -> dict[str, Any]:
        """Return the tool as a scenario says it, without its tail if that is a pause."""
        chance = "weight" if self.is_only else "probability"
        share = self.share.value * (1.0 - self.seconds.share.value if has_pause else 1.0)
        said: dict[str, Any] = {chance: four_digits(share)}
        if self.at_once.max() > 1.0:
            said["calls"] = as_distribution(self.at_once)
        said["seconds"] = self._seconds(has_pause)
        if self.result.any():
            said["result_tokens"] = as_distribution(self.result)
        if self.errors is not None and self.errors.hits > 0.5:
            said["errors"] = four_digits(self.errors.value)
        if self.is_sequential:
            said["sequential"] = True
        return said

    def _seconds(self, has_pause: bool) -> float | dict[str, Any]:
        if has_pause or not self.seconds.has_tail:
            return self.seconds.body()
        p = self.seconds.share.value
        return {
            "kind": "mixture",
            "components": [
                {"weight": four_digits(1.0 - p), "distribution": self.seconds.body()},
                {"weight": four_digits(p), "distribution": self.seconds.tail()},
            ],
        }

    def pause(self) -> dict[str, Any]:
        """Return the tail as a tool of its own, as a scenario says it."""
        said: dict[str, Any] = {
            "weight": four_digits(self.share.value * self.seconds.share.value),
            "seconds": self.seconds.tail(),
        }
        if self.result.any():
            said["result_tokens"] = as_distribution(self.result)
        return said

    def parameters(self) -> dict[str, Estimate | BetaEstimate]:
        """Return the parameters with their standard errors."""
        found: dict[str, Estimate | BetaEstimate] = {}
        if not self.is_only or self.share.misses > 0.5:
            found["share"] = self.share
        if len(self.at_once) > 1:
            found["calls"] = _mean(self.at_once)
        found |= self.seconds.parameters()
        if self.errors is not None:
            found["errors"] = self.errors
        if len(self.result) > 1:
            found["result_tokens"] = _mean(self.result)
        if self.alone is not None and self.is_sequential and self.alone.misses > 0.0:
            found["calls_alone"] = self.alone
        return found


def _mean(values: Floats) -> Estimate:
    return Estimate.of(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))
