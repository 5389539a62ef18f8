"""The tools of a loop: called after a turn, waited for, and read by the next."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.timesheet import WAITING
from simulator.model.agents.toolkit import ToolCall
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.stations import CallGroup, Run, Station
from simulator.model.calls.subagents import CANCELLED, CUT_OFF, DONE, ERROR, SubagentPool
from simulator.model.journal import Journal
from simulator.model.streams import Streams
from simulator.model.trace import Event
from simulator.scenario.tools import StationSpec, WeekTime

_NEVER_ENDED = frozenset({CANCELLED, CUT_OFF})


class Tools:
    """Runs the tools of all agents.

    Parameters
    ----------
    names : sequence of str
        Of all tools, in the order in which the trace numbers them.
    stations : mapping of str to StationSpec
    starts_at : WeekTime
        When, of the week, the clock is at 0.
    streams : Streams
    agenda : Agenda
    journal : Journal
    phases : Phases
    subagents : SubagentPool

    Attributes
    ----------
    stations : dict of str to Station
    """

    __slots__ = (
        "_agenda",
        "_desks",
        "_is_traced",
        "_journal",
        "_metrics",
        "_number",
        "_phases",
        "_subagents",
        "stations",
    )

    def __init__(
        self,
        names: Sequence[str],
        stations: Mapping[str, StationSpec],
        starts_at: WeekTime,
        streams: Streams,
        agenda: Agenda,
        journal: Journal,
        phases: Phases,
        subagents: SubagentPool,
    ) -> None:
        self._agenda = agenda
        self._journal = journal
        self._is_traced = journal.trace is not None
        self._metrics = journal.metrics
        self._phases = phases
        self._subagents = subagents
        self._number: Mapping[str, int] = {name: i for i, name in enumerate(names)}
        self.stations = {
            name: Station(name, spec, starts_at, streams, agenda, self._begin)
            for name, spec in stations.items()
        }
        self._desks: dict[int, _Desk] = defaultdict(_Desk)

    def call(self, agent: AgentState, calls: Sequence[ToolCall]) -> Iterator[Step]:
        """Call tools and wait for the last of them that is not in the background."""
        desk = self._desks[agent.index]
        if len(calls) == 1 and calls[0].spec.ends_by_itself:
            yield from self._run_through(agent, desk, calls[0])
            return
        there = self._subagents.allowed(calls)
        groups = _groups(there)
        for each in there:
            self._ask(agent, desk, each, groups.get(each.name))
        if desk.awaited:
            why = "subagent" if desk.awaits_subagents else "tool"
            yield from self._phases.wait(agent, why, None)

    def _run_through(self, agent: AgentState, desk: _Desk, call: ToolCall) -> Iterator[Step]:
        """Let a call run that nothing comes between; without a timer, which costs more."""
        now = self._agenda.now
        run = Run(call, agent, now)
        run.begin(now)
        desk.add(run)
        self._metrics.tool_calls += 1
        self._phases.enter(agent, WAITING)
        agent.time.wait_for("tool")
        yield (now + call.seconds) - now  # rounded as the time of a timer is
        self._close(run, ERROR if call.fails else DONE)
        self._phases.book_wait(agent)

    def take_results(self, agent: AgentState) -> tuple[int, bool]:
        """Return the tokens of what has come in for an agent, and whether anything has failed."""
        return self._desks[agent.index].take()

    def cancel(self, agent: AgentState, how: str = CANCELLED) -> None:
        """End all that an agent has running."""
        self._end_all(list(self._desks[agent.index].runs), how)
        self._desks[agent.index].take()

    def waits(self) -> list[str]:
        """Say which calls wait at which stations."""
        queues = {name: (each.waiting, each.busy) for name, each in self.stations.items()}
        return [
            f"{waiting} calls of tools wait at station {name!r}, which serves {busy}"
            for name, (waiting, busy) in queues.items()
            if waiting
        ]

    def forget(self) -> None:
        """Forget the stations: each holds what it begins calls with."""
        self.stations.clear()

    def leave(self, agent: AgentState) -> None:
        """Forget an agent that calls nothing any more."""
        self._desks.pop(agent.index, None)

    def _ask(self, agent: AgentState, desk: _Desk, call: ToolCall, group: CallGroup | None) -> None:
        now, spec = self._agenda.now, call.spec
        run = Run(call, agent, now, group)
        if spec.starts is not None:
            self._subagents.ask(run)
        desk.add(run)
        self._metrics.tool_calls += 1
        if spec.station is None:
            run.begin(now)
            self._begin(run, call.seconds, False)
            return
        station = self.stations[spec.station]
        station.ask(run)
        patience_s, timeout_s = station.spec.patience_s, spec.timeout_s
        if patience_s is not None and run.waits():
            self._agenda.at(now + patience_s, partial(self._lose_patience, run), run.waits)
        if timeout_s is not None and run.waits():
            self._agenda.at(now + timeout_s, partial(self._time_out, run), run.waits)

    def _begin(self, run: Run, seconds: float, is_struck: bool) -> None:
        """Serve a run, for so many seconds if it does not time out."""
        if run.call.spec.starts is not None:
            self._start(run)
            return
        fails = is_struck or run.call.fails
        left_s = math.inf
        now = self._agenda.now
        if run.call.spec.timeout_s is not None:
            left_s = max(0.0, run.asked_s + run.call.spec.timeout_s - now)
        how = DONE if not fails else "outage" if is_struck else ERROR
        if seconds > left_s:
            seconds, how = left_s, "timeout"
        self._agenda.at(now + seconds, partial(self._end, run, how), run.is_under_way)

    def _start(self, run: Run) -> None:
        """Let a run be a sub-agent's loop, for as long as that takes."""
        timeout_s = run.call.spec.timeout_s
        if timeout_s is not None:
            out = partial(self._end, run, "timeout")
            self._agenda.at(run.asked_s + timeout_s, out, run.is_under_way)
        self._subagents.start(run, partial(self._report, run))

    def _report(self, run: Run, has_failed: bool) -> None:
        self._end(run, ERROR if has_failed else DONE)

    def _lose_patience(self, run: Run) -> None:
        if run.waits():
            self._end(run, "impatient")

    def _time_out(self, run: Run) -> None:
        if run.waits():
            self._end(run, "timeout")

    def _end(self, run: Run, how: str) -> None:
        """End a run, if it is not over; whoever waits for it may go on."""
        if run.is_over:
            return
        if self._close(run, how):
            self._agenda.resume(run.agent.index)
        self._leave_station(run)

    def _end_all(self, runs: Sequence[Run], how: str) -> None:
        """End runs that nobody waits for any more; none takes the place of another of them."""
        for run in runs:
            self._close(run, how)
        if how != CUT_OFF:
            for run in runs:
                self._leave_station(run)

    def _leave_station(self, run: Run) -> None:
        station = run.call.spec.station
        if station is not None:
            self.stations[station].leave(run)

    def _close(self, run: Run, how: str) -> bool:
        """Count a run as over; return whether it was the last that its agent waits for."""
        run.end()
        agent = run.agent
        if run.call.spec.starts is not None:
            self._subagents.end(run, how)
        metrics, now = self._metrics, self._agenda.now
        began_s = now if run.began_s is None else run.began_s
        fails = how != DONE and how not in _NEVER_ENDED
        metrics.tool_errors += fails
        metrics.tool_s += now - began_s
        metrics.tool_wait_s += began_s - run.asked_s
        if self._is_traced:
            self._note(agent, run, how, now - began_s, began_s - run.asked_s)
        desk = self._desks[agent.index]
        if run.group is not None and how not in _NEVER_ENDED:
            fails = fails and run.group.fail()
            if how == DONE and run.group.succeed():
                others = [each for each in desk.runs if each.group is run.group]
                self._end_all([each for each in others if each is not run], CANCELLED)
        return desk.remove(run, how not in _NEVER_ENDED, fails)

    def _note(self, agent: AgentState, run: Run, how: str, ran_s: float, waited_s: float) -> None:
        where = (agent.index, agent.call.number)
        number = self._number[run.call.name]
        if waited_s > 0.0:
            self._journal.note(Event.TOOL_WAIT, *where, peer=number, duration_s=waited_s)
        tokens = 0 if how in _NEVER_ENDED else run.call.result_tokens
        self._journal.note(
            Event.TOOL, *where, peer=number, duration_s=ran_s, output_tokens=tokens, outcome=how
        )


def _groups(calls: Sequence[ToolCall]) -> dict[str, CallGroup]:
    """Group the calls of each tool of which not all must succeed, by the tool's name."""
    for call in calls:
        if call.spec.wait_for != "all":
            break
    else:
        return {}
    specs, counts = {call.name: call.spec for call in calls}, Counter(c.name for c in calls)
    needed = {name: specs[name].needed(count) for name, count in counts.items()}
    return {n: CallGroup(count, needed[n]) for n, count in counts.items() if needed[n] < count}


class _Desk:
    """What one agent has running, and what has come in for it."""

    __slots__ = ("_failed", "_tokens", "awaited", "runs")

    def __init__(self) -> None:
        self.runs: dict[Run, None] = {}
        self.awaited = 0
        self._tokens, self._failed = 0, False

    def add(self, run: Run) -> None:
        """Add a run."""
        self.runs[run] = None
        self.awaited += not run.call.spec.background

    @property
    def awaits_subagents(self) -> bool:
        """Whether the agent waits for a sub-agent."""
        for run in self.runs:
            if run.call.spec.starts is not None and not run.call.spec.background:
                return True
        return False

    def remove(self, run: Run, counts: bool, fails: bool) -> bool:
        """Remove a run; return whether it was the last that the agent waits for."""
        del self.runs[run]
        if counts:
            self._tokens += run.call.result_tokens
            self._failed |= fails
        if run.call.spec.background:
            return False
        self.awaited -= 1
        return not self.awaited

    def take(self) -> tuple[int, bool]:
        """Return what has come in, and whether anything has failed; begin anew."""
        found = self._tokens, self._failed
        self._tokens, self._failed = 0, False
        return found
