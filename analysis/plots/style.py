"""One look for all plots, switched on where it is used and nowhere else."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito (2008): told apart with any colour vision."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")

REFERENCE = "#666666"
"""For laws and baselines, behind the data."""

HALO = [withStroke(linewidth=2.5, foreground="white")]
"""Keeps small text legible where it crosses a line."""

_STYLE: Any = {
    "figure.dpi": 120,
    "savefig.dpi": 200,
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "teamsim",
}


def paper_style() -> AbstractContextManager[None]:
    """Return a context in which matplotlib draws in the house style."""
    return mpl.rc_context(_STYLE)


def colour(i: int) -> str:
    """Return the colour of series `i`."""
    return COLOURS[i % len(COLOURS)]


def marker(i: int) -> str:
    """Return the marker of series `i`; with `colour` it repeats after 49."""
    return MARKERS[(i + i // len(COLOURS)) % len(MARKERS)]


def new_axes(ax: Axes | None) -> Axes:
    """Return `ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    return Figure(figsize=(3.6, 2.8), layout="constrained").add_subplot()


def draw_band(ax: Axes, line: pd.DataFrame, x: str, metric: str, series: int) -> None:
    """Draw a series: the column `metric` against `x`, its ``_low`` to ``_high`` as a band."""
    at, y, low, high = (
        line[column].to_numpy(dtype=float)
        for column in (x, metric, f"{metric}_low", f"{metric}_high")
    )
    ax.fill_between(at, low, high, color=colour(series), alpha=0.2, linewidth=0)
    ax.plot(at, y, color=colour(series), marker=marker(series))


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `figure` as PNG and SVG beside each other; return the paths."""
    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    with paper_style():
        for path in paths:
            # No date: the same figure is the same file.
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(path, metadata=metadata)
    return paths
