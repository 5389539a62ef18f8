"""Byzantine agents: wrong or silent for the whole run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from simulator.model.agents.agent import AgentState
from simulator.model.resilience._pattern import AgentFault, FailureSetting
from simulator.model.streams import Purpose
from simulator.scenario.faults import Byzantine


class ByzantineAgents(AgentFault):
    """Draws at the start which agents misbehave."""

    kind: ClassVar[str] = "byzantine"

    __slots__ = ()

    def __init__(self, specs: Mapping[AgentState, Byzantine], setting: FailureSetting) -> None:
        for agent, spec in specs.items():
            if setting.uniforms(agent, Purpose.BYZANTINE)() < spec.probability:
                agent.misbehave(spec.manner)
