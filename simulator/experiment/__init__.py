"""Sweeps: points times replications over processes, in a store that can be resumed."""

from simulator.experiment.runner import (
    replicate,
    run_each,
    run_points,
    run_sweep,
    sweep_into,
)
from simulator.experiment.store import read_manifest, read_results

__all__ = [
    "read_manifest",
    "read_results",
    "replicate",
    "run_each",
    "run_points",
    "run_sweep",
    "sweep_into",
]
