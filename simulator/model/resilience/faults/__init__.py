"""The faults of agents: each file serves the field of an agent's `faults` that has its name."""
