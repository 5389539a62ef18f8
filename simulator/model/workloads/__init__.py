"""Workloads: the tasks of a replication. A file a kind; the file's name is its YAML name."""

from simulator.model.workloads._workload import Workload

__all__ = ["Workload"]
