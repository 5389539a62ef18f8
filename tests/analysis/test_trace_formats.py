"""Readers take all fields from every kind of trace file, and invent none."""

from __future__ import annotations

import io
import json
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import pytest

from analysis.observation.findings import tool_table
from analysis.observation.roles import roles_by_agent, roles_of
from analysis.observation.runs import runs_of
from analysis.observation.starts import starts_of, with_named_starts
from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from analysis.traces.tables import write_traces
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import (
    SAMPLES,
    START,
    attributes,
    claude_event,
    claude_message,
    codex_count,
    codex_line,
    compressed,
    document,
    lines,
    observation,
    otel,
    semantic_conventions,
    whole,
)
from tests.conftest import first_in_ci

if TYPE_CHECKING:
    from analysis.observation.observe import Observation

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "traces"


def totals(traces: Traces) -> list[Any]:
    """Return calls, failed ones, tools, input, cached, written into the cache, output; agents."""
    chats = traces.chats
    counts = [
        int(chats[name].sum()) if chats[name].notna().any() else None
        for name in (
            "input_tokens",
            "cache_read_input_tokens",
            "cache_write_input_tokens",
            "output_tokens",
        )
    ]
    failed = int((chats["status"] != "ok").sum())
    agents = sorted(traces.agents["agent_id"].unique())
    return [len(chats), failed, len(traces.tools), *counts, agents, len(traces.runs)]


CONVENTIONS = [3, 1, 1, 1400, 700, 200, 100, ["L1", "helper"], 1]
LANGFUSE = [2, 1, 1, 800, 700, 90, 35, ["planner"], 1]
EXPECTED: dict[str, list[Any]] = {
    "conventions": CONVENTIONS,
    "conventions_snake_case": CONVENTIONS,
    "conventions_protobuf": CONVENTIONS,
    "conventions_collector": CONVENTIONS,
    "open_inference": [1, 0, 0, 500, 450, None, 20, ["writer"], 1],
    "openllmetry": [1, 0, 1, 300, None, None, 30, ["coder"], 1],
    "vercel": [2, 0, 1, 900, None, None, 50, ["triage"], 1],
    "instrumented_twice": [3, 0, 0, 80, None, None, None, ["crew"], 1],
    "claude_code_spans": [3, 1, 1, 2000, 1800, 190, 50, ["main", "sub1"], 1],
    "claude_code_logs": [2, 1, 1, 1000, 900, 95, 44, ["main"], 1],
    "claude_code": [7, 2, 2, 5000, 4500, 475, 200, ["ag1", "main"], 2],
    "claude_team": [2, 0, 0, 2000, 1800, 190, 80, ["coder", "lead"], 1],
    "codex": [6, 1, 1, 4800, 1800, None, 130, ["C", "F", "G", "P"], 2],
    "langfuse": LANGFUSE,
    "langfuse_blobs": LANGFUSE,
    "langfuse_csv": LANGFUSE,
    "langsmith": [1, 0, 1, 900, 600, 100, 30, ["critic"], 1],
    "mlflow": [1, 0, 1, 700, None, None, 25, [], 2],
    "phoenix": [2, 1, 0, 800, None, None, 40, ["author"], 1],
    "printed_spans": [2, 0, 0, 180, None, None, 16, ["solo"], 1],
    "jaeger": [1, 0, 1, 70, None, None, 6, ["ann"], 1],
    "openai_agents": [2, 0, 1, 120, 80, None, 10, ["billing", "triage"], 1],
    "litellm": [2, 1, 0, 600, 500, None, 60, [], 1],
    "gateway_table": [2, 1, 0, 2100, 900, None, 20, [], 1],
}


@pytest.mark.parametrize("name", list(SAMPLES))
def test_a_file_of_each_kind_is_recognised_and_read_whole(name: str, tmp_path: Path) -> None:
    traces = read_traces([SAMPLES[name](tmp_path)])
    assert totals(traces) == EXPECTED[name]
    assert traces.report.errors.count == traces.report.unread.count == 0
    assert traces.calls["run_id"].notna().all()
    assert (traces.calls["end_ns"] >= traces.calls["start_ns"]).all()


@pytest.mark.parametrize("name", first_in_ci(10, SAMPLES))
def test_tables_that_are_written_are_read_again_as_they_were(name: str, tmp_path: Path) -> None:
    once = read_traces([SAMPLES[name](tmp_path)])
    write_traces(once, tmp_path / "tables")
    again = read_traces([tmp_path / "tables"])
    for table in ("calls", "messages", "runs"):
        pd.testing.assert_frame_equal(getattr(once, table), getattr(again, table))
    assert set(again.agents["agent_id"]) == set(once.agents["agent_id"])
    calls = read_traces([tmp_path / "tables" / "calls.parquet"]).calls
    pd.testing.assert_frame_equal(once.calls, calls)


def test_formats_are_mixed_in_a_directory_and_compressed(tmp_path: Path) -> None:
    names = ("conventions", "langfuse", "codex", "gateway_table")
    for name in names:
        path = SAMPLES[name](tmp_path)
        if path.is_file():
            compressed(path)
            path.unlink()
    (tmp_path / "notes.md").write_text("hello")
    (tmp_path / "other.json").write_text('{"some": "thing"}')
    traces = read_traces([tmp_path])
    assert traces.report.files == {"otlp": 1, "langfuse": 1, "codex": 4, "table": 1}
    assert len(traces.chats) == sum(EXPECTED[name][0] for name in names)
    assert traces.report.unread.count == 1
    assert "other.json" in str(traces.report.unread.first)
    with pytest.raises(TeamsimError, match=r"1 files of no known format.*other\.json"):
        traces.report.check_complete()


def test_zstandard_patterns_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa

    path = SAMPLES["claude_code_spans"](tmp_path)
    data = path.read_bytes()
    for i in range(2):
        with pa.CompressedOutputStream(pa.OSFile(str(tmp_path / f"{i}.zst"), "wb"), "zstd") as out:
            other = f'"{i}{7:031x}"'.encode()
            out.write(data.replace(f'"{7:032x}"'.encode(), other).replace(b"S9", b"S%d" % i))
    path.unlink()
    assert len(read_traces([f"{tmp_path}/*.zst"]).runs) == 2
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    read = read_traces(["-"])
    assert totals(read) == EXPECTED["claude_code_spans"]
    assert "standard input:1" in str(read.report.failed.first)


def test_the_output_of_a_program_is_read_from_a_pipe(tmp_path: Path) -> None:
    data = SAMPLES["claude_code_spans"](tmp_path).read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    writer.start()
    assert totals(read_traces([pipe])) == EXPECTED["claude_code_spans"]
    writer.join()


def test_spans_without_a_document_around_and_logs_that_were_only_observed(tmp_path: Path) -> None:
    spans = lines(tmp_path / "bare.jsonl", semantic_conventions())
    assert totals(read_traces([spans])) == CONVENTIONS
    path = SAMPLES["claude_code_logs"](tmp_path)
    path.write_text(path.read_text().replace("timeUnixNano", "observedTimeUnixNano"))
    assert totals(read_traces([path])) == EXPECTED["claude_code_logs"]


def test_what_was_read_and_left_out_is_one_line(tmp_path: Path) -> None:
    spans = semantic_conventions()
    whole(tmp_path / "a.json", document(*spans, {**spans[1], "endTimeUnixNano": "soon"}, spans[1]))
    traces = read_traces([tmp_path / "a.json"])
    report = traces.report
    assert (report.rows, report.calls, report.duplicates.count, report.errors.count) == (8, 3, 1, 1)
    line = report.line()
    assert "\n" not in line
    assert line.startswith("read 1 file (otlp 1): 8 rows, 3 calls, 1 tool call, 2 messages")
    assert "1 row or value with an error (first: " in line
    assert "endTimeUnixNano is 'soon'" in line
    assert report.to_dict()["duplicates"]["count"] == 1
    json.dumps(report.to_dict())
    with pytest.raises(TeamsimError, match="left out: 1 rows or values"):
        report.check_complete()


def test_claude_code_says_who_worked_for_whom_and_what_failed(tmp_path: Path) -> None:
    traces = read_traces([SAMPLES["claude_code"](tmp_path)])
    agents = traces.agents.set_index(["run_id", "agent_id"])
    assert agents.loc[("S1", "ag1"), "parent_agent_id"] == "main"
    assert agents.loc[("S1", "ag1"), "role"] == "Explore"
    assert agents["depth"].to_dict()[("S1", "ag1")] == 1
    failed = traces.chats[traces.chats["status"] == "error"]
    assert failed["http_status"].tolist() == [529, 429]
    assert failed["response_model"].isna().all()  # the client makes up a model for errors
    assert failed["input_tokens"].isna().all()
    after = traces.chats[traces.chats["attempt"] == 2].iloc[0]
    assert (after["end_ns"] - after["start_ns"]) / 1e9 == 4.5  # half a second it waited
    tools = traces.tools.set_index("tool_name")
    assert tools.loc["Bash", "status"] == "error"
    assert tools.loc["Bash", "result_size"] == len("no such file")
    assert tools.loc["Task", "queue_s"] == 1.0
    kinds = traces.messages[["src_agent_id", "dst_agent_id", "kind"]].to_numpy().tolist()
    assert kinds == [["main", "ag1", "delegate"], ["ag1", "main", "return"]]
    assert traces.messages["tokens"].isna().tolist() == [True, False]
    assert traces.report.duplicates.count == 1  # the resumed session repeats a message


@pytest.mark.parametrize(
    ("said", "status", "errors"),
    [
        ("[Request interrupted by user for tool use]", "cancelled", 0),
        ([{"type": "text", "text": "The user doesn't want to proceed with this tool use."}],
         "cancelled", 0),
        ("Error: the user doesn't exist", "error", 1),
    ],
)  # fmt: skip
def test_a_tool_that_its_person_stops_has_not_failed(
    said: Any, status: str, errors: int, tmp_path: Path
) -> None:
    asked = {"id": "m", "model": "c", "usage": {"input_tokens": 9, "output_tokens": 5},
             "content": [{"type": "tool_use", "id": "t", "name": "Bash"}]}  # fmt: skip
    result = {"type": "tool_result", "tool_use_id": "t", "content": said, "is_error": True}
    rows = [
        claude_event(0, "a", None, sessionId="S", type="user", message={"content": "go"}),
        claude_event(4, "b", "a", sessionId="S", type="assistant", message=asked),
        claude_event(30, "c", "b", sessionId="S", type="user", message={"content": [result]}),
    ]
    found = read_traces([lines(tmp_path / "S.jsonl", rows)])
    assert found.tools["status"].tolist() == [status]
    assert tool_table(cast("Observation", SimpleNamespace(traces=found)))["errors"].tolist() == [
        errors
    ]


def test_claude_code_is_read_with_its_sub_agents_when_the_main_file_is_named(
    tmp_path: Path,
) -> None:
    folder = SAMPLES["claude_code"](tmp_path)
    main = folder / "S1.jsonl"
    alone = read_traces([main]).calls
    for paths in ([main, folder / "S1"], [f"{folder}/S1*"], [main, main]):
        pd.testing.assert_frame_equal(read_traces(paths).calls, alone)
    assert set(alone["agent_id"]) == {"main", "ag1"}


def test_copies_of_a_project_add_nothing(tmp_path: Path) -> None:
    folder = SAMPLES["claude_code"](tmp_path)
    once = read_traces([folder])
    shutil.copytree(folder, tmp_path / "backup")
    twice = read_traces([tmp_path])
    assert totals(twice) == totals(once)
    assert len(twice.messages) == len(once.messages)
    assert twice.report.duplicates.count > once.report.duplicates.count


def test_sub_agents_of_sub_agents(tmp_path: Path) -> None:
    def call(uuid: str, parent: str, identity: str, tool: str, **said: Any) -> dict[str, Any]:
        use = {"type": "tool_use", "id": tool, "name": "Agent", "input": {}}
        return claude_message(5, uuid, parent, identity, use, sessionId="S", **said)

    def back(uuid: str, parent: str, tool: str, agent: str, **said: Any) -> dict[str, Any]:
        block = {"type": "tool_result", "tool_use_id": tool, "content": "x"}
        result = {"agentId": agent, **({"isAsync": True} if agent == "A" else {})}
        return claude_event(20, uuid, parent, sessionId="S", toolUseResult=result,
                            message={"role": "user", "content": [block]}, **said)  # fmt: skip

    sides = {name: {"isSidechain": True, "agentId": name} for name in "AB"}
    files = {
        "S.jsonl": [claude_event(0, "u", None, sessionId="S"), call("a", "u", "m1", "t1"),
                    back("r", "a", "t1", "A")],
        "S/subagents/agent-A.jsonl": [claude_event(3, "v", None, sessionId="S", **sides["A"]),
                                      call("w", "v", "m2", "t2", **sides["A"]),
                                      back("y", "w", "t2", "B", **sides["A"])],
        "S/subagents/agent-B.jsonl": [claude_event(6, "z", None, sessionId="S", **sides["B"]),
                                      claude_message(9, "q", "z", "m3", sessionId="S",
                                                     **sides["B"])],
    }  # fmt: skip
    for name, rows in files.items():
        lines(tmp_path / name, rows)
    traces = read_traces([tmp_path])
    agents = traces.agents.set_index("agent_id")
    assert agents["depth"].to_dict() == {"main": 0, "A": 1, "B": 2}
    assert agents.loc["B", "parent_agent_id"] == "A"
    edges = set(map(tuple, traces.messages[["src_agent_id", "dst_agent_id", "kind"]].to_numpy()))
    assert edges == {("main", "A", "delegate"), ("A", "B", "delegate"), ("B", "A", "return")}


def test_calls_of_a_sub_agent_name_the_call_that_started_it(tmp_path: Path) -> None:
    traces = read_traces([SAMPLES["claude_code"](tmp_path)])
    above = traces.chats.set_index("span_id")["parent_span_id"]
    assert above[["n0", "n1"]].tolist() == ["tu2", "tu2"]
    assert above.drop(["n0", "n1"]).isna().all()


def two_tasks_at_once(directory: Path) -> Path:
    """Return a session whose two tasks at once are told their results at 30 and at 20 s."""
    tasks = [{"type": "tool_use", "id": f"t{i}", "name": "Task", "input": {}} for i in (1, 2)]
    main = [claude_event(0, "u", None, sessionId="S"),
            claude_message(1, "a", "u", "m1", *tasks, stop="tool_use", sessionId="S")]  # fmt: skip
    # The agent that is told of first has ended last: by times alone both were the second task's.
    for number, agent, at in ((2, "PLAN", 20), (1, "LOOK", 30)):
        block = {"type": "tool_result", "tool_use_id": f"t{number}", "content": "x"}
        main.append(
            claude_event(at, f"r{number}", "a", sessionId="S", toolUseResult={"agentId": agent},
                         message={"role": "user", "content": [block]})
        )  # fmt: skip
    main.append(claude_message(33, "b", "r1", "m2", sessionId="S"))
    lines(directory / "S.jsonl", main)
    for agent, until in (("PLAN", 18), ("LOOK", 12)):
        side = {"isSidechain": True, "agentId": agent, "sessionId": "S"}
        beside = directory / "S" / "subagents" / f"agent-{agent}.jsonl"
        rows = [claude_event(2, f"{agent}0", None, **side),
                claude_message(until, f"{agent}1", f"{agent}0", f"m{agent}", **side)]  # fmt: skip
        lines(beside, rows)
        beside.with_suffix(".meta.json").write_text(json.dumps({"agentType": agent.lower()}))
    return directory


def test_tasks_at_once_each_start_the_agent_that_their_result_names(tmp_path: Path) -> None:
    traces = read_traces([two_tasks_at_once(tmp_path)])
    runs = runs_of(traces.calls)
    (run,) = [each.operations for each in runs]
    spans = traces.calls["span_id"]
    started = {run.agents[child]: spans[run.rows[call]] for child, call in starts_of(run).items()}
    assert started == {"PLAN": "t2", "LOOK": "t1"}
    named, starts = with_named_starts(
        traces.calls, runs, roles_by_agent(roles_of(traces.calls, traces.agents))
    )
    assert starts == {"Task-plan": "plan", "Task-look": "look"}
    tools = named[named["operation_name"] == "execute_tool"].set_index("span_id")["tool_name"]
    assert tools.to_dict() == {"t1": "Task-look", "t2": "Task-plan"}


def test_a_tool_around_an_agents_span_is_what_started_it(tmp_path: Path) -> None:
    said = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "task"}
    spans = [otel(1, None, "invoke_agent lead", 0, 60, gen_ai__operation__name="invoke_agent",
                  gen_ai__agent__name="lead"),
             otel(2, 1, "chat m", 0, 1, gen_ai__operation__name="chat",
                  gen_ai__request__model="m")]  # fmt: skip
    for number, name, lasts in ((3, "look", 30), (6, "plan", 20)):
        spans += [otel(number, 1, "execute_tool task", 2, lasts, **said),
                  otel(number + 1, number, f"invoke_agent {name}", 3, 12,
                       gen_ai__operation__name="invoke_agent", gen_ai__agent__name=name),
                  otel(number + 2, number + 1, "chat m", 4, 8, gen_ai__operation__name="chat",
                       gen_ai__request__model="m",
                       gen_ai__usage__input_tokens=number)]  # fmt: skip
    traces = read_traces([whole(tmp_path / "tools.json", document(*spans))])
    (run,) = [each.operations for each in runs_of(traces.calls)]
    lasts = {run.agents[child]: run.end[i] - run.start[i] for child, i in starts_of(run).items()}
    assert lasts == {"look": 30.0, "plan": 20.0}


@pytest.mark.parametrize("longer", [1, 2])
def test_of_tools_around_an_agent_the_shortest_started_it(longer: int, tmp_path: Path) -> None:
    said = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "task"}
    lasts = {1: 15.0, 2: 15.0, longer: 40.0}
    spans = [otel(1, None, "invoke_agent lead", 0, 60, gen_ai__operation__name="invoke_agent",
                  gen_ai__agent__name="lead"),
             otel(2, 1, "chat m", 0, 1, gen_ai__operation__name="chat",
                  gen_ai__request__model="m"),
             *(otel(2 + i, 1, "execute_tool task", 1.5 + 0.1 * i, lasts[i], **said)
               for i in (1, 2)),
             otel(5, 1, "invoke_agent look", 3, 12, gen_ai__operation__name="invoke_agent",
                  gen_ai__agent__name="look"),
             otel(6, 5, "chat m", 4, 8, gen_ai__operation__name="chat",
                  gen_ai__request__model="m")]  # fmt: skip
    (run,) = [each.operations for each in runs_of(
        read_traces([whole(tmp_path / "tools.json", document(*spans))]).calls)]  # fmt: skip
    (start,) = starts_of(run).values()
    assert run.end[start] - run.start[start] == pytest.approx(15.0)


def test_all_of_a_team_is_one_run_also_where_lines_do_not_say_so(tmp_path: Path) -> None:
    team = {"teamName": "crew", "agentName": "lead"}
    side = {"isSidechain": True, "agentId": "x1"}
    lines(
        tmp_path / "S1.jsonl",
        [claude_event(0, "u0", None), claude_message(2, "a0", "u0", "m0"),  # before the team
         claude_event(3, "u1", "a0", **team), claude_message(5, "a1", "u1", "m1", **team)],
    )  # fmt: skip
    lines(
        tmp_path / "S1" / "subagents" / "agent-x1.jsonl",
        [claude_event(3, "v0", None, **side), claude_message(6, "b0", "v0", "m2", **side)],
    )
    traces = read_traces([tmp_path])
    assert traces.runs["run_id"].tolist() == ["crew"]
    assert sorted(traces.chats["agent_id"]) == ["lead", "lead", "x1"]
    assert traces.agents.set_index("agent_id").loc["x1", "parent_agent_id"] == "lead"


def test_a_placeholder_is_no_count(tmp_path: Path) -> None:
    rows = [claude_event(0, "u", None), claude_message(3, "a", "u", "m", stop=None)]
    traces = read_traces([lines(tmp_path / "s.jsonl", rows)])
    call = traces.chats.iloc[0]
    assert call["input_tokens"] == 1000
    assert pd.isna(call["output_tokens"])
    assert pd.isna(call["cost_usd"])
    assert traces.report.placeholders.count == 1
    with pytest.raises(TeamsimError, match="placeholders"):
        traces.report.check_complete()


def test_codex_copies_count_once_also_without_their_origin(tmp_path: Path) -> None:
    folder = SAMPLES["codex"](tmp_path)
    traces = read_traces([folder])
    chats = traces.chats
    seconds = ((chats["end_ns"] - chats["start_ns"]) / 1e9).groupby(chats["agent_id"]).apply(list)
    assert seconds.to_dict() == {"C": [8.0], "F": [4.0], "G": [4.0, 1.0], "P": [4.0, 4.0]}
    assert traces.agents.set_index("agent_id")["depth"].to_dict() == {
        "C": 1,
        "F": 0,
        "G": 2,
        "P": 0,
    }
    assert traces.runs["run_id"].tolist() == ["F", "P"]  # a fork is a run of its own
    assert traces.tools[["agent_id", "status"]].to_numpy().tolist() == [["P", "error"]]
    alone = read_traces([folder / "rollout-C.jsonl"])
    assert alone.chats["input_tokens"].tolist() == [500]
    assert alone.chats["run_id"].tolist() == ["P"]


def test_codex_calls_end_by_what_they_wrote(tmp_path: Path) -> None:
    totals: dict[str, int] = {}

    def item(second: float, kind: str, **more: str) -> dict[str, object]:
        return codex_line(second, "response_item", type=kind, **more)

    def answer(second: float) -> dict[str, object]:
        return item(second, "message", role="assistant")

    path = lines(
        tmp_path / "rollout-a.jsonl",
        [codex_line(0, "session_meta", id="a"), codex_line(0, "turn_context", model="g"),
         codex_line(0, "event_msg", type="user_message"),
         # The call of a tool before the count, after some words, and after the count.
         answer(2), item(2, "function_call", name="shell", call_id="1"),
         codex_count(3, 10, 5, 3, totals), item(4, "function_call_output", call_id="1"),
         answer(6), codex_count(7, 20, 5, 3, totals),
         item(7, "custom_tool_call", name="patch", call_id="2"),
         item(9, "custom_tool_call_output", call_id="2"),
         answer(11), codex_count(12, 30, 5, 3, totals),
         codex_line(60, "event_msg", type="user_message"), codex_count(63, 40, 5, 3, totals)],
    )  # fmt: skip
    calls = read_traces([path]).chats["finish_reason"]
    assert calls.fillna("").tolist() == ["tool_calls", "tool_calls", "stop", ""]


def test_codex_totals_that_start_anew_are_counts_of_their_own(tmp_path: Path) -> None:
    def total(second: float, n: int) -> dict[str, Any]:
        info = {"total_token_usage": {"input_tokens": n, "output_tokens": 1}}
        return codex_line(second, "event_msg", type="token_count", info=info)

    path = lines(
        tmp_path / "r.jsonl",
        [codex_line(0, "session_meta", id="a"), codex_line(0, "turn_context", model="g"),
         total(1, 100), total(2, 250), total(3, 40)],
    )  # fmt: skip
    assert read_traces([path]).chats["input_tokens"].tolist() == [100, 150, 40]
    both = lines(
        tmp_path / "q.jsonl",
        [codex_line(0, "session_meta", id="b"), codex_line(0, "turn_context", model="g"),
         codex_count(2, 10, 5, 3, {"input_tokens": 900})],
    )  # fmt: skip
    assert read_traces([both]).chats["input_tokens"].tolist() == [10]  # the last count decides


def test_calls_in_parallel_by_one_instrumentor_are_two(tmp_path: Path) -> None:
    said = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m"}
    spans = [otel(1, None, "chat m", 0, 5, **said), otel(2, None, "chat m", 0.001, 4.998, **said)]
    assert len(read_traces([whole(tmp_path / "p.json", document(*spans))]).chats) == 2
    other = [spans[0], {**spans[1], "name": "ChatCompletion"}]
    assert len(read_traces([whole(tmp_path / "t.json", document(*other))]).chats) == 1
    counted = [
        {**other[0], "attributes": other[0]["attributes"] + attributes(llm__token_count__prompt=7)},
        {**other[1], "attributes": other[1]["attributes"] + attributes(llm__token_count__prompt=8)},
    ]
    assert len(read_traces([whole(tmp_path / "c.json", document(*counted))]).chats) == 2


def test_a_request_that_is_a_span_and_a_log_counts_once(tmp_path: Path) -> None:
    spans, logs = SAMPLES["claude_code_spans"](tmp_path), SAMPLES["claude_code_logs"](tmp_path)
    document = json.loads(logs.read_text())
    record = document["resourceLogs"][0]["scopeLogs"][0]["logRecords"][2]
    record["timeUnixNano"] = str((START + 18) * 10**9 + 3_000_000)  # as the span ends
    document["resourceLogs"][0]["scopeLogs"][0]["logRecords"] = [record]
    lines(logs, [document])
    traces = read_traces([spans, logs])
    assert len(traces.chats) == 3
    assert traces.chats["cost_usd"].tolist()[1] == 0.25  # which only the log knows
    assert traces.chats["attempt"].tolist()[1] == 2  # which only the span knows


def test_a_handoff_is_a_message(tmp_path: Path) -> None:
    traces = read_traces([SAMPLES["openai_agents"](tmp_path)])
    said = traces.messages[["src_agent_id", "dst_agent_id", "kind", "inferred"]].to_numpy().tolist()
    assert said == [["triage", "billing", "handoff", False]]
    tool = otel(1, None, "execute_tool", 0, 1, gen_ai__operation__name="execute_tool",
                gen_ai__tool__name="transfer_to_critic", gen_ai__agent__name="writer")  # fmt: skip
    traces = read_traces([whole(tmp_path / "swarm.json", document(tool))])
    said = traces.messages[["src_agent_id", "dst_agent_id", "kind"]].to_numpy().tolist()
    assert said == [["writer", "critic", "handoff"]]


def test_what_langfuse_calls_its_buckets_decides_what_adds_up(tmp_path: Path) -> None:
    usages: list[tuple[dict[str, int], dict[str, int], tuple[int, int]]] = [
        ({"input": 5, "input_cached_tokens": 800, "output": 9}, {}, (805, 9)),
        ({"input": 805, "input_cached_tokens": 800, "output": 9, "total": 814}, {}, (805, 9)),
        ({"input": 805, "prompt_details.cache_read": 800, "output": 9}, {}, (805, 9)),
        ({"input": 805, "input_cached_tokens": 800, "output": 9}, {"inputUsage": 805}, (805, 9)),
        ({"input": 5, "output": 9, "output_reasoning": 4}, {"outputUsage": 13}, (5, 13)),
        ({"input": 5, "output": 9, "output_reasoning": 4, "total": 14}, {"outputUsage": 9}, (5, 9)),
        ({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}, {}, (7, 3)),
    ]
    rows = [
        observation(f"g{i}", "GENERATION", 10 * i, 5, model="m", usageDetails=usage, **sums)
        for i, (usage, sums, _) in enumerate(usages)
    ]
    chats = read_traces([whole(tmp_path / "l.json", rows)]).chats
    found = list(zip(chats["input_tokens"], chats["output_tokens"], strict=True))
    assert found == [expected for *_, expected in usages]


@pytest.mark.parametrize(
    ("header", "row", "seconds"),
    [
        ("start_time,end_time", "2026-01-01T00:00:00Z,2026-01-01T00:00:04.5+00:00", 4.5),
        ("startTime,endTime", "2026-01-01 00:00:00,2026-01-01 00:00:02", 2.0),
        ("started_at,completed_at", "1780000000.25,1780000003.75", 3.5),
        ("start,end", "1780000000000,1780000003500", 3.5),
        ("start,end", "1780000000000000000,1780000003500000000", 3.5),
        ("timestamp,latency_ms", "1780000000,1250", 1.25),
        ("timestamp,response_time", "1780000000,1250", 1.25),
        ("created_at,latency", "2026-01-01T00:00:00Z,1.25", 1.25),
        ("Latency (s),Model Name", "150,m", 150.0),
        ("duration_s,end_s", "2.5,100", 2.5),
    ],
)
def test_times_of_tables_by_name_and_size(
    header: str, row: str, seconds: float, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{header},prompt_tokens\n{row},10\n")
    call = read_traces([path]).chats.iloc[0]
    assert (call["end_ns"] - call["start_ns"]) / 1e9 == seconds
    assert call["input_tokens"] == 10


def test_names_that_are_told_make_a_table_of_any_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("who,took,read\na,1.5,10\nb,2.5,20\n")
    with pytest.raises(TeamsimError, match="no known trace format"):
        read_traces([path])
    told = {"duration_s": "took", "agent_id": "who", "input_tokens": "read"}
    chats = read_traces([path], columns=told).chats
    assert chats["agent_id"].tolist() == ["a", "b"]
    assert ((chats["end_ns"] - chats["start_ns"]) / 1e9).tolist() == [1.5, 2.5]
    assert chats["input_tokens"].tolist() == [10, 20]


def test_a_unit_that_is_guessed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("model,response_time\nm,2500\nm,3100\n")
    traces = read_traces([path])
    assert any("'response_time' is taken as milliseconds" in note for note in traces.notes)
    path.write_text("model,response_time_ms\nm,2500\nm,3100\n")
    assert not any("taken as" in note for note in read_traces([path]).notes)


CASE_FILES: dict[str, list[Any]] = {
    "cc_snapshot_first": [5, 47_515, 45_000, 400, ["b1", "main"], 1],
    "cc_agent_team": [9, 85_527, 81_000, 720, ["backend", "lead", "tester"], 1],
    "cc_placeholder": [90, 855_270, 810_000, None, ["main"], 3],
    "codex_fork": [3, 35_000, 29_000, 900, ["C", "P"], 1],
    "otlp_array.json": [2, 1800, None, 100, [], 1],
    "otlp_openllmetry_legacy.jsonl": [1, 900, None, 50, ["planner"], 1],
    "otlp_two_instrumentors.jsonl": [1, None, None, None, ["AgentExecutor"], 1],
    "otlp_claude_code_failed.jsonl": [2, 9503, 9000, 80, ["main"], 1],
    "otlp_claude_code_logs.jsonl": [1, 9503, 9000, 80, ["main"], 1],
    "phoenix_otlp_download.json": [1, 900, None, 50, [], 1],
    "langfuse_cached.json": [1, 129_205, 128_000, 400, [], 1],
    "langfuse_openinference_cache.json": [1, 9000, 8000, 100, [], 1],
    "langfuse_reasoning.json": [1, 179, 0, 99, [], 1],
    "langfuse_langgraph_agents.json": [2, 1400, None, 340, ["researcher", "supervisor"], 1],
    "langfuse_snake_case.jsonl": [1, 900, None, 50, [], 1],
}


@pytest.mark.parametrize("name", list(CASE_FILES))
def test_the_cases_read_as_their_table_says(name: str) -> None:
    if not CASES.is_dir():
        pytest.skip(f"needs the case files in {CASES}")
    traces = read_traces([CASES / name])
    found = totals(traces)
    assert [found[0], found[3], found[4], *found[6:]] == CASE_FILES[name]
    assert traces.report.errors.count == 0
    seconds = ((traces.chats["end_ns"] - traces.chats["start_ns"]) / 1e9).tolist()
    expected = {
        "cc_snapshot_first": [4.0] * 5,
        "codex_fork": [10.0, 15.0, 9.0],
        "otlp_array.json": [2.0, 2.0],
        "otlp_two_instrumentors.jsonl": [1.998],
        "otlp_claude_code_failed.jsonl": [30.0, 9.0],
        "otlp_claude_code_logs.jsonl": [4.0],
        "phoenix_otlp_download.json": [3.0],
        "langfuse_langgraph_agents.json": [4.0, 13.0],
    }
    assert seconds == pytest.approx(expected.get(name, seconds), abs=1e-6)


def test_more_of_what_the_cases_hold() -> None:
    if not CASES.is_dir():
        pytest.skip(f"needs the case files in {CASES}")
    failed = read_traces([CASES / "otlp_claude_code_failed.jsonl"]).chats
    assert failed["status"].tolist() == ["error", "ok"]
    assert failed["http_status"].tolist()[0] == 529
    assert failed["attempt"].tolist() == [1, 2]
    assert failed["run_id"].tolist() == ["S1", "S1"]
    for name, cost in (("otlp_claude_code_logs.jsonl", 0.01), ("langfuse_reasoning.json", 0.00024)):
        assert read_traces([CASES / name]).chats["cost_usd"].tolist() == [cost]
    codex = read_traces([CASES / "codex_fork"]).agents.set_index("agent_id").loc["C"]
    assert codex[["parent_agent_id", "depth"]].tolist() == ["P", 1]
    main = CASES / "cc_snapshot_first" / "s1.jsonl"
    assert len(read_traces([main]).chats) == 5
    assert len(read_traces([main, CASES / "cc_snapshot_first"]).chats) == 5
    team = read_traces([CASES / "cc_agent_team"])
    assert sorted(team.calls["session_id"].unique()) == ["L", "M1", "M2"]
    rows = {"iso_times": 40, "one_session": 40, "two_sessions": 60, "many_short_sessions": 200,
            "two_sessions_short_second": 41, "constant_durations": 90,
            "no_cached_tokens": 125}  # fmt: skip
    for name, n in rows.items():
        assert len(read_traces([CASES / f"{name}.csv"]).chats) == n
    iso = read_traces([CASES / "iso_times.csv"]).chats
    assert ((iso["end_ns"] - iso["start_ns"]) / 1e9).between(3, 6).all()
