"""From the traces of a real team to a model of it: what happened, its twin, and a comparison."""
