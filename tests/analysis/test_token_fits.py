"""Tokens of similar cells: each cell's fit has the totals of its own runs, pooled or not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.calibration.estimates import Estimate, VectorFit
from analysis.calibration.tokens import NAMES, TokenFit, fit_tokens, log_of, totals
from simulator.distributions import Floats

NOISE = 0.01
"""Standard deviation of a run's log totals around its calls."""


def cell(
    name: int, at: Floats, runs: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs of one agent, most of which end with the first calls, and their calls."""
    calls = []
    for run in range(runs):
        lengths = int(rng.choice([1, 1, 2, 3, 12]))
        for i in range(lengths):
            calls.append(
                {"run_dir": f"{name}-{run}", "agent": "a", "written": 20 * i / lengths,
                 "work": 20 / lengths}
            )  # fmt: skip
    frame = pd.DataFrame(calls)
    unknown = pd.DataFrame({"run_dir": frame["run_dir"].unique()})
    unknown = unknown.assign(total_input_tokens=1.0, total_output_tokens=1.0)
    (read,), (wrote,) = totals(at[None], log_of(unknown, frame))
    noise = np.exp(NOISE * rng.standard_normal((2, runs)))
    known = unknown.assign(total_input_tokens=read * noise[0], total_output_tokens=wrote * noise[1])
    return known, frame


def cells(rng: np.random.Generator) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Return six cells of an agent, which differ in what they write."""
    common = [np.log(1100.0), np.log(1500.0), 2.0, np.log(23.0)]
    written = zip(rng.normal(5.5, 1.0, 6), rng.normal(5.0, 0.8, 6), strict=True)
    return [cell(i, np.asarray([*common, *each]), 10, rng) for i, each in enumerate(written)]


@pytest.mark.slow
def test_a_pooled_cell_has_the_totals_of_its_runs() -> None:
    # The mean of ten runs is known to 0.01 / sqrt(10); a fit may miss it by four of these. First
    # fits that were shrunk towards each other by their covariances missed by up to 0.14.
    for seed in range(5):
        data = cells(np.random.default_rng(seed))
        for (runs, calls), found in zip(data, fit_tokens(data), strict=True):
            log = log_of(runs, calls)
            (read,), (wrote,) = totals(found.fit.at[None], log)
            assert abs(np.mean(np.log(read) - log.inputs)) < 4 * NOISE / 10**0.5
            assert abs(np.mean(np.log(wrote) - log.outputs)) < 4 * NOISE / 10**0.5


def test_a_cell_with_a_single_run_takes_what_the_others_have() -> None:
    rng = np.random.default_rng(1)
    at = np.asarray([7.0, 7.3, 2.0, 3.1, 5.5, 5.0])
    few, calls = cell(5, at, 1, rng)
    found = fit_tokens([*(cell(i, at, 12, rng) for i in range(5)), (few, calls)])[-1]
    alone = fit_tokens([(few, calls)])[0]
    system = NAMES.index("system")
    assert abs(found.fit.at[system] - 7.0) < 0.1
    assert found.fit.covariance[system, system] < alone.fit.covariance[system, system]


def test_runs_of_an_agent_that_is_drawn_differ_by_what_can_be() -> None:
    """Three runs hardly tell how far runs differ: a draw of it was 76, and their tokens 1e17."""
    rng, where = np.random.default_rng(2), VectorFit(np.zeros(6), np.zeros((6, 6)))
    few = TokenFit(where, Estimate.of(0.95, 1.166, "log"), 0.1)
    drawn = np.asarray([few.draw(rng).run_sigma.value for _ in range(4000)])
    assert drawn.max() == pytest.approx(3.0)
    assert np.median(drawn) == pytest.approx(0.95, rel=0.1)
    known = TokenFit(where, Estimate.of(4.0, 0.01, "log"), 0.1)  # what was found is not denied
    assert 3.0 < known.draw(rng).run_sigma.value <= 4.0
