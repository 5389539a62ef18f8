"""How often agents leave drafts as they are: by definition, and from simulated runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.calibration import fit_cells
from analysis.calibration.drafts import left_drafts
from analysis.calibration.shares import Share
from tests.analysis.harness import team_runs
from tests.analysis.test_matching import CHAINS, logged_team


def calls(*rows: tuple[int, int, int, int, int]) -> pd.DataFrame:
    """Return working calls of an agent.

    They are given by tasks attempted, written, written for the first time, completed and owed.
    """
    columns = ["attempts", "edited", "fresh", "completed", "owed"]
    return pd.DataFrame(list(rows), columns=columns).assign(run_dir="a", agent="x")


def counts(share: Share) -> tuple[float, float]:
    """Return hits and trials."""
    return float(share.hits.sum()), float(share.trials.sum())


def test_a_call_that_attempts_what_its_agent_has_written_leaves_drafts_or_writes_them() -> None:
    first, again = left_drafts(
        calls(
            (4, 4, 4, 1, 0),  # of four tasks three are blocked
            (3, 3, 0, 1, 0),  # writes these again
            (2, 0, 0, 1, 0),  # leaves them
            (1, 0, 0, 1, 0),  # leaves what is left once more
            (4, 4, 4, 2, 0),  # has no drafts
            (2, 0, 0, 2, 0),  # leaves two
        )
    )
    assert counts(first) == (2.0, 3.0)
    assert counts(again) == (1.0, 1.0)


def test_tasks_whose_tests_have_failed_are_no_drafts() -> None:
    failed = calls((2, 2, 2, 1, 0), (1, 1, 0, 0, 1), (2, 2, 1, 1, 1), (1, 1, 0, 1, 1))
    assert [counts(each) for each in left_drafts(failed)] == [(0.0, 0.0), (0.0, 0.0)]
    # One that has failed is written again, and one that was blocked is left.
    both = calls((2, 2, 2, 0, 0), (2, 1, 0, 1, 1))
    assert counts(left_drafts(both)[0]) == (1.0, 1.0)


def test_runs_and_agents_do_not_know_of_each_other() -> None:
    one = calls((4, 4, 4, 1, 0), (3, 0, 0, 1, 0))
    several = pd.concat([one, one.assign(agent="y"), one.assign(run_dir="b")], ignore_index=True)
    first, again = left_drafts(several)
    assert first.hits.tolist() == first.trials.tolist() == [2.0, 1.0]
    assert counts(again) == (0.0, 0.0)


@pytest.mark.slow
@pytest.mark.theory
def test_how_often_drafts_are_left_is_found_in_simulated_runs(tmp_path: Path) -> None:
    """95 % intervals of 30 agents; a coverage of 0.9 fails with a probability of 0.001."""
    rng = np.random.default_rng(3)
    held = np.zeros(2, dtype=int)
    for i in range(30):
        deference, noise, blind, errors, p, q = rng.random(6) * [0.5, 1.0, 1.0, 0.3, 0.6, 0.9]
        weights = rng.dirichlet([2.0, 2.0, 2.0]).tolist()
        behaviour = {
            "chatter": 1,
            "deference": deference,
            "blind_calls": blind,
            "leave_drafts": p,
            "leaving_persistence": q,
        }
        agent: dict[str, Any] = {
            "latency": {"kind": "seconds", "base": {"kind": "exponential", "mean": 6.0}},
            "batch": {"kind": "empirical", "values": [1, 2, 4], "weights": weights},
            "tokens": {"message": 0},
            "context": {"board_tokens_per_task": 0},
            "behaviour": behaviour,
            "errors": {"probability": errors, "detection": 1},
        }
        where = tmp_path / str(i)
        where.mkdir()
        logged = logged_team(agent, noise, (1, 2, 3), 10)
        (fit,) = fit_cells(team_runs(where, logged, CHAINS), match=False)
        for k, (found, truth) in enumerate(
            [(fit.drafts.left, p), (fit.drafts.left_again, p + (1.0 - p) * q)]
        ):
            held[k] += abs(found.value - truth) < 1.96 * found.error
    assert stats.binom.cdf(held, 30, 0.9).min() > 0.001, held
