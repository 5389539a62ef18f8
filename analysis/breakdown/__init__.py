"""Where the time of one replication goes: timelines, and speed-up stacks."""
