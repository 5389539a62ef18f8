"""Names stand beside the ends of lines, where they fit, and never on each other."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from scipy.optimize import isotonic_regression

from analysis.plots.direct_labels import _reach_further, isotonic, name_series, spread
from analysis.plots.labels import balanced
from analysis.plots.style import footnote, save

_places = st.lists(st.tuples(st.floats(-1, 2), st.floats(0.01, 0.1)), min_size=1, max_size=8)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(_places)
def test_names_keep_their_order_their_distance_and_their_panel(
    labels: list[tuple[float, float]],
) -> None:
    wanted, heights = np.array(labels).T
    placed = spread(wanted, heights, -0.05, 1.1)
    order = np.argsort(wanted, kind="stable")
    gaps = np.diff(placed[order])
    assert (gaps >= (heights[order][1:] + heights[order][:-1]) / 2 - 1e-9).all()
    assert (placed - heights / 2 >= -0.05 - 1e-9).all()
    assert (placed + heights / 2 <= 1.1 + 1e-9).all()


def test_names_that_do_not_collide_stay_where_they_belong() -> None:
    wanted = np.array([0.8, 0.1, 0.4])
    assert spread(wanted, np.full(3, 0.1), 0.0, 1.0) == pytest.approx(wanted)
    together = spread(np.array([0.5, 0.5]), np.array([0.1, 0.1]), 0.0, 1.0)
    assert together == pytest.approx([0.45, 0.55])


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9))
def test_places_that_rise_are_the_nearest_by_least_squares(wanted: list[float]) -> None:
    placed = isotonic(np.array(wanted))
    assert (np.diff(placed) >= 0.0).all()
    assert placed == pytest.approx(isotonic_regression(wanted).x, rel=1e-12, abs=1e-12)


def test_lines_of_a_name_are_about_equally_long() -> None:
    assert balanced("dealt out, 12 tasks a call", 20) == "dealt out, 12\ntasks a call"
    assert balanced("decentralised", 20) == "decentralised"


def _figure(lines: int, height_in: float) -> Figure:
    figure = Figure(figsize=(4, height_in), layout="constrained")
    ax = figure.add_subplot()
    for i in range(lines):
        ax.plot([0, 1], [0, i], label=f"series {i}")
    name_series(figure, [ax])
    return figure


def test_names_stand_beside_their_lines_and_inside_the_picture() -> None:
    figure = _figure(4, 2.0)
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == [f"series {i}" for i in range(4)]
    assert not figure.legends
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(low.y1 <= high.y0 + 1.0 for low, high in pairwise(boxes))
    for text, line in zip(ax.texts, ax.lines, strict=True):
        assert text.get_color() == line.get_color()


def test_too_many_names_are_a_legend() -> None:
    figure = _figure(20, 2.0)
    assert not figure.axes[0].texts
    assert len(figure.legends[0].get_texts()) == 20


def test_a_legend_and_what_stands_at_the_foot_are_not_on_each_other() -> None:
    figure = Figure(figsize=(4, 3), layout="constrained")
    ax = figure.add_subplot()
    for i in range(20):
        ax.plot([0, 1], [0, i], label=f"series {i}")
    footnote(figure, "bands: 95 % intervals; " * 6)
    name_series(figure, [ax])
    figure.draw_without_rendering()
    legend = figure.legends[0]
    assert legend.get_title().get_text().startswith("bands: 95 % intervals")
    assert not figure.get_supxlabel()
    assert ax.get_tightbbox().y0 >= legend.get_window_extent().y1 - 1.0


def test_a_series_that_no_row_ends_with_is_in_the_legend_with_all_others() -> None:
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], label="only left")
    left.plot([0, 1], [1, 0], label="both")
    right.plot([0, 1], [1, 0], label="both")
    name_series(figure, [right])
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"only left", "both"}
    assert not right.texts


def test_a_picture_with_names_is_laid_out_once_and_again_when_it_changes(tmp_path: Path) -> None:
    figure = Figure(figsize=(4, 2), layout=_Counting())
    engine = figure.get_layout_engine()
    assert isinstance(engine, _Counting)
    ax = figure.add_subplot()
    ax.plot([0, 1], [0, 1], label="a series")
    name_series(figure, [ax])
    save(figure, tmp_path / "picture")
    assert engine.layouts == 1
    ax.set_xlabel("something new")
    save(figure, tmp_path / "picture")
    assert engine.layouts == 2


def test_names_that_reach_further_than_panels_have_kept_free_are_laid_out_again() -> None:
    assert not _reach_further((0.0, 5.0), (1.0, 8.0))
    assert _reach_further((0.0, 5.0), (0.0, 8.5))
    assert _reach_further((0.0, 5.0), (3.5, 5.0))
    assert _reach_further(None, (0.0, 0.0))


class _Counting(ConstrainedLayoutEngine):
    """Counts the layouts that it makes."""

    layouts = 0

    def execute(self, fig: Figure) -> object:
        self.layouts += 1
        return super().execute(fig)
