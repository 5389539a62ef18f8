"""Runs replications of a scenario on SimPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulator.arguments import whole
from simulator.documents import MOST_RUNS
from simulator.engine.asynchronous import Asynchronous
from simulator.engine.calls import Calls
from simulator.engine.clock import Clock, Ending
from simulator.engine.rounds import Rounds
from simulator.engine.schedule import Schedule
from simulator.engine.watched import Watched
from simulator.errors import TeamsimError, what_is
from simulator.garbage import collector_paused
from simulator.model.metrics import Metrics
from simulator.model.model import Model
from simulator.model.replication import Replication
from simulator.model.streams import Entity, Purpose
from simulator.model.trace import Trace
from simulator.scenario import Scenario


class Simulation:
    """A scenario made ready to run; replications are independent of each other.

    Parameters
    ----------
    scenario : Scenario
        One point, without a sweep.

    Examples
    --------
    >>> from simulator import Simulation, load_study
    >>> study = load_study("scenarios/quickstart.yaml")  # doctest: +SKIP
    >>> Simulation(study.base).run(replication=0).makespan_s  # doctest: +SKIP
    """

    __slots__ = ("model", "scenario")

    def __init__(self, scenario: Scenario) -> None:
        if not isinstance(scenario, Scenario):
            raise TeamsimError(
                f"a simulation is of a Scenario, as `load(...).base`; found {what_is(scenario)}"
            )
        self.scenario = scenario
        self.model = Model(scenario)

    def __reduce__(self) -> tuple[type[Simulation], tuple[Scenario]]:
        """Return what a copy is made of: the scenario, which is made ready anew."""
        return type(self), (self.scenario,)

    def run(
        self,
        replication: int,
        trace: Trace | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Metrics:
        """Run one replication.

        Parameters
        ----------
        replication : int
            Its number, at least 0; with the scenario's seed it fixes every random draw.
        trace : Trace, optional
            Collects the events; the results do not depend on it.
        progress : callable, optional
            Called with the share of the replication that is over, about every 10,000 events.

        Returns
        -------
        Metrics
            What happened, a row of results.

        Raises
        ------
        TeamsimError
            If time stands still: if events follow each other without end at one instant. Also if
            `replication` is no such number, or `trace` none.
        """
        replication = whole("replication", replication, 0, MOST_RUNS)
        if not (trace is None or isinstance(trace, Trace)):
            raise TeamsimError(f"trace is a Trace; found {what_is(trace)}")
        before = 0 if trace is None else len(trace.rows)
        # A draw may be too large for a number: it is refused where it is drawn.
        with collector_paused(), np.errstate(over="ignore"):
            found = self._run(replication, trace, progress, None)
            while isinstance(found, Ending):
                if trace is not None:
                    trace.cut_back(before)
                found = self._run(replication, trace, progress, found)
        return found

    def set_up(self) -> None:
        """Make all parts of the first replication, and drop them.

        Raises
        ------
        TeamsimError
            If there is something wrong with what the plugins of other packages make.
        """
        self.model.replicate(0, Clock(Schedule(), self.scenario.limits), None).forget()

    def _run(
        self,
        replication: int,
        trace: Trace | None,
        progress: Callable[[float], None] | None,
        ending: Ending | None,
    ) -> Metrics | Ending:
        env = Schedule()
        clock = Clock(env, self.scenario.limits, ending)
        run = self.model.replicate(replication, clock, trace)
        clock.watch(
            Watched(
                run.agents,
                run.subagents,
                run.sides,
                run.coordination,
                run.book,
                run.bill,
                run.closing,
                run.metrics,
                run.set_timers,
            )
        )
        calls = Calls(
            env, clock, run.call_start, run.call_end, run.steps, run.subagents, run.is_stepwise
        )
        timing = self._timing(env, clock, run, calls)
        try:
            timing.start()
            found = clock.run(calls.going_on_now, progress)
        finally:
            self._forget(env, timing, run, clock)
        return found

    def _timing(
        self, env: Schedule, clock: Clock, run: Replication, calls: Calls
    ) -> Rounds | Asynchronous:
        """Return the timing of the scenario, which decides when the agents call."""
        said = self.scenario.coordination
        if said.timing != "rounds":
            staleness = said.staleness if said.timing == "bounded_staleness" else None
            detector = self.scenario.resilience.detector
            return Asynchronous(
                env,
                clock,
                calls,
                run.agents,
                staleness,
                looks_round=said.protocol.answers_others,
                detects_stuck=detector is not None and detector.progress_s is not None,
            )
        seconds, overhead = said.round_overhead_s, None
        if seconds.constant != 0.0:
            overhead = run.streams.draws(seconds, Entity.RUN, 0, Purpose.ROUND_OVERHEAD)
        return Rounds(
            env,
            clock,
            calls,
            run.roster.shifts,
            run.journal,
            lambda: run.coordination.is_complete,
            overhead,
            said,
            self.scenario.resilience.wait_for,
        )

    @staticmethod
    def _forget(
        env: Schedule, timing: Rounds | Asynchronous, run: Replication, clock: Clock
    ) -> None:
        """Break the circles of references in a replication that has ended, well or badly."""
        # Reference counts then free all of it at once. The cyclic garbage collector would have to
        # scan it, which for a thousand agents takes a seventh of the time, and several ended
        # replications would pile up before it does.
        for part in (timing, run, clock, env):
            part.forget()
