"""Discrete-event simulator of LLM agent teams.

The public names; each is imported when it is first used, so that importing the package is quick:

``load``, ``run``, ``sweep``, ``advise``, ``compare``, ``observe``
    What the commands of these names do; each returns a table with its origin, which can be drawn.
``load_study``, ``parse_study``
    A scenario file, or text, with its sweep.
``Scenario``, ``Simulation``, ``Metrics``, ``Trace``
    One team with its work; the class that runs it; a row of results; the events of a replication.
``replicate``, ``run_sweep``
    Replications of one team, and of every point of a sweep.
``Wish``
    What ``advise`` minimises, and under which conditions.
``TeamsimError``, ``ScenarioError``, ``UnmetExpectation``
    Base of all errors that a user can correct; those of a scenario, with each of its problems; the
    one of results that are not as expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator import compiled as compiled  # before any module that may be
from simulator.handed_on import handed_on

if TYPE_CHECKING:
    from analysis.decisions.advice import Wish
    from simulator.api.comparing import compare
    from simulator.api.deciding import advise
    from simulator.api.expecting import UnmetExpectation
    from simulator.api.observing import observe
    from simulator.api.running import load, run, sweep
    from simulator.engine import Simulation
    from simulator.errors import ScenarioError, TeamsimError
    from simulator.experiment import replicate, run_sweep
    from simulator.model.metrics import Metrics
    from simulator.model.trace import Trace
    from simulator.scenario import Scenario, load_study, parse_study
    from simulator.version import __version__

_HOMES = {
    "advise": "simulator.api.deciding",
    "compare": "simulator.api.comparing",
    "load": "simulator.api.running",
    "observe": "simulator.api.observing",
    "run": "simulator.api.running",
    "sweep": "simulator.api.running",
    "Metrics": "simulator.model.metrics",
    "Scenario": "simulator.scenario",
    "ScenarioError": "simulator.errors",
    "Simulation": "simulator.engine",
    "TeamsimError": "simulator.errors",
    "Trace": "simulator.model.trace",
    "UnmetExpectation": "simulator.api.expecting",
    "Wish": "analysis.decisions.advice",
    "__version__": "simulator.version",
    "load_study": "simulator.scenario",
    "parse_study": "simulator.scenario",
    "replicate": "simulator.experiment",
    "run_sweep": "simulator.experiment",
}

__all__ = [
    "Metrics",
    "Scenario",
    "ScenarioError",
    "Simulation",
    "TeamsimError",
    "Trace",
    "UnmetExpectation",
    "Wish",
    "__version__",
    "advise",
    "compare",
    "load",
    "load_study",
    "observe",
    "parse_study",
    "replicate",
    "run",
    "run_sweep",
    "sweep",
]


__getattr__, __dir__ = handed_on(__name__, _HOMES)
