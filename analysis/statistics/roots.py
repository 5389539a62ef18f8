"""Where a function of one number is 0."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable


def root_between(
    function: Callable[[float], float], low: float, high: float, xtol: float = 2e-12
) -> float:
    """Return where a continuous function is 0, by the method of Brent (1973, chapter 4).

    It takes the steps of `scipy.optimize.brentq` and returns the same bits. That takes a third of
    a second to import, for which commands that draw one interval would wait.

    Parameters
    ----------
    function : callable
    low, high : float
        Ends, at which the function has different signs, or is 0 at one.
    xtol : float
        Most that the root may be off, beside four units of rounding.

    Raises
    ------
    ValueError
        If the signs at the ends are the same.
    RuntimeError
        If a hundred steps do not find it.
    """
    before, at = low, high
    f_before, f_at = float(function(before)), float(function(at))
    if f_before == 0.0:
        return before
    if f_at == 0.0:
        return at
    if _sign(f_before) == _sign(f_at):
        raise ValueError("the function must have different signs at both ends")
    other, f_other, last, step = before, f_before, 0.0, 0.0  # the root is between `other` and `at`
    for _ in range(_MOST_STEPS):
        if f_before != 0.0 and f_at != 0.0 and _sign(f_before) != _sign(f_at):
            other, f_other = before, f_before
            last = step = at - before
        if abs(f_other) < abs(f_at):
            before, at, other = at, other, at
            f_before, f_at, f_other = f_at, f_other, f_at
        near = (xtol + _RTOL * abs(at)) / 2
        half = (other - at) / 2
        if f_at == 0.0 or abs(half) < near:
            return at
        tried = math.inf
        if abs(last) > near and abs(f_at) < abs(f_before):
            if before == other:  # a secant
                tried = -f_at * (at - before) / (f_at - f_before)
            else:  # a parabola, turned on its side
                a = (f_before - f_at) / (before - at)
                b = (f_other - f_at) / (other - at)
                below = b * a * (f_other - f_before)
                tried = -f_at * (f_other * b - f_before * a) / below if below else math.inf
        is_short = 2 * abs(tried) < min(abs(last), 3 * abs(half) - near)
        last, step = (step, tried) if is_short else (half, half)
        before, f_before = at, f_at
        at += step if abs(step) > near else math.copysign(near, half)
        f_at = float(function(at))
    raise RuntimeError(f"no root was found in {_MOST_STEPS} steps")


_MOST_STEPS = 100
_RTOL = 4 * sys.float_info.epsilon


def _sign(value: float) -> float:
    return math.copysign(1.0, value)
