"""Shared by all tests: short ways to write a scenario, and the real data if present."""

from __future__ import annotations

import copy
import dataclasses
import gc
import signal
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
import typer.testing

from analysis.breakdown.trace_metrics import metrics_from_trace
from simulator.engine import Simulation
from simulator.model.metrics import NOT_TRACED, Metrics
from simulator.model.trace import Event, Trace
from simulator.scenario import Scenario
from simulator.scenario.roles import drop_lacking

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "llm-teams"

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell runs `make test &`


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect thousands of tests, all of which stay, without looking for garbage among them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()  # nor is there any later
        gc.enable()


def _leave_to_the_thorough(items: list[pytest.Item]) -> None:
    """Of the slow cases of one test let CI have the first, unless each shows something else."""
    seen = set()
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("thorough"):
            test = item.nodeid.partition("[")[0]
            if test in seen and not item.get_closest_marker("each"):
                item.add_marker(pytest.mark.thorough)
            seen.add(test)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each of two workers begin with long tests, and end with quick ones.

    A worker gets half of the list, and one that is done takes from the end of what the other has
    left: so neither waits long for the other's last test. Of the long ones, those of files that
    have few come first, as they are the longest. Whole files stay together, as what they share is
    made once.
    """
    _leave_to_the_thorough(items)
    slow: list[pytest.Item] = []
    quick: list[pytest.Item] = []
    for item in items:
        is_long = item.get_closest_marker("slow") or item.get_closest_marker("thorough")
        (slow if is_long else quick).append(item)
    counts = Counter(item.path for item in slow)
    order = {path: i for i, path in enumerate(sorted(counts, key=lambda path: counts[path]))}
    slow.sort(key=lambda item: order[item.path])
    first, second = ([item for item in slow if order[item.path] % 2 == i] for i in (0, 1))
    until = max(len(items) // 2 - len(first), 0)
    items[:] = [*first, *quick[:until], *second, *quick[until:]]


DEFAULTS: dict[str, Any] = {
    "name": "test",
    "team": {
        "size": 1,
        "agent": {
            "latency": {"kind": "seconds", "base": 1},
            "behaviour": {"talk": 0},
            "context": {"board_tokens_per_task": 0},  # any board fits the window
        },
    },
    "topology": {"kind": "independent", "aggregate": False},
    "coordination": {"protocol": {"kind": "self_claim", "claims": "immediate", "choice": "first"}},
    "workload": {"kind": "parallel_fraction", "tasks": 20, "parallel_fraction": 1},
}


def scenario(**fields: Any) -> Scenario:
    """Return the plain test scenario with dotted fields set; ``__`` stands for the dot."""
    data = copy.deepcopy(DEFAULTS)
    for path, value in fields.items():
        *parents, last = path.split("__")
        node = data
        for key in parents:
            node = node.setdefault(key, {})
        node[last] = value
    drop_lacking(data)  # what `agent` says of a worker, others may lack
    return Scenario.model_validate(data)


def run(replication: int = 0, **fields: Any) -> Metrics:
    """Run one replication of `scenario(**fields)`."""
    return Simulation(scenario(**fields)).run(replication)


def runs(count: int, **fields: Any) -> list[Metrics]:
    """Run replications 0 to `count` - 1 of `scenario(**fields)`."""
    simulation = Simulation(scenario(**fields))
    return [simulation.run(replication) for replication in range(count)]


def run_as_traced(
    scenario: Scenario, not_told: Collection[str] = (), trace: Trace | None = None
) -> Metrics:
    """Run replication 0 with and without a trace; both must agree, and so must the trace."""
    trace = Trace() if trace is None else trace
    traced = Simulation(scenario).run(0, trace)
    plain = Simulation(scenario).run(0)
    assert plain == traced  # a seed reproduces, and tracing changes nothing, to the last bit
    check_course(trace)
    told = metrics_from_trace(trace.rows, plain.agents, plain.tasks, scenario.team.worker_count)
    for field in dataclasses.fields(told):
        if field.name in NOT_TRACED or field.name in not_told:
            continue
        found, expected = getattr(told, field.name), getattr(plain, field.name)
        if isinstance(expected, float):
            expected = pytest.approx(expected, rel=1e-9, abs=1e-7)
        assert found == expected, field.name
    return plain


def check_course(trace: Trace) -> None:
    """Time never runs back; all calls and sub-agents that begin end once, after they began."""
    times = [row.time_s for row in trace.rows]
    assert times == sorted(times)
    begun: dict[int | None, float] = {}
    for row in trace.rows:
        if row.event in (Event.CALL_START, Event.SUBAGENT_START):
            assert row.call not in begun
            begun[row.call] = row.time_s
        elif row.event in (Event.CALL_END, Event.SUBAGENT_END):
            seconds = row.time_s - begun.pop(row.call)
            assert row.duration_s is not None
            assert -1e-9 <= row.duration_s <= seconds + 1e-6
    assert not begun


def agent(**fields: Any) -> dict[str, Any]:
    """Return an agent whose calls take 1 s, say nothing and are not tested, with other fields.

    It reads no board, so that a board of any size fits its window.
    """
    return {
        "latency": {"kind": "seconds", "base": 1},
        "behaviour": {"talk": 0},
        "errors": {"detection": 0},
        "context": {"board_tokens_per_task": 0},
        **fields,
    }


def exponential(mean: float = 1.0) -> dict[str, Any]:
    """Return a latency that is exponential."""
    return {"kind": "seconds", "base": {"kind": "exponential", "mean": mean}}


def first_in_ci(count: int, values: Iterable[Any]) -> list[Any]:
    """Return values of a parameter, all but so many of them marked as thorough."""
    found = list(values)
    rest = [pytest.param(each, marks=pytest.mark.thorough) for each in found[count:]]
    return [*found[:count], *rest]


def z_score(values: Iterable[float], expected: float) -> float:
    """Return how many standard errors the mean of `values` is away from `expected`."""
    sample = np.asarray(list(values), dtype=float)
    error = sample.std(ddof=1) / np.sqrt(len(sample))
    return float((sample.mean() - expected) / error)


@pytest.fixture(scope="session", autouse=True)
def commands_are_made_once() -> Iterator[None]:
    """Let Typer make the commands from their functions once, as a process of its own would.

    It takes a twentieth of a second, and hundreds of tests run commands here.
    """
    made = cache(typer.main.get_command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", made)
        patch.setattr(typer.testing, "_get_command", made)
        yield


@pytest.fixture(autouse=True)
def interrupts_as_before() -> Iterator[None]:
    """Let no test change what Ctrl-C does: later ones start processes, which inherit that."""
    yield
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    assert found == signal.default_int_handler


@pytest.fixture
def hardly_tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tune twins by a few runs, in a test of what they have and not of how long they take."""
    monkeypatch.setattr("analysis.observation.tuning.RUNS", 4)


@pytest.fixture
def few_turning_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for what changes an advice at two values, in a test of what is done with the advice."""
    monkeypatch.setattr("analysis.decisions.advice.turning_points._FACTORS", (0.5, 2.0))


@pytest.fixture
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip(f"needs the real runs of arXiv 2603.12229 in {REAL_DATA}")
    return REAL_DATA
