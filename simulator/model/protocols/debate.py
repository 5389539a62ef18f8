"""Debate: agents answer, hear each other, change their minds or not, and vote."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from simulator.model.answers import CORRECT
from simulator.model.board import Board
from simulator.model.protocols._dispatcher import LEFT
from simulator.model.protocols._protocol import Dispatcher, Protocol, Setting
from simulator.model.streams import Draw, Purpose
from simulator.spec import Fraction


class Debate(Protocol):
    """Every debater answers; then, in each round, each hears the others and answers again.

    An agent follows another's opinion with probability `conformity`: the majority's, or a
    random peer's, which changes nothing in the mean (a martingale: Choi et al., arXiv
    2508.17536). With probability `correction`, who is wrong after that sees the right answer.
    """

    can_back_up: ClassVar[bool] = False

    kind: Literal["debate"] = "debate"
    rounds: Annotated[int, Field(ge=0, le=1000)] = 2
    """Rounds after the first answers (d)."""
    debaters: Annotated[int, Field(ge=1)] | None = None
    """Agents that debate a task, in turn over the tasks; all of them when absent."""
    order: Literal["simultaneous", "sequential"] = "simultaneous"
    """Whether a round's opinions are formed at once on the last round's, or one by one."""
    influence: Literal["majority", "peer"] = "majority"
    """Whom an agent follows: the most frequent opinion of the others, or any one of them."""
    conformity: Fraction = 0.5
    """Probability of following."""
    correction: Fraction = 0.0
    """Probability that an agent in the wrong finds the right answer in a round."""
    decision: Literal["majority", "random"] = "majority"
    """What the last opinions decide: the most frequent one, or any one."""

    def dispatcher(self, setting: Setting) -> Dispatcher:
        """Return the state of this protocol for one replication."""
        return _Debates(self, setting)


@dataclass(slots=True)
class _Panel:
    """The debate of one task."""

    agents: list[int]
    opinions: dict[int, int] = field(default_factory=dict)
    heard: dict[int, int] = field(default_factory=dict)
    """The opinions that a simultaneous round answers to."""
    round: int = 0
    spoken: set[int] = field(default_factory=set)
    """Who has spoken in this round."""

    def copy(self) -> _Panel:
        return _Panel(
            self.agents[:], self.opinions.copy(), self.heard.copy(), self.round, self.spoken.copy()
        )

    @property
    def is_round_over(self) -> bool:
        return len(self.spoken) == len(self.agents)

    @property
    def next_speaker(self) -> int:
        return next(agent for agent in self.agents if agent not in self.spoken)


class _Debates(Dispatcher):
    __slots__ = ("_next", "_panels", "_protocol", "_rolls", "_size", "_turns", "_vote")

    gives_answers: ClassVar[bool] = True
    asks_several: ClassVar[bool] = True

    def __init__(self, protocol: Debate, setting: Setting) -> None:
        super().__init__(setting)
        self._protocol = protocol
        workers = setting.workers
        self._size = min(protocol.debaters or workers, workers)
        self._panels: dict[int, _Panel] = {}
        self._turns: list[deque[int]] = [deque() for _ in range(workers)]
        self._rolls = [setting.uniforms(i, Purpose.DEBATE) for i in range(workers)]
        self._vote = setting.run_uniforms(Purpose.VOTE)
        self._next = 0

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._panels = {task: panel.copy() for task, panel in self._panels.items()}
        other._turns = [turns.copy() for turns in self._turns]
        return other

    def task_ready(self, task: int) -> int:
        """Open the debate; the first speaker is concerned, and whoever else is called."""
        there = self.here or list(range(self.setting.workers))
        agents = [there[(self._next + i) % len(there)] for i in range(min(self._size, len(there)))]
        self._next += self._size
        self._panels[task] = _Panel(agents)
        self._call_speakers(task)
        return agents[0]

    def _call_speakers(self, task: int) -> None:
        """Give their turn to those who may speak now."""
        panel = self._panels[task]
        if self._protocol.order == "sequential":
            speakers = [panel.next_speaker]
        else:
            speakers = panel.agents
            panel.heard = dict(panel.opinions)
        for agent in speakers:
            self._turns[agent].append(task)
            self.wake(agent)

    def has_tasks(self, agent: int) -> bool:
        """Return whether it is the agent's turn in a debate."""
        return bool(self._turns[agent])

    def choose(self, agent: int, count: int) -> list[int]:
        """Return the tasks in whose debates it is the agent's turn."""
        turns = self._turns[agent]
        return [turns.popleft() for _ in range(min(count, len(turns)))]

    def may_attempt(self, agent: int, task: int) -> bool:
        """Return True: it was the agent's turn."""
        return True

    def answer(self, agent: int, task: int) -> int | None:
        """Return the agent's opinion after what it has heard; the first is its own."""
        panel, spec, rolls = self._panels[task], self._protocol, self._rolls[agent]
        if panel.round == 0:
            return None
        heard = panel.opinions if spec.order == "sequential" else panel.heard
        others = [heard[other] for other in panel.agents if other != agent]
        opinion = heard[agent]
        if others and rolls() < spec.conformity:
            opinion = _peer(others, rolls) if spec.influence == "peer" else _most(others, rolls)
        if opinion != CORRECT and rolls() < spec.correction:
            opinion = CORRECT
        return opinion

    def decide(self, agent: int, task: int, answer: int) -> int | None:
        """Note the opinion; return what the debate has decided when it is over."""
        panel, spec = self._panels[task], self._protocol
        panel.opinions[agent] = answer
        panel.spoken.add(agent)
        if panel.is_round_over:
            if panel.round == spec.rounds:
                last = list(panel.opinions.values())
                return (
                    _peer(last, self._vote)
                    if spec.decision == "random"
                    else _most(last, self._vote)
                )
            panel.round += 1
            panel.spoken.clear()
            self._call_speakers(task)
        elif spec.order == "sequential":
            self._call_speakers(task)
        return None

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Debate a rejected result from the beginning; let a failed first answer be repeated."""
        if done:
            return
        panel = self._panels[task]
        if panel.is_round_over:
            self._panels[task] = _Panel([i for i in panel.agents if i not in self.gone] or [agent])
            self._call_speakers(task)
        else:
            self.returned(agent, task)

    def returned(self, agent: int, task: int) -> None:
        """Leave the agent its turn, if it still has a say."""
        if not self.board.done[task] and agent in self._panels[task].agents:
            self._turns[agent].append(task)
            self.wake(agent)

    def do_without(self, agent: int, task: int) -> int | None:
        """Go on with the debate without the agent; leave the task if it debates it alone."""
        panel = self._panels[task]
        if len(panel.agents) == 1:
            return LEFT
        self._leave(task, panel, agent)
        return None

    def give_away(self, agent: int) -> int:
        """Go on with the debates without the agent; one that it held alone, somebody else holds."""
        there, left = self.here, 0
        for task, panel in list(self._panels.items()):
            if self.board.done[task] or agent not in panel.agents:
                continue
            if len(panel.agents) > 1:
                left += 1
                self._leave(task, panel, agent)
            elif there:
                left += 1
                self._take_turn_from(agent, task)
                self._panels[task] = _Panel([there[task % len(there)]])
                self._call_speakers(task)
        return left

    def _take_turn_from(self, agent: int, task: int) -> None:
        while task in self._turns[agent]:
            self._turns[agent].remove(task)

    def _leave(self, task: int, panel: _Panel, agent: int) -> None:
        """Take one of several off a panel; let somebody close the round if it was the last."""
        spoke_next = not panel.is_round_over and panel.next_speaker == agent
        self._take_turn_from(agent, task)
        panel.agents.remove(agent)
        panel.spoken.discard(agent)
        panel.opinions.pop(agent, None)
        panel.heard.pop(agent, None)
        if panel.is_round_over:
            # The others have spoken: the last of them says it again, and the round is over.
            last = panel.agents[-1]
            panel.spoken.discard(last)
            self._turns[last].append(task)
            self.wake(last)
        elif spoke_next and self._protocol.order == "sequential":
            self._call_speakers(task)

    def forget(self, task: int) -> None:
        """Close the debate."""
        for turns in self._turns:
            if task in turns:
                turns.remove(task)


def _peer(opinions: Sequence[int], rolls: Draw) -> int:
    return opinions[int(rolls() * len(opinions))]


def _most(opinions: Sequence[int], rolls: Draw) -> int:
    counts = Counter(opinions)
    most = max(counts.values())
    return _peer([opinion for opinion, count in counts.items() if count == most], rolls)
