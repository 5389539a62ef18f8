"""The tools of one agent: what it calls after a turn, drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

from simulator.errors import TeamsimError
from simulator.model.agents.draws import OwnDraws
from simulator.model.stream_numbers import number_of
from simulator.model.streams import Purpose
from simulator.scenario.tools import MOST_CALLS, ToolSpec

_BESIDE = 100_000
"""Times the number of a tool's name, added to a purpose: each tool has streams of its own, whatever
other tools there are."""


_ONCE = (0,)


class ToolCall:
    """One call of a tool, as it goes if nothing comes between.

    Parameters
    ----------
    tool : Tool
    seconds : float
        How long it takes, once it is served.
    fails : bool
    result_tokens : int
        What its result, or its error, adds to the context.
    """

    __slots__ = ("fails", "result_tokens", "seconds", "tool")

    def __init__(self, tool: Tool, seconds: float, fails: bool, result_tokens: int) -> None:
        self.tool = tool
        self.seconds = seconds
        self.fails = fails
        self.result_tokens = result_tokens


class Tool:
    """One tool of one agent, and its draws.

    Parameters
    ----------
    name : str
    spec : ToolSpec
    draws : OwnDraws

    Attributes
    ----------
    starts, station, timeout_s, is_background, is_sequential
        Those of the `spec`, which are asked for at each call.
    ends_by_itself : bool
        Whether the agent waits for a call that lasts just its own seconds.
    awaits_all : bool
        Whether all calls of a turn must succeed.
    """

    __slots__ = (
        "_chance",
        "_count",
        "_error_p",
        "_is_one",
        "_rolls",
        "_rolls_error",
        "_seconds",
        "_tokens",
        "awaits_all",
        "ends_by_itself",
        "is_background",
        "is_sequential",
        "name",
        "spec",
        "starts",
        "station",
        "timeout_s",
    )

    def __init__(self, name: str, spec: ToolSpec, draws: OwnDraws) -> None:
        beside, of_it = _BESIDE * (1 + number_of(name)), f"of tool {name!r}"
        self.name = name
        self.spec = spec
        self.starts, self.station, self.timeout_s = spec.starts, spec.station, spec.timeout_s
        self.is_background, self.ends_by_itself = spec.background, spec.ends_by_itself
        self.is_sequential = spec.sequential
        self.awaits_all = spec.wait_for == "all"
        self._rolls = draws.rolls(Purpose.TOOL + beside, 0.0 < spec.chance < 1.0)
        self._count = draws.of(spec.calls, Purpose.TOOL_CALLS + beside, f"calls {of_it}")
        count = spec.calls.constant
        self._is_one = count is not None and round(count) <= 1
        self._chance = spec.chance
        seconds, purpose = f"seconds {of_it}", Purpose.TOOL_SECONDS + beside
        self._seconds = draws.of(spec.seconds, purpose, seconds, draws.run_factors.tools)
        tokens, purpose = f"result_tokens {of_it}", Purpose.TOOL_TOKENS + beside
        self._tokens = draws.of(spec.result_tokens, purpose, tokens, draws.run_factors.growth)
        self._error_p = spec.errors
        self._rolls_error = draws.rolls(Purpose.TOOL_ERROR + beside, spec.errors > 0.0)

    def is_called(self) -> bool:
        """Draw whether the turn calls this tool."""
        chance = self._chance
        return chance >= 1.0 or (chance > 0.0 and self._rolls() < chance)

    def add_to(self, calls: list[ToolCall]) -> None:
        """Add the calls at once of a turn that calls it."""
        for _ in _ONCE if self._is_one else range(self._draw_count()):
            error_p = self._error_p
            fails = error_p > 0.0 and self._rolls_error() < error_p
            calls.append(ToolCall(self, self._seconds(), fails, int(self._tokens())))

    def _draw_count(self) -> int:
        """Draw how many calls a turn makes at once."""
        count = max(1, round(self._count()))
        if count > MOST_CALLS:
            raise TeamsimError(
                f"a draw of calls of tool {self.name!r} is {count:,}, and a turn makes up to "
                f"{MOST_CALLS:,} calls of a tool at once"
            )
        return count


class Toolkit:
    """What an agent may call after a turn.

    Parameters
    ----------
    tools : mapping of str to ToolSpec
    draws : OwnDraws
    """

    __slots__ = ("_bounds", "_rolls_choice", "_sometimes", "_total", "_weighted")

    def __init__(self, tools: Mapping[str, ToolSpec], draws: OwnDraws) -> None:
        all_tools = [Tool(name, spec, draws) for name, spec in tools.items()]
        self._weighted = [tool for tool in all_tools if tool.spec.weight is not None]
        self._sometimes = [tool for tool in all_tools if tool.spec.weight is None]
        sums = list(accumulate(tool.spec.weight or 0.0 for tool in self._weighted))
        self._bounds, self._total = sums[:-1], sums[-1] if sums else 0.0
        self._rolls_choice = draws.rolls(Purpose.TOOL, len(self._weighted) > 1)

    def calls(self) -> list[ToolCall]:
        """Draw the calls that follow a turn."""
        calls: list[ToolCall] = []
        for tool in self._sometimes:
            if tool.is_called():
                tool.add_to(calls)
        if self._total:
            self._choose().add_to(calls)
        return calls

    def _choose(self) -> Tool:
        """Draw which of the tools with weights is called."""
        if not self._bounds:
            return self._weighted[0]
        return self._weighted[bisect_right(self._bounds, self._rolls_choice() * self._total)]
