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

_WAITS = {
    "rate_limit": "{agent} has waited {s} for the provider's rate limit.",
    "lock": "{agent} has waited {s} for a lock.",
    "partition": "{agent} has waited {s} for the others, from whom it was cut off.",
    "queue": "{agent} has queued {s} at the provider.",
    "retry": "{agent} has waited {s} before it tried again.",
    "breaker": "{agent} has waited {s} since the circuit breaker was open.",
    "bulkhead": "{agent} has waited {s} for a place among the calls at once.",
    "tool": "{agent} has waited {s} for its tools.",
    "subagent": "{agent} has waited {s} for its sub-agents.",
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

_PATTERNS: Mapping[Event, Mapping[str, str]] = {
    Event.ATTEMPT: _ATTEMPTS,
    Event.REVIEW: _REVIEWS,
    Event.WAIT: _WAITS,
    Event.REQUEST: _REQUESTS,
    Event.FAULT: _FAULTS,
    Event.DOWN: _DOWNS,
    Event.CALL_END: _CALL_ENDS,
}
"""Patterns of sentences by event and outcome."""

_OTHERWISE = {
    Event.REQUEST: "A request of {agent} came to nothing: {what}.",
    Event.FAULT: "A fault: {what}.",
}
"""Patterns for outcomes that plugins have named."""

_NEWS = frozenset({Event.FAULT, Event.DOWN, Event.DETECTED, Event.LEADS, Event.PARTITION})


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
    for row in rows:
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


def _ending(row: Row) -> str:
    return {
        "completed": "The run ends: every task that it needs is done.",
        "deadline": "The run ends: its time is up.",
        "budget": "The run ends: its budget is spent.",
        "max_rounds": "The run ends: it had as many rounds as it may have.",
        "max_calls": "The run ends: it had as many calls as it may have.",
        "deadlock": "The run ends: nobody can go on.",
    }.get(str(row.outcome), "The run ends.")


def _told(row: Row, tools: Sequence[str], parents: Mapping[int, int]) -> Iterator[Sentence]:
    """Yield what an event says, if it is worth telling."""
    outcome, seconds = str(row.outcome), row.duration_s or 0.0
    base = (row.agent, row.peer, row.task)
    patterns = _PATTERNS.get(row.event)
    if patterns is not None:
        pattern = patterns.get(outcome) or _OTHERWISE.get(row.event)
        if pattern is None or (row.event is Event.WAIT and not seconds):
            return
        peer = row.peer if row.event is Event.REVIEW else None
        what = outcome.replace("_", " ")
        news = row.event in _NEWS
        yield Sentence(row.time_s, pattern, row.agent, peer, row.task, seconds, what, news)
    elif row.event is Event.TASK_READY:
        yield Sentence(row.time_s, "Task {task} can be started.", task=row.task)
    elif row.event is Event.ROUND_START:
        yield Sentence(row.time_s, "Round {n} begins.", amount=row.round or 0)
    elif row.event is Event.BREAKER:
        what = outcome.replace("_", " ")
        yield Sentence(
            row.time_s, "The circuit breaker is now {what}.", row.agent, what=what, is_news=True
        )
    elif row.event is Event.DETECTED:
        said = "{agent} is found {what}."
        yield Sentence(row.time_s, said, row.agent, what=outcome, is_news=True)
    elif row.event is Event.LEADS:
        said = "{peer} is elected: it leads in the seat of {agent}."
        yield Sentence(row.time_s, said, *base, is_news=True)
    elif row.event is Event.PARTITION:
        yield _cut(row)
    elif row.event is Event.DIVERGED and outcome != "first_attempt":
        said = "Both sides of the cut did task {task}: the work of {agent} was in vain."
        yield Sentence(row.time_s, said, *base)
    elif row.event is Event.LOST:
        said = "The work of {agent} on task {task} is overwritten."
        yield Sentence(row.time_s, said, *base)
    elif row.event is Event.CONFLICT:
        yield Sentence(row.time_s, "{agent} and {peer} wrote the same at once.", *base)
    elif row.event is Event.MESSAGE and row.peer:
        said = "{agent} sends a message to {n} agents." if row.peer > 1 else (
            "{agent} sends a message to one agent."
        )
        yield Sentence(row.time_s, said, row.agent, amount=row.peer)
    elif row.event is Event.TOOL:
        tool = tools[row.peer or 0]
        said = "{agent} has used {what} for {s}"
        said += "." if outcome == "done" else f": {outcome.replace('_', ' ')}."
        yield Sentence(row.time_s, said, row.agent, amount=seconds, what=tool)
    elif row.event is Event.SUBAGENT_START:
        yield Sentence(row.time_s, "{peer} starts {agent}.", row.agent, row.peer)
    elif row.event is Event.SUBAGENT_END:
        said = _SUBAGENT_ENDS.get(outcome, "{agent} came to nothing: {what}.")
        parent = parents.get(row.agent or 0)
        yield Sentence(row.time_s, said, row.agent, parent, what=outcome.replace("_", " "))
    elif row.event is Event.RUN_END:
        yield Sentence(row.time_s, _ending(row), is_news=True)


def _cut(row: Row) -> Sentence:
    said = "The team is one again: {n} agents that were cut off can reach the others."
    if row.outcome == "begins":
        said = "The team is cut in two: the last {n} workers and the others do not reach each other."
    return Sentence(row.time_s, said, amount=row.peer or 0, is_news=True)


MOST_SENTENCES = 60_000
"""Most sentences of a page; a longer story leaves out the most frequent ones."""


def abridged(sentences: Sequence[Sentence], most: int = MOST_SENTENCES) -> list[Sentence]:
    """Return the sentences without those of the most frequent patterns, if they are too many.

    News are kept, and so is what tasks become.

    Parameters
    ----------
    sentences : sequence of Sentence
    most : int
    """
    kept = list(sentences)
    counts = Counter(each.pattern for each in kept if not each.is_news and each.task is None)
    for pattern, _ in counts.most_common():
        if len(kept) <= most:
            break
        kept = [each for each in kept if each.pattern != pattern]
    return kept
