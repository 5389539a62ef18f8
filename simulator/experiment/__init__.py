"""Sweeps: points times replications over processes, in a store that can be resumed."""

from simulator.experiment.manifest import read_manifest
from simulator.experiment.runner import (
    replicate,
    run_each,
    run_points,
    run_sweep,
    sweep_into,
)
from simulator.experiment.shortfalls import Shortfall, shortfalls
from simulator.experiment.store import read_results, read_shortfalls

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
    "sweep_into",
]
