"""One other process of this machine, which answers calls."""

from __future__ import annotations

import multiprocessing
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import BrokenExecutor, Future, wait
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

from simulator.forking import blocked
from simulator.worker import FromMain, Lifeline, answer, answer_as_copy


class Worker:
    """A process that answers calls.

    Attributes
    ----------
    told : float
        How much of its present call is done, as it has told last.
    """

    def __init__(self) -> None:
        self.told = 0.0
        self._here, self._there = multiprocessing.Pipe()
        self._process: BaseProcess | None = None
        self._starting: Future[None] | None = None

    def start_as_copy(self, pool: Sequence[Worker], life: Lifeline, signals: Set[int]) -> None:
        """Start the process as a copy of this one.

        Parameters
        ----------
        pool : sequence of Worker
            All of them: the copy has their connections, and keeps its own only.
        life : Lifeline
            Of this process.
        signals : set of int
            Those that are blocked in it.
        """
        unused = [each for other in pool for each in (other._here, other._there)]
        unused.remove(self._there)
        context = multiprocessing.get_context("fork")
        with ExitStack() as unwarned:
            copied = FromMain(life, unused, signals, unwarned.close)
            process = context.Process(
                target=answer_as_copy, args=(self._there, copied), daemon=True
            )
            # Of threads, none of which holds a lock (see `may_fork`).
            unwarned.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
        self._process = process
        self._there.close()

    def start_with(self, submit: Callable[[Callable[[], None]], Future[None]]) -> None:
        """Start the process in another thread, and wait for that.

        A signal unwinds the main thread wherever that is. A process that is started halfway would
        end with a traceback.
        """
        self._starting = submit(self._start)
        self._starting.result()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=answer, args=(self._there,), daemon=True)
        with _no_keyboard():
            process.start()
        self._process = process
        self._there.close()  # else reading here would not end when the process ends

    def call(self, function: Callable[..., Any], args: Any, more: Any) -> Any:
        """Return what the process answers; raise what it raises.

        Raises
        ------
        BrokenExecutor
            If it has ended.
        """
        try:
            self._here.send((function, args, more))
            while isinstance(reply := self._here.recv(), float):
                self.told = reply
        except (EOFError, OSError):
            raise BrokenExecutor("a process of the pool has ended") from None
        finally:
            self.told = 0.0
        error, result = reply
        if error is not None:
            raise error
        return result

    def kill(self) -> None:
        """End the process, which may be starting, at once."""
        if self._starting is not None:
            wait([self._starting])
        if self._process is not None:
            self._process.kill()
            self._process.join()


@contextmanager
def _no_keyboard() -> Iterator[None]:
    """Shield processes started here from the terminal's signals: the main process handles them.

    They inherit the signal mask, so that it holds from their first instruction on.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Started before the mask is set: else the first process starts it, and that resets the mask.
    resource_tracker.ensure_running()
    with blocked({signal.SIGINT, signal.SIGHUP}):
        yield
