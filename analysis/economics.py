"""What a team costs, what it is worth, and what it makes of agents and tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.least_squares import Array, least_squares, small_sample_aic
from analysis.statistics import Interval, mean_interval, ratio_of_means_interval

HOUR_S = 3600.0


def unit_costs(results: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return what a finished and what a correct task costs, at each point.

    Parameters
    ----------
    results : DataFrame
        A sweep, a row a replication.
    confidence : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        A row a point: ``point, point_name, cost_usd, usd_per_task, usd_per_correct_task``, each
        of the last two with ``_low`` and ``_high``: mean cost over mean tasks, with its interval;
        infinite where no task was done.
    """
    rows = []
    for (point, name), group in results.groupby(["point", "point_name"], sort=False):
        row: dict[str, object] = {
            "point": point,
            "point_name": name,
            "cost_usd": float(group["cost_usd"].mean()),
        }
        for column, tasks in (
            ("usd_per_task", "tasks_done"),
            ("usd_per_correct_task", "tasks_correct"),
        ):
            if group[tasks].sum() > 0:
                found = ratio_of_means_interval(group["cost_usd"], group[tasks], confidence)
            else:
                found = Interval(math.inf, math.inf, math.inf)
            row[column] = found.estimate
            row[f"{column}_low"], row[f"{column}_high"] = found.low, found.high
        rows.append(row)
    return pd.DataFrame(rows)


def total_usd(results: pd.DataFrame, usd_per_hour: float) -> pd.Series[float]:
    """Return cost plus the value of the time that it took, a number a replication.

    Parameters
    ----------
    results : DataFrame
        With ``cost_usd`` and ``makespan_s``.
    usd_per_hour : float
        What an hour until the work is done is worth.
    """
    total: pd.Series[float] = results["cost_usd"] + usd_per_hour * results["makespan_s"] / HOUR_S
    return total


def break_even_usd_per_hour(
    alone: pd.DataFrame, team: pd.DataFrame, confidence: float = 0.95
) -> Interval:
    """Return the value of time from which a team pays: extra cost over time saved.

    Parameters
    ----------
    alone, team : DataFrame
        Replications of both, paired by ``replication``.
    confidence : float
        Coverage of the paired bootstrap interval.

    Returns
    -------
    Interval
        US dollars an hour; 0 and less where the team is cheaper and quicker anyway, infinite
        where it saves no time.
    """
    columns = ["replication", "makespan_s", "cost_usd"]
    pairs = alone[columns].merge(team[columns], on="replication", suffixes=("_alone", ""))
    saved_h = (pairs["makespan_s_alone"] - pairs["makespan_s"]).to_numpy(dtype=float) / HOUR_S
    extra = (pairs["cost_usd"] - pairs["cost_usd_alone"]).to_numpy(dtype=float)
    rng = np.random.default_rng(0)
    count = len(pairs)
    draws = rng.multinomial(count, np.full(count, 1.0 / count), size=2000) / count

    def price(usd: Array, hours: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(hours > 0.0, usd / hours, np.inf)

    estimate = float(price(np.array([extra.mean()]), np.array([saved_h.mean()]))[0])
    tail = 50.0 * (1.0 - confidence)
    found = np.sort(price(draws @ extra, draws @ saved_h))
    low, high = (float(found[round(p / 100 * (len(found) - 1))]) for p in (tail, 100.0 - tail))
    return Interval(estimate, low, high)


def marginal_returns(results: pd.DataFrame, usd_per_hour: float = 0.0) -> pd.DataFrame:
    """Return what each further agent brings, from one team size of a sweep to the next.

    Parameters
    ----------
    results : DataFrame
        One series of a sweep over ``team.size``, a row a replication.
    usd_per_hour : float
        What an hour until the work is done is worth.

    Returns
    -------
    DataFrame
        A row a size but the smallest: ``n``; for each agent more ``saved_s``, ``extra_usd`` and
        ``net_usd`` (the time saved at its price, less the extra cost), each with ``_low`` and
        ``_high``, paired t intervals.
    """
    sizes = sorted(int(n) for n in results["team.size"].unique())
    by_size = {
        n: results[results["team.size"] == n].sort_values("replication").set_index("replication")
        for n in sizes
    }
    rows = []
    for before, n in pairwise(sizes):
        smaller, larger = by_size[before], by_size[n]
        each = 1.0 / (n - before)
        saved = (smaller["makespan_s"] - larger["makespan_s"]).dropna() * each
        extra = (larger["cost_usd"] - smaller["cost_usd"]).dropna() * each
        row: dict[str, float] = {"n": n}
        columns = {
            "saved_s": saved,
            "extra_usd": extra,
            "net_usd": usd_per_hour * saved / HOUR_S - extra,
        }
        for name, values in columns.items():
            interval = mean_interval(values.to_numpy())
            row |= {name: interval.estimate, f"{name}_low": interval.low}
            row[f"{name}_high"] = interval.high
        rows.append(row)
    return pd.DataFrame(rows)


def pareto_front(
    table: pd.DataFrame, smaller: Sequence[str], larger: Sequence[str] = ()
) -> pd.Series[bool]:
    """Return which rows no other row is better than: as good in all columns, better in one.

    Parameters
    ----------
    table : DataFrame
    smaller, larger : sequence of str
        Columns of which less, or more, is better.
    """
    columns = [table[name].to_numpy(dtype=float) for name in smaller]
    columns += [-table[name].to_numpy(dtype=float) for name in larger]
    values = np.stack(columns, axis=1)
    beaten = [
        bool(((values <= row).all(axis=1) & (values < row).any(axis=1)).any()) for row in values
    ]
    return ~pd.Series(beaten, index=table.index, dtype=bool)


@dataclass(frozen=True)
class Production:
    """A production function of agents and tokens.

    Attributes
    ----------
    form : str
        ``cobb_douglas`` or ``ces``.
    estimates : dict of str to float
        ``scale``; Cobb-Douglas: ``agents``, ``tokens`` (elasticities), ``overhead``; CES:
        ``share`` (of the agents), ``substitution`` (elasticity), ``returns``, ``overhead``.
    low, high : dict of str to float
        Ends of the confidence intervals.
    r_squared : float
        Of the logarithms.
    aic : float
        Akaike's criterion, corrected for small samples.
    """

    form: str
    estimates: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    r_squared: float
    aic: float

    @property
    def returns_to_scale(self) -> float:
        """By what power output grows when agents and tokens grow alike, overhead apart."""
        if self.form == "ces":
            return self.estimates["returns"]
        return self.estimates["agents"] + self.estimates["tokens"]


def fit_production(
    form: str,
    agents: npt.ArrayLike,
    tokens: npt.ArrayLike,
    output: npt.ArrayLike,
    confidence: float = 0.95,
) -> Production:
    """Fit output as a function of agents, of which talking takes a part, and of tokens.

    With ``l = n / (1 + overhead (n - 1))`` agents that are left for the work, ``cobb_douglas`` is
    ``scale l^agents k^tokens`` (Cobb & Douglas 1928) and ``ces`` is ``scale (share l^r + (1 -
    share) k^r)^(returns / r)`` with the elasticity of substitution ``1 / (1 - r)`` (Arrow et al.
    1961); k is the tokens over their geometric mean. By least squares on logarithms.

    Parameters
    ----------
    form : {'cobb_douglas', 'ces'}
    agents, tokens, output : array_like, shape (points,)
        Positive.
    confidence : float
        Coverage of the intervals, by the linearised function and Student's t.

    Raises
    ------
    ValueError
        If the form is unknown, something is not positive, or there are too few points.
    """
    n, k, y = (np.asarray(each, dtype=np.float64) for each in (agents, tokens, output))
    if form not in ("cobb_douglas", "ces"):
        raise ValueError(f"there is no production function {form!r}")
    if min(n.min(), k.min(), y.min()) <= 0.0:
        raise ValueError("a production function needs positive numbers")
    k = k / np.exp(np.log(k).mean())

    def labour(overhead: float) -> Array:
        return n / (1.0 + overhead * (n - 1.0))

    def cobb_douglas(values: Array) -> Array:
        worked = values[1] * np.log(labour(values[3])) + values[2] * np.log(k)
        return np.asarray(values[0] + worked)

    def ces(values: Array) -> Array:
        r = 1.0 - 1.0 / values[2]
        if abs(r) < 1e-6:  # its limit is Cobb-Douglas
            mixed = values[1] * np.log(labour(values[4])) + (1.0 - values[1]) * np.log(k)
            return np.asarray(values[0] + values[3] * mixed)
        inner = values[1] * labour(values[4]) ** r + (1.0 - values[1]) * k**r
        return np.asarray(values[0] + values[3] / r * np.log(inner))

    if form == "cobb_douglas":
        names, curve = ["scale", "agents", "tokens", "overhead"], cobb_douglas
        start, low = [float(np.log(y).mean()), 0.7, 0.3, 0.05], [-np.inf, -np.inf, -np.inf, 0.0]
        high = [np.inf, np.inf, np.inf, np.inf]
    else:
        names = ["scale", "share", "substitution", "returns", "overhead"]
        curve = ces
        start, low = [float(np.log(y).mean()), 0.5, 0.8, 1.0, 0.05], [-np.inf, 0.0, 0.01, 0.0, 0.0]
        high = [np.inf, 1.0, 100.0, np.inf, np.inf]
    if len(y) <= len(names):
        raise ValueError(f"{len(names)} parameters of {form} need more points, not {len(y)}")
    target = np.log(y)
    found = least_squares(curve, target, start, list(zip(low, high, strict=True)), confidence)

    def named(values: Array) -> dict[str, float]:
        said = dict(zip(names, values.tolist(), strict=True))
        return {**said, "scale": math.exp(said["scale"])}

    spread = float(((target - target.mean()) ** 2).sum())
    return Production(
        form,
        named(found.values),
        named(found.low),
        named(found.high),
        1.0 - found.rss / spread if spread else float("nan"),
        small_sample_aic(found.rss, len(y), len(names) + 1, float((target**2).sum())),
    )


def at_equal_budget(table: pd.DataFrame, budget_usd: float) -> pd.DataFrame:
    """Return what each series can have for a budget: its best point that costs no more.

    Parameters
    ----------
    table : DataFrame
        From `analysis.curves.curves_against`, with ``series, x, cost_usd, makespan_s, quality``.
    budget_usd : float

    Returns
    -------
    DataFrame
        A row a series that has an affordable point: the one with the highest quality, of those
        the quickest.
    """
    affordable = table[table["cost_usd"] <= budget_usd]
    order = affordable.sort_values(["quality", "makespan_s"], ascending=[False, True])
    chosen = order.drop_duplicates("series")
    return chosen.sort_values("makespan_s", ignore_index=True)
