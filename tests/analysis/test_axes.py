"""Axes say what is drawn on them, and show all of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from analysis.decisions.advice import Advice
from analysis.decisions.side_by_side import SPENT, compare
from analysis.observation.observe import Observation
from analysis.plots import scaling_figure, sweep_figure
from analysis.plots.advised import plot_advice
from analysis.plots.direct_labels import label_along
from analysis.plots.labels import metric_label
from analysis.plots.numbers import number_multiples, short_number, shorten_large, shorten_log
from analysis.plots.observed import observed_title
from analysis.plots.side_by_side import plot_changes
from analysis.plots.style import lay_out, new_axes
from analysis.statistics.curves import NUMBERS, TO_SUCCESS, curves_against, with_derived
from simulator.api.pictures import picture
from simulator.experiment import run_sweep
from simulator.experiment.manifest import Manifest, manifest_of
from simulator.scenario import parse_study
from simulator.scenario.figure import Figure
from tests.analysis.test_curves_and_plots import TEXT
from tests.analysis.test_side_by_side import rows

SWEPT = parse_study(TEXT.replace("replications: 25", "replications: 5"))


@pytest.fixture(scope="module")
def results() -> pd.DataFrame:
    table: pd.DataFrame = run_sweep(SWEPT).to_pandas()
    return table


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return manifest_of(SWEPT)


@pytest.fixture(scope="module")
def overview(results: pd.DataFrame) -> list[Axes]:
    return scaling_figure(results).axes


def test_what_has_other_bands_has_another_label(results: pd.DataFrame) -> None:
    names = ["deliveries", "tokens"]
    some_fail = results.assign(success=results["replication"] > 0)
    curves = curves_against(with_derived(some_fail), [*names, *(n + TO_SUCCESS for n in names)])
    for name in names:
        ends = f"{name}_high", f"{name}{TO_SUCCESS}_high"
        assert (curves[ends[0]] < curves[ends[1]]).any()
    for name in NUMBERS:
        assert metric_label(name) != metric_label(f"{name}{TO_SUCCESS}")


def test_panels_of_two_pictures_with_one_label_have_one_band(
    results: pd.DataFrame, overview: list[Axes]
) -> None:
    y = ("makespan_s", "speedup", "success", "straggler_gap_s", "deliveries", "tokens", "quality")
    asked = sweep_figure(results, Figure(x="team.size", y=y)).axes
    by_label = {ax.get_ylabel().replace("\n", " "): ax for ax in overview}
    shared = [ax for ax in asked if ax.get_ylabel().replace("\n", " ") in by_label]
    assert len(shared) == len(y) - 2  # deliveries and tokens of a run are others
    for ax in shared:
        other = by_label[ax.get_ylabel().replace("\n", " ")]
        for band, same in zip(ax.collections, other.collections, strict=True):
            (path,), (expected,) = band.get_paths(), same.get_paths()
            assert path.vertices == pytest.approx(np.asarray(expected.vertices))


def test_the_same_metric_is_drawn_once(results: pd.DataFrame, manifest: Manifest) -> None:
    _, figure = picture(results, manifest, "team.size", ["tokens", "quality", "tokens"])
    assert [ax.get_ylabel().split()[0] for ax in figure.axes] == ["tokens", "tasks"]


@pytest.mark.parametrize("values", [(6.0, 9.0), (0.02, 700.0), (3e3, 4e6), (2e-5, 3e-5)])
def test_logarithmic_axes_have_plain_numbers(values: tuple[float, float]) -> None:
    ax = new_axes(None)
    ax.plot(values, values)
    ax.set_yscale("log")
    shorten_log(ax.yaxis)
    lay_out(ax.figure)  # type: ignore[arg-type]
    ticks = [*ax.yaxis.get_majorticklabels(), *ax.yaxis.get_minorticklabels()]
    said = [tick.get_text() for tick in ticks if tick.get_text()]
    assert said
    assert all(text.strip("0123456789.").strip("kM") == "" for text in said)


@pytest.mark.parametrize(
    ("most", "said"),
    [(4.0, "1"), (40_000.0, "10000"), (4e6, "1M"), (4e-6, "0.000001")],
)
def test_linear_axes_have_no_power_over_them_where_titles_are(most: float, said: str) -> None:
    ax = new_axes(None)
    ax.plot([0.0, most], [0.0, most])
    shorten_large(ax.yaxis)
    lay_out(ax.figure)  # type: ignore[arg-type]
    assert said in {label.get_text() for label in ax.get_yticklabels()}
    assert not ax.yaxis.get_offset_text().get_text()


def test_pictures_have_no_powers_on_their_axes(overview: list[Axes]) -> None:
    lay_out(overview[0].figure)  # type: ignore[arg-type]
    axes = [axis for ax in overview for axis in (ax.xaxis, ax.yaxis)]
    labels = [label for axis in axes for label in axis.get_ticklabels(which="both")]
    assert not [label for label in labels if "$" in label.get_text()]


def test_small_and_large_numbers_are_short() -> None:
    said = [short_number(value) for value in (0.0, 0.00002, 0.5, 9999.0, 20_000.0, 3e6)]
    assert said == ["0", "0.00002", "0.5", "9999", "20k", "3M"]


def test_a_text_along_a_curve_covers_no_marks() -> None:
    ax, n = new_axes(None), np.arange(1.0, 9.0)
    ax.plot(n, np.sqrt(n), marker="o")
    ax.set_ylim(0, 4)
    label_along(ax, n, np.sqrt(n) + 0.1, "Amdahl, p = 0.5")
    (text,) = ax.texts
    box = text.get_window_extent()
    marks = ax.transData.transform(np.column_stack([n, np.sqrt(n)]))
    assert not any(box.contains(*mark) for mark in marks)
    panel = ax.get_window_extent()
    assert panel.contains(*box.p0)
    assert panel.contains(*box.p1)


def marked(ax: Axes) -> list[float]:
    """Return the places of round marks on the horizontal axis."""
    found = [np.asarray(line.get_xdata(), float) for line in ax.lines if line.get_marker() == "o"]
    return [float(x[0]) for x in found if len(x)]


@pytest.mark.parametrize("times", [0.4, 1.3, 13.72, 2_000.0])
def test_a_change_is_drawn_where_it_is(times: float) -> None:
    spent = np.random.default_rng(1).exponential(100.0, 40)
    found = compare({"a": rows(spent), "b": rows(spent[::-1] * times)})
    ax = plot_changes(found, SPENT)
    change = next(each.change for each in found.comparisons["b"] if each.metric == "makespan_s")
    is_log = ax.get_xscale() == "log"
    assert is_log == (times > 2.0)
    place = 1.0 + change.estimate if is_log else 100.0 * change.estimate
    assert marked(ax) == pytest.approx([place] * 3)
    low, high = ax.get_xlim()
    assert low < place < high
    numbers = [text.get_text() for text in ax.get_xticklabels() if text.get_text()]
    assert 2 <= sum(low <= tick <= high for tick in ax.get_xticks()) <= len(numbers)


def test_multiples_below_1_and_between_powers_of_ten_have_numbers() -> None:
    ax = new_axes(None)
    ax.set(xscale="log", xlim=(0.25, 20.0))
    number_multiples(ax.xaxis)
    shown = [text.get_text() for text in ax.get_xticklabels()]
    assert shown == ["0.5", "1", "2", "5", "10", "20"]
    ax.set_xlim(0.8, 1.7)
    number_multiples(ax.xaxis)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "1.5"]
    ax.set_xlim(0.1, 3e7)
    number_multiples(ax.xaxis)
    assert [text.get_text() for text in ax.get_xticklabels()][::4] == ["0.1", "1000", "10M"]


@pytest.mark.parametrize("times", [0.2, 1.3, 13.0])
def test_what_is_not_known_is_not_drawn_as_no_change(times: float) -> None:
    spent = np.random.default_rng(1).exponential(100.0, 40)
    teams = {"a": rows(spent), "b": rows(spent * times)}
    ax = plot_changes(compare(teams, {"a": True, "b": False}), SPENT)
    (text,) = ax.texts
    assert text.get_text() == "not known"
    at = 1.0 if ax.get_xscale() == "log" else 0.0
    box = text.get_window_extent()
    assert not box.x0 <= ax.transData.transform((at, 0.0))[0] <= box.x1


def test_advice_shows_how_far_behind_the_worst_is() -> None:
    behind = {"behind": [0.0, 49.0], "behind_low": [0.0, 40.0], "behind_high": [0.0, np.inf]}
    table = pd.DataFrame(
        {"system": ["a", "b"], "n": [1, 2], "finished": 9, "may_be_best": True, "fulfils": "yes",
         "objective": [1.0, 50.0], "time_to_success_s": [1.0, 50.0], "cost_usd": np.nan, **behind}
    )  # fmt: skip
    ax = plot_advice(cast(Advice, SimpleNamespace(best="a")), table)
    assert marked(ax) == pytest.approx([1.0, 50.0])
    assert ax.get_xlim()[1] > 50.0


@pytest.mark.parametrize(
    ("agents", "title"),
    [
        ([1], "What an agent did when in one run, and what took its time (otlp.jsonl)"),
        ([3, 3], "What 3 agents did when in 2 runs, and what took their time (otlp.jsonl)"),
        ([2, 5], "What 2 to 5 agents did when in 2 runs, and what took their time (otlp.jsonl)"),
    ],
)
def test_the_title_of_traces_says_who_did_what(agents: list[int], title: str) -> None:
    runs = [str(i) for i, n in enumerate(agents) for _ in range(n)]
    found = SimpleNamespace(roles=pd.DataFrame({"run_id": runs}), runs=agents)
    assert observed_title(cast(Observation, found), "otlp.jsonl") == title
