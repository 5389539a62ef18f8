"""Named random streams: every number is a pure function of what it is for.

A draw is addressed by (seed, replication, kind of entity, entity, purpose, position). The
first two make the key of a Philox generator, the others its counter (Salmon et al. 2011,
"Parallel random numbers: as easy as 1, 2, 3"), so that any stream can be read from any
position in about a microsecond, without holding a generator for each. The same
replication uses the same draws at every sweep point where the entity exists: common random
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import lru_cache
from math import exp

import numpy as np

from simulator import special
from simulator.distributions import Distribution, Facts, Floats
from simulator.documents import MOST_NUMBER
from simulator.model.draw_blocks import Bank, Effects, OfBank, of_parts, phased
from simulator.model.draws_ahead import DrawsAhead, key_of
from simulator.model.limited_draws import limited
from simulator.model.one_by_one import one_by_one, only
from simulator.model.packed import Block
from simulator.model.uniforms import Uniforms
from simulator.scenario._odds import Odds

Draw = Callable[[], float]
"""Returns the next number of a stream."""


@lru_cache(maxsize=1024)
def always(value: float) -> Draw:
    """Return the stream that is always `value`: one object for all agents, to spare the cache."""
    return only(value)


class Entity(IntEnum):
    """What a stream belongs to."""

    AGENT = 0
    COORDINATOR = 1
    RUN = 2
    RUN_EFFECT = 3
    AGENT_EFFECT = 4
    COORDINATOR_EFFECT = 5
    VERIFIER = 6
    VERIFIER_EFFECT = 7
    FAMILY = 8
    SUBAGENT = 9
    SUBAGENT_EFFECT = 10


class Purpose(IntEnum):
    """What the draws of a stream decide. Numbers are part of the results: never renumber."""

    LATENCY = 0
    LATENCY_RESIDUAL = 1
    LATENCY_IDLE = 2
    BATCH = 3
    OUTPUT_TOKENS = 4
    MESSAGE_TOKENS = 5
    ERROR = 6
    DETECTION = 7
    PROPAGATION = 8
    IDLE = 9
    TALK = 10
    CHOICE = 11
    DEPENDENCY_BLINDNESS = 12
    CLAIM_BLINDNESS = 13
    DRIFT = 14
    ROUND_OVERHEAD = 15
    ARRIVAL = 16
    WORKLOAD = 17
    DEFERENCE = 18
    DIFFICULTY = 19
    COMMON_MODE = 20
    COMMON_ERROR = 21
    WRONG_ANSWER = 22
    HAND_OFF = 23
    PREFERENCE = 24
    VOTE = 25
    DEBATE = 26
    STEAL = 27
    REVIEW = 28
    LINK = 29
    GOSSIP = 30
    TOPOLOGY = 31
    WORKSPACE = 32
    MERGE = 33
    COMMIT = 34
    REPLICA = 35
    BACKOFF = 36
    SLOW_PHASE = 37
    RETRY = 38
    LINK_DELAY = 39
    SIZE = 40
    ACKNOWLEDGEMENT = 41
    LEADER = 42
    APPLY = 44
    LOCK_ORDER = 45
    BATCH_PERSISTENCE = 46
    CALL_ERROR = 47
    BLIND_CALL = 48
    FIRST_BATCH = 49
    TRUNCATION = 50
    OUTAGE_UP = 51
    OUTAGE_DOWN = 52
    SLOW = 53
    SLOW_FACTOR = 54
    STALL = 55
    MALFORMED = 56
    CRASH_UP = 57
    CRASH_REPAIR = 58
    BYZANTINE = 59
    PROVIDER_ERROR = 60
    PROVIDER_ERROR_AFTER = 61
    CALL_RETRY = 62
    HEDGE = 63
    BACKUP = 64
    PROBE = 65
    ELECTION = 66
    ELECTION_DELAY = 67
    RESTART = 68
    DUPLICATION = 69
    ONE_BY_ONE = 70
    FORGETTING = 71
    NOTICE = 72
    UNDERSTANDING = 73
    IMPATIENCE = 74
    ERROR_BILL = 75
    CAPACITY = 76
    DRAFTS = 77
    START_TOKENS = 80
    TURN_TOKENS = 81
    FIRST_TURN_TOKENS = 82
    CACHE_MISS = 83
    REQUEST_TOKENS = 84
    WINDOW_TOKENS = 85
    TURNS = 90
    TOOL = 91
    TOOL_CALLS = 92
    TOOL_SECONDS = 93
    TOOL_TOKENS = 94
    TOOL_ERROR = 95


_ENTITIES = 16
"""More than there are kinds of `Entity`."""

_LARGEST_LOG = 700.0
"""The largest logarithm whose exponential is a finite number."""

AGAIN, ELSEWHERE = 10_000, 20_000
"""Added to a purpose for requests that are sent again, or to another model: they have streams of
their own, so that the draws of later calls stay the same."""

_EFFECT = {
    int(entity): int(effect)
    for entity, effect in (
        (Entity.AGENT, Entity.AGENT_EFFECT),
        (Entity.COORDINATOR, Entity.COORDINATOR_EFFECT),
        (Entity.VERIFIER, Entity.VERIFIER_EFFECT),
        (Entity.SUBAGENT, Entity.SUBAGENT_EFFECT),
        (Entity.RUN, Entity.AGENT_EFFECT),
    )
}


_SUBAGENT, _RUN_EFFECT = int(Entity.SUBAGENT), int(Entity.RUN_EFFECT)
"""As numbers: a member of an enumeration takes Python code to be looked up by."""


class Law:
    """A distribution and what draws of it need to know: many agents of many replications ask.

    Attributes
    ----------
    facts : Facts
    same : callable or None
        What always draws the same, where the distribution never varies.
    """

    __slots__ = ("distribution", "facts", "same")

    def __init__(self, distribution: Distribution) -> None:
        self.distribution = distribution
        self.facts = distribution.facts
        self.same: Draw | None = None
        if self.facts.is_constant:
            self.same = always(self.facts.constant)


class Streams:
    """The random streams of one replication, for one thread.

    Parameters
    ----------
    seed : int
        Root of all streams, at least 0.
    replication : int
        Number of the replication, at least 0.
    ahead : DrawsAhead, optional
        What the replications of a scenario have in common.
    """

    __slots__ = ("_ahead", "_banks", "_of_run", "_replication", "_uniforms")

    def __init__(self, seed: int, replication: int, ahead: DrawsAhead | None = None) -> None:
        self._ahead = DrawsAhead(seed) if ahead is None else ahead
        self._replication = replication
        self._uniforms = Uniforms(key_of(seed, replication))
        self._banks: dict[tuple[int, int, int], Bank] = {}
        self._of_run: dict[int, float] = {}  # effects that all agents share

    def block(self, entity: int, index: int, purpose: int, start: int, size: int) -> Floats:
        """Return `size` uniforms on [0, 1) from position `start` (a multiple of 4)."""
        return self._uniforms.block(entity, index, purpose, start, size)

    def generator(self, purpose: Purpose) -> np.random.Generator:
        """Return a generator of the run's own, for libraries that want one."""
        seeds = self.block(Entity.RUN, 0, purpose, 0, 4)
        return np.random.Generator(np.random.Philox([int(u * 2**53) for u in seeds]))

    def uniforms(self, entity: int, index: int, purpose: int) -> Draw:
        """Return the stream of uniforms on [0, 1)."""
        return self._uniforms.stream(entity, index, purpose)

    def draws(
        self,
        distribution: Distribution,
        entity: int,
        index: int,
        purpose: int,
        beside: int = 0,
        what: str = "",
        times: float = 1.0,
    ) -> Draw:
        """Return the stream of draws from `distribution`, its random effects applied.

        `beside` (`AGAIN` or `ELSEWHERE`) makes it another stream with the same effects. `what`
        it decides is said of a draw that is too large, where the purpose does not say it. All are
        multiplied by `times`.
        """
        facts = distribution.facts
        return self._of(distribution, facts, entity, index, purpose, beside, what, times)

    def by(self, law: Law, entity: int, index: int, purpose: int, times: float = 1.0) -> Draw:
        """Return the stream of `draws` from a distribution whose law is known."""
        if law.same is not None and times == 1.0:
            return law.same
        return self._of(law.distribution, law.facts, entity, index, purpose, 0, "", times)

    def _of(
        self,
        distribution: Distribution,
        facts: Facts,
        entity: int,
        index: int,
        purpose: int,
        beside: int,
        what: str,
        times: float,
    ) -> Draw:
        """Return the stream of `draws`."""
        if facts.is_constant and abs(facts.constant * times) <= MOST_NUMBER:
            return always(facts.constant * times)
        if facts.has_part_effects:
            of_agent = self._normal(_EFFECT[entity], index, purpose)
            effects = Effects(self._normal_of_run(entity, purpose), of_agent, times)
            address = (entity, index, purpose + beside)
            blocks = of_parts(self._uniforms, distribution, address, effects)
            return one_by_one(limited(blocks, what or _name_of(purpose)))
        factor = times * self.factor(facts, entity, index, purpose)
        if facts.is_one_number and abs(facts.constant * factor) <= MOST_NUMBER:
            return only(facts.constant * factor)
        if facts.has_phases:
            address = (entity, index, purpose + beside)
            blocks = phased(self._uniforms, distribution, address, factor)
        else:
            blocks = self._bank(distribution, entity, index, purpose + beside, factor)
        if facts.is_constant or not facts.largest * factor <= MOST_NUMBER:
            blocks = limited(blocks, what or _name_of(purpose))
        return one_by_one(blocks)

    def factor(self, facts: Facts, entity: int, index: int, purpose: int) -> float:
        """Return what the random effects of a run and of an agent multiply all draws by."""
        if not facts.has_effects:
            return 1.0
        effect = self._effect(entity, index, purpose, facts.run_sigma, facts.agent_sigma)
        return exp(min(_LARGEST_LOG, effect))

    def _bank(
        self, distribution: Distribution, entity: int, index: int, purpose: int, factor: float
    ) -> Iterator[Block]:
        """Return a stream whose first draws are made together with those of others."""
        key = (id(distribution), entity, purpose)
        bank = self._banks.get(key)
        if bank is None:
            first = self._ahead.of(distribution, entity, purpose)
            where = entity, purpose, self._replication
            bank = self._banks[key] = Bank(self._uniforms, distribution, *where, first)
        # Of sub-agents more and more come, and many never draw.
        return OfBank(bank, index, factor, is_expected=entity != _SUBAGENT)

    def logit(self, odds: Odds, entity: int, index: int, purpose: int) -> float:
        """Return the logit of an agent's probability (infinite at 0 and 1), effects applied."""
        return odds.logit + self._effect(entity, index, purpose, odds.run_sigma, odds.agent_sigma)

    def _effect(
        self, entity: int, index: int, purpose: int, run_sigma: float, agent_sigma: float
    ) -> float:
        total = 0.0
        if run_sigma > 0.0:
            # One effect for the workers of a run and one for its coordinator, which may be
            # another model.
            total += run_sigma * self._normal_of_run(entity, purpose)
        if agent_sigma > 0.0:
            total += agent_sigma * self._normal(_EFFECT[entity], index, purpose)
        return total

    def _normal_of_run(self, entity: int, purpose: int) -> float:
        key = _ENTITIES * purpose + entity  # one number: to look up a tuple takes twice as long
        found = self._of_run.get(key)
        if found is None:
            found = self._of_run[key] = self._normal(_RUN_EFFECT, entity, purpose)
        return found

    def _normal(self, entity: int, index: int, purpose: int) -> float:
        (u,) = self._uniforms.numbers(entity, index, purpose, 0, 1)
        return float(special.ndtri(max(u, 2.0**-53)))


def _name_of(purpose: int) -> str:
    return Purpose(purpose).name.lower() if purpose in list(Purpose) else "a plugin"
