"""The patterns: each file serves the field of a scenario's `resilience` that has its name."""
