"""The tools of one agent: what it calls after a turn, drawn."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

from simulator.model.agents.draws import OwnDraws
from simulator.model.stream_numbers import number_of
from simulator.model.streams import Purpose
from simulator.scenario.tools import ToolSpec

_BESIDE = 100_000
"""Times the number of a tool's name, added to a purpose: each tool has streams of its own, whatever
other tools there are."""


class ToolCall(NamedTuple):
    """One call of a tool, as it goes if nothing comes between."""

    name: str
    spec: ToolSpec
    seconds: float
    fails: bool
    result_tokens: int


class _Tool:
    """One tool, and its draws."""

    __slots__ = (
        "_chance",
        "_count",
        "_is_one",
        "_rolls_error",
        "_seconds",
        "_tokens",
        "name",
        "rolls",
        "spec",
    )

    def __init__(self, name: str, spec: ToolSpec, draws: OwnDraws) -> None:
        beside = _BESIDE * (1 + number_of(name))
        self.name = name
        self.spec = spec
        self.rolls = draws.rolls(Purpose.TOOL + beside, 0.0 < spec.chance < 1.0)
        self._count = draws.of(spec.calls, Purpose.TOOL_CALLS + beside)
        self._is_one = spec.calls.constant is not None and round(spec.calls.constant) <= 1
        self._chance = spec.chance
        self._seconds = draws.of(spec.seconds, Purpose.TOOL_SECONDS + beside)
        self._tokens = draws.of(spec.result_tokens, Purpose.TOOL_TOKENS + beside)
        self._rolls_error = draws.rolls(Purpose.TOOL_ERROR + beside, spec.errors > 0.0)

    def is_called(self) -> bool:
        """Draw whether the turn calls this tool."""
        chance = self._chance
        return chance >= 1.0 or (chance > 0.0 and self.rolls() < chance)

    def calls(self) -> list[ToolCall]:
        """Return the calls at once of a turn that calls it."""
        if self._is_one:
            return [self._call()]
        return [self._call() for _ in range(max(1, round(self._count())))]

    def _call(self) -> ToolCall:
        errors = self.spec.errors
        fails = errors > 0.0 and self._rolls_error() < errors
        tokens = int(self._tokens())
        return ToolCall(self.name, self.spec, self._seconds(), fails, tokens)


class Toolkit:
    """What an agent may call after a turn.

    Parameters
    ----------
    tools : mapping of str to ToolSpec
    draws : OwnDraws
    """

    __slots__ = ("_bounds", "_rolls_choice", "_sometimes", "_weighted")

    def __init__(self, tools: Mapping[str, ToolSpec], draws: OwnDraws) -> None:
        all_tools = [_Tool(name, spec, draws) for name, spec in tools.items()]
        self._weighted = [tool for tool in all_tools if tool.spec.weight is not None]
        self._sometimes = [tool for tool in all_tools if tool.spec.weight is None]
        self._bounds = list(accumulate(tool.spec.weight or 0.0 for tool in self._weighted))
        self._rolls_choice = draws.rolls(Purpose.TOOL, len(self._weighted) > 1)

    def calls(self) -> list[ToolCall]:
        """Draw the calls that follow a turn."""
        called = [tool for tool in self._sometimes if tool.is_called()]
        if not called and len(self._weighted) == 1:
            return self._weighted[0].calls()
        if len(self._weighted) > 1:
            roll = self._rolls_choice() * self._bounds[-1]
            called.append(
                self._weighted[min(bisect_right(self._bounds, roll), len(self._bounds) - 1)]
            )
        else:
            called += self._weighted
        return [call for tool in called for call in tool.calls()]
