"""Messages between the members of Claude Code's teams: sent, found in an inbox, and received.

The same message may be told up to three times: by the tool of who sends it, in the inbox of who
gets it (``~/.claude/teams/TEAM/inboxes/NAME.json``), and as text in the session of who gets it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.traces.archives import stem_of
from analysis.traces.collector import Collector
from analysis.traces.readers._claude_code_files import Agents, SessionFile
from analysis.traces.values import nanoseconds, pick, text

_NEAR_NS = 60_000_000_000
"""A message is written into an inbox at most so long after, or by its clock before, it is sent."""

_CLOCK_NS = 5_000_000_000
"""By how much the clock of who gets a message may be behind."""

_KIND = re.compile(r'\s*\{.*?"type"\s*:\s*"(\w+)"', re.DOTALL)
"""Beginning of a text with which the program itself tells something."""


@dataclass(slots=True)
class Mail:
    """A message; `target` is None if it is for all, `received` if it is not known to be read."""

    run: str
    source: str
    target: str | None
    identity: str
    sent: int
    kind: str = "message"
    received: int | None = None

    def receive(self, moment: int) -> None:
        """Note when it was read."""
        self.received = moment


def is_mail(row: Mapping[str, Any]) -> bool:
    """Tell whether a row is a message in an inbox."""
    return {"from", "text", "timestamp"} <= row.keys() and "message" not in row


def mail_in(row: Mapping[str, Any], path: Path) -> Mail | None:
    """Return a message in an inbox; None if it only keeps the team running."""
    sender, moment = text(row.get("from")), nanoseconds(row.get("timestamp"))
    kind = _kind(str(row.get("text")))
    if sender is None or moment is None or kind is None:
        return None
    run = path.parent.parent.name
    return Mail(run, sender, stem_of(path), f"{run}/{stem_of(path)}/{moment}", moment, kind)


def sent_by(file: SessionFile, mine: set[str], agents: Agents) -> Iterator[Mail]:
    """Yield what the messages of a file (those in `mine`) send."""
    for used, use in file.uses.items():
        to = text(pick(use.to, "recipient", "to"))
        if to is not None and use.message in mine:
            run, agent, _ = agents.of(use.event, file.source.path)
            is_for_all = use.to.get("type") == "broadcast" or to == "*"
            target, kind = (None, "broadcast") if is_for_all else (to, "message")
            yield Mail(run, agent, target, used, use.at, kind)


def add_mail(
    sent: Iterable[Mail],
    inboxes: Iterable[Mail],
    files: Iterable[SessionFile],
    agents: Agents,
    out: Collector,
) -> None:
    """Add the messages, each once.

    Parameters
    ----------
    sent, inboxes : iterable of Mail
        What members send, and what their inboxes hold.
    files : iterable of SessionFile
        Their sessions, which tell what they have read.
    agents : Agents
    out : Collector
    """
    known = [_named(mail, agents) for mail in sent]
    written = set[int]()
    for mail in sorted((_named(mail, agents) for mail in inboxes), key=lambda mail: mail.sent):
        copies = [i for i, each in enumerate(known) if _is_copy(mail, each) and i not in written]
        if copies:
            written.update(copies[:1] if known[copies[0]].target is not None else ())
        else:
            known.append(mail)
            written.add(len(known) - 1)
    for mail in sorted(_heard(files, agents), key=lambda mail: mail.sent):
        same = (each for each in known if each.target in (mail.target, None))
        waiting = (
            each
            for each in same
            if (each.run, each.source) == (mail.run, mail.source)
            and each.received is None
            and each.sent <= mail.sent + _CLOCK_NS
        )
        first = min(waiting, key=lambda each: each.sent, default=None)
        if first is None:
            known.append(mail)
        elif first.target is not None:
            first.receive(mail.sent)
    for mail in known:
        out.message(
            run_id=mail.run,
            msg_id=mail.identity,
            src_agent_id=mail.source,
            dst_agent_id=mail.target,
            sent_ns=mail.sent,
            recv_ns=mail.received,
            kind=mail.kind,
            span_id=mail.identity,
            inferred=False,
        )


def _named(mail: Mail, agents: Agents) -> Mail:
    """Return a message between the agents that its names stand for."""
    source = agents.member(mail.run, mail.source)
    target = None if mail.target is None else agents.member(mail.run, mail.target)
    return Mail(mail.run, source, target, mail.identity, mail.sent, mail.kind, mail.received)


def _is_copy(mail: Mail, sent: Mail) -> bool:
    return (
        (mail.run, mail.source) == (sent.run, sent.source)
        and sent.target in (mail.target, None)
        and abs(mail.sent - sent.sent) <= _NEAR_NS
    )


def _heard(files: Iterable[SessionFile], agents: Agents) -> Iterator[Mail]:
    """Yield what members have read, once also where a resumed session repeats it."""
    seen = set()
    for file in files:
        for event, sender, said, moment in file.heard:
            run, agent, _ = agents.of(event, file.source.path)
            source, kind = agents.member(run, sender), _kind(said)
            key = run, source, agent, moment, said
            if kind is not None and source != agent and key not in seen:
                seen.add(key)
                identity = f"{source}-{agent}-{len(seen)}"
                yield Mail(run, source, agent, identity, moment, kind, moment)


def _kind(said: str) -> str | None:
    """Return the kind of a message by its text; None for what only keeps a team running."""
    told = _KIND.match(said)
    if told is None:
        return "message"
    return "return" if told.group(1) == "idle_notification" else None
