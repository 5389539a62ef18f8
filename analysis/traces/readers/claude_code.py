"""Session files of Claude Code (JSON lines): main files, sub-agents' files, agent teams."""

from __future__ import annotations

import re
from collections import ChainMap, Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from analysis.traces.archives import stem_of
from analysis.traces.collector import Collector
from analysis.traces.error_kinds import error_kind
from analysis.traces.impossible import note_impossible
from analysis.traces.reader import Reader
from analysis.traces.readers._claude_code_files import Agents, SessionFile
from analysis.traces.readers._claude_code_mail import Mail, add_mail, is_mail, mail_in, sent_by
from analysis.traces.readers._claude_code_messages import Message
from analysis.traces.readers._claude_code_names import agent_of, files_of_agents
from analysis.traces.readers._claude_code_tools import (
    add_task,
    add_tools,
    is_copy,
    is_task,
    join_sessions,
)
from analysis.traces.source import Head, Source
from analysis.traces.usage import of_api
from analysis.traces.values import amount, count, mapping, pick, text
from simulator.errors import TeamsimError
from simulator.words import counted

_BOOKKEEPING = {
    "file-history-snapshot",
    "queue-operation",
    "last-prompt",
    "summary",
    "custom-title",
    "ai-title",
    "agent-name",
    "pr-link",
    "tag",
    "mode",
    "permission-mode",
    "progress",
    "worktree-state",
    "attribution-snapshot",
    "marble-origami-commit",
}
_TURNS = {"user", "assistant", "system", "attachment", "progress"}
_HTTP = re.compile(r"\b([45]\d\d)\b")
_SYNTHETIC = "<synthetic>"
_MADE_UP = "left out that the client made up (no call)"
_CUT = "without the event that they answer: when these calls began is not known"


class ClaudeCode(Reader):
    """Events of sessions; an assistant's message is spread over several lines.

    A call is one ``message.id``, over all files, since resumed and forked sessions copy lines. It
    starts at the event that it answers and ends with its last line, which has the right token
    counts. Without a ``stop_reason`` the output count is a placeholder and is left out. In the file
    the input does not include the cache's tokens; in the table it does. A run is a session with its
    sub-agents, or an agent team with one session for each member.
    """

    kind: ClassVar[str] = "claude_code"

    def recognises(self, head: Head) -> float:
        """Return the share of lines that are events of a session, including bookkeeping."""
        return head.share(_is_event) if head.layout in {"lines", "document"} else 0.0

    def companions(self, path: Path) -> Sequence[Path]:
        """Return the files of the sub-agents of a session whose main file was named."""
        if agent_of(path) is not None:
            return ()
        own = stem_of(path)
        inside = files_of_agents(path.with_name(own), inside=True)
        beside = [each for each in files_of_agents(path.parent, inside=False) if _of(each, own)]
        return [*inside, *beside]

    def knows(self, path: Path) -> bool:
        """Return whether a file describes a sub-agent or a team, or is an index of sessions."""
        is_of_team = path.name == "config.json" and path.parent.parent.name == "teams"
        return is_of_team or stem_of(path).endswith(".meta") or path.name == "sessions-index.json"

    def read(self, sources: Sequence[Source], out: Collector, columns: dict[str, str]) -> None:
        """Read the files."""
        files, inboxes = [], list[Mail]()
        for source in sources:
            file = SessionFile(source)
            for record in source.records(frozenset(), out.skip):
                out.report.rows += 1
                if is_task(record.node):
                    add_task(record.node, source.path, out)
                elif is_mail(record.node):
                    mail = mail_in(record.node, source.path)
                    inboxes += [] if mail is None else [mail]
                else:
                    file.add(record, out)
            files.append(file)
        # A resumed session's file begins with a copy of the session that it continues, so the file
        # of that session, which ended earlier, comes first.
        files.sort(key=lambda file: file.last)
        join_sessions(files)
        _emit(files, inboxes, self.kind, out)


def _is_event(row: Mapping[str, Any]) -> bool:
    kind = text(row.get("type"))
    if kind in _BOOKKEEPING or is_task(row) or is_mail(row):
        return True
    return "sessionId" in row and (kind in _TURNS or "uuid" in row or "message" in row)


def _of(path: Path, session: str) -> bool:
    """Tell whether a sub-agent's file beside a main file belongs to the same session."""
    try:
        rows = Source(path, str(path)).head.rows
    except TeamsimError:
        return False
    return any(row.get("sessionId") == session for row in rows[:20])


def _emit(files: list[SessionFile], inboxes: list[Mail], form: str, out: Collector) -> None:
    """Add what the files tell, each message once."""
    sent: list[Mail] = []
    owner_of: dict[str, int] = {}
    for i, file in enumerate(files):
        for identity, message in file.messages.items():
            held = owner_of.get(identity)
            if held is None or (files[held].messages[identity].is_copy and not message.is_copy):
                owner_of[identity] = i
    copies, seen = 0, set[str]()
    moments = {uuid: at for file in files for uuid, at in file.moments.items()}
    attempts = {uuid: tried for file in files for uuid, tried in file.attempts.items()}
    parents = Agents(files)
    for i, file in enumerate(files):
        # Ids may be neutral ones, alike in each file.
        near = ChainMap(file.moments, moments)
        file.learn_attempts(attempts)
        for identity, message in file.messages.items():
            if owner_of[identity] != i:
                copies += 1
                out.duplicate(message.place)
            else:
                _add_call(file, identity, message, near, parents, form, out)
        mine = {identity for identity in file.messages if owner_of[identity] == i}
        add_tools(file, mine, seen, parents, form, out)
        sent += sent_by(file, mine, parents)
        _add_retries(file, seen, parents, near, form, out)
    add_mail(sent, inboxes, files, parents, out)
    if copies:
        out.notes.append(f"{counted(copies, 'message')} left out that other sessions have too")
    noted = sum((file.noted for file in files), Counter[str]())
    out.notes += [f"{counted(n, 'message')} {what}" for what, n in noted.items()]


def _add_call(
    file: SessionFile,
    identity: str,
    said: Message,
    moments: Mapping[str, int],
    parents: Agents,
    form: str,
    out: Collector,
) -> None:
    first, last = said.first, said.last
    message, failed = last["message"], last.get("isApiErrorMessage") is True
    if message.get("model") == _SYNTHETIC and not failed:
        file.note(_MADE_UP)
        return
    answered = text(first.get("parentUuid")) or text(first.get("logicalParentUuid")) or ""
    start = moments.get(answered)
    attempt, wait = file.attempts.get(answered, (0, 0))
    if start is not None and wait:
        start = min(start + wait, said.began)
    if start is None or start > said.began:  # as where older lines of the file were removed
        start = None
        file.note(_CUT)
    run, agent, name = parents.of(last, file.source.path)
    stopped = text(message.get("stop_reason"))
    parent = parents.parent(run, agent, last)
    model = None if failed else text(message.get("model"))
    out.agent(run, agent, name=name, role=parents.role(agent), model=model, parent_agent_id=parent)
    usage_said = mapping(message.get("usage")) | {"costUSD": last.get("costUSD")}
    note_impossible(usage_said, said.place, out)
    usage = {} if failed else of_api(mapping(message.get("usage")), includes_cache=False)
    if not stopped:
        usage |= {"output_tokens": None}
    why = str(last.get("said", ""))
    http = _HTTP.search(why) if failed else None
    out.call(
        said.place,
        file.source.name,
        form,
        run_id=run,
        session_id=text(last.get("sessionId")) or stem_of(file.source.path),
        trace_id=run,
        span_id=identity,
        parent_span_id=parents.start(run, agent),
        operation_name="chat",
        agent_id=agent,
        agent_name=name,
        parent_agent_id=parent,
        provider_name="anthropic",
        response_model=model,
        start_ns=start,
        end_ns=said.ended,
        first_chunk_s=None if failed or start is None else (said.began - start) / 1e9,
        attempt=attempt + 1 if attempt else None,
        retry_wait_s=wait or None,
        call_id=text(last.get("requestId")),
        cost_usd=None if failed else amount(last.get("costUSD")),
        status="error" if failed else "ok",
        error_type=error_kind(text(last.get("error")) or "api_error", why) if failed else None,
        http_status=None if http is None else int(http.group(1)),
        finish_reason=None if failed else stopped,
        quality_time=None if start is None else "parent_event",
        quality_tokens=None if failed else "exact" if stopped else "placeholder",
        **usage,
    )


def _add_retries(
    file: SessionFile,
    seen: set[str],
    parents: Agents,
    moments: Mapping[str, int],
    form: str,
    out: Collector,
) -> None:
    """Add the failed attempts that the client reports, each of which it repeats after a while."""
    for place, event, moment in file.retries:
        if is_copy(event, seen):
            out.duplicate(place)
            continue
        before = text(event.get("parentUuid")) or ""
        start = moments.get(before)
        wait = file.attempts.get(before, (0, 0))[1]
        if start is None or start > moment:
            out.skip(place, "the event before this error is not in the file")
            continue
        start = min(start + wait, moment)
        run, agent, name = parents.of(event, file.source.path)
        error = mapping(event.get("error"))
        out.call(
            place,
            file.source.name,
            form,
            run_id=run,
            session_id=text(event.get("sessionId")) or stem_of(file.source.path),
            trace_id=run,
            span_id=text(event.get("uuid")),
            parent_span_id=parents.start(run, agent),
            operation_name="chat",
            agent_id=agent,
            agent_name=name,
            parent_agent_id=parents.parent(run, agent, event),
            provider_name="anthropic",
            start_ns=start,
            end_ns=moment,
            attempt=count(event.get("retryAttempt")),
            retry_wait_s=wait or None,
            status="error",
            error_type=text(pick(mapping(error.get("error")), "type"))
            or text(mapping(mapping(error.get("error")).get("error")).get("type"))
            or text(event.get("error"))
            or "api_error",
            http_status=count(error.get("status")),
            quality_time="parent_event",
        )
