"""What happens in one replication, in plain sentences, by the events of its trace.

A sentence is a pattern and what fills it, so that a page writes thousands of them in little room.
In patterns, ``{agent}`` and ``{peer}`` are names of agents, ``{task}`` is a task's number,
``{what}`` a name that the trace gives, and ``{n}`` a number; ``{s}`` is a time in seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.breakdown.lives import lives_of
from simulator.model.trace import Event, Row


@dataclass(frozen=True, slots=True)
class Sentence:
    """Something that happens at a time, to an agent, a task, or everybody.

    Attributes
    ----------
    time_s : float
    pattern : str
    agent, peer, task : int or None
        Whom and what it concerns.
    amount : float
        The number in the sentence.
    what : str
        The name in it.
    is_news : bool
        Whether it is told to all: faults, elections, partitions, and the like.
    """

    time_s: float
    pattern: str
    agent: int | None = None
    peer: int | None = None
    task: int | None = None
    amount: float = 0.0
    what: str = ""
    is_news: bool = False


_ATTEMPTS = {
    "done": "{agent} finishes task {task}, and it is right.",
    "faulty": "{agent} finishes task {task} with a fault that nobody sees.",
    "given_up": "{agent} gives task {task} up: it is wrong, and that is known.",
    "failed_test": "{agent} tests task {task} and finds a fault: it is to do again.",
    "answer": "{agent} gives one of several answers to task {task}.",
    "submitted": "{agent} hands task {task} in, to be reviewed.",
    "duplicate": "{agent} worked on task {task} in vain: another was first.",
    "blocked": "{agent} cannot finish task {task}: a task that it needs is not done.",
    "refused": "{agent} worked on task {task} in vain: the result was refused.",
    "lost": "{agent} loses its reply on task {task}: it was too long.",
    "partial": "{agent} leaves task {task} as it is: its call failed for good.",
    "unmarked": "{agent} finishes task {task}, and forgets to hand it in.",
    "unmarked_faulty": "{agent} finishes task {task} with a fault, and forgets to hand it in.",
}

_ORPHANED = {
    "forgotten": "The claim of {agent} on task {task} is orphaned: it takes the task for done.",
    "down": "The claim of {agent} on task {task} is orphaned: {agent} is down.",
}

_HAND_INS = {
    "done": "{agent} hands task {task} in late, {s} after {peer} began it, and it is right.",
    "faulty": "{agent} hands task {task} in late, {s} after {peer} began it, with a fault.",
    "submitted": "{agent} hands task {task} in late, {s} after {peer} began it, to be reviewed.",
    "given_up": "{agent} gives task {task} up: no copy of it has come to anything.",
    "given_up_correct": "{agent} gives task {task} up, which was right: no copy has been accepted.",
}

_CLAIM_ENDS = {
    "marked": "Task {task} is marked done, {s} after {agent} claimed it.",
    "released": "The claim of {agent} on task {task} is released after {s}.",
    "open": "The run ends, and {agent} holds its claim on task {task} for {s}.",
}

_REVIEWS = {
    "done": "{agent} reviews task {task}, done by {peer}, and accepts it.",
    "faulty": "{agent} reviews task {task}, done by {peer}, and misses its fault.",
    "rejected": "{agent} finds a fault in task {task}, and sends it back to {peer}.",
    "false_alarm": "{agent} sends task {task} back to {peer}, although it was right.",
    "given_up": "{agent} finds a fault in task {task} again: it is given up.",
    "given_up_correct": "{agent} rejects task {task} for the last time, although it was right.",
    "duplicate": "{agent} reviews task {task} in vain: it was done already.",
}

_WAITS = {  # but those for tools and sub-agents, which have sentences of their own
    "rate_limit": "{agent} has waited {s} for the provider's rate limit.",
    "lock": "{agent} has waited {s} for a lock.",
    "partition": "{agent} has waited {s} for the others, from whom it was cut off.",
    "queue": "{agent} has queued {s} at the provider.",
    "retry": "{agent} has waited {s} before it tried again.",
    "breaker": "{agent} has waited {s} since the circuit breaker was open.",
    "bulkhead": "{agent} has waited {s} for a place among the calls at once.",
    "barrier": "{agent} has waited {s} for the others' turns.",
}

_REQUESTS = {
    "timeout": "A request of {agent} timed out.",
    "malformed": "{agent} got an answer that it could not use.",
    "error": "A request of {agent} failed: the provider's error.",
    "outage": "A request of {agent} failed: the provider is down.",
    "hedged": "{agent} had asked twice; the slower request is dropped.",
}

_FAULTS = {
    "crash": "{agent} crashes.",
    "stall": "{agent} gets stuck: its call will not come back by itself.",
    "slow": "{agent} becomes slow.",
    "wrong": "{agent} begins to give wrong results.",
    "silent": "{agent} falls silent.",
    "outage": "The provider is down: no call is answered.",
    "brownout": "The provider becomes slow.",
}

_DOWNS = {
    "repaired": "{agent} is back, after {s}.",
    "elected": "The seat of {agent} is filled again, after {s}.",
}

_SUBAGENT_ENDS = {
    "done": "{agent} reports to {peer}.",
    "error": "{agent} reports to {peer}, and the report is of no use.",
    "cut_off": "The run ends before {agent} does.",
}

_CALL_ENDS = {
    "idle": "{agent} ends a call in which it took no task.",
    "coordination": "{agent} ends a call that coordinated the work.",
    "failed": "A call of {agent} came to nothing.",
    "prompt_too_long": "A call of {agent} is refused: its prompt is too long.",
    "cut_off": "The run ends before the call of {agent} does.",
}

_TOOLS = {
    "done": "{agent} has used {what} for {s}.",
    "error": "{agent} has used {what} for {s}, and it failed.",
    "timeout": "{agent} has used {what} for {s}: it took too long.",
    "outage": "{agent} could not use {what}: it is out of service.",
    "impatient": "{agent} has waited too long for {what}.",
    "cancelled": "{agent} ends before {what} does.",
    "cut_off": "The run ends before {what} does, which {agent} has used for {s}.",
}

_PARTITIONS = {
    "begins": "The team is cut in two: its last {n} workers do not reach the others.",
    "ends": "The team is one again: {n} agents that were cut off reach the others.",
}

_RUN_ENDS = {
    "completed": "The run ends: all that was to be done is done.",
    "deadline": "The run ends: its time is up.",
    "budget": "The run ends: its budget is spent.",
    "max_rounds": "The run ends: it had as many rounds as it may have.",
    "max_calls": "The run ends: it had as many calls as it may have.",
    "deadlock": "The run ends: nobody can go on.",
}

_BY_OUTCOME: Mapping[Event, Mapping[str, str]] = {
    Event.ATTEMPT: _ATTEMPTS,
    Event.ORPHANED: _ORPHANED,
    Event.HAND_IN: _HAND_INS,
    Event.CLAIM_END: _CLAIM_ENDS,
    Event.REVIEW: _REVIEWS,
    Event.WAIT: _WAITS,
    Event.REQUEST: _REQUESTS,
    Event.FAULT: _FAULTS,
    Event.DOWN: _DOWNS,
    Event.TOOL: _TOOLS,
    Event.SUBAGENT_END: _SUBAGENT_ENDS,
    Event.CALL_END: _CALL_ENDS,
    Event.PARTITION: _PARTITIONS,
    Event.DIVERGED: {"first_attempt": ""},  # the rework after it has a row of its own
    Event.RUN_END: _RUN_ENDS,
}
"""Patterns of sentences by event and outcome."""

_FEW_HEAR = {
    0: "{agent} sends a message, and nobody hears it.",
    1: "{agent} sends a message to one other.",
}
"""Patterns of messages by how many hear them."""

_OTHERWISE = {
    Event.TASK_READY: "Task {task} can be started.",
    Event.ROUND_START: "Round {n} begins.",
    Event.CLAIM: "{agent} claims task {task}.",
    Event.REQUEST: "A request of {agent} came to nothing: {what}.",
    Event.BREAKER: "The circuit breaker is now {what}.",
    Event.FAULT: "A fault: {what}.",
    Event.DETECTED: "{agent} is found {what}.",
    Event.LEADS: "{peer} is elected: it leads in the seat of {agent}.",
    Event.DIVERGED: "Both sides of the cut did task {task}: the work of {agent} was in vain.",
    Event.LOST: "The work of {agent} on task {task} is overwritten.",
    Event.CONFLICT: "{agent} and {peer} wrote the same at once.",
    Event.MESSAGE: "{agent} sends a message to {n} others.",
    Event.SUBAGENT_START: "{peer} starts {agent}.",
    Event.SUBAGENT_END: "{agent} came to nothing: {what}.",
}
"""Patterns of events whose outcome has none of its own."""

_WITH_PEER = frozenset(
    {Event.HAND_IN, Event.REVIEW, Event.LEADS, Event.CONFLICT, Event.SUBAGENT_START}
)
"""Events whose peer is an agent that the sentence names."""

_NEWS = frozenset(
    {
        Event.FAULT,
        Event.DOWN,
        Event.DETECTED,
        Event.LEADS,
        Event.PARTITION,
        Event.BREAKER,
        Event.RUN_END,
    }
)


def sentences_of(rows: Sequence[Row], tools: Sequence[str]) -> list[Sentence]:
    """Return what happens, in the order of the trace.

    Parameters
    ----------
    rows : sequence of Row
        The trace of one replication.
    tools : sequence of str
        Names of the tools, in the order of their numbers.
    """
    parents = {life.agent: life.parent for life in lives_of(rows)}
    of_call: dict[int | None, list[int]] = {}
    for row in rows:
        if row.event is Event.ATTEMPT and row.task is not None:
            of_call.setdefault(row.call, []).append(row.task)
    found: list[Sentence] = []
    last_on: dict[int, int] = {}
    for row in _causes_first(rows):
        if row.event is Event.CALL_START and row.agent is not None:
            for task in of_call.get(row.call, ()):
                before = last_on.get(task, row.agent)
                last_on[task] = row.agent
                said = "{agent} begins to work on task {task}."
                if before != row.agent:
                    said = "{agent} begins to work on task {task}, which {peer} had before."
                found.append(Sentence(row.time_s, said, row.agent, before, task))
        else:
            found += _told(row, tools, parents)
    return found


def _causes_first(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the rows, each that a claim is orphaned or marked after what it follows from.

    The trace has them before the attempt, the hand-in or the review that does it.
    """
    waiting: list[Row] = []
    for row in rows:
        if waiting and (row.time_s > waiting[0].time_s or row.event is Event.RUN_END):
            yield from waiting
            waiting.clear()
        if row.event is Event.ORPHANED or (
            row.event is Event.CLAIM_END and row.outcome == "marked"
        ):
            waiting.append(row)
            continue
        yield row
        if row.event in (Event.ATTEMPT, Event.HAND_IN, Event.REVIEW):
            yield from (each for each in waiting if each.task == row.task)
            waiting = [each for each in waiting if each.task != row.task]
    yield from waiting


def pattern_of(event: Event, outcome: str) -> str:
    """Return the pattern of the sentence that a row becomes; empty where it becomes none."""
    pattern = _BY_OUTCOME.get(event, {}).get(outcome)
    return _OTHERWISE.get(event, "") if pattern is None else pattern


def _told(row: Row, tools: Sequence[str], parents: Mapping[int, int]) -> Iterator[Sentence]:
    """Yield what an event says, if it is worth telling."""
    outcome = str(row.outcome)
    pattern = pattern_of(row.event, outcome)
    if not pattern or (row.event is Event.WAIT and not row.duration_s):
        return
    amount = row.duration_s
    if row.event in (Event.MESSAGE, Event.PARTITION):
        amount = row.peer
        if row.event is Event.MESSAGE:
            pattern = _FEW_HEAR.get(row.peer or 0, pattern)
    elif row.event is Event.ROUND_START:
        amount = row.round
    peer = row.peer if row.event in _WITH_PEER else None
    if row.event is Event.SUBAGENT_END:
        peer = parents.get(row.agent or 0)
    what = tools[row.peer or 0] if row.event is Event.TOOL else outcome.replace("_", " ")
    news = row.event in _NEWS and outcome != "elected"  # that somebody leads says it already
    yield Sentence(row.time_s, pattern, row.agent, peer, row.task, amount or 0.0, what, news)


MOST_SENTENCES = 60_000
"""Most sentences of a page; a longer story leaves out the most frequent ones."""


def abridged(sentences: Sequence[Sentence], most: int = MOST_SENTENCES) -> list[Sentence]:
    """Return the sentences without those of the most frequent patterns, if they are too many.

    What concerns no task is left out first, then what concerns one, then news.

    Parameters
    ----------
    sentences : sequence of Sentence
    most : int
    """
    counts = Counter((each.is_news, each.task is not None, each.pattern) for each in sentences)
    left, out = len(sentences), set[tuple[bool, bool, str]]()
    for kind in sorted(counts, key=lambda kind: (*kind[:2], -counts[kind])):
        if left <= most:
            break
        out.add(kind)
        left -= counts[kind]
    if not out:
        return list(sentences)
    return [s for s in sentences if (s.is_news, s.task is not None, s.pattern) not in out]
