"""Sweeps: points times replications over processes, in a store that can be resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.experiment.shortfalls import Shortfall, shortfalls
from simulator.handed_on import handed_on

if TYPE_CHECKING:
    from simulator.experiment.manifest import read_manifest, study_in
    from simulator.experiment.runner import (
        replicate,
        run_each,
        run_points,
        run_sweep,
        sweep_into,
    )
    from simulator.experiment.store import read_results, read_shortfalls

_HOMES = {
    "read_manifest": "simulator.experiment.manifest",
    "read_results": "simulator.experiment.store",
    "read_shortfalls": "simulator.experiment.store",
    "replicate": "simulator.experiment.runner",
    "run_each": "simulator.experiment.runner",
    "run_points": "simulator.experiment.runner",
    "run_sweep": "simulator.experiment.runner",
    "study_in": "simulator.experiment.manifest",
    "sweep_into": "simulator.experiment.runner",
}

__all__ = [
    "Shortfall",
    "read_manifest",
    "read_results",
    "read_shortfalls",
    "replicate",
    "run_each",
    "run_points",
    "run_sweep",
    "shortfalls",
    "study_in",
    "sweep_into",
]

__getattr__, __dir__ = handed_on(__name__, _HOMES)
