"""The board of tasks that agents claim: which are open, which are claimed, and by whom."""

from __future__ import annotations

from typing import Self

from simulator.model.board import NOBODY, Board, TaskPool
from simulator.model.protocols._dispatcher import EVERYONE, SOMEONE, Dispatcher, Setting
from simulator.model.streams import Purpose


class Claims(Dispatcher):
    """Open tasks by what hinders them: nothing, a dependency, another agent's claim.

    Parameters
    ----------
    setting : Setting
    is_immediate : bool
        Whether the others see a claim as soon as a call has begun.
    noise : float
        Probability that a pick is any open task rather than the first.
    """

    __slots__ = (
        "_blind_calls",
        "_claim_blindness",
        "_claimed",
        "_concerns",
        "_deference",
        "_defers",
        "_dependency_blindness",
        "_immediate",
        "_is_blind",
        "_noise",
        "_open",
        "_overlooks_claim",
        "_overlooks_dependency",
        "_redo",
        "_sees_all",
        "_uniform",
        "_waiting",
    )

    def __init__(self, setting: Setting, is_immediate: bool, noise: float) -> None:
        super().__init__(setting)
        board, workers = setting.board, setting.workers
        tasks = len(board.graph)
        self._immediate = is_immediate
        self._concerns = SOMEONE if self._immediate else EVERYONE
        self._noise = noise
        self._open = TaskPool(tasks)
        self._redo: list[list[int]] = [[] for _ in range(workers)]
        self._uniform = [setting.choices(i) for i in range(workers)]
        habits = [spec.behaviour for spec in setting.specs]
        self._dependency_blindness = [habit.dependency_blindness for habit in habits]
        self._claim_blindness = [habit.claim_blindness for habit in habits]
        self._blind_calls = [habit.blind_calls for habit in habits]
        self._deference = [habit.deference for habit in habits]
        # The pools of hindered tasks are kept only for agents who overlook the hindrance.
        overlook = any(self._dependency_blindness) or any(self._blind_calls)
        self._waiting = TaskPool(tasks) if overlook else None
        self._claimed = TaskPool(tasks) if any(self._claim_blindness) else None
        if self._waiting is not None:
            for task in range(tasks):
                if board.missing[task] and board.is_listed(task):
                    self._waiting.add(task)
            purpose = Purpose.DEPENDENCY_BLINDNESS
            self._overlooks_dependency = [setting.uniforms(i, purpose) for i in range(workers)]
            self._is_blind = [setting.uniforms(i, Purpose.BLIND_CALL) for i in range(workers)]
        if self._claimed is not None:
            purpose = Purpose.CLAIM_BLINDNESS
            self._overlooks_claim = [setting.uniforms(i, purpose) for i in range(workers)]
        if any(self._deference):
            self._defers = [setting.uniforms(i, Purpose.DEFERENCE) for i in range(workers)]
        self._sees_all = self._waiting is None and self._claimed is None

    def fork(self, board: Board) -> Self:
        """Return an independent copy that works on a copy of the board."""
        other = super().fork(board)
        other._redo = [tasks[:] for tasks in self._redo]
        other._open = self._open.copy()
        other._waiting = None if self._waiting is None else self._waiting.copy()
        other._claimed = None if self._claimed is None else self._claimed.copy()
        return other

    def task_ready(self, task: int) -> int:
        """Put `task` on the list of open tasks."""
        self._open.add(task)
        if self._waiting is not None:
            self._waiting.discard(task)
        return self._concerns

    def task_appears(self, task: int) -> None:
        """Let those see the task who overlook that it cannot start."""
        if self._waiting is not None:
            self._waiting.add(task)
            self.wake(self._concerns)

    def has_tasks(self, agent: int) -> bool:
        """Return whether the agent has tasks to do again, or sees any on the board."""
        return bool(self._redo[agent] or self._open.count or self._waiting or self._claimed)

    def choose(self, agent: int, count: int) -> list[int] | None:
        """Return the agent's own unfinished tasks, then open ones as the policy picks them."""
        redo = self._redo[agent]
        deference = self._deference[agent]
        scarce = deference > 0.0 and not redo and self._open.count < len(self._redo)
        if scarce and self._defers[agent]() < deference:
            return None if self.has_tasks(agent) else []
        picks = redo[:count] if redo else redo
        missing = count - len(picks)
        if missing:
            if self._sees_all:
                found = self._pick(agent, missing)
            elif self._blind_calls[agent] and self._is_blind[agent]() < self._blind_calls[agent]:
                found = self._pick_from_all(agent, missing)
            else:
                found = self._pick_blindly(agent, missing, picks)
            # What it tries again may be open: another's claim to it has ended.
            picks = picks + [task for task in found if task not in picks] if picks else found
        if self._immediate:
            for task in picks:
                if self.board.owner[task] == NOBODY and not self.board.missing[task]:
                    self._claim(agent, task)
        return picks

    def _pick(self, agent: int, count: int) -> list[int]:
        noise = self._noise
        if noise == 0.0:
            return self._open.first(count)
        tasks, uniform = self._open, self._uniform[agent]
        if count == 1:
            if not tasks.count:
                return []
            if noise == 1.0 or uniform() < noise:
                return [tasks.items[int(uniform() * tasks.count)]]
            return tasks.first(1)
        return self._pick_several(agent, min(count, tasks.count))

    def _pick_several(self, agent: int, count: int) -> list[int]:
        noise, uniform, tasks = self._noise, self._uniform[agent], self._open
        if count == tasks.count:
            return sorted(tasks)
        in_order = iter(tasks.first(count) if noise < 1.0 else ())
        picks: dict[int, None] = {}
        while len(picks) < count:
            if noise == 1.0 or uniform() < noise:
                picks[tasks.items[int(uniform() * tasks.count)]] = None
            else:
                for task in in_order:
                    if task not in picks:
                        picks[task] = None
                        break
        return list(picks)

    def _pick_from_all(self, agent: int, count: int) -> list[int]:
        """Return open tasks as listed or at random, those that must wait among them."""
        tasks = sorted([*self._open, *(self._waiting or ())])
        if count >= len(tasks):
            return tasks
        noise, uniform = self._noise, self._uniform[agent]
        picks: list[int] = []
        while len(picks) < count:
            is_any = noise == 1.0 or (noise > 0.0 and uniform() < noise)
            picks.append(tasks.pop(int(uniform() * len(tasks)) if is_any else 0))
        return picks

    def _pick_blindly(self, agent: int, count: int, taken: list[int]) -> list[int]:
        picks: list[int] = []
        seen = set(taken)
        for _ in range(count):
            pool = self._pool_seen_by(agent)
            if pool is self._open:
                found = self._pick(agent, min(count, len(pool)))
            else:
                found = [pool.items[int(self._uniform[agent]() * pool.count)]]
            for task in found:
                if task not in seen:
                    seen.add(task)
                    picks.append(task)
                    break
        return picks

    def _pool_seen_by(self, agent: int) -> TaskPool:
        """Return the pool that the next pick is from, by what the agent overlooks."""
        claimed, waiting = self._claimed, self._waiting
        if (
            claimed is not None
            and len(claimed) > len(self._redo[agent])  # others hold some
            and self._overlooks_claim[agent]() < self._claim_blindness[agent]
        ):
            return claimed
        if waiting and self._overlooks_dependency[agent]() < self._dependency_blindness[agent]:
            # Blind to dependencies, all open tasks look alike.
            everything = len(waiting) + len(self._open)
            if self._uniform[agent]() * everything < len(waiting):
                return waiting
        return self._open

    def _claim(self, agent: int, task: int) -> None:
        self.board.give(task, agent)
        self._open.discard(task)
        if self._claimed is not None:
            self._claimed.add(task)

    def _release(self, task: int) -> None:
        self.board.give(task, NOBODY)
        if self._claimed is not None:
            self._claimed.discard(task)

    def may_attempt(self, agent: int, task: int) -> bool:
        """Claim `task` if nobody holds it; return whether `agent` holds it then."""
        owner = self.board.owner[task]
        if owner == NOBODY:
            self._claim(agent, task)
            return True
        return owner == agent

    def attempt_ended(self, agent: int, task: int, done: bool) -> None:
        """Take a finished task off the board; leave one that failed to its owner."""
        redo = self._redo[agent]
        if not done:
            self._keep(agent, task)
            return
        if task in redo:
            redo.remove(task)
        if self._claimed is not None:
            self._claimed.discard(task)

    def _keep(self, agent: int, task: int) -> None:
        """Leave a task that is not done to the agent, or open it if the agent is gone."""
        if agent in self.gone:
            self._open_again(task)
        elif task not in self._redo[agent]:
            self._redo[agent].append(task)

    def _take_off(self, task: int, agent: int) -> None:
        """Take a task off an agent's list of those to do."""
        if task in self._redo[agent]:
            self._redo[agent].remove(task)

    def _unlist(self, task: int) -> None:
        """Take a task off the list of open ones, if it is there."""
        self._open.discard(task)

    def _take_all(self, agent: int) -> list[int]:
        """Take all tasks off an agent's list; return those that are not done."""
        claimed = [task for task in self._redo[agent] if not self.board.done[task]]
        self._redo[agent].clear()
        return claimed

    def _open_again(self, task: int) -> None:
        self._release(task)
        self._open.add(task)
        self.wake(self._concerns)

    def give_away(self, agent: int) -> int:
        """Open what the agent has claimed."""
        claimed = self._take_all(agent)
        for task in claimed:
            self._open_again(task)
        return len(claimed)

    def handed_in(self, agent: int, task: int) -> None:
        """Take the task off its owner's list until it is rejected."""
        self._take_off(task, agent)

    def returned(self, agent: int, task: int) -> None:
        """Leave a claimed task to its owner; one that was not claimed is open as before."""
        if self.board.owner[task] == agent and not self.board.done[task]:
            self._keep(agent, task)

    def forget(self, task: int) -> None:
        """Take the task off the board."""
        owner = self.board.owner[task]
        self._open.discard(task)
        if owner != NOBODY:
            self._take_off(task, owner)
        self._release(task)

    def reopen(self, task: int) -> int:
        """Put a done task on the list of open ones again."""
        self._release(task)
        return self.task_ready(task)
