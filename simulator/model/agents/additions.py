"""What comes into a context besides output: what tools say, the harness's words, requests."""

from __future__ import annotations

from simulator.model.agents.draws import OwnDraws
from simulator.model.streams import Draw, Purpose
from simulator.scenario.context import Context


class Additions:
    """Tokens that one agent's calls add to its context, the first call's apart, and its requests.

    Parameters
    ----------
    spec : Context
    draws : OwnDraws

    Attributes
    ----------
    fixed : int or None
        What every call adds; None where that varies, or where requests add something.
    """

    __slots__ = ("_draw", "_first", "_next", "_request", "fixed")

    def __init__(self, spec: Context, draws: OwnDraws) -> None:
        self._draw = self._first = draws.of(spec.turn_tokens, Purpose.TURN_TOKENS)
        constant = spec.turn_tokens.constant
        self.fixed = None if constant is None else int(constant)
        if spec.first_turn_tokens is not None:
            self._first = draws.of(spec.first_turn_tokens, Purpose.FIRST_TURN_TOKENS)
            self.fixed = None
        self._next = self._first
        self._request: Draw | None = None
        if spec.request_tokens.constant != 0.0:
            self._request = draws.of(spec.request_tokens, Purpose.REQUEST_TOKENS)
            self.fixed = None

    def draw(self, goes_on: bool) -> tuple[int, int]:
        """Return what the call that ends adds, and the next request, unless its loop goes on."""
        tokens = int(self._next())
        self._next = self._draw
        return tokens, 0 if goes_on else self.ask()

    def ask(self) -> int:
        """Return what the next request adds."""
        return 0 if self._request is None else int(self._request())

    def begin_anew(self) -> None:
        """Let the next call be a first one."""
        self._next = self._first

    def go_on(self) -> None:
        """Let the next call be no first one: it goes on with a conversation."""
        self._next = self._draw
