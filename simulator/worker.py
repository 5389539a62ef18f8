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
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
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
    """Answer calls, in a new process, until the main process is gone.

    What is sent back are numbers, of how much of a call is done, and at last its reply.
    """
    search_seldom()
    _end_after(_join_main_process)
    _answer(calls)


def _join_main_process() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()


class Lifeline:
    """Tells copies of a process when it has ended: a pipe into which only it can write.

    What `multiprocessing` has for this is inherited by copies made later, which would have to end
    first, one after the other.
    """

    def __init__(self) -> None:
        self._reader, self._writer = multiprocessing.Pipe(duplex=False)

    def begin_copy(self) -> None:
        """Keep the reading end only."""
        self._writer.close()

    def wait(self) -> None:
        """Wait, in a copy, until the process has ended, or has ended its copies."""
        with suppress(EOFError, OSError):
            self._reader.recv_bytes()

    def end(self) -> None:
        """Close both ends."""
        self._writer.close()
        self._reader.close()


@dataclass(frozen=True, slots=True)
class FromMain:
    """What a copy has of its main process, and is to leave.

    Attributes
    ----------
    life : Lifeline
        Of the main process.
    unused : sequence of Connection
        Those of the main process to others.
    signals : set of int
        Those that are blocked; the main process blocked all while it was copied.
    leave : callable
        Takes back what held while it was copied.
    """

    life: Lifeline
    unused: Sequence[Connection]
    signals: Set[int]
    leave: Callable[[], None]


def answer_as_copy(calls: Connection, copied: FromMain) -> None:
    """Answer calls, in a copy of the main process, until that is gone."""
    copied.leave()
    copied.life.begin_copy()
    for each in copied.unused:
        each.close()
    search_only_new()
    signal.pthread_sigmask(signal.SIG_SETMASK, copied.signals)
    _end_after(copied.life.wait)
    _answer(calls)


def _end_after(wait: Callable[[], None]) -> None:
    """End this process once what waits for the end of the main process returns, in any call."""

    def watch() -> None:
        wait()
        os._exit(1)

    try:
        threading.Thread(target=watch, daemon=True).start()
    except RuntimeError:  # the system allows no more threads: the main process says what is lost
        os._exit(1)


def _answer(calls: Connection) -> None:
    _main.hear(calls.send)
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
