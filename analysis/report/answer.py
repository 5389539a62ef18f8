"""The verdict of a report, and its first section: the main result."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import numpy as np
import pandas as pd

from analysis.decisions.economics import break_even_usd_per_hour
from analysis.plots.known import span_of_shares
from analysis.report.sections import Section, capitalised, table_of
from analysis.statistics.chance import are_sure, does_any_vary
from analysis.statistics.completion import runs_finished, speedup, to_success, unseen_failures
from analysis.statistics.intervals import difference_of_shares_interval
from analysis.statistics.quickest import interval_of_time, rank_by_time
from analysis.statistics.series import SIZE, axes_of, with_series
from analysis.statistics.unseen import most_unseen_percent
from simulator.scenario import Scenario
from simulator.words import four_figures, percent

_OPEN_ROWS = 12
"""Most rows of a table that is open when the page is."""


def answer(
    results: pd.DataFrame, scenarios: Callable[[int], Scenario] | None = None
) -> tuple[str, Section]:
    """Return the verdict, and the section that says more of it.

    The verdict is one sentence: which point is quickest, and how sure that is (95 % intervals).

    Parameters
    ----------
    results : DataFrame
    scenarios : callable, optional
        Returns the scenario of a point, by its number. Where nothing in it is random, further runs
        are known to be like those made.
    """
    section = Section("answer", "What came out")
    by_name = results.groupby("point_name", sort=False)
    common = int(by_name.size().min())
    samples = {}
    for name, each in by_name:
        rows = each.sort_values("replication").head(common)
        if rows["success"].any():
            samples[str(name)] = rows
    counts = by_name["success"].agg(["sum", "size"])
    all_done = bool((counts["sum"] == counts["size"]).all())
    drawn = _drawn(results, scenarios)
    if len(samples) > 1:
        numbers = by_name["point"].first()
        as_known = {name for name in samples if numbers[name] not in drawn}
        ranked = rank_by_time(samples, may_fail=not all_done, sure=as_known)
        best = ranked.iloc[0]
        rivals = ranked[ranked["may_be_best"]].iloc[1:]
        p = float(best["p_best"])
        if p >= 0.95:  # all others are behind, or as good as that matters
            rivals = rivals[rivals["behind"] <= 0.01 * best["mean"]]
        sure = (
            f"to within 1 % with a probability of {percent(p)} or more"
            if p > 0.0
            else "but others may be as quick"
        )
        done, made = counts.loc[best["system"]]
        verdict = (
            f"Quickest of the {len(ranked)} points{'' if all_done else ' whose time is known'}: "
            f"{best['system']}, {_seconds(best['mean'], best['low'], best['high'])}"
            f"{'' if done == made else f' until success, {runs_finished(done, made)}'}, {sure}."
        )
        slowest = str(ranked.iloc[-1]["system"])
        section.say(*_saving(results, str(best["system"]), slowest, drawn))
        if len(ranked) > 2 and (ranked["low"] < ranked["high"]).any():
            section.say(
                f"Which of the {len(ranked)} is quickest is found from the same runs, and the "
                "luckiest looks best: the intervals allow for that."
            )
        if len(rivals):
            section.say("Not known to be slower: " + "; ".join(rivals["system"].head(5)) + ".")
        columns = ["system", "mean", "low", "high", "behind", "behind_low", "behind_high", "p_best"]
        section.show(table_of("All points, the quickest first", ranked[columns]))
    elif samples:
        ((name, rows),) = samples.items()
        verdict = _alone(name, rows, not all_done)
    else:
        verdict = "No run finished at any point: how long the work takes is not known."
    section.say(*_of_further_runs(results, drawn, all_done))
    if not all_done:
        section.say(*_unfinished(counts))
        shown = counts.set_axis(["finished", "runs"], axis=1).reset_index()
        lacking = shown[shown["finished"] < shown["runs"]]
        title = "How many runs finished"
        if len(lacking) < len(shown):
            section.show(table_of(f"{title}, at all points", shown))
            title += ", where not all did"
        section.show(table_of(title, lacking, is_open=len(lacking) <= _OPEN_ROWS))
    outcomes = results.groupby(["point_name", "outcome"], sort=False).size().unstack(fill_value=0)
    section.show(table_of("How the runs ended", outcomes.reset_index().rename_axis(columns=None)))
    return verdict, section


def _drawn(results: pd.DataFrame, scenarios: Callable[[int], Scenario] | None) -> list[int]:
    """Return the points whose further runs may differ from those made."""
    points = {number: results[results["point"] == number] for number in set(results["point"])}
    return [
        each
        for each, rows in points.items()
        if scenarios is None or does_any_vary(rows) or not are_sure(scenarios(each), rows)
    ]


def _of_further_runs(results: pd.DataFrame, drawn: Sequence[int], all_done: bool) -> list[str]:
    """Say what the runs do not show of further ones, of the points that are `drawn`."""
    if not drawn:
        return ["Nothing is random: further runs are the same as those made."]
    some = results[results["point"].isin(drawn)]
    said = _alike(some, results["point"].nunique())
    if all_done:
        said.append(unseen_failures(int(some["point"].value_counts().min())))
    return said


def _alike(results: pd.DataFrame, points: int) -> list[str]:
    """Say at how many of all points all of several runs took equally long; nothing if at none."""
    of_points = results[results["success"].astype(bool)].groupby("point")["makespan_s"]
    runs = of_points.size()
    alike = runs[(runs > 1) & (of_points.nunique() == 1)]
    if alike.empty:
        return []
    return [
        f"At {len(alike)} of {points} points all runs took equally long, and "
        f"intervals of no width come of it: up to {most_unseen_percent(int(alike.min()))} of "
        "further runs may take another time (95 % confidence)."
    ]


def _alone(name: str, rows: pd.DataFrame, may_fail: bool) -> str:
    """Say how long the only point takes whose time is known."""
    done, made = int(rows["success"].sum()), len(rows)
    time = interval_of_time(rows, 0.95, may_fail)
    until = "" if done == made else f" until success, {runs_finished(done, made)}"
    return f"{name} takes {_seconds(time.estimate, time.low, time.high)}{until}."


def _seconds(mean: float, low: float, high: float) -> str:
    if not math.isfinite(low):
        return f"{four_figures(mean)} s (how sure that is one run does not tell)"
    return f"{four_figures(mean)} s ({four_figures(low)} to {four_figures(high)})"


def _unfinished(counts: pd.DataFrame) -> list[str]:
    """Say how many runs did not finish, and what times mean then; `counts`: ``sum, size``."""
    done, made = int(counts["sum"].sum()), int(counts["size"].sum())
    some = counts[(counts["sum"] > 0) & (counts["sum"] < counts["size"])]
    never = [str(name) for name in counts.index[counts["sum"] == 0]]
    said = [
        f"{capitalised(runs_finished(done, made))}. The length of one that did not says only that "
        "the work takes longer. So times are until success: failed runs are started again, until "
        "one finishes. Speed-up, cost and laws go by that."
    ]
    if len(some):
        said.append(
            f"At {len(some)} of {len(counts)} points only some runs finished: "
            f"{span_of_shares(some['sum'] / some['size'])}."
        )
    if never:
        more = f" and {len(never) - 5} more" if len(never) > 5 else ""
        said.append(
            f"At {len(never)} of {len(counts)} points no run finished, and their time is not "
            f"known: {'; '.join(never[:5])}{more}."
        )
    return said


def _saving(results: pd.DataFrame, name: str, slowest: str, drawn: Collection[int]) -> list[str]:
    """Say what a point saves over what it is held against, as far as the interval allows.

    That is its baseline; without one the same team of one agent, where sizes are swept; else the
    slowest point. The interval holds whichever point is the quickest, and whichever the slowest: it
    is one of as many as there could have been (Bonferroni). There is none where all pairs differ by
    the same, though the points are `drawn`.
    """
    point = results[results["point_name"] == name]
    points = results["point"].nunique()
    if point["point"].iloc[0] == point["baseline_point"].iloc[0]:
        return []
    alone, whom, choices = _single_agent_of(results, point), "its single agent", points - 1
    if not len(alone):
        alone, whom = results[results["point_name"] == slowest], f"the slowest point, {slowest},"
        choices = points * (points - 1) // 2
    if alone["point"].iloc[0] == point["point"].iloc[0]:
        return []  # it is one agent itself
    may_fail = not bool(results["success"].all())
    is_drawn = not {point["point"].iloc[0], alone["point"].iloc[0]}.isdisjoint(drawn)
    return _saved(point, alone, whom, 1.0 - 0.05 / max(1, choices), may_fail, is_drawn)


def _single_agent_of(results: pd.DataFrame, point: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the single agent of a point; none if the sweep has no such point."""
    baseline, number = point["baseline_point"].iloc[0], point["point"].iloc[0]
    found: pd.DataFrame = results.iloc[:0]
    if pd.notna(baseline):
        found = results[results["point"] == baseline]
    elif SIZE in axes_of(results):
        table = with_series(results)
        series = table.loc[table["point"] == number, "series"].iloc[0]
        found = table[(table["series"] == series) & (table["x"] == 1)]
    return found


def _saved(
    point: pd.DataFrame,
    alone: pd.DataFrame,
    whom: str,
    confidence: float,
    may_fail: bool,
    is_drawn: bool,
) -> list[str]:
    """Say what a point saves over another, `whom`."""
    other = whom.removesuffix(",")
    if not alone["success"].any():
        return [f"What it saves over {other} is not known: that never finished."]
    first, second = (rows.set_index("replication") for rows in (alone, point))
    common = first.index.intersection(second.index)
    first, second = first.loc[common], second.loc[common]
    quicker = speedup(first, second, confidence, may_fail)
    saved, least, most = (
        1.0 - 1.0 / each if each > 0.0 else -math.inf
        for each in (quicker.estimate, quicker.low, quicker.high)
    )
    within = (
        f"{percent(least)} to {percent(most)}"
        if math.isfinite(least)
        else f"{percent(most)} at most"
    )
    shares = f"{percent(saved)} ({within})"
    if least <= 0.0:
        return [f"Whether it is quicker than {other} is open: it saves {shares} of the time."]
    apart = (first["makespan_s"] - second["makespan_s"]).to_numpy(dtype=float)
    if is_drawn and np.ptp(apart) <= 1e-12 * abs(apart).max():
        return [
            f"In all pairs of runs it saved {percent(saved)} of the time over {other}: others may "
            "differ."
        ]
    quality = difference_of_shares_interval(second["quality"], first["quality"], confidence)
    said = [f"Over {whom} it saves {shares} of the time."]
    if quality.high < 0.0:
        said.append(f"It gets less right: {percent(-quality.estimate, 1)} of the tasks.")
    costs = [to_success(rows["cost_usd"], rows["success"]).estimate for rows in (first, second)]
    if costs[1] > costs[0]:
        price = break_even_usd_per_hour(first, second, confidence, may_fail=may_fail)
        pays = (
            f"pays if an hour is worth {price.estimate:,.2f} US dollars "
            f"({price.low:,.2f} to {price.high:,.2f}) or more."
        )
        more = "It costs more, and" if price.low > 0.0 else "Whether it costs more is open: it"
        said.append(f"{more} {pays}")
    return said
