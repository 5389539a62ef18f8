"""Runs replications of a scenario on SimPy."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import simpy

from simulator.engine.asynchronous import Asynchronous
from simulator.engine.clock import Clock
from simulator.engine.rounds import Rounds
from simulator.model.metrics import Metrics
from simulator.model.model import Model
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

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.model = Model(scenario)

    def run(self, replication: int, trace: Trace | None = None) -> Metrics:
        """Run one replication.

        Parameters
        ----------
        replication : int
            Its number, at least 0; with the scenario's seed it fixes every random draw.
        trace : Trace, optional
            Collects the events; the results are the same with and without.

        Returns
        -------
        Metrics
            What happened, a row of results.
        """
        with _garbage_collector_paused():
            team, streams = self.model.replicate(replication, trace)
            env = simpy.Environment()
            clock = Clock(env, team, self.scenario)
            coordination = self.scenario.coordination
            if coordination.timing == "rounds":
                share = self.scenario.resilience.wait_for
                Rounds(env, team, clock, coordination, streams, share).start()
            else:
                bounded = coordination.timing == "bounded_staleness"
                staleness = coordination.staleness if bounded else None
                Asynchronous(env, team, clock, staleness).start()
            return clock.run()


@contextmanager
def _garbage_collector_paused() -> Iterator[None]:
    """Keep the cyclic garbage collector from scanning a running replication.

    Events make no cycles, so that reference counts free them; a thousand agents' state, looked
    through again and again for nothing, costs a tenth of the time (see benchmarks).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
