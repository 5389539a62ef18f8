"""What draws of a distribution need, found out once: every agent of every replication asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Facts:
    """How draws of a distribution are made.

    Attributes
    ----------
    is_constant : bool
        Whether it never varies; `constant` is its value then.
    is_one_number : bool
        Whether only random effects of a run and of an agent make it vary; they multiply
        `constant` then.
    has_part_effects : bool
        Whether its components have random effects of their own.
    has_effects : bool
        Whether it has an effect of a run or of an agent.
    run_sigma, agent_sigma : float
        Their standard deviations on the log scale.
    has_phases : bool
        Whether it has an effect that comes and goes.
    largest : float
        The largest absolute value of a draw; not said of constants and of effects of components.
    """

    is_constant: bool = False
    is_one_number: bool = False
    constant: float = 0.0
    has_part_effects: bool = False
    has_effects: bool = False
    run_sigma: float = 0.0
    agent_sigma: float = 0.0
    has_phases: bool = False
    largest: float = 0.0
