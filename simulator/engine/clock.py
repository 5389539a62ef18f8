"""What all timings share: arrivals of tasks, timers, limits, and the end of the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import simpy
from simpy.events import URGENT

from simulator.engine.arrivals import TaskArrivals
from simulator.engine.course import Course
from simulator.engine.schedule import LAST, Due, Schedule, Timing
from simulator.engine.watched import Watched
from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.metrics import Metrics
from simulator.model.timers import AN_INSTANT, Timer
from simulator.scenario.schema import Limits


@dataclass(frozen=True, slots=True)
class Ending:
    """How and when a run ends, known from an earlier run of it that was followed further."""

    outcome: str
    at_s: float


_MANY = 100_000
"""Number of timers that go off without progress in any call, after which the team is stuck."""


class _TimerDue(Due):
    """A timer that goes off."""

    __slots__ = ("_clock", "_timer")

    def __init__(self, clock: Clock, timer: Timer) -> None:
        self._clock, self._timer = clock, timer

    def happen(self) -> None:
        """Let it go off."""
        self._clock.goes_off(self._timer)


class Clock(Agenda):
    """Watches over one replication: puts tasks on the board as they arrive, ends the run.

    Parameters
    ----------
    env : Schedule
    limits : Limits
    ending : Ending or None
        How the run ends, if that is known; None if it is to be found out.

    Attributes
    ----------
    has_ended, only_calls_happen : bool
        Whether the run has ended; whether nothing happens but the beginnings and ends of calls.
    """

    __slots__ = (
        "_arrivals",
        "_env",
        "_halted",
        "_has_budget",
        "_held",
        "_in_vain",
        "_instant",
        "_is_overdue",
        "_known",
        "_most_calls",
        "_moved_before_s",
        "_on_turn_end",
        "_outcome",
        "_run",
        "_timers",
        "_timing",
        "has_ended",
        "limits",
        "only_calls_happen",
    )

    def __init__(self, env: Schedule, limits: Limits, ending: Ending | None = None) -> None:
        super().__init__()
        self._env = env
        self._known = ending
        self.limits = limits
        self.has_ended, self._outcome = False, ("", "")
        self._run: Watched
        self._timing: Timing
        self._timers: set[Timer] = set()
        self._arrivals: TaskArrivals | None = None
        self._has_budget = limits.budget_usd is not None
        self._most_calls, self._is_overdue = limits.max_calls, False
        self._moved_before_s, self._in_vain = 0.0, 0
        self._instant = -1.0, -1.0  # the time of which it was last asked for, and its end
        self._halted: dict[int, Due] = {}
        """For each agent whose call waits to be resumed, what happens then."""
        self._held, self.only_calls_happen = 0, False
        self._on_turn_end: Callable[[int, float], None] = _in_no_rounds

    def halt(self, index: int, due: Due) -> None:
        """Let an agent wait until its call is resumed by another: then `due` happens."""
        self._halted[index] = due

    def unhalt(self, index: int) -> Due | None:
        """Let an agent wait no longer; return what happens then, nothing if it does not wait."""
        return self._halted.pop(index, None)

    def interrupted_at(self, index: int, now: float) -> None:
        """Note that an agent's call is interrupted; the end of one that hangs is no progress."""
        self.reach(now)
        if self.unhalt(index) is None:
            self.move(now)

    def _callers(self) -> Sequence[AgentState]:
        return (*self._run.agents, *self._run.subagents.agents())

    def _is_idle(self) -> bool:
        """Return whether nothing will happen any more, except by timers."""
        if self._held or not (self._arrivals is None or self._arrivals.are_over):
            return False
        callers = self._callers()
        return all(agent.index in self._halted for agent in callers if agent.time.in_call)

    def _is_stuck(self) -> bool:
        """Return whether no event that is still to come can change anything."""
        return self._is_idle() and not any(timer.matters() for timer in self._timers)

    def watch(self, run: Watched) -> None:
        """Watch over a replication, all parts of which exist by now."""
        self._run = run

    def start(self, timing: Timing) -> None:
        """Put the tasks on the board, now or as they arrive, and set the timers."""
        env, run, sides = self._env, self._run, self._run.sides
        self._timing = timing
        arrivals_s, deadline_s = sides.board.graph.arrivals_s, self.limits.deadline_s
        if arrivals_s:
            self._arrivals = TaskArrivals(env, sides, timing)
            env.schedule(self._arrivals, URGENT)
        else:
            sides.put_on_board(sides.board.graph.startable)
            self.take_woken()  # nobody is asleep yet
        run.set_timers()
        moves = bool(arrivals_s) or self._timers or sides.dispatcher.sets_timers
        self.only_calls_happen = not moves and deadline_s is None
        if deadline_s is not None:
            at_s = deadline_s * (1.0 + AN_INSTANT)
            self._let_last(at_s, partial(self._meet_deadline, deadline_s))
        if self._known is not None and self._known.outcome == "deadlock":
            self._let_last(self._known.at_s, lambda event: self.end("deadlock"))

    def hold(self, seconds: float) -> Iterator[simpy.Event]:
        """Let time pass outside of calls and timers; meanwhile the team does not count as stuck."""
        self.hold_up()
        yield self._env.timeout(seconds)
        self.let_go()

    def hold_up(self) -> None:
        """Note that something is to happen that is neither a call nor a timer."""
        self._held += 1

    def let_go(self) -> None:
        """Note that it has happened."""
        self._held -= 1

    def set_timer(self, time_s: float, timer: Timer) -> None:
        """Let a timer go off at a later time."""
        self._timers.add(timer)
        env = self._env
        left_s = time_s - env.now
        env.due(_TimerDue(self, timer), left_s if left_s > 0.0 else 0.0)

    def instant_ends_s(self) -> float:
        """Return until when what happens counts as happening now."""
        now = self._env.now
        if self._instant[0] != now:  # of many leases that end, only the first looks through them
            ends_s = now * (1.0 + AN_INSTANT)
            self._instant = now, ends_s if self._env.has_call_until(ends_s) else now
        return self._instant[1]

    def _let_last(self, time_s: float, action: Callable[[simpy.Event], None]) -> None:
        """Do something at a later time, after all else that happens then."""
        event = self._env.event()
        event._ok, event._value = True, None
        event.callbacks.append(action)
        self._env.schedule(event, LAST, max(0.0, time_s - self._env.now))

    def goes_off(self, timer: Timer) -> None:
        """Let a timer go off now."""
        if not timer.matters() and self._is_stuck():
            # Only after all other events of this instant, as one of them may make progress.
            self._let_last(self._env.now, partial(self._goes_off_last, timer))
        else:
            self._act(timer)

    def _goes_off_last(self, timer: Timer, event: simpy.Event) -> None:
        if timer.matters() or not self._is_stuck():
            self._act(timer)
        self._timers.discard(timer)

    def _act(self, timer: Timer) -> None:
        self._timers.discard(timer)
        self.reach(self._env.now)
        timer.go_off()
        run, sides = self._run, self._run.sides
        sides.note_woken()
        self._timing.react()
        # The quick half first. Calls and rounds alone come up against a limit.
        if sides.board.left <= sides.spare and run.coordination.is_complete:
            self.end("completed")
        if self.moved_s != self._moved_before_s:
            self._in_vain, self._moved_before_s = 0, self.moved_s
            return
        self._in_vain += 1
        if self._in_vain > _MANY:
            self.end("deadlock")

    def _meet_deadline(self, deadline_s: float, event: simpy.Event) -> None:
        if self._is_stuck():
            self.end("deadlock")
        elif self._is_idle() and self._known is None:
            # Whether the team is stuck is seen later: if another call begins, it was not.
            self._is_overdue = True
            self._most_calls = self._run.book.begun + 1
        else:
            self.reach(max(self.now, deadline_s))
            self.end("deadline")

    def end(self, outcome: str, reason: str = "") -> None:
        """End the run at the present instant."""
        if not self.has_ended:
            self.has_ended = True
            self._outcome = (outcome, reason)
            is_spent = outcome in ("budget", "max_calls")
            self._env.end(self.instant_ends_s() - self._env.now if is_spent else 0.0)
        elif outcome == "completed":  # by a call that ends just when all is spent
            self._outcome = (outcome, "")

    def count_turn(self) -> None:
        """Count the beginning of a loop's second or later turn as a call."""
        self._most_calls -= 1

    def end_turn(self, agent: int, served_s: float) -> None:
        """Tell the rounds that an agent is at the barrier, in the middle of its call."""
        self._on_turn_end(agent, served_s)

    def begin_round(self, number: int) -> None:
        """Tell the protocols that a round begins now."""
        self.reach(self._env.now)
        self._run.sides.begin_round(number)

    def keep_rounds(self, on_turn_end: Callable[[int, float], None]) -> None:
        """Call `on_turn_end` at the end of each turn that is not the last of its call."""
        self._on_turn_end = on_turn_end

    def check_limits(self) -> bool:
        """Stop the run if it is complete or over a limit; return whether it has stopped."""
        run, sides = self._run, self._run.sides
        if sides.board.left <= sides.spare and run.coordination.is_complete:  # the quick half first
            self.end("completed")
        elif run.book.begun >= self._most_calls:
            self.end("max_calls")
        elif self._has_budget and run.bill.is_over_budget:
            self.end("budget")
        return self.has_ended

    @property
    def may_call(self) -> bool:
        """Whether neither the calls nor the money of the run are used up."""
        is_over = self._has_budget and self._run.bill.is_over_budget
        return self._run.book.begun < self._most_calls and not is_over

    def run(
        self, going_on_now: Callable[[], set[int]], progress: Callable[[float], None] | None
    ) -> Metrics | Ending:
        """Run until stopped, or until nothing can happen any more (a deadlock).

        Parameters
        ----------
        going_on_now : callable
            Returns the agents whose calls go on at this instant.
        progress : callable or None
            Told from time to time which share of the run is over.

        Returns
        -------
        Metrics or Ending
            What happened; or how the run ends, if it had to be followed beyond its end to find
            that out: then it must be run again. A stuck team ends at its last progress, not with
            timers that went off later and changed nothing.

        Raises
        ------
        TeamsimError
            If time stands still.
        """
        run = self._run
        course = Course(self._env, run.metrics, run.sides, self._callers, going_on_now)
        tell = None if progress is None else lambda: progress(self._share_over())
        if not course.follow(tell):
            self._outcome = ("deadlock", "")
        outcome, reason = self._outcome
        if self._is_overdue:
            deadline_s = self.limits.deadline_s or 0.0
            is_stuck = outcome == "deadlock" and self.moved_s <= deadline_s
            return Ending("deadlock", self.moved_s) if is_stuck else Ending("deadline", deadline_s)
        self._timing.settle()
        if outcome == "deadlock":
            if not reason and self.now > self.moved_s:
                return Ending(outcome, self.moved_s)
            return run.closing.finish(self.now, outcome, reason or run.closing.why_stuck())
        if outcome != "completed":
            reason = reason or self._over(outcome)
        ended_s = self.now if outcome == "deadline" else self._env.now
        return run.closing.finish(ended_s, outcome, reason)

    def _share_over(self) -> float:
        """Return which share of the run is over, by its tasks or the limit that comes first."""
        run, deadline_s = self._run, self.limits.deadline_s or math.inf
        tasks, calls = run.metrics.tasks_done / run.metrics.tasks, run.book.begun
        return min(1.0, max(tasks, calls / self._most_calls, self._env.now / deadline_s))

    def forget(self) -> None:
        """Break the circles of references to the clock, after the run."""
        self._timers.clear()
        self._halted.clear()
        self._on_turn_end = _in_no_rounds
        self._arrivals = None
        del self._run, self._timing

    def _over(self, outcome: str) -> str:
        """Return which limit was reached, and how much was done by then."""
        limits, metrics = self.limits, self._run.metrics
        limit = {
            "deadline": f"the deadline of {limits.deadline_s} s has passed",
            "budget": f"the budget of {limits.budget_usd} US dollars is spent",
            "max_calls": f"{limits.max_calls} calls have begun",
            "max_rounds": f"{limits.max_rounds} rounds have been made",
        }[outcome]
        return f"{limit}: {metrics.tasks_done} of {metrics.tasks} tasks are done"


def _in_no_rounds(agent: int, served_s: float) -> None:
    """Hold up nobody whose turn has ended: there is no barrier."""
