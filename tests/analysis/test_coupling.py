"""Replications that come out alike at several values of a habit are simulated once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.calibration import coupling
from analysis.calibration.coupling import Counts, Replications, Threshold
from simulator.engine import Simulation
from simulator.scenario import Scenario

TASKS = [
    {"id": f"t{i}", "dependencies": [f"t{i - 4}"] if i % 3 and i > 3 else [], "files": [f"f{i}"]}
    for i in range(16)
]


def claiming(deference: float, noise: float, blind_calls: float) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "claiming",
            "team": {
                "size": 3,
                "agent": {
                    "latency": {"kind": "seconds", "base": {"kind": "exponential", "mean": 5}},
                    "batch": {"kind": "empirical", "values": [1, 2, 5]},
                    "behaviour": {
                        "idle": 0.1,
                        "deference": deference,
                        "blind_calls": blind_calls,
                        "dependency_blindness": blind_calls,
                    },
                    "errors": {"probability": 0.2, "detection": 1},
                },
            },
            "topology": "decentralised",
            "coordination": {
                "protocol": {"kind": "self_claim", "choice": "noisy", "noise": noise},
                "timing": "rounds",
            },
            "workload": {"kind": "dag", "tasks": TASKS},
            "workspace": {"kind": "last_writer_wins", "loss": 0.0},
            "limits": {"max_rounds": 40},
            "replications": 5,
        }
    )


def plain(scenario: Scenario) -> list[Counts]:
    simulation = Simulation(scenario)
    rows = [simulation.run(i) for i in range(scenario.replications)]
    return [
        Counts(row.calls, row.idle_calls, row.concurrent_writes, row.attempts, row.blocked_claims)
        for row in rows
    ]


@pytest.mark.parametrize("blind_calls", [0.0, 0.3])
def test_counts_are_those_of_a_simulation_at_each_value(
    blind_calls: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    run = coupling._run
    monkeypatch.setattr(coupling, "_run", lambda *a: made.append(a[1]) or run(*a))
    rng = np.random.default_rng(7)
    values: list[Any] = [0.0, 1.0, 0.5, *(0.5 + 0.02 * rng.standard_normal(12)), *rng.random(4)]
    pairs = [(float(rng.choice(values)), float(rng.choice(values))) for _ in range(60)]
    team = Replications(claiming(0.2, 0.2, blind_calls))
    for deference, noise in pairs:
        expected = plain(claiming(deference, noise, blind_calls))
        assert team.counts(deference, noise, 2) == expected[:2]
        assert team.counts(deference, noise) == expected, (deference, noise)
    assert team.made == len(made) < 0.7 * 5 * len(pairs)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_no_deference_and_full_deference_are_like_the_values_next_to_them(end: float) -> None:
    team = Replications(claiming(0.2, 0.2, 0.3))
    inside = abs(end - 1e-9)
    assert team.counts(inside, 0.5) == plain(claiming(end, 0.5, 0.3))
    assert team.counts(end, 0.5) == plain(claiming(inside, 0.5, 0.3))
    assert team.made == 5


def test_a_threshold_stands_for_the_values_between_what_it_was_compared_with() -> None:
    p = Threshold(0.5)
    assert [u < p for u in (0.2, 0.7, 0.4, 0.6, 0.5)] == [True, False, True, False, False]
    assert (p.low, p.high) == (0.4, 0.5)
    p.forget()
    assert (p.low, p.high) == (0.0, np.nextafter(1.0, 0.0))


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_an_end_stands_for_itself_only(end: float) -> None:
    p = Threshold(end)
    assert (p > 0.5) == (end == 1.0)
    assert [value for value in (0.0, 1e-300, 0.5, 1 - 1e-16, 1.0) if p.low < value <= p.high] == [
        end
    ]


@pytest.mark.parametrize("other", [(0.0, 1.0), (0.1, 0.2)])
def test_a_replication_stands_for_values_above_the_lower_end_and_up_to_the_upper_one(
    other: tuple[float, float],
) -> None:
    """``u < p`` does not hold at ``p = u``, so that no value stands for one below it."""
    counts = Counts(1, 0, 0, 1, 0)
    inside = other[1]
    first, second = (
        coupling._Box((0.4, 0.5), other, counts),
        coupling._Box(other, (0.4, 0.5), counts),
    )
    for value, is_held in ((0.39, False), (0.4, False), (0.45, True), (0.5, True), (0.51, False)):
        assert first.holds(value, inside) == is_held
        assert second.holds(inside, value) == is_held
    assert not first.holds(0.45, other[0])
