"""A probability that may differ between runs and between agents."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, Self

from pydantic import GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from simulator.scenario._odds import Odds
from simulator.spec import Fraction, NonNegative, Spec


class Probability(Spec):
    """A probability that may differ between runs and between agents.

    The effects are normal on the logit scale: an agent's probability is
    ``expit(logit(p) + run_sigma * Z_run + agent_sigma * Z_agent)``.
    """

    probability: Fraction
    """Median probability, 0 to 1."""
    run_sigma: NonNegative = 0.0
    """Standard deviation of the run's effect, on the logit scale."""
    agent_sigma: NonNegative = 0.0
    """Standard deviation of the agent's effect, on the logit scale."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        number = {"type": "number", "minimum": 0, "maximum": 1}
        fields = super().__get_pydantic_json_schema__(schema, handler)
        return {"anyOf": [number, handler.resolve_ref_schema(fields)]}

    @model_validator(mode="before")
    @classmethod
    def _a_number_is_enough(cls, data: Any) -> Any:
        is_number = isinstance(data, (int, float)) and not isinstance(data, bool)
        return {"probability": data} if is_number else data

    @model_validator(mode="after")
    def _varies_around_something(self) -> Self:
        if self.probability in (0.0, 1.0) and self.effects:
            raise ValueError(
                f"a probability of {self.probability:g} is the same in every run and for every "
                f"agent: {self.effects[0]} cannot change it; leave it out"
            )
        return self

    @cached_property
    def odds(self) -> Odds:
        """The probability as those who draw need to know it."""
        p = self.probability
        if p in (0.0, 1.0):
            return Odds(-math.inf if p == 0.0 else math.inf)
        return Odds(math.log(p / (1.0 - p)), self.run_sigma, self.agent_sigma)

    @property
    def effects(self) -> list[str]:
        """Names of the random effects that it says."""
        sigmas = {"run_sigma": self.run_sigma, "agent_sigma": self.agent_sigma}
        return [name for name, sigma in sigmas.items() if sigma > 0.0]
