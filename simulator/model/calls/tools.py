"""The tools of a loop: called after a turn, waited for, and read by the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.toolkit import ToolCall
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.runs import (
    CANCELLED,
    CUT_OFF,
    DONE,
    ERROR,
    CallGroup,
    OwnRuns,
    Run,
    Server,
)
from simulator.model.calls.stations import Station
from simulator.model.calls.subagents import SubagentPool
from simulator.model.journal import Journal
from simulator.model.streams import Streams
from simulator.model.timers import AN_INSTANT
from simulator.model.trace import Event
from simulator.scenario.tools import StationSpec, WeekTime

_NEVER_ENDED = frozenset({CANCELLED, CUT_OFF})


class Tools(Server):
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
        "_is_traced",
        "_journal",
        "_metrics",
        "_number",
        "_of_agents",
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
            name: Station(name, spec, starts_at, streams, agenda, self)
            for name, spec in stations.items()
        }
        self._of_agents: dict[int, OwnRuns] = {}

    def call(self, own: OwnRuns, calls: Sequence[ToolCall]) -> Iterator[Step]:
        """Call an agent's tools; it waits for the last of them that is not in the background."""
        agent = own.agent
        if len(calls) == 1 and calls[0].tool.ends_by_itself:
            # Nothing comes between: the agent itself waits, without a timer, which costs more.
            call, now = calls[0], self._agenda.now
            run = self._ask(own, call)
            how = ERROR if call.fails else DONE
            run.begin(now, how)
            agent.time.wait_for("tool")  # since now, when its turn has ended
            yield (now + call.seconds) - now  # rounded as the time of a timer is
            self._close(run, how)
            self._phases.book_wait(agent)
            return
        allowed = self._subagents.allowed(calls)
        groups = _groups(allowed)
        at_once = [call for call in allowed if not call.tool.is_sequential]
        yield from self._call_at_once(own, at_once, groups)
        if len(at_once) < len(allowed):
            yield from self._call_one_by_one(own, allowed, groups)

    def _call_at_once(
        self, own: OwnRuns, calls: Sequence[ToolCall], groups: Mapping[str, CallGroup]
    ) -> Iterator[Step]:
        """Call tools at the same time, and wait for those that are not in the background."""
        agent = own.agent
        for call in calls:
            run = self._ask(own, call, groups.get(call.tool.name) if groups else None)
            if call.tool.station is None:
                self.serve(run, call.seconds, False)
            else:
                station = self.stations[call.tool.station]
                self._queue_up(run, station)
        if own.awaited:
            agent.time.wait_for("subagent" if own.awaits_subagents() else "tool")
            yield None
            self._phases.book_wait(agent)

    def _call_one_by_one(
        self, own: OwnRuns, calls: Sequence[ToolCall], groups: Mapping[str, CallGroup]
    ) -> Iterator[Step]:
        """Call the sequential ones among tools, each when the one before is over."""
        for call in calls:
            if call.tool.is_sequential:
                group = groups.get(call.tool.name)
                if group is None or not group.has_succeeded:
                    # Others may have started sub-agents in the meantime.
                    allowed = self._subagents.allowed((call,))
                    yield from self._call_at_once(own, allowed, groups)

    def of(self, agent: AgentState) -> OwnRuns:
        """Return what an agent has running, and what has come in for it."""
        own = self._of_agents.get(agent.index)
        if own is None:
            own = self._of_agents[agent.index] = OwnRuns(agent)
        return own

    def cancel(self, agent: AgentState, how: str = CANCELLED) -> None:
        """End all that an agent has running."""
        own = self._of_agents.get(agent.index)
        if own is not None:
            self._end_all(list(own.runs), how)
            own.take()

    def waits(self) -> list[str]:
        """Say which calls wait at which stations."""
        queues = {name: (each.waiting, each.busy) for name, each in self.stations.items()}
        return [
            f"{waiting} calls of tools wait at station {name!r}, which serves {busy}"
            for name, (waiting, busy) in queues.items()
            if waiting
        ]

    def forget(self) -> None:
        """Forget the stations, which hold what serves their calls, and what is still running."""
        self.stations.clear()
        for own in self._of_agents.values():
            own.forget()

    def leave(self, agent: AgentState) -> None:
        """Forget an agent that calls nothing any more."""
        self._of_agents.pop(agent.index, None)

    def _ask(self, own: OwnRuns, call: ToolCall, group: CallGroup | None = None) -> Run:
        """Note a call that is asked for now."""
        run = Run(call, own, self._agenda.now, self, group)
        if call.tool.starts is not None:
            self._subagents.ask(run)
        own.add(run)
        self._metrics.tool_calls += 1
        return run

    def _queue_up(self, run: Run, station: Station) -> None:
        """Let a run be served at a station, as long as its agent waits for that."""
        station.ask(run)
        patience_s, timeout_s = station.patience_s, run.call.tool.timeout_s
        if patience_s is not None and run.waits():
            self._give_up(run, patience_s, "impatient")
        if timeout_s is not None and run.waits():
            self._give_up(run, timeout_s, "timeout")

    def _give_up(self, run: Run, seconds: float, how: str) -> None:
        """Let a run end in so many seconds if it still waits then, and is not served just then."""
        at_s, ends = run.asked_s + seconds, partial(self._end_waiting, run, how)
        self._agenda.at(at_s, partial(self._agenda.at, at_s, ends, run.waits), run.waits)

    def _end_waiting(self, run: Run, how: str) -> None:
        if run.waits():
            self.end(run, how)

    def serve(self, run: Run, seconds: float, is_struck: bool) -> None:
        """Serve a run, for so many seconds if it does not time out."""
        call, now = run.call, self._agenda.now
        if call.tool.starts is not None:
            self._start(run, now)
            return
        how = DONE
        if is_struck:
            how = "outage"
        elif call.fails:
            how = ERROR
        timeout_s = call.tool.timeout_s
        if timeout_s is not None:
            left_s = max(0.0, run.asked_s + timeout_s - now)
            if seconds > left_s + AN_INSTANT * timeout_s:
                seconds, how = left_s, "timeout"
        run.begin(now, how)
        self._agenda.set_timer(now + seconds, run)

    def _start(self, run: Run, now: float) -> None:
        """Let a run be a sub-agent's loop, for as long as that takes."""
        run.begin(now, "timeout")
        timeout_s = run.call.tool.timeout_s
        if timeout_s is not None:
            at_s = run.asked_s + timeout_s
            self._agenda.at(at_s, partial(self._time_out, run), run.matters)
        self._subagents.start(run, partial(self._report, run))

    def _time_out(self, run: Run) -> None:
        """Let a sub-agent time out now, unless it reports at this very instant."""
        self._agenda.set_timer(self._agenda.instant_ends_s(), run)

    def _report(self, run: Run, has_failed: bool) -> None:
        self.end(run, ERROR if has_failed else DONE)

    def end(self, run: Run, how: str) -> None:
        """End a run, if it is not over; whoever waits for it may go on."""
        if run.is_over:
            return
        if self._close(run, how):
            self._agenda.resume(run.own.agent.index)
        name = run.call.tool.station
        if name is not None:
            station = self.stations[name]
            station.leave(run)

    def _end_all(self, runs: Sequence[Run], how: str) -> None:
        """End runs that nobody waits for any more; none takes the place of another of them."""
        for run in runs:
            self._close(run, how)
        if how == CUT_OFF:
            return
        for run in runs:
            if run.call.tool.station is not None:
                self.stations[run.call.tool.station].leave(run)

    def _close(self, run: Run, how: str) -> bool:
        """Count a run as over; return whether it was the last that its agent waits for."""
        if run.call.tool.starts is not None:
            self._subagents.end(run, how)
        metrics, now = self._metrics, self._agenda.now
        began_s = run.began_s if run.is_served else now
        if began_s > run.asked_s:
            metrics.tool_wait_s += began_s - run.asked_s
        metrics.tool_s += now - began_s
        if self._is_traced:
            self._note(run, how, now - began_s, began_s - run.asked_s)
        own = run.own
        if how in _NEVER_ENDED:
            return own.end(run, False, False)
        fails = how != DONE
        if fails:
            metrics.tool_errors += 1
        if run.group is not None:
            fails = self._count_in_group(run, run.group, own, fails)
        return own.end(run, True, fails)

    def _count_in_group(self, run: Run, group: CallGroup, own: OwnRuns, fails: bool) -> bool:
        """Count a run of a group; return whether the group has failed with it."""
        if fails:
            return group.fail()
        if group.succeed():
            others = [each for each in own.runs if each.group is group and each is not run]
            self._end_all(others, CANCELLED)
        return False

    def _note(self, run: Run, how: str, ran_s: float, waited_s: float) -> None:
        where = (run.own.agent.index, run.own.agent.call.number)
        number = self._number[run.call.tool.name]
        if waited_s > 0.0:
            self._journal.note(Event.TOOL_WAIT, *where, peer=number, duration_s=waited_s)
        tokens = 0 if how in _NEVER_ENDED else run.call.result_tokens
        self._journal.note(
            Event.TOOL, *where, peer=number, duration_s=ran_s, output_tokens=tokens, outcome=how
        )


def _groups(calls: Sequence[ToolCall]) -> dict[str, CallGroup]:
    """Group the calls of each tool of which not all must succeed, by the tool's name."""
    if len(calls) == 1 or _all_must_succeed(calls):
        return {}
    specs = {call.tool.name: call.tool.spec for call in calls}
    counts = Counter(call.tool.name for call in calls)
    needed = {name: specs[name].needed(count) for name, count in counts.items()}
    return {n: CallGroup(count, needed[n]) for n, count in counts.items() if needed[n] < count}


def _all_must_succeed(calls: Sequence[ToolCall]) -> bool:
    # Not all(...) of a generator, which takes long to start.
    for call in calls:  # noqa: SIM110
        if not call.tool.awaits_all:
            return False
    return True
