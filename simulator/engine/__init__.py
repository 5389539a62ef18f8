"""The SimPy engine: it decides when the steps of the model happen."""

from simulator.engine.simulation import Simulation

__all__ = ["Simulation"]
