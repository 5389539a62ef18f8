"""Breaks the time of a replication down: timelines, and speed-up stacks."""
