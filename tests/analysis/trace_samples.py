"""Small made-up trace files of every kind, in the format in which programs write them."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SECOND = 10**9
START = 1_780_000_000


def stamp(second: float) -> str:
    """Return an ISO time, UTC."""
    minute, rest = divmod(second, 60)
    return f"2026-06-01T09:{int(minute):02d}:{rest:06.3f}Z"


def lines(path: Path, rows: Sequence[Any]) -> Path:
    """Write a JSON value a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def whole(path: Path, value: Any) -> Path:
    """Write one document over several lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1))
    return path


# --- OTLP -------------------------------------------------------------------------------------


def attributes(**said: Any) -> list[dict[str, Any]]:
    """Return OTLP attributes; two underscores in a name are a dot."""
    found = []
    for name, value in said.items():
        kind = {bool: "boolValue", int: "intValue", float: "doubleValue"}.get(
            type(value), "stringValue"
        )
        shown = str(value) if kind == "intValue" else value
        found.append({"key": name.replace("__", "."), "value": {kind: shown}})
    return found


def otel(
    number: int, parent: int | None, name: str, at: float, lasts: float, **said: Any
) -> dict[str, Any]:
    """Return one OTLP span."""
    status = said.pop("status", {})
    return {
        "traceId": f"{7:032x}",
        "spanId": f"{number:016x}",
        **({} if parent is None else {"parentSpanId": f"{parent:016x}"}),
        "name": name,
        "startTimeUnixNano": str(int((START + at) * SECOND)),
        "endTimeUnixNano": str(int((START + at + lasts) * SECOND)),
        "attributes": attributes(**said),
        "status": status,
    }


def document(*spans: dict[str, Any], **resource: Any) -> dict[str, Any]:
    """Return an OTLP document."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes(**resource)},
                "scopeSpans": [{"scope": {"name": "s"}, "spans": list(spans)}],
            }
        ]
    }


def semantic_conventions() -> list[dict[str, Any]]:
    """Return a lead that calls once, hands to a helper by a tool, who calls once and fails once."""
    return [
        otel(1, None, "invoke_agent lead", 0, 60, gen_ai__operation__name="invoke_agent",
             gen_ai__agent__name="lead", gen_ai__agent__id="L1", gen_ai__conversation__id="c1"),
        otel(2, 1, "chat big", 1, 4, gen_ai__operation__name="chat",
             gen_ai__request__model="big", gen_ai__usage__input_tokens=1000,
             gen_ai__usage__cache_read__input_tokens=700,
             gen_ai__usage__cache_write__input_tokens=200, gen_ai__usage__output_tokens=90,
             gen_ai__usage__reasoning__output_tokens=30),
        otel(3, 1, "execute_tool ask", 6, 40, gen_ai__operation__name="execute_tool",
             gen_ai__tool__name="ask", gen_ai__tool__call__result="x" * 12),
        otel(4, 3, "invoke_agent helper", 6, 39, gen_ai__operation__name="invoke_agent",
             gen_ai__agent__name="helper"),
        otel(5, 4, "chat big", 7, 3, gen_ai__operation__name="chat", gen_ai__request__model="big",
             gen_ai__usage__input_tokens=400, gen_ai__usage__output_tokens=10,
             gen_ai__response__finish_reasons='["stop"]'),
        otel(6, 4, "chat big", 11, 30, gen_ai__operation__name="chat",
             gen_ai__request__model="big", error__type="RateLimitError",
             http__response__status_code=429, status={"code": 2}),
    ]  # fmt: skip


def open_inference(directory: Path) -> Path:
    """Return OpenInference, one span a line, a node of LangGraph named in the metadata."""
    node = json.dumps({"langgraph_node": "writer", "thread_id": "t9"})
    spans = [
        otel(1, None, "LangGraph", 0, 20, openinference__span__kind="AGENT"),
        otel(2, 1, "RunnableSequence", 0, 9, openinference__span__kind="AGENT"),
        otel(3, 2, "ChatAnthropic", 1, 6, openinference__span__kind="LLM", metadata=node,
             llm__model_name="claude-x", llm__token_count__prompt=500,
             llm__token_count__prompt_details__cache_read=450, llm__token_count__completion=20,
             llm__token_count__total=520, llm__cost__total=0.02),
    ]  # fmt: skip
    return lines(directory / "oi.jsonl", [document(span) for span in spans])


def openllmetry(directory: Path) -> Path:
    """Return the older names of OpenLLMetry, as an array."""
    spans = [
        otel(1, None, "plan.workflow", 0, 9, traceloop__span__kind="workflow",
             traceloop__entity__name="plan"),
        otel(2, 1, "coder.agent", 0, 9, traceloop__span__kind="agent",
             traceloop__entity__name="coder"),
        otel(3, 2, "openai.chat", 1, 2, llm__request__type="chat", gen_ai__system="OpenAI",
             gen_ai__request__model="m", gen_ai__usage__prompt_tokens=300,
             gen_ai__usage__completion_tokens=30, llm__usage__total_tokens=330),
        otel(4, 2, "lint.tool", 4, 1, traceloop__span__kind="tool",
             traceloop__entity__name="lint", traceloop__entity__output="fine"),
    ]  # fmt: skip
    return whole(directory / "llmetry.json", [document(spans[0], spans[1]), document(*spans[2:])])


def vercel(directory: Path) -> Path:
    """Return the Vercel AI SDK: an outer span over two rounds and a tool."""
    outer = {"ai__operationId": "ai.generateText", "ai__telemetry__functionId": "triage"}
    inner = {"ai__operationId": "ai.generateText.doGenerate", "ai__model__id": "m"}
    spans = [
        otel(1, None, "ai.generateText", 0, 12, ai__model__id="m", ai__usage__promptTokens=900,
             ai__usage__completionTokens=50, **outer),
        otel(2, 1, "ai.generateText.doGenerate", 0, 3, gen_ai__usage__input_tokens=400,
             gen_ai__usage__output_tokens=20, ai__response__finishReason="tool-calls", **inner),
        otel(3, 1, "ai.toolCall", 3, 2, ai__operationId="ai.toolCall", ai__toolCall__name="grep",
             ai__toolCall__result="ab"),
        otel(4, 1, "ai.generateText.doGenerate", 6, 4, gen_ai__usage__input_tokens=500,
             gen_ai__usage__output_tokens=30, **inner),
    ]  # fmt: skip
    return whole(directory / "vercel.json", document(*spans))


def instrumented_twice(directory: Path) -> Path:
    """Return a framework's span and the client's beside it, and two calls in parallel."""
    kind = {"openinference__span__kind": "LLM", "llm__model_name": "m"}
    spans = [
        otel(1, None, "crew", 0, 30, openinference__span__kind="AGENT", agent__name="crew"),
        otel(2, 1, "ChatModel", 1, 5, **kind),
        otel(3, None, "Completion", 1.01, 4.98, **kind, llm__token_count__prompt=80),
        otel(4, 1, "ChatModel", 10, 5, **kind),
        otel(5, 1, "ChatModel", 10.01, 4.5, **kind),
    ]
    return whole(directory / "twice.json", document(*spans))


def claude_code_spans(directory: Path) -> Path:
    """Return Claude Code's own spans: a failure, a retry, a sub-agent's call, a tool with leave."""
    tokens = {"input_tokens": 5, "cache_read_tokens": 900, "cache_creation_tokens": 95}
    spans = [
        otel(1, None, "claude_code.interaction", 0, 60),
        otel(2, 1, "claude_code.llm_request", 0, 9, model="c", success=False, status_code=529,
             error="overloaded_error", attempt=1),
        otel(3, 1, "claude_code.llm_request", 10, 8, model="c", success=True, attempt=2,
             output_tokens=44, **tokens),
        otel(4, 1, "claude_code.tool", 20, 7, tool_name="Bash", tool_result_size_bytes=321),
        otel(5, 4, "claude_code.tool.blocked_on_user", 20, 4),
        otel(6, 4, "claude_code.tool.execution", 24, 3, success=False),
        otel(7, 1, "claude_code.llm_request", 30, 2, model="c", success=True, agent_id="sub1",
             output_tokens=6, **tokens),
    ]  # fmt: skip
    return lines(directory / "cc.otlp.jsonl", [document(*spans, session__id="S9")])


def log(at: float, name: str, **said: Any) -> dict[str, Any]:
    """Return one OTLP log record."""
    return {
        "timeUnixNano": str(int((START + at) * SECOND)),
        "body": {"stringValue": f"claude_code.{name}"},
        "attributes": attributes(event__name=name, session__id="S9", **said),
    }


def claude_code_logs(directory: Path) -> Path:
    """Return its events: a request, an error and a tool, numbers written as text."""
    records = [
        log(9, "user_prompt", prompt_length="5"),
        log(20, "api_error", model="c", duration_ms="5000", status_code="429", error="slow"),
        log(30, "api_request", model="c", duration_ms="6500", input_tokens="5",
            cache_read_tokens="900", cache_creation_tokens="95", output_tokens="44",
            cost_usd="0.25"),
        log(34, "tool_result", tool_name="Bash", duration_ms="1500", success="true",
            tool_result_size_bytes="77"),
    ]  # fmt: skip
    return lines(
        directory / "cc.logs.jsonl",
        [{"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}],
    )


def snake(value: Any) -> Any:
    """Return a document with snake_case names, as some downloads have."""
    if isinstance(value, list):
        return [snake(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in key): snake(each)
        for key, each in value.items()
    }


def protobuf(path: Path, of_collector: bool = False) -> Path:
    """Write the semantic conventions as protobuf, also as the collector's file exporter does."""
    from google.protobuf import json_format
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    message = json_format.ParseDict(document(*semantic_conventions()), TracesData())
    for span in message.resource_spans[0].scope_spans[0].spans:
        for name in ("trace_id", "span_id", "parent_span_id"):
            setattr(span, name, bytes(getattr(span, name))[:8].ljust(8, b"\1"))
    for i, span in enumerate(message.resource_spans[0].scope_spans[0].spans, start=1):
        parents = {2: 1, 3: 1, 4: 3, 5: 4, 6: 4}
        span.trace_id, span.span_id = bytes(15) + b"\7", bytes(7) + bytes([i])
        span.parent_span_id = bytes(7) + bytes([parents[i]]) if i in parents else b""
    data = message.SerializeToString()
    path.write_bytes((len(data).to_bytes(4, "big") + data) if of_collector else data)
    return path


# --- Sessions ---------------------------------------------------------------------------------


def claude_event(second: float, uuid: str, parent: str | None, **said: Any) -> dict[str, Any]:
    """Return a line of a session."""
    known = {"type": "user", "sessionId": "S1", "uuid": uuid, "parentUuid": parent}
    return known | {"timestamp": stamp(second), "message": {"role": "user"}} | said


def claude_message(
    second: float, uuid: str, parent: str, identity: str, *blocks: Any, **said: Any
) -> dict[str, Any]:
    """Return a line of an assistant's message."""
    usage = {"input_tokens": 5, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 95,
             "output_tokens": 40}  # fmt: skip
    message = {"id": identity, "model": "claude-x", "stop_reason": said.pop("stop", "end_turn"),
               "usage": usage, "content": list(blocks)}  # fmt: skip
    return claude_event(second, uuid, parent, type="assistant", message=message, **said)


def claude_code(directory: Path) -> Path:
    """Return a project: bookkeeping first, a tool, an API error, a sub-agent, a resumed session."""
    folder = directory / "project"
    use = {"type": "tool_use", "id": "tu1", "name": "Bash", "input": {}}
    task = {"type": "tool_use", "id": "tu2", "name": "Task", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "tu1", "content": "no such file",
              "is_error": True}  # fmt: skip
    came = {"type": "tool_result", "tool_use_id": "tu2", "content": "done"}
    main = [
        {"type": "file-history-snapshot", "messageId": "x", "snapshot": {}},
        {"type": "queue-operation", "operation": "enqueue", "timestamp": stamp(0)},
        claude_event(0, "u0", None),
        claude_message(2, "a0", "u0", "m0", stop=None),
        claude_message(4, "a1", "a0", "m0", use, stop="tool_use"),
        claude_event(7, "u1", "a1", message={"role": "user", "content": [result]}),
        claude_event(9, "e1", "u1", type="system", subtype="api_error", retryAttempt=1,
                     retryInMs=500, error={"status": 529, "error": {"type": "overloaded_error"}}),
        claude_message(14, "a2", "e1", "m1", task, stop="tool_use"),
        claude_event(40, "u2", "a2", message={"role": "user", "content": [came]},
                     toolUseResult={"agentId": "ag1", "totalTokens": 2080,
                                    "totalDurationMs": 25000}),
        claude_event(45, "x1", "u2", type="assistant", isApiErrorMessage=True, error="rate_limit",
                     message={"id": "m9", "model": "<synthetic>", "usage": {},
                              "content": [{"type": "text", "text": "API Error: 429 slow"}]}),
        {"type": "last-prompt", "sessionId": "S1"},
    ]  # fmt: skip
    lines(folder / "S1.jsonl", main)
    side = {"isSidechain": True, "agentId": "ag1"}
    lines(
        folder / "S1" / "subagents" / "agent-ag1.jsonl",
        [claude_event(15, "v0", None, **side), claude_message(20, "b0", "v0", "n0", **side),
         claude_event(21, "v1", "b0", **side), claude_message(30, "b1", "v1", "n1", **side)],
    )  # fmt: skip
    (folder / "S1" / "subagents" / "agent-ag1.meta.json").write_text('{"agentType": "Explore"}')
    resumed = [{**line, "sessionId": "S2"} for line in main[2:6]]
    new = [claude_event(100, "w0", "u1", sessionId="S2"),
           claude_message(106, "c0", "w0", "k0", sessionId="S2")]  # fmt: skip
    lines(folder / "S2.jsonl", [*resumed, *new])
    return folder


def claude_team(directory: Path) -> Path:
    """Return an agent team: a session a member, and a message from one to the other."""
    folder = directory / "team"
    send = {"type": "tool_use", "id": "s1", "name": "SendMessage",
            "input": {"type": "message", "recipient": "coder", "content": "go"}}  # fmt: skip
    for session, name, blocks in (("T1", "lead", [send]), ("T2", "coder", [])):
        said = {"sessionId": session, "teamName": "crew", "agentName": name}
        lines(
            folder / f"{session}.jsonl",
            [claude_event(0, f"{name}0", None, **said),
             claude_message(3, f"{name}1", f"{name}0", f"msg-{name}", *blocks, **said)],
        )  # fmt: skip
    return folder


def codex_line(second: float, kind: str, **payload: Any) -> dict[str, Any]:
    """Return a line of a rollout."""
    return {"timestamp": stamp(second), "type": kind, "payload": payload}


def codex_count(second: float, read: int, cached: int, wrote: int, before: Any) -> dict[str, Any]:
    """Return a token count; `before` are the totals, which are brought forward."""
    last = {"input_tokens": read, "cached_input_tokens": cached, "output_tokens": wrote,
            "reasoning_output_tokens": 4}  # fmt: skip
    for name, n in last.items():
        before[name] = before.get(name, 0) + n
    info = {"last_token_usage": last, "total_token_usage": dict(before)}
    return codex_line(second, "event_msg", type="token_count", info=info)


def codex(directory: Path) -> Path:
    """Return a session, its sub-agent, that one's sub-agent, and a fork."""
    folder, totals = directory / "codex", {}
    lead = [
        codex_line(0, "session_meta", id="P", source="cli", model_provider="openai"),
        codex_line(0, "turn_context", model="g"),
        codex_line(1, "event_msg", type="user_message"),
        codex_count(5, 1000, 800, 50, totals),
        codex_line(5, "response_item", type="function_call", name="shell", call_id="f1"),
        codex_line(8, "response_item", type="function_call_output", call_id="f1",
                   output='{"output": "", "metadata": {"exit_code": 2}}'),
        codex_count(12, 1200, 1000, 60, totals),
    ]  # fmt: skip
    lines(folder / "rollout-P.jsonl", lead)
    spawn = {"parent_thread_id": "P", "depth": 1, "agent_nickname": "Ada", "agent_role": "explorer"}
    child = codex_line(20, "session_meta", id="C", source={"subagent": {"thread_spawn": spawn}})
    again = [{**line, "timestamp": stamp(20)} for line in lead]
    own = dict(totals)
    lines(
        folder / "rollout-C.jsonl",
        [child, *again, codex_line(22, "turn_context", model="g"),
         *2 * [codex_count(30, 500, 0, 5, own)]],
    )  # fmt: skip
    spawn = {"parent_thread_id": "C", "depth": 2}
    grand = codex_line(31, "session_meta", id="G", source={"subagent": {"thread_spawn": spawn}})
    lines(
        folder / "rollout-G.jsonl",
        [grand, codex_line(31, "turn_context", model="g"), codex_count(35, 100, 0, 7, {}),
         codex_line(36, "event_msg", type="error", message="stream timed out")],
    )  # fmt: skip
    fork = codex_line(90, "session_meta", id="F", forked_from_id="P")
    own = dict(totals)
    lines(
        folder / "rollout-F.jsonl",
        [fork, *lead, codex_line(95, "event_msg", type="user_message"),
         codex_count(99, 2000, 0, 8, own)],
    )  # fmt: skip
    return folder


# --- Stores -----------------------------------------------------------------------------------


def observation(identity: str, kind: str, at: float, lasts: float, **said: Any) -> dict[str, Any]:
    """Return one of Langfuse's observations."""
    return {"id": identity, "traceId": "t1", "type": kind, "startTime": stamp(at),
            "endTime": stamp(at + lasts), "level": "DEFAULT", **said}  # fmt: skip


def langfuse_observations() -> list[dict[str, Any]]:
    """Return an agent with a call that read the cache and reasoned, a tool, and a failed call."""
    usage = {"input": 10, "input_cached_tokens": 700, "input_cache_creation": 90, "output": 20,
             "output_reasoning": 15, "total": 835}  # fmt: skip
    inside = {"parentObservationId": "a"}
    return [
        observation("a", "AGENT", 0, 30, name="planner"),
        observation("g1", "GENERATION", 1, 4, model="m", usageDetails=usage, totalCost=0.5,
                    completionStartTime=stamp(2), **inside),
        observation("tool", "TOOL", 6, 2, name="grep", output="abc", **inside),
        observation("g2", "GENERATION", 9, 3, model="m", statusMessage="timed out",
                    **{**inside, "level": "ERROR"}),
    ]  # fmt: skip


def langfuse(directory: Path) -> Path:
    """Return what the button of a trace downloads."""
    trace = {"id": "t1", "sessionId": "s1"}
    return whole(directory / "lf.json", {"trace": trace, "observations": langfuse_observations()})


def langfuse_blobs(directory: Path) -> Path:
    """Return rows of the export to a blob store."""
    rows = []
    for each in langfuse_observations():
        row = snake(each) | {"session_id": "s1"}
        row["usage_details"] = each.get("usageDetails", {})
        row["provided_model_name"] = row.pop("model", None)
        rows.append(row)
    return lines(directory / "lf.jsonl", rows)


def langfuse_csv(directory: Path) -> Path:
    """Return a table of observations, mappings as JSON in cells."""
    names = list(dict.fromkeys(name for each in langfuse_observations() for name in each))
    path = directory / "lf.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "sessionId"])
        for each in langfuse_observations():
            cells = [each.get(name, "") for name in names]
            writer.writerow([*(json.dumps(c) if isinstance(c, dict) else c for c in cells), "s1"])
    return path


def langsmith(directory: Path) -> Path:
    """Return a tree of runs."""
    metadata = {"langgraph_node": "critic", "thread_id": "th1", "ls_model_name": "m",
                "ls_provider": "anthropic"}  # fmt: skip
    call = {"id": "r2", "run_type": "llm", "name": "ChatAnthropic", "start_time": stamp(1),
            "end_time": stamp(5), "extra": {"metadata": metadata}, "prompt_tokens": 900,
            "completion_tokens": 30, "total_cost": 0.1, "first_token_time": stamp(2),
            "prompt_token_details": {"cache_read": 600, "cache_creation": 100}}  # fmt: skip
    tool = {"id": "r3", "run_type": "tool", "name": "search", "start_time": stamp(6),
            "end_time": stamp(8), "error": "ValueError: no", "outputs": {"output": "abcd"},
            "extra": {"metadata": metadata}}  # fmt: skip
    root = {"id": "r1", "trace_id": "r1", "run_type": "chain", "name": "graph",
            "start_time": stamp(0), "end_time": stamp(9), "child_runs": [call, tool]}  # fmt: skip
    return lines(directory / "runs.jsonl", [root])


def mlflow(directory: Path) -> Path:
    """Return two traces, one as each of MLflow's versions writes spans."""
    usage = json.dumps({"input_tokens": 700, "output_tokens": 25, "total_tokens": 725})
    at = START * SECOND
    new = {"trace_id": "AAAA", "span_id": "AAAAAAAAAAE=", "parent_span_id": None, "name": "chat",
           "start_time_unix_nano": at, "end_time_unix_nano": at + 3 * SECOND,
           "status": {"code": "STATUS_CODE_OK"},
           "attributes": {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.chat.tokenUsage": usage,
                          "mlflow.llm.model": '"m"'}}  # fmt: skip
    old = {"context": {"span_id": "0x1", "trace_id": "0x2"}, "parent_id": None, "name": "tool",
           "start_time": at, "end_time": at + SECOND, "status_code": "ERROR",
           "attributes": {"mlflow.spanType": '"TOOL"'}}  # fmt: skip
    return lines(
        directory / "mlflow.jsonl",
        [
            {"info": {"trace_id": "tr-1", "trace_metadata": {"mlflow.trace.session": "ms"}},
             "data": {"spans": [new]}},
            {"info": {"request_id": "tr-2"}, "data": {"spans": [old], "request": "{}"}},
        ],
    )  # fmt: skip


def phoenix(directory: Path) -> Path:
    """Return a data frame of spans as CSV."""
    path = directory / "phoenix.csv"
    path.write_text(
        "name,span_kind,parent_id,start_time,end_time,status_code,context.span_id,"
        "context.trace_id,attributes.llm.model_name,attributes.llm.token_count.prompt,"
        "attributes.llm.token_count.completion,attributes.graph.node.id\n"
        f"ChatOpenAI,LLM,,{stamp(0)},{stamp(4)},OK,s1,t1,m,800,40,author\n"
        f"ChatOpenAI,LLM,,{stamp(5)},{stamp(6)},ERROR,s2,t1,m,,,author\n"
    )
    return path


def printed_spans(directory: Path) -> Path:
    """Return what the console exporter of OpenTelemetry's Python SDK prints."""
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.agent.name": "solo",
        "gen_ai.usage.input_tokens": 90,
        "gen_ai.usage.output_tokens": 8,
    }
    span = {"name": "chat m", "context": {"trace_id": "0x7", "span_id": "0x1"}, "parent_id": None,
            "start_time": stamp(0), "end_time": stamp(2), "status": {"status_code": "UNSET"},
            "attributes": said, "resource": {"attributes": {"session.id": "ps"}}}  # fmt: skip
    other = {**span, "context": {"trace_id": "0x7", "span_id": "0x2"}}
    path = directory / "printed.json"
    path.write_text("".join(f"{json.dumps(each, indent=4)}\n" for each in (span, other)))
    return path


def jaeger(directory: Path) -> Path:
    """Return what Jaeger's interface downloads: an agent, a call, a failed tool."""

    def span(
        identity: str, parent: str | None, name: str, at: int, lasts: float, **said: Any
    ) -> Any:
        tags = [
            {"key": k.replace("__", "."), "type": "string", "value": v} for k, v in said.items()
        ]
        above = [] if parent is None else [{"refType": "CHILD_OF", "spanID": parent}]
        return {"traceID": "j", "spanID": identity, "operationName": name, "references": above,
                "startTime": (START + at) * 10**6, "duration": int(lasts * 1e6), "tags": tags,
                "processID": "p1"}  # fmt: skip

    spans = [
        span("a", None, "invoke_agent ann", 0, 9, gen_ai__operation__name="invoke_agent",
             gen_ai__agent__name="ann"),
        span("b", "a", "chat", 1, 2.5, gen_ai__operation__name="chat", gen_ai__request__model="m",
             gen_ai__usage__input_tokens=70, gen_ai__usage__output_tokens="6"),
        span("c", "a", "execute_tool ls", 4, 1, gen_ai__operation__name="execute_tool",
             gen_ai__tool__name="ls", error=True),
    ]  # fmt: skip
    return whole(directory / "jaeger.json", {"data": [{"traceID": "j", "spans": spans}]})


def openai_agents(directory: Path) -> Path:
    """Return traces of OpenAI's Agents SDK: one agent hands off to another."""

    def span(identity: str, parent: str | None, at: int, lasts: int, **data: Any) -> dict[str, Any]:
        return {"object": "trace.span", "id": identity, "trace_id": "tr", "parent_id": parent,
                "started_at": stamp(at), "ended_at": stamp(at + lasts), "span_data": data,
                "error": None}  # fmt: skip

    usage = {"input_tokens": 60, "input_tokens_details": {"cached_tokens": 40}, "output_tokens": 5}
    rows = [
        {"object": "trace", "id": "tr", "workflow_name": "w", "group_id": "grp"},
        span("s1", None, 0, 5, type="agent", name="triage"),
        span("s2", "s1", 0, 3, type="generation", model="m", usage=usage),
        span("s3", "s1", 4, 0, type="handoff", from_agent="triage", to_agent="billing"),
        span("s4", None, 5, 4, type="agent", name="billing"),
        span("s5", "s4", 5, 2, type="response", response={"model": "m", "usage": usage}),
        span("s6", "s4", 8, 1, type="function", name="lookup", output="abc"),
    ]
    return lines(directory / "agents_sdk.jsonl", rows)


def litellm(directory: Path) -> Path:
    """Return payloads of its logging: one request, one failure."""
    known = {"call_type": "acompletion", "model": "m", "custom_llm_provider": "openai",
             "trace_id": "w1"}  # fmt: skip
    usage = {"usage_object": {"prompt_tokens_details": {"cached_tokens": 500}}}
    good = {"id": "1", "startTime": START + 0.5, "endTime": START + 4.5, "prompt_tokens": 600,
            "completionStartTime": START + 1.5, "completion_tokens": 60, "response_cost": 0.03,
            "status": "success", "metadata": usage}  # fmt: skip
    bad = {"id": "2", "startTime": START + 5, "endTime": START + 6, "status": "failure",
           "error_str": "RateLimitError", "prompt_tokens": 0, "completion_tokens": 0,
           "error_information": {"error_code": "429", "error_class": "RateLimitError"}}  # fmt: skip
    return lines(directory / "litellm.jsonl", [known | good, known | bad])


def gateway_table(directory: Path) -> Path:
    """Return a table with a gateway's names, in milliseconds that only their size tells."""
    path = directory / "gateway.csv"
    path.write_text(
        "Request ID;Session ID;Model;Timestamp;Response Time;Prompt Tokens;Cached Tokens;"
        "Completion Tokens;Status Code;Cost (USD)\n"
        f"q1;z;m;{START}000;2500;1000;900;20;200;0.01\n"
        f"q2;z;m;{START}500;31000;1100;0;;503;\n"
    )
    return path


SAMPLES: dict[str, Callable[[Path], Path]] = {
    "conventions": lambda d: whole(d / "gen_ai.json", document(*semantic_conventions())),
    "conventions_snake_case": lambda d: whole(
        d / "snake.json", snake(document(*semantic_conventions()))
    ),
    "conventions_protobuf": lambda d: protobuf(d / "spans.pb"),
    "conventions_collector": lambda d: protobuf(d / "spans.bin.pb", of_collector=True),
    "open_inference": open_inference,
    "openllmetry": openllmetry,
    "vercel": vercel,
    "instrumented_twice": instrumented_twice,
    "claude_code_spans": claude_code_spans,
    "claude_code_logs": claude_code_logs,
    "claude_code": claude_code,
    "claude_team": claude_team,
    "codex": codex,
    "langfuse": langfuse,
    "langfuse_blobs": langfuse_blobs,
    "langfuse_csv": langfuse_csv,
    "langsmith": langsmith,
    "mlflow": mlflow,
    "phoenix": phoenix,
    "printed_spans": printed_spans,
    "jaeger": jaeger,
    "openai_agents": openai_agents,
    "litellm": litellm,
    "gateway_table": gateway_table,
}
"""Writes each kind into a directory, and returns the file or the directory to read."""


def compressed(path: Path) -> Path:
    """Write a file again, with gzip."""
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed
