"""Reads one session file of Claude Code line by line, and finds the agent of each event."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.traces.collector import Collector
from analysis.traces.dialects import size_of
from analysis.traces.jsonstream import Record
from analysis.traces.readers._claude_code_messages import Message, Result, ToolUse
from analysis.traces.readers._claude_code_names import agent_of, role_beside, session_of
from analysis.traces.source import Source
from analysis.traces.values import count, items, length_ns, mapping, nanoseconds, text, wrong_time

_MADE = re.compile(r"Task #(\w+) created")
"""How the tool that makes a task names it."""

_STOPPED = "[Request interrupted by user", "The user doesn't want to "  # of a person, to a tool

_PROMPT = 2000
"""Characters of a prompt that are compared."""

MAIN = "main"
"""The agent of a session's own file."""

_LEADS = {"team-lead", "lead", "leader"}
"""What the lead of a team is called by the others."""


class Chains:
    """The sub-agents of older versions, whose events are among the main agent's, without an id.

    Each is a chain of events that begins with the prompt of the tool that started it.
    """

    def __init__(self) -> None:
        self.starts: dict[str, str] = {}
        self._agents: dict[str, str] = {}
        self._asked: dict[str, list[str]] = {}
        self._count = 0

    def ask(self, used: str, prompt: Any) -> None:
        """Note the prompt of a tool that starts a sub-agent."""
        if isinstance(prompt, str):
            self._asked.setdefault(prompt.strip()[:_PROMPT], []).append(used)

    def agent_of(self, event: Mapping[str, Any], uuid: str | None) -> str:
        """Return a name for the sub-agent of an event: that of the event before it, else new."""
        agent = self._agents.get(text(event.get("parentUuid")) or "")
        if agent is None:
            self._count += 1
            agent = "sidechain" if self._count == 1 else f"sidechain-{self._count}"
            asked = self._asked.get(_prompt(mapping(event.get("message"))), [])
            if asked:
                self.starts[agent] = asked.pop(0)
        if uuid is not None:
            self._agents[uuid] = agent
        return agent


_HEARD = re.compile(
    r'<teammate-message teammate_id="([^"]+)"[^>]*>(.*?)</teammate-message>', re.DOTALL
)
_BEGINNING = 200
"""Characters of what a member is told that are looked at: the program's own words begin so."""


def _heard_in(content: Any) -> list[tuple[str, str]]:
    """Return who tells a member something in the text of a line, and how that begins."""
    texts = (
        [content]
        if isinstance(content, str)
        else [mapping(block).get("text") for block in items(content)]
    )
    told = (_HEARD.findall(each) for each in texts if isinstance(each, str))
    return [(name, said[:_BEGINNING]) for found in told for name, said in found]


def _prompt(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    first = mapping(next(iter(items(content)), None)).get("text")
    return str(content if isinstance(content, str) else first).strip()[:_PROMPT]


@dataclass
class SessionFile:
    """The contents of one file."""

    source: Source
    messages: dict[str, Message] = field(default_factory=dict)
    moments: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, tuple[int, int]] = field(default_factory=dict)
    uses: dict[str, ToolUse] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    retries: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)
    teams: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    noted: Counter[str] = field(default_factory=Counter)
    last: int = 0
    chains: Chains = field(default_factory=Chains)
    heard: list[tuple[dict[str, Any], str, str, int]] = field(default_factory=list)
    begun: dict[str, int] = field(default_factory=dict)

    def note(self, what: str) -> None:
        """Count a message that is not as usual, by what it is."""
        self.noted[what] += 1

    def give_message(self, identity: str, other: SessionFile) -> None:
        """Give a message, of which another file has a part, to that; and the tools it calls."""
        other.messages[identity].join(self.messages.pop(identity))
        for used in [used for used, use in self.uses.items() if use.message == identity]:
            other.uses.setdefault(used, self.uses.pop(used))

    def take_result(self, result: Result) -> None:
        """Take a result that another file has of a tool."""
        self.results.append(result)

    def keep_results(self, results: list[Result]) -> None:
        """Keep these results of tools only."""
        self.results = results

    def learn_attempts(self, attempts: Mapping[str, tuple[int, int]]) -> None:
        """Take attempts that other files tell of, but for those whose lines this file has."""
        others = {uuid: each for uuid, each in attempts.items() if uuid not in self.moments}
        self.attempts = others | self.attempts

    def add(self, record: Record, out: Collector) -> None:
        """Take a line."""
        event, kind = record.node, record.node.get("type")
        moment = nanoseconds(event.get("timestamp"))
        uuid = text(event.get("uuid"))
        if uuid is not None and moment is not None:
            self.moments[uuid] = moment
        self.last = max(self.last, moment or 0)
        is_side = event.get("isSidechain") is True and text(event.get("agentId")) is None
        if is_side and agent_of(self.source.path) is None:
            event = {**event, "agentId": self.chains.agent_of(event, uuid)}
        agent = text(event.get("agentId")) or agent_of(self.source.path)
        if agent is not None and moment is not None:
            self.begun[agent] = min(moment, self.begun.get(agent, moment))
        self._note_team(event)
        message = event.get("message")
        if kind == "system" and event.get("subtype") == "api_error" and moment is not None:
            self._add_retry(record.place, event, uuid, moment)
        elif kind == "assistant" and isinstance(message, dict):
            self._add_line(record.place, _slim(event, message), message, moment, out)
        elif kind == "user" and isinstance(message, dict) and moment is not None:
            for name, said in _heard_in(message.get("content")):
                self.heard.append((_slim(event, {}), name, said, moment))
            for block in items(message.get("content")):
                used = text(mapping(block).get("tool_use_id"))
                if used is not None:
                    result = mapping(event.get("toolUseResult"))
                    told = _slim_block(block) | {"sessionId": event.get("sessionId")}
                    self.results.append((used, told, _slim_result(result), moment))
            if not items(message.get("content")) and mapping(event.get("toolUseResult")):
                result = mapping(event["toolUseResult"])
                self.results.append(("", _slim(event, {}), _slim_result(result), moment))
        elif kind == "user" and isinstance(event.get("toolUseResult"), dict) and moment is not None:
            result = _slim_result(event["toolUseResult"])
            self.results.append(("", _slim(event, {}), result, moment))

    def _note_team(self, event: dict[str, Any]) -> None:
        """Note the team of a session and its member, as only some of the lines name them."""
        team, session = text(event.get("teamName")), text(event.get("sessionId"))
        if team is not None and session is not None:
            is_member = event.get("agentId") is None and event.get("isSidechain") is not True
            name = text(event.get("agentName")) if is_member else None
            known = self.teams.get(session, (team, None))
            self.teams[session] = team, known[1] or name

    def _add_retry(self, place: str, event: dict[str, Any], uuid: str | None, moment: int) -> None:
        self.retries.append((place, event, moment))
        if uuid is not None:
            number = count(event.get("retryAttempt")) or 1
            self.attempts[uuid] = number, length_ns(event.get("retryInMs"), 1e6) or 0

    def _add_line(
        self,
        place: str,
        event: dict[str, Any],
        message: dict[str, Any],
        moment: int | None,
        out: Collector,
    ) -> None:
        identity = text(message.get("id"))
        if identity is None or moment is None:
            wrong = "without message.id" if identity is None else wrong_time(event.get("timestamp"))
            out.skip(place, f"an assistant line {wrong}")
            return
        line = Message(place, event, moment, event, moment, "forkedFrom" in event)
        self.messages.setdefault(identity, line).join(line)
        for block in items(message.get("content")):
            used = mapping(block)
            number = text(used.get("id"))
            if used.get("type") == "tool_use" and number is not None:
                name = text(used.get("name"))
                told = mapping(used.get("input"))
                to = told if name == "SendMessage" else _slim_task(told) if name in TASKS else {}
                if name in _STARTING:
                    self.chains.ask(number, told.get("prompt"))
                self.uses[number] = ToolUse(place, identity, event, name, moment, to)


TASKS = {"TaskCreate", "TaskUpdate"}
"""Tools that change the list of tasks that a session, or a team, has."""

_STARTING = {"Task", "Agent"}
"""Tools that start sub-agents."""

_KEPT = (
    "costUSD",
    "uuid",
    "parentUuid",
    "logicalParentUuid",
    "sessionId",
    "agentId",
    "agentName",
    "teamName",
    "isSidechain",
    "isApiErrorMessage",
    "error",
    "requestId",
    "forkedFrom",
    "timestamp",
)


def _slim(event: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a line that are used; the texts of messages are not kept."""
    slim = {name: event[name] for name in _KEPT if name in event}
    slim["message"] = {
        name: message[name] for name in ("id", "model", "stop_reason", "usage") if name in message
    }
    if event.get("isApiErrorMessage"):
        slim["said"] = str(message.get("content"))[:300]
    return slim


def _slim_block(block: Any) -> dict[str, Any]:
    content = mapping(block).get("content")
    made = _MADE.match(content) if isinstance(content, str) else None
    return {
        "task": None if made is None else made.group(1),
        "is_error": mapping(block).get("is_error") is True,
        "is_stopped": any(said in str(content)[:200] for said in _STOPPED),
        "size": size_of(content),
    }


def _slim_task(told: Mapping[str, Any]) -> dict[str, Any]:
    names = ("taskId", "status", "owner", "addBlockedBy", "addBlocks")
    return {name: told[name] for name in names if name in told}


def _slim_result(result: Mapping[str, Any]) -> dict[str, Any]:
    names = ("agentId", "totalTokens", "totalDurationMs", "durationMs", "isAsync", "status")
    task = text(mapping(result.get("task")).get("id"))
    return {
        **{name: result[name] for name in names if name in result},
        **({} if task is None else {"task": task}),
    }


class Agents:
    """Finds the run and the agent of an event, and the agent that started it."""

    def __init__(self, files: Iterable[SessionFile]) -> None:
        self._parents: dict[tuple[str, str], str] = {}
        self._starts: dict[tuple[str, str], str] = {}
        self._begun: dict[str, int] = {}
        self._roles: dict[str, str] = {}
        self._teams: dict[str, tuple[str, str | None]] = {}
        for file in files:
            self._roles |= role_beside(file.source.path)
            self._begun |= {a: min(at, self._begun.get(a, at)) for a, at in file.begun.items()}
            for session, (team, name) in file.teams.items():
                known = self._teams.get(session, (team, None))
                self._teams[session] = team, known[1] or name
        for file in files:
            for child, used in file.chains.starts.items():
                if used in file.uses:
                    run, agent, _name = self.of(file.uses[used].event, file.source.path)
                    self._parents.setdefault((run, child), agent)
                    self._starts.setdefault((run, child), used)
            for used, block, result, _ in file.results:
                use = file.uses.get(used)
                event = block if use is None else use.event
                told_of = text(result.get("agentId"))
                run, agent, _name = self.of(event, file.source.path)
                if told_of is not None and told_of != agent:
                    self._parents.setdefault((run, told_of), agent)
                    if use is not None:
                        self._starts.setdefault((run, told_of), used)

    def of(self, event: Mapping[str, Any], path: Path) -> tuple[str, str, str | None]:
        """Return run, agent and the agent's name."""
        session = text(event.get("sessionId")) or session_of(path)
        team, member = self._teams.get(session, (None, None))
        number, name = text(event.get("agentId")), text(event.get("agentName"))
        if number is None and event.get("isSidechain") is True:
            number = agent_of(path) or "sidechain"
        agent = number or member or MAIN
        return team or session, agent, name or (self._roles.get(agent) if number else member)

    def member(self, run: str, name: str) -> str:
        """Return the agent that a member of a team is called by: the lead has often no name."""
        names = {member for team, member in self._teams.values() if team == run}
        name = name.partition("@")[0]
        return MAIN if name in _LEADS and name not in names and None in names else name

    def parent(self, run: str, agent: str, event: Mapping[str, Any]) -> str | None:
        """Return the agent that started another: the one told its result, else the main agent."""
        found = self._parents.get((run, agent))
        if found is not None or agent == MAIN:
            return found
        if text(event.get("agentId")) is None and event.get("isSidechain") is not True:
            return None
        member = self._teams.get(text(event.get("sessionId")) or "", (None, None))[1]
        return member if member is not None and member != agent else MAIN

    def start(self, run: str, agent: str) -> str | None:
        """Return the call of a tool that started an agent: the one whose result names it."""
        return self._starts.get((run, agent))

    def began(self, agent: str | None) -> int | None:
        """Return when the first line of a sub-agent was written, in ns; None if it has none."""
        return None if agent is None else self._begun.get(agent)

    def role(self, agent: str) -> str | None:
        """Return the type of a sub-agent."""
        return self._roles.get(agent)
