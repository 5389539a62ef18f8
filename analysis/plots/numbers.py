"""Writes the numbers of axes plainly: without exponents."""

from __future__ import annotations

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogFormatter,
    NullFormatter,
    ScalarFormatter,
)


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


def shorten_large(axis: Axis) -> None:
    """Write short the numbers of a linear axis that Matplotlib would write as multiples."""
    axis.set_major_formatter(_LinearNumbers())


def shorten_log(axis: Axis) -> None:
    """Write those numbers of a logarithmic axis plainly that Matplotlib would write as powers."""
    axis.set_major_formatter(_LogNumbers())
    axis.set_minor_formatter(_LogNumbers(labelOnlyBase=False))


_STEPS = ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
"""Numbers of a decade, from the most to the fewest."""
_MOST_NUMBERS = 9


def number_multiples(axis: Axis) -> None:
    """Write as many round numbers on a logarithmic axis as there is room for, also below 1."""
    low, high = axis.get_view_interval()
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1.0)
    for steps in _STEPS:
        places = np.outer(decades, steps).ravel()
        shown = places[(places >= low) & (places <= high)]
        if len(shown) <= _MOST_NUMBERS:
            break
    axis.set_major_locator(FixedLocator(shown.round(12).tolist()))
    axis.set_major_formatter(FuncFormatter(short_number))
    axis.set_minor_formatter(NullFormatter())


class _LinearNumbers(ScalarFormatter):
    """Matplotlib's numbers, but without a factor over the axis, where titles are."""

    def __init__(self) -> None:
        super().__init__(useOffset=False)

    def __call__(self, x: float, pos: int | None = None) -> str:
        return short_number(x) if super().get_offset() else super().__call__(x, pos)

    def get_offset(self) -> str:
        return ""


class _LogNumbers(LogFormatter):
    """Matplotlib's choice of which ticks have a number, but without exponents."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return short_number(x) if super().__call__(x, pos) else ""
