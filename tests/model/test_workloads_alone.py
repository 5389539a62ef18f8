"""Each workload by itself: its graph agrees with its definition."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from simulator.model.streams import Streams
from simulator.model.tasks import Task, TaskGraph
from simulator.scenario.families import WORKLOADS

COUNTS = st.integers(1, 40)


def graph(kind: str, **fields: Any) -> TaskGraph:
    """Return the graph of a workload, looked at for what holds of all."""
    spec = WORKLOADS.get(kind).model_validate({"kind": kind, **fields})
    made = spec.graph(Streams(0, 0))
    assert len(made.names) == len(set(made.names)) == len(made) == len(made.dependencies)
    assert all(task < len(made) for needed in made.dependencies for task in needed)
    assert sorted(made.order) == list(range(len(made)))  # there is no cycle
    return made


@given(st.lists(st.sets(st.integers(0, 11)), max_size=12))
def test_a_task_and_all_that_come_after_it_wait_for_it(needed: list[set[int]]) -> None:
    names = [f"t{i}" for i in range(len(needed))]
    listed = [
        Task(id=name, dependencies=tuple(f"t{j}" for j in of if j < i))
        for i, (name, of) in enumerate(zip(names, needed, strict=True))
    ]
    made = TaskGraph.of(listed[::-1])  # what is needed comes later in the list
    edges = [(d, task) for task, all_ in enumerate(made.dependencies) for d in all_]
    net = networkx.DiGraph(edges)
    net.add_nodes_from(range(len(made)))
    assert made.waiting == [1 + len(networkx.descendants(net, t)) for t in range(len(made))]


def test_a_plugin_may_give_dependencies_as_arrays() -> None:
    needed: Any = [np.array([], int), np.array([0])]
    graph = TaskGraph(["a", "b"], [1.0, 1.0], needed, artifacts=None, artifact_count=2)
    assert graph.has_dependencies
    assert list(graph.conditions) == [0, 1]
    assert (graph.startable, graph.dependents, list(graph.order)) == ([0], [[1], ()], [0, 1])
    alone = TaskGraph(["a", "b"], [1.0, 1.0], needed[:1] * 2, artifacts=None, artifact_count=2)
    assert (alone.startable, alone.dependents, list(alone.order)) == ([0, 1], [(), ()], [0, 1])


@pytest.mark.parametrize("unknown", [("x",), ("x", "y")])
def test_a_dependency_that_is_no_task_is_an_error_that_names_the_first(
    unknown: tuple[str, ...],
) -> None:
    tasks = [Task(id="a"), Task(id="b", dependencies=("a", *unknown))]
    with pytest.raises(ValueError, match="task 'b' depends on 'x', which is no task"):
        TaskGraph.of(tasks)


@pytest.mark.parametrize("length", [1, 2, 3, 8])
def test_a_cycle_is_an_error_that_names_it_in_the_order_in_which_its_tasks_need_each_other(
    length: int,
) -> None:
    ring = [Task(id=f"t{i}", dependencies=(f"t{(i - 1) % length}",)) for i in range(length)]
    with pytest.raises(ValueError, match="the dependencies form a cycle: ") as error:
        TaskGraph.of([Task(id="a"), *ring, Task(id="z", dependencies=("t0",))])
    numbers = [int(name[1:]) for name in str(error.value).rpartition(": ")[2].split(" -> ")]
    assert numbers == [(numbers[0] + i) % length for i in range(length + 1)]


@settings(deadline=None)
@given(maps=COUNTS, reduces=COUNTS, size=st.sampled_from([0.5, 1.0, 3.0]))
def test_every_reduce_waits_for_every_map_and_no_map_for_anything(
    maps: int, reduces: int, size: float
) -> None:
    made = graph("map_reduce", maps=maps, reduces=reduces, map_size=size, reduce_size=2)
    assert [sorted(needed) for needed in made.dependencies] == [
        *([[]] * maps),
        *([list(range(maps))] * reduces),
    ]
    assert made.total_work == pytest.approx(maps * size + reduces * 2)
    assert made.critical_path == pytest.approx(size + 2)


@settings(deadline=None)
@given(
    tasks=COUNTS,
    fraction=st.floats(0, 1),
    arrangement=st.sampled_from(["beside", "after"]),
    size=st.sampled_from([0.5, 1.0, 3.0]),
)
def test_what_is_not_parallel_is_a_chain_that_the_rest_waits_for_or_not(
    tasks: int, fraction: float, arrangement: str, size: float
) -> None:
    made = graph(
        "parallel_fraction",
        tasks=tasks,
        parallel_fraction=fraction,
        arrangement=arrangement,
        size=size,
    )
    independent = round(fraction * tasks)
    chain = tasks - independent
    assert made.total_work == pytest.approx(tasks * size)
    # The longest path is the chain, and one task more that waits for all of it, if any does.
    after = arrangement == "after" and independent > 0
    longest = chain + 1 if after else max(chain, 1)
    assert made.critical_path == pytest.approx(longest * size)
    ends = [task for task in range(tasks) if not made.dependents[task]]
    waits = [task for task in range(tasks) if made.dependencies[task]]
    expected = independent if after else independent + (chain > 0)
    assert len(ends) == expected
    assert len(waits) == max(chain - 1, 0) + (independent if after and chain else 0)


@settings(deadline=None)
@given(items=COUNTS, stages=st.integers(1, 9))
def test_a_stage_of_an_item_waits_for_the_one_before_and_for_no_other_item(
    items: int, stages: int
) -> None:
    made = graph("pipeline", items=items, stages=stages, sizes=[2.0])
    assert len(made) == items * stages
    assert made.critical_path == pytest.approx(2.0 + stages - 1)
    assert made.total_work == pytest.approx(items * (2.0 + stages - 1))
    assert sum(not needed for needed in made.dependencies) == items
    assert all(len(needed) <= 1 for needed in made.dependencies)
    assert all(len(dependents) <= 1 for dependents in made.dependents)


@settings(deadline=None)
@given(layers=st.integers(1, 9), width=st.integers(1, 9), coupling=st.sampled_from([0.0, 0.4, 1.0]))
def test_a_task_of_a_layer_needs_tasks_of_the_layer_before_only(
    layers: int, width: int, coupling: float
) -> None:
    made = graph("layered", layers=layers, width=width, coupling=coupling)
    assert len(made) == layers * width
    for task, needed in enumerate(made.dependencies):
        assert {other // width for other in needed} <= {task // width - 1}
    edges = sum(len(needed) for needed in made.dependencies)
    if coupling in (0.0, 1.0):
        assert edges == coupling * (layers - 1) * width**2


@pytest.mark.theory
def test_layers_are_coupled_as_often_as_they_say() -> None:
    # 19 x 400 possible edges: |z| < 4 of a binomial; a share of .25 or .35 is 9.5 sigma away.
    made = graph("layered", layers=20, width=20, coupling=0.3)
    edges, possible = sum(len(needed) for needed in made.dependencies), 19 * 400
    assert abs(edges - 0.3 * possible) < 4 * (possible * 0.3 * 0.7) ** 0.5


RUNS = st.lists(
    st.tuples(
        st.lists(st.floats(0.1, 50), min_size=1, max_size=6),
        st.none() | st.integers(0, 9_000),
        st.floats(0.1, 9),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(runs=RUNS, seed=st.integers(0, 99))
def test_a_replication_has_the_work_of_one_of_the_runs_and_all_of_it(
    runs: list[tuple[list[float], int | None, float]], seed: int
) -> None:
    said = [
        {"sizes": sizes, "weight": weight} | ({} if start is None else {"start_tokens": start})
        for sizes, start, weight in runs
    ]
    spec = WORKLOADS.get("resampled").model_validate({"kind": "resampled", "runs": said})
    made = spec.graph(Streams(seed, 0))
    assert (list(made.sizes), made.start_tokens) in [(sizes, start) for sizes, start, _ in runs]
    assert not any(made.dependencies)


def test_tasks_of_a_seen_run_wait_for_the_stage_before_and_are_dealt_to_families() -> None:
    run = {
        "sizes": [1, 2, 3, 1],
        "stages": [1, 2, 1],
        "families": ["a", "b", "b", "a"],
        "arrivals_s": [0, 9, 9, 9],
    }
    spec = WORKLOADS.get("resampled").model_validate({"kind": "resampled", "runs": [run]})
    made = spec.graph(Streams(1, 0))
    assert [list(needed) for needed in made.dependencies] == [[], [0], [0], [1, 2]]
    assert list(made.doers) == [("a", 0), ("b", 0), ("b", 0), ("a", 0)]
    assert list(made.arrivals_s) == [0, 9, 9, 9]
    assert made.critical_path == 5.0


@pytest.mark.parametrize(
    "wrong", [{"stages": [1, 2]}, {"families": ["a"]}, {"stages": [2, 0]}, {"arrivals_s": [3]}]
)
def test_stages_and_families_of_a_seen_run_are_of_all_its_tasks(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"tasks, and 'sizes' has 2|greater than or equal"):
        WORKLOADS.get("resampled").model_validate(
            {"kind": "resampled", "runs": [{"sizes": [1, 1], **wrong}]}
        )


def test_runs_are_drawn_as_often_as_their_weights_say() -> None:
    weights = [1.0, 2.0, 0.5, 4.5]
    runs = [{"sizes": [1.0] * (i + 1), "weight": each} for i, each in enumerate(weights)]
    spec = WORKLOADS.get("resampled").model_validate({"kind": "resampled", "runs": runs})
    drawn = [len(spec.graph(Streams(5, replication))) for replication in range(4_000)]
    counts = np.bincount(drawn, minlength=5)[1:]
    expected = 4_000 * np.asarray(weights) / sum(weights)
    assert stats.chisquare(counts, expected).pvalue > 0.001


def stated(kind: str, **fields: Any) -> int:
    """Return how many tasks a workload says that it has; it must have so many."""
    spec = WORKLOADS.get(kind).model_validate({"kind": kind, **fields})
    assert spec.task_count == len(spec.graph(Streams(0, 0)))
    return spec.task_count


def test_tasks_are_counted_and_named_from_one() -> None:
    assert stated("map_reduce", maps=3, reduces=2) == 5
    assert stated("layered", layers=3, width=4) == 12
    assert stated("parallel_fraction", tasks=7, parallel_fraction=0.4) == 7
    assert stated("arrivals", tasks=4, interarrival_s=1) == 4
    assert graph("map_reduce", maps=2, reduces=2).names == [
        "map-1", "map-2", "reduce-1", "reduce-2"
    ]  # fmt: skip
    assert graph("parallel_fraction", tasks=4, parallel_fraction=0.5).names == [
        "chain-1", "chain-2", "independent-1", "independent-2"
    ]  # fmt: skip
    assert graph("layered", layers=2, width=2).names == [
        "layer-1-task-1", "layer-1-task-2", "layer-2-task-1", "layer-2-task-2"
    ]  # fmt: skip
    assert graph("arrivals", tasks=2, interarrival_s=1).names == ["task-1", "task-2"]


@pytest.mark.parametrize("tasks", [1, 3, 10, 64])
@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 1.0])
def test_the_fraction_of_amdahls_law_is_that_of_whole_tasks(tasks: int, fraction: float) -> None:
    spec = WORKLOADS.get("parallel_fraction").model_validate(
        {"kind": "parallel_fraction", "tasks": tasks, "parallel_fraction": fraction}
    )
    made = spec.graph(Streams(0, 0))
    chain = sum(name.startswith("chain") for name in made.names)
    assert spec.amdahl_fraction(made) == pytest.approx(1.0 - chain / tasks)


@pytest.mark.parametrize("width", [1, 2, 4, 7])
@pytest.mark.parametrize("sharing", [0.0, 0.4, 1.0])
def test_artifacts_are_shared_with_a_task_of_the_same_layer_as_often_as_it_says(
    sharing: float, width: int
) -> None:
    made = graph("layered", layers=800, width=width, coupling=0, sharing=sharing)
    assert made.artifacts is not None
    partners = np.zeros(width)
    shared = 0
    for task, mine in enumerate(made.artifacts):
        assert mine[0] == task
        if len(mine) > 1:
            (_, other) = mine
            assert (other // width, other == task) == (task // width, False)
            partners[other % width] += 1
            shared += 1
    # Of those drawn, its own place is none: it shares with each of the others alike.
    expected, count = sharing * (1.0 - 1.0 / width), 800 * width
    assert abs(shared / count - expected) <= 4.0 * (expected * (1.0 - expected) / count) ** 0.5
    assert partners.max() - partners.min() <= 6.0 * (2.0 * partners.mean()) ** 0.5


def test_with_whom_a_task_shares_says_nothing_of_what_it_needs() -> None:
    made = graph("layered", layers=2001, width=2, coupling=0.5, sharing=1)
    assert made.artifacts is not None
    # Of the first task of each layer: does it share with the second, and need the second before?
    agrees = [
        (len(made.artifacts[task]) > 1) == (task - 1 in made.dependencies[task])
        for task in range(2, 4002, 2)
    ]
    assert abs(sum(agrees) - 1000) < 4 * 500**0.5  # standard errors


def test_tasks_that_arrive_do_not_wait_for_each_other() -> None:
    spec = WORKLOADS.get("arrivals").model_validate(
        {"kind": "arrivals", "tasks": 9, "interarrival_s": 2}
    )
    made = spec.graph(Streams(0, 0))
    assert spec.amdahl_fraction(made) == 1.0
    assert (made.arrivals_s, made.sizes) == ([2.0 * (i + 1) for i in range(9)], [1.0] * 9)
    assert not any(made.dependencies)


def test_sizes_of_layered_tasks_are_drawn_one_by_one_and_are_never_nothing() -> None:
    size = {"kind": "empirical", "values": [0.0, 3.0]}
    made = graph("layered", layers=50, width=20, size=size)
    assert set(made.sizes) == {1e-3, 3.0}
    # Half of a thousand, within four standard errors.
    assert abs(sum(each == 3.0 for each in made.sizes) - 500) < 4 * 250**0.5


DRAWN: dict[str, dict[str, Any]] = {
    "arrivals": {"tasks": 5, "interarrival_s": {"kind": "exponential", "mean": 1}},
    "dag": {"tasks": [{"id": "a"}]},
    "layered": {"layers": 3, "width": 4},
    "parallel_fraction": {"parallel_fraction": 0.5},
    "resampled": {"runs": [{"sizes": [1.0]}, {"sizes": [2.0]}]},
}
"""Fields that a workload needs, or that let its draws be seen."""


@pytest.mark.parametrize("kind", WORKLOADS.names())
def test_a_workload_says_whether_its_graph_is_drawn_for_each_replication(kind: str) -> None:
    spec = WORKLOADS.get(kind).model_validate({"kind": kind, **DRAWN.get(kind, {})})
    made = [spec.graph(Streams(0, replication)) for replication in range(5)]
    drawn = [(each.sizes, each.dependencies, each.arrivals_s) for each in made]
    assert spec.is_random == any(each != drawn[0] for each in drawn)


def test_the_fraction_of_amdahls_law_is_what_is_off_the_critical_path() -> None:
    # 2 and then 4 units of work are the longest path of 2 + 4 + 1 + 3.
    tasks = [
        {"id": "a", "size": 2},
        {"id": "b", "size": 4, "dependencies": ["a"]},
        {"id": "c", "size": 1},
        {"id": "d", "size": 3},
    ]
    spec = WORKLOADS.get("dag").model_validate({"kind": "dag", "tasks": tasks})
    assert spec.amdahl_fraction(spec.graph(Streams(0, 0))) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("lengths", "weights", "count"),
    [
        ([1, 5], [3.0, 1.0], 2),  # (3 + 5) / 4
        ([1, 5], [0.2, 0.6], 4),  # (0.2 + 3) / 0.8
        ([2, 4, 9], [1.0, 1.0, 1.0], 5),
        ([3, 10], [1.0, 3.0], 8),  # 33 / 4, rounded
    ],
)
def test_seen_runs_have_the_mean_number_of_tasks_weighed(
    lengths: list[int], weights: list[float], count: int
) -> None:
    runs = [
        {"sizes": [1.0] * length, "weight": weight}
        for length, weight in zip(lengths, weights, strict=True)
    ]
    spec = WORKLOADS.get("resampled").model_validate({"kind": "resampled", "runs": runs})
    assert spec.task_count == count


def test_what_is_said_of_no_task_is_a_unit_of_work() -> None:
    assert set(graph("layered").sizes) == set(graph("map_reduce").sizes) == {1.0}
    assert graph("dag", tasks=[{"id": "a"}]).sizes == (1.0,)


@pytest.mark.parametrize("coupling", [0.0, 0.5])
@pytest.mark.parametrize("width", [150, 300])
def test_a_layered_graph_takes_as_much_memory_as_is_said_before_it_is_drawn(
    width: int, coupling: float
) -> None:
    fields = {"layers": 8, "width": width, "coupling": coupling}
    spec = WORKLOADS.get("layered").model_validate({"kind": "layered", **fields})
    spec.graph(Streams(0, 0))  # what is made once and kept
    tracemalloc.start()
    spec.graph(Streams(0, 0))
    _, taken = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Of the measurements, from 0.88 to 1.12.
    assert 0.8 < taken / spec.link_bytes < 1.2


TASKS = [{"id": "a", "size": 2.5}, {"id": "b", "dependencies": ["a"]}, {"id": "c", "arrival_s": 7}]


@pytest.mark.parametrize("name", ["tasks.json", "tasks.yaml", "tasks.yml"])
@pytest.mark.parametrize("is_elsewhere", [True, False])
def test_tasks_of_a_file_are_those_that_could_be_listed(
    name: str, is_elsewhere: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text(json.dumps(TASKS))  # which is YAML too
    dag = WORKLOADS.get("dag")
    if is_elsewhere:  # beside the scenario
        read = dag.model_validate({"kind": "dag", "path": name}, context={"directory": tmp_path})
    else:
        monkeypatch.chdir(tmp_path)
        read = dag.model_validate({"kind": "dag", "path": name})
    listed = dag.model_validate({"kind": "dag", "tasks": TASKS})
    assert read.task_count == 3
    assert read.graph(Streams(0, 0)) == listed.graph(Streams(0, 0))


def test_tasks_of_a_file_are_read_in_the_language_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text("- {id: a}\n- {id: b, dependencies: [a]}\n")
    (tmp_path / "tasks.json").write_text("- {id: a}\n")
    dag, where = WORKLOADS.get("dag"), {"directory": tmp_path}
    made = dag.model_validate({"kind": "dag", "path": "tasks.yaml"}, context=where)
    assert made.graph(Streams(0, 0)).dependencies == ((), (0,))
    with pytest.raises(ValidationError, match=r"tasks\.json"):
        dag.model_validate({"kind": "dag", "path": "tasks.json"}, context=where)


@pytest.mark.parametrize("said", ["[]", "{}", "null", "3", '{"tasks": [{"id": "a"}]}'])
@pytest.mark.parametrize("name", ["tasks.json", "tasks.yaml"])
def test_a_file_that_lists_no_tasks_is_refused(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(said)
    with pytest.raises(ValidationError, match=f"{name}.*must hold a list of tasks"):
        WORKLOADS.get("dag").model_validate(
            {"kind": "dag", "path": name}, context={"directory": tmp_path}
        )


def test_tasks_that_are_listed_count_and_their_file_need_not_be_there() -> None:
    fields = {"kind": "dag", "path": "nowhere.json", "tasks": TASKS}
    assert WORKLOADS.get("dag").model_validate(fields).task_count == 3


def test_a_dag_of_neither_a_file_nor_a_list_is_refused() -> None:
    with pytest.raises(ValidationError, match="a dag needs 'tasks', or the 'path' of a file"):
        WORKLOADS.get("dag").model_validate({"kind": "dag"})
