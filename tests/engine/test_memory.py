"""A replication leaves nothing behind, although the garbage collector rests while it runs."""

from __future__ import annotations

import gc

import pytest

from simulator.engine import Simulation
from tests.conftest import scenario


@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
def test_a_long_replication_makes_no_more_garbage_than_a_short_one(timing: str) -> None:
    def cycles(tasks: int) -> int:
        simulation = Simulation(
            scenario(team__size=5, workload__tasks=tasks, coordination__timing=timing)
        )
        gc.collect()
        gc.disable()
        try:
            simulation.run(0)
            return gc.collect()
        finally:
            gc.enable()

    cycles(50)  # what imports and caches leave behind once
    assert cycles(20_000) <= cycles(50) + 10


def test_the_garbage_collector_is_left_as_it_was() -> None:
    simulation = Simulation(scenario())
    simulation.run(0)
    assert gc.isenabled()
    gc.disable()
    try:
        simulation.run(0)
        assert not gc.isenabled()
    finally:
        gc.enable()
