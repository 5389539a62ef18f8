"""Every trace format is read by its rules, and what cannot be used is counted and named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.traces.canonical import AGENTS, CALLS, MESSAGES, RUNS, Traces
from analysis.traces.reader import READERS
from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.harness import DEALT, TASKS, logged_run, scenario, write_runs
from tests.analysis.test_calibration import TRUTH

SECOND = 1_000_000_000
OTLP = Path(__file__).resolve().parents[3] / "shared" / "data" / "otlp"


def chats(traces: Traces) -> pd.DataFrame:
    return traces.calls[traces.calls["operation_name"] == "chat"].reset_index(drop=True)


@pytest.fixture
def sdk_spans(tmp_path: Path) -> Path:
    """Spans written by the real SDK and its file exporter, in four dialects."""
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    files = pytest.importorskip("opentelemetry.exporter.otlp.json.file.trace_exporter")
    from opentelemetry.trace import Status, StatusCode, set_span_in_context

    path = tmp_path / "spans.jsonl"
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(files.FileSpanExporter(str(path))))
    tracer = provider.get_tracer("test")

    def span(name: str, start: int, end: int, parent: Any = None, **attributes: Any) -> Any:
        context = set_span_in_context(parent) if parent is not None else None
        made = tracer.start_span(name, context=context, start_time=(start + 100) * SECOND)
        for key, value in attributes.items():
            made.set_attribute(key.replace("__", "."), value)
        if attributes.get("error__type"):
            made.set_status(Status(StatusCode.ERROR, "no answer"))
        made.end_time_s = end
        return made

    def end(*spans: Any) -> None:
        for each in spans:  # children first, as they end
            each.end(end_time=(each.end_time_s + 100) * SECOND)

    lead = span(
        "invoke_agent lead", 0, 60, gen_ai__operation__name="invoke_agent",
        gen_ai__agent__name="lead", gen_ai__agent__id="a1", gen_ai__conversation__id="run-1",
    )  # fmt: skip
    latest = span(
        "chat m", 1, 5, lead, gen_ai__operation__name="chat", gen_ai__request__model="m",
        gen_ai__usage__input_tokens=1000, gen_ai__usage__cache_read__input_tokens=800,
        gen_ai__usage__output_tokens=50, gen_ai__response__time_to_first_chunk=0.5,
    )  # fmt: skip
    worker = span(
        "invoke_agent worker", 6, 50, lead, gen_ai__operation__name="invoke_agent",
        gen_ai__agent__name="worker",
    )  # fmt: skip
    outer = span("framework", 7, 20, worker, openinference__span__kind="LLM",
        llm__token_count__prompt=300, llm__token_count__completion=30, llm__model_name="m",
    )  # fmt: skip
    inner = span(
        "sdk", 8, 19, outer, gen_ai__operation__name="chat", gen_ai__system="x",
        gen_ai__request__model="m", gen_ai__usage__prompt_tokens=300,
        gen_ai__usage__completion_tokens=30,
    )  # fmt: skip
    claude = span(
        "claude_code.llm_request", 21, 30, worker, model="c", input_tokens=2,
        cache_read_tokens=84_562, cache_creation_tokens=100, output_tokens=7, ttft_ms=1200,
        attempt=2,
    )  # fmt: skip
    failed = span(
        "chat m", 31, 49, worker, gen_ai__operation__name="chat", gen_ai__request__model="m",
        error__type="TimeoutError",
    )  # fmt: skip
    tool = span(
        "execute_tool grep", 5, 6, lead, gen_ai__operation__name="execute_tool",
        gen_ai__tool__name="grep",
    )  # fmt: skip
    end(latest, tool, inner, outer, claude, failed, worker, lead)
    provider.shutdown()
    return path


def test_otlp_written_by_the_real_sdk(sdk_spans: Path) -> None:
    traces = read_traces([sdk_spans])
    found = chats(traces)
    assert len(found) == 4  # the framework's span holds the SDK's
    assert any("each around another" in note for note in traces.notes)
    by_start = found.set_index(found["start_ns"] // SECOND - 100)
    latest = by_start.loc[1]
    assert (latest["input_tokens"], latest["cache_read_input_tokens"]) == (1000, 800)
    assert latest["first_chunk_s"] == 0.5
    assert latest["agent_id"] == "a1"
    assert latest["agent_name"] == "lead"
    assert by_start.loc[8, "agent_id"] == "worker"  # inherited from the nearest agent above
    assert by_start.loc[8, "input_tokens"] == 300
    claude = by_start.loc[21]
    assert claude["input_tokens"] == 84_664  # what the cache gave is not in its own count
    assert claude["first_chunk_s"] == 1.2
    assert claude["attempt"] == 2
    assert by_start.loc[31, "status"] == "timeout"
    assert pd.isna(by_start.loc[31, "output_tokens"])  # absent is null, never 0
    assert (found["run_id"] == "run-1").all()
    kinds = traces.messages[["src_agent_id", "dst_agent_id", "kind"]].to_numpy().tolist()
    assert kinds == [["a1", "worker", "delegate"], ["worker", "a1", "return"]]
    assert traces.messages["inferred"].all()
    worker = traces.agents.set_index("agent_id").loc["worker"]
    assert worker["parent_agent_id"] == "a1"
    assert traces.runs.set_index("run_id").loc["run-1", "n_agents"] == 2
    for table, columns in (
        (traces.calls, CALLS),
        (traces.messages, MESSAGES),
        (traces.runs, RUNS),
        (traces.agents, AGENTS),
    ):
        assert list(table.columns) == list(columns)


def test_otlp_bad_spans_are_counted_and_named(tmp_path: Path) -> None:
    good = {
        "traceId": "t",
        "spanId": "s1",
        "name": "chat",
        "startTimeUnixNano": "0",
        "endTimeUnixNano": str(3 * SECOND),
        "status": {"code": "STATUS_CODE_ERROR"},
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
        ],
    }
    spans = [
        good,
        {**good, "spanId": "s2", "endTimeUnixNano": "soon"},
        {**good, "spanId": "s3", "startTimeUnixNano": str(9 * SECOND)},
        {**good, "spanId": None},
    ]
    path = tmp_path / "x.jsonl"
    lines = [json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) for span in spans]
    path.write_text("\n".join([*lines, "{broken", "[1]"]))
    traces = read_traces([path])
    assert chats(traces)["input_tokens"].tolist() == [12]
    assert chats(traces)["status"].tolist() == ["error"]
    assert len(traces.skipped) == 5
    assert "x.jsonl:2, span 's2': endTimeUnixNano is 'soon'" in traces.skipped[0]
    assert "ends before it starts" in traces.skipped[1]
    assert "no spanId" in traces.skipped[2]
    assert "x.jsonl:5: no JSON" in traces.skipped[3]
    assert "x.jsonl:6: a JSON object is expected" in traces.skipped[4]


def test_a_real_run_with_sub_agents() -> None:
    if not OTLP.is_dir():
        pytest.skip(f"needs the real spans in {OTLP}")
    traces = read_traces([OTLP])
    assert traces.skipped == []
    assert len(chats(traces)) == 1
    assert chats(traces).loc[0, ["input_tokens", "output_tokens"]].tolist() == [577, 796]
    children = traces.agents[traces.agents["parent_agent_id"] == "agento.pipeline"]
    assert len(children) == 3


def claude_line(second: int, uuid: str, parent: str | None, **fields: Any) -> dict[str, Any]:
    stamp = f"2026-03-01T10:00:{second:02d}.000Z"
    return {
        "type": "assistant",
        "sessionId": "s1",
        "uuid": uuid,
        "parentUuid": parent,
        "timestamp": stamp,
        **fields,
    }


def message(identity: str, output: int, stop: str | None) -> dict[str, Any]:
    usage = {
        "input_tokens": 4,
        "cache_read_input_tokens": 900,
        "cache_creation_input_tokens": 96,
        "output_tokens": output,
    }
    return {"id": identity, "model": "c-4", "stop_reason": stop, "usage": usage}


def test_claude_code_sessions(tmp_path: Path) -> None:
    lines = [
        claude_line(0, "u0", None, type="user", message={"role": "user"}),
        claude_line(3, "u1", "u0", message=message("m1", 1, None)),
        claude_line(5, "u2", "u1", message=message("m1", 250, "tool_use")),
        claude_line(
            20, "u3", "u2", type="user", toolUseResult={"agentId": "sub1", "totalTokens": 77}
        ),
        claude_line(24, "u4", "u3", message=message("m2", 1, None)),
        claude_line(30, "u5", "gone", message=message("m3", 9, "end_turn")),
    ]
    first, fork = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text("\n".join(map(json.dumps, lines)))
    copied = [{**line, "sessionId": "s2"} for line in lines[:3]]
    side = claude_line(40, "u9", "u2", message=message("m9", 30, "end_turn"), isSidechain=True)
    fork.write_text("\n".join(map(json.dumps, [*copied, {**side, "sessionId": "s2"}])))
    traces = read_traces([tmp_path])
    found = chats(traces).set_index("span_id")
    assert set(found.index) == {"m1", "m2", "m3", "m9"}
    assert found.loc["m1", "output_tokens"] == 250  # of the last line, not the sum
    assert found.loc["m1", "input_tokens"] == 1000  # with the cache
    assert (found.loc["m1", "end_ns"] - found.loc["m1", "start_ns"]) == 5 * SECOND
    assert found.loc["m1", "first_chunk_s"] == 3
    assert pd.isna(found.loc["m2", "output_tokens"])
    assert found.loc["m2", "quality_tokens"] == "placeholder"
    assert found.loc["m9", "agent_id"] == "sidechain"
    assert any("1 message left out that other sessions have too" in n for n in traces.notes)
    assert pd.isna(found.loc["m3", "start_ns"])  # what it answers is in no file
    assert found.loc["m3", "output_tokens"] == 9
    assert traces.messages[["src_agent_id", "tokens"]].to_numpy().tolist() == [["sub1", 77]]


def test_codex_rollouts(tmp_path: Path) -> None:
    def line(second: int, kind: str, **payload: Any) -> str:
        stamp = f"2026-05-01T10:00:{second:02d}.000Z"
        return json.dumps({"timestamp": stamp, "type": kind, "payload": payload})

    def count(last: dict[str, int] | None, total: dict[str, int]) -> dict[str, Any]:
        info: dict[str, Any] = {"total_token_usage": total}
        if last is not None:
            info["last_token_usage"] = last
        return {"type": "token_count", "info": info}

    one = {"input_tokens": 100, "cached_input_tokens": 60, "output_tokens": 20}
    two = {"input_tokens": 350, "cached_input_tokens": 260, "output_tokens": 50}
    path = tmp_path / "rollout-x.jsonl"
    path.write_text(
        "\n".join(
            [
                line(0, "session_meta", id="child", parent_thread_id="root", agent_nickname="Ada"),
                line(1, "turn_context", model="g-5"),
                line(2, "event_msg", type="user_message"),
                line(6, "event_msg", **count(one, one)),
                line(6, "event_msg", **count(one, one)),
                line(9, "response_item", type="function_call_output"),
                line(14, "event_msg", **count(None, two)),
                line(15, "event_msg", type="token_count", info=None),
                json.dumps({"type": "event_msg"}),
            ]
        )
    )
    traces = read_traces([path])
    found = chats(traces)
    assert found["input_tokens"].tolist() == [100, 250]  # the second from the totals' growth
    assert found["cache_read_input_tokens"].tolist() == [60, 200]
    assert ((found["end_ns"] - found["start_ns"]) // SECOND).tolist() == [4, 5]
    assert found["response_model"].unique().tolist() == ["g-5"]
    assert found["run_id"].unique().tolist() == ["root"]
    assert traces.messages.loc[0, ["src_agent_id", "dst_agent_id"]].tolist() == ["root", "child"]
    assert traces.agents.loc[0, "name"] == "Ada"
    assert traces.skipped == [f"{path}:9: no payload"]


def test_langfuse_exports(tmp_path: Path) -> None:
    def observation(identity: str, kind: str, **fields: Any) -> dict[str, Any]:
        return {
            "id": identity,
            "traceId": fields.pop("trace", "t1"),
            "type": kind,
            "startTime": "2026-02-01T10:00:00.000Z",
            "endTime": "2026-02-01T10:00:04.000Z",
            **fields,
        }

    usage = {"input": 10, "input_cache_read": 500, "input_cache_creation": 90, "output": 33}
    generation = observation(
        "g1", "GENERATION", parentObservationId="a1", model="m", usageDetails=usage,
        completionStartTime="2026-02-01T10:00:01.500Z", level="DEFAULT",
    )  # fmt: skip
    old = observation(
        "g2", "GENERATION", trace="t2", model="m", promptTokens=70, completionTokens=7,
        level="ERROR", statusMessage="request timed out",
    )  # fmt: skip
    bad = observation("g3", "GENERATION", endTime=None)
    traces_json = [
        {
            "id": "t1",
            "sessionId": "S",
            "observations": [observation("a1", "AGENT", name="planner"), generation],
        },
        {"trace": {"id": "t2", "sessionId": "S"}, "observations": [old, bad, 5]},
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(traces_json))
    traces = read_traces([path])
    found = chats(traces).set_index("span_id")
    assert found.loc["g1", "input_tokens"] == 600  # buckets are disjoint
    assert found.loc["g1", "cache_read_input_tokens"] == 500
    assert found.loc["g1", "first_chunk_s"] == 1.5
    assert found.loc["g1", "agent_name"] == "planner"
    assert found.loc["g2", ["input_tokens", "output_tokens"]].tolist() == [70, 7]
    assert found.loc["g2", "status"] == "timeout"
    assert (found["run_id"] == "S").all()  # two traces of one session are one run
    assert len(traces.skipped) == 2
    assert "observation 'g3'" in traces.skipped[0]


def test_plain_tables_and_their_column_maps(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "conversation": ["a", "a", "b", "b"],
            "model": ["m"] * 4,
            "took": [1.5, 2.5, "soon", 3.0],
            "prompt_tokens": [10, -1, 30, None],
            "completion_tokens": [1, 2, 3, 4],
        }
    )
    path = tmp_path / "calls.csv"
    table.to_csv(path, index=False)
    with pytest.raises(TeamsimError, match="it lacks a duration, or start and end"):
        read_traces([path])
    columns = {"duration_s": "took", "run_id": "conversation"}
    traces = read_traces([path], "table", columns)
    found = traces.calls
    assert len(found) == 3
    assert ((found["end_ns"] - found["start_ns"]) / SECOND).tolist() == [1.5, 2.5, 3.0]
    assert found["start_ns"].tolist()[:2] == [0, int(1.5 * SECOND)]  # one after the other
    assert found["input_tokens"].isna().tolist() == [False, True, True]
    assert [where.partition("calls.csv")[2] for where in traces.skipped] == [
        ", row 1, column 'prompt_tokens': -1.0 is below 0",
        ", row 2, column 'took': 'soon' is no number",
        ", row 2: no duration, or one below 0",
    ] or len(traces.skipped) == 3
    with pytest.raises(TeamsimError, match="did you mean 'took'"):
        read_traces([path], "table", {"duration_s": "tok"})
    with pytest.raises(TeamsimError, match="did you mean 'duration_s'"):
        read_traces([path], "table", {"duration": "took"})
    with pytest.raises(TeamsimError, match="lacks a duration"):
        read_traces([path], "table", {})


def test_a_calls_table_repeats_nothing(tmp_path: Path) -> None:
    row = {
        "run": "a",
        "model": "m",
        "start_s": 1_780_000_005.0,
        "duration_s": 2.0,
        "input_tokens": 9,
        "output_tokens": 1,
    }
    rows = [row, {**row, "run": "fork"}, {**row, "run": "a", "start_s": 1_780_000_009.0}]
    pd.DataFrame(rows).to_parquet(tmp_path / "calls.parquet")
    traces = read_traces([tmp_path])
    assert traces.calls["run_id"].tolist() == ["a", "a"]
    assert traces.notes == ["repeats left out (forked sessions): 1 call"]


def test_runs_timed_from_their_starts_may_be_alike(tmp_path: Path) -> None:
    """Whose first calls are alike, or all calls, are runs; one that begins as another is a fork."""
    known = {"model": "m", "input_tokens": 9, "output_tokens": 1}

    def calls(run: str, *lengths: float) -> list[dict[str, object]]:
        starts = enumerate(lengths)
        return [{"run": run, "start_s": 10.0 * i, "duration_s": n, **known} for i, n in starts]

    rows = calls("a", 2, 3, 4) + calls("same first", 2, 5) + calls("fork", 2, 3, 4, 7)
    rows += calls("constant", 6, 6, 6) + calls("again", 6, 6, 6)
    pd.DataFrame(rows).to_parquet(tmp_path / "calls.parquet")
    traces = read_traces([tmp_path])
    counts = traces.calls["run_id"].value_counts().to_dict()
    assert counts == {"a": 3, "same first": 2, "fork": 1, "constant": 3, "again": 3}


def test_team_runs_with_gaps_are_used_without_them(tmp_path: Path) -> None:
    truth = scenario(TRUTH, DEALT, 2, TASKS, 1)
    write_runs(tmp_path, [logged_run(truth, DEALT, i) for i in range(6)])
    events = pd.read_parquet(tmp_path / "events.parquet")
    runs = pd.read_parquet(tmp_path / "runs.parquet")
    events = events[events["run_dir"] != runs["run_dir"][2]]
    first = (events["run_dir"] == runs["run_dir"][3]) & (events["type"] == "round_start")
    events[~(first & (events["round"] == 1))].to_parquet(tmp_path / "events.parquet")
    runs.loc[4, "total_input_tokens"] = 0
    runs.to_parquet(tmp_path / "runs.parquet")
    traces = read_traces([tmp_path])
    assert traces.team is not None
    assert len(traces.team.runs) == 4
    assert any(
        f"no agent_reply of the run {runs['run_dir'][2]!r}" in each for each in traces.skipped
    )
    assert any("round 1" in each for each in traces.skipped)
    assert any("row 5: " in each and "has a total" in each for each in traces.skipped)
    assert len(traces.runs) == 4


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("events.parquet", "no known trace format"),
        ("tasks/toy/p10.json", "p10.json: no such file"),
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, broken: str, message: str) -> None:
    truth = scenario(TRUTH, DEALT, 1, TASKS, 1)
    write_runs(tmp_path, [logged_run(truth, DEALT, 0)])
    (tmp_path / broken).unlink()
    with pytest.raises(TeamsimError, match=message):
        read_traces([tmp_path])


def test_a_broken_table_names_file_and_column(tmp_path: Path) -> None:
    truth = scenario(TRUTH, DEALT, 1, TASKS, 1)
    write_runs(tmp_path, [logged_run(truth, DEALT, 0)])
    runs = pd.read_parquet(tmp_path / "runs.parquet")
    runs.drop(columns="success").to_parquet(tmp_path / "runs.parquet")
    with pytest.raises(TeamsimError, match=r"runs\.parquet lacks the column 'success'"):
        read_traces([tmp_path])
    (tmp_path / "runs.parquet").write_text("no parquet")
    with pytest.raises(TeamsimError, match="cannot be read as Parquet"):
        read_traces([tmp_path])


def test_unknown_formats_and_paths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(TeamsimError, match="no such file or directory"):
        read_traces([tmp_path / "none"])
    with pytest.raises(TeamsimError, match="no known trace format"):
        read_traces([tmp_path])
    with pytest.raises(TeamsimError, match="did you mean 'otlp'"):
        read_traces([tmp_path], "otpl")
    with pytest.raises(TeamsimError, match="nothing in it is of the format 'codex'"):
        read_traces([tmp_path], "codex")
    assert set(READERS.names()) >= {
        "canonical", "claude_code", "codex", "jaeger", "langfuse", "langsmith", "litellm",
        "llm_teams", "mlflow", "openai_agents", "otlp", "phoenix", "table",
    }  # fmt: skip
