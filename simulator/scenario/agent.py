"""What YAML may say about one agent: a stochastic service node that makes LLM calls."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from simulator.distributions import (
    DistributionSpec,
    NonNegativeDistribution,
    PositiveDistribution,
)
from simulator.distributions.deterministic import constant
from simulator.registry import OneOf
from simulator.scenario._rates import Rates
from simulator.scenario.context import Context
from simulator.scenario.families import LATENCY_MODELS, LatencySpec
from simulator.scenario.faults import AgentFaults
from simulator.scenario.forgetting import Forgetting
from simulator.scenario.loop import LoopSpec
from simulator.scenario.prices import list_prices
from simulator.scenario.probability import Probability
from simulator.scenario.tools import ToolSpec, mean_count
from simulator.spec import Fraction, Name, NonNegative, Positive, Spec


class Tokens(Spec):
    """Tokens that one call writes."""

    output: NonNegativeDistribution = Field(default_factory=lambda: constant(300.0))
    """Output tokens of a call apart from its tasks and its message."""
    per_work_unit: NonNegative = 0.0
    """Output tokens for each work unit of the tasks attempted in the call."""
    message: NonNegativeDistribution = Field(default_factory=lambda: constant(150.0))
    """Tokens of a message to the others; part of the sender's output."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Most output that a request announces. The provider takes this much from its limit on output
    when it accepts the request, however much is then written. When absent, or when the request
    will write more, it takes what will be written."""
    relay: Fraction = 0.0
    """Share of the messages just read that the agent's own message passes on (a summary)."""


class Behaviour(Spec):
    """What an agent does besides the work it should do."""

    idle: Probability = Probability(probability=0.0)
    """Probability that a call takes no task although there is one."""
    idle_first: Fraction | None = None
    """The same for an agent's first call, if it differs."""
    idle_persistence: Fraction = 0.0
    """Probability that an agent which has idled idles again (else its next call is like any)."""
    deference: Fraction = 0.0
    """Probability of leaving open tasks to others when there are fewer of them than agents."""
    talk: Fraction = 1.0
    """Probability that a call that did work ends with a message."""
    chatter: Fraction = 0.0
    """Probability that an idle call ends with a message."""
    dependency_blindness: Fraction = 0.0
    """Probability, at each pick, of choosing among all open tasks, even those that cannot start."""
    blind_calls: Fraction = 0.0
    """Probability that a call overlooks all dependencies, as when an agent does a whole plan."""
    leave_drafts: Fraction = 0.0
    """Probability that a call does not write again what its agent has written for blocked tasks. It
    attempts them all the same, and takes as long and as many tokens: `redo_work` says what doing a
    task once more takes."""
    leaving_persistence: Fraction = 0.0
    """Probability that an agent which has left its drafts leaves them again (else as any call)."""
    claim_blindness: Fraction = 0.0
    """Probability, at each pick, of choosing a task that another agent has claimed, if any."""
    preference_correlation: Fraction = 0.0
    """Probability that a choice is the one that all agents of the family would make in the same
    situation."""


class OneByOne(Spec):
    """How likely it is that an agent begins with one task a call, by how many it finds to do.

    With k tasks the odds are those of `probability` times ``(k / at_tasks) ** growth``. As any
    habit it is kept from call to call with `batch_persistence`.
    """

    probability: Fraction = 0.0
    """Probability with `at_tasks` tasks to do."""
    at_tasks: Positive = 20.0
    """The number of tasks that `probability` is for."""
    growth: NonNegative = 0.0
    """Power of the number of tasks with which the odds grow."""


class WrongAnswers(Spec):
    """What a faulty attempt answers, where answers are compared (votes, debates)."""

    options: Annotated[int, Field(ge=1)] = 1
    """How many different wrong answers there are."""
    shared: Fraction = 0.0
    """Probability that a wrong answer is the most popular one, rather than any one at random."""


class Errors(Spec):
    """How attempts at tasks go wrong.

    Tasks differ: with `difficulty_correlation` rho, the error probability of a task is a draw
    from the beta distribution with mean `probability` whose intra-class correlation is rho,
    the same draw for every attempt and every agent of the family. (Success rates of tasks that
    are beta with a = 0.64 and b = 0.86, as in public agent runs, are probability 0.57, rho 0.4:
    the mean is b / (a + b), and rho is 1 / (a + b + 1).)
    """

    probability: Probability = Probability(probability=0.0)
    """Probability that an attempt is faulty."""
    detection: Fraction = 1.0
    """Probability that the agent's own tests find a fault, so that the task is done again."""
    propagation: Fraction = 1.0
    """Probability that a fault left in a task makes a dependent task faulty too."""
    hand_off: Fraction = 0.0
    """Probability, for each dependency done by another agent, that it is misunderstood."""
    difficulty_correlation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Correlation of two attempts' errors at the same task, because the task is hard (rho)."""
    common_mode: Fraction = 0.0
    """Probability that an attempt has the outcome that the family's attempts at that task share."""
    call_correlation: Fraction = 0.0
    """Probability that an attempt has the outcome that the attempts of its call share, because a
    reply fails as a whole."""
    wrong_answers: WrongAnswers = WrongAnswers()
    """Which wrong answer a faulty attempt gives."""
    max_attempts: Annotated[int, Field(ge=1)] | None = None
    """After this many attempts that failed their tests or review, whoever made them, a task is left
    as it is and is known to be faulty. If copies of it are in progress then (backups,
    `redundancy`), nobody begins another attempt, and it is left when none of them has done it."""


class Drift(Spec):
    """A state of each agent that grows as it works and makes it err, idle and slow down.

    After every call the state moves by one `step`, never below 0; hearing from others, and
    compacting the context, multiply it by ``1 - sync``.
    """

    step: DistributionSpec = Field(default_factory=lambda: constant(0.0))
    """Change of the state at each call (a random walk; ``normal`` may also go down)."""
    per_1k_tokens: NonNegative = 0.0
    """Further growth for each 1,000 tokens read and written."""
    sync: Fraction = 0.5
    """Share of the state that news from others, or a compacted context, takes away."""
    error_logit: NonNegative = 1.0
    """Increase of the logit of the error probability for each unit of drift."""
    idle_logit: NonNegative = 0.0
    """Increase of the logit of the idle probability for each unit of drift."""
    slowdown: NonNegative = 0.0
    """What a unit of drift adds to a call's duration, as a multiple of it."""


_SHORT_LIFE_S = 300.0
"""Longest life of a cache for which `cache_write_per_mtok` is the price of writing."""


class Price(Spec):
    """Prices in US dollars for a million tokens, as numbers or by the model's name.

    Once a request is in service, the provider bills all of its input, and the output written by
    the time it is answered, given up (timed out, cancelled, lost in a crash) or cut off by the end
    of the run. It bills nothing for a request that waits or is refused; nor for one that fails,
    unless `provider.errors.bill` says so.
    """

    model: str | None = None
    """Name of a model whose list prices are used for all prices not given as numbers (package
    ``genai-prices``)."""
    provider: str | None = None
    """Who serves the model, where several do."""
    input_per_mtok: NonNegative = 0.0
    """Uncached input."""
    cached_input_per_mtok: NonNegative | None = None
    """Input read from the prompt cache; the price of uncached input when absent."""
    cache_write_per_mtok: NonNegative | None = None
    """Uncached input that is written to a cache (`Context.cache` describes the cache); the price of
    uncached input when absent."""
    cache_write_1h_per_mtok: NonNegative | None = None
    """The same for caches with a `life_s` of more than five minutes; the price for shorter lives
    when absent."""
    output_per_mtok: NonNegative = 0.0
    """Output."""

    @model_validator(mode="before")
    @classmethod
    def _look_up(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {"model": data}
        if not isinstance(data, dict):
            return data
        match data.get("model"), data.get("provider"):
            case str(model), (str() | None) as provider:
                return {**list_prices(model, provider), **data}
        return data

    def usd(self, uncached: int, cached: int, output: int) -> float:
        """Return what so many tokens cost."""
        return self.rates.usd(uncached, cached, output)

    @cached_property
    def rates(self) -> Rates:
        """The prices of uncached and cached input, and of output."""
        per_cached = self.cached_input_per_mtok
        if per_cached is None:
            per_cached = self.input_per_mtok
        return Rates(self.input_per_mtok, per_cached, self.output_per_mtok)

    def write_surcharge_usd(self, tokens: int, life_s: float | None) -> float:
        """Return what it costs to write so many tokens to a cache, beyond their price as input."""
        per_written = self.cache_write_per_mtok
        if self.cache_write_1h_per_mtok is not None and (life_s or 0.0) > _SHORT_LIFE_S:
            per_written = self.cache_write_1h_per_mtok
        return 0.0 if per_written is None else tokens * (per_written - self.input_per_mtok) / 1e6

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        cache = self.cached_input_per_mtok or self.cache_write_per_mtok
        return not (self.input_per_mtok or cache or self.output_per_mtok)

    @property
    def is_said(self) -> bool:
        """Whether somebody has said this price, if only one of 0."""
        # A copy made of all fields says also that there is no model: nobody writes that.
        said = self.model_fields_set
        return not self.is_free or bool(said - {"model", "provider"} and "model" not in said)

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the fields; a price of 0 that was said is said where they are read again, too."""
        found: dict[str, Any] = write(self)
        if self.is_free and self.is_said:
            found.pop("model", None)
            found["input_per_mtok"] = 0.0
        return found


def _those_there(tools: Any) -> Any:
    """Return tools without those that are null."""
    if not isinstance(tools, dict):
        return tools
    return {name: tool for name, tool in tools.items() if tool is not None}


def _may_be_null(schema: dict[str, Any]) -> None:
    """Let every entry of a mapping be null in its JSON Schema."""
    schema["additionalProperties"] = {"anyOf": [schema["additionalProperties"], {"type": "null"}]}


class Agent(Spec):
    """An agent: one LLM call at a time, each with its latency, batch, errors and drift."""

    profile: str | None = None
    """Name of a shipped profile, or a YAML file, that supplies the fields not given here."""
    source: str | None = None
    """Where the parameters come from (for profiles)."""
    latency: Annotated[LatencySpec, OneOf(LATENCY_MODELS)]
    """Duration of a call."""
    speed: Positive = 1.0
    """Divides the duration of every call."""
    family: str = "model"
    """Agents of one family find the same tasks hard, err together and prefer the same tasks."""
    batch: NonNegativeDistribution = Field(default_factory=lambda: constant(1.0))
    """Tasks attempted in one call; a draw is rounded and at least 1."""
    first_batch: NonNegativeDistribution | None = None
    """Tasks attempted in an agent's first call, if different."""
    one_by_one: OneByOne | None = None
    """Agents whose first call takes one task, whatever `first_batch` says."""
    batch_persistence: Fraction = 0.0
    """Probability that a call takes as many tasks as the agent's last one did, out of habit."""
    capacity: PositiveDistribution | None = None
    """Work units that fit into one reply (its output limit); the rest of a batch is cut off. It is
    drawn for each reply that does several tasks."""
    capacity_elasticity: NonNegative = 0.0
    """How much less fits where work takes longer: where the random effects of a run and of an agent
    on `latency.residual` make calls x times as long, `capacity` is divided by x to this power. At 1
    the limit is one of time."""
    truncation_loss: Fraction = 0.0
    """Probability that a reply which was cut off is useless as a whole."""
    redo_work: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Work of an agent's further attempts at a task, as a share of the first: drafts are kept."""
    tokens: Tokens = Tokens()
    """Tokens that one call writes."""
    context: Context = Context()
    """Tokens that one call reads."""
    behaviour: Behaviour = Behaviour()
    """Idling, talking, overlooking."""
    forgetting: Forgetting | None = None
    """Tasks that it finishes and does not hand in, with protocols in which agents claim tasks."""
    errors: Errors = Errors()
    """Faulty attempts."""
    drift: Drift = Drift()
    """Growing unreliability."""
    price: Price = Price()
    """What tokens cost."""
    faults: AgentFaults = AgentFaults()
    """Stragglers, stalls, malformed replies, crashes, Byzantine agents."""
    loop: LoopSpec | None = None
    """The turns of an attempt; an attempt is one call when absent."""
    tools: Annotated[
        dict[Name, ToolSpec],
        BeforeValidator(_those_there),
        Field(default_factory=dict, json_schema_extra=_may_be_null),
    ]
    """Tools that it calls between the turns of a loop, by name. ``null`` takes away a tool of the
    profile, or of the team's `agent`."""

    @model_validator(mode="after")
    def _calls_tools_in_loops(self) -> Self:
        if self.tools and self.loop is None:
            raise ValueError("'tools' are called between the turns of a loop: they need a 'loop'")
        return self

    @property
    def needs_steps(self) -> bool:
        """Whether a call has more steps than its service: it is a loop, or its cache may expire."""
        cache = self.context.prompt_cache
        return self.loops or (cache is not None and not cache.is_plain)

    @property
    def loops(self) -> bool:
        """Whether a call may be more than one turn."""
        return self.loop is not None and not self.loop.is_one_turn

    @property
    def tools_per_turn(self) -> float:
        """Mean number of calls of tools after a turn that is not the last."""
        calls = {name: mean_count(tool.calls) for name, tool in self.tools.items()}
        weights = {name: tool.weight or 0.0 for name, tool in self.tools.items()}
        total = sum(weights.values())
        return sum(
            n * (weights[name] / total if weights[name] else self.tools[name].chance)
            for name, n in calls.items()
        )

    @property
    def drifts(self) -> bool:
        """Whether the agent's drift state ever leaves 0."""
        steps = self.drift.step.constant != 0.0
        return steps or self.drift.per_1k_tokens > 0.0 or self.context.loss > 0.0
