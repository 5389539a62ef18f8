"""Latency models: how long a call takes. A file a kind; the file's name is its YAML name."""

from simulator.model.latency._durations import Durations, Sampler
from simulator.model.latency._latency import DrawFrom, LatencyModel

__all__ = ["DrawFrom", "Durations", "LatencyModel", "Sampler"]
