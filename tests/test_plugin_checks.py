"""The checks for authors of plugins: those that ship pass, and bad ones do not."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np
import pytest

from simulator import testing
from simulator.distributions import DISTRIBUTIONS, Distribution, Floats
from simulator.model.latency._latency import DrawFrom, LatencyModel, Sampler
from simulator.model.protocols import self_claim
from simulator.scenario import families

SAID: dict[str, dict[str, Any]] = {
    "parallel_fraction": {"tasks": 12, "parallel_fraction": 0.5},
    "seconds": {"base": 2},
}

FAMILIES = [
    (families.TOPOLOGIES, testing.check_topology),
    (families.PROTOCOLS, testing.check_protocol),
    (families.WORKSPACES, testing.check_workspace),
]


@pytest.mark.parametrize(
    ("registry", "check", "name"),
    [(registry, check, name) for registry, check in FAMILIES for name in registry.names()],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_ships_passes(registry: Any, check: Any, name: str) -> None:
    check(registry.get(name).model_validate({"kind": name, **SAID.get(name, {})}))


def test_workloads_latencies_and_distributions_pass() -> None:
    workload = families.WORKLOADS.get("parallel_fraction")
    testing.check_workload(workload.model_validate(SAID["parallel_fraction"]))
    latency = families.LATENCY_MODELS.get("seconds")
    testing.check_latency(latency.model_validate(SAID["seconds"]))
    for name, said in (("lognormal", {"median": 2, "sigma": 1}), ("uniform", {"low": 1, "high": 2}),
                       ("deterministic", {"value": 3})):  # fmt: skip
        testing.check_distribution(DISTRIBUTIONS.get(name).model_validate(said))


class Falling(Distribution):
    """Its quantiles fall."""

    kind: Literal["falling"] = "falling"

    def quantile(self, u: Floats) -> Floats:
        return 1.0 - u

    def cdf(self, x: Floats) -> Floats:
        return np.clip(x, 0.0, 1.0)


COUNT = itertools.count(1)


class Restless(LatencyModel):
    """Does not depend on the seed alone."""

    kind: Literal["restless"] = "restless"

    def sampler(self, draw_from: DrawFrom) -> Sampler:
        return lambda work, uncached, cached, output: float(next(COUNT))


class Idler(self_claim.SelfClaim):
    """Loses the last task."""

    kind: Literal["idler"] = "idler"  # type: ignore[assignment]

    def dispatcher(self, setting: Any) -> Any:
        made = super().dispatcher(setting)

        class Lazy(type(made)):  # type: ignore[misc]
            __slots__ = ()

            def choose(self, agent: int, count: int) -> list[int] | None:
                return [task for task in super().choose(agent, count) or [] if task != 11]

        made.__class__ = Lazy
        return made


def test_bad_plugins_are_told_what_is_wrong() -> None:
    with pytest.raises(AssertionError, match="falling: quantiles fall"):
        testing.check_distribution(Falling())
    with pytest.raises(AssertionError, match="restless: 1 agents, rounds: the same seed"):
        testing.check_latency(Restless())
    with pytest.raises(AssertionError, match="idler: 1 agents, rounds: "):
        testing.check_protocol(Idler())
