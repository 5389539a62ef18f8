"""The cyclic garbage collector, and when it is not needed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the cyclic garbage collector from scanning many objects that make no cycles.

    Reference counts free the events of a replication and the rows of its trace. Scanning the state
    of a thousand agents again and again, for nothing, would take a tenth of the time of a run (see
    benchmarks); scanning a trace, more than half of the time in which it is summed up.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
