"""The course of one replication as spans of time, and what happened at single times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from analysis.breakdown.queues import ToolQueues
from simulator.model.agents.agent import COORDINATOR, VERIFIER, WORKER
from simulator.model.trace import FAILED, IN_VAIN, Event, Row, sends_back
from simulator.scenario import Scenario

KINDS = (
    "work",
    "rework",
    "in vain",
    "idle",
    "coordination",
    "review",
    "workspace",
    "failed",
    "tools",
    "sub-agents",
    "queued",
    "held up",
    "down",
)
"""Kinds of spans of an agent's time: attempts, later attempts at a task that had failed, attempts
without result, calls that took no task, coordination, reviews, reading and committing, requests and
calls that failed, waits for tools, for sub-agents, and for stations at which these queue, other
waits inside a call, down times. Between spans the agent waits."""

_WAITS = {"tool": "tools", "subagent": "sub-agents"}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of an agent's time.

    Attributes
    ----------
    agent : int
    start_s, end_s : float
        Simulated seconds.
    kind : str
        One of `KINDS`.
    call : int or None
    tasks : tuple of int
        Tasks that were attempted.
    why : str
        How the call, the wait, the request or the down time ended, by the trace.
    """

    agent: int
    start_s: float
    end_s: float
    kind: str
    call: int | None = None
    tasks: tuple[int, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Instant:
    """Something that happened at one time: a message, a fault, a detection, a failover."""

    time_s: float
    agent: int | None
    kind: str
    what: str


def agent_names(scenario: Scenario) -> list[str]:
    """Return the name of each agent: worker 0, ..., coordinator 0, verifier 0."""
    staff = scenario.staff
    counts = {
        WORKER: scenario.team.worker_count,
        COORDINATOR: staff["coordinator"],
        VERIFIER: staff["verifier"],
    }
    said = {WORKER: "worker", COORDINATOR: "coordinator", VERIFIER: "verifier"}
    return [f"{said[role]} {i}" for role, count in counts.items() for i in range(count)]


def spans_of(rows: Sequence[Row]) -> list[Span]:
    """Return what every agent and sub-agent did when, in the order of agents and time.

    Parameters
    ----------
    rows : sequence of Row
        The trace of one replication.

    Returns
    -------
    list of Span
        Those of an agent do not overlap.
    """
    found: list[Span] = []
    begun: dict[int, Row] = {}
    inside: dict[int, list[Span]] = {}
    attempts: dict[int, list[Row]] = {}
    failed: set[int] = set()
    again: dict[int, bool] = {}
    queues = ToolQueues()
    for row in rows:
        if row.event is Event.DOWN and row.agent is not None:
            start_s = row.time_s - (row.duration_s or 0.0)
            found.append(Span(row.agent, start_s, row.time_s, "down", why=str(row.outcome)))
        if row.call is None or row.agent is None:
            continue
        queued = queues.show(row)
        if row.event in (Event.CALL_START, Event.SUBAGENT_START):
            begun[row.call] = row
        elif row.event in (Event.WAIT, Event.COMMIT, Event.REQUEST) and row.duration_s:
            wait = _WAITS.get(str(row.outcome), "held up")
            kinds = {Event.WAIT: wait, Event.COMMIT: "workspace", Event.REQUEST: "failed"}
            start_s = row.time_s - row.duration_s
            what = (row.agent, start_s, row.time_s, kinds[row.event], row.call)
            span = Span(*what, why=str(row.outcome or ""))
            waits = [replace(span, start_s=a, end_s=b, kind="queued") for a, b in queued]
            inside.setdefault(row.call, []).extend([*waits, *_cut(span, waits)])
        elif row.event is Event.ATTEMPT and row.task is not None:
            attempts.setdefault(row.call, []).append(row)
            again[row.call] = again.get(row.call, False) or row.task in failed
        elif row.event in (Event.CALL_END, Event.SUBAGENT_END):
            start = begun.pop(row.call)
            tried = attempts.pop(row.call, [])
            kind = _kind(str(row.outcome), tried, again.get(row.call, False))
            tasks = tuple(each.task for each in tried if each.task is not None)
            when, why = (start.time_s, row.time_s), str(row.outcome)
            whole = Span(row.agent, *when, kind, row.call, tasks, why)
            found += _cut(whole, inside.pop(row.call, []))
        if row.task is not None and sends_back(row):
            failed.add(row.task)
    return sorted(found, key=lambda span: (span.agent, span.start_s, span.end_s))


def _kind(outcome: str, attempts: Sequence[Row], is_rework: bool) -> str:
    if outcome in FAILED or outcome in ("error", "timeout"):
        return "failed"
    if outcome == "done":
        return "work"
    if outcome != "work":
        kinds = ("idle", "coordination", "review")
        return outcome if outcome in kinds else "in vain"
    if all(row.outcome in IN_VAIN for row in attempts):
        return "in vain"
    return "rework" if is_rework else "work"


def _cut(whole: Span, parts: Sequence[Span]) -> Iterator[Span]:
    """Yield the parts of a call; the time between them is that of the call itself."""
    if not parts:
        if whole.end_s > whole.start_s:
            yield whole
        return
    reached = whole.start_s
    for part in sorted(parts, key=lambda each: each.start_s):
        start_s = max(part.start_s, reached)
        if start_s > reached:
            yield replace(whole, start_s=reached, end_s=start_s)
        if part.end_s > start_s:
            yield replace(part, start_s=start_s)
        reached = max(reached, part.end_s)
    if whole.end_s > reached:
        yield replace(whole, start_s=reached)


def instants_of(rows: Sequence[Row]) -> list[Instant]:
    """Return what happened at single times: messages, faults, detections, failovers, breakers."""
    found = []
    for row in rows:
        if row.event is Event.MESSAGE:
            said = f"to {row.peer} agents, {row.output_tokens} tokens"
            found.append(Instant(row.time_s, row.agent, "message", said))
        elif row.event in (Event.FAULT, Event.DETECTED, Event.BREAKER, Event.PARTITION):
            said = f"{row.event}: {row.outcome}"
            found.append(Instant(row.time_s, row.agent, str(row.event), said))
        elif row.event is Event.LEADS:
            found.append(Instant(row.time_s, row.agent, "leads", f"worker {row.peer} leads"))
    return found
