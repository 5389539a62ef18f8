"""Faults at random, seeded moments: the short form of `make soak`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.faults.damage import damaged_and_read
from tests.faults.fuzz import documents, outcome
from tests.faults.kills import killed_and_resumed, needs_proc


@pytest.mark.thorough
@pytest.mark.skipif(needs_proc(), reason="looks for workers with ps, limits files with prlimit")
def test_a_sweep_that_is_killed_at_random_ends_the_same(sweep: Path, tmp_path: Path) -> None:
    toll = killed_and_resumed(sweep, tmp_path / "out", seed=3, kills=4)
    assert sum(toll.done.values()) == 4
    assert toll.orphans == 0
    assert toll.tracebacks == []


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::simulator.errors.TeamsimWarning")
def test_damaged_results_are_made_anew_or_refused(tmp_path: Path) -> None:
    found = damaged_and_read(tmp_path, seed=5, cases=40)
    assert found["results"] + found["error"] == 80
    assert found["error"] > 10


@pytest.mark.slow
@seed(1)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(documents())
def test_any_scenario_is_a_result_or_an_error(document: dict[str, object]) -> None:
    assert outcome(document) in ("result", "error")
