"""Writes names beside the ends of lines, where readers look for them, in place of a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.typing import ColorType

from analysis.plots.colours import REFERENCE
from analysis.plots.labels import balanced
from analysis.plots.style import HALO, keep_layout, lay_out
from simulator.distributions import Floats

_WRAP, _SIZE_PT = 20, 7.5

_LOWEST, _HIGHEST = -0.05, 1.1
"""Lowest and highest place of names, in heights of the panel."""

_SMALL_PT, _LETTER, _GAP_PT = 7.0, 0.56, 1.5
"""Text along a curve: its size, the width of its letters as a share of that, its distance."""

_CONNECTOR = {"arrowstyle": "-", "linewidth": 0.6, "relpos": (0.0, 0.5), "shrinkA": 1}


def name_series(figure: Figure, row_ends: Sequence[Axes]) -> None:
    """Name the series: beside `row_ends`, or in a legend if there is no room.

    Parameters
    ----------
    figure : Figure
        Complete except for the names, so that its layout shows how much room there is.
    row_ends : sequence of Axes
        The last panel of each row. Lines and bars with a label are series.
    """
    keys = {
        name: key
        for ax in figure.axes
        for key, name in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    if not keys:
        return
    rows = [_Names(ax) for ax in row_ends]
    if {name for row in rows for name in row.names} == keys.keys():
        before = [row.place() for row in rows]
        lay_out(figure)
        after = [row.place() for row in rows]
        if None not in after:
            if not any(map(_reach_further, before, after)):
                keep_layout(figure)
            return
    for row in rows:
        row.remove()
    note = figure.get_supxlabel()
    figure.supxlabel("")  # the legend would lie on it
    legend = figure.legend(
        keys.values(), keys, loc="outside lower center", ncols=min(len(keys), 3),
        title=note or None, title_fontsize=_SMALL_PT,
    )  # fmt: skip
    legend.get_title().set_color(REFERENCE)


@dataclass(frozen=True, slots=True)
class _End:
    """Where a name belongs: a line's last point, or the middle of a bar in the last stack."""

    name: str
    x: float
    y: float
    colour: ColorType


def _ends(ax: Axes) -> list[_End]:
    found = []
    for key, name in zip(*ax.get_legend_handles_labels(), strict=True):
        if isinstance(key, BarContainer):
            bar = key.patches[-1]
            if bar.get_height():
                x, y = bar.get_x() + bar.get_width(), bar.get_y() + bar.get_height() / 2
                found.append(_End(name, x, y, "#222222"))
            continue
        line = key[0] if isinstance(key, ErrorbarContainer) else key
        if not isinstance(line, Line2D):
            continue
        xs, ys = (np.asarray(values, dtype=float) for values in line.get_data())
        if len(xs):
            last = int(np.argmax(np.where(np.isnan(ys), -np.inf, xs)))
            found.append(_End(name, xs[last], ys[last], line.get_color()))
    return found


class _Names:
    """The names right of a panel."""

    def __init__(self, ax: Axes) -> None:
        self._ax = ax
        self._ends = _ends(ax)
        self._texts = [_write(ax, end) for end in self._ends]

    @property
    def names(self) -> list[str]:
        """Of the series that are named."""
        return [end.name for end in self._ends]

    def place(self) -> tuple[float, float] | None:
        """Move the names as near to their lines as possible, in the panel as it is now.

        Returns
        -------
        tuple of float or None
            How many points they reach below and above the panel; None if there is no room.
        """
        if not self._ends:
            return 0.0, 0.0
        # From here on, all lengths are in heights of the panel.
        ax = self._ax
        points = ax.get_window_extent().height * 72.0 / ax.figure.dpi
        lines = np.asarray([1 + text.get_text().count("\n") for text in self._texts])
        heights = 1.2 * _SIZE_PT * lines / points
        if heights.sum() > _HIGHEST - _LOWEST:
            return None
        at = ax.transData.transform([(end.x, end.y) for end in self._ends])
        wanted = ax.transAxes.inverted().transform(at)[:, 1]
        places = spread(wanted, heights, _LOWEST, _HIGHEST)
        for text, place in zip(self._texts, places, strict=True):
            text.set_position((1.04, place))
        below, above = (heights / 2 - places).max(), (places + heights / 2).max() - 1.0
        return max(0.0, below) * points, max(0.0, above) * points

    def remove(self) -> None:
        """Take the names away."""
        for text in self._texts:
            text.remove()


def _write(ax: Axes, end: _End) -> Annotation:
    return ax.annotate(
        balanced(end.name, _WRAP),
        (end.x, end.y),
        (1.04, 0.5),
        textcoords="axes fraction",
        va="center",
        fontsize=_SIZE_PT,
        linespacing=1.0,
        color=end.colour,
        path_effects=HALO,
        annotation_clip=False,
        arrowprops={**_CONNECTOR, "color": end.colour},
    )


_FREE_PT = 3.0
"""What a layout keeps free around all that there is."""


def _reach_further(before: tuple[float, float] | None, after: tuple[float, float] | None) -> bool:
    """Return whether names reach further beyond their panel, by more than is free there."""
    if before is None or after is None:
        return True
    return any(now > then + _FREE_PT for then, now in zip(before, after, strict=True))


def spread(wanted: Floats, heights: Floats, low: float, high: float) -> Floats:
    """Return the middles of labels that do not overlap, nearest to those wanted.

    Parameters
    ----------
    wanted : array, shape (labels,), not empty
        Best places of the middles.
    heights : array, shape (labels,)
    low, high : float
        Between which labels should stay, if there is room.

    Returns
    -------
    array, shape (labels,)
        The order is kept. Least squares with least distances is isotonic regression of the places
        less the summed distances.
    """
    order = np.argsort(wanted, kind="stable")
    tall = heights[order]
    offsets = np.concatenate([[0.0], np.cumsum((tall[1:] + tall[:-1]) / 2)])
    placed = isotonic(wanted[order] - offsets)
    placed = np.clip(placed, low + tall[0] / 2, high - tall[-1] / 2 - offsets[-1])
    result = np.empty_like(placed)
    result[order] = placed + offsets
    return result


def isotonic(wanted: Floats) -> Floats:
    """Return the rising numbers nearest to those wanted, by least squares.

    Pools of neighbours take their mean where they would fall otherwise (Ayer and others 1955). It
    is what `scipy.optimize.isotonic_regression` returns, for whose import a picture would wait.

    Parameters
    ----------
    wanted : array, shape (labels,)
    """
    pools: list[tuple[float, int]] = []  # sums and counts
    for value in wanted.tolist():
        total, count = value, 1
        while pools and pools[-1][0] * count >= total * pools[-1][1]:
            above, more = pools.pop()
            total, count = total + above, count + more
        pools.append((total, count))
    return np.repeat([total / count for total, count in pools], [count for _, count in pools])


def label_along(ax: Axes, x: Floats, y: Floats, text: str) -> None:
    """Write a text beside a curve, where it covers the fewest marks and lines.

    Call it when everything else is drawn and the limits of the axes are set.

    Parameters
    ----------
    ax : Axes
    x, y : array, shape (points,)
        The curve.
    text : str
        In a line.
    """
    pixels = ax.figure.dpi / 72.0
    panel = ax.get_window_extent()
    size = np.array([_LETTER * _SMALL_PT * len(text), 1.2 * _SMALL_PT]) * pixels
    covered, weights = _drawn(ax)
    at = ax.transData.transform(np.column_stack([x, y]))
    best: tuple[float, Floats, Floats] | None = None
    for place in at[np.isfinite(at).all(axis=1)]:
        for right, above in product((0.0, 0.5, 1.0), (0.0, 1.0)):  # shares of it left and below
            gap = np.array([0.0, (1.0 - 2.0 * above) * _GAP_PT * pixels])
            low = place - size * (right, above) + gap
            if (low < panel.p0).any() or (low + size > panel.p1).any():
                continue
            is_under = ((covered >= low) & (covered <= low + size)).all(axis=1)
            cost = float(weights[is_under].sum()) - 1e-3 * float(place[0])  # rather on the right
            if best is None or cost < best[0]:
                best = cost, low, size
    if best is None:
        return
    # By shares of the panel, whose size the layout still changes.
    x_share, y_share = (best[1] + best[2] / 2 - panel.p0) / (panel.p1 - panel.p0)
    ax.text(x_share, y_share, text, transform=ax.transAxes, ha="center", va="center",
            fontsize=_SMALL_PT, color=REFERENCE, path_effects=HALO)  # fmt: skip


def _drawn(ax: Axes) -> tuple[Floats, Floats]:
    """Return places of marks, lines and texts in pixels, and how bad it is to cover each."""
    places, weights = [np.empty((0, 2))], [np.empty(0)]
    for line in ax.lines:
        corners = line.get_transform().transform(line.get_xydata())
        corners = corners[np.isfinite(corners).all(axis=1)]
        if len(corners) > 1:
            along = np.linspace(0.0, len(corners) - 1.0, 16 * len(corners))
            between = [np.interp(along, np.arange(len(corners)), each) for each in corners.T]
            places.append(np.column_stack(between))
            weights.append(np.full(len(along), 0.2))
        if line.get_marker() not in ("None", "", None):
            reach = line.get_markersize() / 2.0 * ax.figure.dpi / 72.0
            for side in product((-reach, 0.0, reach), repeat=2):
                places.append(corners + side)
                weights.append(np.ones(len(corners)))
    for text in ax.texts:
        box = text.get_window_extent()
        grid = [np.linspace(box.x0, box.x1, 12), np.linspace(box.y0, box.y1, 12)]
        places.append(np.array(list(product(*grid))))
        weights.append(np.ones(len(places[-1])))
    return np.concatenate(places), np.concatenate(weights)
