"""Where contexts are compacted: found from the inputs of calls, which fall there.

A harness compacts a context when it nears a limit: the next call reads a summary, and goes on from
there. So the inputs of an agent fall at about the same level each time, and stay low.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.rounding import four_digits

LEAST_FALL = 0.3
"""A context that loses more than this share was cut."""

_SETTLED = 3
"""Calls after a fall that must stay below where it fell from; else a call beside the conversation
was read, a title for example."""

_ALIKE = 0.3
"""Relative distance from their median within which levels are of one limit."""

_USUAL = (200_000.0, 1_000_000.0, 2_000_000.0)
"""Limits of models, in tokens."""

_FEWEST = 3
"""Compactions from which a limit is estimated."""


@dataclass(frozen=True)
class Window:
    """The context limit of a model's calls.

    Attributes
    ----------
    largest : float
        The model's own limit (`own_limit`).
    compacted : Compacted or None
        Where contexts are compacted before they reach that; None where they are not seen to be.
    """

    largest: float
    compacted: Compacted | None = None

    def spec(self, system_tokens: float) -> dict[str, Any]:
        """Return the fields of ``context``, where prompts begin with so many system tokens."""
        if self.compacted is None:
            return {"window_tokens": self.largest}
        return self.compacted.spec(system_tokens, self.largest)

    def parameters(self) -> dict[str, Estimate | BetaEstimate]:
        """Return what was estimated, with standard errors."""
        if self.compacted is None:
            return {}
        return {"window_tokens": self.compacted.at, "compacts": self.compacted.share}


@dataclass(frozen=True)
class Compacted:
    """Where contexts are compacted.

    Attributes
    ----------
    at : Estimate
        Tokens of the prompt at which they are; the error is from the differences between agents.
    left_tokens : float
        Mean input of the calls after a compaction.
    share : BetaEstimate
        Share of the agents that came to this limit from below and were compacted there, each
        counted by its calls: a limit matters as often as calls are made.
    passed : int
        Agents that came to it and went on far beyond it.
    """

    at: Estimate
    left_tokens: float
    share: BetaEstimate
    passed: int

    def spec(self, system_tokens: float, largest: float) -> dict[str, Any]:
        """Return the fields of ``context``."""
        tokens = four_digits(self.at.value)
        window: Any = tokens
        if self.passed:
            share = four_digits(self.share.value)
            values, weights = [tokens, largest], [share, four_digits(1.0 - share)]
            window = {"kind": "empirical", "values": values, "weights": weights}
        summary = (self.left_tokens - system_tokens) / tokens
        return {"window_tokens": window, "compaction": four_digits(min(1.0, max(0.0, summary)))}


def own_limit(largest_input: float) -> float:
    """Return the limit of a model, in tokens: the least usual one that holds its largest input.

    It is the least of all where no input is known (NaN), and the input where none holds it.
    """
    if np.isnan(largest_input):
        return _USUAL[0]
    return next((limit for limit in _USUAL if largest_input <= limit), largest_input)


def window_of(calls: pd.DataFrame) -> Window:
    """Estimate the context limit from one model's calls with known inputs, in order.

    Contexts are compacted at the typical level (geometric mean over agents) from which inputs
    fell, if at least `_FEWEST` of the falls, and half of all, were from about the same level.
    Agents that began below it and went far beyond it have the model's own limit.
    """
    largest = own_limit(float(calls["input"].max()))
    frame = _falls(calls)
    falls = frame[frame["is_fall"]]
    level = float(falls["level"].median()) if len(falls) else 0.0
    alike = falls[(falls["level"] - level).abs() <= _ALIKE * level]
    if len(alike) < max(_FEWEST, 0.5 * len(falls)):
        return Window(largest)
    inputs = frame.groupby("session", sort=False)["input"]
    passed = (inputs.first() < level) & (inputs.max() > (1.0 + _ALIKE) * level)
    levels = np.log(alike["level"]).groupby(alike["session"], sort=False).mean()
    passed[levels.index] = False
    size = inputs.size()
    hits, misses = size[levels.index].sum(), size[passed].sum()
    came = size[passed | size.index.isin(levels.index)]
    agents = float(came.sum() ** 2 / (came**2).sum())  # effective number (Kish 1965)
    error = float(levels.std(ddof=1) / np.sqrt(len(levels))) if len(levels) > 1 else 0.0
    return Window(
        largest,
        Compacted(
            at=Estimate(float(levels.mean()), error or float("nan"), "log"),
            left_tokens=float(alike["input"].mean()),
            share=BetaEstimate(*(agents * np.array([hits, misses]) / (hits + misses) + 0.5)),
            passed=int(passed.sum()),
        ),
    )


def _falls(calls: pd.DataFrame) -> pd.DataFrame:
    """Return ``session, input, level, is_fall``: the prompt that was too long, of calls after it.

    That prompt was at least what the call before had read and written.
    """
    inputs = calls.groupby("session", sort=False)["input"]
    before = inputs.shift()
    later = pd.concat([inputs.shift(-i) for i in range(1, _SETTLED)], axis=1).max(axis=1)
    fell = calls["input"] < (1.0 - LEAST_FALL) * before
    stays = ~(later >= (1.0 - LEAST_FALL / 2) * before)
    level = before + calls.groupby("session", sort=False)["output"].shift().fillna(0.0)
    return pd.DataFrame(
        {
            "session": calls["session"],
            "input": calls["input"],
            "level": level,
            "is_fall": (fell & stays).fillna(False).astype(bool),
        }
    )
