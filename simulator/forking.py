"""When this process may be copied as it is, with all that it has imported.

A copy (by ``fork``) starts in milliseconds, where a new process takes half a second of imports.
It has only the thread that makes it, but all locks: one that another thread held stays locked in
it for ever. So a process is copied only where no other thread may hold any.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

_THREADS = Path("/proc/self/task")

_SAFE = {"jemalloc_bg_thd"}
"""Threads of libraries, by the names they give themselves, that see to it that no lock is held:
that of Arrow's memory (jemalloc) stops while a process is copied."""


_FOR_MATRICES = "OPENBLAS_NUM_THREADS"


def keep_to_one_thread() -> None:
    """Let NumPy, imported later, start no threads for large matrices, of which we have none.

    Whoever has said how many threads there are to be (``OPENBLAS_NUM_THREADS``) is obeyed.
    """
    if _FOR_MATRICES not in os.environ:
        os.putenv(_FOR_MATRICES, "1")  # read by the library, not by Python


class Waiting(threading.Thread):
    """A thread that holds no lock while its process is copied, as it only waits meanwhile."""


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
    waiting = {each.native_id for each in threading.enumerate() if isinstance(each, Waiting)}
    try:
        threads = {int(each.name) for each in _THREADS.iterdir()}
    except OSError:
        return False
    return all(_name(thread) in _SAFE for thread in threads - waiting - {os.getpid()})


def _name(thread: int) -> str:
    try:
        return (_THREADS / str(thread) / "comm").read_text().strip()
    except OSError:  # it has ended
        return next(iter(_SAFE))
