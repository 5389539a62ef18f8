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
from simulator.experiment.pool import Progress

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


class Turns:
    """Works on one request at a time: a newer one ends an older one, and none takes long."""

    def __init__(self, longest_s: float = _LONGEST_S) -> None:
        self._longest_s = longest_s
        self._lock = threading.Lock()
        self._newest = 0

    @contextmanager
    def turn(self) -> Iterator[Progress]:
        """Return a function that the work in the body must call from time to time.

        Raises
        ------
        TeamsimError
            By that function, if there is a newer request, or the time is up.
        """
        self._newest += 1
        mine = self._newest
        with self._lock:
            ends = time.monotonic() + self._longest_s

            def go_on(done: float, total: int) -> None:
                if mine != self._newest:
                    raise TeamsimError("a newer setting is being drawn")
                if time.monotonic() > ends:
                    raise TeamsimError(
                        f"this takes longer than {self._longest_s:.0f} s: choose a smaller team "
                        "or fewer tasks"
                    )

            go_on(0, 0)
            yield go_on
