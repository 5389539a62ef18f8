"""Where contexts are compacted, found in traces of agents whose limit is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.calibration.calls import usable
from analysis.calibration.windows import own_limit, window_of
from analysis.observation.simulated import simulate
from tests.conftest import scenario

SYSTEM = 5_000


def sessions(window: Any, count: int = 60, seed: int = 1, **context: Any) -> pd.DataFrame:
    """Return the calls of simulated sessions of 60 calls that add some 2,000 tokens each."""
    said = {"system_tokens": SYSTEM, "board_tokens_per_task": 0, "window_tokens": window,
            "turn_tokens": {"kind": "lognormal", "median": 1000, "sigma": 0.8}}  # fmt: skip
    team = scenario(
        seed=seed, topology="single", team__size=1, team__agent__context=said | context,
        coordination={"protocol": "self_claim", "timing": "asynchronous"},
        workload={"kind": "parallel_fraction", "tasks": 60, "parallel_fraction": 1},
    )  # fmt: skip
    return usable(simulate(team, count, ["agent"], "").calls)


def calls_of(*inputs: list[float]) -> pd.DataFrame:
    """Return the calls of sessions with these inputs, which write nothing."""
    rows = [(f"s{i}", each) for i, some in enumerate(inputs) for each in some]
    return pd.DataFrame(rows, columns=["session", "input"]).assign(output=0.0)


def rise(start: float, end: float, count: int = 10) -> list[float]:
    """Return inputs that grow evenly."""
    return [float(each) for each in np.linspace(start, end, count)]


def test_the_limit_and_what_a_compaction_leaves_are_found() -> None:
    found = window_of(sessions(40_000.0, compaction=0.3))
    assert found.compacted is not None
    # What did not fit was one call's growth more than what the call before had read.
    low, high = found.compacted.at.interval(0.99)
    assert 0.93 * 40_000 < low < high < 40_000
    said = found.spec(SYSTEM)
    assert said["window_tokens"] == pytest.approx(40_000, rel=0.05)
    assert said["compaction"] == pytest.approx(0.3, rel=0.05)
    assert found.compacted.passed == 0


@pytest.mark.parametrize("wrote", [0.0, 4_000.0])
def test_a_prompt_that_was_too_long_had_what_was_read_and_written(wrote: float) -> None:
    cut = [*rise(10e3, 100e3), *rise(20e3, 60e3)]
    found = window_of(calls_of(*[cut] * 20).assign(output=wrote))
    assert found.compacted is not None
    assert found.compacted.at.value == pytest.approx(100e3 + wrote)


def test_the_share_of_agents_that_are_compacted_is_found() -> None:
    mixed = {"kind": "empirical", "values": [40_000, 1_000_000], "weights": [0.7, 0.3]}
    calls = sessions(mixed, count=150)
    largest = calls.groupby("session")["input"].max()
    share = float((largest <= 40_000).mean())
    assert share == pytest.approx(0.7, abs=0.1)
    found = window_of(calls).spec(SYSTEM)["window_tokens"]
    assert found["values"] == [pytest.approx(40_000, rel=0.05), 200_000]
    assert found["weights"][0] == pytest.approx(share, abs=0.01)
    assert sum(found["weights"]) == pytest.approx(1.0)


@pytest.mark.thorough
def test_an_interval_of_the_share_holds_it_as_often_as_it_says() -> None:
    """Of agents with equal calls, the share is binomial: 200 samples, 90 % within 6 points."""
    rng = np.random.default_rng(3)
    cut, uncut = [*rise(10e3, 100e3), *rise(20e3, 60e3)], rise(10e3, 200e3, 20)
    held = 0
    for _ in range(200):
        is_cut = rng.random(40) < 0.6
        found = window_of(calls_of(*[cut if each else uncut for each in is_cut]))
        assert found.compacted is not None
        low, high = found.compacted.share.interval(0.9)
        held += low <= 0.6 <= high
    assert held / 200 == pytest.approx(0.9, abs=0.06)


def test_an_agent_that_began_beyond_the_limit_says_nothing_about_who_is_compacted() -> None:
    cut = [*rise(10e3, 100e3), *rise(20e3, 60e3)]
    begun_beyond = rise(150e3, 190e3)
    found = window_of(calls_of(cut, cut, cut, begun_beyond))
    assert found.compacted is not None
    assert found.compacted.passed == 0
    assert window_of(calls_of(cut, cut, cut, rise(50e3, 190e3))).compacted.passed == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("what", "inputs"),
    [
        ("contexts that only grow", [rise(10e3, 150e3)] * 5),
        ("two compactions", [[*rise(10e3, 100e3), *rise(20e3, 60e3)]] * 2),
        ("a call beside the conversation", [[*rise(10e3, 90e3), 500.0, *rise(90e3, 99e3)]] * 5),
        (
            "other conversations, at any size",
            [[*rise(9e3, top), *rise(5e3, 6e3)] for top in (15e3, 30e3, 60e3, 110e3, 190e3)],
        ),
    ],
)
def test_what_is_no_compaction_sets_no_limit(what: str, inputs: list[list[float]]) -> None:
    found = window_of(calls_of(*inputs))
    assert found.compacted is None, what
    assert found.spec(SYSTEM) == {"window_tokens": 200_000.0}
    assert found.parameters() == {}


def test_the_usual_limit_is_a_million_where_inputs_were_larger() -> None:
    assert window_of(calls_of(rise(10e3, 200e3))).largest == 200_000
    assert window_of(calls_of(rise(10e3, 201e3))).largest == 1_000_000


def test_one_agent_does_not_show_how_limits_differ() -> None:
    found = window_of(calls_of([*rise(10e3, 100e3), *rise(20e3, 101e3), *rise(2e4, 99e3), 2e4]))
    assert found.compacted is not None
    assert np.isnan(found.compacted.at.error)
    assert found.compacted.at.value == pytest.approx(100e3, rel=0.01)


def test_how_sure_the_limit_and_the_share_are_goes_by_agents_not_by_falls() -> None:
    often = [each for _ in range(9) for each in rise(20e3, 100e3)]
    calls = calls_of([*often, 2e4], *([*rise(20e3, top), 2e4] for top in (98e3, 101e3, 103e3)))
    found = window_of(calls).compacted
    assert found is not None
    levels = np.log([100e3, 98e3, 101e3, 103e3])
    assert found.at.error == pytest.approx(levels.std(ddof=1) / 2.0, rel=1e-6)
    sizes = np.array([91, 11, 11, 11])
    agents = sizes.sum() ** 2 / (sizes**2).sum()  # 1.8 of 4: one has most of the calls
    assert (found.share.hits, found.share.misses) == pytest.approx((agents + 0.5, 0.5))


def test_the_limit_of_a_model_holds_what_it_has_read() -> None:
    limits = {200_000: 200_000, 200_001: 1_000_000, 1.5e6: 2_000_000, 3e6: 3e6, float("nan"): 2e5}
    assert {read: own_limit(read) for read in limits} == limits
    assert window_of(calls_of(rise(1.2e6, 1.9e6))).spec(0) == {"window_tokens": 2_000_000}
