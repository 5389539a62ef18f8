"""The patterns by which a team answers failures: state and rules, no clock."""
