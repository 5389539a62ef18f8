"""Calls of tools under way, and what an agent has running and has heard of them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from simulator.model.agents.agent import AgentState
from simulator.model.agents.toolkit import ToolCall
from simulator.model.timers import Timer

DONE, ERROR, CANCELLED, CUT_OFF = "done", "error", "cancelled", "cut_off"
"""How calls of tools end, and sub-agents: their reports are of use or not, nobody waits for them
any more, or the run has ended."""


class CallGroup:
    """Calls of one tool in a turn, of which not all must succeed.

    Parameters
    ----------
    calls, needed : int
        How many there are, and how many must succeed.
    """

    __slots__ = ("_needed", "_spare")

    def __init__(self, calls: int, needed: int) -> None:
        self._needed = needed
        self._spare = calls - needed

    @property
    def has_succeeded(self) -> bool:
        """Whether as many have succeeded as must."""
        return self._needed <= 0

    def succeed(self) -> bool:
        """Note that one has succeeded; return whether it was the last that is needed."""
        self._needed -= 1
        return not self._needed

    def fail(self) -> bool:
        """Note that one has failed; return whether too many have."""
        self._spare -= 1
        return self._spare < 0


class Server(ABC):
    """What serves calls of tools."""

    __slots__ = ()

    @abstractmethod
    def serve(self, run: Run, seconds: float, is_struck: bool) -> None:
        """Serve a call from now on, for so many seconds; an outage may strike it at their end."""

    @abstractmethod
    def end(self, run: Run, how: str) -> None:
        """Let a call be over, if it is not."""


class Run(Timer):
    """A call of a tool under way: the timer of its own end.

    Parameters
    ----------
    call : ToolCall
    own : OwnRuns
        Those of the agent that calls.
    asked_s : float
        When it was asked for.
    server : Server
        Told, when its time is over, how it ends.
    group : CallGroup or None
        The calls of one turn with it of which not all must succeed.

    Attributes
    ----------
    began_s : float
        When its service began, once it has.
    is_served, is_over : bool
        Whether its service has begun, and whether it is over.
    child : int
        The number that names the draws of the sub-agent that it is, if it is one.
    """

    __slots__ = (
        "_how",
        "_server",
        "asked_s",
        "began_s",
        "call",
        "child",
        "group",
        "is_over",
        "is_served",
        "own",
    )

    def __init__(
        self,
        call: ToolCall,
        own: OwnRuns,
        asked_s: float,
        server: Server,
        group: CallGroup | None = None,
    ) -> None:
        self.call = call
        self.own = own
        self.asked_s = asked_s
        self._server = server
        self.group = group
        self.began_s = 0.0
        self.is_served = self.is_over = False
        self.child: int
        self._how: str

    def begin(self, now: float, how: str) -> None:
        """Be served from now on; if nothing comes between, it ends as `how` says."""
        self.began_s, self.is_served = now, True
        self._how = how

    def matters(self) -> bool:
        """Return whether it is not over."""
        return not self.is_over

    def go_off(self) -> None:
        """End."""
        self._server.end(self, self._how)

    def name_child(self, number: int) -> None:
        """Be a sub-agent whose draws bear a number."""
        self.child = number

    def waits(self) -> bool:
        """Return whether it is not served yet."""
        return not (self.is_served or self.is_over)


class OwnRuns:
    """What one agent has running, and what has come in for it.

    Parameters
    ----------
    agent : AgentState

    Attributes
    ----------
    runs : dict of Run to None
        In the order in which they were asked for.
    awaited : int
        How many of them the agent waits for.
    tokens, has_failed : int, bool
        Of what has come in, and whether anything has failed.
    """

    __slots__ = ("agent", "awaited", "has_failed", "runs", "tokens")

    def __init__(self, agent: AgentState) -> None:
        self.agent = agent
        self.runs: dict[Run, None] = {}
        self.awaited = 0
        self.tokens, self.has_failed = 0, False

    def add(self, run: Run) -> None:
        """Add a run."""
        self.runs[run] = None
        if not run.call.tool.is_background:
            self.awaited += 1

    def awaits_subagents(self) -> bool:
        """Return whether the agent waits for a sub-agent."""
        for run in self.runs:
            if run.call.tool.starts is not None and not run.call.tool.is_background:
                return True
        return False

    def end(self, run: Run, is_heard: bool, has_failed: bool) -> bool:
        """Let a run be over, and hear of it or not; return whether it was the last awaited."""
        run.is_over = True
        del self.runs[run]
        if is_heard:
            self.tokens += run.call.result_tokens
            if has_failed:
                self.has_failed = True
        if run.call.tool.is_background:
            return False
        self.awaited -= 1
        return not self.awaited

    def forget(self) -> None:
        """Forget what is running: each holds whose it is."""
        self.runs.clear()

    def take(self) -> tuple[int, bool]:
        """Return the tokens of what has come in, and whether anything has failed; begin anew."""
        found = self.tokens, self.has_failed
        self.tokens, self.has_failed = 0, False
        return found
