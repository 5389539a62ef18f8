"""The checks for authors of plugins: those that ship pass, and bad ones do not."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from simulator import Simulation, plugins, testing
from simulator.distributions import DISTRIBUTIONS, Distribution, Floats
from simulator.errors import TeamsimError
from simulator.model.latency._latency import DrawFrom, LatencyModel, Sampler
from simulator.model.protocols import self_claim
from simulator.scenario import Scenario, families

SAID: dict[str, list[dict[str, Any]]] = {
    "parallel_fraction": [{"tasks": 12, "parallel_fraction": 0.5}],
    "dag": [
        {"tasks": [{"id": "a"}, {"id": "b", "dependencies": ["a"]}, {"id": "c", "arrival_s": 3}]}
    ],
    "layered": [{"layers": 3, "width": 4}],
    "map_reduce": [{"maps": 6}],
    "resampled": [{"runs": [{"sizes": [1, 3, 2.5]}, {"sizes": [4], "start_tokens": 900}]}],
    "arrivals": [{"tasks": 12, "interarrival_s": {"kind": "exponential", "mean": 2}}],
    "seconds": [{"base": 2}, {"base": {"kind": "lognormal", "median": 2, "sigma": 0.5}}],
    "tokens": [{"base_s": 1, "uncached_s_per_1k": 0.1, "output_s_per_1k": 20}],
    "burr12": [{"c": 3, "d": 1.5, "scale": 2}],
    "deterministic": [{"value": 3}],
    "empirical": [{"values": [1, 2, 2, 5]}],
    "exponential": [{"mean": 2}, {"mean": 2, "shift": 1, "at_most": 4}],
    "gamma": [{"shape": 2, "scale": 1.5}],
    "inverse_gamma": [{"shape": 3, "scale": 2}],
    "log_logistic": [{"shape": 3, "median": 2}],
    "lognormal": [{"median": 2, "sigma": 1}, {"median": 2, "sigma": 1, "at_least": 1}],
    "mixture": [
        {"components": [{"weight": 0.3, "distribution": {"kind": "uniform", "low": 0, "high": 1}}]}
    ],
    "normal": [{"mean": 2, "sd": 1}],
    "pareto": [{"shape": 3, "minimum": 1}],
    "scipy": [{"name": "gamma", "shapes": {"a": 2.0}}],
    "uniform": [{"low": 1, "high": 2}],
    "weibull": [{"shape": 1.5, "scale": 2}],
}
"""Parameters of what ships, where not all have defaults."""

FAMILIES = [
    (families.TOPOLOGIES, testing.check_topology),
    (families.PROTOCOLS, testing.check_protocol),
    (families.WORKSPACES, testing.check_workspace),
    (families.WORKLOADS, testing.check_workload),
    (families.LATENCY_MODELS, testing.check_latency),
    (DISTRIBUTIONS, testing.check_distribution),
]


@pytest.mark.parametrize(
    ("registry", "check", "name"),
    [(registry, check, name) for registry, check in FAMILIES for name in registry.names()],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_ships_passes(registry: Any, check: Any, name: str) -> None:
    for said in SAID.get(name, [{}]):
        check(registry.get(name).model_validate({"kind": name, **said}))


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


class Odd(LatencyModel):
    """Says times that are none."""

    kind: Literal["odd"] = "odd"
    says: float

    def sampler(self, draw_from: DrawFrom) -> Sampler:
        return lambda work, uncached, cached, output: self.says


@pytest.mark.parametrize("says", [-1.0, -1e-9, float("nan"), float("inf")])
@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
@pytest.mark.parametrize("where", ["first", "again", "elsewhere"])
def test_a_latency_that_is_no_time_is_an_error_and_no_negative_makespan(
    says: float, timing: str, where: str
) -> None:
    bad = Odd.model_construct(says=says)
    fields: dict[str, Any] = {
        "name": "odd",
        "team": {"size": 2, "agent": {"latency": {"kind": "seconds", "base": 1}}},
        "topology": "decentralised",
        "coordination": {"protocol": "self_claim", "timing": timing},
        "workload": {"kind": "parallel_fraction", "tasks": 4, "parallel_fraction": 1},
        "limits": {"max_calls": 50},
    }
    if where != "first":
        fields["team"]["agent"]["faults"] = {"malformed": 1.0}
        fields["resilience"] = {"retry": {"max_retries": 1}}
    if where == "elsewhere":
        fields["resilience"] = {"fallback": {"model": {"latency": {"kind": "seconds", "base": 1}}}}
    scenario = Scenario.model_validate(fields)
    agent = scenario.team.agent
    if where == "elsewhere":
        fallback = scenario.resilience.fallback
        assert fallback is not None
        assert fallback.model is not None
        object.__setattr__(fallback.model, "latency", bad)
    elif where == "again":
        object.__setattr__(agent, "latency", Again.model_construct(says=says))
    else:
        object.__setattr__(agent, "latency", bad)
    with pytest.raises(TeamsimError, match=f"'odd' says that a call takes {says} s"):
        Simulation(scenario).run(0)


@pytest.mark.parametrize("says", [None, "long", 1j, 1e300, np.array([1.0, 2.0])])
def test_a_latency_that_is_no_number_is_named(says: Any) -> None:
    odd = Odd.model_construct(says=says).durations(lambda *_: lambda: 0.0)
    with pytest.raises(TeamsimError, match="'odd' says that a call takes"):
        odd.seconds(1.0, 0, 0, 0)


def test_a_latency_in_single_precision_is_added_up_in_double() -> None:
    odd = Odd.model_construct(says=np.float32(2.5)).durations(lambda *_: lambda: 0.0)
    assert type(odd.seconds(1.0, 0, 0, 0)) is float


class Again(LatencyModel):
    """Says a time at first, and one that is none where a request is sent again."""

    kind: Literal["odd"] = "odd"
    says: float

    def sampler(self, draw_from: DrawFrom) -> Sampler:
        said = itertools.count()
        return lambda work, uncached, cached, output: 1.0 if next(said) % 2 == 0 else self.says


class Links(plugins.Topology):
    """A ring, with a fault."""

    kind: Literal["links"] = "links"
    fault: str

    def managers(self, workers: int) -> list[int]:
        alone = [plugins.NO_MANAGER] * workers
        return {
            "boss_is_worker": [0] * workers,
            "bosses_in_a_circle": [workers] * workers + [workers + 1, workers],
            "boss_is_not_there": [workers + 5] * workers + [plugins.NO_MANAGER],
            "too_few_managers": alone[1:],
        }.get(self.fault, alone)

    def channels(self, workers: int, rng: np.random.Generator) -> list[plugins.Channel]:
        last = workers if self.fault == "hears_who_is_not_there" else 0
        ring = [plugins.Channel((i,), ((i + 1) % workers,)) for i in range(workers)]
        if self.fault == "draws":
            rng.random()
        if self.fault == "forgets_the_seed":
            ring = ring[: next(COUNT) % workers]
        return [*ring, plugins.Channel((0,), (last,))]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("hears_who_is_not_there", "links: 1 agents: a channel names agent 1"),
        ("draws", "links: 1 agents: it draws, and is_random is False"),
        ("forgets_the_seed", "links: 2 agents, rounds: the same seed gives another run"),
        ("boss_is_worker", "links: 1 agents: agent 0 reports to 0, no coordinator"),
        ("boss_is_not_there", "links: 1 agents: agent 0 reports to 6, no coordinator"),
        ("bosses_in_a_circle", "links: 1 agents: agent 0 reports to itself"),
        ("too_few_managers", "links: 1 agents: managers has 0 entries"),
    ],
)
def test_a_bad_topology_is_told_what_is_wrong(fault: str, message: str) -> None:
    testing.check_topology(Links(fault="none"))
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        testing.check_topology(Links(fault=fault))


class Jobs(plugins.Workload):
    """Three tasks, one after the other, with a fault."""

    kind: Literal["jobs"] = "jobs"
    fault: str

    def graph(self, streams: plugins.Streams) -> plugins.TaskGraph:
        one = streams.uniforms(plugins.Entity.RUN, 0, plugins.Purpose.SIZE)()
        drawn = {"forgets_the_seed": next(COUNT), "differs": one}
        sizes = [1.0, 2.0, 1.0 + drawn.get(self.fault, 0)]
        needed: list[tuple[int, ...]] = [(), (0,), (1,)]
        artifacts: list[tuple[int, ...]] = [(0,), (1,), (2,)]
        arrivals: list[float] = []
        match self.fault:
            case "circle":
                needed[0] = (2,)
            case "needs_what_is_not_there":
                needed[1] = (7,)
            case "writes_what_is_not_there":
                artifacts[1] = (3,)
            case "too_few_sizes":
                sizes.pop()
            case "negative":
                sizes[1] = -1.0
            case "nan":
                sizes[1] = float("nan")
            case "early":
                arrivals = [0.0, -1.0, 0.0]
            case "nothing":
                return plugins.TaskGraph([], [], [], None, 0)
        return plugins.TaskGraph(["a", "b", "c"], sizes, needed, artifacts, 3, arrivals)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("forgets_the_seed", "jobs: the same seed gives other tasks"),
        ("differs", "jobs: its tasks differ, and is_random is False"),
        ("circle", "jobs: dependencies form a circle"),
        ("needs_what_is_not_there", "jobs: task 1 needs [7], of 3 tasks"),
        ("writes_what_is_not_there", "jobs: task 1 writes [3], of 3 artifacts"),
        ("too_few_sizes", "jobs: 2 sizes, and 3 names"),
        ("negative", "jobs: a size is -1.0, not a positive number"),
        ("nan", "jobs: a size is nan, not a positive number"),
        ("early", "jobs: a task arrives before the start"),
        ("nothing", "jobs: there are no tasks"),
    ],
)
def test_a_bad_workload_is_told_what_is_wrong(fault: str, message: str) -> None:
    testing.check_workload(Jobs(fault="none"))
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        testing.check_workload(Jobs(fault=fault))


class Shelf(plugins.Workspace):
    """Writing takes a second, with a fault."""

    kind: Literal["shelf"] = "shelf"
    has_phases: ClassVar[bool] = True
    fault: str

    def state(self, desk: plugins.Desk) -> plugins.WorkspaceState:
        return ShelfState(self, desk)


class ShelfState(plugins.WorkspaceState):
    __slots__ = ()

    def access(self, agent: Any) -> Iterator[Any]:
        assert isinstance(self.spec, Shelf)
        fault = self.spec.fault
        if fault != "never_serves":
            yield from self.serve(agent, agent.time.duration_s)
        if fault == "never_ends":
            while True:
                yield from self.commit(agent, 1.0)
        if fault == "stands_still":
            while True:
                yield 0.0
        if fault != "never_serves":
            yield from self.commit(agent, next(COUNT) if fault == "forgets_the_seed" else 1.0)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("forgets_the_seed", "shelf: 1 agents, rounds: the same seed gives another run"),
        ("never_serves", "shelf: 1 agents, rounds: calls take no time"),
        ("never_ends", "shelf: 1 agents, rounds: deadline"),
        ("stands_still", "shelf: 1 agents, rounds: time stands still"),
    ],
)
def test_a_bad_workspace_is_told_what_is_wrong(fault: str, message: str) -> None:
    testing.check_workspace(Shelf(fault="none"))
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}"):
        testing.check_workspace(Shelf(fault=fault))
