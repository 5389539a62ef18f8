"""The agents: what they remember, say and draw."""
