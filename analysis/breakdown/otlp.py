"""One replication as OpenTelemetry spans, by the semantic conventions for generative AI."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.trace.v1 import trace_pb2

from analysis.breakdown.attempts import failed_requests, last_sent, resent
from analysis.breakdown.lives import lives_of
from analysis.breakdown.operations import (
    Operation,
    Piece,
    agents_of,
    cost_of,
    messages_of,
    operations_of,
    pieces_of,
    task_graph_of,
)
from analysis.breakdown.timeline import agent_names
from simulator.model.topologies import NO_MANAGER
from simulator.model.trace import Row
from simulator.scenario import Scenario
from simulator.scenario.agent import Agent

_EPOCH_S = 1_767_225_600
"""2026-01-01 00:00 UTC. Simulated time has no date; a fixed one makes exports comparable."""

Said = Mapping[str, str | int | float | list[str]]
"""Attributes of a span."""

_CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "teamsim",
    "gen_ai.request.model": "simulated",
}
"""Attributes of every call."""


def otlp_trace(
    rows: Sequence[Row], scenario: Scenario, replication: int, start_unix_s: int = _EPOCH_S
) -> trace_pb2.TracesData:
    """Return a replication as OpenTelemetry spans, by the GenAI semantic conventions.

    Each agent has one ``invoke_agent`` span, below that of its coordinator if it has one. Each
    sub-agent has one for its lifetime, below that of the agent that started it. Below these there
    is a ``chat`` span for each call that ended, or each turn of a loop, with its tokens, an
    ``execute_tool`` span for each tool, and a ``handoff`` span for each message with few receivers
    (`analysis.breakdown.operations.messages_of`). A ``task`` span for each task that was attempted
    names it and those that it waits for (``gen_ai.task.id``, ``gen_ai.task.depends_on``).

    Parameters
    ----------
    rows : sequence of Row
        The trace.
    scenario : Scenario
    replication : int
        Its number, part of the trace's id.
    start_unix_s : int
        Unix time of simulated second 0 (not 0 itself, which JSON leaves out).
    """
    names, managers = agent_names(scenario), scenario.topology.managers(scenario.team.worker_count)
    trace_id = _id(16, scenario.name, str(scenario.seed), str(replication))
    data = trace_pb2.TracesData()
    resource = data.resource_spans.add()
    _attributes(resource.resource.attributes, {"service.name": "llm-teamsim"})
    scope = resource.scope_spans.add()
    scope.scope.name = "teamsim"
    owners = [_id(8, "agent", str(i)) for i in range(len(names))]

    def add(name: str, span_id: bytes, parent: bytes, start_s: float, end_s: float) -> Any:
        span = scope.spans.add()
        span.trace_id, span.span_id, span.parent_span_id = trace_id, span_id, parent
        span.name, span.kind = name, trace_pb2.Span.SPAN_KIND_INTERNAL
        span.start_time_unix_nano = _nanoseconds(start_unix_s, start_s)
        span.end_time_unix_nano = _nanoseconds(start_unix_s, end_s)
        return span

    for i, name in enumerate(names):
        manager = managers[i] if i < len(managers) else NO_MANAGER
        above = b"" if manager == NO_MANAGER else owners[manager]
        span = add(f"invoke_agent {name}", owners[i], above, 0.0, rows[-1].time_s)
        said = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.id": str(i),
            "gen_ai.agent.name": name,
            "gen_ai.conversation.id": f"{scenario.name}-{scenario.seed}-{replication}",
        }
        _attributes(span.attributes, said)
    for life in lives_of(rows):
        owners.append(_id(8, "agent", str(life.agent)))
        times = (life.start_s, life.end_s)
        span = add(f"invoke_agent {life.name}", owners[-1], owners[life.parent], *times)
        said = {"gen_ai.agent.id": str(life.agent), "gen_ai.agent.name": life.name}
        said |= {"gen_ai.operation.name": "invoke_agent", "teamsim.outcome": life.outcome}
        _attributes(span.attributes, said)
    for each, start_s, span_id, known in _operations(rows, scenario):
        name = "chat simulated" if each.tool is None else f"execute_tool {each.tool}"
        span = add(name, span_id, owners[each.agent], start_s, each.end_s)
        if each.tool is None:
            span.kind = trace_pb2.Span.SPAN_KIND_CLIENT
        _attributes(span.attributes, known)
        if each.went_wrong:
            span.status.code = trace_pb2.Status.STATUS_CODE_ERROR
            cancelled = "cancelled by the end of the run" if each.is_cut_off else ""
            span.status.message = cancelled or str(each.row.outcome)
    for piece, task in _tasks(rows, scenario, replication):
        times, name = (piece.start_s, piece.end_s), f"task {task['gen_ai.task.id']}"
        span = add(name, _id(8, "task", str(piece.task)), owners[piece.agent], *times)
        _attributes(span.attributes, task)
    for number, told in enumerate(messages_of(rows, scenario)):
        to = names[told.receiver]
        span_id = _id(8, "message", str(number))
        span = add(f"handoff to {to}", span_id, owners[told.sender], told.time_s, told.time_s)
        said = {"gen_ai.operation.name": "handoff", "gen_ai.transfer.target.name": to}
        _attributes(span.attributes, said)
    return data


def _operations(
    rows: Sequence[Row], scenario: Scenario
) -> Iterator[tuple[Operation, float, bytes, Said]]:
    """Yield calls and tools, with their start in seconds, their span's id and its attributes."""
    agents, again = agents_of(scenario, rows), resent(rows)
    for each in operations_of(rows, scenario):
        span_id = _id(8, "call", *each.key)
        if each.tool is None:
            yield each, last_sent(each, again), span_id, _chat(each, agents[each.agent])
        else:
            said = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": each.tool}
            yield each, each.start_s, span_id, {**said, "teamsim.outcome": str(each.row.outcome)}
    for number, each in enumerate(failed_requests(rows)):
        span_id = _id(8, "request", str(number))
        yield each, each.start_s, span_id, {**_CHAT, "error.type": "provider_error"}


def _tasks(
    rows: Sequence[Row], scenario: Scenario, replication: int
) -> Iterator[tuple[Piece, Said]]:
    """Yield what was done for each task, with the attributes that name it and what it needs."""
    graph = task_graph_of(scenario, replication)
    for piece in pieces_of(rows):
        needs = [graph.names[each] for each in graph.dependencies[piece.task]]
        waits = {"gen_ai.task.depends_on": needs} if needs else {}
        yield piece, {"gen_ai.task.id": graph.names[piece.task], **waits}


def _chat(each: Operation, agent: Agent) -> Said:
    """Return the attributes of a span of a call, or of a turn of a loop."""
    row, usd = each.row, cost_of(each, agent)
    cost = {} if usd is None else {"gen_ai.usage.cost": usd}
    return {
        **_CHAT,
        "gen_ai.response.id": "-".join(["call", *each.key]),
        "gen_ai.response.finish_reasons": ["tool_use" if each.goes_on else "stop"],
        "gen_ai.usage.input_tokens": row.input_tokens or 0,
        "gen_ai.usage.cache_read.input_tokens": row.cached_tokens or 0,
        "gen_ai.usage.output_tokens": row.output_tokens or 0,
        **cost,
        "teamsim.outcome": str(row.outcome or "turn"),
    }


def _id(size: int, *parts: str) -> bytes:
    return hashlib.sha256("/".join(parts).encode()).digest()[:size]


def _nanoseconds(start_unix_s: int, seconds: float) -> int:
    return 10**9 * start_unix_s + round(1e9 * seconds)  # their sum would lose a float's digits


def _attributes(target: Any, values: Said) -> None:
    for key, value in values.items():
        item = target.add()
        item.key = key
        if isinstance(value, str):
            item.value.string_value = value
        elif isinstance(value, list):
            for each in value:
                item.value.array_value.values.add().string_value = each
        elif isinstance(value, float):
            item.value.double_value = value
        else:
            item.value.int_value = value


def write_otlp(path: Path, rows: Sequence[Row], scenario: Scenario, replication: int) -> None:
    """Write a replication as one line of OTLP JSON, as collectors read it.

    Ids are hexadecimal, as the OTLP specification wants them in JSON, not base64.
    """
    data = json_format.MessageToDict(otlp_trace(rows, scenario, replication))
    for span in data["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        _hexadecimal(span)
    path.write_text(json.dumps(data) + "\n", encoding="utf-8")


def _hexadecimal(span: dict[str, Any]) -> None:
    for key in ("traceId", "spanId", "parentSpanId"):
        if key in span:
            span[key] = base64.b64decode(span[key]).hex()
    # Enumerations are numbers in OTLP JSON.
    span["kind"] = trace_pb2.Span.SpanKind.Value(span["kind"])
    if "code" in span.get("status", {}):
        span["status"]["code"] = trace_pb2.Status.StatusCode.Value(span["status"]["code"])
