"""Pictures and pages tell which runs did not finish, and draw no unknown values."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as Picture

from analysis.plots import (
    plot_against,
    plot_power_law,
    plot_rows,
    plot_scaling,
    plot_speedup,
    scaling_figure,
    sweep_figure,
)
from analysis.report import write_report
from analysis.report.charts import curve_chart, has_shared_bands
from analysis.report.explorer.curves import PANELS, charts_of, drawn
from analysis.report.explorer.settings import DEFAULT, Offered
from analysis.statistics.curves import curves_against, scaling_curves, with_derived
from analysis.statistics.intervals import SHARE_METRICS
from simulator.experiment import run_sweep
from simulator.scenario import parse_study
from simulator.scenario.figure import Figure
from tests.analysis.test_unfinished_runs import TEXT

METRICS = ["makespan_s", "makespan_s_p95", "quality", "success", "tokens_to_success"]


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return with_derived(run_sweep(parse_study(TEXT)).to_pandas())


@pytest.fixture(scope="module")
def curves(results: pd.DataFrame) -> pd.DataFrame:
    return scaling_curves(results, METRICS)


def crosses(ax: Axes) -> list[float]:
    """Return the places at which an x says that nothing is known."""
    found = [np.asarray(line.get_xdata()) for line in ax.lines if line.get_gid() == "not known"]
    return [float(x) for line in found for x in line]


def open_marks(ax: Axes) -> list[float]:
    is_open = [to_rgba(line.get_markerfacecolor()) == to_rgba("white") for line in ax.lines]
    return [
        float(x)
        for line, each in zip(ax.lines, is_open, strict=True)
        for x in (np.asarray(line.get_xdata()) if each else ())
    ]


def test_marks_are_open_where_some_runs_finished_and_crosses_where_none_did(
    curves: pd.DataFrame,
) -> None:
    time = plot_scaling(curves, "makespan_s", "s")
    assert crosses(time) == [1.0, 2.0, 4.0]
    assert sorted(open_marks(time)) == [1.0, 8.0]
    assert "no run finished" in time.get_ylabel()
    quality = plot_scaling(curves, "quality", "share")  # known of runs that did not finish, too
    assert crosses(quality) == []
    assert "finished" not in quality.get_ylabel()
    assert sorted(open_marks(quality)) == [1.0, 1.0, 2.0, 4.0, 8.0]
    late = plot_against(curves.rename(columns={"n": "x"}), "makespan_s_p95", "s")
    assert sorted(crosses(late)) == [1.0, 1.0, 2.0, 4.0, 8.0]
    assert "too few runs finished" in late.get_ylabel()


def test_no_number_of_an_unfinished_run_is_drawn_as_a_time(curves: pd.DataFrame) -> None:
    ax = plot_scaling(curves, "makespan_s", "s")
    drawn = [
        y for line in ax.lines if line.get_gid() is None for y in np.atleast_1d(line.get_ydata())
    ]
    known = curves["makespan_s"].dropna().to_numpy()
    assert np.isin(np.asarray(drawn, dtype=float), known).all()
    assert not np.isclose(np.asarray(drawn, dtype=float), 95.0).any()


def test_a_panel_of_which_nothing_is_known_says_why(results: pd.DataFrame) -> None:
    hurried = scaling_curves(results[results["series"] == "95 s"], METRICS)
    ax = plot_speedup(hurried)
    assert [text.get_text() for text in ax.texts] == ["not known: the single\nagent never finished"]
    assert crosses(ax) == [1.0, 2.0, 4.0, 8.0, 16.0]
    never = scaling_curves(
        results[(results["team.size"] < 8) & (results["series"] == "95 s")], METRICS
    )
    for draw in (plot_scaling, plot_power_law):
        said = draw(never, "tokens_to_success", "tokens").texts[0].get_text()
        assert said == "not known: no run\nfinished"


def test_a_panel_in_which_all_that_is_known_is_nothing_says_none() -> None:
    n = [1, 2, 4, 8]
    finished, sent = [0, 3, 10, 10], [np.nan, 0.0, 0.0, 0.0]
    counted = {"n": n, "series": "", "runs": 10, "finished": finished}
    bounds = {f"messages_to_success{end}": sent for end in ("", "_low", "_high")}
    ax = plot_power_law(pd.DataFrame(counted | bounds), "messages_to_success", "messages")
    assert [text.get_text() for text in ax.texts] == ["none"]
    assert crosses(ax) == [1.0]
    assert "no run finished" in ax.get_ylabel()


def test_where_nothing_is_known_there_is_room_on_the_axis(curves: pd.DataFrame) -> None:
    one = curves[curves["series"] == curves["series"].iloc[-1]]
    for ax in (plot_scaling(one, "makespan_s", "s"), plot_power_law(one, "makespan_s", "s")):
        low, high = ax.get_xlim()
        assert low <= min(crosses(ax), default=low)
        assert low <= one["n"].min()
        assert one["n"].max() <= high


def test_an_exponent_is_fitted_to_what_the_work_takes(curves: pd.DataFrame) -> None:
    """The tokens of the work do not depend on n: what unfinished runs read is no part of it."""
    ax = plot_power_law(curves[curves["series"] != "95 s"], "tokens_to_success", "tokens")
    said = [text.get_text() for text in ax.texts if "propto" in text.get_text()]
    exponents = [float(re.findall(r"-?\d+\.\d+", text)[0]) for text in said]
    assert len(exponents) == 2
    few = curves[curves["series"] == "95 s"]
    assert not plot_power_law(few, "tokens_to_success", "tokens").texts  # two points are known


def texts(figure: Picture) -> str:
    found = [figure.get_supxlabel(), *(text.get_text() for ax in figure.axes for text in ax.texts)]
    return " ".join(found).replace("\n", " ")


@pytest.mark.slow
def test_figures_say_at_their_foot_how_many_finished(results: pd.DataFrame) -> None:
    overview = scaling_figure(results, "Why?")
    assert "not all runs finished" in texts(overview)
    assert "no run finished at 3 of 15 points" in texts(overview)
    titles = [ax.get_title(loc="left") for ax in overview.axes]
    assert titles[0] == "Time to success"
    overview.draw_without_rendering()
    calm = scaling_figure(results[results["series"] == "no hurry"])
    assert "finished" not in texts(calm)
    assert "bands leave out failures that no run shows" in texts(calm)
    assert "Time to finish" in [ax.get_title(loc="left") for ax in calm.axes]
    wanted = Figure(x="team.size", y=("makespan_s", "makespan_s_p99", "speedup", "overhead_s"))
    figure = sweep_figure(results, wanted)
    assert "times are until success, failed runs started again" in texts(figure)
    assert "percentiles of times count runs that failed as longer" in texts(figure)
    assert figure.axes[0].get_ylabel().startswith("time to success")
    figure.draw_without_rendering()
    tail = texts(sweep_figure(results, Figure(x="team.size", y=("makespan_s_p99",))))
    assert "arrows: intervals that so few runs do not bound" in tail
    assert "until success" not in tail
    spent = texts(sweep_figure(results, Figure(x="team.size", y=("calls",))))
    assert "arrows" not in spent
    assert "times" not in spent


def test_a_row_without_a_time_says_so(results: pd.DataFrame) -> None:
    of_four = results[results["team.size"] == 4]
    table = curves_against(of_four, ["makespan_s", "makespan_s_p95"], "series")
    ax = plot_rows(table, "makespan_s", "s")
    assert [text.get_text() for text in ax.texts] == ["no run finished"]
    figure = sweep_figure(of_four, Figure(x="series", y=("makespan_s", "makespan_s_p95")))
    assert "too few runs finished" in texts(figure)
    figure.draw_without_rendering()


def test_ends_that_are_open_are_drawn_to_the_edge_with_an_arrow() -> None:
    ends = pd.DataFrame(
        {
            "series": "one",
            "x": [1, 2, 3, 4],
            "is_baseline": False,
            "finished": 5,
            "runs": 5,
            "baseline_finished": 5,
            "quality": [0.5, 0.9, 0.99, 0.7],
            "quality_low": [-math.inf, 0.8, math.nan, 0.6],
            "quality_high": [0.7, math.inf, math.inf, 0.8],
        }
    )
    named = ends.assign(x=["a", "b", "c", "d"])
    rows = named.assign(series=named["x"])
    for draw, table, arrows in (
        (plot_against, ends, "^v"),
        (plot_against, named, "^v"),
        (plot_rows, rows, "<>"),
    ):
        ax = draw(table, "quality", "share")
        found = {line.get_marker(): len(np.atleast_1d(line.get_xdata())) for line in ax.lines}
        assert [found.get(arrow) for arrow in arrows] == [2, 2]
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.draw_without_rendering()
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
        assert_inside(ax, sideways=draw is plot_rows)
    chart = curve_chart(ends, "quality", "x", "share")
    assert np.isfinite(np.asarray(chart.data[0]["y"], dtype=float)).all()
    said = [each[0] for each in chart.data[1]["customdata"]]
    assert said == ["up to 0.7", "0.8 or more", "interval not known", "0.6 to 0.8"]


def assert_inside(ax: Axes, sideways: bool = False) -> None:
    """Check that every band, bar, whisker and mark of a share lies between 0 and 1."""
    axis = 0 if sideways else 1
    spans = [path.vertices[:, axis] for each in ax.collections for path in each.get_paths()]
    assert spans
    for span in spans:
        values = np.asarray(span, dtype=float)
        assert np.all((values >= -1e-12) & (values <= 1 + 1e-12)), values


NEARLY = """\
name: nearly
replications: 12
team:
  size: 1
  agent:
    latency: {kind: seconds, base: {kind: lognormal, median: 10, sigma: 0.5}}
    errors: {probability: 0.02, detection: 0.5}
    faults: {crash: {up_s: {kind: exponential, mean: 6000}}}
topology: {kind: independent, aggregate: false}
coordination: {protocol: pre_assigned, timing: asynchronous}
workload: {kind: parallel_fraction, tasks: 30, parallel_fraction: 1}
"""
SIZED = NEARLY + "sweep: {team.size: [1, 2, 4, 8]}\n"
NAMED = NEARLY + (
    "sweep:\n"
    "  - {name: one, coordination.protocol: {values: [pre_assigned, self_claim]}}\n"
    "  - {name: four, team.size: 4, coordination.protocol: {values: [pre_assigned, self_claim]}}\n"
)
SERIES = (
    NEARLY
    + "sweep:\n  - {name: one}\n  - {name: two, team.size: 2}\n  - {name: six, team.size: 6}\n"
)


@pytest.mark.slow
def test_bands_of_shares_stay_between_0_and_1_in_every_picture() -> None:
    shares = sorted(SHARE_METRICS)
    sized, named, series = (
        with_derived(run_sweep(parse_study(text)).to_pandas()) for text in (SIZED, NAMED, SERIES)
    )
    table = scaling_curves(sized, shares)
    assert 0.8 < table["success"].min() < 1  # near 1, where intervals have no room
    assert 0.9 < table["quality"].min() < 1
    for metric in shares:
        assert table[f"{metric}_low"].ge(0).all(), metric
        assert table[f"{metric}_high"].le(1).all(), metric
        assert_inside(plot_scaling(table, metric, metric))
        chart = curve_chart(table.rename(columns={"n": "x"}), metric, "n", metric)
        band = np.asarray(chart.data[0]["y"], dtype=float)
        assert ((band >= 0) & (band <= 1)).all()
    overview = scaling_figure(sized)
    inside = [ax for ax in overview.axes if ax.get_title(loc="left") in ("Success", "Quality")]
    assert len(inside) == 2
    for ax in inside:
        assert_inside(ax)
    for results, x in ((sized, "team.size"), (named, "coordination.protocol"), (series, "series")):
        for ax in sweep_figure(results, Figure(x=x, y=tuple(shares))).axes:
            if ax.axison:  # not the empty place of a grid
                assert_inside(ax, sideways=x == "series")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("sweep") / "out"
    run_sweep(parse_study(TEXT), directory)
    write_report(directory, directory / "report.html", stack_replications=3)
    text = (directory / "report.html").read_text("utf-8")
    return re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


@pytest.mark.slow
def test_the_report_says_how_many_finished_where_and_what_is_not_known(page: str) -> None:
    said = " ".join(page.split())
    assert re.search(r"\d+ of 450 runs finished\. The length of one that did not says only", said)
    assert "At 3 of 15 points no run finished, and their time is not known: 95 s," in said
    assert re.search(r"At 2 of 15 points only some runs finished: \d+ to \d+ %\.", said)
    assert "How many runs finished" in said
    assert "points whose time is known" in said
    assert "3 points at which no run finished are left out" in said
    assert "95 s: no law, since the speed-up is known at 0 of 5 sizes" in said
    assert "A stack is of the replications in which both" in said


def test_the_report_names_a_quickest_that_finishes(page: str) -> None:
    """Runs cut off at 95 s do not count as quick."""
    first = re.search(r"Quickest of the 12 points whose time is known: ([^,]+), team.size=16", page)
    assert first is not None


def test_a_chart_has_crosses_of_its_own_and_counts_in_the_hover(curves: pd.DataFrame) -> None:
    said = curve_chart(curves.rename(columns={"n": "x"}), "makespan_s", "agents n", "s")
    chart: Any = go.Figure(said.data, said.layout)
    mine = [trace for trace in chart.data if trace.meta == 2]
    band, line, unknown = mine
    assert list(unknown.x) == [1, 2, 4]
    assert unknown.yaxis == "y2"
    assert list(line.x) == [8, 16]
    assert [symbol.endswith("-open") for symbol in line.marker.symbol] == [True, False]
    assert "of 30 runs finished" in line.customdata[0][1]
    assert line.customdata[1][1] == ""
    assert len(band.x) == 4
    assert "no run finished" in chart.layout.annotations[0].text


def test_the_explorer_draws_what_finishes_and_how_many_do() -> None:
    offered = Offered(parse_study(DEFAULT))
    said = {"topology": "independent", "coordination.timing": "asynchronous"}
    setting = offered.checked(6, {**said, "limits.deadline_s": 60})
    charts = charts_of(drawn(offered, setting, 12))
    time, share = (charts[PANELS.index(name)] for name in ("makespan_s", "success"))
    unknown: list[Any] = [trace for trace in time.data if trace.yaxis == "y2"]
    assert 1 in unknown[0].x
    assert set(unknown[0].x).isdisjoint(time.data[1].x)
    assert list(share.data[1].x) == [1, 2, 3, 4, 5, 6]
    assert share.data[1].y[0] == 0


def test_a_band_that_several_series_have_is_drawn_once_and_belongs_to_all() -> None:
    sizes = {"x": [1, 2], "finished": [9, 9], "runs": [9, 9], "is_baseline": [True, False]}
    ends = {"quality": [1.0, 1.0], "quality_low": [0.7, 0.7], "quality_high": [1.0, 1.0]}
    wider = {**ends, "quality_low": [0.6, 0.7]}
    series = {"one": ends, "two": wider, "three": ends}
    curves = pd.concat([pd.DataFrame({"series": n, **sizes, **e}) for n, e in series.items()])
    chart = curve_chart(curves, "quality", "agents n", "quality")
    owners = [trace["meta"] for trace in chart.data if "fill" in trace]
    assert owners == [[0, 2], 1]
    assert sorted(trace["meta"] for trace in chart.data if "fill" not in trace) == [0, 1, 2]
    assert has_shared_bands(chart)
    assert not has_shared_bands(curve_chart(curves[:4], "quality", "agents n", "quality"))
