"""When it happens: the SimPy engine."""

from simulator.engine.simulation import Simulation

__all__ = ["Simulation"]
