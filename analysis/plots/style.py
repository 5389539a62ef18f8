"""One look for all plots, switched on only where it is used."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from analysis.plots.colours import REFERENCE

HALO = [withStroke(linewidth=2.5, foreground="white")]
"""Keeps small text legible where it crosses a line."""

COLUMN_IN, PAGE_IN = 3.4, 7.2
"""Widths of a column and of a page: pictures are drawn in the size in which they are printed."""

_DPI = 220
"""Of files, and of layouts, so that the sizes of texts that a layout has found hold in the file."""

_STYLE: Any = {
    "figure.dpi": 120,
    "savefig.dpi": _DPI,
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # else the numbers of an axis are laid out again, in search of a free place
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "teamsim",
}


def paper_style() -> AbstractContextManager[None]:
    """Return a context in which matplotlib draws in the house style."""
    return mpl.rc_context(_STYLE)


def new_axes(ax: Axes | None) -> Axes:
    """Return `ax`, or the axes of a new figure."""
    if ax is not None:
        return ax
    return Figure(figsize=(COLUMN_IN, 2.6), layout="constrained").add_subplot()


def panel_grid(panels: int, height_in: float = 2.1, columns: int = 3) -> tuple[Figure, list[Axes]]:
    """Return a figure as wide as a page, or as a column for one panel, and its panels row by row.

    Parameters
    ----------
    panels : int
    height_in : float
        Height of a row.
    columns : int
        Most panels beside each other; four panels make a square.
    """
    beside = min(columns, 2 if panels == 4 and columns < 4 else panels)
    rows = -(-panels // beside)
    width_in = COLUMN_IN + 1.0 if panels == 1 else PAGE_IN
    figure = Figure(figsize=(width_in, 0.5 + height_in * rows), layout="constrained")
    axes = list(figure.subplots(rows, beside, squeeze=False).flat)
    for ax in axes[panels:]:
        ax.set_axis_off()
    return figure, axes[:panels]


def row_ends(axes: Sequence[Axes]) -> list[Axes]:
    """Return the panels that end a row of `panel_grid`."""
    columns = [ax.get_subplotspec() for ax in axes]
    return [ax for ax, spec in zip(axes, columns, strict=True) if spec and spec.is_last_col()]


def headline(figure: Figure, question: str) -> None:
    """Write the question that a figure answers over it, in as many lines as it takes."""
    if question:
        width_in = figure.get_figwidth()
        lines = textwrap.fill(question, round(13.5 * width_in))
        figure.suptitle(lines, x=0.01, ha="left", fontsize=9.5, linespacing=1.3)


def footnote(figure: Figure, text: str) -> None:
    """Write at the foot of a figure what its bands, bars, hatches and marks mean."""
    lines = textwrap.fill(text, round(19.0 * figure.get_figwidth()))
    figure.supxlabel(lines, x=0.99, ha="right", fontsize=7, color=REFERENCE)


def lay_out(figure: Figure) -> None:
    """Give the panels of `figure` their places, as drawing it would.

    What is then saved is not laid out again, unless somebody has changed it.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        with _resolution(figure, _DPI):
            engine.execute(figure)
    keep_layout(figure)


def keep_layout(figure: Figure) -> None:
    """Let the layout of `figure` hold, whatever has been changed."""
    figure.stale = False


@contextmanager
def _resolution(figure: Figure, dpi: float) -> Iterator[None]:
    before = figure.dpi
    figure.set_dpi(dpi)
    try:
        yield
    finally:
        figure.set_dpi(before)


def save(figure: Figure, path: Path) -> list[Path]:
    """Write `figure` as PNG and SVG beside each other; return the paths.

    Both have one layout. `Figure.savefig` would draw each twice, first for a layout of its own.

    Parameters
    ----------
    figure : Figure
    path : Path
        The path of both without its ending; with ``.png`` or ``.svg``, of the only one written.
    """
    ending = path.suffix.lower()
    png, svg = (
        (path, None) if ending == ".png" else (None, path) if ending == ".svg"
        else (path.with_suffix(".png"), path.with_suffix(".svg"))
    )  # fmt: skip
    canvas, engine = figure.canvas, figure.get_layout_engine()
    with paper_style():
        if figure.stale:
            lay_out(figure)
        try:
            figure.set_layout_engine("none")
            with _resolution(figure, _DPI):
                drawn: Any = FigureCanvasAgg(figure)  # its methods have no types
                if png is not None:
                    drawn.print_png(png)
                if svg is not None:
                    # Without a date, so that the same figure gives the same file.
                    drawn = FigureCanvasSVG(figure)
                    drawn.print_svg(svg, metadata={"Date": None})
        finally:
            figure.set_layout_engine(engine)
            figure.set_canvas(canvas)
    return [each for each in (png, svg) if each is not None]
