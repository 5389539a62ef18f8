"""Draws a bar of progress again and again, in a thread beside which this process may be copied."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Self

from simulator.forking import Waiting

if TYPE_CHECKING:
    from rich.progress import Progress

_EVERY_S = 0.1

_drawing = threading.Lock()
"""Held while a bar is drawn, which takes the locks of Rich and of standard error, and while this
process is copied. So none of those is held then."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_drawing.acquire,
        after_in_parent=_drawing.release,
        after_in_child=_drawing.release,
    )


class Ticker(Waiting):
    """Draws a bar ten times a second, as Rich's own thread would, while the context lasts.

    Parameters
    ----------
    bar : Progress
        One that does not draw itself.
    """

    def __init__(self, bar: Progress) -> None:
        super().__init__(daemon=True)
        self._bar = bar
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self.join()

    def run(self) -> None:
        """Draw until the context is left."""
        while not self._is_over.wait(_EVERY_S):
            with _drawing:
                self._bar.refresh()
