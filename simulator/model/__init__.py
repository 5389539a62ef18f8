"""What happens: agents, topology, protocol, workload. Pure state and rules, no clock."""
