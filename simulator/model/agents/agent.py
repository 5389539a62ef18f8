"""One agent in one replication: its parts, its place in the team, and what has befallen it."""

from __future__ import annotations

from simulator.model.agents.call import Call
from simulator.model.agents.channels import Inbox, Voice
from simulator.model.agents.draws import OwnDraws
from simulator.model.agents.habits import Habits
from simulator.model.agents.judgement import Judgement
from simulator.model.agents.kind import Kind
from simulator.model.agents.loop import Loop
from simulator.model.agents.memory import Memory
from simulator.model.agents.timesheet import Timesheet
from simulator.model.answers import Difficulty
from simulator.model.board import Board
from simulator.model.latency import LatencyModel
from simulator.model.protocols import Dispatcher
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.tasks import AS_SAID, RunFactors
from simulator.scenario import Agent

WORKER, COORDINATOR, VERIFIER, SUBAGENT = 0, 1, 2, 3
"""Roles: who takes tasks, who answers reports, who reviews, and who is started by another."""

_ENTITY = {
    WORKER: Entity.AGENT,
    COORDINATOR: Entity.COORDINATOR,
    VERIFIER: Entity.VERIFIER,
    SUBAGENT: Entity.SUBAGENT,
}


class AgentState:
    """One agent: its call, its time, its memory, its habits and its judgement.

    Parameters
    ----------
    kind : Kind
    index : int
        Its number in the team; sub-agents have numbers after those.
    role, number : int
        Its role, and its number among the agents of that role, which names its draws: they do
        not depend on the size of the team.
    tasks : int
        Tasks on the board that it reads.
    streams : Streams
        The replication's random streams.
    difficulty : Difficulty
        The draws that agents share.
    voice : Voice

    Attributes
    ----------
    call : Call
    time : Timesheet
    memory : Memory
    habits : Habits
    judgement : Judgement
    spec, server : Agent
        Its parameters; those of the model that answers: its own, or one that stands in.
    rates : Rates
        What the tokens of that model cost.
    outbox : tuple of Outlet
        Where it speaks.
    latency : Durations
        Draws how long a call takes.
    loop : Loop or None
        The turns of its call; None where a call is one.
    is_steady : bool
        Whether its latency alone determines how long its calls take.
    member : int
        The member of the team on whose behalf it works: itself, or who has started it.
    board, dispatcher : Board, Dispatcher
        Those of the side on which it works.
    side : int
        0, or 1 while it is cut off from the others.
    drift : float
        Its drift state.
    awaits_answer : bool
        Whether it waits for its coordinator.
    is_down, down_since_s : bool, float
    is_retired : bool
        Whether it takes no further part.
    is_shut_out : bool
        Whether its prompt is too long, until something may shorten it.
    byzantine : str
        In which manner it misbehaves, if it does.
    """

    __slots__ = (
        "_drift_step",
        "awaits_answer",
        "board",
        "byzantine",
        "call",
        "dispatcher",
        "down_since_s",
        "drift",
        "entity",
        "habits",
        "index",
        "is_down",
        "is_retired",
        "is_shut_out",
        "is_steady",
        "judgement",
        "kind",
        "latency",
        "loop",
        "member",
        "memory",
        "number",
        "outbox",
        "rates",
        "role",
        "server",
        "side",
        "spec",
        "time",
    )

    def __init__(
        self,
        kind: Kind,
        index: int,
        role: int,
        number: int,
        streams: Streams,
        difficulty: Difficulty,
        voice: Voice,
        run_factors: RunFactors = AS_SAID,
    ) -> None:
        self.entity = _ENTITY[role]
        self.number = number
        draws = OwnDraws(streams, self.entity, number, run_factors)
        self.kind = kind
        self.spec = self.server = kind.spec
        self.rates = kind.rates
        self.index = self.member = index
        self.role = role
        self.outbox = tuple(voice.outbox)
        self.call, self.time = Call(), Timesheet()
        self.memory = Memory(kind.reading, Inbox(index, voice), draws)
        speaks = bool(self.outbox) or voice.notes is not None
        self.habits = Habits(kind.working, draws, speaks)
        self.judgement = Judgement(kind, draws, difficulty)
        self.latency = kind.latency.durations(draws)
        self.loop: Loop | None = None
        if kind.loop is not None:
            self.loop = Loop(kind.loop, kind.tools, draws)
        self.is_steady = kind.is_steady
        self.drift = 0.0
        self._drift_step = draws.by(kind.step, Purpose.DRIFT)
        self.board: Board
        self.dispatcher: Dispatcher
        self.side = 0
        self.awaits_answer = False
        self.is_down = self.is_retired = self.is_shut_out = False
        self.down_since_s = 0.0
        self.byzantine = ""

    @property
    def is_there(self) -> bool:
        """Whether it is there to begin a call: neither down nor retired."""
        return not (self.is_down or self.is_retired)

    @property
    def is_of_use(self) -> bool:
        """Whether it is a worker that, asleep, could do a task that there is to do."""
        is_held_up = self.role or self.awaits_answer or self.side or self.is_shut_out
        return not is_held_up and self.is_there

    @property
    def is_calling(self) -> bool:
        """Whether its call, or a turn of its loop, is under way; not between two turns."""
        return self.loop is None or not self.loop.is_between

    @property
    def is_of_team(self) -> bool:
        """Whether its time is the team's: whether it is no sub-agent."""
        return self.role != SUBAGENT

    def work_for(self, member: int) -> None:
        """Work on behalf of a member of the team."""
        self.member = member

    def work_on(self, board: Board, dispatcher: Dispatcher) -> None:
        """Work on a board, by its protocol, from now on."""
        self.board = board
        self.dispatcher = dispatcher

    def move_to(self, side: int) -> None:
        """Be on another side of a partition."""
        self.side = side
        mailbox = self.memory.inbox.mailbox
        if mailbox is not None:
            mailbox.move_to(side)

    def wait_for_answer(self) -> None:
        """Begin no call until the coordinator has answered."""
        self.awaits_answer = True

    def go_on(self) -> None:
        """Wait for no answer any more."""
        self.awaits_answer = False

    def retire(self, does: bool = True) -> None:
        """Take no further part; or, if not, take that back."""
        self.is_retired = does

    def shut_out(self) -> None:
        """Begin no call until something may have shortened the prompt."""
        self.is_shut_out = True

    def let_in(self) -> None:
        """Take back `shut_out`."""
        self.is_shut_out = False

    def misbehave(self, manner: str) -> None:
        """Set how the agent misbehaves from now on; with an empty string it is honest."""
        self.byzantine = manner

    def go_down(self, now: float) -> None:
        """Be down from now on."""
        self.is_down, self.down_since_s = True, now

    def come_up(self, now: float) -> None:
        """Be there again from now on."""
        self.is_down = False
        self.time.free_from(now)

    def compose(self, work: float, speaks: bool, unread_tokens: int) -> tuple[int, int, float]:
        """Draw what a call writes that has read its prompt.

        Parameters
        ----------
        work : float
            Work units.
        speaks : bool
            Whether it writes a message, which may pass on what was `unread_tokens`.

        Returns
        -------
        (int, int, float)
            Output tokens; those of the message, -1 without one; and how long it takes, in seconds.
        """
        memory, habits = self.memory, self.habits
        output = habits.output.about(work) + memory.summary_tokens
        message = -1
        if speaks:
            message = habits.message.about(unread_tokens)
            output += message
        duration_s = self.latency.seconds(work, memory.uncached, memory.cached, output)
        return output, message, duration_s if self.is_steady else duration_s * self.pace()

    def pace(self) -> float:
        """Return what multiplies the duration of the call that begins."""
        factor = 1.0 + self.spec.drift.slowdown * self.drift
        slowdown = self.spec.context.slowdown
        if slowdown is not None:
            factor += slowdown.at(self.memory.prompt_tokens, self.memory.window_tokens)
        return factor / self.spec.speed

    def look_in_cache(self, now: float) -> float:
        """Let a request that begins now take longer where its prompt has left the cache.

        Returns how many times as long it takes.
        """
        memory = self.memory
        if memory.life is None:
            return 1.0
        planned_s = self.time.duration_s
        found = memory.uncached, memory.cached
        if not memory.look_in_cache(now):
            return 1.0
        latency = LatencyModel.of(self.server.latency)
        lost = found[1] - memory.cached
        output = self.call.output + self.call.skipped
        self.time.stretch(latency.without_cache(*found, output, lost))
        return self.time.duration_s / planned_s if planned_s > 0.0 else 1.0

    def use_cache(self, now: float) -> None:
        """Note that a request which has read the prompt has been in service until now."""
        if self.memory.life is not None:
            self.memory.life.use(now)

    def settle_errors(self) -> None:
        """Let drift and the size of the prompt tell on the errors of the call."""
        memory = self.memory
        self.judgement.settle(self.drift, memory.prompt_tokens, memory.window_tokens)

    def wander(self) -> None:
        """Move the drift state by one call, and the probabilities that depend on it."""
        spec, memory = self.spec.drift, self.memory
        drift = self.drift * (1.0 - spec.sync) if memory.unread_messages else self.drift
        if memory.makes_room():
            # After a compaction or truncation; what is lost comes last.
            if self.spec.context.overflow == "compact":
                drift *= 1.0 - spec.sync
            drift += self.spec.context.loss
        tokens = memory.prompt_tokens + self.call.output
        self._set_drift(max(0.0, drift + self._drift_step() + spec.per_1k_tokens * tokens / 1000.0))

    def _set_drift(self, drift: float) -> None:
        self.drift = drift
        self.settle_errors()
        self.habits.drift(self.spec.drift.idle_logit * drift)

    def answer_with(self, model: Agent | None, err_logit: float = 0.0) -> None:
        """Let another model answer, with its errors, prices and cache; None: the agent's own.

        `err_logit` is the other model's logit of the error probability. If that model has no
        random effects of its own, those of the run and the agent are added as before.
        """
        self.server = model or self.spec
        self.rates = self.server.price.rates
        self.memory.change_model(self.server.context.prompt_cache, reads_prompt=model is not None)
        self.judgement.change_model(model, err_logit)
        self.settle_errors()
        self.judgement.begin_to_err()

    def forget(self) -> None:
        """Lose what a crash destroys: the context, the drift, the drafts."""
        self.memory.forget()
        self.let_in()
        self.habits.forget()
        self._set_drift(0.0)

    def go_on_as(self, other: AgentState) -> None:
        """Take over another agent's context, behind one's own system prompt."""
        self.memory.go_on_as(other.memory)
        self.let_in()
