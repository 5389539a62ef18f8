"""Estimates by simulation the two habits of self-claiming agents that replies do not show.

They are `deference` and the `noise` of their choice. What they lead to is seen: how many calls are
idle and how many writes concurrent in teams of several, and which share of the attempts is blocked,
also of an agent alone. Each habit has the posterior, under a uniform prior, that these moments give
it: their normal likelihood, with the error of their means over runs (a synthetic likelihood: Wood
2010). What no value of a habit explains is an error of the model, and is added to that of the
moment (Kennedy & O'Hagan 2001). So a moment that a habit hardly changes says nothing of it, however
far it is off. The other habits are taken as they were estimated: the errors are those given them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.cell import CellFit
from analysis.calibration.estimates import VectorFit, pool
from analysis.calibration.habit_search import REPLICATIONS, UNIFORM_VARIANCE, Found, Search, Seen

_LEAST_SPREAD = 0.05
"""Least standard deviation of a moment between runs, relative to its mean."""


def search_for(
    fit: CellFit, tasks: list[dict[str, Any]], runs: pd.DataFrame, calls: pd.DataFrame
) -> Search | None:
    """Return what idle, concurrent and blocked work say of `deference` and `noise`, if they do.

    Parameters
    ----------
    fit : CellFit
    tasks : list of dict
        The cell's task list.
    runs, calls : DataFrame
        The cell's runs, and its replies with ``stalls``.
    """
    if not fit.claims_itself:
        return None
    # A stall lasts until the round limit and would outweigh all else: runs without one are matched.
    stalled = calls.groupby("run_dir")["stalls"].any()
    whole = runs[~runs["run_dir"].map(stalled).astype(bool)]
    there = whole["n_teammates"].max() > 1 if len(whole) else False
    runs, alike = (whole, replace(fit, forgetting=None)) if there else (runs, fit)
    sizes = sorted(int(n) for n in runs["n_teammates"].unique())
    if sizes[-1] == 1:
        return None
    teams = {size: _counted(alike, tasks, size) for size in sizes}
    return Search(teams, seen_in(runs, calls), fit.deference, fit.noise)


def matched(fit: CellFit, search: Search | None, found: Found | None) -> CellFit:
    """Return `fit` with the habits that were found."""
    if search is None or found is None:
        return fit
    names = ("idle", "writes", "blocked")
    return replace(
        fit,
        deference=found.deference,
        noise=found.noise,
        matching={
            **{f"{name}_seen": float(x) for name, x in zip(names, search.seen.means, strict=True)},
            **{f"{name}_matched": float(x) for name, x in zip(names, found.moments, strict=True)},
            "simulated_runs": float(found.simulated_runs),
        },
    )


def _counted(fit: CellFit, tasks: list[dict[str, Any]], size: int) -> dict[str, Any]:
    """Return the cell's scenario without what changes nothing that is counted.

    Agents talk of nothing, draw no length of their replies, and a harness takes no time between
    rounds, at whose end all agents wait for each other.
    """
    said = fit.scenario(tasks, size)
    agent, coordination = said["team"]["agent"], said["coordination"]
    behaviour = {**agent["behaviour"], "chatter": 0, "talk": 0}
    tokens = {**agent["tokens"], "output": 0}
    return {
        **said,
        "team": {**said["team"], "agent": {**agent, "behaviour": behaviour, "tokens": tokens}},
        "coordination": {**coordination, "round_overhead_s": 0},
    }


def pool_habits(fits: Sequence[CellFit]) -> list[CellFit]:
    """Return the fits of an agent's cells with the two habits moved towards each other's."""
    vectors = [
        VectorFit(
            np.asarray([fit.deference.value, fit.noise.value]),
            np.diag([fit.deference.error**2, fit.noise.error**2]),
        )
        for fit in fits
    ]
    most = np.full(2, np.sqrt(UNIFORM_VARIANCE))  # cells differ by no more than under the prior
    return [
        replace(
            fit,
            deference=pooled.estimate(0, "identity"),
            noise=pooled.estimate(1, "identity"),
        )
        for fit, pooled in zip(fits, pool(vectors, most), strict=True)
    ]


def seen_in(runs: pd.DataFrame, calls: pd.DataFrame) -> Seen:
    """Return the moments of real runs.

    Parameters
    ----------
    runs : DataFrame
        ``run_dir, n_teammates, concurrent_writes``.
    calls : DataFrame
        Their replies, perhaps others too: ``run_dir, attempts, blocked``.
    """
    replies = calls[calls["run_dir"].isin(runs["run_dir"])]
    by_run = replies.assign(is_idle=replies["attempts"] == 0).groupby("run_dir")
    each = pd.DataFrame(
        {
            "idle": by_run["is_idle"].mean(),
            "writes": runs.set_index("run_dir")["concurrent_writes"].astype(float),
            "blocked": by_run["blocked"].sum() / by_run["attempts"].sum().clip(lower=1),
        }
    )
    sizes = runs.set_index("run_dir")["n_teammates"].reindex(each.index)
    several = sizes > 1
    parts = [each.loc[several, ["idle"]], each.loc[several, ["writes"]], each[["blocked"]]]
    means, variances = [], []
    for part in parts:
        column = part.iloc[:, 0]
        groups = column.groupby(sizes[part.index])
        of_size = groups.mean()
        freedom = len(column) - len(of_size)
        apart = float(((column - groups.transform("mean")) ** 2).sum())
        mean = float(of_size.mean())
        spread = apart / freedom if freedom > 0 else mean**2
        spread = max(spread, (_LEAST_SPREAD * mean) ** 2, 1e-6)
        shares = (1.0 / groups.size() + 1.0 / REPLICATIONS).sum() / len(of_size) ** 2
        means.append(mean)
        variances.append(spread * float(shares))
    return Seen(np.asarray(means), np.asarray(variances))
