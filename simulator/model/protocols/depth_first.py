"""Recursion: an agent splits its work, sends a fresh sub-agent on each part, and waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from simulator.model.board import Board
from simulator.model.protocols._protocol import Dispatcher, Protocol, Setting
from simulator.spec import NonNegative


class DepthFirst(Protocol):
    """One agent at work at a time, each part of the work in a context of its own.

    The tasks, in topological order, are split into `fan_out` parts until a part has at most
    `leaf_tasks`. A part is a sub-agent's: it starts with a briefing in place of its parent's
    context, and leaves its parent a report. Parent calls split the work before, and merge the
    results after. The sub-agents of depth d are worker d (the last worker, if the recursion
    is deeper than the team).
    """

    can_back_up: ClassVar[bool] = False
    can_take_over: ClassVar[bool] = False

    kind: Literal["depth_first"] = "depth_first"
    fan_out: Annotated[int, Field(ge=2)] = 2
    """Parts of a split."""
    leaf_tasks: Annotated[int, Field(ge=1)] = 4
    """Tasks that a sub-agent does itself."""
    briefing_tokens: NonNegative = 500.0
    """Context with which a sub-agent starts."""
    report_tokens: NonNegative = 300.0
    """What a sub-agent's result adds to its parent's context."""
    split_work: NonNegative = 1.0
    """Work units of a call that splits."""
    merge_work: NonNegative = 1.0
    """Work units of a call that merges."""

    @property
    def is_random(self) -> bool:
        """Whether agents choose by chance."""
        return False

    def dispatcher(self, setting: Setting) -> Dispatcher:
        """Return the state of this protocol for one replication."""
        return _Stack(self, setting)


@dataclass(slots=True)
class _Frame:
    tasks: Sequence[int]
    depth: int
    parts: list[Sequence[int]] | None = None
    """What is left to be given to sub-agents, the next last; None before the split."""
    called: bool = False
    reports: int = 0

    def copy(self) -> _Frame:
        parts = None if self.parts is None else self.parts[:]
        return replace(self, parts=parts)


class _Stack(Dispatcher):
    __slots__ = ("_frames", "_protocol", "_under_way")

    has_duties: ClassVar[bool] = True
    calls_idly: ClassVar[bool] = False
    sets_context: ClassVar[bool] = True

    def __init__(self, protocol: DepthFirst, setting: Setting) -> None:
        super().__init__(setting)
        self.works_ahead = True
        self._protocol = protocol
        self._frames = [_Frame(list(self.board.graph.order), 0)]
        self._under_way: set[int] = set()

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._frames = [frame.copy() for frame in self._frames]
        other._under_way = self._under_way.copy()
        return other

    def _agent(self, frame: _Frame) -> int:
        workers = self.setting.workers
        agent = min(frame.depth, workers - 1)
        for other in range(agent, agent + workers if self.gone else agent):
            if other % workers not in self.gone:
                return other % workers
        return agent

    def lost(self, agent: int) -> int:
        """Let the next one take the agent's place, from a briefing."""
        held = [frame for frame in self._frames if self._agent(frame) == agent]
        super().lost(agent)
        for frame in held:
            frame.called = False
        if self._frames:
            self.wake(self._agent(self._frames[-1]))
        return sum(not self.board.done[task] for frame in held[-1:] for task in frame.tasks)

    def welcome(self, agent: int) -> None:
        """Let the agent be at work on its part again."""
        if self._frames:
            self.wake(self._agent(self._frames[-1]))

    def _is_leaf(self, frame: _Frame) -> bool:
        return len(frame.tasks) <= self._protocol.leaf_tasks

    def task_ready(self, task: int) -> int:
        """Return the agent at work: it may have waited for the task."""
        return self._agent(self._frames[-1]) if self._frames else 0

    def choose(self, agent: int, count: int) -> list[int]:
        """Return the next tasks of the part that the agent is at work on."""
        if not self._frames or self._agent(self._frames[-1]) != agent:
            return []
        frame, board = self._frames[-1], self.board
        picks: list[int] = []
        for task in frame.tasks if self._is_leaf(frame) else ():
            if len(picks) == count:
                break
            if board.done[task] or task in self._under_way:
                continue
            hindered = board.missing[task]
            if hindered > sum(needed in picks for needed in board.graph.dependencies[task]):
                break
            picks.append(task)
        self._under_way.update(picks)
        return picks

    def duty(self, agent: int) -> float | None:
        """Return the work of the split or the merge that is due."""
        if not self._frames or self._agent(self._frames[-1]) != agent:
            return None
        frame = self._frames[-1]
        if self._is_leaf(frame):
            return None
        return self._protocol.split_work if frame.parts is None else self._protocol.merge_work

    def duty_done(self, agent: int) -> None:
        """Send the first sub-agent after a split; go back to the parent after a merge."""
        frame = self._frames[-1]
        if frame.parts is None:
            tasks, parts = frame.tasks, self._protocol.fan_out
            cuts = [len(tasks) * i // parts for i in range(parts + 1)]
            frame.parts = [tasks[a:b] for a, b in pairwise(cuts) if b > a][::-1]
            self._descend()
        else:
            self._return()

    def _descend(self) -> None:
        """Go on to the next sub-agent, or to the merge when there is none."""
        frame = self._frames[-1]
        if frame.parts:
            self._frames.append(_Frame(frame.parts.pop(), frame.depth + 1))
        self.wake(self._agent(self._frames[-1]))

    def _return(self) -> None:
        self._frames.pop()
        if self._frames:
            self._frames[-1].reports += 1
            self._descend()

    def is_over(self) -> bool:
        """Return whether the last merge is made."""
        return not self._frames

    def context_of(self, agent: int, tokens: int) -> tuple[int, int]:
        """Give a sub-agent a briefing in place of its context; reports add to a parent's."""
        if not self._frames or self._agent(self._frames[-1]) != agent:
            return tokens, 0
        frame = self._frames[-1]
        added = int(frame.reports * self._protocol.report_tokens)
        if not frame.called and frame.depth:
            tokens, added = 0, added + int(self._protocol.briefing_tokens)
        frame.called = True
        frame.reports = 0
        return tokens, added

    def may_attempt(self, agent: int, task: int) -> bool:
        """Return True: nobody else is at work."""
        return True

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Return to the parent when the part is done."""
        # The board is told after this call, and of each task of the part in turn.
        self._under_way.discard(task)
        frame = self._frames[-1]
        if done and all(other == task or self.board.done[other] for other in frame.tasks):
            self._return()
        elif not done:
            self.wake(agent)

    def returned(self, agent: int, task: int) -> None:
        """Leave the task in its part."""
        self._under_way.discard(task)
        self.wake(agent)

    def pick_abandoned(self, agent: int, task: int) -> None:
        """Leave the task in its part."""
        self._under_way.discard(task)
        self.wake(agent)

    def reopen(self, task: int) -> int:
        """Give the task to a sub-agent of its own, next."""
        depth = self._frames[-1].depth + 1 if self._frames else 0
        self._frames.append(_Frame([task], depth))
        return self._agent(self._frames[-1])

    def forget(self, task: int) -> None:
        """Return to the parent if the part at work is done now."""
        if self._frames and all(self.board.done[other] for other in self._frames[-1].tasks):
            self._return()
