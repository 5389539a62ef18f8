"""How likely something is for an agent, found out once: every agent of every replication asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Odds:
    """A probability's logit, infinite at 0 and 1, and the deviations of what is added to it.

    Attributes
    ----------
    logit : float
    run_sigma, agent_sigma : float
        Of the effects of a run and of an agent.
    """

    logit: float = 0.0
    run_sigma: float = 0.0
    agent_sigma: float = 0.0
