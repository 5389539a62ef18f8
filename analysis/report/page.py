"""Puts a report together from the directory of a sweep."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import yaml
from plotly.offline import get_plotlyjs

from analysis.breakdown.causes import CAUSES
from analysis.breakdown.speedup_stack import speedup_stacks
from analysis.decisions.economics import break_even_usd_per_hour, pareto_front, unit_costs
from analysis.plots.bands import all_finished, span_of_shares, why_not_known
from analysis.plots.labels import metric_label
from analysis.plots.style import colour
from analysis.report.charts import curve_chart, pareto_chart, series_of, stack_chart
from analysis.statistics.completion import linearised, runs_finished, speedup, to_success
from analysis.statistics.curves import (
    RATIOS,
    SIZE,
    TO_SUCCESS,
    curves_against,
    not_known,
    with_derived,
)
from analysis.statistics.law_fits import compare_laws, fit_law
from analysis.statistics.laws import usl_peak
from analysis.statistics.selection import paired_difference, rank
from simulator.experiment import read_manifest, read_results
from simulator.scenario import Point, Scenario
from simulator.scenario.figure import Figure

_SCALING = ("makespan_s", "speedup", "quality", "success", "tokens", "deliveries")
"""Of a sweep over team size that asks for no picture of its own."""

Progress = Callable[[int, int], None]


@dataclass
class _Section:
    id: str
    title: str
    words: list[str] = field(default_factory=list)
    toggles: list[dict[str, str]] = field(default_factory=list)
    charts: list[dict[str, str]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    code: str = ""
    code_title: str = ""


class _Page:
    """Sections, and the charts that they show."""

    def __init__(self) -> None:
        self.sections: list[_Section] = []
        self.figures: dict[str, Any] = {}

    def chart(self, section: _Section, title: str, figure: Any) -> None:
        number = f"chart-{len(self.figures)}"
        self.figures[number] = json.loads(figure.to_json())
        section.charts.append({"id": number, "title": title})


def _table(title: str, frame: pd.DataFrame, is_open: bool = False) -> dict[str, Any]:
    html = frame.to_html(index=False, border=0, float_format=lambda x: f"{x:,.4g}", na_rep="")
    return {"title": title, "html": html, "open": is_open}


def write_report(
    directory: str | Path,
    out: str | Path,
    stack_replications: int = 10,
    progress: Progress | None = None,
) -> None:
    """Write the report of a finished sweep as one HTML page that needs no network.

    Parameters
    ----------
    directory : str or Path
        Of the sweep.
    out : str or Path
        The page.
    stack_replications : int
        Traced runs of each point for the speed-up stacks; 0 leaves them out.
    progress : callable, optional
        Told how far the stacks are.

    Raises
    ------
    TeamsimError
        If there is no finished sweep.
    """
    results = with_derived(read_results(directory).to_pandas())
    manifest = read_manifest(directory)
    page = _Page()
    figure = _figure(results, manifest)
    metrics = [name for name in figure.y if name not in RATIOS]
    spent = [f"{name}{TO_SUCCESS}" for name in ("cost_usd", "tokens")]
    needed = list(dict.fromkeys([*metrics, "makespan_s", "quality", *spent]))
    curves = curves_against(results, needed, figure.x)
    shown = curves[~curves["series"].isin(_baseline_only(curves))]
    _answer(page, results, figure, manifest)
    _curves(page, shown, figure)
    _where_it_went(page, manifest, stack_replications, progress)
    _money(page, results, shown)
    _laws(page, shown, figure)
    _provenance(page, manifest, results)
    source = files("analysis.report").joinpath("template.html").read_text("utf-8")
    template = jinja2.Environment(autoescape=True).from_string(source)
    html = template.render(
        name=manifest["scenario_name"],
        question=manifest.get("question", ""),
        sections=page.sections,
        charts=json.dumps(page.figures).replace("</", "<\\/"),
        plotly=get_plotlyjs(),
    )
    Path(out).write_text(html, encoding="utf-8")


def _figure(results: pd.DataFrame, manifest: Mapping[str, Any]) -> Figure:
    """Return what the scenario asks to be drawn, or scaling curves, or a row a point."""
    if manifest.get("figure"):
        return Figure.model_validate(manifest["figure"])
    if SIZE in manifest["axes"]:
        return Figure(x=SIZE, y=_SCALING, x_label="agents n")
    numeric = [axis for axis in manifest["axes"] if pd.api.types.is_numeric_dtype(results[axis])]
    return Figure(x=(numeric or manifest["axes"] or ["series"])[0], y=("makespan_s", "quality"))


def _baseline_only(curves: pd.DataFrame) -> list[str]:
    alone = curves.groupby("series")["is_baseline"].all()
    names = [str(name) for name in alone[alone].index]
    return names if len(names) < curves["series"].nunique() else []


def _answer(
    page: _Page, results: pd.DataFrame, figure: Figure, manifest: Mapping[str, Any]
) -> None:
    """Say which point is quickest, and how sure that is."""
    section = _Section("answer", "What came out")
    by_name = results.groupby("point_name", sort=False)
    common = int(by_name.size().min())
    samples = {}
    for name, each in by_name:
        rows = each.sort_values("replication").head(common)
        if rows["success"].any():
            samples[str(name)] = linearised(rows["makespan_s"], rows["success"])
    counts = by_name["success"].agg(["sum", "size"])
    all_done = bool((counts["sum"] == counts["size"]).all())
    if len(samples) > 1:
        ranked = rank(samples)
        best = ranked.iloc[0]
        rivals = ranked[ranked["may_be_best"]].iloc[1:]
        p = float(best["p_best"])
        sure = f"with a probability of {p:.0%} or more" if p else "but others may be as quick"
        done, made = counts.loc[best["system"]]
        section.words.append(
            f"Quickest of the {len(ranked)} points{'' if all_done else ' whose time is known'}: "
            f"{best['system']}, {best['mean']:,.4g} s ({best['low']:,.4g} to {best['high']:,.4g})"
            f"{'' if done == made else f' until success, {runs_finished(done, made)}'}, {sure}."
        )
        section.words += _over_one_agent(results, str(best["system"]))
        if len(rivals):
            section.words.append(
                "As quick, as far as these replications can tell: "
                + "; ".join(rivals["system"].head(5))
                + "."
            )
        columns = ["system", "mean", "low", "high", "behind", "behind_low", "behind_high", "p_best"]
        section.tables.append(_table("All points, the quickest first", ranked[columns]))
    if not all_done:
        section.words += _unfinished(counts)
        shown = counts.set_axis(["finished", "runs"], axis=1).reset_index()
        section.tables.append(_table("How many runs finished", shown, is_open=True))
    outcomes = results.groupby(["point_name", "outcome"], sort=False).size().unstack(fill_value=0)
    section.tables.append(_table("How the runs ended", outcomes.reset_index()))
    page.sections.append(section)


def _unfinished(counts: pd.DataFrame) -> list[str]:
    """Say how many runs did not finish, and what a time is then; `counts`: ``sum, size``."""
    done, made = int(counts["sum"].sum()), int(counts["size"].sum())
    some = counts[(counts["sum"] > 0) & (counts["sum"] < counts["size"])]
    never = [str(name) for name in counts.index[counts["sum"] == 0]]
    said = [
        f"{_capital(runs_finished(done, made))}. The length of one that did not says only that the "
        "work takes longer. So times are until success: failed runs are started again, until one "
        "finishes. Speed-up, cost and laws go by that."
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


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _over_one_agent(results: pd.DataFrame, name: str) -> list[str]:
    """Say what a point saves over its single agent, no surer than the interval."""
    point = results[results["point_name"] == name]
    baseline = point["baseline_point"].iloc[0]
    if pd.isna(baseline) or baseline == point["point"].iloc[0]:
        return []
    alone = results[results["point"] == baseline]
    if not alone["success"].any():
        return ["What it saves over its single agent is not known: that never finished."]
    first, second = (rows.set_index("replication") for rows in (alone, point))
    common = first.index.intersection(second.index)
    first, second = first.loc[common], second.loc[common]
    quicker = speedup(first, second)
    saved, least, most = (
        1.0 - 1.0 / each if each > 0.0 else -math.inf
        for each in (quicker.estimate, quicker.low, quicker.high)
    )
    shares = f"{saved:.0%} ({least:.0%} to {most:.0%})"
    if least <= 0.0:
        return [
            f"Whether it is quicker than its single agent is open: it saves {shares} of the time."
        ]
    quality = paired_difference(second["quality"], first["quality"])
    said = [f"Over its single agent it saves {shares} of the time."]
    if quality.high < 0.0:
        said.append(f"It gets less right: {-quality.estimate:.1%} of the tasks.")
    costs = [to_success(rows["cost_usd"], rows["success"]).estimate for rows in (first, second)]
    if costs[1] > costs[0]:
        price = break_even_usd_per_hour(alone, point)
        said.append(
            f"It costs more, and pays if an hour is worth {price.estimate:,.2f} US dollars "
            f"({price.low:,.2f} to {price.high:,.2f}) or more."
        )
    return said


def _curves(page: _Page, curves: pd.DataFrame, figure: Figure) -> None:
    section = _Section("curves", "Curves")
    section.words.append("Means over replications, with bands of 95 % intervals.")
    finishes = all_finished(curves)
    if not finishes:
        section.words.append(
            "Times and the speed-up are until success; all else is of runs as they ended. Marks "
            "are open where not all runs finished, and point at how many did."
        )
    names = series_of(curves)
    if len(names) > 1:
        section.toggles = [{"name": name, "colour": colour(i)} for i, name in enumerate(names)]
    x = figure.x_label or figure.x.rpartition(".")[2].replace("_", " ")
    columns = ["series", "x", *(["finished", "runs"] if not finishes else [])]
    for metric in figure.y:
        label = metric_label(metric, finishes)
        if np.isfinite(curves[metric].astype(float)).any():
            page.chart(section, label, curve_chart(curves, metric, x, label))
            columns += [metric, f"{metric}_low", f"{metric}_high"]
        elif not_known(curves, metric).any():
            section.words.append(f"{_capital(label)} is {why_not_known(curves, metric)}.")
    section.tables.append(_table("The numbers", curves[columns]))
    page.sections.append(section)


def _where_it_went(
    page: _Page, manifest: Mapping[str, Any], replications: int, progress: Progress | None
) -> None:
    if not replications:
        return
    points = [
        Point(
            point["index"],
            point["name"],
            point["overrides"],
            point["baseline_point"],
            point.get("series", ""),
            Scenario.model_validate(point["scenario"]),
        )
        for point in manifest["points"]
    ]
    stacks = speedup_stacks(points, replications, progress)
    if stacks.empty:
        return
    section = _Section("stack", "Where the speed-up went")
    section.words.append(
        "Of the ideal n, what was reached, and what each cause has taken: the time that the team "
        "spent on it and one agent did not. Below 0: what a team spends less on. The parts of a "
        f"bar add up to n. Means of {replications} traced replications."
    )
    if (stacks["finished"] < stacks["runs"]).any():
        section.words.append(
            "Not all of them finished. A stack is of the replications in which both the team and "
            "its single agent did; below a size stands how many these are, and there is no bar "
            "where it is none."
        )
    for name, table in stacks.groupby("series", sort=False):
        page.chart(section, str(name) or "all", stack_chart(table))
    columns = ["series", "n", "finished", "runs", "speed-up", *CAUSES]
    section.tables.append(_table("The numbers", stacks[columns]))
    page.sections.append(section)


def _money(page: _Page, results: pd.DataFrame, curves: pd.DataFrame) -> None:
    priced = bool((results["cost_usd"] > 0).any())
    section = _Section("money", "What it costs")
    cost = f"{'cost_usd' if priced else 'tokens'}{TO_SUCCESS}"
    said = [f"{name} {x}".strip() for name, x in zip(curves["series"], curves["x"], strict=True)]
    points = curves.assign(cost=curves[cost], name=said)
    points["is_best"] = pareto_front(points, ["makespan_s", "cost"], ["quality"])
    unit = "US dollars" if priced else "tokens"
    section.words.append(
        f"Each point by its mean cost in {unit} and its makespan. Large marks are on the Pareto "
        "front: no other point is as cheap, as quick and as good, and better in one of them."
    )
    never = int(curves["makespan_s"].isna().sum())
    if not all_finished(curves):
        section.words.append(
            "Both are until success: failed runs are started again, and paid again."
            + f" {never} points at which no run finished are left out." * bool(never)
        )
    if never < len(curves):
        chart = pareto_chart(points, series_of(curves))
        chart.update_layout(xaxis_title=f"cost ({unit})")
        page.chart(section, "Time against cost", chart)
    columns = ["series", "x", "finished", "runs", "makespan_s", "cost", "quality", "is_best"]
    section.tables.append(_table("The numbers", points[columns]))
    if priced:
        section.tables.append(_table("What a task costs", unit_costs(results)))
    page.sections.append(section)


def _laws(page: _Page, curves: pd.DataFrame, figure: Figure) -> None:
    """Fit the laws of speed-up to each series over team size."""
    if figure.x != SIZE:
        return
    section = _Section("laws", "Laws")
    for name in series_of(curves):
        line = curves[curves["series"] == name]
        known = line[line["speedup"].notna()]
        if known["x"].nunique() < 5:
            if not_known(line, "speedup").any():
                section.words.append(
                    f"{name or 'Speed-up'}: no law, since the speed-up is known at "
                    f"{known['x'].nunique()} of {line['x'].nunique()} sizes: at the others no run "
                    "finished, of the team or of the single agent."
                )
            continue
        n, y = known["x"].astype(float), known["speedup"].astype(float)
        fits = compare_laws(n, y, ("amdahl", "gustafson", "usl", "power", "logistic"))
        usl = fit_law("usl", n, y)
        peak = usl_peak(usl.estimates["sigma"], usl.estimates["kappa"])
        where = f"at n = {peak:.0f}" if peak < 10 * float(n.max()) else "beyond what was simulated"
        section.words.append(
            f"{name or 'Speed-up'}: best fitted by {fits.iloc[0]['law']} (Akaike weight "
            f"{fits.iloc[0]['weight']:.0%}); the Universal Scalability Law has its peak {where}."
        )
        section.tables.append(_table(f"Fits of the speed-up: {name or 'all'}", fits))
    if section.words:
        page.sections.append(section)


def _provenance(page: _Page, manifest: Mapping[str, Any], results: pd.DataFrame) -> None:
    section = _Section("provenance", "Where this comes from")
    section.words.append(
        f"teamsim {manifest['teamsim']}, Python {manifest['python']}, seed {manifest['seed']}, "
        f"{len(manifest['points'])} points, {len(results):,} replications, made "
        f"{manifest['created']}. SHA-256 of scenario and version: "
        f"{manifest['sha256'][:16]}."
    )
    packages = pd.DataFrame(list(manifest["packages"].items()), columns=["package", "version"])
    section.tables.append(_table("Packages", packages))
    section.code_title = "The first point's scenario, whole"
    section.code = yaml.safe_dump(manifest["points"][0]["scenario"], sort_keys=False, width=100)
    page.sections.append(section)
