"""Limits of the explorer: the requests that it answers, and its time for each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from flask import Flask, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from simulator.errors import TeamsimError

_MOST_BYTES = 100_000
_LONGEST_S = 15.0
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def guard(server: Flask) -> None:
    """Let a server answer only small requests from its own pages, and name what is wrong in others.

    A foreign page may send requests to this machine, also under a foreign name that points here
    (DNS rebinding). The headers Host and Origin show this.
    """
    server.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES

    @server.before_request
    def refuse_other_pages() -> ResponseReturnValue | None:
        origin = request.headers.get("Origin")
        named = [f"//{request.host}", *([origin] if origin is not None else [])]
        if all(_host(each) in _HERE for each in named):
            return None
        return "the explorer answers 127.0.0.1 and localhost only\n", 403

    @server.errorhandler(Exception)
    def explain(error: Exception) -> ResponseReturnValue:
        if isinstance(error, HTTPException):
            return error
        return f"no request of this page: {type(error).__name__}\n", 400


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


class Turn:
    """One request's work: it calls this from time to time.

    Attributes
    ----------
    number : int
        Of the request; a later one has a higher number.
    """

    __slots__ = ("_ends", "_longest_s", "_turns", "number")

    def __init__(self, turns: Turns, number: int, longest_s: float) -> None:
        self.number = number
        self._turns = turns
        self._longest_s = longest_s
        self._ends = time.monotonic() + longest_s

    def __call__(self, done: float, total: int) -> None:
        """Let the work go on, unless there is a newer request, or the time is up.

        Raises
        ------
        NewerTurn
            If there is a newer request.
        TeamsimError
            If the time is up.
        """
        if self.number != self._turns.newest:
            raise NewerTurn("a newer setting is being drawn")
        if time.monotonic() > self._ends:
            raise TeamsimError(
                f"this takes longer than {self._longest_s:.0f} s: choose a smaller team "
                "or fewer tasks"
            )


class NewerTurn(TeamsimError):
    """There is a newer request, so that nobody waits for the answer to this one."""


class Turns:
    """Works on one request at a time: a newer one ends an older one, and none takes long.

    Attributes
    ----------
    newest : int
        Number of the newest request.
    """

    def __init__(self, longest_s: float = _LONGEST_S) -> None:
        self.newest = 0
        self._longest_s = longest_s
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, goes_on: int | None = None) -> Iterator[Turn]:
        """Return what the work in the body must call from time to time.

        Parameters
        ----------
        goes_on : int, optional
            Number of the request whose work this carries on; if absent it is a new one.

        Raises
        ------
        TeamsimError
            See `Turn`.
        """
        if goes_on is None:
            self.newest += 1
        mine = self.newest if goes_on is None else goes_on
        with self._lock:
            turn = Turn(self, mine, self._longest_s)
            turn(0, 0)
            yield turn
