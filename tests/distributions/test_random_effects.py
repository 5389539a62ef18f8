"""A given spread has its effect, whatever the family, or is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

import simulator
from simulator.distributions import DISTRIBUTIONS, Distribution, DistributionSpec
from simulator.model.streams import Entity, Purpose, Streams
from tests.conftest import agent, runs

STEADY: dict[str, dict[str, Any]] = {
    "burr12": {"c": 1e4, "d": 1, "scale": 5},
    "deterministic": {"value": 5},
    "empirical": {"values": [5]},
    "exponential": {"mean": 1e-4, "shift": 5},
    "gamma": {"shape": 1e8, "scale": 5e-8},
    "inverse_gamma": {"shape": 1e8, "scale": 5e8},
    "log_logistic": {"shape": 1e4, "median": 5},
    "lognormal": {"median": 5, "sigma": 1e-4},
    "mixture": {"components": [{"weight": 1, "distribution": 5}]},
    "normal": {"mean": 5, "sd": 1e-4},
    "pareto": {"shape": 1e4, "minimum": 5},
    "scipy": {"name": "norm", "loc": 5, "scale": 1e-4},
    "uniform": {"low": 4.999, "high": 5.001},
    "weibull": {"shape": 1e4, "scale": 5},
}
"""Each family as good as constant, so that what varies is the effect."""


def made(kind: str, **fields: Any) -> Distribution:
    said = {"kind": kind, **STEADY[kind], **fields}
    found: Distribution = TypeAdapter(DistributionSpec).validate_python(said)
    return found


def test_every_family_is_here() -> None:
    # One that is added later has a test of its own.
    assert set(STEADY) <= set(DISTRIBUTIONS.names())


@pytest.mark.parametrize("kind", STEADY)
@pytest.mark.parametrize("effect", ["run_sigma", "agent_sigma", "phase_sigma"])
def test_an_effect_has_the_spread_that_is_said(kind: str, effect: str) -> None:
    law = made(kind, **{effect: 0.5})
    logs = [
        np.log(Streams(3, r).draws(law, Entity.AGENT, 0, Purpose.LATENCY)()) for r in range(500)
    ]
    # Standard error of a standard deviation over 500 normal draws: 0.5 / sqrt(1000) = 0.016.
    assert np.std(logs) == pytest.approx(0.5, abs=4 * 0.016)
    assert np.mean(logs) == pytest.approx(np.log(5), abs=4 * 0.5 / np.sqrt(500))


def test_only_the_streams_draw_so_that_no_field_leaves_an_effect_out() -> None:
    root = Path(simulator.__file__).parent
    draws = re.compile(r"\.(transform|quantile)\(")
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if draws.search(path.read_text(encoding="utf-8"))
        and path.parent.name not in ("distributions", "cli")
    }
    # What may happen how rarely, and how long it lasts as a rule, is read off, not drawn; so are
    # the quantiles that are checked for authors of distributions.
    assert found == {
        "model/draw_blocks.py",
        "model/draws_ahead.py",
        "scenario/rare_events.py",
        "scenario/tools.py",
        "experiment/stuck_calls.py",
        "testing.py",
    }


@pytest.mark.parametrize("effect", ["run_sigma", "agent_sigma", "phase_sigma"])
def test_an_effect_of_a_component_is_that_of_what_is_drawn_from_it(effect: str) -> None:
    # Half of the draws vary by 0.3 more than the mixture's 0.4, which all have: one effect.
    varies = {"kind": "lognormal", "median": 5, "sigma": 0, effect: 0.3}
    inner = {"kind": "mixture", "components": [{"weight": 1, "distribution": varies}]}
    less = {**varies, effect: 0.2}
    both = {"kind": "mixture", "components": [{"weight": 1, "distribution": less}], effect: 0.1}
    for part in (varies, inner, both):
        law = made(
            "mixture",
            components=[{"weight": 1, "distribution": part}, {"weight": 1, "distribution": 7}],
            **{effect: 0.4},
        )
        u = [Streams(3, r).block(Entity.AGENT, 0, Purpose.LATENCY, 0, 1)[0] for r in range(1000)]
        logs = np.log(
            [Streams(3, r).draws(law, Entity.AGENT, 0, Purpose.LATENCY)() for r in range(1000)]
        )
        first = np.asarray(u) < 0.5
        # Standard errors for about 500 normal draws: 0.7 / sqrt(1000) and 0.4 / sqrt(1000).
        assert np.std(logs[first]) == pytest.approx(0.7, abs=4 * 0.022)
        assert np.std(logs[~first]) == pytest.approx(0.4, abs=4 * 0.013)


def test_an_effect_of_all_components_is_one_of_the_mixture() -> None:
    parts = [{"kind": "lognormal", "median": m, "sigma": 0.2} for m in (5, 9)]
    effects = {"run_sigma": 0.3, "agent_sigma": 0.2, "phase_sigma": 0.1}

    def draws(own: dict[str, float], of_parts: dict[str, float]) -> list[float]:
        components = [{"weight": 1, "distribution": {**part, **of_parts}} for part in parts]
        law = made("mixture", components=components, phase_length=4, **own)
        draw = Streams(3, 0).draws(law, Entity.AGENT, 2, Purpose.LATENCY)
        return [draw() for _ in range(200)]

    assert draws(effects, {}) == pytest.approx(draws({}, effects))


@pytest.mark.slow
def test_a_model_that_stands_in_varies_as_it_says_or_as_the_agent_does() -> None:
    # Every call is the other model's, whose errors are 0.5 in the median: each run's share of
    # faulty tasks is expit(sigma Z), with P(above 0.7) = P(Z > logit(0.7) / sigma).
    def wide(own: dict[str, float], other: dict[str, float]) -> float:
        found = runs(
            150,
            team__agent=agent(errors={"probability": own, "detection": 0}, batch=20),
            workload__tasks=200,
            provider={"errors": {"probability": 1}, "retry": {"max_retries": 0}},
            resilience={
                "fallback": {"model": agent(errors={"probability": other, "detection": 0})}
            },
        )
        return float(np.mean([m.quality < 0.3 for m in found]))

    none, one = {"probability": 0.5}, {"probability": 0.5, "run_sigma": 1.0}
    # 1 - Phi(0.847) = 0.198, standard error 0.033; attempts alone do not reach 0.7 (5.7 errors).
    assert wide(none, none) == 0.0
    assert wide(one, none) == pytest.approx(0.198, abs=4 * 0.033)
    assert wide(none, one) == pytest.approx(0.198, abs=4 * 0.033)
    assert wide({"probability": 0.5, "run_sigma": 0.01}, one) == pytest.approx(0.198, abs=4 * 0.033)
