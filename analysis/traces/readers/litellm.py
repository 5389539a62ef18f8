"""LiteLLM: the payload of its logging call-backs, and the rows of its spend logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from analysis.traces.answers import reason_of
from analysis.traces.canonical import CACHE_HIT, CHATS
from analysis.traces.collector import Collector
from analysis.traces.dialects import OPERATIONS, status_of
from analysis.traces.error_kinds import error_kind
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.usage import of_api
from analysis.traces.values import (
    amount,
    count,
    is_cache_hit,
    mapping,
    nanoseconds,
    pick,
    text,
    times_of,
)

_PASSED_ON = {"pass_through_endpoint", "allm_passthrough_route", "llm_passthrough_route"}
"""Requests that the gateway hands on as they are."""

_TOOL_CALLS = {"call_mcp_tool"}

_SAME_NS = 2_000_000
"""Times of one request in two exports differ by this much at most: some write milliseconds."""


class LiteLLM(Reader):
    """A row a request, with ``call_type``, ``startTime`` and ``endTime``."""

    kind: ClassVar[str] = "litellm"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are such requests."""
        return head.share(_is_request)

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        seen: dict[str, list[dict[str, Any]]] = {}
        for source in sources:
            for record in source.records(frozenset({"data", "logs"}), out.skip):
                out.report.rows += 1
                _add(record, source.name, self.kind, seen, out)


def _is_request(row: Mapping[str, Any]) -> bool:
    if isinstance(row.get("data"), list):
        return any(_is_request(mapping(each)) for each in row["data"][:5])
    row = mapping(row.get("standard_logging_object")) or row
    return "call_type" in row and ("startTime" in row or "start_time" in row)


def _operation(kind: str) -> str:
    if kind in _TOOL_CALLS:
        return "execute_tool"
    return (
        "chat" if kind in _PASSED_ON or OPERATIONS.get(kind) == "chat" else kind.removeprefix("a")
    )


def _tool_of(raw: Mapping[str, Any]) -> str | None:
    """Return the tool that a proxy names in place of a model: ``MCP: search``."""
    return text(str(raw.get("model") or "").removeprefix("MCP:"))


def _is_told(call: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a request is one of those that were read.

    Attempts share an id where a program sets it, and answers from a cache have that of the first:
    other calls began or ended at other times, or have other models or counts.
    """
    return any(
        all(abs(call[end] - each[end]) <= _SAME_NS for end in ("start_ns", "end_ns"))
        and all(
            call.get(name) == each.get(name) or call.get(name) is None or each.get(name) is None
            for name in ("response_model", "input_tokens", "output_tokens", "operation_name")
        )
        for each in before
    )


def _add(
    record: Record,
    source: str,
    form: str,
    seen: dict[str, list[dict[str, Any]]],
    out: Collector,
) -> None:
    raw = mapping(record.node.get("standard_logging_object")) or record.node
    identity = text(pick(raw, "id", "request_id", "litellm_call_id"))
    place = f"{record.place}, request {identity!r}"
    kind = text(raw.get("call_type")) or "completion"
    began, ended = pick(raw, "startTime", "start_time"), pick(raw, "endTime", "end_time")
    start, end = times_of(began, ended)
    if start is None or end is None or end < start:
        out.skip(place, f"startTime is {str(began)[:40]!r}, endTime {str(ended)[:40]!r}")
        return
    metadata = mapping(raw.get("metadata"))
    usage = mapping(metadata.get("usage_object")) or mapping(raw.get("usage_object"))
    note_impossible({k: v for k, v in (raw | usage).items() if not isinstance(v, dict)}, place, out)
    counts = of_api(usage) if usage else {}
    counts |= {name: n for name, n in of_api(raw).items() if n is not None}
    if count(pick(raw, "prompt_tokens")) is not None:
        # LiteLLM's prompt tokens include those of the cache, for every provider.
        counts["input_tokens"] = count(raw["prompt_tokens"])
    error = mapping(raw.get("error_information")) or mapping(metadata.get("error_information"))
    said = text(raw.get("error_str")) or text(error.get("error_message"))
    failed = str(raw.get("status")).lower() in {"failure", "failed", "error"} or said is not None
    if failed and not any(counts.values()):
        counts = {}  # 0 is written if there was no reply
    first = nanoseconds(pick(raw, "completionStartTime", "completion_start_time"))
    streamed = first is not None and start <= first < end
    operation = _operation(kind)
    if operation in CHATS and is_cache_hit(raw.get("cache_hit")):
        operation = CACHE_HIT
    tool = mapping(metadata.get("mcp_tool_call_metadata"))
    is_tool = kind in _TOOL_CALLS
    agent = text(pick(metadata, "agent_id", "agent_name")) or text(
        pick(raw, "agent_id", "end_user")
    )
    run = text(pick(raw, "session_id", "trace_id")) or identity or place
    model = None if is_tool else text(raw.get("model"))
    told = {
        "start_ns": start,
        "end_ns": end,
        "response_model": model,
        "operation_name": operation,
        "input_tokens": counts.get("input_tokens"),
        "output_tokens": counts.get("output_tokens"),
    }
    before = seen.setdefault(identity or place, [])
    if _is_told(told, before):
        out.duplicate(place)
        return
    before.append(told)
    if agent is not None:
        out.agent(run, agent, model=model)
    cost = amount(pick(raw, "response_cost", "spend"))
    out.call(
        place,
        source,
        form,
        run_id=run,
        session_id=text(raw.get("session_id")),
        trace_id=text(raw.get("trace_id")) or run,
        span_id=identity,
        operation_name=operation,
        tool_name=(text(tool.get("name")) or _tool_of(raw)) if is_tool else None,
        agent_id=agent,
        agent_name=agent,
        provider_name=text(raw.get("custom_llm_provider")),
        request_model=None if is_tool else text(pick(raw, "model_group")) or model,
        response_model=model,
        start_ns=start,
        end_ns=end,
        first_chunk_s=(first - start) / 1e9 if first is not None and streamed else None,
        call_id=identity,
        status=status_of(f"{error.get('error_class')} {said}") if failed else "ok",
        error_type=error_kind(text(error.get("error_class")), said or "failure")
        if failed
        else None,
        http_status=count(error.get("error_code")) if failed else None,
        finish_reason=None if failed or is_tool else reason_of(raw.get("response")),
        cost_usd=None if failed and not cost else cost,
        quality_time="exact",
        quality_tokens="exact" if counts.get("input_tokens") is not None else None,
        **counts,
    )
