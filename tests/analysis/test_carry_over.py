"""Tests how far simulated changes between team sizes are trusted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.validation.carry_over import MAPPED, PilotRuns, share_observed, trust_in_changes


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
    return PilotRuns(pd.concat([real(1), real(2)], ignore_index=True), simulated, {})
