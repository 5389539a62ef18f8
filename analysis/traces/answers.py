"""Why an answer of a model ended, as the answer tells it, whoever's format it has.

APIs and their clients nest what a model wrote in many ways (OpenAI's choices, Anthropic's content,
Gemini's candidates, LangChain's generations, the messages of OpenTelemetry). The text itself is
only looked through, never kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from analysis.traces.values import items, mapping, parsed, pick, text

ASKS = "tool_calls"
"""Reason of an answer that asks for tools and names none."""

_REASONS = ("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason")
_TOOL_LISTS = ("tool_calls", "toolCalls", "function_call", "functionCall", "message.tool_calls")
_TOOL_BLOCKS = {"tool_use", "tool_call", "function_call", "toolUse", "tool-call", "functionCall"}

_INSIDE = ("choices", "candidates", "generations", "messages", "output", "content", "parts",
           "message", "kwargs", "response_metadata", "additional_kwargs", "generation_info",
           "generationInfo", "response", "outputs")  # fmt: skip
"""Where an answer holds messages, and these what was written."""

_REFUSED = ("refusal", "content_filter", "content_filtered", "guardrail_intervened", "safety",
            "image_safety", "recitation", "prohibited_content", "blocklist", "spii")  # fmt: skip
"""Stop reasons of answers that were refused: of Claude, OpenAI, Gemini, Bedrock."""

_FAILED = {
    **dict.fromkeys(("error", "failed", *_REFUSED), "error"),
    **dict.fromkeys(("malformed_function_call", "unexpected_tool_call"), "error"),
    **dict.fromkeys(("cancelled", "canceled", "aborted"), "cancelled"),
}
"""Stop reasons of answers that are none (OpenTelemetry's and OpenRouter's have ``error``)."""

_DEEPEST = 8
_WORD = re.compile(r"[A-Za-z][\w-]{0,39}")
"""A stop reason; what a model writes under the same name into an object of its own is none."""

_MEMBER = re.compile(r"[A-Za-z_]*reason\.(\w+)", re.IGNORECASE)


def reason_in(value: Any) -> str | None:
    """Return a stop reason from a name, a list, or a member such as `FinishReason.STOP`."""
    if isinstance(value, str) and value[:1] in {"[", '"'}:
        value = parsed(value) or value
    listed = items(value)
    reason = text(listed[0] if listed else value)
    member = None if reason is None else _MEMBER.match(reason)
    return reason if member is None else member.group(1)


def failed_by(reason: str | None) -> str | None:
    """Return the status of a call whose stop reason says that it failed; None if it does not."""
    return None if reason is None else _FAILED.get(reason.lower().replace("-", "_"))


def reason_of(answer: Any) -> str | None:
    """Return the stop reason that an answer tells; `ASKS` if it only asks for tools."""
    asks = False
    for node in _nodes(mapping(answer) or items(answer), 0):
        reason = reason_in(pick(node, *_REASONS)) or ""
        if _WORD.fullmatch(reason) and reason.lower() not in {"none", "null"}:
            return reason
        asks = asks or _asks(node)
    return ASKS if asks else None


def usage_in(answer: Any) -> dict[str, Any]:
    """Return the token counts that an answer of an API carries; {} if it has none."""
    return mapping(pick(mapping(answer), "usage_metadata", "usageMetadata", "usage"))


def _asks(node: Mapping[str, Any]) -> bool:
    kind = node.get("type")
    return any(bool(node.get(name)) for name in _TOOL_LISTS) or (
        isinstance(kind, str) and kind in _TOOL_BLOCKS
    )


def _nodes(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Yield the objects of an answer, from the outside in, of a list the last one first."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in reversed(value[-20:]):
            yield from _nodes(each, depth + 1)
    elif isinstance(value, dict):
        yield value
        for name in _INSIDE:
            inner = value.get(name)
            if isinstance(inner, (dict, list)):
                yield from _nodes(inner, depth + 1)
