"""Where two curves cross is said as far as it is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics.crossings import crossing_in_words, crossing_interval
from analysis.statistics.intervals import Interval, mean_interval

X = np.array([1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0])


def line(values: list[float], half: float) -> pd.DataFrame:
    """Return a curve whose intervals reach so far to both sides."""
    y = np.array(values)
    x = X[: len(y)]
    return pd.DataFrame({"x": x, "y": y, "y_low": y - half, "y_high": y + half})


@pytest.mark.parametrize(
    ("half", "low", "high", "said"),
    [
        (0.4, 2.0, 4.0, "cross at 2.7 (2 to 4)"),
        (0.8, 2.0, 6.0, "cross at 2.7 (2 to 6)"),
        (0.95, 1.0, 6.0, "cross at 2.7 (1 to 6)"),
        (1.4, -math.inf, 6.0, "cross at 2.7 (6 at most)"),
        (3.0, -math.inf, math.inf, "cross at 2.7, or not at all"),
    ],
)
def test_a_crossing_is_between_points_at_which_intervals_do_not_overlap(
    half: float, low: float, high: float, said: str
) -> None:
    first, second = line([12.0, 12.0, 12.0, 12.0], half), line([10.0, 10.3, 13.5, 15.0], half)
    found = crossing_interval(first, second, "y", log_x=False)
    assert found is not None
    assert (found.low, found.high) == (low, high)
    back = crossing_interval(second, first, "y", log_x=False)
    assert back == found
    assert crossing_in_words(Interval(2.66, low, high)) == said


def test_intervals_that_touch_do_not_tell_two_curves_apart() -> None:
    """First above and then below by exactly the length of an interval, at the points beside it."""
    first, second = line([12.0, 11.0, 10.0, 10.0], 0.5), line([10.0, 10.0, 11.0, 12.0], 0.5)
    found = crossing_interval(first, second, "y", log_x=False)
    assert found == Interval(3.0, 1.0, 6.0)
    assert crossing_interval(second, first, "y", log_x=False) == found


def test_curves_that_do_not_cross_have_no_crossing() -> None:
    first, second = line([10.0, 10.0], 0.1), line([11.0, 12.0], 0.1)
    assert crossing_interval(first, second, "y", log_x=False) is None
    assert crossing_in_words(Interval(5.0, 4.0, math.inf)) == "cross at 5 (4 or more)"


@pytest.mark.thorough
@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_the_range_of_a_crossing_holds_it_and_equal_curves_are_not_said_to_cross(
    sigma: float,
) -> None:
    """Of thirty runs; the lines of equal curves cross in 98 % of sweeps."""
    rng = np.random.default_rng(3)

    def drawn(means: np.ndarray, luck: np.ndarray) -> pd.DataFrame:
        own = 0.6 * luck + 0.8 * rng.normal(size=(len(means), 30))
        runs = means[:, None] * np.exp(sigma * own - sigma**2 / 2)
        found = [mean_interval(each) for each in runs]
        columns = {"y": "estimate", "y_low": "low", "y_high": "high"}
        values = {name: [getattr(each, end) for each in found] for name, end in columns.items()}
        return pd.DataFrame({"x": X, **values})

    missed = certain = 0
    for _ in range(200):
        at, slope, luck = rng.uniform(2, 12), rng.uniform(2, 10), rng.normal(size=30)
        flat = np.full(len(X), 100.0)
        pair = drawn(flat, luck), drawn(flat + slope * (X - at), luck)
        found = crossing_interval(*pair, "y", log_x=False)
        missed += found is not None and not found.low <= at <= found.high
        same = crossing_interval(drawn(flat, luck), drawn(flat, luck), "y", log_x=False)
        certain += same is not None and not crossing_in_words(same).endswith("or not at all")
    # Either fails with a probability of 0.001 if it happens in 5 %.
    assert stats.binom.sf(missed - 1, 200, 0.05) > 0.001
    assert stats.binom.sf(certain - 1, 200, 0.05) > 0.001
