"""Tests how far simulated changes between team sizes are trusted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.validation.carry_over import (
    MAPPED,
    PilotRuns,
    carried_over,
    share_observed,
    trust_in_changes,
)


def test_the_share_of_a_change_that_is_observed_is_right_on_average() -> None:
    """Truths are drawn from the priors: posterior means then have no bias, and some skill."""
    rng = np.random.default_rng(5)
    errors, found = [], []
    for _ in range(400):
        share, apart = 1.0 + 0.5 * rng.standard_normal(), 1.5 * rng.random()
        expected, noise = rng.normal(2.0, 0.5, 12), rng.uniform(0.01, 0.2, 12)
        change = share * expected + np.sqrt(noise + apart**2) * rng.standard_normal(12)
        found.append(share_observed(expected, change, noise))
        errors.append(found[-1] - max(0.0, share))
    assert abs(np.mean(errors)) < 4.0 * np.std(errors) / np.sqrt(400)
    assert np.std(errors) < 0.5 / 2  # half of what is not known before


def test_one_cell_of_runs_that_are_alike_does_not_decide_for_all() -> None:
    """Nine cells change as expected, with ample noise; one, with hardly any, does not change."""
    found = np.asarray([*[1.0] * 9, 0.0])
    noise = np.asarray([*[0.2] * 9, 0.004])
    assert share_observed(np.ones(10), found, noise) > 0.8


def test_without_two_sizes_a_simulated_change_is_trusted() -> None:
    none = np.zeros(0)
    assert share_observed(none, none, none) == pytest.approx(1.0)


def test_agents_that_claim_and_those_that_are_dealt_tasks_are_trusted_apart() -> None:
    """Simulated totals double; the real ones of agents that claim do, those of the others stay."""
    rng = np.random.default_rng(6)
    pilots = [_pilot(mode, growth, rng) for mode, growth in [("a", 2.0), ("b", 1.0)] * 6]
    trust = trust_in_changes(pilots)
    for metric in MAPPED:
        assert trust[0][metric] == trust[2][metric]
        assert trust[0][metric] == pytest.approx(1.0, abs=0.2)
        assert trust[1][metric] < 0.3


def _pilot(mode: str, growth: float, rng: np.random.Generator) -> PilotRuns:
    """Return a pilot of ten runs at one agent and at two, where the totals are as much larger."""

    def totals(size: int, middle: float) -> pd.DataFrame:
        logs = np.log(middle) + 0.1 * rng.standard_normal((size, 3))
        return pd.DataFrame(np.exp(logs), columns=MAPPED)

    def real(n: int) -> pd.DataFrame:
        runs = totals(10, 100.0 * growth ** (n - 1))
        tokens = {"total_input_tokens": runs["total_tokens"], "total_output_tokens": 0.0}
        return runs.assign(**tokens, n_teammates=n, mode=mode)

    simulated = {n: totals(400, 100.0 * n) for n in (1, 2)}
    return PilotRuns(pd.concat([real(1), real(2)], ignore_index=True), simulated, {}, 30)


@pytest.mark.parametrize("limit", [4, 10, 30, 90])
def test_runs_given_up_after_other_rounds_take_their_time(limit: int) -> None:
    """Each round takes 10 s and 100 tokens, of runs that finish and of those that are given up.

    They need from 1 to 120 rounds; the pilot's were given up after 30, so that none of these tells
    how long one takes that is given up after 4 or 90.
    """
    rng = np.random.default_rng(8)

    def runs(count: int, given_up: int) -> pd.DataFrame:
        needs = rng.integers(1, 121, count)
        rounds = np.minimum(needs, given_up)
        columns = {"total_rounds": rounds, "wall_clock_seconds": 10.0 * rounds}
        return pd.DataFrame(columns).assign(
            total_tokens=100.0 * rounds, total_input_tokens=100.0 * rounds,
            total_output_tokens=0.0, success=needs <= given_up, n_teammates=2, mode="m",
        )  # fmt: skip

    pilot = PilotRuns(runs(40, 30), {2: runs(2000, 30)}, {2: 30 / 120}, 30)
    found = carried_over(pilot, runs(2000, limit), 2, limit, dict.fromkeys(MAPPED, 1.0), rng)
    did = found["success"].to_numpy(dtype=bool)
    assert (found.loc[~did, "total_rounds"] == limit).all()
    assert (found.loc[did, "total_rounds"] <= limit).all()
    assert did.mean() == pytest.approx(limit / 120, abs=0.06)
    of_failed = found.loc[~did]
    # What is carried over varies by a tenth around a run of the pilot.
    for metric, each in (("wall_clock_seconds", 10.0), ("total_tokens", 100.0)):
        assert of_failed[metric].median() == pytest.approx(each * limit, rel=0.05)
    late = (found.loc[did, "total_rounds"] > 30).mean() if limit > 30 else 0.0
    assert late == pytest.approx(max(0, limit - 30) / limit, abs=0.06)
