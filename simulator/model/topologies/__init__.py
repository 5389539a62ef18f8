"""Topologies: who hears whom. A file a kind; the file's name is its YAML name."""

from simulator.model.topologies._topology import NO_MANAGER, Channel, Topology

__all__ = ["NO_MANAGER", "Channel", "Topology"]
