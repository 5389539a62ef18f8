"""The program of a worker process of a pool.

The module imports little, so that a worker watches for the end of its main process from the
beginning, and not only after it has imported the function that it is to call.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Set
from multiprocessing.connection import Connection
from typing import Any

from simulator.errors import TeamsimError
from simulator.garbage import search_only_new, search_seldom

Tell = Callable[[float], None]
"""Tells the main process how much of the present call is done, in the call's own unit."""


class _Main(threading.local):
    """The main process, as the thread sees it that answers its calls."""

    tell: Tell | None = None

    def hear(self, tell: Tell) -> None:
        """Say how it is told."""
        self.tell = tell


_main = _Main()


def tell_main() -> Tell | None:
    """Return how the main process is told what is done; none outside of a pool's worker."""
    return _main.tell


def load(module: str) -> None:
    """Import a module, which later calls need."""
    importlib.import_module(module)


def answer(calls: Connection) -> None:
    """Answer calls until the main process is gone.

    What is sent back are numbers, of how much of a call is done, and at last its reply.
    """
    search_seldom()
    _main.hear(calls.send)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        reply: tuple[BaseException | None, Any]
        try:
            function, args, more = calls.recv()
            reply = None, function(*args, **more)
        except EOFError:
            return
        except BaseException as error:
            if not isinstance(error, TeamsimError):
                error.add_note("".join(traceback.format_exception(error)))
            reply = error, None
        try:
            calls.send(reply)
        except OSError:
            return
        except Exception as error:  # it cannot be pickled
            calls.send((TypeError(f"{reply!r:.500} cannot be sent: {error}"), None))


def answer_as_copy(calls: Connection, unused: Iterable[Connection], signals: Set[int]) -> None:
    """Answer calls in a process that is a copy of its main process.

    Parameters
    ----------
    calls : Connection
    unused : iterable of Connection
        Of the main process to others: closed here.
    signals : set of int
        Those that are blocked; the main process blocked all while it was copied.
    """
    for each in unused:
        each.close()
    search_only_new()
    signal.pthread_sigmask(signal.SIG_SETMASK, signals)
    answer(calls)


def _end_with_parent() -> None:
    """End this process when the main process ends, even in the middle of a call."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
