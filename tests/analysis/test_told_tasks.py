"""Where a trace tells of tasks and what they wait for, so does the twin."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from analysis.observation.building import build_twin
from analysis.observation.neutral_names import anonymised
from analysis.observation.observe import observe, observed_of
from analysis.observation.roles import roles_of
from analysis.observation.runs import runs_of
from analysis.observation.selection import Choice, choose
from analysis.observation.structure import (
    INDEPENDENT,
    MESH,
    PIPELINE,
    Structure,
    find_structure,
)
from analysis.observation.told_tasks import _lasting, handed_over, told_workload
from analysis.observation.units import units_of
from analysis.traces.canonical import TASKS, Traces
from analysis.traces.reading import read_traces
from analysis.traces.tables import write_traces
from tests.analysis.observed_teams import team, write_runs
from tests.analysis.test_observation import Row, together
from tests.analysis.test_observation import traces as traces_of
from tests.analysis.trace_samples import (
    claude_event,
    claude_message,
    document,
    lines,
    otel,
    whole,
)

DIAMOND = {"a": set[str](), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}}


def needs(traces: Traces) -> dict[str, set[str]]:
    """Return what each task waits for."""
    found: dict[str, set[str]] = {}
    for task, need in zip(traces.tasks["task_id"], traces.tasks["needs"], strict=True):
        found.setdefault(task, set()).update([] if pd.isna(need) else [need])
    return found


def team_with_list(directory: Path) -> Path:
    """Return an agent team whose lead makes four tasks and one that it deletes; members take them.

    The dependencies are said from both sides, and one by the list's own file.
    """
    team = {"sessionId": "L", "teamName": "crew", "agentName": "lead"}

    def use(number: int, name: str, **said: Any) -> dict[str, Any]:
        return {"type": "tool_use", "id": f"u{number}", "name": name, "input": said}

    made = [use(i, "TaskCreate", subject="secret", description="secret") for i in range(1, 6)]
    set_up = [use(6, "TaskUpdate", taskId="2", addBlockedBy=["1"]),
              use(7, "TaskUpdate", taskId="1", addBlocks=["3"]),
              use(8, "TaskUpdate", taskId="5", status="deleted")]  # fmt: skip
    results = [{"type": "tool_result", "tool_use_id": f"u{i}",
                "content": f"Task #{i} created successfully: secret"}
               for i in range(1, 6)]  # fmt: skip
    lines(
        directory / "p" / "L.jsonl",
        [claude_event(0, "l0", None, **team),
         claude_message(2, "l1", "l0", "m1", *made, stop="tool_use", **team),
         claude_event(3, "l2", "l1", message={"role": "user", "content": results}, **team),
         claude_message(5, "l3", "l2", "m2", *set_up, stop="tool_use", **team)],
    )  # fmt: skip
    member = {"sessionId": "M", "teamName": "crew", "agentName": "coder"}
    takes = use(9, "TaskUpdate", taskId="2", status="in_progress")
    lines(
        directory / "p" / "M.jsonl",
        [claude_event(6, "c0", None, **member),
         claude_message(9, "c1", "c0", "m3", takes, **member)],
    )  # fmt: skip
    tasks = directory / "tasks" / "crew"
    tasks.mkdir(parents=True)
    last = {"id": "4", "subject": "secret", "status": "pending", "blocks": [],
            "blockedBy": ["2", "3"]}  # fmt: skip
    (tasks / "4.json").write_text(json.dumps(last))
    return directory


def test_the_list_of_an_agent_team_is_read(tmp_path: Path) -> None:
    traces = read_traces([team_with_list(tmp_path)])
    assert needs(traces) == {"1": set(), "2": {"1"}, "3": {"1"}, "4": {"2", "3"}}
    assert set(traces.tasks["run_id"]) == {"crew"}
    owners = traces.tasks.set_index("task_id")["agent_id"]
    assert owners["2"] == "coder"
    assert traces.report.errors.count == 0
    assert "secret" not in "".join(getattr(traces, t).to_json() for t in ("calls", "tasks"))


Times = dict[str, tuple[float, float]]
TIMES: Times = {"a": (0, 9), "b": (10, 9), "c": (10, 9), "d": (20, 9)}
"""Start and length of each task."""


def spans(
    tell: Callable[[str], dict[str, Any]], run: int = 0, times: Times = TIMES
) -> list[dict[str, Any]]:
    """Return four agents that do a task each; `tell` gives further attributes of each."""
    found = []
    for number, (task, (at, lasts)) in enumerate(times.items()):
        name = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": f"worker {task}"}
        trace = {"traceId": f"{run + 1:032x}"}
        chat = otel(50 + number, 10 + number, "chat m", at, lasts - 0.1 * (run % 3),
                    gen_ai__operation__name="chat", gen_ai__request__model="m",
                    gen_ai__usage__input_tokens=900 + number,
                    gen_ai__usage__output_tokens=50)  # fmt: skip
        work = otel(10 + number, None, f"invoke_agent {task}", at, lasts, **name, **tell(task))
        found += [work | trace, chat | trace]
    return found


def linked(
    run: int = 0, graph: dict[str, set[str]] = DIAMOND, times: Times = TIMES
) -> list[dict[str, Any]]:
    """Return tasks with their dependencies as links, to calls or to whole pieces of work."""
    found = spans(lambda task: {}, run, times)
    work = {task: found[2 * i] for i, task in enumerate("abcd")}
    for task, before in graph.items():
        # A link may lead to a call within the work that was needed.
        work[task]["links"] = [
            {"traceId": work[each]["traceId"],
             "spanId": found[2 * "abcd".index(each) + (each == "b")]["spanId"]}
            for each in sorted(before)
        ]  # fmt: skip
    return found


def test_links_of_spans_are_dependencies(tmp_path: Path) -> None:
    traces = read_traces([whole(tmp_path / "a.json", document(*linked()))])
    names = {f"{10 + i:016x}": task for i, task in enumerate("abcd")}
    found = {names[task]: {names[each] for each in some} for task, some in needs(traces).items()}
    assert found == DIAMOND
    owners = traces.tasks.drop_duplicates("task_id").set_index("task_id")["agent_id"]
    assert owners[f"{10:016x}"] == "worker a"


def test_attributes_tell_tasks_and_what_they_wait_for(tmp_path: Path) -> None:
    def tell(task: str) -> dict[str, Any]:
        return {"task__id": task, "task__depends_on": json.dumps(sorted(DIAMOND[task]))}

    traces = read_traces([whole(tmp_path / "a.json", document(*spans(tell)))])
    assert needs(traces) == DIAMOND


@pytest.mark.parametrize(
    ("own_at", "expected"),
    [
        # It holds its parts together, plans them, or puts them together.
        (None, {"a": set(), "p1": {"a"}, "p2": {"a"}, "z": {"p1", "p2"}}),
        (11, {"a": set(), "w": {"a"}, "p1": {"w"}, "p2": {"w"}, "z": {"w", "p1", "p2"}}),
        (35, {"a": set(), "w": {"a", "p1", "p2"}, "p1": set(), "p2": set(), "z": {"w"}}),
    ],
)
def test_parts_of_a_task_stand_in_its_place(
    own_at: float | None, expected: dict[str, set[str]], tmp_path: Path
) -> None:
    def task(number: int, parent: int | None, name: str, at: float, **said: Any) -> dict[str, Any]:
        return otel(number, parent, name, at, 9, gen_ai__task__id=name, **said)

    chat = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m"}
    depends = "gen_ai__task__depends_on"
    spans = [
        task(1, None, "a", 0), task(2, None, "w", 10, **{depends: "a"}),
        task(3, 2, "p1", 20, gen_ai__task__parent__id="w"),
        task(4, 2, "p2", 20, gen_ai__task__parent__id="w"),
        task(5, None, "z", 60, **{depends: "w"}),
        *(otel(10 + i, i, "chat", at, 5, **chat) for i, at in ((1, 1), (3, 21), (4, 21), (5, 61))),
        *([] if own_at is None else [otel(20, 2, "chat", own_at, 3, **chat)]),
    ]  # fmt: skip
    assert needs(read_traces([whole(tmp_path / "a.json", document(*spans))])) == expected


def test_columns_tell_tasks_and_what_they_wait_for(tmp_path: Path) -> None:
    rows = "".join(f"r,w,{i},3,{t},{';'.join(sorted(DIAMOND[t]))}\n" for i, t in enumerate("abcd"))
    (tmp_path / "t.csv").write_text("run,agent,start_s,duration_s,Task ID,Depends On\n" + rows)
    assert needs(read_traces([tmp_path / "t.csv"], columns={"start_s": "start_s"})) == DIAMOND


def test_tasks_are_written_and_read_again_and_chosen_and_renamed(tmp_path: Path) -> None:
    both = [span for run in range(2) for span in linked(run)]
    traces = read_traces([whole(tmp_path / "a.json", document(*both))])
    write_traces(traces, tmp_path / "tables")
    again = read_traces([tmp_path / "tables"])
    pd.testing.assert_frame_equal(again.tasks, traces.tasks)
    some = choose(traces, Choice(sessions=[f"{1:032x}"])).tasks
    assert (len(some), set(some["run_id"])) == (5, {f"{1:032x}"})
    hidden = anonymised(traces)
    assert sorted(map(len, needs(hidden).values())) == [0, 1, 1, 2]
    assert set(hidden.tasks["agent_id"]) <= set(hidden.agents["agent_id"])


def work(tasks: dict[str, dict[str, set[str]]], kind: str = INDEPENDENT, runs: int = 2) -> Any:
    """Return the work of runs with these tasks."""
    rows = [
        {"run_id": run, "task_id": task, "needs": need}
        for run, some in tasks.items()
        for task, before in some.items()
        for need in (before or {None})
    ]
    table = pd.DataFrame(rows, columns=list(TASKS)).astype(TASKS)
    nobody = SimpleNamespace(agents=[])
    named: Any = [SimpleNamespace(name=f"r{i}", operations=nobody) for i in range(runs)]
    shape = Structure(kind, 0.6, 1, 1, "when agents worked")
    return told_workload(shape, named, table, {})


def test_the_graph_of_most_runs_is_taken_with_neutral_names() -> None:
    chain = {"x": set[str](), "y": {"x"}, "z": {"y"}}
    found = work({"r0": DIAMOND, "r1": DIAMOND, "r2": chain}, runs=3)
    assert found.spec["tasks"] == [
        {"id": "task-1"}, {"id": "task-2", "dependencies": ["task-1"]},
        {"id": "task-3", "dependencies": ["task-1"]},
        {"id": "task-4", "dependencies": ["task-2", "task-3"]},
    ]  # fmt: skip
    assert (found.tasks, found.is_certain) == (4, True)
    assert "of 3 of 3 runs; 2 have this graph" in found.source


@pytest.mark.parametrize(
    ("tasks", "kind"),
    [
        ({"r0": {"a": set[str](), "b": set[str]()}}, INDEPENDENT),  # none waits for another
        ({"r0": {"a": {"b"}, "b": {"a"}}}, INDEPENDENT),  # in a circle
        ({"r0": DIAMOND, "r1": DIAMOND}, PIPELINE),
        ({"other": DIAMOND}, INDEPENDENT),
    ],
)
def test_without_dependencies_in_most_runs_there_is_no_graph(
    tasks: dict[str, dict[str, set[str]]], kind: str
) -> None:
    assert work(tasks, kind) is None


def handing(run: str, twice: bool = False) -> Traces:
    """Return agents that hand work over as in a diamond; `twice`, the last works two times."""
    rows: list[Row] = [(task, "chat", at, at + lasts, "end_turn")
                       for task, (at, lasts) in TIMES.items()]  # fmt: skip
    rows += [("d", "chat", 40.0, 45.0, "end_turn")] * twice
    told = tuple((before, task) for task, some in DIAMOND.items() for before in sorted(some))
    found = traces_of(*rows, told=told, run=run)
    return replace(found, messages=found.messages.assign(kind="handoff"))


def test_hand_overs_that_branch_and_join_are_a_graph() -> None:
    found = together(*(handing(f"r{i}") for i in range(3)))
    runs, roles = runs_of(found.calls), roles_of(found.calls, found.agents)
    shape = find_structure(runs, roles, found.messages)
    twin = build_twin(observed_of(found, runs, roles, shape), "observed")
    assert shape.kind == MESH
    tasks = twin.document["workload"]["tasks"]
    assert [len(task.get("dependencies", ())) for task in tasks] == [0, 1, 1, 2]
    # Each task is done by who did it.
    assert [task["family"] for task in tasks] == list("abcd")
    assert twin.document["coordination"]["protocol"] == {"kind": "pre_assigned"}
    assert twin.document["sweep"]["coordination.protocol"] == ["pre_assigned", "self_claim"]
    # Of an agent that worked twice, nobody knows which work a message belongs to.
    some = handing("r0", twice=True)
    of_some = runs_of(some.calls)
    assert handed_over(some.messages, of_some, {"r0": units_of(of_some[0].operations)}).empty


def test_agents_of_one_role_keep_their_own_tasks_and_wait_as_they_did() -> None:
    # Both begin, and the second waits for the first again and again.
    rows: list[Row] = []
    for i in range(4):
        rows.append(("worker 1", "chat", 12.0 * i, 12.0 * i + 10, "end_turn"))
        rows.append(("worker 2", "chat", 12.0 * i + 10, 12.0 * i + 12, "end_turn"))
    found = traces_of(*sorted(rows, key=lambda row: row[2]))
    tasks = [(f"{w}{i}", f"worker {w + 1}", need)
             for i in range(4)
             for w, need in ((0, f"1{i - 1}" if i else None), (1, f"0{i}"))]  # fmt: skip
    table = [{"run_id": "r", "task_id": t, "agent_id": a, "needs": n} for t, a, n in tasks]
    told = replace(found, tasks=pd.DataFrame(table, columns=list(TASKS)).astype(TASKS))
    seen = observe(told, "x", 20)
    work = seen.twin.document["workload"]["tasks"]
    assert [task["worker"] for task in work] == [1, 2] * 4
    shares = seen.comparison.table.set_index("name")
    row = shares.loc[[name for name in shares.index if "waiting" in name]].iloc[0]
    assert row["low"] <= row["observed"] <= row["high"]
    assert row["observed"] > 0.3


@pytest.mark.thorough
def test_the_twin_does_the_tasks_in_their_order(tmp_path: Path) -> None:
    # Two chains side by side, of which no stages are to be seen.
    chains = {"a": set[str](), "b": {"a"}, "c": set[str](), "d": {"c"}}
    times: Times = {"a": (0, 9), "b": (9, 9), "c": (0, 15), "d": (15, 15)}
    rows = [span for run in range(9) for span in linked(run, chains, times)]
    traces = read_traces([whole(tmp_path / "a.json", document(*rows))])
    found = observe(traces, "observed", 40)
    work = found.twin.document["workload"]
    assert work["kind"] == "dag"
    assert [len(task.get("dependencies", ())) for task in work["tasks"]] == [0, 0, 1, 1]
    untold = observe(replace(traces, tasks=traces.tasks.iloc[:0]), "observed", 4)
    assert untold.twin.document["workload"]["kind"] != "dag"


@pytest.mark.slow
@pytest.mark.usefixtures("hardly_tuned")
def test_the_tasks_of_an_export_of_ours_are_those_of_the_twin(tmp_path: Path) -> None:
    said = team(INDEPENDENT, 4) | {"workload": {"kind": "map_reduce", "maps": 4, "reduces": 1}}
    write_runs(said, tmp_path, 6)
    found = read_traces([tmp_path])
    (_, rows), *_ = found.tasks.groupby("run_id")
    assert set(rows["task_id"]) == {"map-1", "map-2", "map-3", "map-4", "reduce-1"}
    assert set(rows.loc[rows["task_id"] == "reduce-1", "needs"]) == {
        f"map-{i}" for i in (1, 2, 3, 4)
    }
    assert found.report.calls == len(found.chats)  # the spans of tasks are no calls
    twin = observe(found, "x", 4).twin
    tasks = twin.document["workload"]["tasks"]
    assert [len(task.get("dependencies", ())) for task in tasks] == [0, 0, 0, 0, 4]
    # Whoever is free claims the next task, another one in each run: it is nobody's.
    assert not any("worker" in task for task in tasks)
    assert twin.document["coordination"]["protocol"]["kind"] == "self_claim"


def test_what_lasts_of_who_does_a_task_is_kept() -> None:
    mine = {"a": {"family": "x", "worker": 1}, "b": {"family": "y", "worker": 2}}
    other = {"a": {"family": "x", "worker": 2}, "b": {"family": "y", "worker": 1}}
    swapped = {"a": {"family": "y", "worker": 1}, "b": {"family": "x", "worker": 2}}
    assert _lasting(mine, []) == mine
    assert _lasting(mine, [mine, mine]) == mine
    assert _lasting(mine, [other]) == {"a": {"family": "x"}, "b": {"family": "y"}}
    assert _lasting(mine, [swapped]) == {}
