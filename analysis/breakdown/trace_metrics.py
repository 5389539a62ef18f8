"""The metrics of one replication, computed from its trace alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from math import fsum
from statistics import fmean
from typing import NamedTuple

from simulator.model.metrics import Metrics
from simulator.model.trace import ANSWERED, FAILED, IN_VAIN, PROMPT_TOO_LONG, Event, Row, sends_back

_NAMED_WAITS = frozenset(
    {"rate_limit", "lock", "partition", "queue", "tool", "subagent", "barrier"}
)
"""Reasons to wait that do not count in `held_back_s`: they have metrics of their own or, like
barriers, none."""

SETTLED = frozenset({"done", "faulty", "given_up", "given_up_correct", "partial"})
"""Outcomes of attempts and reviews after which a task is done."""


class _At(NamedTuple):
    """A row, and its place in the trace."""

    seq: int
    row: Row


class _Rows(list[_At]):
    """Rows of one kind, in their order."""

    def which(self, *outcomes: str) -> _Rows:
        """Return the rows that have one of these outcomes."""
        return self.among(outcomes)

    def among(self, outcomes: Collection[str]) -> _Rows:
        """Return the rows that have one of a collection of outcomes."""
        return _Rows(each for each in self if each.row.outcome in outcomes)

    def apart_from(self, outcomes: Collection[str]) -> _Rows:
        """Return the rows that have none of these outcomes."""
        return _Rows(each for each in self if each.row.outcome not in outcomes)

    def beginning(self, outcome: str) -> _Rows:
        """Return the rows whose outcome begins so."""
        return _Rows(each for each in self if str(each.row.outcome).startswith(outcome))

    def ending(self, outcome: str) -> int:
        """Return how many rows have an outcome that ends so."""
        return sum(str(each.row.outcome).endswith(outcome) for each in self)

    @property
    def seconds(self) -> float:
        """Durations, added up."""
        return fsum(each.row.duration_s or 0.0 for each in self)

    def of_team(self, agents: int) -> _Rows:
        """Return the rows of agents of the team, none of sub-agents."""
        return _Rows(
            each for each in self if each.row.agent is not None and each.row.agent < agents
        )


def metrics_from_trace(rows: Sequence[Row], agents: int, tasks: int, workers: int) -> Metrics:
    """Return the row of results computed from a trace, to compare with the accumulated one.

    Parameters
    ----------
    rows : sequence of Row
        The events of one replication in order.
    agents : int
        Agents in the team, a coordinator included.
    tasks : int
        Tasks in the workload.
    workers : int
        Number of agents that take tasks; they come first.

    Returns
    -------
    Metrics
        All metrics except those that only the agents and the workspace know.
    """
    of: defaultdict[Event, _Rows] = defaultdict(_Rows)
    for seq, row in enumerate(rows):
        of[row.event].append(_At(seq, row))
    (end,) = (each.row for each in of[Event.RUN_END])
    calls, attempts, reviews = of[Event.CALL_END], of[Event.ATTEMPT], of[Event.REVIEW]
    tools, begun = of[Event.TOOL], of[Event.SUBAGENT_START]
    reports = of[Event.SUBAGENT_END]  # of sub-agents, whose time is none of the team's
    reported = reports.apart_from({"cut_off"})
    no_reports = reports.apart_from(ANSWERED)
    turns = of[Event.TURN]  # those that are not the last of their call
    ended, cut_off = calls.apart_from({"cut_off"}), calls.which("cut_off")
    real = attempts.apart_from(IN_VAIN)
    rework, first_work = _told_apart(real, reviews, of[Event.LOST])
    late, ends = of[Event.HAND_IN], of[Event.CLAIM_END]
    settled = _Rows(
        (*attempts.among(SETTLED), *late.among(SETTLED), *reviews.among(SETTLED)),
    )
    orphans = {each.row.peer for each in of[Event.ORPHANED]}
    unmarked = _unmarked((*real, *late, *reviews.among(SETTLED)))
    lost, apart = of[Event.LOST], of[Event.DIVERGED]
    diverged = apart.apart_from({"first_attempt"})  # of a task done by a later one
    # Tasks settled and later undone, by another's write or by the other side of a partition.
    undone = _Rows((*lost.beginning("redo"), *diverged))
    was_faulty, was_known = undone.ending("_was_faulty"), undone.ending("_was_known")
    spoilt = len(lost.which("faulty"))
    right = len(settled.which("done", "given_up_correct")) - (len(undone) - was_faulty - was_known)
    correct = right - spoilt
    in_vain = apart.beginning("rework")
    makespan = end.duration_s or 0.0
    overhead = fsum(
        (each.row.duration_s or 0.0) * (each.row.peer or 0) for each in of[Event.OVERHEAD]
    )
    requests, down = of[Event.REQUEST], of[Event.DOWN].seconds
    given_up = ended.among(FAILED)
    paid = (*requests, *calls, *turns, *reports)
    wasted = (*requests, *given_up, *cut_off, *no_reports)
    lost_s = requests.of_team(agents).seconds
    committed, busy = of[Event.COMMIT].seconds, calls.seconds
    messages = of[Event.MESSAGE]
    seconds, waits = _by_outcome(calls), _by_outcome(of[Event.WAIT].of_team(agents))
    count = Counter(each.row.outcome for each in ended)
    return Metrics(
        makespan_s=makespan,
        outcome=str(end.outcome),
        success=end.outcome == "completed",
        agents=agents,
        tasks=tasks,
        tasks_done=len(settled) - len(undone),
        tasks_correct=correct,
        faulty_detected=len(settled.which("given_up", "partial")) - was_known,
        faulty_undetected=len(settled.which("faulty")) - was_faulty + spoilt,
        quality=(correct + list(unmarked.values()).count("unmarked")) / tasks,
        calls=sum(each.row.peer != 0 for each in (*ended, *reported)) + len(turns),
        tool_calls=len(tools),
        tool_errors=len(tools.apart_from({"done", "cancelled", "cut_off"})),
        tool_s=tools.seconds,
        tool_wait_s=of[Event.TOOL_WAIT].seconds,
        turns=sum(bool(each.row.peer) for each in (*ended, *reported)) + len(turns),
        sub_agents=len(begun),
        sub_agents_failed=len(reported.apart_from({"done", "cancelled"})),
        sub_agent_s=fsum(each.row.time_s for each in reports)
        - fsum(each.row.time_s for each in begun),
        idle_calls=count["idle"],
        lost_replies=len({each.row.call for each in attempts.which("lost")}),
        coordination_calls=count["coordination"],
        review_calls=count["review"],
        reviews=len(reviews),
        rejections=len(reviews.which("rejected", "false_alarm", "given_up", "given_up_correct")),
        false_alarms=len(reviews.which("false_alarm", "given_up_correct")),
        claims=len(of[Event.CLAIM]),
        marked_claims=len(ends.which("marked")),
        released_claims=len(ends.which("released")),
        open_claims=len(ends.which("open")),
        orphaned_claims=len(orphans),
        recovered_claims=sum(each.row.peer in orphans for each in ends.which("marked")),
        unmarked_tasks=len(unmarked),
        rounds=len(of[Event.ROUND_START]),
        idle_rounds=_idle_rounds(of[Event.ROUND_START], of[Event.ROUND_END], settled, undone),
        messages=len(messages),
        deliveries=sum(each.row.peer or 0 for each in messages),
        message_tokens=sum(each.row.output_tokens or 0 for each in messages),
        input_tokens=sum(each.row.input_tokens or 0 for each in paid),
        cached_tokens=sum(each.row.cached_tokens or 0 for each in paid),
        output_tokens=sum(each.row.output_tokens or 0 for each in paid),
        attempts=len(attempts),
        duplicate_attempts=len(attempts.which("duplicate"))
        + len(reviews.which("duplicate"))
        + len(diverged),
        blocked_claims=len(of[Event.CLAIM_BLOCKED]),
        concurrent_writes=len(of[Event.CONFLICT]),
        rewrites=len(of[Event.WRITE].which("rewrite")),
        lost_updates=len(lost),
        failed_tests=len(attempts.which("failed_test", "given_up")),
        failed_calls=len(given_up) + len(no_reports) - len(reports.which("cut_off")),
        too_long_prompts=count[PROMPT_TOO_LONG] + len(reports.which(PROMPT_TOO_LONG)),
        fault_events=len(of[Event.FAULT]),
        crashes=len(of[Event.FAULT].which("crash")),
        malformed=len(requests.which("malformed")),
        breaker_opens=len(of[Event.BREAKER].which("open")),
        partial_tasks=len(attempts.which("partial")),
        detections=len(of[Event.DETECTED]),
        failovers=len(of[Event.LEADS]),
        lost_s=lost_s,
        wasted_tokens=sum(
            (each.row.input_tokens or 0) + (each.row.output_tokens or 0) for each in wasted
        ),
        availability=1.0 - down / (agents * makespan) if makespan > 0 else 1.0,
        goodput=correct / makespan if makespan > 0 else 0.0,
        straggler_gap_s=_straggler_gap(calls, turns, of[Event.ROUND_END], workers),
        task_wait_s=_task_wait(of[Event.TASK_READY], of[Event.CALL_START], settled)
        / max(1, len(settled) - len(undone)),
        utilisation=busy / (agents * makespan) if makespan > 0 else 0.0,
        work_s=first_work.seconds - apart.seconds + in_vain.seconds,
        rework_s=rework.seconds - in_vain.seconds,
        wasted_s=attempts.among(IN_VAIN).seconds
        + fsum(seconds[outcome] for outcome in ("idle", "cut_off", "failed", PROMPT_TOO_LONG))
        + lost_s
        + apart.seconds,
        coordination_s=seconds["coordination"] + seconds["review"] + committed + overhead,
        waiting_s=agents * makespan - overhead - busy - committed - down - lost_s,
        down_s=down,
        rate_limited_s=waits["rate_limit"],
        lock_wait_s=waits["lock"],
        partition_wait_s=waits["partition"],
        queue_wait_s=waits["queue"],
        on_tools_s=waits["tool"],
        on_subagents_s=waits["subagent"],
        held_back_s=fsum(s for outcome, s in waits.items() if outcome not in _NAMED_WAITS),
    )


def _unmarked(rows: Iterable[_At]) -> dict[int | None, str]:
    """Return the tasks that were last finished without being handed in, and by what outcome."""
    found: dict[int | None, str] = {}
    for _, row in sorted(rows):
        if row.event is Event.ATTEMPT and str(row.outcome).startswith("unmarked"):
            found[row.task] = str(row.outcome)
        else:
            found.pop(row.task, None)
    return found


def _by_outcome(rows: _Rows) -> defaultdict[str, float]:
    """Return the seconds of rows by their outcome."""
    found: defaultdict[str, float] = defaultdict(float)
    for _, row in rows:
        found[str(row.outcome)] += row.duration_s or 0.0
    return found


def _idle_rounds(starts: _Rows, ends: _Rows, settled: _Rows, undone: _Rows) -> int:
    """Return the number of rounds after which no more tasks were done than before.

    It goes by the order of events: tasks that a partition undoes between two rounds count in
    neither.
    """
    gains = sorted([(each.seq, 1) for each in settled] + [(each.seq, -1) for each in undone])
    idle, place = 0, 0
    for start, end in zip(starts, ends, strict=False):  # the last round may be cut off
        gained = 0
        while place < len(gains) and gains[place][0] < end.seq:
            gained += gains[place][1] if gains[place][0] > start.seq else 0
            place += 1
        idle += not gained
    return idle


def _told_apart(attempts: _Rows, reviews: _Rows, lost: _Rows) -> tuple[_Rows, _Rows]:
    """Return the attempts at tasks sent back or undone before, and all other attempts."""
    first: dict[int | None, int] = {}
    for seq, row in sorted((*attempts, *reviews, *lost)):
        if sends_back(row):
            first.setdefault(row.task, seq)

    def is_again(each: _At) -> bool:
        return each.seq > first.get(each.row.task, each.seq)

    again = _Rows(each for each in attempts if is_again(each))
    return again, _Rows(each for each in attempts if not is_again(each))


def _straggler_gap(calls: _Rows, turns: _Rows, ends: _Rows, workers: int) -> float:
    """Return by how much the longest call of a round lasts longer than the mean one, on average."""
    # A call's row has the time of all its turns, including those of earlier rounds.
    earlier_s: defaultdict[int | None, float] = defaultdict(float)
    for _, row in turns:
        earlier_s[row.call] += row.duration_s or 0.0
    over = {each.row.round for each in ends}
    latencies: defaultdict[int | None, defaultdict[int, float]]
    latencies = defaultdict(lambda: defaultdict(float))

    def add(row: Row, seconds: float) -> None:
        if row.round in over and row.agent is not None and row.agent < workers:
            latencies[row.round][row.agent] += seconds

    for _, row in calls:
        add(row, (row.duration_s or 0.0) - earlier_s[row.call])
    for _, row in turns:
        add(row, row.duration_s or 0.0)
    gaps = [
        max(each.values()) - fmean(each.values()) for each in latencies.values() if len(each) > 1
    ]
    return fmean(gaps) if gaps else 0.0


def _task_wait(announced: _Rows, call_starts: _Rows, settled: _Rows) -> float:
    """Return the sum of waits; tasks done together with their dependencies never waited."""
    ready: dict[int | None, float] = {}
    for _, row in announced:
        ready.setdefault(row.task, row.time_s)
    start = {each.row.call: each.row.time_s for each in call_starts}

    def waits() -> Iterator[float]:
        for _, row in settled:
            if row.task in ready:
                # Others than attempts have the time since the call began that did the task.
                is_later = row.event is not Event.ATTEMPT
                began = row.time_s - (row.duration_s or 0.0) if is_later else start[row.call]
                yield max(0.0, began - ready[row.task])

    return fsum(waits())
