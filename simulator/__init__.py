"""Discrete-event simulator of LLM agent teams.

The public names; each is imported when it is first used, so that importing the package is quick:

``load_study``, ``parse_study``
    A scenario file, or text, with its sweep.
``Scenario``, ``Simulation``, ``Metrics``, ``Trace``
    One team with its work; the class that runs it; a row of results; the events of a replication.
``replicate``, ``run_sweep``
    Replications of one team, and of every point of a sweep.
``TeamsimError``
    Base of all errors that a user can correct.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.handed_on import handed_on

if TYPE_CHECKING:
    from simulator.engine import Simulation
    from simulator.errors import TeamsimError
    from simulator.experiment import replicate, run_sweep
    from simulator.model.metrics import Metrics
    from simulator.model.trace import Trace
    from simulator.scenario import Scenario, load_study, parse_study
    from simulator.version import __version__

_HOMES = {
    "Metrics": "simulator.model.metrics",
    "Scenario": "simulator.scenario",
    "Simulation": "simulator.engine",
    "TeamsimError": "simulator.errors",
    "Trace": "simulator.model.trace",
    "__version__": "simulator.version",
    "load_study": "simulator.scenario",
    "parse_study": "simulator.scenario",
    "replicate": "simulator.experiment",
    "run_sweep": "simulator.experiment",
}

__all__ = [
    "Metrics",
    "Scenario",
    "Simulation",
    "TeamsimError",
    "Trace",
    "__version__",
    "load_study",
    "parse_study",
    "replicate",
    "run_sweep",
]


__getattr__ = handed_on(__name__, _HOMES)
