"""Interprets the attributes of spans of all writers (`analysis.traces.attribute_names`)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from analysis.traces.answers import ASKS, reason_in, reason_of, usage_in
from analysis.traces.attribute_names import KNOWN
from analysis.traces.error_kinds import error_kind
from analysis.traces.usage import (
    cost_of,
    counts,
    is_cache_apart,
    is_reasoning_apart,
    of_api,
    of_buckets,
)
from analysis.traces.values import amount, count, flag, mapping, parsed, pick, seconds, text

OPERATIONS = {
    "chat": "chat",
    "chat.completions": "chat",
    "chat_completion": "chat",
    "chat_model": "chat",
    "completion": "chat",
    "text_completion": "chat",
    "text.completions": "chat",
    "generate_content": "chat",
    "generate": "chat",
    "generation": "chat",
    "responses": "chat",
    "messages": "chat",
    "inference": "chat",
    "converse": "chat",
    "llm": "chat",
    "llm_call": "chat",
    "llm_request": "chat",
    "model_call": "chat",
    "model_request": "chat",
    "acompletion": "chat",
    "atext_completion": "chat",
    "aresponses": "chat",
    "anthropic_messages": "chat",
    "agenerate_content": "chat",
    "agenerate_content_stream": "chat",
    "generate_content_stream": "chat",
    "tool": "execute_tool",
    "tool_call": "execute_tool",
    "call_tool": "execute_tool",
    "run_tool": "execute_tool",
    "tool_use": "execute_tool",
    "tool_execution": "execute_tool",
    "function_call": "execute_tool",
    "function": "execute_tool",
    "execute_tool": "execute_tool",
    "execute_code": "execute_tool",
    "agent": "invoke_agent",
    "invoke_agent": "invoke_agent",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "rerank": "rerank",
    "reranker": "rerank",
    "retriever": "retrieval",
    "retrieval": "retrieval",
    "handoff": "handoff",
}
"""Words for operations, and which of ours each is."""

_RUNS_CODE = "execute_code"
"""The operation of AG2's agents that run code: its span has the name of the agent."""

FIRST_TOKEN = {"First Token Stream Event", "llm.content.completion.chunk"}
"""Events of a streamed answer (OpenInference, OpenLLMetry), whose first one is its first token."""

ONLY_READING = ("embeddings", "rerank")
"""Operations of models that read tokens, and write none."""

READING = frozenset({"chat", *ONLY_READING})
"""Operations of models that read tokens."""

NO_OPERATION = {"chain", "task", "workflow", "span", "event", "unknown", "parser", "prompt"}
"""Words for spans that are no operation, but have some within them."""

_NAMED = {
    "claude_code.llm_request": "chat",
    "claude_code.tool": "execute_tool",
    "claude_code.tool.execution": "execute_tool",
    "ai.toolCall": "execute_tool",
}
_VERCEL = {
    "ai.toolCall": "execute_tool",
    "ai.embed": "embeddings",
    "ai.generate": "chat",
    "ai.stream": "chat",
}
"""Beginnings of the operations of the Vercel AI SDK."""

ANY_AGENTS_NODE = {"agent", "model", "call_model", "llm", "tools", "tool", "chatbot", "assistant"}
"""Nodes that every LangGraph agent has; an agent above is a better name."""

_NO_CHAT = re.compile(r"embed|image|audio|speech|transcri|rerank|moderat|memor")
"""Words for operations of models that write no answer."""

Slots = dict[str, Any]


_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "provider": ("provider_name", text),
    "request_model": ("request_model", text),
    "response_model": ("response_model", text),
    "first_s": ("first_chunk_s", amount),
    "attempt": ("attempt", count),
    "call_id": ("call_id", text),
    "http": ("http_status", count),
    "finish": ("finish_reason", reason_in),
    "tool": ("tool_name", text),
    "result_size": ("result_size", count),
    "cost": ("cost_usd", amount),
}
"""Slots that become a field of a call unchanged."""


def slots_of(attributes: Mapping[str, Any]) -> Slots:
    """Return the values of attributes by their meaning; of several, the surest."""
    found: Slots = {}
    ranks: dict[str, int] = {}
    for name, value in attributes.items():
        known = KNOWN.get(name)
        if known is not None and value is not None and value != "":
            slot, rank = known
            if rank < ranks.get(slot, len(KNOWN)):
                is_json = isinstance(value, str) and value[0] == '"' and slot != "result"
                found[slot] = parsed(value) or value if is_json else value  # so MLflow writes texts
                ranks[slot] = rank
    return found


def operation_of(name: str, said: Slots) -> str | None:
    """Return the operation of a span: chat, execute_tool, invoke_agent, ...; None if not known."""
    if name in _NAMED:
        return _NAMED[name]
    ai = text(said.get("ai_operation"))
    if ai is not None:
        return next((said for begin, said in _VERCEL.items() if ai.startswith(begin)), None)
    for slot in ("operation", "kind"):
        word = text(said.get(slot))
        if word is not None:
            word = word.strip('"').lower()
            if word in OPERATIONS:
                return OPERATIONS[word]
            if word not in NO_OPERATION:
                return word if slot == "operation" else None
            if slot == "kind":
                return None
    return _by_content(name, said)


def _by_content(name: str, said: Slots) -> str | None:
    """Return the operation of a span that does not say which it is."""
    has_model = "request_model" in said or "response_model" in said
    counted = "input" in said or "output" in said or "flat_input" in said
    if has_model and (counted or name == "call_llm" or name.endswith(".llm")):
        return "chat"  # so Google's ADK and CrewAI name calls that they say no more of
    is_tool = "tool" in said and not has_model and not name.startswith("claude_code.")
    return "execute_tool" if is_tool else None


def may_be_chat(operation: str, said: Slots) -> bool:
    """Tell whether an operation that has no word of ours may be a call of a model, or hold some.

    So may an agent's, or a workflow's: it tells of tokens that were written.
    """
    is_known = operation in OPERATIONS.values() and operation != "invoke_agent"
    return not is_known and not _NO_CHAT.search(operation) and bool(count(said.get("output")))


_COUNTED = {"input", "flat_input", "flat_prompt", "no_cache", "output", "total"}
"""Slots that hold counts; without them the answer may, as of older MLflow."""


def tokens_of(said: Slots) -> dict[str, int | None]:
    """Return the token counts of a call."""
    if "buckets" in said and mapping(said["buckets"]):
        return of_buckets(mapping(said["buckets"]))
    if "api_usage" in said and "input" not in said:
        return of_api(mapping(said["api_usage"]), includes_cache=True)
    if said.get("provider") == "gcp.vertex.agent" and usage_in(said.get("answer")):
        return of_api(usage_in(said["answer"]))
    if _COUNTED.isdisjoint(said) and usage_in(said.get("result")):
        return of_api(usage_in(said["result"]))
    plain, apart = _input_of(said)
    total = count(said.get("total"))
    return counts(
        plain,
        count(said.get("read")),
        count(said.get("written")),
        count(said.get("output")),
        for_1h=count(said.get("for_1h")),
        reasoning=count(said.get("reasoning")),
        # Codex gives its total under this name, but then no other.
        tools=None if total is None else count(said.get("tool_input")),
        total=total,
        includes_cache=not apart,
    )


def _input_of(said: Slots) -> tuple[int | None, bool]:
    """Return the input as it is written, and whether the tokens of the cache are never in it."""
    if "no_cache" in said:
        return count(said["no_cache"]), True
    plain = count(said.get("input"))
    if plain is None and "flat_input" in said:  # Claude Code: input without cached tokens
        return count(said["flat_input"]), True
    return (count(said.get("flat_prompt")) if plain is None else plain), False


def doubtful_cache(said: Slots) -> tuple[bool | None, int] | None:
    """Return whether the input of a call is without its cached tokens, and how many they are.

    None instead of the answer if its numbers do not show it: other calls of the same
    instrumentation may. None in all if there is no doubt: there are none, or it is always so.
    """
    plain, apart = _input_of(said)
    parts = (count(said.get("read")) or 0) + (count(said.get("written")) or 0)
    if apart or plain is None or not parts or "buckets" in said:
        return None
    total = count(said.get("total"))
    return is_cache_apart(plain, parts, count(said.get("output")), total), parts


def doubtful_reasoning(said: Slots) -> tuple[bool | None, int] | None:
    """Return the same of the output and the tokens of reasoning (see `doubtful_cache`)."""
    wrote, thought = count(said.get("output")), count(said.get("reasoning"))
    if not wrote or not thought or "buckets" in said:  # one cut off shows nothing of others
        return None
    total = count(said.get("total"))
    return is_reasoning_apart(_input_of(said)[0], wrote, thought, total), thought


def call_fields(said: Slots, operation: str) -> dict[str, Any]:
    """Return the fields of a call from the slots, under canonical names, without missing ones."""
    fields: dict[str, Any] = {}
    for slot, value in said.items():
        known = _FIELDS.get(slot)
        if known is not None and (understood := known[1](value)) is not None:
            fields[known[0]] = understood
    if "request_model" in fields:
        fields.setdefault("response_model", fields["request_model"])
    if "first_ms" in said and "first_chunk_s" not in fields:
        fields["first_chunk_s"] = seconds(said["first_ms"])
    if "attempt" in fields and str(said.get("event")).startswith("codex."):
        fields["attempt"] += 1  # it counts them from 0
    if "resent" in said and "attempt" not in fields:
        fields["attempt"] = (count(said["resent"]) or 0) + 1
    if "cost_details" in said and "cost_usd" not in fields:
        fields["cost_usd"] = cost_of(mapping(said["cost_details"]))
    if operation == "execute_tool":
        fields = _of_tool(said) | fields
    if operation in READING:
        fields |= tokens_of(said)
    if operation == "chat" and "finish_reason" not in fields:
        fields["finish_reason"] = _reason(said)
    return {name: value for name, value in fields.items() if value is not None}


def _of_tool(said: Slots) -> dict[str, Any]:
    """Return what tells of a tool where no attribute of its own does."""
    name = text(said.get("entity"))
    if name is None and said.get("operation") == _RUNS_CODE:
        name = _RUNS_CODE
    return {"result_size": size_of(said.get("result")), "tool_name": name}


def _reason(said: Slots) -> str | None:
    found = reason_of(said.get("answer")) or reason_of(said.get("result"))
    return found or (ASKS if said.get("asked") else None)


def error_of(said: Slots, failed: bool, message: str | None) -> tuple[str, str | None]:
    """Return status and kind of error: ok, error, timeout or cancelled.

    Parameters
    ----------
    said : mapping
    failed : bool
        Whether the span's status is an error.
    message : str or None
        Message of the status.
    """
    error = said.get("error")
    named = None if isinstance(error, bool) else text(error)
    http = count(said.get("http"))
    failed = failed or flag(said.get("success")) is False or error is True
    failed = failed or str(said.get("level")).upper() == "ERROR"
    failed = failed or str(said.get("tool_status")).lower() == "error"
    failed = failed or (named is not None and named.lower() not in {"false", "none"})
    if not failed and not (http is not None and http >= 400):
        return "ok", None
    return status_of(f"{named} {message}"), error_kind(named, message, http)


def status_of(said: str) -> str:
    """Return the kind of a failure, by its description."""
    said = said.lower()
    if "timeout" in said or "timed out" in said or "deadline" in said:
        return "timeout"
    return "cancelled" if "cancel" in said or "abort" in said else "error"


def with_metadata(said: Slots) -> Slots:
    """Add LangGraph's node and thread from OpenInference's metadata."""
    metadata = said.pop("metadata", None)
    if isinstance(metadata, dict) or (isinstance(metadata, str) and "_" in metadata):
        known = mapping(metadata)
        known = {**known, "langgraph_node": node_of(known)}
        for slot, names in (
            ("node", ("langgraph_node",)),
            ("agent_name", ("agent_name",)),
            ("session", ("thread_id", "session_id", "conversation_id")),
        ):
            value = next((text(known.get(n)) for n in names if text(known.get(n))), None)
            if value is not None:
                said.setdefault(slot, value)
    return said


def node_of(metadata: Mapping[str, Any]) -> str | None:
    """Return LangGraph's node: if every agent has one of its name, that of the graph around it.

    Nodes are in each other in a namespace: ``researcher:ID|agent:ID``.
    """
    node = text(metadata.get("langgraph_node"))
    around = text(pick(metadata, "langgraph_checkpoint_ns", "checkpoint_ns")) or ""
    names = [each.partition(":")[0] for each in around.split("|")]
    if node in ANY_AGENTS_NODE and names[-1] == node:
        return next((name for name in reversed(names) if name not in ANY_AGENTS_NODE), node)
    return node


def size_of(result: Any) -> int | None:
    """Return how long a result is, in characters."""
    if result is None:
        return None
    try:
        return len(result if isinstance(result, str) else json.dumps(result, default=str))
    except (RecursionError, ValueError):
        return None
