"""Session files of Claude Code (JSON lines, one session a file)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from analysis.traces.canonical import Collector, Traces
from analysis.traces.reading import Reader, first_object, json_lines, nanoseconds


class ClaudeCode(Reader):
    """Events of a session; an assistant message is spread over several lines.

    A call is one ``message.id`` (global: resumed and forked sessions copy lines). It starts at
    the event before its first line and ends with its last line, whose token counts are the
    right ones; without a ``stop_reason`` the output count is a placeholder and left out. The
    input does not include the cache's tokens in the file, and does here.
    """

    kind: ClassVar[str] = "claude_code"

    def recognises(self, path: Path) -> bool:
        """Return whether the first lines look like a session's events."""
        if not path.is_file() or path.suffix != ".jsonl":
            return False
        head = first_object(path)
        return "sessionId" in head or (head.get("type") == "summary" and "leafUuid" in head)

    def read(self, paths: Sequence[Path], columns: dict[str, str]) -> Traces:
        """Read the files."""
        out = Collector(self.kind)
        seen: set[str] = set()
        copies = 0
        for path in paths:
            copies += _read_session(path, seen, out)
        if copies:
            out.notes.append(f"{copies} messages left out that other sessions have too")
        return out.traces()


def _read_session(path: Path, seen: set[str], out: Collector) -> int:
    """Read one file; return how many messages were copies of ones read before."""
    lines: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    moments: dict[str, int] = {}
    mine: set[str] = set()
    copies = 0
    for number, event in json_lines(path, out):
        moment = nanoseconds(event.get("timestamp"))
        if event.get("uuid") and moment is not None:
            moments[event["uuid"]] = moment
        _note_hand_over(event, moment, out)
        message = event.get("message")
        if event.get("type") != "assistant" or not isinstance(message, dict):
            continue
        identity = message.get("id")
        if not identity or moment is None:
            out.skip(
                f"{path}:{number}",
                f"an assistant line without {'timestamp' if identity else 'message.id'}",
            )
            continue
        if identity in seen and identity not in mine:
            copies += identity not in lines
            lines.setdefault(identity, [])
            continue
        mine.add(identity)
        lines.setdefault(identity, []).append((number, event))
    seen |= mine
    for identity, events in lines.items():
        if events:
            _add_call(identity, events, moments, path, out)
    return copies


def _add_call(
    identity: str,
    events: list[tuple[int, dict[str, Any]]],
    moments: dict[str, int],
    path: Path,
    out: Collector,
) -> None:
    first, last = events[0][1], events[-1][1]
    message = last["message"]
    usage = message.get("usage") or {}
    if message.get("model") == "<synthetic>":
        out.skip(f"{path}:{events[0][0]}", "a message made up by the client (<synthetic>)")
        return
    end = nanoseconds(last["timestamp"])
    start = moments.get(first.get("parentUuid") or "")
    began = nanoseconds(first["timestamp"])
    if start is None or end is None or began is None or start > began:
        out.skip(f"{path}:{events[0][0]}", "the event that this message answers is not in the file")
        return
    read, write = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    plain = usage.get("input_tokens")
    stopped = message.get("stop_reason")
    run = str(last.get("sessionId") or path.stem)
    agent = str(last.get("agentId") or ("sidechain" if last.get("isSidechain") else "main"))
    error = last.get("error") if last.get("isApiErrorMessage") else None
    out.agent(
        run, agent, model=message.get("model"), parent_agent_id=None if agent == "main" else "main"
    )
    out.call(
        path,
        run_id=run,
        trace_id=run,
        span_id=identity,
        operation_name="chat",
        agent_id=agent,
        provider_name="anthropic",
        response_model=message.get("model"),
        start_ns=start,
        end_ns=end,
        first_chunk_s=(began - start) / 1e9,
        input_tokens=None if plain is None else plain + (read or 0) + (write or 0),
        cache_read_input_tokens=read,
        cache_write_input_tokens=write,
        output_tokens=usage.get("output_tokens") if stopped else None,
        call_id=last.get("requestId"),
        status="error" if last.get("isApiErrorMessage") else "ok",
        error_type=None if error is None else str(error),
        finish_reason=stopped,
        quality_time="parent_event",
        quality_tokens="exact" if stopped else "placeholder",
    )


def _note_hand_over(event: dict[str, Any], moment: int | None, out: Collector) -> None:
    """Add the return of a sub-agent's result, which names the agent."""
    result = event.get("toolUseResult")
    if isinstance(result, dict) and result.get("agentId") and moment is not None:
        out.message(
            run_id=str(event.get("sessionId")),
            msg_id=event.get("uuid"),
            src_agent_id=str(result["agentId"]),
            dst_agent_id=str(event.get("agentId") or "main"),
            sent_ns=moment,
            recv_ns=moment,
            kind="return",
            tokens=result.get("totalTokens"),
            inferred=False,
        )
