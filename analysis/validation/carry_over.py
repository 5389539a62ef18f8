"""Carries the runs of a pilot over to a predicted team.

The pilot's own runs hold more information than the parameters fitted to them. So each run is
carried over to the predicted team by quantile delta mapping (Cannon, Sobie & Murdock 2015): it is
changed as the simulator changes a run of its rank. How far such changes can be trusted is measured
within the pilot, if it has several team sizes, by the regression of observed on simulated changes
between them, for agents that claim their tasks and for those that are dealt them apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from analysis.calibration.shares import Share, pool_shares
from analysis.traces.team_runs import AGENT
from simulator.distributions import Floats
from simulator.special import expit, logit

Simulated: TypeAlias = "Mapping[int, pd.DataFrame]"
"""Simulated runs of the pilot's teams, by team size."""

MAPPED = ["wall_clock_seconds", "total_tokens", "total_rounds"]
"""Metrics that are carried over from pilot runs, on a log scale."""

_MECHANISM_ALONE = 0.5
"""Share of replications that come from the simulation alone, not from single pilot runs: two
predictions are pooled with equal weights, which fitted ones rarely beat where few data tell them
(Clemen 1989; Smith & Wallis 2009)."""
_NEARNESS = 0.8
"""Pilot teams have the weight ``exp(-|log(n / target)| / nearness)``: near sizes count more."""
_DOUBT = 0.5
"""Standard deviation of the prior of the share of a simulated change that is observed."""
_APART = (np.arange(60.0) + 0.5) / 40.0
"""Standard deviations of what observed changes (log) differ by from a share of simulated ones: the
middles of equal parts of what is possible, up to a factor of 4.5."""
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
    max_rounds : int
        Rounds after which its runs were given up.
    """

    runs: pd.DataFrame
    simulated: Simulated
    shares: Mapping[int, float]
    max_rounds: int


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
    of that size that did; where there is none, a simulated run that did stands in. So it does where
    the pilot's runs tell nothing, as they were given up after another number of rounds: for runs
    that fail, and for those that succeed after more rounds than the pilot's were given.

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
    tells = np.ones(len(did), dtype=bool)
    if limit != pilot.max_rounds:
        tells = did & (pilot.runs["total_rounds"].to_numpy() <= limit)
    late = np.flatnonzero(will & (here["total_rounds"].to_numpy() > pilot.max_rounds))
    if len(late):
        is_late = succeeds & ~alone & (rng.random(count) * will.sum() < len(late))
        alone |= is_late
        row[is_late] = rng.choice(late, int(is_late.sum()))
    for size, outcome in itertools.product(known, (True, False)):
        wanted = np.flatnonzero((of_size == size) & (succeeds == outcome) & ~alone)
        runs = np.flatnonzero((sizes == size) & (did == outcome) & tells)
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


def trust_in_changes(pilots: Sequence[PilotRuns]) -> list[dict[str, float]]:
    """Return for each cell and metric the share of a simulated change that is observed, from 0 on.

    All cells of a mode have the same one: it is the regression through the origin of observed
    changes (log means), between neighbouring team sizes of the pilot, on simulated ones.
    """
    modes = [str(pilot.runs["mode"].iloc[0]) for pilot in pilots]
    found = {}
    for mode in dict.fromkeys(modes):
        alike = [pilot for pilot, its in zip(pilots, modes, strict=True) if its == mode]
        found[mode] = {metric: share_observed(*_changes(alike, metric)) for metric in MAPPED}
    return [found[mode] for mode in modes]


def _changes(pilots: Sequence[PilotRuns], metric: str) -> tuple[Floats, Floats, Floats]:
    """Return simulated and observed changes, and the sampling variances of the latter."""
    parts = []
    for pilot in pilots:
        logs = pd.Series(np.log(np.maximum(_of_pilot(pilot.runs, metric), 1e-9)))
        seen = logs.groupby(pilot.runs["n_teammates"].to_numpy()).agg(["mean", "var", "size"])
        means = [_logs(pilot.simulated[int(n)], metric).mean() for n in seen.index]
        variance = (np.maximum(seen["var"].fillna(0.25), 0.01) / seen["size"]).to_numpy()
        parts.append((np.diff(means), np.diff(seen["mean"]), variance[1:] + variance[:-1]))
    expected, found, noise = (np.concatenate(each) for each in zip(*parts, strict=True))
    return expected, found, noise


def share_observed(expected: Floats, found: Floats, noise: Floats) -> float:
    """Return the share of expected changes that is found, not below 0: its posterior mean.

    The prior is 1 +- `_DOUBT`. Cells also differ by what no share explains: its standard deviation
    has a flat prior and counts by its marginal likelihood. (Without it, a few cells whose runs are
    all alike would decide for all others.)

    Parameters
    ----------
    expected, found, noise : ndarray, shape (m,)
        Changes of logs, and the sampling variances of those found.
    """
    weights = 1.0 / (noise + _APART[:, None] ** 2)
    precision = _DOUBT**-2 + weights @ expected**2
    off = found - expected
    product = weights @ (expected * off)
    logs = np.log(weights).sum(axis=1) - np.log(precision)
    logs += product**2 / precision - weights @ off**2
    chances = np.exp(0.5 * logs - (0.5 * logs).max())
    return max(0.0, 1.0 + float(chances / chances.sum() @ (product / precision)))


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
