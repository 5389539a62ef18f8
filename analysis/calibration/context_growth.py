"""How the context of an agent grows from call to call, besides by what the agent writes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.gaps import Gap
from analysis.calibration.sessions import HORIZON
from simulator.distributions import Floats

_FEWEST = 10
"""Fewest agents that show whether their first turns add more."""

_LARGEST = 50_000.0
"""Tokens that the tools of a turn may add to a context of any size."""


def growth_of(asked: pd.DataFrame, gaps: list[Gap]) -> Floats:
    """Return the tokens that turns added to the context besides their output, NaN where unknown.

    If the input is halved, or doubled by more than `_LARGEST`, it belongs to another conversation
    or to a summary: tools have not added the difference.
    """
    growth = asked["growth"].to_numpy(dtype=float).copy()
    is_other = _is_other(growth, asked["input"].to_numpy(dtype=float))
    growth[is_other] = np.nan
    if np.isnan(growth).all():
        gaps.append(Gap("results of tools", "the inputs of calls are not known", "none"))
    elif is_other.any():
        n = int(is_other.sum())
        why = "the input was halved or doubled: another conversation, or a summary of this one"
        gaps.append(Gap(f"results of tools in {n} turns", why, "those of the others"))
    return growth


def _is_other(growth: Floats, had: Floats) -> npt.NDArray[np.bool_]:
    """Return which inputs belong to another conversation, or to a summary, by their growth."""
    return np.asarray((growth < -0.5 * had) | (growth > np.maximum(had, _LARGEST)))


def early_growth(turns: pd.DataFrame) -> float:
    """Return the tokens that an agent's first `HORIZON` turns add beyond as many other turns.

    At first an agent looks around. It is the mean over agents with so many turns, or over all if
    there are few of these; 0 if it is not above twice its standard error.
    """
    growth = turns["growth"].to_numpy(dtype=float)
    is_known = ~np.isnan(growth) & ~_is_other(growth, turns["input"].to_numpy(dtype=float))
    known = turns.loc[is_known, ["session", "agent"]].assign(growth=growth[is_known])
    known["growth"] -= known["growth"].mean()
    agents = known.groupby(["session", "agent"], sort=False, dropna=False)["growth"]
    is_early, is_long = agents.cumcount() < HORIZON, agents.transform("size") >= HORIZON
    long = known[is_long].drop_duplicates(["session", "agent"])
    chosen = known[is_early & is_long] if len(long) >= _FEWEST else known[is_early]
    sums = chosen.groupby(["session", "agent"], sort=False, dropna=False)["growth"].sum()
    if len(sums) < _FEWEST:
        return 0.0
    mean, error = float(sums.mean()), float(sums.std(ddof=1) / np.sqrt(len(sums)))
    return mean if mean > 2.0 * error else 0.0


def tokens_between(turns: pd.DataFrame) -> Floats:
    """Return the tokens that came into the context between two requests of an agent."""
    following = turns.groupby(["session", "agent"], sort=False)["input"].shift(-1)
    ends = turns.assign(growth=following - turns["input"] - turns["output"])[turns["is_last"]]
    growth = ends["growth"].to_numpy(dtype=float)
    is_other = _is_other(growth, ends["input"].to_numpy(dtype=float))
    return tokens_added(growth[~is_other]) if np.isfinite(growth[~is_other]).any() else np.zeros(0)


def tokens_added(growth: Floats) -> Floats:
    """Return added tokens of the same mean, with none below 0; 0 if none are known."""
    known = growth[np.isfinite(growth)]
    if not len(known):
        return np.zeros(1)
    above = np.maximum(known, 0.0)
    total = float(above.mean())
    return np.asarray(above * max(0.0, float(known.mean())) / total if total > 0.0 else above)
