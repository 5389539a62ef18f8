"""Roots are found, and are those of scipy to the last bit."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from analysis.statistics.roots import root_between

_SHAPES: dict[str, Callable[[float], float]] = {
    "line": lambda x: x,
    "cubic": lambda x: x**3 + 0.1 * x,
    "saturating": math.atan,
    "exponential": lambda x: math.expm1(min(x, 50.0)),
    "step": lambda x: math.copysign(1.0, x) + 0.01 * x,
    "flat": lambda x: math.copysign(1.0, x),
}


@given(
    st.sampled_from(sorted(_SHAPES)),
    st.floats(-3, 3),
    st.floats(0.1, 3),
    st.floats(-8, -3.5),
    st.floats(3.5, 9),
    st.floats(1e-12, 1e-3),
)
def test_a_root_is_the_one_of_scipy(
    shape: str, root: float, slope: float, low: float, high: float, xtol: float
) -> None:
    def function(x: float) -> float:
        return slope * _SHAPES[shape](x - root)

    found = root_between(function, low, high, xtol)
    assert found == pytest.approx(root, rel=1e-14, abs=2 * xtol)
    assert found == brentq(function, low, high, xtol=xtol)


def test_a_root_at_an_end_is_found() -> None:
    assert root_between(lambda x: x - 2.0, 2.0, 3.0) == 2.0
    assert root_between(lambda x: x - 3.0, 2.0, 3.0) == 3.0


def test_what_has_no_root_between_is_refused() -> None:
    with pytest.raises(ValueError, match="different signs"):
        root_between(lambda x: x * x + 1.0, -1.0, 1.0)


def test_what_is_too_flat_to_find_ends() -> None:
    with pytest.raises(RuntimeError, match="no root was found in 100 steps"):
        root_between(lambda x: math.copysign(1.0, x - 0.1), -1e300, 1e300, 0.0)
