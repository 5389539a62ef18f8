"""Which tasks agents forget, told by what is left undone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

from analysis.calibration.logits import Trials, _Regression
from analysis.calibration.waiting import Runs, WaitingTasks, stalled_at, which_tasks


def tree() -> WaitingTasks:
    """Return nine tasks that wait for the first, three of them for each of two, and four alone."""
    needs = {"top": [], "a": ["top"], "b": ["top"], "more": ["top"], "more too": ["top"]}
    needs |= {f"{name}{i}": [name] for name in "ab" for i in (1, 2)}
    needs |= {f"alone {i}": [] for i in range(4)}
    return WaitingTasks([{"id": name, "dependencies": need} for name, need in needs.items()])


def test_a_task_waits_for_itself_and_for_all_it_needs() -> None:
    tasks = tree()
    assert len(tasks) == 13
    assert tasks.numbers.tolist() == [1, 3, 9]
    assert tasks.counts.tolist() == [10, 2, 1]
    assert tasks.mean_log == pytest.approx((2 * np.log(3) + np.log(9)) / 13)


@pytest.mark.parametrize(
    ("left", "number"), [(0, 1), (1, 1), (2, 1), (3, 3), (8, 3), (9, 9), (12, 9)]
)
def test_as_many_tasks_are_left_as_wait_for_what_was_forgotten(left: int, number: int) -> None:
    tasks = tree()
    assert tasks.numbers[tasks.found(left)] == number


def test_what_waits_for_a_forgotten_task_is_not_done() -> None:
    tasks = tree()
    assert tasks.shares[-1].tolist() == pytest.approx([10 / 13, 2 / 13, 1 / 13])
    # Without a, a1 and a2: eight for which none waits, b and top.
    assert tasks.shares[1].tolist() == pytest.approx([0.8, 0.1, 0.1])
    assert tasks.shares[2].tolist() == [1.0, 0.0, 0.0]  # the four alone


def log() -> pd.DataFrame:
    """Return two runs that have stalled, by one task and by two, and one that has not."""
    rows = [("one", 6, 6), ("one", 5, 4), ("two", 10, 9), ("two", 2, 1), ("none", 13, 13)]
    return pd.DataFrame(rows, columns=["run_dir", "claims", "completed"])


def test_a_run_with_one_forgotten_task_tells_which_and_one_with_two_tells_what_it_may_be() -> None:
    tasks, runs = tree(), Runs(log())
    for_good = np.array([0.0, 1.0, 1.0, 1.0, 0.0])
    places, are_one = stalled_at(runs, for_good, tasks)
    # Three tasks are left in both, of which one is a second that was forgotten.
    assert places.tolist() == [1, 0, -1]
    assert are_one.tolist() == [True, False, False]
    of_call, known = which_tasks(runs.of, for_good, (places, are_one), tasks)
    assert known.tolist() == [False, True, False, False, False]
    assert of_call.tolist() == pytest.approx(
        np.array([[0.8, 0.1, 0.1], [0, 1, 0], [1, 0, 0], [1, 0, 0], [10 / 13, 2 / 13, 1 / 13]])
    )


def test_what_others_hand_in_is_not_done_twice() -> None:
    """Of eleven claimed tasks one is open, though eleven were said to be done."""
    calls = pd.DataFrame(
        [("run", 11, 11), ("run", 0, 0)], columns=["run_dir", "claims", "completed"]
    )
    places, are_one = stalled_at(Runs(calls), np.array([1.0, 0.0]), tree())
    assert (places.tolist(), are_one.tolist()) == ([1], [True])


def test_a_hit_of_an_unknown_row_counts_as_one_of_any_of_them() -> None:
    """The mode is where the posterior is largest, written down from its definition."""
    trials = Trials(
        covariates=np.array([[0.0], [1.0]]),
        hits=np.array([3.0, 1.0]),
        trials=np.array([20.0, 20.0]),
        unknown=np.array([[0.5, 0.5], [0.2, 0.8]]),
    )
    mean, sd = np.array([-2.0, 0.0]), np.array([1.0, 1.0])

    def loss(at: np.ndarray) -> float:
        p = special.expit(at[0] + at[1] * np.array([0.0, 1.0]) + at[2])
        prior = 0.5 * (((at[:2] - mean) / sd) ** 2).sum() + 0.5 * (at[2] / spread) ** 2
        known = 3 * np.log(p[0]) + np.log(p[1]) + 17 * np.log1p(-p[0]) + 19 * np.log1p(-p[1])
        return float(prior - known - np.log(p.mean()) - np.log(0.2 * p[0] + 0.8 * p[1]))

    spread = 1.0
    exact = optimize.minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-8}).x
    regression = _Regression([trials], mean, sd).with_spread(spread)
    assert regression.fit().posterior.at == pytest.approx(exact, abs=1e-6)
    points = np.array([[-1.0, 0.5, 0.2], [-3.0, -1.0, 0.0]])
    found = regression.log_densities(points)
    assert found[0] - found[1] == pytest.approx(loss(points[1]) - loss(points[0]))


@pytest.mark.parametrize("begin", [-6.0, 0.0, 4.0])
def test_the_mode_is_found_from_anywhere(begin: float) -> None:
    """The density neither rises nor falls there, in cells with hits of any of several tasks."""
    of_several = Trials(
        covariates=np.array([[0.0], [1.0], [2.0]]),
        hits=np.array([1.0, 0.5, 2.0]),
        trials=np.array([20.0, 9.0, 30.0]),
        of=np.array([1.0, 3.0, 2.0]),
        unknown=np.array([[0.5, 0.0, 0.5], [0.1, 0.8, 0.1]]),
    )
    without_hits = Trials(np.array([[1.0]]), np.zeros(1), np.array([12.0]))
    mean, sd = np.array([-2.0, 0.5]), np.array([1.5, 1.0])
    regression = _Regression([of_several, without_hits], mean, sd).with_spread(1.4)
    mode = regression.fit(np.full(4, begin)).posterior.at
    steps = 1e-4 * np.eye(4)
    rises = regression.log_densities(mode + steps) - regression.log_densities(mode - steps)
    assert rises / 2e-4 == pytest.approx(0.0, abs=1e-7)
