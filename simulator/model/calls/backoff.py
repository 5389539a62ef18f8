"""The waits of a backoff policy."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.model.streams import Draw
from simulator.scenario.backoff import Backoff


def waits(spec: Backoff, draw: Draw) -> Iterator[float]:
    """Yield the seconds to wait before try 1, 2, ... again; `Backoff` has the formulas.

    `draw` gives the uniforms on [0, 1) that the jitter needs.
    """
    if spec.kind == "none":
        while True:
            yield 0.0
    tries, wait = 0, spec.base_s
    while True:
        tries += 1
        ceiling = min(spec.cap_s, spec.base_s * 2.0 ** min(tries, 60))
        if spec.kind == "exponential":
            wait = ceiling
        elif spec.kind == "equal_jitter":
            wait = ceiling / 2.0 * (1.0 + draw())
        elif spec.kind == "full_jitter":
            wait = ceiling * draw()
        else:
            wait = min(spec.cap_s, spec.base_s + (3.0 * wait - spec.base_s) * draw())
        yield wait
