"""Numbers in the answers of shipped scenarios, read from the text, come out of the scenario.

A number with an interval, ``9.7 [9.7, 9.8]`` or ``28.5 ± 0.6``, is a mean, or a ratio of them, with
its 95 % interval. Each is simulated again with another seed and fewer replications: the two may
differ by four standard errors of their difference.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulator.distributions import Floats
from simulator.experiment import run_each
from simulator.scenario import load_study

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
NUMBER = r"(\d+(?:\.\d+)?)"
STATED = re.compile(rf"{NUMBER}(?: times| s)? (?:± {NUMBER}|\[{NUMBER}, {NUMBER}\])")
Z = 1.96
"""Half of a 95 % interval, in standard errors."""


@dataclass(frozen=True)
class Stated:
    """A number of an answer, and its standard error."""

    value: float
    error: float


def stated(answer: str) -> list[Stated]:
    """Return the numbers of an answer that have an interval, in the order of the text."""
    found = []
    for value, half, low, high in STATED.findall(answer):
        width = float(half) if half else (float(high) - float(low)) / 2
        # What is rounded is known to half of its last digit, at best.
        digits = len(value.partition(".")[2])
        found.append(Stated(float(value), max(width / Z, 0.5 * 10.0**-digits / math.sqrt(3))))
    return found


@dataclass(frozen=True)
class Mean:
    """What a number is: the mean of a metric at a point of a sweep, or a ratio of two.

    Attributes
    ----------
    series : str
    x : float
        The value of the figure's x.
    metric : str
        Its name, or the names of those that are added, with ``+`` between.
    speedup_over, times : float, optional
        The x of the mean that is divided by this one, or that this one is divided by.
    """

    series: str
    x: float
    metric: str = "makespan_s"
    speedup_over: float | None = None
    times: float | None = None

    @property
    def points(self) -> set[tuple[str, float]]:
        """The points of the sweep that it needs: series and x."""
        used = (self.x, self.speedup_over, self.times)
        return {(self.series, x) for x in used if x is not None}

    def of(self, runs: dict[tuple[str, float], pd.DataFrame]) -> Stated:
        """Return the estimate from simulated runs."""

        def values(x: float) -> Floats:
            columns = runs[self.series, x][self.metric.split("+")]
            return np.asarray(columns.sum(axis=1), dtype=float)

        if self.speedup_over is not None:
            return ratio(values(self.speedup_over), values(self.x))
        if self.times is not None:
            return ratio(values(self.x), values(self.times))
        own = values(self.x)
        return Stated(own.mean(), own.std(ddof=1) / math.sqrt(len(own)))


def ratio(above: Floats, below: Floats) -> Stated:
    """Return a ratio of means of pairs, and its error by linearisation (the delta method)."""
    value = above.mean() / below.mean()
    rest = (above - value * below) / below.mean()
    return Stated(value, rest.std(ddof=1) / math.sqrt(len(rest)))


INDEPENDENT, COMMON = "independent answers", "common mode (0.8)"
CORRELATED = "correlated (rho = {})".format
TOKENS = "input_tokens+output_tokens"
FIRST, MAJORITY, ALL = "the first answer", "a majority", "all answers"
DEALT, CLAIMED = "dealt, {}, sigma {}".format, "claimed, no barrier, sigma 1.2"

REPLICATIONS = {"voting": 20}
"""Where calls are many; else 200."""

NUMBERS: dict[str, Sequence[Mean]] = {
    "quickstart": [
        each
        for series in ("tasks dealt out, p = 0.9", "tasks dealt out, p = 0.5")
        for each in (
            Mean(series, 5, speedup_over=1),
            Mean(series, 5, TOKENS, times=1),
            Mean(series, 5, "cost_usd", times=1),
        )
    ],
    "redundancy": (
        Mean(FIRST, 9),
        Mean(MAJORITY, 9),
        Mean(ALL, 9),
        Mean(FIRST, 9, "wasted_s"),
        Mean(MAJORITY, 3),
        Mean(MAJORITY, 9, "wasted_s"),
        Mean(MAJORITY, 3, "wasted_s"),
    ),
    "stragglers": (
        Mean(DEALT("barrier", 0.3), 16, speedup_over=1),
        Mean(DEALT("barrier", 1.2), 16, speedup_over=1),
        Mean(DEALT("no barrier", 1.2), 16, speedup_over=1),
        Mean(CLAIMED, 16, speedup_over=1),
    ),
    "voting": (
        Mean(INDEPENDENT, 1, "quality"),
        Mean(INDEPENDENT, 9, "quality"),
        Mean(INDEPENDENT, 25, "quality"),
        Mean(CORRELATED(0.2), 9, "quality"),
        Mean(CORRELATED(0.2), 25, "quality"),
        Mean(CORRELATED(0.6), 25, "quality"),
        Mean(CORRELATED(0.6), 1, "quality"),
        Mean(COMMON, 25, "quality"),
        Mean(COMMON, 1, "quality"),
    ),
}
"""What the numbers of each answer are, in the order of the text."""


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBERS)
def test_the_numbers_of_an_answer_come_out(name: str) -> None:
    study = load_study(SCENARIOS / f"{name}.yaml", ["seed=20261126"])
    axis = "team.size" if study.base.figure is None else study.base.figure.x
    asked = {point for mean in NUMBERS[name] for point in mean.points}
    wanted = {
        (point.series, float(point.overrides[axis])): point.scenario
        for point in study.points
        if (point.series, float(point.overrides[axis])) in asked
    }
    assert set(wanted) == asked
    table = run_each(list(wanted.values()), REPLICATIONS.get(name, 200)).to_pandas()
    runs = {key: table[table["point"] == i] for i, key in enumerate(wanted)}
    numbers = stated(study.base.answer)
    assert len(numbers) == len(NUMBERS[name])
    for mean, said in zip(NUMBERS[name], numbers, strict=True):
        found = mean.of(runs)
        error = float(np.hypot(said.error, found.error))
        assert abs(found.value - said.value) < 4 * error, (mean, said, found)


def test_numbers_are_read_with_their_intervals() -> None:
    text = "It is 9.7 times [9.6, 9.8], takes 28.5 ± 0.6 s or 1.10 s ± 0.05, and 7 of 9 stay."
    assert [each.value for each in stated(text)] == [9.7, 28.5, 1.1]
    assert [round(Z * each.error, 3) for each in stated(text)] == [0.1, 0.6, 0.05]
