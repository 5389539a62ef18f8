"""Fits how many sub-agents an agent starts, and how deep they go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.turn_counts import Ints, TurnCounts, fit_turns
from analysis.traces.canonical import CHATS, named_models


@dataclass(frozen=True)
class SubagentFit:
    """The sub-agents of the agents of one model, over the session of each.

    Attributes
    ----------
    model : str
        Of the agents that start them: of most of their calls.
    counts : ndarray of int, shape (agents,)
        Sub-agents that each agent has started.
    some : BetaEstimate
        Probability that an agent starts any.
    number : TurnCounts
        The law of their number where there are any.
    depth : int
        Levels of sub-agents that were seen.
    """

    model: str
    counts: Ints
    some: BetaEstimate
    number: TurnCounts
    depth: int

    def parameters(self) -> dict[str, Estimate | BetaEstimate]:
        """Return every parameter that has a standard error."""
        law = {
            name.replace("turns", "subagents"): each
            for name, each in self.number.parameters().items()
        }
        return {"subagents_share": self.some, **law}

    def survival(self, numbers: Ints) -> np.ndarray:
        """Return the probability of more sub-agents than `numbers` (any shape)."""
        more = np.where(numbers < 1, 1.0, self.number.survival(np.maximum(numbers, 1)))
        return np.asarray(self.some.value * more)


def fit_subagents(calls: pd.DataFrame, agents: pd.DataFrame) -> list[SubagentFit]:
    """Fit the numbers of sub-agents by model, for the models whose agents start any.

    Sub-agents count as agents that might start others only if some of them did.

    Parameters
    ----------
    calls, agents : DataFrame
        Canonical tables.
    """
    keys = ["run_id", "agent_id"]
    chats = calls[calls["operation_name"].isin(CHATS)].dropna(subset=keys)
    most_used = (
        chats.assign(model=named_models(chats))
        .groupby(keys, sort=False)["model"]
        .agg(lambda models: models.value_counts().index[0])
    )
    below = agents.dropna(subset=["parent_agent_id"])
    started = below.groupby(["run_id", "parent_agent_id"]).size().rename_axis(keys)
    table = agents.set_index(keys)[["depth"]].join(most_used, how="inner")
    table["started"] = started.reindex(table.index).fillna(0).astype(int)
    deepest = table.loc[table["started"] > 0, "depth"].max() if len(started) else -1
    table = table[table["depth"] <= deepest]
    return [
        _fit(str(model), some) for model, some in table.groupby("model") if some["started"].any()
    ]


def _fit(model: str, agents: pd.DataFrame) -> SubagentFit:
    counts = agents["started"].to_numpy(dtype=np.int64)
    some = counts[counts > 0]
    number = fit_turns(some, np.ones(len(some), dtype=bool), np.arange(len(some)))
    depth = int(agents.loc[agents["started"] > 0, "depth"].max()) + 1
    share = BetaEstimate(len(some) + 0.5, len(counts) - len(some) + 0.5)
    return SubagentFit(model, counts, share, number, depth)
