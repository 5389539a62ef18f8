"""What comes into a context besides output: what tools say, the harness's words, requests."""

from __future__ import annotations

from simulator.model.agents.draws import OwnDraws
from simulator.model.agents.kind import Reading
from simulator.model.streams import Draw, Purpose


class Additions:
    """Tokens that one agent's calls add to its context, the first call's apart, and its requests.

    Parameters
    ----------
    kind : Reading
    draws : OwnDraws

    Attributes
    ----------
    varies : bool
        Whether that varies, or requests add something, or the run differs from what is said.
    fixed : int
        What every call adds, where it does not vary.
    """

    __slots__ = ("_draw", "_first", "_next", "_request", "fixed", "varies")

    def __init__(self, kind: Reading, draws: OwnDraws) -> None:
        times = draws.run_factors.growth
        self.varies = kind.added is None or times != 1.0
        self.fixed = kind.added or 0
        self._draw = self._first = draws.by(kind.turn, Purpose.TURN_TOKENS, times)
        if kind.first_turn is not None:
            self._first = draws.by(kind.first_turn, Purpose.FIRST_TURN_TOKENS, times)
        self._next = self._first
        self._request: Draw | None = None
        if kind.has_requests:
            self._request = draws.by(kind.request, Purpose.REQUEST_TOKENS)

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
