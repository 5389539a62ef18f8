"""Estimates by simulation the two habits of self-claiming agents that replies do not show.

They are `deference` and the `noise` of their choice. What they lead to is seen: how many calls are
idle and how many writes concurrent in teams of several, and which share of the attempts is blocked,
also of an agent alone. Both habits together have the posterior, under a uniform prior, that these
moments give them: their normal likelihood, with the error of their means over runs (a synthetic
likelihood: Wood 2010; how sure means are is told of simulated runs, too, but is itself no evidence,
as in the criteria of Chernozhukov & Hong 2003). What no values of the habits explain is an error of
the model, and is added to that of the moment (Kennedy & O'Hagan 2001). So a moment that the habits
hardly change says nothing of them, however far it is off. How often calls are blind is integrated
over: the noise decides how many of these are blocked, so that of both hardly more than the product
may be known. The other habits are taken as they were estimated: errors are those given them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.cell import CellFit
from analysis.calibration.estimates import VectorFit, pool_posteriors
from analysis.calibration.habit_search import UNIFORM_VARIANCE, Found, Moments, Search, moments_of

_FEWEST, _MOST = 8, 50
"""Replications of a team at each value of its habits; between them, as many as real runs."""


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
    runs = runs[runs["run_dir"].isin(calls["run_dir"])]  # without replies nothing is counted
    # A stall lasts until the round limit and would outweigh all else: runs without one are matched.
    stalled = calls.groupby("run_dir")["stalls"].any()
    whole = runs[~runs["run_dir"].map(stalled).astype(bool)]
    there = whole["n_teammates"].max() > 1 if len(whole) else False
    runs, alike = (whole, replace(fit, forgetting=None)) if there else (runs, fit)
    counts = Counter(sorted(int(size) for size in runs["n_teammates"]))
    if max(counts, default=1) == 1:
        return None
    teams = {size: _counted(alike, tasks, size, n) for size, n in counts.items()}
    return Search(teams, seen_in(runs, calls), alike.habits.blind)


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


def _counted(fit: CellFit, tasks: list[dict[str, Any]], size: int, real: int) -> dict[str, Any]:
    """Return the cell's scenario without what changes nothing that is counted.

    It is run about as often as there are `real` runs. Each size has random numbers of its own, so
    that what chance does to one it does not do to all. Agents talk of nothing, draw no length of
    their replies, and a harness takes no time between rounds, at whose end all agents wait for each
    other.
    """
    said = fit.scenario(tasks, size)
    agent, coordination = said["team"]["agent"], said["coordination"]
    behaviour = {**agent["behaviour"], "chatter": 0, "talk": 0}
    tokens = {**agent["tokens"], "output": 0}
    return {
        **said,
        "seed": size,
        "replications": int(np.clip(real, _FEWEST, _MOST)),
        "team": {**said["team"], "agent": {**agent, "behaviour": behaviour, "tokens": tokens}},
        "coordination": {**coordination, "round_overhead_s": 0},
    }


def pool_habits(fits: Sequence[CellFit]) -> list[CellFit]:
    """Return the fits of an agent's cells with the two habits moved towards each other's.

    A cell of which nothing could be matched is as the others say.
    """
    if not any(fit.matching for fit in fits):
        return list(fits)
    spread = np.full(2, np.sqrt(UNIFORM_VARIANCE))
    unknown = VectorFit(np.full(2, 0.5), np.diag(spread**2))
    vectors = [
        VectorFit(
            np.asarray([fit.deference.value, fit.noise.value]),
            np.diag([fit.deference.error**2, fit.noise.error**2]),
        )
        if fit.matching
        else unknown
        for fit in fits
    ]
    return [
        replace(
            fit,
            deference=pooled.estimate(0, "identity"),
            noise=pooled.estimate(1, "identity"),
        )
        for fit, pooled in zip(fits, pool_posteriors(vectors, unknown.at, spread), strict=True)
    ]


def seen_in(runs: pd.DataFrame, calls: pd.DataFrame) -> Moments:
    """Return the moments of real runs.

    Parameters
    ----------
    runs : DataFrame
        ``run_dir, n_teammates, concurrent_writes``.
    calls : DataFrame
        Their replies, at least one of each run, perhaps others too: ``run_dir, attempts, blocked``.
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
    return moments_of({size: rows.to_numpy(dtype=float) for size, rows in each.groupby(sizes)})
