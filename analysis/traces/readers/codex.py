"""Rollout files of Codex (JSON lines, one session a file)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from analysis.traces.canonical import Collector, Traces
from analysis.traces.reading import Reader, first_object, json_lines, nanoseconds


class Codex(Reader):
    """``{timestamp, type, payload}`` lines that begin with ``session_meta``.

    A call ends with a ``token_count`` event and starts when there was something to answer: the
    last user message, turn context or tool output before it. Input includes cached tokens.
    """

    kind: ClassVar[str] = "codex"

    def recognises(self, path: Path) -> bool:
        """Return whether the file begins with a session's meta data."""
        if not path.is_file() or path.suffix != ".jsonl":
            return False
        head = first_object(path)
        return head.get("type") == "session_meta" and "payload" in head

    def read(self, paths: Sequence[Path], columns: dict[str, str]) -> Traces:
        """Read the files."""
        out = Collector(self.kind)
        for path in paths:
            _read_rollout(path, out)
        return out.traces()


def _read_rollout(path: Path, out: Collector) -> None:
    session: dict[str, Any] = {}
    model: str | None = None
    asked: int | None = None
    before: dict[str, int] = {}
    number_of_call = 0
    for number, event in json_lines(path, out):
        payload = event.get("payload")
        moment = nanoseconds(event.get("timestamp"))
        if not isinstance(payload, dict) or moment is None:
            out.skip(f"{path}:{number}", "no payload or timestamp")
            continue
        kind = event.get("type")
        inner = payload.get("type")
        if kind == "session_meta":
            session = _note_session(payload, path, moment, out)
        elif kind == "turn_context":
            model, asked = payload.get("model", model), moment
        elif inner in {"user_message", "function_call_output", "custom_tool_call_output"}:
            asked = moment
        elif inner == "token_count":
            total = (payload.get("info") or {}).get("total_token_usage") or {}
            usage = _usage(payload, before)
            if usage is None or total == before:
                continue  # only rate limits, or the same count again
            before = dict(total)
            if asked is None or asked > moment:
                out.skip(f"{path}:{number}", "a token count without anything asked before it")
                continue
            number_of_call += 1
            _add_call(path, number_of_call, session, model, (asked, moment), usage, out)
            asked = moment


def _note_session(
    payload: dict[str, Any], path: Path, moment: int, out: Collector
) -> dict[str, Any]:
    spawned = (
        (payload.get("source") or {}) if isinstance(payload.get("source"), dict) else {}
    ).get("subagent") or {}
    spawn = spawned.get("thread_spawn") if isinstance(spawned, dict) else None
    spawn = spawn if isinstance(spawn, dict) else {}
    parent = payload.get("parent_thread_id") or spawn.get("parent_thread_id")
    own = str(payload.get("id") or path.stem)
    run = str(parent or own)
    name = payload.get("agent_nickname") or spawn.get("agent_nickname")
    role = payload.get("agent_role") or spawn.get("agent_role")
    out.agent(run, own, name=name, role=role, parent_agent_id=parent)
    if parent:
        out.message(
            run_id=run,
            msg_id=f"{own}-spawn",
            src_agent_id=str(parent),
            dst_agent_id=own,
            sent_ns=moment,
            recv_ns=moment,
            kind="delegate",
            inferred=False,
        )
    return {"run": run, "agent": own, "name": name, "provider": payload.get("model_provider")}


def _usage(payload: dict[str, Any], before: dict[str, int]) -> dict[str, int] | None:
    """Return the tokens of the last call: as given, or as the growth of the totals."""
    info = payload.get("info")
    if not isinstance(info, dict):
        return None
    if isinstance(info.get("last_token_usage"), dict):
        return dict(info["last_token_usage"])
    total = info.get("total_token_usage")
    if not isinstance(total, dict):
        return None
    return {name: int(value) - int(before.get(name, 0)) for name, value in total.items()}


def _add_call(
    path: Path,
    number: int,
    session: dict[str, Any],
    model: str | None,
    times: tuple[int, int],
    usage: dict[str, int],
    out: Collector,
) -> None:
    agent = session.get("agent", path.stem)
    out.agent(session.get("run", path.stem), agent, model=model)
    out.call(
        path,
        run_id=session.get("run", path.stem),
        trace_id=agent,
        span_id=f"{agent}-{number}",
        operation_name="chat",
        agent_id=agent,
        agent_name=session.get("name"),
        provider_name=session.get("provider"),
        response_model=model,
        start_ns=times[0],
        end_ns=times[1],
        input_tokens=usage.get("input_tokens"),
        cache_read_input_tokens=usage.get("cached_input_tokens"),
        output_tokens=usage.get("output_tokens"),
        reasoning_output_tokens=usage.get("reasoning_output_tokens"),
        status="ok",
        quality_time="parent_event",
        quality_tokens="exact",
    )
