"""Topologies: who hears whom. A file a kind; the file's name is its YAML name."""

from simulator.model.topologies._topology import Channel, Topology
from simulator.scenario.families import NO_MANAGER

__all__ = ["NO_MANAGER", "Channel", "Topology"]
