"""Latency models: how long a call takes. A file a kind; the file's name is its YAML name."""

from simulator.model.latency._durations import DrawFrom, Durations, Sampler, ServiceTimes
from simulator.model.latency._latency import LatencyModel

__all__ = ["DrawFrom", "Durations", "LatencyModel", "Sampler", "ServiceTimes"]
