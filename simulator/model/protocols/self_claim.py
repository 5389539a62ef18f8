"""Agents claim tasks from the shared board themselves."""

from __future__ import annotations

from typing import Literal

from simulator.model.board import NOBODY, Board, TaskPool
from simulator.model.protocols._protocol import (
    EVERYONE,
    SOMEONE,
    Dispatcher,
    Protocol,
    UniformsOf,
)
from simulator.model.streams import Purpose
from simulator.scenario.agent import Behaviour
from simulator.spec import Fraction


class SelfClaim(Protocol):
    """Every agent takes what it finds open on the board.

    An agent reads the board when its call starts. With ``claims: at_commit`` a claim is
    visible only when the call ends, so that agents who read the same board pick the same
    tasks, and the later one has worked in vain. With ``claims: immediate`` a claim is visible
    at once, as with an atomic task queue.
    """

    kind: Literal["self_claim"] = "self_claim"
    claims: Literal["at_commit", "immediate"] = "at_commit"
    """When the others see a claim."""
    choice: Literal["first", "random", "noisy"] = "noisy"
    """Which open task is picked: the first listed, any, or a mixture of the two."""
    noise: Fraction = 0.5
    """With ``choice: noisy``, the probability that a pick is any rather than the first."""

    def dispatcher(
        self, board: Board, workers: int, behaviour: Behaviour, uniforms: UniformsOf
    ) -> Dispatcher:
        """Return the state of this protocol for one replication."""
        return _Claims(self, board, workers, behaviour, uniforms)


class _Claims(Dispatcher):
    """Open tasks by what hinders them: nothing, a dependency, another agent's claim."""

    def __init__(
        self,
        protocol: SelfClaim,
        board: Board,
        workers: int,
        behaviour: Behaviour,
        uniforms: UniformsOf,
    ) -> None:
        tasks = len(board.graph)
        self._board = board
        self._immediate = protocol.claims == "immediate"
        self._concerns = SOMEONE if self._immediate else EVERYONE
        self._noise = {"first": 0.0, "random": 1.0, "noisy": protocol.noise}[protocol.choice]
        self._open = TaskPool(tasks)
        self._redo: list[list[int]] = [[] for _ in range(workers)]
        self._uniform = [uniforms(i, Purpose.CHOICE) for i in range(workers)]
        self._dependency_blindness = behaviour.dependency_blindness
        self._claim_blindness = behaviour.claim_blindness
        # The pools of hindered tasks are kept only for agents who overlook the hindrance.
        self._waiting = TaskPool(tasks) if self._dependency_blindness else None
        self._claimed = TaskPool(tasks) if self._claim_blindness else None
        if self._waiting is not None:
            for task in range(tasks):
                if board.missing[task]:
                    self._waiting.add(task)
            purpose = Purpose.DEPENDENCY_BLINDNESS
            self._overlooks_dependency = [uniforms(i, purpose) for i in range(workers)]
        if self._claimed is not None:
            purpose = Purpose.CLAIM_BLINDNESS
            self._overlooks_claim = [uniforms(i, purpose) for i in range(workers)]
        self._deference = behaviour.deference
        self._workers = workers
        if self._deference:
            self._defers = [uniforms(i, Purpose.DEFERENCE) for i in range(workers)]
        self._sees_all = self._waiting is None and self._claimed is None

    def task_ready(self, task: int) -> int:
        """Put `task` on the list of open tasks."""
        self._open.add(task)
        if self._waiting is not None:
            self._waiting.discard(task)
        return self._concerns

    def choose(self, agent: int, count: int) -> list[int] | None:
        """Return the agent's own unfinished tasks, then open ones as the policy picks them."""
        redo = self._redo[agent]
        scarce = self._deference > 0.0 and not redo and len(self._open) < self._workers
        if scarce and self._defers[agent]() < self._deference:
            return None
        picks = redo[:count]
        missing = count - len(picks)
        if missing:
            if self._sees_all:
                picks += self._pick(agent, missing)
            else:
                picks += self._pick_blindly(agent, missing, picks)
        if self._immediate:
            for task in picks:
                if self._board.owner[task] == NOBODY and not self._board.missing[task]:
                    self._claim(agent, task)
        return picks

    def _pick(self, agent: int, count: int) -> list[int]:
        noise = self._noise
        if noise == 0.0:
            return self._open.first(count)
        items, uniform = self._open.items, self._uniform[agent]
        if count == 1:
            if not items:
                return []
            if noise == 1.0 or uniform() < noise:
                return [items[int(uniform() * len(items))]]
            return self._open.first(1)
        return self._pick_several(agent, min(count, len(items)))

    def _pick_several(self, agent: int, count: int) -> list[int]:
        noise, uniform, items = self._noise, self._uniform[agent], self._open.items
        if count == len(items):
            return sorted(items)
        in_order = iter(self._open.first(count) if noise < 1.0 else ())
        picks: dict[int, None] = {}
        while len(picks) < count:
            if noise == 1.0 or uniform() < noise:
                picks[items[int(uniform() * len(items))]] = None
            else:
                picks[next(task for task in in_order if task not in picks)] = None
        return list(picks)

    def _pick_blindly(self, agent: int, count: int, taken: list[int]) -> list[int]:
        picks: list[int] = []
        for _ in range(count):
            pool = self._pool_seen_by(agent)
            if pool is self._open:
                found = self._pick(agent, min(count, len(pool)))
                fresh = [task for task in found if task not in picks and task not in taken]
            else:
                task = pool.items[int(self._uniform[agent]() * len(pool))]
                fresh = [task] if task not in picks and task not in taken else []
            picks += fresh[:1]
        return picks

    def _pool_seen_by(self, agent: int) -> TaskPool:
        """Return the pool that the next pick is from, by what the agent overlooks."""
        claimed, waiting = self._claimed, self._waiting
        others_hold = claimed is not None and len(claimed) > len(self._redo[agent])
        if others_hold and self._overlooks_claim[agent]() < self._claim_blindness:
            assert claimed is not None
            return claimed
        if waiting and self._overlooks_dependency[agent]() < self._dependency_blindness:
            # Blind to dependencies, all open tasks look alike.
            everything = len(waiting) + len(self._open)
            if self._uniform[agent]() * everything < len(waiting):
                return waiting
        return self._open

    def _claim(self, agent: int, task: int) -> None:
        self._board.owner[task] = agent
        self._open.discard(task)
        if self._claimed is not None:
            self._claimed.add(task)

    def may_attempt(self, agent: int, task: int) -> bool:
        """Claim `task` if nobody holds it; return whether `agent` holds it then."""
        owner = self._board.owner[task]
        if owner == NOBODY:
            self._claim(agent, task)
            return True
        return owner == agent

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Take a finished task off the board; leave one that failed to its owner."""
        redo = self._redo[agent]
        if not done:
            if task not in redo:
                redo.append(task)
            return
        if task in redo:
            redo.remove(task)
        if self._claimed is not None:
            self._claimed.discard(task)

    def pick_abandoned(self, agent: int, task: int) -> None:
        """Do nothing: a blocked claim claims nothing."""
