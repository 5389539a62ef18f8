"""The tools that Claude Code's messages call, and the messages between its agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.traces.archives import stem_of
from analysis.traces.collector import Collector
from analysis.traces.readers._claude_code_files import TASKS, Agents, SessionFile
from analysis.traces.readers._claude_code_messages import Result, ToolUse
from analysis.traces.values import count, items, length_ns, pick, text

_SLACK_NS = 2_000_000
"""Lengths are rounded to milliseconds: a tool that began with its message may seem earlier."""


def join_sessions(files: Sequence[SessionFile]) -> None:
    """Bring together what several files have of one message or tool of the same session.

    Ids may be neutral ones, alike in each session: only those of one session are of one call. A
    message that two files have in the same words is a copy, and stays in both.
    """
    _join_messages(files)
    _join_results(files)


def _join_messages(files: Sequence[SessionFile]) -> None:
    holders: dict[tuple[str | None, str], SessionFile] = {}
    for file in files:
        for identity, message in list(file.messages.items()):
            session = text(message.last.get("sessionId"))
            holder = holders.setdefault((session, identity), file)
            known = holder.messages[identity]
            if holder is file or (known.began, known.ended) == (message.began, message.ended):
                continue
            file.give_message(identity, holder)


def _join_results(files: Sequence[SessionFile]) -> None:
    """Give results to the files whose calls have none, as of a copy that ends earlier."""
    holders: dict[tuple[str | None, str], SessionFile] = {}
    for file in files:
        answered = {used for used, *_ in file.results}
        for used, use in file.uses.items():
            if used not in answered:
                holders[text(use.event.get("sessionId")), used] = file
    for file in files:
        kept: list[Result] = []
        for result in file.results:
            used, told, *_ = result
            there = holders.get((text(told.get("sessionId")), used))
            if there is not None and there is not file:
                there.take_result(result)
            if there is None or used in file.uses:
                kept.append(result)
        file.keep_results(kept)


def add_tools(
    file: SessionFile,
    mine: set[str],
    seen: set[str],
    agents: Agents,
    form: str,
    out: Collector,
) -> None:
    """Add the tools that messages call, with their results, and the messages between agents."""
    done = set()
    begun = _Begun(file, agents)
    for used, block, result, moment in file.results:
        use = file.uses.get(used)
        if use is None and text(result.get("agentId")) and not is_copy(block, seen):
            _add_return(file, block, result, moment, None, agents, out)
        if use is None or use.message not in mine or used in done:
            continue
        done.add(used)
        use = begun.known(use)
        _add_tool(file, used, use, block, moment, result, agents, form, out)
        if text(result.get("agentId")):
            _add_return(file, use.event, result, moment, (used, use.at), agents, out)
    _add_tasks(file, mine, agents, out)


class _Begun:
    """Tells when the tools of a file begin: when the message that calls them has been written.

    Newer versions begin each as soon as its own part of the message is there: in their files, some
    results come before the last line of their message, or tell of a length, or of a sub-agent, that
    began before it.
    """

    def __init__(self, file: SessionFile, agents: Agents) -> None:
        self._ends = {identity: each.ended for identity, each in file.messages.items()}
        inside = {used: agents.began(child) for child, used in file.chains.starts.items()}
        self._at_once = any(
            use.at < self._ended(use) and self._is_early(use, moment, result, began)
            for used, _, result, moment in file.results
            if (use := file.uses.get(used)) is not None
            for began in (agents.began(text(result.get("agentId"))), inside.get(used))
        )

    def _ended(self, use: ToolUse) -> int:
        return self._ends.get(use.message or "", use.at)

    def _is_early(
        self, use: ToolUse, moment: int, result: Mapping[str, Any], began: int | None
    ) -> bool:
        """Tell whether a tool ended, or it or its sub-agent began, before the message had ended."""
        if moment <= self._ended(use):
            return True
        took = _length(result)
        starts = (began, None if took is None else moment - took)
        last = self._ended(use) - _SLACK_NS
        return any(use.at <= start < last for start in starts if start is not None)

    def known(self, use: ToolUse) -> ToolUse:
        """Return the call of a tool with the time at which it begins."""
        return use if self._at_once else replace(use, at=max(use.at, self._ended(use)))


def _length(result: Mapping[str, Any]) -> int | None:
    """Return how long a tool took by what its result says, in ns."""
    return length_ns(pick(result, "totalDurationMs", "durationMs"), 1e6)


def _add_tasks(file: SessionFile, mine: set[str], agents: Agents, out: Collector) -> None:
    """Add what the calls of a file say of the list of tasks."""
    made = {
        used: text(result.get("task")) or text(block.get("task"))
        for used, block, result, _ in file.results
    }
    for used, use in file.uses.items():
        if use.name not in TASKS or use.message not in mine:
            continue
        run, agent, _ = agents.of(use.event, file.source.path)
        task = made.get(used) if use.name == "TaskCreate" else text(use.to.get("taskId"))
        if task is None:
            continue
        if use.to.get("status") == "deleted":
            out.drop_task(run, task)
            continue
        owner = text(use.to.get("owner"))
        if owner is None and use.to.get("status") == "in_progress":
            owner = agent
        out.task(run, task, map(str, items(use.to.get("addBlockedBy"))), owner)
        for other in map(str, items(use.to.get("addBlocks"))):
            out.task(run, other, [task])


def is_task(row: Mapping[str, Any]) -> bool:
    """Tell whether a document is a task of ``~/.claude/tasks/TEAM/``."""
    return {"id", "blocks", "blockedBy", "status"} <= row.keys()


def add_task(row: Mapping[str, Any], path: Path, out: Collector) -> None:
    """Add a task from its file; the directory has the name of the team or the session."""
    run, task = path.parent.name, text(row.get("id"))
    if task is not None:
        out.task(run, task, map(str, items(row.get("blockedBy"))), text(row.get("owner")))
        for other in map(str, items(row.get("blocks"))):
            out.task(run, other, [task])


def _add_tool(
    file: SessionFile,
    used: str,
    use: ToolUse,
    block: Mapping[str, Any],
    moment: int,
    result: Mapping[str, Any],
    agents: Agents,
    form: str,
    out: Collector,
) -> None:
    if moment < use.at:
        out.skip(use.place, f"the result of {use.name} came before it was called")
        return
    run, agent, name = agents.of(use.event, file.source.path)
    took = _length(result)
    start = use.at
    if took is not None and use.at <= moment - took:
        start = moment - took  # before this, people were asked for permission
    status = "ok"
    if block.get("is_error") is True:
        status = "cancelled" if block.get("is_stopped") else "error"
    out.call(
        use.place,
        file.source.name,
        form,
        run_id=run,
        session_id=text(use.event.get("sessionId")) or stem_of(file.source.path),
        trace_id=run,
        span_id=used,
        parent_span_id=use.message,
        operation_name="execute_tool",
        agent_id=agent,
        agent_name=name,
        parent_agent_id=agents.parent(run, agent, use.event),
        start_ns=start,
        end_ns=moment,
        queue_s=None if start == use.at else (start - use.at) / 1e9,
        status=status,
        error_type={"error": "tool_error", "cancelled": "interrupted"}.get(status),
        tool_name=use.name,
        result_size=block.get("size"),
        quality_time="parent_event",
    )


def _add_return(
    file: SessionFile,
    event: Mapping[str, Any],
    result: Mapping[str, Any],
    moment: int,
    sent: tuple[str, int] | None,
    agents: Agents,
    out: Collector,
) -> None:
    """Add the messages to and from a sub-agent: its work, and its result, which names it."""
    run, agent, _ = agents.of(event, file.source.path)
    child = str(text(result.get("agentId")))
    known = {"run_id": run, "inferred": False}
    if sent is not None:
        out.message(
            msg_id=f"{sent[0]}-out",
            src_agent_id=agent,
            dst_agent_id=child,
            sent_ns=sent[1],
            recv_ns=sent[1],
            kind="delegate",
            span_id=sent[0],
            **known,
        )
    if result.get("isAsync") is True or result.get("status") == "async_launched":
        return  # it is told later, as a message of its own
    out.message(
        msg_id=f"{sent[0]}-back" if sent is not None else text(event.get("uuid")),
        src_agent_id=child,
        dst_agent_id=agent,
        sent_ns=moment,
        recv_ns=moment,
        kind="return",
        tokens=count(result.get("totalTokens")),
        parent_msg_id=None if sent is None else f"{sent[0]}-out",
        **known,
    )


def is_copy(event: Mapping[str, Any], seen: set[str]) -> bool:
    """Tell whether a line was read before: a resumed session begins with a copy of the old one."""
    uuid = text(event.get("uuid"))
    if uuid is None or uuid not in seen:
        seen.add(uuid or "")
        return False
    return True
