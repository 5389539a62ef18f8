"""Scaling curves agree with the table, and the pictures agree with the curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.text import Text

from analysis.plots import (
    plot_power_law,
    plot_scaling,
    plot_speedup,
    save,
    scaling_figure,
    sweep_figure,
)
from analysis.plots.default import wanted_figure
from analysis.statistics.curves import check_figure, check_names, scaling_curves, with_series
from analysis.statistics.law_fits import fit_power_law
from analysis.statistics.laws import amdahl_speedup
from analysis.statistics.series import axes_of, name_value
from simulator.errors import TeamsimError
from simulator.experiment import run_sweep
from simulator.scenario import parse_study
from simulator.scenario.figure import Figure

TEXT = """\
name: curves
replications: 25
team:
  size: 1
  agent:
    latency: {kind: seconds, base: {kind: lognormal, median: 5, sigma: 0.4}}
topology: decentralised
coordination: {protocol: pre_assigned}
workload: {kind: parallel_fraction, tasks: 24, parallel_fraction: 0.75}
sweep:
  team.size: [1, 2, 4, 8]
  workload.parallel_fraction: [0.5, 0.9]
baseline: {team.size: 1, topology: single}
"""


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    return run_sweep(parse_study(TEXT)).to_pandas()


def test_speed_up_is_the_baselines_mean_over_the_teams(results: pd.DataFrame) -> None:
    curves = scaling_curves(results, ["makespan_s"])
    row = curves[(curves["series"] == "parallel fraction 0.9, decentralised") & (curves["n"] == 4)]
    if row.empty:
        row = curves[curves["series"].str.contains("0.9") & (curves["n"] == 4)]
    alone = results[(results["topology"] == "single") & (results["parallel_fraction"] > 0.8)]
    team = results[(results["team.size"] == 4) & (results["workload.parallel_fraction"] == 0.9)]
    expected = alone["makespan_s"].mean() / team["makespan_s"].mean()
    assert row["speedup"].item() == pytest.approx(expected)
    assert row["speedup_low"].item() < expected < row["speedup_high"].item()
    assert row["makespan_s"].item() == pytest.approx(team["makespan_s"].mean())


def test_without_a_baseline_each_series_has_its_own_single_agent() -> None:
    text = TEXT.replace("baseline: {team.size: 1, topology: single}\n", "")
    curves = scaling_curves(run_sweep(parse_study(text)).to_pandas(), ["makespan_s"])
    assert (curves.loc[curves["n"] == 1, "speedup"] == 1).all()


def test_a_sweep_without_sizes_has_no_curve() -> None:
    text = TEXT.replace("  team.size: [1, 2, 4, 8]\n", "").split("baseline")[0]
    with pytest.raises(TeamsimError, match=r"does not vary team\.size"):
        with_series(run_sweep(parse_study(text)).to_pandas())


def test_the_picture_holds_the_data_its_bands_and_amdahl(results: pd.DataFrame) -> None:
    curves = scaling_curves(results, ["makespan_s", "deliveries"])
    ax = plot_speedup(curves)
    lines = [np.asarray(line.get_ydata(), dtype=float) for line in ax.get_lines()]
    for p in curves["parallel_fraction"].unique():
        bound = amdahl_speedup(np.arange(1, 9), p)
        assert any(len(y) == 8 and np.allclose(y, bound) for y in lines)
    for _, line in curves[curves["series"].str.contains("decentralised")].groupby("series"):
        expected = line.sort_values("n")["speedup"].to_numpy(dtype=float)
        assert any(len(y) == len(expected) and np.allclose(y, expected) for y in lines)
    assert len(ax.collections) >= 2  # a band a series
    assert "one agent" in ax.get_ylabel()


def test_axes_may_be_given(results: pd.DataFrame) -> None:
    curves = scaling_curves(results, ["makespan_s", "deliveries"])
    ax = plot_scaling(curves, "makespan_s", "s")
    assert plot_scaling(curves, "makespan_s", "s", ax) is ax
    assert any(
        "propto" in text.get_text() for text in plot_power_law(curves, "deliveries", "x").texts
    )


def test_an_exponent_is_drawn_with_its_interval_unless_it_is_exact() -> None:
    sizes = [1, 2, 4, 8]
    fields = {"finished": 9, "runs": 9, "baseline_finished": 9, "is_baseline": False}
    lines = {"exact": [3.0, 6.0, 12.0, 24.0], "not": [3.0, 7.0, 11.0, 26.0]}
    curves = pd.concat(
        pd.DataFrame({"series": name, "n": sizes, "messages": y, **fields}).assign(
            messages_low=lambda line: line["messages"], messages_high=lambda line: line["messages"]
        )
        for name, y in lines.items()
    )
    said = [text.get_text() for text in plot_power_law(curves, "messages", "x").texts]
    fit = fit_power_law(sizes, lines["not"])
    assert [text for text in said if "propto" in text] == [
        r"$\propto n^{1.00}$",
        rf"$\propto n^{{{fit.exponent:.2f}}}$ [{fit.low:.2f}, {fit.high:.2f}]",
    ]


ONE_PANEL = Figure(x="team.size", y=("makespan_s",))


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(lambda results: sweep_figure(results, ONE_PANEL, "Why?"), id="a panel"),
        pytest.param(
            lambda results: scaling_figure(results, "Why?"),
            id="overview",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_a_figure_is_written_as_png_and_svg_and_is_reproducible(
    draw: Callable[[pd.DataFrame], MatplotlibFigure], results: pd.DataFrame, tmp_path: Path
) -> None:
    png, svg = save(draw(results), tmp_path / "figure")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "Why?" in svg.read_text()
    again = save(draw(results), tmp_path / "again.svg")
    assert again == [tmp_path / "again.svg"]
    assert not (tmp_path / "again.png").exists()
    assert again[0].read_text() == svg.read_text()


def test_a_band_that_several_lines_have_is_drawn_once(results: pd.DataFrame) -> None:
    """All runs of both finish, so that their shares have one interval; their times differ."""
    figure = sweep_figure(results, Figure(x="team.size", y=("makespan_s", "success")), "Why?")
    times, shares = (
        [each for each in ax.collections if str(each.get_label()).startswith("_band")]
        for ax in figure.axes[:2]
    )
    assert (len(times), len(shares)) == (2, 1)
    notes = [text.get_text() for text in figure.findobj(Text)]
    assert any("grey: the band of several lines" in each for each in notes)


@pytest.mark.slow
def test_a_figure_without_messages_rounds_or_prices_says_so() -> None:
    text = TEXT.replace("decentralised", "{kind: independent, aggregate: false}").replace(
        "pre_assigned}", "pre_assigned, timing: asynchronous}"
    )
    figure = scaling_figure(run_sweep(parse_study(text)).to_pandas())
    said = {ax.get_title(loc="left"): t.get_text() for ax in figure.axes for t in ax.texts}
    nothing = [title for title, text in said.items() if text == "none"]
    assert nothing == ["Straggler gap a round", "Messages", "Deliveries"]
    assert said["Cost"] == "not known: no price"


def test_a_figure_that_the_sweep_cannot_give_is_refused_before_it_runs() -> None:
    def refusal(figure: str) -> str:
        with pytest.raises(TeamsimError) as refused:
            check_figure(parse_study(f"{TEXT}figure: {figure}\n"))
        return str(refused.value)

    assert "did you mean 'makespan_s'?" in refusal("{x: team.size, y: [makespam_s]}")
    assert "did you mean 'team.size'?" in refusal("{x: team.sizes, y: [makespan_s]}")
    check_figure(parse_study(TEXT + "figure: {x: team.size, y: [tokens, speedup]}\n"))


ALONE = "baseline: {team.size: 1, topology: single}\n"
WITHOUT_ONE = TEXT.replace(ALONE, "").replace("[1, 2, 4, 8]", "[2, 4, 8]")


def test_a_figure_of_nothing_but_ratios_needs_a_baseline_and_says_so_before_it_runs() -> None:
    asked = "figure: {x: team.size, y: [speedup, error_amplification]}\n"
    with pytest.raises(TeamsimError, match=r"figure: speedup: .* no single agent to compare with"):
        check_figure(parse_study(WITHOUT_ONE + asked))
    for text in (TEXT, TEXT.replace(ALONE, ""), WITHOUT_ONE + ALONE):
        check_figure(parse_study(text + asked))
    against = asked.replace("team.size", "workload.parallel_fraction")
    with pytest.raises(TeamsimError, match="no single agent"):  # sizes are on no axis of it
        check_figure(parse_study(TEXT.replace(ALONE, "") + against))


def test_panels_of_ratios_that_are_not_known_say_why() -> None:
    results = run_sweep(parse_study(WITHOUT_ONE)).to_pandas()
    wanted = Figure(x="team.size", y=("speedup", "makespan_s"))
    said = [text.get_text() for text in sweep_figure(results, wanted).axes[0].texts]
    assert "not known: no single\nagent to compare with" in said
    said = [text.get_text() for ax in scaling_figure(results).axes for text in ax.texts]
    assert "not known: no single\nagent to compare with" in said


def test_no_errors_of_the_single_agent_are_said_where_errors_are_compared(
    results: pd.DataFrame,
) -> None:
    wanted = Figure(x="team.size", y=("error_amplification",))
    said = [text.get_text() for text in sweep_figure(results, wanted).axes[0].texts]
    assert "not known: the single\nagent made no errors" in said


def test_lines_are_named_in_words_and_sizes_as_agents() -> None:
    kind = "coordination.protocol"
    assert name_value(kind, '{"kind":"self_claim","noise":0.5}') == "self_claim, noise 0.5"
    assert name_value(kind, "self_claim") == "self_claim"
    assert name_value("team.agent.family", "{no JSON") == "{no JSON"
    text = TEXT.replace("replications: 25", "replications: 3").replace(
        "workload.parallel_fraction: [0.5, 0.9]",
        f"{kind}: [pre_assigned, {{kind: self_claim, noise: 0.5}}]",
    )
    results = run_sweep(parse_study(text)).to_pandas()
    figure = sweep_figure(results, Figure(x="team.size", y=("makespan_s",), series=(kind,)))
    (ax,) = figure.axes
    assert ax.get_xlabel() == "agents n"
    assert "self_claim, noise 0.5" in ax.get_legend_handles_labels()[1]


def test_a_sweep_can_be_drawn_against_any_field_or_by_series() -> None:
    text = (
        TEXT[: TEXT.index("sweep:")]
        + """sweep:
  - {name: hard, team.agent.errors.probability: {values: [0.3, 0.5]}}
  - {name: easy, team.agent.errors.probability: {values: [0.0, 0.1]}}
"""
    )
    results = run_sweep(parse_study(text)).to_pandas()
    against = Figure(x="team.agent.errors.probability", y=("quality", "failed_tests"))
    figure = sweep_figure(results, against, "How bad?")
    assert [ax.get_xlabel() for ax in figure.axes] == ["probability"] * 2
    assert [len(ax.lines) for ax in figure.axes] == [2, 2]
    rows = sweep_figure(results[results["replication"] == 0], Figure(x="series", y=("quality",)))
    assert [label.get_text() for label in rows.axes[0].get_yticklabels()] == ["hard"] * 2 + [
        "easy"
    ] * 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"x": "size"}, "x: unknown swept field 'size'; did you mean 'team.size'"),
        ({"x": "team.size", "series": ["topolgy"]}, "series: unknown swept field 'topolgy'; did"),
        ({"x": "makespan_s"}, r"x: 'makespan_s' is a metric, .*\(allowed: team.size, topology\)"),
        ({"x": "team.size", "y": ["makespan"]}, "y: unknown metric 'makespan'; did you mean"),
        ({"x": "team.size", "y": ["makespan_s.p95"]}, r"did you mean 'makespan_s_p95'\?$"),
        ({"x": "team.size", "y": ["makespan_s.median"]}, r"did you mean 'makespan_s_p50'\?$"),
        ({"x": "team.size", "y": ["makespan_s.mean"]}, r"did you mean 'makespan_s'\?"),
    ],
)
def test_a_picture_of_what_there_is_not_says_which_option_is_wrong(
    asked: dict[str, Any], said: str
) -> None:
    figure = Figure(**{"y": ["makespan_s"], **asked})
    with pytest.raises(TeamsimError, match=said):
        check_names(figure, ["team.size", "topology"])


def _swept(sweep: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    head = TEXT.partition("sweep:")[0].replace("replications: 25", "replications: 2")
    results = run_sweep(parse_study(f"{head}sweep: {sweep}\n"), workers=1).to_pandas()
    return results, {"axes": axes_of(results), "figure": None}


@pytest.mark.parametrize(
    ("sweep", "x", "names"),
    [
        ("{provider.concurrency: [null, 1, 2]}", "provider.concurrency", ["not set", "1", "2"]),
        ("{team.agent.context.cache: [true, false]}", "team.agent.context.cache",
         ["true", "false"]),
        ("[{name: a}, {name: b, provider.concurrency: 1}]", "provider.concurrency",
         ["as in the file", "1"]),
    ],
)  # fmt: skip
def test_every_point_has_its_place_on_an_axis(sweep: str, x: str, names: list[str]) -> None:
    results, manifest = _swept(sweep)
    if not sweep.startswith("["):
        assert wanted_figure(results, manifest).x == x
    figure = sweep_figure(results, Figure(x=x, y=("makespan_s",), log_x=True))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == names


def test_named_teams_of_different_sizes_are_all_drawn() -> None:
    results, _ = _swept("[{name: a, team.size: 1}, {name: b, team.size: 3}]")
    axes = plot_scaling(scaling_curves(results, ["makespan_s"]), "makespan_s", "s")
    drawn = [line.get_xdata() for line in axes.lines if line.get_marker() not in ("None", "")]
    assert {float(x) for each in drawn for x in each} >= {1.0, 3.0}


@pytest.mark.filterwarnings("error")
def test_what_is_0_everywhere_has_no_logarithmic_axis() -> None:
    results, _ = _swept("{team.size: [1, 2]}")
    figure = sweep_figure(results, Figure(x="team.size", y=("retries",), log_y=("retries",)))
    assert figure.axes[0].get_yscale() == "linear"
