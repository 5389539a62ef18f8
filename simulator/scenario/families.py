"""The families of plugins that a scenario may name."""

from __future__ import annotations

from simulator.distributions import DISTRIBUTIONS
from simulator.registry import Registry
from simulator.scenario.agent import LATENCY_MODELS

TOPOLOGIES = Registry("topology", "simulator.model.topologies", "teamsim.topologies")
PROTOCOLS = Registry("protocol", "simulator.model.protocols", "teamsim.protocols")
WORKLOADS = Registry("workload", "simulator.model.workloads", "teamsim.workloads")
WORKSPACES = Registry("workspace", "simulator.model.workspaces", "teamsim.workspaces")

REGISTRIES = (TOPOLOGIES, PROTOCOLS, WORKLOADS, WORKSPACES, LATENCY_MODELS, DISTRIBUTIONS)
"""Every family."""
