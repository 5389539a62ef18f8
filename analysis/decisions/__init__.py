"""Helps to decide: whether a team is worth it, which parameters matter, faults, costs."""
