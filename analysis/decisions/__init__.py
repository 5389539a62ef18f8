"""What to do: whether a team is worth it, what matters, what faults do, what it costs."""
