"""The random draws of one agent: of each purpose, a stream that is its own."""

from __future__ import annotations

from simulator.distributions import Distribution
from simulator.model.streams import Draw, Entity, Law, Purpose, Streams, always
from simulator.model.tasks import AS_SAID, RunFactors
from simulator.scenario._odds import Odds

_ONE = always(1.0)


class OwnDraws:
    """Random streams that bear the name of one agent.

    Parameters
    ----------
    streams : Streams
    entity, number : Entity, int
        What it is, and its number among those: draws do not depend on the size of the team.
    run_factors : RunFactors
        By what this run differs from others.
    """

    __slots__ = ("_number", "_streams", "_who", "run_factors")

    def __init__(
        self, streams: Streams, entity: Entity, number: int, run_factors: RunFactors = AS_SAID
    ) -> None:
        self._streams = streams
        self._who = int(entity)
        self._number = number
        self.run_factors = run_factors

    def of(
        self, distribution: Distribution, purpose: int, what: str = "", times: float = 1.0
    ) -> Draw:
        """Return draws of a distribution, multiplied by `times`.

        `what` they decide is said where the purpose does not say it.
        """
        return self._streams.draws(distribution, self._who, self._number, purpose, 0, what, times)

    def by(self, law: Law, purpose: int, times: float = 1.0) -> Draw:
        """Return the same of a distribution whose law is known."""
        return self._streams.by(law, self._who, self._number, purpose, times)

    def __call__(self, distribution: Distribution, purpose: int) -> Draw:
        """Return draws of a distribution: what latency models ask."""
        return self.of(distribution, purpose)

    def factor(self, law: Law, purpose: int) -> float:
        """Return what the random effects of the run and of the agent multiply draws by."""
        return self._streams.factor(law.facts, self._who, self._number, purpose)

    def rolls(self, purpose: int, needed: bool = True) -> Draw:
        """Return uniforms in [0, 1), or always 1 where they are not needed."""
        # A thousand agents with streams that they never use would not fit the cache.
        return self._streams.uniforms(self._who, self._number, purpose) if needed else _ONE

    def logit(self, odds: Odds, purpose: Purpose) -> float:
        """Return the logit of a probability, with the agent's own random effect."""
        return self._streams.logit(odds, self._who, self._number, purpose)
