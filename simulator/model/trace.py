"""The typed event log of one replication.

Events, and what the columns mean for each (columns not named are null):

======================  =====================================================================
``run_start``           The first event, at 0.
``task_ready``          task: can start from now on.
``round_start``         round.
``call_start``          agent, round, call.
``claim_blocked``       agent, round, call, task: a dependency was not done at the call's end.
``attempt``             agent, round, call, task; duration_s: its share of the call; outcome:
                        done, faulty (done with a fault nobody saw), given_up (done with a
                        fault that is known), failed_test, answer (one of several),
                        submitted (to a review), duplicate, blocked, refused (by the workspace,
                        or never handed in), lost (the reply exceeded the output limit),
                        partial (left as it was: its call had failed for good), unmarked or
                        unmarked_faulty (finished without or with a fault, and not handed in).
``claim``               agent, round, task; peer: the claim's number. Claims are written down
                        where a scenario says what becomes of them.
``orphaned``            agent, round, task; peer: the claim's number; outcome: forgotten (the agent
                        has finished the task and does not hand it in) or down (it is gone).
``hand_in``             agent, round, call, task: that was finished earlier; peer: by whom;
                        duration_s: since the call began that did it; outcome: done, faulty or
                        submitted, as of an attempt. Of what waits for a review that is left out,
                        since the team goes on without its coordinator: agent and peer: who did it.
                        Of what waited for copies in progress, none of which has done it: given_up
                        or given_up_correct; agent and peer: whose attempt failed last.
``claim_end``           agent, round, task; peer: the claim's number; duration_s: for how long the
                        agent held it; outcome: marked (done), released or open (at the end).
``review``              agent, round, call, task; peer: who did it; duration_s: since the
                        call began that did it; outcome: done, faulty,
                        rejected, false_alarm (rejected, and correct), given_up or
                        given_up_correct (rejected for the last time), duplicate.
``wait``                agent, round, call; duration_s; outcome: rate_limit, lock, partition,
                        queue, retry, breaker, bulkhead, tool, subagent,
                        barrier (after a turn, in rounds of turns).
``request``             agent, round, call: a request that came to nothing, or a hedge that was
                        not needed; duration_s: service in vain (0 for the second of two at
                        the same time); tokens paid for; outcome: timeout, malformed,
                        error, outage, hedged, or why its call was lost.
``breaker``             agent, round, call: whose request changed it; outcome: its new state.
``fault``               agent (none: the provider), round; outcome: crash, stall, slow, wrong,
                        silent, outage or brownout.
``down``                agent, round; duration_s: for how long it was; outcome: how that ended
                        (repaired, elected, at_end).
``detected``            agent, round: found dead or stuck; outcome: which.
``leads``               agent, round: a coordinator's seat is filled again; peer: by whom.
``turn``                agent, round, call: a turn of a loop that is not its last; duration_s: in
                        service (part of the call's); input_tokens (cached included);
                        cached_tokens; output_tokens.
``tool``                agent, round, call; peer: which tool, by its place among the names of all
                        tools in alphabetical order; duration_s: how long it ran; output_tokens:
                        of its result; outcome: done, error, timeout, outage, impatient (not
                        served in time), cancelled (with its loop) or cut_off (with the run).
``tool_wait``           agent, round, call; peer: which tool; duration_s: how long it waited at its
                        station. Written when the call of the tool ends.
``subagent_start``      agent: the sub-agent, by a number after those of the team; round, call: its
                        own; peer: who has started it; outcome: of which kind it is.
``subagent_end``        agent, round, call; peer: which turn was its last, where it is a loop (0
                        where it was lost between two); duration_s: how long it was in service;
                        input_tokens (cached included), cached_tokens and output_tokens of its last
                        turn; outcome: done, error (its report is of no use), failed (its loop came
                        to nothing),
                        prompt_too_long, timeout, cancelled or cut_off. The ``turn``,
                        ``tool``, ``wait`` and ``request`` rows between bear its number; the call of
                        a tool that it was has a ``tool`` row of who has started it.
``commit``              agent, round, call; duration_s: reading, writing and merging.
``lost``                agent, round, call, task: whose work was overwritten, artifact; outcome:
                        redo or faulty, with ``_was_faulty`` or ``_was_known`` if it was.
``partition``           peer: agents cut off; outcome: begins or ends.
``diverged``            agent, round, task: done on both sides of a partition; duration_s: in
                        vain; outcome: work or rework, ``_was_faulty`` or ``_was_known``;
                        first_attempt: seconds of attempts before the rework, no task.
``write``               agent, round, call, artifact; outcome: first or rewrite.
``conflict``            agent, round, call, artifact; peer: who else wrote it meanwhile.
``message``             agent, round, call; peer: number of receivers; output_tokens.
``delivery``            agent: receiver, round; peer: sender. Only on networks with mailboxes
                        (delay, loss, partitions, gossip); written when it is sent.
``call_end``            agent, round, call; duration_s; input_tokens (cached included);
                        cached_tokens; output_tokens (message included): of a loop, those of its
                        last turn; peer: which turn that was (0 where the loop was lost between
                        two, when no call was under way); outcome: work, idle,
                        coordination, review, failed (it came to nothing; tokens: of what was
                        done before), prompt_too_long (refused) or cut_off (by the
                        end of the run; tokens: read, and written so far).
``round_end``           round; duration_s: since its start.
``overhead``            round; duration_s: the harness's time after the round; peer: agents that
                        were there for all of it.
``run_end``             duration_s: the makespan; outcome.
======================  =====================================================================
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from simulator.model.why import Why

if TYPE_CHECKING:
    import pyarrow as pa


class Event(StrEnum):
    """The closed list of events."""

    RUN_START = "run_start"
    TASK_READY = "task_ready"
    ROUND_START = "round_start"
    CALL_START = "call_start"
    CLAIM_BLOCKED = "claim_blocked"
    ATTEMPT = "attempt"
    CLAIM = "claim"
    ORPHANED = "orphaned"
    HAND_IN = "hand_in"
    CLAIM_END = "claim_end"
    REVIEW = "review"
    WAIT = "wait"
    REQUEST = "request"
    BREAKER = "breaker"
    FAULT = "fault"
    DOWN = "down"
    DETECTED = "detected"
    LEADS = "leads"
    TURN = "turn"
    TOOL = "tool"
    TOOL_WAIT = "tool_wait"
    SUBAGENT_START = "subagent_start"
    SUBAGENT_END = "subagent_end"
    COMMIT = "commit"
    LOST = "lost"
    PARTITION = "partition"
    DIVERGED = "diverged"
    WRITE = "write"
    CONFLICT = "conflict"
    MESSAGE = "message"
    DELIVERY = "delivery"
    CALL_END = "call_end"
    ROUND_END = "round_end"
    OVERHEAD = "overhead"
    RUN_END = "run_end"


class Row(NamedTuple):
    """One event; see the module for what each column means."""

    time_s: float
    event: Event
    agent: int | None = None
    round: int | None = None
    call: int | None = None
    task: int | None = None
    artifact: int | None = None
    peer: int | None = None
    duration_s: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    outcome: str | None = None


PROMPT_TOO_LONG = Why.PROMPT_TOO_LONG.value
"""Outcome of a call whose prompt no model that it could ask has a window for."""

FAILED = frozenset({"failed", PROMPT_TOO_LONG})
"""Outcomes of calls that came to nothing."""

ANSWERED = frozenset({"done", "error"})
"""Outcomes of sub-agents whose last turn was answered; all others came to nothing."""

IN_VAIN = frozenset({"duplicate", "blocked", "refused", "lost"})
"""Outcomes of attempts that came to nothing."""


def sends_back(row: Row) -> bool:
    """Return whether a row says that its task is to be done again."""
    return (
        (row.event is Event.ATTEMPT and row.outcome == "failed_test")
        or (row.event is Event.REVIEW and row.outcome in ("rejected", "false_alarm"))
        or (row.event is Event.LOST and str(row.outcome).startswith("redo"))
    )


COLUMNS = {
    "replication": "int64",
    "seq": "int64",
    "time_s": "float64",
    "event": "string",
    "agent": "int64",
    "round": "int64",
    "call": "int64",
    "task": "int64",
    "artifact": "int64",
    "peer": "int64",
    "duration_s": "float64",
    "input_tokens": "int64",
    "cached_tokens": "int64",
    "output_tokens": "int64",
    "outcome": "string",
}
"""Columns of a trace with their Arrow types: times in simulated seconds, agents and tasks by number
from 0."""


class Trace:
    """Collects the events of one replication, in order.

    Parameters
    ----------
    replication : int
        Written in every row.

    Attributes
    ----------
    rows : list of Row
    spent_usd : list of float
        What had been spent in all when each row was written, in US dollars. No column of the
        table: prices of models that stand in and of caches make it more than tokens times a price.
    """

    __slots__ = ("replication", "rows", "spent_usd")

    def __init__(self, replication: int = 0) -> None:
        self.replication = replication
        self.rows: list[Row] = []
        self.spent_usd: list[float] = []

    def add(self, row: Row, spent_usd: float) -> None:
        """Append one event, and what has been spent by then."""
        self.rows.append(row)
        self.spent_usd.append(spent_usd)

    def retract(self, event: Event) -> None:
        """Take back the last row of a kind."""
        place = max(i for i, row in enumerate(self.rows) if row.event is event)
        del self.rows[place], self.spent_usd[place]

    def cut_back(self, count: int) -> None:
        """Keep the first `count` rows only."""
        del self.rows[count:], self.spent_usd[count:]

    def table(self) -> pa.Table:
        """Return the events as an Arrow table with `COLUMNS`."""
        import pyarrow as pa

        columns = list(zip(*self.rows, strict=True)) or [()] * len(Row._fields)
        count = len(self.rows)
        arrays = {
            "replication": [self.replication] * count,
            "seq": range(count),
            **dict(zip(Row._fields, columns, strict=True)),
        }
        return pa.table(arrays, schema=pa.schema(list(COLUMNS.items())))
