"""Signals that end a command: within two seconds, with one line and the exit code of the signal."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from simulator.cli.harmless import harmless
from simulator.forking import Waiting
from simulator.garbage import search_no_more

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]

_PATIENCE_S = 1.5
"""Seconds that unwinding the stack may take; the program does not wait longer, as it would have to
for a compiled function."""


class Interrupted(BaseException):
    """The first signal that asks this process to end.

    It is not a `KeyboardInterrupt`, because libraries catch that and react in their own ways. It
    can be built again from its `args`, as SimPy does with the exceptions of its processes.
    """

    @property
    def number(self) -> int:
        """Which signal."""
        return int(self.args[0])


class _Ending:
    """The state of this process as it ends."""

    def __init__(self) -> None:
        self.is_asked = False
        self.advice: list[str] = []
        self._only_one = threading.Lock()

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Unwind the stack at the first signal, and ignore later ones."""
        if self.is_asked:
            return
        self.is_asked = True
        # Errors that come only from the end of the process are of no use to anybody.
        sys.unraisablehook = threading.excepthook = lambda *_: None  # type: ignore[assignment]
        logging.disable()
        raise Interrupted(number)

    def wait_and_end(self, signals: int) -> None:
        """End the process when the unwinding takes too long."""
        number = os.read(signals, 1)[0]
        time.sleep(_PATIENCE_S)
        self.end(number)

    def end(self, number: int) -> None:
        """Print the signal's name and end, without waiting for threads or `atexit` functions."""
        self._only_one.acquire()
        name = signal.Signals(number).name
        what = "interrupted" if number == signal.SIGINT else f"ended by {name}"
        line = harmless(": ".join([what, *self.advice[-1:]]))
        show_cursor = "\x1b[?25h" if os.isatty(2) else ""
        with suppress(OSError):  # the reader of standard error may be gone
            os.write(2, f"{show_cursor}{line}\n".encode())
        os._exit(128 + number)


_ending = _Ending()


def run_until_signal(program: Callable[[], None]) -> None:
    """Run a program in the main thread; SIGINT, SIGTERM and SIGHUP end the process.

    The exit code is 128 plus the number of the signal. A signal that the process ignores from its
    start, as under ``nohup``, stays ignored.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Signals are written to this pipe even while the main thread is in a compiled function, when
    # Python's handlers have to wait.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    caught = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _leave_to_system(caught))
    try:
        try:
            for number in caught:
                signal.signal(number, _ending.interrupt)
            Waiting(target=_ending.wait_and_end, args=(reader,), daemon=True).start()
            program()
        finally:
            # The work is done, or has failed. A signal would end the process in the middle of its
            # own end, without a line.
            for number in () if _ending.is_asked else caught:
                signal.signal(number, signal.SIG_IGN)
            search_no_more()
    except Interrupted as error:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        _ending.end(error.number)


def _leave_to_system(signals: list[signal.Signals]) -> None:
    """Let signals end a copy of this process at once: it has nothing to say."""
    signal.set_wakeup_fd(-1)
    for number in signals:
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def when_interrupted(advice: str) -> Iterator[None]:
    """Add advice on what to do next to the line printed when a signal ends the body."""
    _ending.advice.append(advice)
    try:
        yield
    finally:
        if not _ending.is_asked:
            _ending.advice.pop()
