"""Carries the runs of a pilot over to a predicted team.

The pilot's own runs hold more information than the parameters fitted to them. So each run is
carried over to the predicted team by quantile delta mapping (Cannon, Sobie & Murdock 2015): it is
changed as the simulator changes a run of its rank. How far such changes can be trusted is measured
within the pilot, if it has several team sizes, by the regression of observed on simulated changes
between them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from analysis.calibration.cells import AGENT
from analysis.calibration.estimates import Share, pool_shares
from simulator.distributions import Floats

Simulated = Mapping[int, pd.DataFrame]
"""Simulated runs of the pilot's teams, by team size."""

MAPPED = ["wall_clock_seconds", "total_tokens", "total_rounds"]
"""Metrics that are carried over from pilot runs, on a log scale."""

_MECHANISM_ALONE = 0.35
"""Share of replications that come from the simulation alone, not from single pilot runs."""
_NEARNESS = 0.8
"""Pilot teams have the weight ``exp(-|log(n / target)| / nearness)``: near sizes count more."""
_DOUBT = 0.5
"""Standard deviation of the prior of the share of a simulated change that is observed."""
_JITTER = 0.1
"""Spread (log) around a pilot run carried over: the kernel of the smoothed bootstrap."""


@dataclass(frozen=True)
class PilotRuns:
    """The pilot of a cell.

    Attributes
    ----------
    runs : DataFrame
        Its real runs.
    simulated : mapping
        Simulated runs of its teams, by team size.
    shares : mapping
        The probability of success at each team size (see `success_shares`).
    """

    runs: pd.DataFrame
    simulated: Simulated
    shares: Mapping[int, float]


def carried_over(
    pilot: PilotRuns,
    here: pd.DataFrame,
    n: int,
    limit: int,
    trust: Mapping[str, float],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the replications `here`, with most of them replaced by pilot runs carried over.

    A replication is drawn in steps: a team size of the pilot, whether the run succeeds, and a run
    of that size that did; where there is none, a simulated run that did stands in.

    Parameters
    ----------
    pilot : PilotRuns
    here : DataFrame
        Simulated runs of the predicted team, of size `n`.
    n : int
    limit : int
        Rounds after which its runs are given up: what fails ends there.
    trust : mapping
        What `trust_in_changes` returns.
    rng : Generator
    """
    count = len(here)
    sizes = pilot.runs["n_teammates"].to_numpy()
    known = np.unique(sizes)
    near = np.exp(-np.abs(np.log(known / n)) / _NEARNESS)
    of_size = rng.choice(known, count, p=near / near.sum())
    chances = _chances(pilot, here)
    succeeds = rng.random(count) < np.asarray([chances[int(size)] for size in of_size])
    alone = rng.random(count) < _MECHANISM_ALONE
    jitter = _JITTER * rng.standard_normal(count)
    did = pilot.runs["success"].to_numpy(dtype=bool)
    will = here["success"].to_numpy(dtype=bool)
    run, row = np.zeros(count, dtype=np.int64), np.arange(count)
    for size, outcome in itertools.product(known, (True, False)):
        wanted = np.flatnonzero((of_size == size) & (succeeds == outcome) & ~alone)
        runs = np.flatnonzero((sizes == size) & (did == outcome))
        if len(runs):
            run[wanted] = rng.choice(runs, len(wanted))
            continue
        alone[wanted] = True
        rows = np.flatnonzero(will == outcome)
        if len(rows):
            row[wanted] = rng.choice(rows, len(wanted))
    columns: dict[str, Floats] = {}
    succeeds = np.where(alone, will[row], succeeds)
    for metric in MAPPED:
        real = np.log(np.maximum(_of_pilot(pilot.runs, metric), 1e-9))
        target = _logs(here, metric)
        carried = np.empty(len(pilot.runs))
        for size in known:
            same = sizes == size
            there = _logs(pilot.simulated[int(size)], metric)
            carried[same] = real[same] + trust[metric] * _change(real[same], there, target)
        values = np.exp(np.where(alone, target[row], carried[run] + jitter))
        if metric == "total_rounds":
            values = np.clip(np.round(values), 1.0, limit)
            values = np.where(succeeds | alone, values, limit)
        columns[metric] = values
    return here.assign(**columns, success=succeeds)


def trust_in_changes(pilots: Sequence[PilotRuns]) -> dict[str, float]:
    """Return for each metric the share of a simulated change that is observed, 0 to 1.

    It is the regression through the origin of observed changes (log means), between neighbouring
    team sizes of the pilot, on simulated ones, with a prior of 1 +- `_DOUBT`.
    """
    trust = {}
    for metric in MAPPED:
        precision, product = _DOUBT**-2, _DOUBT**-2
        for pilot in pilots:
            logs = pd.Series(np.log(np.maximum(_of_pilot(pilot.runs, metric), 1e-9)))
            seen = logs.groupby(pilot.runs["n_teammates"].to_numpy()).agg(["mean", "var", "size"])
            means = [_logs(pilot.simulated[int(n)], metric).mean() for n in seen.index]
            variance = np.maximum(seen["var"].fillna(0.25), 0.01) / seen["size"]
            noise = variance.to_numpy()[1:] + variance.to_numpy()[:-1]
            expected, found = np.diff(means), np.diff(seen["mean"])
            precision += float((expected**2 / noise).sum())
            product += float((expected * found / noise).sum())
        trust[metric] = float(np.clip(product / precision, 0.0, 1.0))
    return trust


def _change(values: Floats, before: Floats, after: Floats) -> Floats:
    """Return the change from `before` to `after` at the ranks that `values` have in `before`."""
    ordered = np.sort(before)
    middle = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    rank = np.clip(middle / (2.0 * len(ordered)), 0.02, 0.98)
    return np.asarray(np.quantile(after, rank) - np.quantile(ordered, rank))


def success_shares(pilots: Sequence[pd.DataFrame]) -> list[dict[int, float]]:
    """Return for each cell's pilot runs the probability of success of each team size.

    The shares of all cells and sizes of an agent in a mode are pooled as beta-binomial: where no
    other team fails, five of five runs that succeed leave little doubt.
    """
    found: list[dict[int, float]] = [{} for _ in pilots]
    groups: dict[tuple[str, ...], list[tuple[int, int, Share]]] = {}
    for cell, pilot in enumerate(pilots):
        for size, runs in pilot.groupby("n_teammates"):
            did = runs["success"].to_numpy(dtype=np.float64)
            agent = tuple(str(runs[name].iloc[0]) for name in AGENT)
            share = Share(did, np.ones(len(did)))
            groups.setdefault(agent, []).append((cell, int(str(size)), share))
    for group in groups.values():
        pooled = pool_shares([share for _, _, share in group])
        for (cell, size, _), estimate in zip(group, pooled, strict=True):
            found[cell][size] = estimate.value
    return found


def _chances(pilot: PilotRuns, here: pd.DataFrame) -> dict[int, float]:
    """Return what the share of success at each size of the pilot makes of that of `here`.

    Its logit is changed by as much as the simulator changes it.
    """
    target = _logit(here["success"])
    chances = {}
    for size, share in pilot.shares.items():
        change = target - _logit(pilot.simulated[size]["success"])
        chances[size] = float(expit(logit(share) + change))
    return chances


def _logit(happened: pd.Series) -> float:
    hits, misses = float(happened.sum()) + 0.5, float((~happened.astype(bool)).sum()) + 0.5
    return float(np.log(hits / misses))


def _logs(runs: pd.DataFrame, metric: str) -> Floats:
    return np.asarray(np.log(np.maximum(runs[metric].to_numpy(dtype=float), 1e-9)))


def _of_pilot(pilot: pd.DataFrame, metric: str) -> Floats:
    if metric == "total_tokens":
        total = pilot["total_input_tokens"] + pilot["total_output_tokens"]
        return np.asarray(total, dtype=np.float64)
    return np.asarray(pilot[metric], dtype=np.float64)
