"""Copies of simulations, and simulations that are sent to another process."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from simulator.engine import Simulation
from tests.conftest import scenario


@pytest.mark.parametrize(
    "copied",
    [lambda each: pickle.loads(pickle.dumps(each)), copy.deepcopy, copy.copy],
    ids=["sent", "deep", "copied"],
)
def test_a_copy_runs_the_same_replications(copied: Callable[[Simulation], Simulation]) -> None:
    simulation = Simulation(scenario())
    found = [simulation.run(number) for number in range(3)]
    other = copied(simulation)
    assert other.model is not simulation.model
    assert [other.run(number) for number in range(3)] == found
