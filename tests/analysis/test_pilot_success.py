"""Simulated runs that do not succeed as often as the pilot's own are named, and others are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.validation.pilot_success import FALSE_ALARMS, contradictions
from analysis.validation.run_prediction import TEAM
from simulator.cli.fitting_runs import _say_contradictions


def runs(*teams: tuple[int, int, int]) -> pd.DataFrame:
    """Return runs of one model: for each team its size, how many succeeded, and how many not."""
    rows = [
        ("gpt-5.2", "", "claimed", n, success)
        for n, good, bad in teams
        for success in [1.0] * good + [0.0] * bad
    ]
    return pd.DataFrame(rows, columns=[*TEAM, "success"])


def test_a_team_that_always_succeeded_and_never_does_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    simulated, pilot = runs((1, 0, 60), (3, 40, 20), (5, 60, 0)), runs((1, 6, 0), (3, 4, 2))
    (found,) = contradictions(simulated, pilot)
    assert (found.cell, found.succeeded, found.runs) == (("gpt-5.2", "", "claimed", 1), 6, 6)
    assert found.simulated == 0.0
    _say_contradictions(simulated, pilot)
    said = " ".join(capsys.readouterr().err.split())
    assert "gpt-5.2, claimed, n = 1: 6 of 6 runs of the pilot succeeded, and 0 % of the" in said
    assert "n = 3" not in said


def test_success_that_is_not_known_or_was_not_run_contradicts_nothing() -> None:
    pilot = runs((1, 6, 0)).assign(success=np.nan)
    assert list(contradictions(runs((1, 0, 60)), pilot)) == []
    assert list(contradictions(runs((2, 0, 60)), runs((1, 6, 0)))) == []


@pytest.mark.thorough
def test_alarms_are_as_rare_as_said_where_both_succeed_as_often() -> None:
    rng = np.random.default_rng(1)
    alarms, tables = 0, 400
    for _ in range(tables):
        chance = rng.uniform(size=3)
        real, made = rng.binomial(8, chance), rng.binomial(100, chance)
        pilot = runs(*((n, real[n], 8 - real[n]) for n in range(3)))
        simulated = runs(*((n, made[n], 100 - made[n]) for n in range(3)))
        alarms += any(True for _ in contradictions(simulated, pilot))
    # Binomial: 10 or more of 400 at 1 % have a probability of 0.8 %. Fisher's test is conservative.
    assert alarms <= 9
    assert FALSE_ALARMS == 0.01
