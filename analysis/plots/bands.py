"""Draws estimates with intervals, and marks those not known because runs did not finish.

A filled mark is a point whose runs all finished, an open one a point where some did not. An x
below a panel is a point at which the metric is not known: no run of the point, or of its baseline,
finished. An interval without an end reaches a little further than the panel's other numbers, and
has an arrow there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation
from matplotlib.typing import ColorType

from analysis.plots.colours import REFERENCE, colour, marker
from analysis.plots.known import within_reach
from analysis.statistics.curves import not_known

Array = npt.NDArray[np.float64]

_BAND, _SHARED = "_band", "_band of several"
"""Labels, which no legend shows, of the band of one series, and of one that several have."""

_RUG, _ROW_PT = "not known", 7.0
"""Rows of x marks: their id, and the height of one."""


def draw_band(
    ax: Axes, line: pd.DataFrame, x: str, metric: str, series: int, name: str = ""
) -> None:
    """Draw a series: the column `metric` against `x`, its ``_low`` to ``_high`` as a band.

    A band that an earlier series has, too, as where all runs of both are right, is not drawn over
    it, since several would make one dark block: it is grey, and pale (`say_shared`).

    Parameters
    ----------
    ax : Axes
    line : DataFrame
        Rows of `analysis.statistics.curves.curves_against`, in the order of `x`.
    x, metric : str
        Columns of it.
    series : int
        Number of the series, for its colour and mark.
    name : str
        For the legend.
    """
    known = line[np.isfinite(line[metric].astype(float))]
    at, y = (known[column].to_numpy(dtype=float) for column in (x, metric))
    low, high = closed_ends(ax, known, metric, at, colour(series))
    drawn = ax.fill_between(
        at, low, high, color=colour(series), alpha=0.2, linewidth=0, label=_BAND
    )
    corners = [np.asarray(path.vertices) for path in drawn.get_paths()]
    for other in ax.collections:
        is_band = other is not drawn and other.get_label() in (_BAND, _SHARED)
        theirs = [np.asarray(path.vertices) for path in other.get_paths()]
        if is_band and _are_same(corners, theirs):
            drawn.remove()
            other.set(facecolor=REFERENCE, alpha=0.12, label=_SHARED)
            break
    ax.plot(at, y, color=colour(series), marker=marker(series), label=name)
    mark_unfinished(ax, known, at, y, series)
    mark_not_known(ax, line.loc[not_known(line, metric), x].to_numpy(dtype=float), series)


def _are_same(first: Sequence[Array], second: Sequence[Array]) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def say_shared(figure: Figure) -> str:
    """Return a figure's note on bands that several series have; nothing if there are none."""
    bands = (each for ax in figure.axes for each in ax.collections)
    is_any = any(each.get_label() == _SHARED for each in bands)
    return "grey: the band of several lines" if is_any else ""


def closed_ends(
    ax: Axes, known: pd.DataFrame, metric: str, at: Array, face: ColorType, sideways: bool = False
) -> tuple[Array, Array]:
    """Return the ends of intervals; open ends get an arrow, and its place as their end.

    Parameters
    ----------
    ax : Axes
    known : DataFrame
        Rows with `metric` and its ``_low`` and ``_high``, each of which may be infinite or null.
    metric : str
    at : array, shape (rows,)
        Places on the other axis.
    face : colour
        Of the arrows.
    sideways : bool
        Whether the metric is on the horizontal axis.
    """
    low, high = within_reach(known, metric)
    for end, values, arrow in (
        ("_low", low, "<" if sideways else "v"),
        ("_high", high, ">" if sideways else "^"),
    ):
        is_open = ~np.isfinite(known[f"{metric}{end}"].to_numpy(dtype=float))
        if is_open.any():
            x, y = (values, at) if sideways else (at, values)
            ax.plot(x[is_open], y[is_open], arrow, color=face, markersize=5, clip_on=False)
    return low, high


def mark_unfinished(ax: Axes, known: pd.DataFrame, x: Array, y: Array, series: int) -> None:
    """Draw open marks over those of points whose runs did not all finish."""
    some = (known["finished"] < known["runs"]).to_numpy()
    if some.any():
        ax.plot(x[some], y[some], marker(series), color=colour(series), markerfacecolor="white")


def mark_not_known(ax: Axes, x: Array, series: int) -> None:
    """Draw an x between axis and labels for each point at which the metric is not known."""
    if not len(x):
        return
    row = sum(line.get_gid() == _RUG for line in ax.lines)
    inches = (_ROW_PT * (row + 1) + 1.0) / 72.0
    figure = ax.get_figure(root=True)
    assert figure is not None
    below = ScaledTranslation(0.0, -inches, figure.dpi_scale_trans)
    ax.plot(
        x,
        np.zeros(len(x)),
        "x",
        color=colour(series),
        markersize=4.5,
        transform=ax.get_xaxis_transform() + below,
        clip_on=False,
        gid=_RUG,
    )
    ax.tick_params(axis="x", pad=_ROW_PT * (row + 1) + 4.0)
