"""Questions to `advise` whose answers are known, made without the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.decisions.advice import ALONE, Advice, Wish, contest
from analysis.decisions.advice.wish import conditions

LONGEST = 2000


@dataclass(frozen=True)
class Question:
    """Systems, with all replications that may be asked for, and their true means."""

    kind: str
    wish: Wish
    runs: dict[str, pd.DataFrame]
    truth: pd.DataFrame
    """Index: system; ``takes``, ``success``, ``quality``, ``cost_usd``."""

    def ask(self, most: int = LONGEST, first: int = 30) -> Advice:
        def simulate(names: Sequence[str], begin: int, end: int) -> dict[str, pd.DataFrame]:
            return {name: self.runs[name].iloc[begin:end] for name in names}

        return contest(simulate(list(self.runs), 0, first), simulate, self.wish, most)

    def fulfils(self, margin: float = 0.0) -> pd.Series[bool]:
        """Return which systems truly fulfil the conditions, to within a margin."""
        fulfils = pd.Series(True, index=self.truth.index)
        for condition in conditions(self.wish):
            values = self.truth[condition.column]
            fulfils &= condition.reserve(values, values[ALONE]) >= -margin - 1e-12
        return fulfils

    @property
    def best(self) -> str:
        """The true best."""
        return str(self.truth.loc[self.fulfils(), "takes"].idxmin())

    def is_good(self, name: str) -> bool:
        """Whether a system is as good as the true best, to within the indifference."""
        zone = self.wish.indifference
        within = (
            self.truth.loc[name, "takes"]
            <= (1.0 + zone) * self.truth.loc[self.best, "takes"] + 1e-9
        )
        return bool(within and self.fulfils(zone)[name])


KINDS = (
    "normal",
    "lognormal",
    "exponential",
    "ties",
    "near ties",
    "rare failures",
    "frequent failures",
    "equal quality",
    "quality at the limit",
    "budget at the limit",
    "rare long runs",
    "cost and time",
    "constant",
)


def question(kind: str, rng: np.random.Generator) -> Question:
    """Return a question of a kind."""
    teams = int(rng.integers(2, 20))
    names = [ALONE, *(f"{i + 2}, structure {i}" for i in range(teams))]
    count = len(names)
    means = 100.0 * np.exp(np.concatenate([[0.0], rng.normal(-0.3, 0.4, teams)]))
    if kind == "ties":
        means = np.repeat(float(means.min()), count) * np.where(rng.random(count) < 0.5, 1.0, 1.3)
        means[0] = 1.5 * means.min()
    if kind == "near ties":
        means = means.min() * (1.0 + rng.uniform(0.0, 0.06, count))
    failure = np.zeros(count)
    if kind == "rare failures":
        failure = rng.choice([0.0, 0.002, 0.01, 0.03, 0.1], count)
    if kind == "frequent failures":
        failure = rng.uniform(0.1, 0.7, count)
    quality = np.full(count, 0.8 if kind in ("equal quality", "quality at the limit") else 1.0)
    if kind == "quality at the limit":
        quality += rng.choice([-0.1, -0.03, -0.02, 0.0, 0.05], count) * (np.arange(count) > 0)
    cost = rng.uniform(1.0, 3.0, count)
    wish = Wish()
    if kind == "budget at the limit":
        wish = Wish(budget_usd=float(np.sort(cost)[count // 2]))
    if kind == "cost and time":
        wish = Wish(usd_per_hour=float(rng.choice([5.0, 50.0])))

    shape = (count, LONGEST)
    cv = 0.0 if kind == "constant" else float(rng.choice([0.05, 0.15, 0.3]))
    together = float(rng.choice([0.0, 0.5, 0.95]))  # correlation by common random numbers
    normal = np.sqrt(together) * rng.normal(size=(1, LONGEST)) + np.sqrt(
        1.0 - together
    ) * rng.normal(size=shape)
    if kind == "normal":
        factor = np.maximum(1.0 + cv * normal, 0.01)
    elif kind == "exponential":
        factor = rng.gamma(4.0, 0.25, shape) * np.ones(shape)
    else:
        sigma = np.sqrt(np.log1p(cv**2))
        factor = np.exp(sigma * normal - sigma**2 / 2.0)
    long = np.zeros(count)
    if kind == "rare long runs":
        long = rng.choice([0.0, 0.01, 0.03], count)
    lengths = means[:, None] * factor * (1.0 + 4.0 * (rng.random(shape) < long[:, None]))
    # A run that fails takes half as long, or three times as long.
    failed = rng.random(shape) < failure[:, None]
    stretch = float(rng.choice([0.5, 3.0]))
    lengths = np.where(failed, stretch * lengths, lengths)
    right = rng.binomial(12, quality[:, None], shape) / 12.0
    paid = cost[:, None] * np.maximum(1.0 + 0.2 * rng.normal(size=shape), 0.01)
    runs = {
        name: pd.DataFrame(
            {
                "makespan_s": lengths[i],
                "success": ~failed[i],
                "quality": right[i],
                "cost_usd": paid[i],
            }
        )
        for i, name in enumerate(names)
    }
    mean_length = means * (1.0 + 4.0 * long) * (1.0 - failure + failure * stretch)
    spent = mean_length
    if wish.usd_per_hour is not None:
        spent = cost + wish.usd_per_hour * mean_length / 3600.0
    truth = pd.DataFrame(
        {
            "takes": spent / (1.0 - failure),
            "success": 1.0 - failure,
            "quality": quality,
            "cost_usd": cost,
        },
        index=names,
    )
    return Question(kind, wish, runs, truth)
