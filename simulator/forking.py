"""When this process may be copied as it is, with all that it has imported.

A copy (by ``fork``) starts in milliseconds, where a new process takes half a second of imports.
It has only the thread that makes it, but all locks: one that another thread held stays locked in
it for ever. So a process is copied only where no other thread may hold any.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_THREADS = Path("/proc/self/task")

_SAFE = {"jemalloc_bg_thd"}
"""Threads of libraries, by the names they give themselves, that see to it that no lock is held:
that of Arrow's memory (jemalloc) stops while a process is copied."""


_ENDING_S = 0.02
"""Seconds in which the system ends a thread that has ended for Python: far less, mostly."""

_FOR_MATRICES = "OPENBLAS_NUM_THREADS"


def keep_to_one_thread() -> None:
    """Let NumPy, imported later, start no threads for large matrices, of which we have none.

    Whoever has said how many threads there are to be (``OPENBLAS_NUM_THREADS``) is obeyed.
    """
    if _FOR_MATRICES not in os.environ:
        os.putenv(_FOR_MATRICES, "1")  # read by the library, not by Python


class Waiting(threading.Thread):
    """A thread that holds no lock while its process is copied, as it only waits meanwhile.

    Signals are for the main thread, also while that has blocked them to be copied.
    """

    def start(self) -> None:
        """Start the thread, in which all signals are blocked."""
        with blocked(signal.valid_signals()):
            super().start()


@contextmanager
def blocked(signals: Iterable[int]) -> Iterator[set[int]]:
    """Block signals in this thread, so that they wait; yield those that were blocked before.

    Threads and processes that start meanwhile inherit that. Nothing happens on Windows.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield set()
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def may_fork() -> bool:
    """Return whether other processes may start as copies of this one.

    They may on Linux, in a process without threads that could hold a lock, unless who wrote its
    program has chosen another way to start processes (`multiprocessing.set_start_method`).
    """
    import multiprocessing  # most commands start no process

    if sys.platform != "linux":
        return False
    if multiprocessing.get_start_method(allow_none=True) not in (None, "fork"):
        return False
    try:
        return not _others_that_stay()
    except OSError:
        return False


def _others() -> set[int]:
    """Return the threads that may hold a lock: not this process's first, nor those that wait."""
    waiting = {each.native_id for each in threading.enumerate() if isinstance(each, Waiting)}
    threads = {int(each.name) for each in _THREADS.iterdir()} - waiting - {os.getpid()}
    return {each for each in threads if _name(each) not in _SAFE}


def _others_that_stay() -> set[int]:
    """Return them without those that Python has ended and the system has not, yet."""
    alive = {each.native_id for each in threading.enumerate()}
    ends = time.monotonic() + _ENDING_S
    while (others := _others()) and not others & alive and time.monotonic() < ends:
        time.sleep(_ENDING_S / 20)
    return others


def _name(thread: int) -> str:
    try:
        return (_THREADS / str(thread) / "comm").read_text().strip()
    except OSError:  # it has ended
        return next(iter(_SAFE))
