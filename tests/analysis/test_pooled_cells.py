"""Agents of several task lists, of which one takes longer, fitted together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.calibration.cells import fit_cells
from analysis.calibration.estimates import UNTOLD, Estimate, VectorFit, pool_posteriors
from analysis.calibration.output_limits import between_cells
from analysis.calibration.pooled_cells import _over_cells, _slowness, pooled_fits
from simulator.engine import Simulation
from simulator.model.trace import Event, Trace
from tests.analysis.harness import DEALT, TASKS, logged_run, scenario, team_runs

SLOWNESS = {"p02": 1.6, "p09": 0.8}
FITS = 18.0
"""Tasks that fit into a reply where work takes neither long nor short."""


def logged() -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Yield runs of agents who take on everything at once, of a slow list and of a quick one."""
    for seed, (cell, slow) in enumerate(SLOWNESS.items()):
        agent = {
            "latency": {
                "kind": "seconds",
                "base": 1.0,
                "per_work_unit_s": 2.0,
                "residual": {"kind": "lognormal", "median": slow, "sigma": 0.05},
            },
            "batch": 20,
            "capacity": FITS / slow,
            "truncation_loss": 0.3,
            "errors": {"probability": 0.0},
        }
        for size in (1, 2, 4):
            truth = scenario(agent, DEALT, size, TASKS, seed)
            for replication in range(20):
                yield logged_run(truth, DEALT, replication, cell)


@pytest.mark.slow
def test_what_fits_into_a_reply_of_pooled_lists_is_a_matter_of_time(tmp_path: Path) -> None:
    """11 tasks of the slow list take as long as 22 of the quick one, which has 20 and fits them."""
    team = team_runs(tmp_path, logged())
    cells = fit_cells(team, match=False)
    (slow,) = (cell.capacity for cell in cells if cell.cell["p_label"] == "p02")
    (quick,) = (cell.capacity for cell in cells if cell.cell["p_label"] == "p09")
    assert slow is not None
    assert slow.tasks == 11.0
    assert quick is None
    (fit,) = pooled_fits(team, cells)
    assert fit.capacity is not None
    assert fit.capacity.sigma < 0.05
    assert fit.capacity.elasticity == 1.0
    # Who is cut off at 11 wanted more, as those who did all.
    assert fit.habits.first[fit.habits.sizes > 11].sum() > 0.95 * fit.habits.first.sum()

    seconds = _of_first_replies_cut_off(fit.agent(), 400)
    limit_s = (1.0 + 2.0 * 11) * SLOWNESS["p02"]
    assert len(seconds) > 100
    # A task that does not fit whole leaves up to one of 11; without the limit, the middle half of
    # speeds are 1.35 standard deviations of 0.35 apart.
    assert np.median(seconds) == pytest.approx(limit_s, rel=0.1)
    low, high = np.quantile(np.log(seconds), [0.25, 0.75])
    assert high - low < 0.5 * 1.35 * fit.residual.run_sigma.value


def _of_first_replies_cut_off(agent: dict[str, Any], runs: int) -> np.ndarray[Any, Any]:
    """Return the seconds of first replies that wrote some of the tasks."""
    simulation = Simulation(scenario(agent, DEALT, 1, TASKS, 3))
    found = []
    for replication in range(runs):
        trace = Trace()
        simulation.run(replication, trace)
        first = next(row for row in trace.rows if row.event is Event.CALL_END)
        wrote = sum(row.event is Event.ATTEMPT and row.call == first.call for row in trace.rows)
        if wrote < len(TASKS):
            found.append(first.duration_s)
    return np.asarray(found, dtype=float)


@pytest.mark.theory
@pytest.mark.parametrize("sigma", [0.05, 0.3])
@pytest.mark.parametrize("median", [10.0, 15.0, 25.0])
def test_what_fits_into_replies_is_found_again(median: float, sigma: float) -> None:
    """Recovery of the limit from cells of which all 20 tasks fit into replies of some.

    The estimator is that of maximum likelihood: of a thousand cells, within four standard errors of
    the parameters, by its information where nothing is censored, and 1.6 times those otherwise.
    """
    rng, cells, most = np.random.default_rng(4), 1000, 20
    slowness = rng.normal(0.0, 0.35, cells)
    tasks = np.exp(rng.normal(np.log(median), sigma, cells) - slowness)
    found = between_cells(np.where(tasks < most, tasks, np.inf), slowness, most)
    assert found is not None
    assert found.elasticity == 1.0
    error = 4 * 1.6 * sigma / np.sqrt(cells)
    assert abs(np.log(found.tasks / median)) < error
    assert abs(found.sigma - sigma) < error / np.sqrt(2)


def test_slowness_is_the_mean_of_runs_and_not_of_replies() -> None:
    """Of 2 s expected: a run of 4 s and one of 1 s (three times) are as slow as one of 2 s."""
    latency = VectorFit(np.log([1.0, 1.0, 0.1]), np.zeros((3, 3)))
    calls = pd.DataFrame({
        "run_dir": ["a", "b", "b", "b", "c", "d"], "latency_s": [4.0, 1.0, 1.0, 1.0, 4.0, 99.0],
        "edited": 1, "other": 0, "is_idle": [False] * 5 + [True],
    })  # fmt: skip
    cells = pd.Series([("x",)] * 4 + [("y",), ("x",)])
    found = _slowness(latency, calls, cells)
    assert found[("x",)] == pytest.approx(0.0)
    assert found[("y",)] == pytest.approx(np.log(2.0))


def test_habits_of_cells_are_their_median_with_the_error_of_another_cell() -> None:
    """Of 1, 2 and 6 hundredths: squares of -2, -1 and 3 over two degrees of freedom are 7.

    That is 4 / 3 of it for a cell that is not among the three, times the square of 4.303 / 1.96.
    """
    found = _over_cells([Estimate(value, 0.03) for value in (0.06, 0.01, 0.02)])
    error = np.hypot(0.03, np.sqrt(7e-4 * 4 / 3) * 4.303 / 1.96)
    assert (found.value, found.error) == (0.02, pytest.approx(error, rel=1e-3))
    far_apart = _over_cells([Estimate(0.0, 0.1), Estimate(1.0, 0.1)])
    assert 0.98 * UNTOLD.error < far_apart.error < UNTOLD.error


def posterior(value: float, error: float) -> VectorFit:
    """Return what a cell says of a habit with a uniform prior, taken for a normal one."""
    variance = 1.0 / (error**-2 + UNTOLD.error**-2)
    at = variance * (value * error**-2 + 0.5 * UNTOLD.error**-2)
    return VectorFit(np.array([at]), np.array([[variance]]))


@pytest.mark.theory
@pytest.mark.parametrize("error", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("cells", [2, 3, 6])
def test_errors_of_habits_hold_those_at_another_task_list(cells: int, error: float) -> None:
    """Of an agent whose cells differ by 0.05 or 0.15: the spread alone holds 37 to 84 %.

    A coverage of 0.92 fails with a probability of 0.001, one of 0.87 with 0.82.
    """
    rng, held, agents = np.random.default_rng([64, cells]), 0, 600
    for agent in range(agents):
        spread = (0.05, 0.15)[agent % 2]
        mean = rng.normal(0.5, np.sqrt(UNTOLD.error**2 - spread**2))
        *known, other = mean + spread * rng.standard_normal(cells + 1)
        fits = [posterior(value + error * rng.standard_normal(), error) for value in known]
        pooled = pool_posteriors(fits, np.array([0.5]), np.array([UNTOLD.error]))
        habit = _over_cells([fit.estimate(0, "identity") for fit in pooled])
        held += abs(habit.value - other) < 1.96 * habit.error
    assert stats.binom.cdf(held, agents, 0.92) > 0.001, held


def test_habits_of_the_only_cell_are_its_own() -> None:
    alone = Estimate(0.4, 0.1)
    assert _over_cells([alone]) is alone
    assert _over_cells([UNTOLD, UNTOLD]) == UNTOLD
