"""Spans of any tracing system, and the calls and messages they tell of.

The rules that are easily got wrong have their home here: whose call it is (the nearest agent
above it), which of nested spans of one call counts (the innermost), and whether the input
tokens include those from the cache (it depends on who wrote the span).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.traces.canonical import Collector

CHAT = {"chat", "text_completion", "generate_content"}
"""Operations that are a call of a model."""

_INPUT_WITH_CACHE = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
)
_OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
)
_CACHE_READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
)
_CACHE_WRITE = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
)
_REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "llm.token_count.completion_details.reasoning",
)


@dataclass(frozen=True)
class Span:
    """One span, times in ns; `where` says in which file and line it stands."""

    where: str
    source: Path
    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any]
    is_error: bool
    message: str | None = None

    def get(self, *names: str) -> Any:
        """Return the first attribute of these names that is there."""
        for name in names:
            value = self.attributes.get(name)
            if value is not None:
                return value
        return None

    @property
    def operation(self) -> str | None:
        """What the span is: chat, execute_tool, invoke_agent, ...; None if none of them."""
        named = self.get("gen_ai.operation.name")
        if named is not None:
            return "chat" if named in CHAT else str(named)
        kind = str(self.get("openinference.span.kind") or "").upper()
        if kind == "LLM" or self.name == "claude_code.llm_request":
            return "chat"
        if kind == "TOOL" or self.name == "claude_code.tool":
            return "execute_tool"
        return "invoke_agent" if kind == "AGENT" else None

    @property
    def agent(self) -> tuple[str | None, str | None]:
        """Id and name of the agent that the span itself names."""
        number = self.get("gen_ai.agent.id", "agent_id", "graph.node.id")
        name = self.get("gen_ai.agent.name", "agent.name")
        if number is None and name is None and self.operation == "invoke_agent":
            name = self.name
        chosen = number if number is not None else name
        return (None if chosen is None else str(chosen), None if name is None else str(name))


def tokens_of(span: Span) -> dict[str, int | None]:
    """Return the token counts of a call, the input with what came from the cache.

    The conventions of OpenTelemetry and OpenInference count cached tokens as part of the
    input; the spans of Claude Code (flat names) do not.
    """
    read, write = _number(span, *_CACHE_READ), _number(span, *_CACHE_WRITE)
    total, output = _number(span, *_INPUT_WITH_CACHE), _number(span, *_OUTPUT)
    if total is None and span.get("input_tokens") is not None:
        read = _number(span, "cache_read_tokens", "cache_read_input_tokens")
        write = _number(span, "cache_creation_tokens", "cache_creation_input_tokens")
        total = (_number(span, "input_tokens") or 0) + (read or 0) + (write or 0)
        output = _number(span, "output_tokens")
    return {
        "input_tokens": total,
        "cache_read_input_tokens": read,
        "cache_write_input_tokens": write,
        "output_tokens": output,
        "reasoning_output_tokens": _number(span, *_REASONING),
    }


def collect(spans: Iterable[Span], out: Collector) -> None:
    """Turn spans into calls, agents and messages."""
    everything = list(spans)
    by_id = {(span.trace_id, span.span_id): span for span in everything}
    runs = _runs(everything, by_id)
    outer = _outer_chats(everything, by_id)
    if outer:
        out.notes.append(f"{len(outer)} spans left out that hold another span of the same call")
    for span in everything:
        operation = span.operation
        if operation is None or (span.trace_id, span.span_id) in outer:
            continue
        run = runs[span.trace_id]
        owner = _owner(span, by_id)
        agent, name = owner.agent if owner is not None else (None, None)
        if agent is not None:
            model = span.get(
                "gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "model"
            )
            parent = _parent_agent(owner, by_id)
            out.agent(
                run,
                agent,
                name=name,
                parent_agent_id=parent,
                model=model if operation == "chat" else None,
            )
        _add_call(span, operation, run, agent, name, out)
        if operation == "invoke_agent" and owner is span:
            _add_messages(span, run, agent, _parent_agent(span, by_id), out)


def _runs(spans: list[Span], by_id: Mapping[tuple[str, str], Span]) -> dict[str, str]:
    """Return the run of each trace: its conversation or session, else the trace itself."""
    runs: dict[str, str] = {}
    for span in spans:
        named = span.get("gen_ai.conversation.id", "session.id")
        if named is not None:
            runs.setdefault(span.trace_id, str(named))
    return {span.trace_id: runs.get(span.trace_id, span.trace_id) for span in spans}


def _outer_chats(spans: list[Span], by_id: Mapping[tuple[str, str], Span]) -> set[tuple[str, str]]:
    """Return chats that have another chat inside: framework and SDK both report the call."""
    outer = set()
    for span in spans:
        if span.operation != "chat":
            continue
        above = _parent(span, by_id)
        while above is not None and above.operation != "invoke_agent":
            if above.operation == "chat":
                outer.add((above.trace_id, above.span_id))
            above = _parent(above, by_id)
    return outer


def _parent(span: Span, by_id: Mapping[tuple[str, str], Span]) -> Span | None:
    return None if span.parent_id is None else by_id.get((span.trace_id, span.parent_id))


def _owner(span: Span, by_id: Mapping[tuple[str, str], Span]) -> Span | None:
    """Return the span that names the agent of this one: itself or the nearest agent above."""
    above: Span | None = span
    while above is not None:
        if above.agent[0] is not None:
            return above
        above = _parent(above, by_id)
    return None


def _parent_agent(owner: Span | None, by_id: Mapping[tuple[str, str], Span]) -> str | None:
    if owner is None:
        return None
    named = owner.get("parent_agent_id", "graph.node.parent_id", "gen_ai.caller.name")
    if named is not None:
        return str(named)
    above = _parent(owner, by_id)
    while above is not None:
        agent = above.agent[0]
        if agent is not None and agent != owner.agent[0]:
            return agent
        above = _parent(above, by_id)
    return None


def _add_call(
    span: Span, operation: str, run: str, agent: str | None, name: str | None, out: Collector
) -> None:
    error = span.get("error.type", "exception.type")
    first_s = span.get("gen_ai.response.time_to_first_chunk")
    first_ms = span.get("ttft_ms")
    reasons = span.get("gen_ai.response.finish_reasons", "stop_reason")
    out.call(
        span.source,
        run_id=run,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_id,
        operation_name=operation,
        agent_id=agent,
        agent_name=name,
        provider_name=span.get("gen_ai.provider.name", "gen_ai.system", "llm.provider"),
        request_model=span.get("gen_ai.request.model", "llm.model_name", "model"),
        response_model=span.get(
            "gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "model"
        ),
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        first_chunk_s=float(first_s) if first_s is not None else _seconds(first_ms),
        attempt=_number(span, "attempt", "gen_ai.request.attempt"),
        call_id=span.get("gen_ai.response.id", "request_id"),
        status=_status(span, error),
        error_type=str(error) if error is not None else span.message if span.is_error else None,
        http_status=_number(span, "http.response.status_code", "http.status_code", "status_code"),
        finish_reason=reasons[0] if isinstance(reasons, list) and reasons else _text(reasons),
        tool_name=_text(span.get("gen_ai.tool.name", "tool.name", "tool_name")),
        quality_time="exact",
        quality_tokens="exact",
        **(tokens_of(span) if operation == "chat" else {}),
    )


def _add_messages(
    span: Span, run: str, agent: str | None, caller: str | None, out: Collector
) -> None:
    """Add what a call of another agent implies: work handed over, and its result."""
    if agent is None or caller is None or agent == caller:
        return
    known = {"run_id": run, "span_id": span.span_id, "inferred": True}
    mode = span.get("gen_ai.transfer.mode")
    kind = "handoff" if mode == "pass_control" else "delegate"
    start, end = span.start_ns, span.end_ns
    out.message(
        msg_id=f"{span.span_id}-out",
        src_agent_id=caller,
        dst_agent_id=agent,
        sent_ns=start,
        recv_ns=start,
        kind=kind,
        **known,
    )
    if kind == "delegate":
        out.message(
            msg_id=f"{span.span_id}-back",
            src_agent_id=agent,
            dst_agent_id=caller,
            sent_ns=end,
            recv_ns=end,
            kind="return",
            parent_msg_id=f"{span.span_id}-out",
            **known,
        )


def _status(span: Span, error: Any) -> str:
    if not span.is_error and error is None:
        return "ok"
    said = f"{error} {span.message}".lower()
    if "timeout" in said or "timed out" in said or "deadline" in said:
        return "timeout"
    return "cancelled" if "cancel" in said or "abort" in said else "error"


def _number(span: Span, *names: str) -> int | None:
    value = span.get(*names)
    try:
        return None if value is None else int(float(value))
    except (TypeError, ValueError):
        return None


def _seconds(milliseconds: Any) -> float | None:
    return None if milliseconds is None else float(milliseconds) / 1000.0


def _text(value: Any) -> str | None:
    return None if value is None or isinstance(value, list) else str(value)
