"""What calls add to a context besides their output: what tools say, the harness's words."""

from __future__ import annotations

from simulator.model.agents.draws import OwnDraws
from simulator.model.streams import Purpose
from simulator.scenario.context import Context


class Additions:
    """Tokens that one agent's calls add to its context, the first call's apart.

    Parameters
    ----------
    spec : Context
    draws : OwnDraws

    Attributes
    ----------
    fixed : int or None
        What every call adds; None where that varies.
    """

    __slots__ = ("_draw", "_first", "_next", "fixed")

    def __init__(self, spec: Context, draws: OwnDraws) -> None:
        self._draw = self._first = draws.of(spec.turn_tokens, Purpose.TURN_TOKENS)
        constant = spec.turn_tokens.constant
        self.fixed = None if constant is None else int(constant)
        if spec.first_turn_tokens is not None:
            self._first = draws.of(spec.first_turn_tokens, Purpose.FIRST_TURN_TOKENS)
            self.fixed = None
        self._next = self._first

    def draw(self) -> int:
        """Return what the call that ends adds."""
        tokens = int(self._next())
        self._next = self._draw
        return tokens

    def begin_anew(self) -> None:
        """Let the next call be a first one."""
        self._next = self._first
