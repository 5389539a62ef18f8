"""Chats that Gemini CLI records: one JSON object, or lines that each add to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from analysis.traces.archives import stem_of
from analysis.traces.collector import Collector
from analysis.traces.dialects import size_of, status_of
from analysis.traces.error_kinds import error_kind
from analysis.traces.impossible import note_impossible
from analysis.traces.jsonstream import Record
from analysis.traces.reader import Reader
from analysis.traces.source import Head, Source
from analysis.traces.usage import counts
from analysis.traces.values import count, items, mapping, nanoseconds, text
from simulator.words import counted

_KINDS = {"user", "gemini", "error", "info", "warning"}
_ANSWER, _ERROR = "gemini", "error"
_SUBAGENT = "subagent"
_STATUS = {"error": "error", "cancelled": "cancelled"}
_UNTOLD = "without their tokens: answers that were cut short, or texts that no model wrote"


class GeminiCli(Reader):
    """A chat's messages; an answer has its tokens, and the tools that it asked for.

    A call ends when its answer is recorded, and starts at the question before it, or when the tools
    of the answer before it had ended. Tools have no start of their own: they start when they were
    asked for. A run is a chat with those of its sub-agents. Messages that the user took back were
    written, and count. The input includes the cached tokens, but not results of tools that the API
    counts apart; the output is without the thoughts.
    """

    kind: ClassVar[str] = "gemini_cli"

    def recognises(self, head: Head) -> float:
        """Return the share of rows that are a chat, or a line of one."""
        if not any(_is_chat(row) for row in head.rows):
            return 0.0
        return head.share(lambda row: _is_chat(row) or "$set" in row or _is_message(row))

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        chats: dict[str, _Chat] = {}
        for source in sources:
            chat = _read(source, out)
            known = chats.setdefault(chat.identity, chat)
            if known is not chat:  # resumed: a file of lines begins with what the other had
                known.join(chat)
        started = {
            agent: (chat, tool)
            for chat in chats.values()
            for message in chat.messages.values()
            for tool in _tools(message.said)
            if (agent := text(tool.get("agentId"))) is not None
        }
        untold = sum(_add(chat, chats, started, self.kind, out) for chat in chats.values())
        if untold:
            out.notes.append(f"{counted(untold, 'message')} {_UNTOLD}")


@dataclass
class _Message:
    """A message, as it was recorded last, and its place."""

    place: str
    source: str
    said: dict[str, Any]


@dataclass
class _Chat:
    """A chat: what is said about it, and its messages by id."""

    source: Source
    about: dict[str, Any] = field(default_factory=dict)
    messages: dict[str, _Message] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Its session; without one, the name of its file."""
        return text(self.about.get("sessionId")) or stem_of(self.source.path)

    @property
    def parent(self) -> str | None:
        """The session of the chat that has started it: the directory of a sub-agent's file."""
        is_below = self.about.get("kind") == _SUBAGENT
        return self.source.path.parent.name if is_below else None

    def join(self, other: _Chat) -> None:
        """Take in more of the same chat."""
        self.about |= other.about
        self.messages |= other.messages

    def take(self, said: Any, record: Record, *, is_new: bool = True) -> None:
        """Take in a message; one that is recorded again replaces the one before.

        The history that goes on after a compression (`is_new` false) adds nothing that was written.
        """
        message = mapping(said)
        identity = text(message.get("id"))
        if identity is not None and (is_new or identity in self.messages):
            self.messages[identity] = _Message(record.place, self.source.name, message)


def _is_chat(row: Mapping[str, Any]) -> bool:
    return "sessionId" in row and "projectHash" in row


def _is_message(row: Mapping[str, Any]) -> bool:
    return {"id", "timestamp"} <= row.keys() and text(row.get("type")) in _KINDS


def _read(source: Source, out: Collector) -> _Chat:
    chat = _Chat(source)
    for record in source.records(frozenset(), out.skip):
        out.report.rows += 1
        node = record.node
        changed = mapping(node.get("$set"))
        if _is_chat(node) or changed:
            about = changed or node
            chat.about |= {name: value for name, value in about.items() if name != "messages"}
            for each in items(about.get("messages")):
                chat.take(each, record, is_new=not changed)
        elif _is_message(node):
            chat.take(node, record)
        elif "$rewindTo" not in node:
            out.skip(record.place, "no message of a chat")
    return chat


def _add(
    chat: _Chat,
    chats: Mapping[str, _Chat],
    started: Mapping[str, tuple[_Chat, Mapping[str, Any]]],
    form: str,
    out: Collector,
) -> int:
    """Add the calls of a chat; return the number of answers whose tokens are not told."""
    own, parent, call_id, name = chat.identity, chat.parent, None, "main"
    if own in started:
        above, tool = started[own]
        parent, call_id = above.identity, text(tool.get("id"))
        name = text(tool.get("name")) or _SUBAGENT
    elif parent is not None:
        name = _SUBAGENT
    run = _root(chat, chats, started)
    out.agent(run, own, name=name, parent_agent_id=parent)
    known: dict[str, Any] = {
        "source_format": form,
        "run_id": run,
        "session_id": own,
        "trace_id": own,
        "agent_id": own,
        "agent_name": name,
        "parent_agent_id": parent,
    }
    before: int | None = None
    untold = 0
    for at, message in _in_order(chat, out):
        kind = text(message.said.get("type"))
        tools = _tools(message.said)
        if kind in {_ANSWER, _ERROR}:
            if kind == _ANSWER and not message.said.get("tokens"):
                untold += 1
            else:
                _add_call(message, (before, at), call_id, known, out)
        for tool in tools:
            _add_tool(tool, at, message, known, out)
        ends = [end for tool in tools if (end := nanoseconds(tool.get("timestamp"))) is not None]
        if kind in {"user", _ANSWER, _ERROR}:
            before = max([at, *ends])
    return untold


def _in_order(chat: _Chat, out: Collector) -> list[tuple[int, _Message]]:
    """Return the messages with their times; those without one are left out, which is said."""
    found = []
    for message in chat.messages.values():
        at = nanoseconds(message.said.get("timestamp"))
        if at is None:
            out.skip(message.place, f"timestamp is {str(message.said.get('timestamp'))[:40]!r}")
        else:
            found.append((at, message))
    return sorted(found, key=lambda each: each[0])


def _root(
    chat: _Chat,
    chats: Mapping[str, _Chat],
    started: Mapping[str, tuple[_Chat, Mapping[str, Any]]],
) -> str:
    """Return the chat at the top: those of sub-agents are below the one that has started them."""
    seen = {chat.identity}
    while True:
        own = chat.identity
        parent = started[own][0].identity if own in started else chat.parent
        if parent is None or parent in seen:
            return own
        if parent not in chats:
            return parent
        seen.add(parent)
        chat = chats[parent]


def _tools(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [mapping(each) for each in items(message.get("toolCalls"))]


def _add_call(
    message: _Message,
    times: tuple[int | None, int],
    call_id: str | None,
    known: Mapping[str, Any],
    out: Collector,
) -> None:
    start, end = times
    said = message.said
    tokens = mapping(said.get("tokens"))
    note_impossible(tokens, message.place, out)
    failed = said.get("type") == _ERROR
    why = text(said.get("content")) or "" if failed else ""
    first = min(
        (at for each in items(said.get("thoughts"))
         if (at := nanoseconds(mapping(each).get("timestamp"))) is not None), default=None
    )  # fmt: skip
    has_first = first is not None and start is not None and start <= first
    out.call(
        message.place,
        message.source,
        **known,
        operation_name="chat",
        span_id=text(said.get("id")),
        parent_span_id=call_id,
        provider_name="google",
        response_model=text(said.get("model")),
        start_ns=start,
        end_ns=end,
        first_chunk_s=(first - start) / 1e9 if has_first else None,  # type: ignore[operator]
        status=status_of(why) if failed else "ok",
        error_type=error_kind(None, why or _ERROR) if failed else None,
        finish_reason=None if failed else "tool_calls" if _tools(said) else "stop",
        quality_time="parent_event",
        quality_tokens="exact" if tokens else None,
        **_counted(tokens),
    )


def _counted(tokens: Mapping[str, Any]) -> dict[str, Any]:
    return dict(
        counts(
            count(tokens.get("input")),
            count(tokens.get("cached")),
            None,
            count(tokens.get("output")),
            reasoning=count(tokens.get("thoughts")),
            tools=count(tokens.get("tool")),
            total=count(tokens.get("total")),
            includes_reasoning=False,
        )
    )


def _add_tool(
    tool: Mapping[str, Any],
    asked: int,
    message: _Message,
    known: Mapping[str, Any],
    out: Collector,
) -> None:
    """Add a call of a tool; it is recorded when it has ended."""
    end = nanoseconds(tool.get("timestamp"))
    if end is None or end < asked:
        return
    status = _STATUS.get(str(tool.get("status")), "ok")
    identity = text(tool.get("id"))
    out.call(
        message.place,
        message.source,
        **known,
        operation_name="execute_tool",
        span_id=identity,
        call_id=identity,
        start_ns=asked,
        end_ns=end,
        tool_name=text(tool.get("name")),
        status=status,
        error_type="tool_error" if status == "error" else None,
        result_size=size_of(tool.get("result")),
        quality_time="parent_event",
    )
