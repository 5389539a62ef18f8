"""Sweeps: points times replications over processes, in a store that can be resumed."""

from simulator.experiment.runner import replicate, run_each, run_points, run_sweep
from simulator.experiment.store import Store, read_results

__all__ = ["Store", "read_results", "replicate", "run_each", "run_points", "run_sweep"]
