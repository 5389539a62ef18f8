"""The cyclic garbage collector, and when it is not needed."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager


class _Paused:
    """The garbage collector, paused; as a generator it would take each replication 1.5 us more."""

    __slots__ = ("_was_enabled",)

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *error: object) -> None:
        if self._was_enabled:
            gc.enable()


def collector_paused() -> AbstractContextManager[None]:
    """Keep the cyclic garbage collector from scanning many objects that make no cycles.

    Reference counts free the events of a replication and the rows of its trace. Scanning the state
    of a thousand agents again and again, for nothing, would take a tenth of the time of a run (see
    benchmarks); scanning a trace, more than half of the time in which it is summed up.
    """
    return _Paused()


_NEW_OBJECTS = 500_000
"""Figures that are drawn are freed before there are more than some twenty of them."""


def search_seldom() -> None:
    """Have this process look for garbage after half a million new objects, not 700.

    Modules that are imported make some 100,000, and a figure 200,000, nearly all of which stay.
    Looking through them would be a tenth to a quarter of the time of a command.
    """
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


def search_only_new() -> None:
    """Have this process look for garbage among objects that are made from now on.

    To look through those that a copied process has from its main process would copy them, too.
    """
    gc.freeze()


def search_no_more() -> None:
    """Let this process end without a last look for garbage through all that it has imported.

    What is only kept by itself is not freed, then, but left to the system.
    """
    gc.freeze()
