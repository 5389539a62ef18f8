"""Makes a report from the directory of a sweep."""

from __future__ import annotations

import base64
import json
import math
import shlex
import zlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import yaml

from analysis.breakdown.causes import CAUSES
from analysis.breakdown.speedup_stack import speedup_stacks
from analysis.decisions.economics import pareto_front, unit_costs
from analysis.plots.colours import colour
from analysis.plots.default import wanted_figure
from analysis.plots.known import all_finished, why_not_known
from analysis.plots.labels import metric_label
from analysis.report.answer import answer
from analysis.report.charts import (
    curve_chart,
    has_shared_bands,
    pareto_chart,
    series_of,
    stack_chart,
)
from analysis.report.sections import Page, Section, capitalised, table_of
from analysis.statistics.curves import RATIOS, TO_SUCCESS, curves_against, not_known, with_derived
from analysis.statistics.law_fits import LawFit, compare_laws, fit_law
from analysis.statistics.laws import usl_peak
from analysis.statistics.series import SIZE
from simulator.experiment import read_manifest, read_results
from simulator.experiment.manifest import point_of, scenario_of
from simulator.experiment.pool import Progress
from simulator.scenario.costs import HOW_TO_PRICE
from simulator.scenario.figure import Figure
from simulator.scenario.telling import assumed
from simulator.words import percent

_NAMED = 4
"""Most points without a price that are named."""


def write_report(
    directory: str | Path,
    out: str | Path,
    stack_replications: int = 10,
    progress: Progress | None = None,
    workers: int = 1,
) -> None:
    """Write the report of a finished sweep as one HTML page that needs no network.

    Parameters
    ----------
    directory : str or Path
        Directory of the sweep.
    out : str or Path
        File of the page.
    stack_replications : int
        Traced runs of each point for the speed-up stacks; 0 leaves them out.
    progress : callable, optional
        Called with the progress of the stacks.
    workers : int
        Processes for the stacks; the page does not depend on them.

    Raises
    ------
    TeamsimError
        If there is no finished sweep.
    """
    results = with_derived(read_results(directory).to_pandas())
    manifest = read_manifest(directory)
    page = Page()
    script = files("plotly").joinpath("package_data/plotly.min.js").read_text("utf-8")
    figure = wanted_figure(results, manifest)
    metrics = [name for name in figure.y if name not in RATIOS]
    spent = [f"{name}{TO_SUCCESS}" for name in ("cost_usd", "tokens")]
    needed = list(dict.fromkeys([*metrics, "makespan_s", "quality", *spent]))
    curves = curves_against(results, needed, figure.x)
    shown = curves[~curves["series"].isin(_baseline_only(curves))]
    verdict, first = answer(results, lambda point: scenario_of(manifest["points"][point]))
    page.add(first)
    _curves(page, shown, figure, ["teamsim", "plot", str(directory)])
    command = shlex.join(["teamsim", "report", str(directory), "--stacks", str(stack_replications)])
    _where_it_went(page, manifest, stack_replications, command, progress, workers)
    _money(page, results, shown, command)
    _laws(page, shown, figure)
    _provenance(page, manifest, results)
    source = files("analysis.report").joinpath("template.html").read_text("utf-8")
    template = jinja2.Environment(autoescape=True).from_string(source)
    html = template.render(
        name=manifest["scenario_name"],
        question=manifest.get("question", ""),
        assumed=assumed(manifest["points"][0]["scenario"].get("assumptions", ())),
        verdict=verdict,
        sections=page.sections,
        charts=packed(json.dumps(page.figures)),
        plotly=packed(script),
    )
    Path(out).write_text(html, encoding="utf-8")


def _baseline_only(curves: pd.DataFrame) -> list[str]:
    alone = curves.groupby("series")["is_baseline"].all()
    names = [str(name) for name in alone[alone].index]
    return names if len(names) < curves["series"].nunique() else []


def packed(text: str) -> str:
    """Return a text as it stands in a page: compressed (zlib), in base 64.

    Level 9 takes plotly's script to a hundredth less, and nearly twice as long.
    """
    return base64.b64encode(zlib.compress(text.encode("utf-8"), 5)).decode("ascii")


def _curves(page: Page, curves: pd.DataFrame, figure: Figure, command: list[str]) -> None:
    section = Section("curves", "Curves")
    finishes = all_finished(curves)
    x = figure.x_label or figure.x.rpartition(".")[2].replace("_", " ")
    labels = {metric: metric_label(metric, finishes) for metric in figure.y}
    charts = {
        metric: curve_chart(curves, metric, x, labels[metric])
        for metric in figure.y
        if np.isfinite(curves[metric].astype(float)).any()
    }
    grey = "; a grey one is that of several series" * any(map(has_shared_bands, charts.values()))
    section.say(f"Means over replications, with bands of 95 % intervals{grey}.")
    if not finishes:
        section.say(
            "Times and the speed-up are until success; all else is of runs as they ended. Marks "
            "are open where not all runs finished, and point at how many did."
        )
    names = series_of(curves)
    if len(names) > 1:
        toggles = [{"name": name, "colour": colour(i)} for i, name in enumerate(names)]
        section.switch(*toggles)
    columns = ["series", "x", *(["finished", "runs"] if not finishes else [])]
    for metric, label in labels.items():
        if metric in charts:
            own = [metric, f"{metric}_low", f"{metric}_high"]
            data = curves[["series", "x", "finished", "runs", *own]]
            said = shlex.join([*command, "--x", figure.x, "--y", metric])
            page.chart(section, label, charts[metric], data, said)
            columns += own
        elif not_known(curves, metric).any():
            section.say(f"{capitalised(label)} is {why_not_known(curves, metric)}.")
    section.show(table_of("The numbers", curves[columns]))
    page.add(section)


def _where_it_went(
    page: Page,
    manifest: Mapping[str, Any],
    replications: int,
    command: str,
    progress: Progress | None,
    workers: int,
) -> None:
    if not replications:
        return
    points = list(map(point_of, manifest["points"]))
    stacks = speedup_stacks(points, replications, progress, workers)
    if stacks.empty:
        return
    section = Section("stack", "Where the speed-up went")
    section.say(
        "Of the ideal n, what was reached, and what each cause has taken: the time that the team "
        "spent on it and one agent did not. Below 0: what a team spends less on. The parts of a "
        f"bar add up to n. Means of {replications} traced replications; the strokes are 95 % "
        "intervals of their speed-ups. The curves above are of all replications."
    )
    if (stacks["finished"] < stacks["runs"]).any():
        section.say(
            "Not all of them finished. A stack is of the replications in which both the team and "
            "its single agent did; below a size stands how many these are, and there is no bar "
            "where it is none."
        )
    columns = ["series", "n", "finished", "runs", "speed-up", *CAUSES]
    ends = [f"{name}_{end}" for name in ("speed-up", *CAUSES) for end in ("low", "high")
            if stacks[name].abs().max() > 0]  # fmt: skip
    for name, table in stacks.groupby("series", sort=False):
        page.chart(section, str(name) or "all", stack_chart(table), table[columns], command)
    section.show(table_of("The numbers, with 95 % intervals", stacks[[*columns, *ends]]))
    page.add(section)


def _money(page: Page, results: pd.DataFrame, curves: pd.DataFrame, command: str) -> None:
    unpriced = results.loc[results["cost_usd"].isna(), "point_name"].unique()
    priced = len(unpriced) < results["point_name"].nunique()
    section = Section("money", "What it costs")
    cost = f"{'cost_usd' if priced else 'tokens'}{TO_SUCCESS}"
    said = [f"{name} {x}".strip() for name, x in zip(curves["series"], curves["x"], strict=True)]
    points = curves.assign(cost=curves[cost], name=said)
    points["is_best"] = pareto_front(points, ["makespan_s", "cost"], ["quality"])
    unit = "US dollars" if priced else "tokens"
    section.say(
        f"Each point by its mean cost in {unit} and its makespan. Large marks are on the Pareto "
        "front of the means: no other point is as cheap, as quick and as good, and better in one "
        "of them. Chance may put a point on it or beside it, where means are as near to each other "
        "as their intervals are wide."
    )
    if not priced:
        section.say(f"What it costs in US dollars is unknown: {HOW_TO_PRICE}.")
    elif len(unpriced):
        names = "; ".join(unpriced[:_NAMED]) + f"; and {len(unpriced) - _NAMED} more" * (
            len(unpriced) > _NAMED
        )
        section.say(
            f"The picture leaves out {len(unpriced)} of the {results['point_name'].nunique()} "
            f"points, whose cost is unknown ({names}): {HOW_TO_PRICE}."
        )
    never = int(curves["makespan_s"].isna().sum())
    if not all_finished(curves):
        section.say(
            "Both are until success: failed runs are started again, and paid again."
            + f" {never} points at which no run finished are left out." * bool(never)
        )
    columns = ["series", "x", "finished", "runs", "makespan_s", "cost", "quality", "is_best"]
    if never < len(curves):
        chart = pareto_chart(points, series_of(curves), f"cost ({unit})")
        page.chart(section, "Time against cost", chart, points[columns], command)
    section.show(table_of("The numbers", points[columns]))
    if priced:
        section.show(table_of("What a task costs", unit_costs(results)))
    page.add(section)


def _laws(page: Page, curves: pd.DataFrame, figure: Figure) -> None:
    """Fit the laws of speed-up to each series over team size."""
    if figure.x != SIZE:
        return
    section = Section("laws", "Laws")
    for name in series_of(curves):
        line = curves[curves["series"] == name]
        known = line[line["speedup"].notna()]
        if known["x"].nunique() < 5:
            if not_known(line, "speedup").any():
                section.say(
                    f"{name or 'Speed-up'}: no law, since the speed-up is known at "
                    f"{known['x'].nunique()} of {line['x'].nunique()} sizes: at the others no run "
                    "finished, of the team or of the single agent."
                )
            continue
        n, y = known["x"].astype(float), known["speedup"].astype(float)
        laws = ("amdahl", "gustafson", "usl", "power", "logistic")
        fits = compare_laws(n, y, laws, relative=True)
        usl = fit_law("usl", n, y, relative=True)
        holds = bool(fits.set_index("law").at["usl", "may_hold"])
        section.say(
            f"{name or 'Speed-up'}: {_best_law(fits)}; {_peak(usl, float(n.max()), holds)}."
        )
        section.show(table_of(f"Fits of the speed-up: {name or 'all'}", fits))
    if section.words:
        page.add(section)


def _best_law(fits: pd.DataFrame) -> str:
    """Say which law fits best, and which others may hold as well."""
    may_hold = fits[fits["may_hold"]]
    first, *others = may_hold.to_dict("records")
    names = ", ".join(row["law"] for row in others)
    not_told = ", and worse by all others (95 % confidence)"
    if names:
        not_told = f", not told from {names}"
    weight = first["weight"]
    akaike = f" (Akaike weight {percent(weight)})" if math.isfinite(weight) else ""
    return f"best fitted by {first['law']}{akaike}{not_told}"


def _peak(usl: LawFit, largest: float, may_hold: bool) -> str:
    """Say where the Universal Scalability Law has its peak, as far as that is known.

    A peak beyond the largest size is no more than a lower bound: there the law is not tested.
    """
    peak, least, most = (
        max(1.0, usl_peak(ends["sigma"], ends["kappa"]))
        for ends in (usl.estimates, usl.high, usl.low)
    )
    fits_worse = "" if may_hold else ", though others fit better,"
    said = f"the Universal Scalability Law{fits_worse} has its peak"
    if least >= 10 * largest:
        return f"{said} beyond what was simulated"
    span = f"{least:.0f} to {most:.0f}" if most <= largest else f"{least:.0f} or more"
    where = f"at n = {peak:.0f}" if peak <= largest else "beyond what was simulated"
    return f"{said} {where} ({span})"


def _provenance(page: Page, manifest: Mapping[str, Any], results: pd.DataFrame) -> None:
    first = manifest["points"][0]["scenario"]
    section = Section(
        "provenance",
        "Where this comes from",
        code=yaml.safe_dump(first, sort_keys=False, width=100),
        code_title="The first point's scenario, whole",
    )
    section.say(
        f"teamsim {manifest['teamsim']}, Python {manifest['python']}, seed {manifest['seed']}, "
        f"{len(manifest['points'])} points, {len(results):,} replications, made "
        f"{manifest['created']}. SHA-256 of scenario and version: "
        f"{manifest['sha256'][:16]}."
    )
    packages = pd.DataFrame(list(manifest["packages"].items()), columns=["package", "version"])
    section.show(table_of("Packages", packages))
    page.add(section)
