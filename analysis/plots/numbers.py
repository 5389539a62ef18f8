"""Writes the numbers of axes plainly: without exponents."""

from __future__ import annotations

from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogFormatter


def short_number(value: float, _: object = None) -> str:
    """Return 20k and 3M for 20000 and 3000000; the second argument is matplotlib's place."""
    size = abs(value)
    if 0.0 < size < 1e-4:
        return f"{value:.12f}".rstrip("0")
    if size < 10_000:
        return f"{value:g}"
    size, unit = (1e6, "M") if size >= 1e6 else (1e3, "k")
    return f"{value / size:g}{unit}"


def shorten(axis: Axis) -> None:
    """Write the numbers of a linear axis short."""
    axis.set_major_formatter(FuncFormatter(short_number))


def shorten_log(axis: Axis) -> None:
    """Write those numbers of a logarithmic axis plainly that Matplotlib would write as powers."""
    axis.set_major_formatter(_LogNumbers())
    axis.set_minor_formatter(_LogNumbers(labelOnlyBase=False))


class _LogNumbers(LogFormatter):
    """Matplotlib's choice of which ticks have a number, but without exponents."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return short_number(x) if super().__call__(x, pos) else ""
