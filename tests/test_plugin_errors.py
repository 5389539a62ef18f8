"""What the plugins of other packages do wrong is told as an error, in a run and by `check`."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from pydantic import ValidationError

from simulator import Simulation, plugins
from simulator.cli.checking import check
from simulator.errors import ScenarioError, TeamsimError
from simulator.model.protocols import self_claim
from simulator.scenario import Scenario, families


def team(**fields: Any) -> Scenario:
    """Return three agents with twelve tasks, some of which need others."""
    document: dict[str, Any] = {
        "name": "wrong",
        "team": {"size": 3, "agent": {"latency": {"kind": "seconds", "base": 1}}},
        "topology": "decentralised",
        "coordination": {"protocol": "self_claim", "timing": "asynchronous"},
        "workload": {"kind": "parallel_fraction", "tasks": 12, "parallel_fraction": 0.5},
        "limits": {"max_calls": 1000},
    }
    return Scenario.model_validate({**document, **fields})


class Claimed(self_claim.SelfClaim):
    """The board of tasks, with a fault."""

    kind: Literal["claimed"] = "claimed"  # type: ignore[assignment]
    fault: str = "twice"

    def dispatcher(self, setting: Any) -> Any:
        made = super().dispatcher(setting)
        if self.fault == "none":
            return None
        fault = self.fault

        class Faulty(type(made)):  # type: ignore[misc]
            __slots__ = ()

            def choose(self, agent: int, count: int) -> Any:
                picks = super().choose(agent, count)
                return {
                    "twice": picks * 2,
                    "unknown": [99],
                    "negative": [-1],
                    "a name": ["independent-1"],
                    "a half": [0.5],
                    "a number": 3,
                    "too many": [0, 1],
                    "numbers of numpy": picks and [np.int64(task) for task in picks],
                }.get(fault, picks)

            def task_ready(self, task: int) -> Any:
                whom = super().task_ready(task)
                return {
                    "calls nobody": None,
                    "calls a stranger": 7,
                    "numbers of numpy": np.int64(whom),
                }.get(fault, whom)

            def may_attempt(self, agent: int, task: int) -> Any:
                may = super().may_attempt(agent, task)
                return None if fault == "says nothing" else may

            def attempt_ended(self, agent: int, task: int, done: bool) -> None:
                super().attempt_ended(agent, task, done)
                if fault == "wakes a stranger":
                    self.wake(9)

        made.__class__ = Faulty
        return made


@pytest.mark.parametrize("timing", ["rounds", "asynchronous"])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("none", "dispatcher returned None (NoneType), no Dispatcher"),
        ("twice", "choose gave agent 0 a task twice: [0, 0]"),
        ("unknown", "choose gave agent 0 task 99, of 12 tasks"),
        ("negative", "choose gave agent 0 task -1, of 12 tasks"),
        ("a name", "choose gave agent 0 'independent-1' (str), no number of a task"),
        ("a half", "choose gave agent 0 0.5 (float), no number of a task"),
        ("a number", "choose gave agent 0 3 (int), no list of tasks"),
        ("too many", "choose gave agent 0 2 tasks, of which it asked for 1"),
        ("calls nobody", "task_ready gave None (NoneType), no number of an agent"),
        ("calls a stranger", "task_ready gave agent 7, of 3 workers"),
        ("says nothing", "may_attempt returned None, neither True nor False"),
        ("wakes a stranger", "wake gave agent 9, of 3 workers"),
    ],
)
def test_a_wrong_protocol_is_told(fault: str, message: str, timing: str) -> None:
    protocol = Claimed(fault=fault, choice="first")
    scenario = team(coordination={"protocol": protocol, "timing": timing})
    with pytest.raises(TeamsimError) as error:
        Simulation(scenario).run(0)
    assert str(error.value) == f"protocol 'claimed': {message}"


@pytest.mark.parametrize("fault", ["nothing", "numbers of numpy"])
def test_a_right_protocol_gives_what_it_gave(fault: str) -> None:
    """Also on both sides of a partition, where it is asked for a copy."""
    network = {"partitions": [{"at_s": 1.5, "duration_s": 2.2}]}
    space = {"kind": "last_writer_wins", "on_partition": "available"}
    found = [
        Simulation(
            team(
                coordination={"protocol": protocol, "timing": "asynchronous"},
                network=network,
                workspace=space,
            )
        ).run(0)
        for protocol in (Claimed(fault=fault), self_claim.SelfClaim())
    ]
    assert found[0] == found[1]
    assert found[0].tasks_done == 12


class Jobs(plugins.Workload):
    """Three tasks, with a fault."""

    kind: Literal["jobs"] = "jobs"
    is_random: ClassVar[bool] = False
    fault: str = "twice"

    def graph(self, streams: plugins.Streams) -> Any:
        names, sizes, needed = ["a", "b", "c"], [1.0, 2.0, 3.0], [(), (0,), (1,)]
        match self.fault:
            case "none":
                return None
            case "twice":
                names[2] = "a"
            case "needs twice":
                needed[2] = (1, 1)  # type: ignore[assignment]
            case "unknown":
                needed[1] = (7,)
            case "itself":
                needed[1] = (1,)
            case "a name":
                needed[1] = ("a",)  # type: ignore[assignment]
            case "a size":
                sizes[1] = "large"  # type: ignore[call-overload]
        return plugins.TaskGraph(names, sizes, needed, None, 3)


WRONG_TASKS = [
    ("none", "graph returned None (NoneType), no TaskGraph"),
    ("twice", "two tasks are called 'a'"),
    ("needs twice", "task 2 needs a task twice: [1, 1]"),
    ("unknown", "task 1 needs [7], of 3 tasks"),
    ("itself", "dependencies form a circle"),
    ("a name", "task 1 needs ['a'], of 3 tasks"),
    ("a size", "a size is large, not a positive number"),
]


@pytest.mark.parametrize("is_random", [True, False])
@pytest.mark.parametrize(("fault", "message"), WRONG_TASKS)
def test_wrong_tasks_are_told(
    fault: str, message: str, is_random: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Jobs, "is_random", is_random)
    with pytest.raises(TeamsimError) as error:
        Simulation(team(workload=Jobs(fault=fault))).run(0)
    assert str(error.value) == f"workload 'jobs': {message}"


class Links(plugins.Topology):
    """Nobody hears anybody, with a fault."""

    kind: Literal["links"] = "links"
    fault: str

    def channels(self, workers: int, rng: np.random.Generator) -> Any:
        return {
            "none": None,
            "pairs": [(0, 1)],
            "a stranger": [plugins.Channel((0,), (7,))],
        }[self.fault]


@pytest.mark.parametrize("is_random", [True, False])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("none", "channels returned None (NoneType), no list of channels"),
        ("pairs", "channels holds (0, 1) (tuple), no Channel"),
        ("a stranger", "a channel names agent 7"),
    ],
)
def test_wrong_channels_are_told(
    fault: str, message: str, is_random: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Links, "is_random", is_random)
    with pytest.raises(TeamsimError) as error:
        Simulation(team(topology=Links(fault=fault))).run(0)
    assert str(error.value) == f"topology 'links': {message}"


class Bosses(Links):
    """Its managers are wrong."""

    kind: Literal["bosses"] = "bosses"  # type: ignore[assignment]

    def managers(self, workers: int) -> Any:
        return {"none": None, "a worker": [0] * workers}[self.fault]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("none", "managers returned None (NoneType), no list of agents"),
        ("a worker", "agent 0 reports to 0, no coordinator"),
    ],
)
def test_wrong_managers_are_told(fault: str, message: str) -> None:
    with pytest.raises(TeamsimError) as error:
        Simulation(team(topology=Bosses(fault=fault))).run(0)
    assert str(error.value) == f"topology 'bosses': {message}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nowhere:Jobs", "workload 'jobs': nowhere:Jobs cannot be imported"),
        ("math:Jobs", "workload 'jobs': math:Jobs cannot be imported"),
        ("math:pi", "jobs of another package is no workload: it is 3.14"),
        ("math:sqrt", "jobs of another package is no workload: it is <built-in function sqrt>"),
    ],
)
def test_an_entry_point_that_is_no_plugin_is_told(
    value: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = EntryPoint(name="jobs", value=value, group="teamsim.workloads")
    monkeypatch.setattr(families.WORKLOADS, "_entry_points", {"jobs": entry})
    with pytest.raises((TeamsimError, ValidationError)) as error:
        team(workload="jobs")
    assert message in str(error.value)


class Shelf(plugins.Workspace):
    """It has no state."""

    kind: Literal["shelf"] = "shelf"

    def state(self, desk: plugins.Desk) -> Any:
        return None


def test_a_workspace_without_a_state_is_told() -> None:
    with pytest.raises(TeamsimError, match=r"^workspace 'shelf': state returned None"):
        Simulation(team(workspace=Shelf())).run(0)


@pytest.mark.parametrize(("fault", "message"), [*WRONG_TASKS, ("right", "")])
def test_check_makes_the_tasks_of_a_plugin(
    fault: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = families.WORKLOADS
    monkeypatch.setattr(registry, "get", lambda name: Jobs if name == "jobs" else None)
    path = tmp_path / "jobs.yaml"
    path.write_text(
        "name: jobs\n"
        "team: {size: 2, agent: {latency: {kind: seconds, base: 1}}}\n"
        "topology: decentralised\n"
        "coordination: {protocol: self_claim}\n"
        f"workload: {{kind: jobs, fault: {fault}}}\n"
    )
    if fault == "right":
        assert check([path]) == 0
        return
    with pytest.raises(ScenarioError) as error:
        check([path])
    assert str(error.value) == f"{path}:1: workload 'jobs': {message}"
