"""Latency models: how long a call takes. A file a kind; the file's name is its YAML name."""

from simulator.model.latency._latency import DrawFrom, LatencyModel, Sampler

__all__ = ["DrawFrom", "LatencyModel", "Sampler"]
