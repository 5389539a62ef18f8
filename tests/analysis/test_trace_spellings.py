"""Readers understand the versions and spellings that programs have had over the years."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import (
    SECOND,
    START,
    attributes,
    claude_event,
    claude_message,
    codex_count,
    codex_line,
    document,
    lines,
    otel,
    snake,
    whole,
)

CHAT = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m"}
COUNTED = {"gen_ai__usage__input_tokens": 100, "gen_ai__usage__output_tokens": 9}
DETAILS = "gen_ai.client.inference.operation.details"

Case = Callable[[Path], tuple[Path, dict[str, Any]]]
CASES: dict[str, Case] = {}


def case(write: Case) -> Case:
    """Keep a function that writes a file, and returns it with what must be read."""
    CASES[write.__name__] = write
    return write


def record(at: float, span: int | None = None, **said: Any) -> dict[str, Any]:
    """Return an OTLP log record."""
    ids = {} if span is None else {"traceId": f"{7:032x}", "spanId": f"{span:016x}"}
    moment = str(int((START + at) * SECOND))
    return {"timeUnixNano": moment, "attributes": attributes(**said), **ids}


def logs(*records: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}


def found_in(traces: Traces) -> dict[str, Any]:
    """Return what tests ask for; a sum is None if no call has the value."""
    chats, tools = traces.chats, traces.tools
    sums = {
        short: int(chats[name].sum()) if chats[name].notna().any() else None
        for short, name in (
            ("input", "input_tokens"), ("cached", "cache_read_input_tokens"),
            ("written", "cache_write_input_tokens"), ("output", "output_tokens"),
            ("reasoning", "reasoning_output_tokens"),
        )
    }  # fmt: skip
    lasted = ((chats["end_ns"] - chats["start_ns"]) / 1e9).astype("Float64")
    return {
        **sums,
        "calls": len(chats), "tools": len(tools),
        "failed": int((chats["status"] != "ok").sum()),
        "tools_failed": int((tools["status"] != "ok").sum()),
        "seconds": [round(s, 6) for s in lasted.dropna()],
        "agents": chats["agent_id"].fillna("").tolist(),
        "parents": dict(zip(*(traces.agents[n] for n in ("agent_id", "parent_agent_id")),
                            strict=True)),
        "names": sorted(tools["tool_name"].dropna()),
        "models": chats["response_model"].dropna().unique().tolist(),
        "cost": round(float(chats["cost_usd"].sum()), 6),
        "reasons": chats["finish_reason"].fillna("").tolist(),
        "first": [round(s, 6) for s in chats["first_chunk_s"].dropna()],
        "told": list(traces.messages.loc[~traces.messages["inferred"].fillna(False),
                     ["src_agent_id", "dst_agent_id"]].itertuples(index=False, name=None)),
        "sizes": tools["result_size"].dropna().tolist(),
        "runs": traces.calls["run_id"].unique().tolist(),
        "errors": traces.report.errors.count,
        "duplicates": traces.report.duplicates.count,
    }  # fmt: skip


# --- OTLP -------------------------------------------------------------------------------------


@case
def anthropic_input_without_the_cache_and_a_total_without_it(path: Path) -> tuple[Path, Any]:
    # The total says that the cache is a part of the input, which is smaller than it.
    span = otel(1, None, "anthropic.chat", 0, 3, llm__request__type="chat",
                gen_ai__system="Anthropic", gen_ai__request__model="m",
                gen_ai__usage__prompt_tokens=10, gen_ai__usage__completion_tokens=50,
                gen_ai__usage__cache_read_input_tokens=800,
                gen_ai__usage__cache_creation_input_tokens=100,
                llm__usage__total_tokens=60)  # fmt: skip
    return lines(path / "a.jsonl", [document(span)]), {"input": 910, "cached": 800, "output": 50}


@case
def the_details_of_a_call_beside_its_span(directory: Path) -> tuple[Path, dict[str, Any]]:
    event = record(4, 1, event__name=DETAILS, **COUNTED, **CHAT)
    path = lines(directory / "a", [logs(event), document(otel(1, None, "chat", 0, 4, **CHAT))])
    return path, {"calls": 1, "input": 100, "output": 9, "seconds": [4.0], "duplicates": 0}


@case
def the_details_of_a_call_without_a_span(directory: Path) -> tuple[Path, dict[str, Any]]:
    event = {**record(4, 1, gen_ai__agent__name="w", **COUNTED, **CHAT), "eventName": DETAILS}
    path = lines(directory / "a", [logs(event)])
    return path, {"calls": 1, "input": 100, "agents": ["w"], "seconds": [], "errors": 0}


@case
def the_details_of_a_call_in_its_span(directory: Path) -> tuple[Path, dict[str, Any]]:
    event = {"name": DETAILS, "attributes": attributes(**COUNTED)}
    span = otel(1, None, "chat", 0, 4, **CHAT) | {"events": [event]}
    return whole(directory / "a", document(span)), {"calls": 1, "input": 100, "output": 9}


@case
def codex_as_logs(directory: Path) -> tuple[Path, dict[str, Any]]:
    known = {"conversation__id": "c1", "model": "g"}
    records = [
        record(1, event__name="codex.api_request", duration_ms="200", **known,
               http__response__status_code="500"),
        record(3, event__name="codex.api_request", duration_ms="300", **known),
        record(4, event__name="codex.sse_event", event__kind="response.created", **known),
        record(6, event__name="codex.sse_event", event__kind="response.completed", **known,
               input_token_count="100", cached_token_count="40", cache_write_token_count="20",
               output_token_count="10", reasoning_token_count="5"),
        record(9, event__name="codex.tool_result", tool_name="shell", duration_ms="1500",
               success="false", **known),
        record(20, event__name="codex.sse_event", event__kind="response.completed", **known,
               input_token_count="7"),
    ]  # fmt: skip
    return lines(directory / "a", [logs(*records)]), {
        "calls": 3, "failed": 1, "input": 107, "cached": 40, "written": 20, "output": 10,
        "seconds": [0.2, 3.3], "tools": 1, "tools_failed": 1, "errors": 0,
    }  # fmt: skip


@case
def gemini_cli_whose_output_has_no_thoughts(directory: Path) -> tuple[Path, dict[str, Any]]:
    records = [
        record(1, event__name="gemini_cli.api_request", model="g"),
        record(6, event__name="gemini_cli.api_response", model="g", duration_ms=4000,
               input_token_count=100, cached_content_token_count=40, output_token_count=10,
               thoughts_token_count=25, total_token_count=135),
    ]  # fmt: skip
    return lines(directory / "a", [logs(*records)]), {
        "calls": 1, "input": 100, "cached": 40, "output": 35, "reasoning": 25, "errors": 0,
    }  # fmt: skip


@case
def a_record_that_was_exported_twice(directory: Path) -> tuple[Path, dict[str, Any]]:
    once = logs(record(18, event__name="api_request", model="c", duration_ms="8000",
                       input_tokens="5", cost_usd="0.5"))  # fmt: skip
    return lines(directory / "a", [once, once]), {"calls": 1, "cost": 0.5, "duplicates": 1}


@case
def claude_code_that_tells_of_a_tool_in_a_span_and_a_record(
    directory: Path,
) -> tuple[Path, dict[str, Any]]:
    spans = [otel(4, None, "claude_code.tool", 20, 7, tool_name="Bash", tool_use_id="t1"),
             otel(6, 4, "claude_code.tool.execution", 24, 3),
             otel(5, None, "claude_code.tool", 20, 7, tool_name="Read", tool_use_id="t2"),
             otel(3, None, "claude_code.llm_request", 10, 8, model="c")]  # fmt: skip
    said = record(27, event__name="tool_result", session__id="S", tool_name="Bash",
                  tool_use_id="t1", duration_ms="3000", success="false")  # fmt: skip
    path = lines(directory / "a", [document(*spans, session__id="S"), logs(said)])
    return path, {"calls": 1, "tools": 2, "names": ["Bash", "Read"], "tools_failed": 1}


@case
def ids_in_small_and_in_capital_letters(directory: Path) -> tuple[Path, dict[str, Any]]:
    boss = otel(171, None, "invoke_agent boss", 0, 9, gen_ai__operation__name="invoke_agent",
                gen_ai__agent__name="boss")  # fmt: skip
    call = otel(172, 171, "chat", 1, 2, **CHAT)
    call["parentSpanId"] = call["parentSpanId"].upper()
    return whole(directory / "a", document(boss, call)), {"calls": 1, "agents": ["boss"]}


@case
def integers_in_halves(directory: Path) -> tuple[Path, dict[str, Any]]:
    span = otel(1, None, "chat", 0, 4, **CHAT)
    for name in ("startTimeUnixNano", "endTimeUnixNano"):
        high, low = divmod(int(span[name]), 2**32)
        span[name] = {"low": low - 2**32 if low >= 2**31 else low, "high": high}
    halves = {"low": 7, "high": 0, "unsigned": False}
    span["attributes"].append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": halves}})
    return whole(directory / "a", document(span)), {"input": 7, "seconds": [4.0], "errors": 0}


@case
def times_as_texts_and_in_powers_of_ten(directory: Path) -> tuple[Path, dict[str, Any]]:
    one, two = otel(1, None, "chat", 0, 4, **CHAT), otel(2, None, "chat", 0, 4, **CHAT)
    one |= {"startTimeUnixNano": "2026-06-01T09:00:00.000000001Z",
            "endTimeUnixNano": "2026-06-01T09:00:04.000000001Z"}  # fmt: skip
    two |= {"startTimeUnixNano": 1.78e18, "endTimeUnixNano": "1.780000003e18"}
    path = whole(directory / "a", document(one, two))
    return path, {"calls": 2, "seconds": [3.0, 4.0], "errors": 0}


@case
def a_page_of_phoenix_with_otlp(directory: Path) -> tuple[Path, dict[str, Any]]:
    span = snake(otel(1, None, "ChatOpenAI", 0, 3, openinference__span__kind="LLM",
                      llm__model_name="m", llm__token_count__prompt=900,
                      llm__token_count__prompt_details__cache_input=800))  # fmt: skip
    path = whole(directory / "a", {"data": [span], "next_cursor": None})
    return path, {"calls": 1, "input": 900, "cached": 800}


@case
def pydantic_ai_before_it_named_operations(directory: Path) -> tuple[Path, dict[str, Any]]:
    spans = [
        otel(1, None, "agent run", 0, 30, agent_name="boss", model_name="m", **COUNTED),
        otel(2, 1, "chat m", 0, 3, **COUNTED, **CHAT),
        otel(3, 1, "running 1 tool", 3, 20),
        otel(4, 3, "running tool", 3, 20, gen_ai__tool__name="ask"),
        otel(5, 4, "agent run", 4, 18, agent_name="kid", model_name="m", **COUNTED),
        otel(6, 5, "chat m", 4, 3, **COUNTED, **CHAT),
        otel(7, 1, "chat m", 24, 3, **COUNTED, **CHAT),
    ]
    return whole(directory / "a", document(*spans)), {
        "calls": 3, "input": 300, "agents": ["boss", "kid", "boss"], "names": ["ask"],
    }  # fmt: skip


@case
def tools_that_only_their_span_names(directory: Path) -> tuple[Path, dict[str, Any]]:
    call = otel(1, None, "chat", 0, 3, **CHAT)
    spans = [call, otel(2, None, "search_web", 4, 3, openinference__span__kind="TOOL"),
             otel(3, None, "execute_tool calc", 8, 3, gen_ai__operation__name="execute_tool"),
             otel(4, None, "lookup", 12, 1, langfuse__observation__type="tool",
                  langfuse__observation__level="ERROR")]  # fmt: skip
    path = whole(directory / "a", document(*spans))
    return path, {"tools": 3, "names": ["calc", "lookup", "search_web"], "tools_failed": 1}


@case
def mlflow_whose_texts_are_json(directory: Path) -> tuple[Path, dict[str, Any]]:
    usage = json.dumps({"input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": 4})
    span = otel(1, None, "ChatCompletion", 1, 3, mlflow__spanType='"CHAT_MODEL"',
                mlflow__llm__model='"big"', mlflow__chat__tokenUsage=usage)  # fmt: skip
    path = whole(directory / "a", document(span))
    return path, {"calls": 1, "input": 10, "cached": 4, "models": ["big"]}


@case
def embeddings_of_vercel_are_no_calls(directory: Path) -> tuple[Path, dict[str, Any]]:
    inner = {"ai__operationId": "ai.streamText.doStream", "ai__model__id": "m"}
    spans = [otel(1, None, "ai.embed", 0, 3, ai__operationId="ai.embed", ai__model__id="e"),
             otel(2, None, "ai.streamText.doStream", 4, 3, ai__usage__inputTokens=400,
                  ai__usage__cachedInputTokens=300, ai__usage__outputTokens=20,
                  **inner)]  # fmt: skip
    path = whole(directory / "a", document(*spans))
    return path, {"calls": 1, "input": 400, "cached": 300, "output": 20}


@case
def reasoning_beside_the_output_by_the_total(directory: Path) -> tuple[Path, dict[str, Any]]:
    known = {"openinference__span__kind": "LLM", "llm__model_name": "m",
             "llm__token_count__prompt": 10, "llm__token_count__completion": 20,
             "llm__token_count__completion_details__reasoning": 15}  # fmt: skip
    spans = [otel(1, None, "apart", 0, 1, **known, llm__token_count__total=45),
             otel(2, None, "a part", 5, 1, **known, llm__token_count__total=30)]  # fmt: skip
    path = whole(directory / "a", document(*spans))
    return path, {"calls": 2, "input": 20, "output": 55, "reasoning": 30}


# --- Sessions, stores and tables --------------------------------------------------------------


@case
def claude_code_with_sub_agents_in_the_main_file(directory: Path) -> tuple[Path, dict[str, Any]]:
    def asked(second: float, uuid: str, content: Any) -> dict[str, Any]:
        message = {"role": "user", "content": content}
        return claude_event(second, uuid, None, isSidechain=True, message=message)

    tasks = [{"type": "tool_use", "id": f"t{x}", "name": "Task", "input": {"prompt": f"do {x}"}}
             for x in "AB"]  # fmt: skip
    results = [{"type": "tool_result", "tool_use_id": f"t{x}", "content": "x"} for x in "AB"]
    rows = [
        claude_event(0, "u0", None),
        claude_message(2, "a0", "u0", "m0", *tasks, stop="tool_use", costUSD=0.25),
        asked(2.5, "b", "do B"), asked(2.6, "a", [{"type": "text", "text": "do A"}]),
        claude_message(5, "b1", "b", "n0", isSidechain=True),
        claude_message(6, "a1", "a", "n1", isSidechain=True),
        claude_event(8, "u1", "a0", message={"role": "user", "content": results}),
        claude_message(9, "a2", "u1", "m1"),
    ]  # fmt: skip
    return lines(directory / "s.jsonl", rows), {
        "calls": 4, "tools": 2, "cost": 0.25,
        "agents": ["main", "sidechain", "sidechain-2", "main"],
    }  # fmt: skip


@case
def codex_tools_that_tell_their_exit_code_in_words(directory: Path) -> tuple[Path, dict[str, Any]]:
    outputs = ["Exit code: 1\nWall time: 2 seconds\nOutput:\nExit code: 0", "Exit code: 0\nOutput:",
               "Wall time: 3.0 seconds\nProcess exited with code 2\nOutput:\n"]  # fmt: skip
    rows = [codex_line(0, "session_meta", id="P"), codex_line(0, "turn_context", model="g"),
            codex_count(5, 1000, 800, 50, {})]  # fmt: skip
    for i, output in enumerate(outputs):
        known = {"call_id": f"f{i}"}
        rows += [
            codex_line(6, "response_item", type="function_call", name="shell", **known),
            codex_line(7, "response_item", type="function_call_output", output=output, **known),
        ]
    return lines(directory / "rollout-x.jsonl", rows), {"calls": 1, "tools": 3, "tools_failed": 2}


@case
def litellm_whose_proxy_calls_tools(directory: Path) -> tuple[Path, dict[str, Any]]:
    known = {"startTime": START + 5, "endTime": START + 6, "trace_id": "w"}
    tool = {"id": "3", "call_type": "call_mcp_tool", "model": "MCP: grep", **known}
    named = {"metadata": {"mcp_tool_call_metadata": {"name": "ls"}}, "id": "4"}
    call = {"id": "1", "call_type": "completion", "model": "m", "prompt_tokens": 9, **known}
    path = lines(directory / "l.jsonl", [call, tool, {**tool, **named}])
    return path, {"calls": 1, "input": 9, "names": ["grep", "ls"], "models": ["m"]}


@case
def langsmith_with_usage_in_the_metadata(directory: Path) -> tuple[Path, dict[str, Any]]:
    usage = {"input_tokens": 10, "output_tokens": 3, "input_token_details": {"cache_read": 4}}
    run = {"id": "r", "trace_id": "r", "run_type": "llm", "start_time": "2026-06-01T09:00:00",
           "end_time": "2026-06-01T09:00:04.5", "outputs": {},
           "extra": {"metadata": {"ls_model_name": "m", "usage_metadata": usage}}}  # fmt: skip
    path = lines(directory / "l.jsonl", [run])
    return path, {"calls": 1, "input": 10, "cached": 4, "output": 3, "seconds": [4.5]}


@case
def durations_with_their_unit_in_each_cell(directory: Path) -> tuple[Path, dict[str, Any]]:
    path = directory / "t.csv"
    path.write_text(
        'model,latency,prompt_tokens\nm,1.25s,"1,000"\nm,850ms,10\nm,0:00:02.5,10\nm,soon,10\n'
    )
    return path, {"calls": 3, "seconds": [1.25, 0.85, 2.5], "input": 1020, "errors": 1}


@case
def a_table_with_decimal_commas(directory: Path) -> tuple[Path, dict[str, Any]]:
    path = directory / "t.csv"
    path.write_text("agent;model;start;duration_s;input tokens;cost\na;m;0;1,5;10;0,25\n")
    return path, {"calls": 1, "seconds": [1.5], "input": 10, "cost": 0.25, "errors": 0}


@pytest.mark.parametrize("name", CASES)
def test_a_spelling_is_understood(name: str, tmp_path: Path) -> None:
    path, expected = CASES[name](tmp_path)
    found = found_in(read_traces([path]))
    assert {key: found[key] for key in expected} == expected


def test_a_sub_agent_in_the_main_file_was_started_by_the_task_with_its_prompt(
    tmp_path: Path,
) -> None:
    path, _ = claude_code_with_sub_agents_in_the_main_file(tmp_path)
    chats = read_traces([path]).chats.set_index("agent_id")
    assert chats.loc["sidechain", ["parent_agent_id", "parent_span_id"]].tolist() == ["main", "tB"]
    assert chats.loc["sidechain-2", "parent_span_id"] == "tA"


def test_tools_in_parallel_are_not_one(tmp_path: Path) -> None:
    said = {"gen_ai__operation__name": "execute_tool"}
    spans = [otel(i, None, f"execute_tool {name}", 0, 3, gen_ai__tool__name=name, **said)
             for i, name in enumerate(("ls", "ls", "grep"), start=1)]  # fmt: skip
    assert len(read_traces([whole(tmp_path / "a", document(*spans))]).tools) == 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_agents_whose_names_differ_by_an_umlaut_stay_apart(encoding: str, tmp_path: Path) -> None:
    names = ["Möller", "Müller", "Muller"]
    table = "agent;model;duration_s\n" + "".join(f"{name};m;4,5\n" for name in names)
    spans = [
        otel(i, None, "chat", 5 * i, 2, **CHAT, gen_ai__agent__name=name)
        for i, name in enumerate(names, 1)
    ]
    text = {"calls.csv": table, "spans.jsonl": json.dumps(document(*spans), ensure_ascii=False)}
    for name, said in text.items():
        path = tmp_path / name
        path.write_bytes(said.encode(encoding))
        assert set(read_traces([path]).calls["agent_id"]) == set(names)
