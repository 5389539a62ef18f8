"""Processes that commands start before they need them."""

from __future__ import annotations

from simulator.cli.ahead import processes_for


def test_few_runs_start_no_other_process() -> None:
    with processes_for(100, 2) as pool:
        assert pool.count == 2
        assert not pool.is_started


def test_many_runs_start_as_many_as_they_are_worth() -> None:
    with processes_for(900, 16) as pool:
        assert pool.count == 2
        assert pool.is_started


def test_one_process_starts_no_other() -> None:
    with processes_for(10_000, 1) as pool:
        assert pool.count == 1
        assert not pool.is_started
