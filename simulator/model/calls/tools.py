"""The tools of a loop: called after a turn, waited for, and read by the next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.toolkit import ToolCall
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.stations import Run, Station
from simulator.model.journal import Journal
from simulator.model.streams import Streams
from simulator.model.trace import Event
from simulator.scenario.tools import StationSpec, WeekTime

DONE, CANCELLED, CUT_OFF = "done", "cancelled", "cut_off"
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
    agents : int
        How many there are.

    Attributes
    ----------
    stations : dict of str to Station
    """

    __slots__ = ("_agenda", "_desks", "_journal", "_metrics", "_number", "_phases", "stations")

    def __init__(
        self,
        names: Sequence[str],
        stations: Mapping[str, StationSpec],
        starts_at: WeekTime,
        streams: Streams,
        agenda: Agenda,
        journal: Journal,
        phases: Phases,
        agents: int,
    ) -> None:
        self._agenda = agenda
        self._journal = journal
        self._metrics = journal.metrics
        self._phases = phases
        self._number: Mapping[str, int] = {name: i for i, name in enumerate(names)}
        self.stations = {
            name: Station(name, spec, starts_at, streams, agenda, self._begin)
            for name, spec in stations.items()
        }
        self._desks = [_Desk() for _ in range(agents)]

    def call(self, agent: AgentState, calls: Sequence[ToolCall]) -> Iterator[Step]:
        """Call tools and wait for the last of them that is not in the background."""
        desk = self._desks[agent.index]
        for each in calls:
            self._ask(agent, desk, each)
        if desk.awaited:
            yield from self._phases.wait(agent, "tool", None)

    def take_results(self, agent: AgentState) -> tuple[int, bool]:
        """Return the tokens of what has come in for an agent, and whether anything has failed."""
        return self._desks[agent.index].take()

    def cancel(self, agent: AgentState, how: str = CANCELLED) -> None:
        """End all that an agent has running."""
        for run in list(self._desks[agent.index].runs):
            self._end(run, how)
        self._desks[agent.index].take()

    def _ask(self, agent: AgentState, desk: _Desk, call: ToolCall) -> None:
        now, spec = self._agenda.now, call.spec
        run = Run(call, agent, now)
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
        fails = is_struck or run.call.fails
        left_s = math.inf
        now = self._agenda.now
        if run.call.spec.timeout_s is not None:
            left_s = max(0.0, run.asked_s + run.call.spec.timeout_s - now)
        how = DONE if not fails else "outage" if is_struck else "error"
        if seconds > left_s:
            seconds, how = left_s, "timeout"
        self._agenda.at(now + seconds, partial(self._end, run, how), run.is_under_way)

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
        run.end()
        agent, spec = run.agent, run.call.spec
        metrics, now = self._metrics, self._agenda.now
        began_s = now if run.began_s is None else run.began_s
        fails = how != DONE and how not in _NEVER_ENDED
        metrics.tool_errors += fails
        metrics.tool_s += now - began_s
        metrics.tool_wait_s += began_s - run.asked_s
        self._note(agent, run, how, now - began_s, began_s - run.asked_s)
        is_last = self._desks[agent.index].remove(run, how not in _NEVER_ENDED, fails)
        if is_last and how not in _NEVER_ENDED:
            self._agenda.resume(agent.index)
        if spec.station is not None:
            self.stations[spec.station].leave(run)

    def _note(self, agent: AgentState, run: Run, how: str, ran_s: float, waited_s: float) -> None:
        if self._journal.trace is None:
            return
        where = (agent.index, agent.call.number)
        number = self._number[run.call.name]
        if waited_s > 0.0:
            self._journal.note(Event.TOOL_WAIT, *where, peer=number, duration_s=waited_s)
        tokens = 0 if how in _NEVER_ENDED else run.call.result_tokens
        self._journal.note(
            Event.TOOL, *where, peer=number, duration_s=ran_s, output_tokens=tokens, outcome=how
        )


class _Desk:
    """What one agent has running, and what has come in for it."""

    __slots__ = ("_failed", "_tokens", "awaited", "runs")

    def __init__(self) -> None:
        self.runs: dict[Run, None] = {}
        self.awaited = 0
        self._tokens, self._failed = 0, False

    def add(self, run: Run) -> None:
        """Have one more run."""
        self.runs[run] = None
        self.awaited += not run.call.spec.background

    def remove(self, run: Run, counts: bool, fails: bool) -> bool:
        """Have a run no more; return whether it was the last that is waited for."""
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
