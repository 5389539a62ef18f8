"""Small simulations without the simulator, where a row's value has no closed form.

``python -m tests.validation.alone`` prints what the rows ask, with standard errors; it takes some
minutes.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable

import numpy as np

Rng = np.random.Generator

GIVES_UP_S, RETRIES, HOLDS = 10.0, 3, 10.0
PAUSE_S = (200.0, 260.0)


def done_in_a_storm(
    rate: float, rng: Rng, window: tuple[float, float], budget: float | None = None
) -> float:
    """Return what is done a second in a window of time at one server whose clients try again.

    Services are exponential with mean 1, first come, first served; a client gives up after 10 s
    and asks again at once, three times at most; the server serves what was given up, too, and
    stands still from 200 to 260 s. A budget is a bucket of ten retries, full at first, to which
    each first request adds a share of one.
    """
    begins_s, ends_s = window
    arrivals = np.cumsum(rng.exponential(1 / rate, int(2 * rate * ends_s) + 50))
    # When something happens, its number, and which attempt it may lead to.
    events = [(float(t), i, 0) for i, t in enumerate(arrivals) if t < ends_s]
    heapq.heapify(events)
    count, free_s, done, held = len(events), 0.0, 0, HOLDS
    while events:
        now, _, attempt = heapq.heappop(events)
        if now >= ends_s:
            break
        if attempt == 0 and budget is not None:
            held = min(HOLDS, held + budget)
        elif attempt and budget is not None:
            if held < 1.0:
                continue
            held -= 1.0
        start = max(free_s, now)
        if PAUSE_S[0] <= start < PAUSE_S[1]:
            start = PAUSE_S[1]
        free_s = start + rng.exponential()
        if start < PAUSE_S[0] < free_s:
            free_s += PAUSE_S[1] - PAUSE_S[0]
        if free_s - now <= GIVES_UP_S:
            done += begins_s <= free_s < ends_s
        elif attempt < RETRIES:
            heapq.heappush(events, (now + GIVES_UP_S, count, attempt + 1))
            count += 1
    return done / (ends_s - begins_s)


def rounds_of_a_rumour(n: int, pulls: bool, times: int, rng: Rng) -> list[int]:
    """Return the rounds until one of n has told all, if each calls another at random.

    Who calls tells what it knows, and with `pulls` is told what the other knows.
    """
    knows = np.zeros((times, n), dtype=bool)
    knows[:, 0] = True
    took = np.zeros(times, dtype=int)
    here = np.arange(n)
    left, rounds = np.arange(times), 0
    while len(left):
        rounds += 1
        before = knows[left]
        called = rng.integers(0, n - 1, size=before.shape)
        called += called >= here
        after = before | np.take_along_axis(before, called, axis=1) if pulls else before.copy()
        run, _ = np.nonzero(before)
        after[run, called[before]] = True
        knows[left] = after
        told = after.all(axis=1)
        took[left[told]] = rounds
        left = left[~told]
    return [int(rounds) for rounds in took]


def _say(what: str, values: Iterable[float]) -> None:
    sample = np.asarray(list(values), dtype=float)
    error = sample.std(ddof=1) / math.sqrt(len(sample))
    print(f"{what}: {sample.mean():.5g} ± {error:.1g} ({len(sample)} runs)", flush=True)


def main() -> None:
    """Print all values."""
    rng = np.random.default_rng(20261128)
    _say("0.8 before a pause", (done_in_a_storm(0.8, rng, (50, 200)) for _ in range(20_000)))
    for rate in (0.4, 0.6):
        runs = (done_in_a_storm(rate, rng, (1000, 1500), 0.1) for _ in range(2000))
        _say(f"{rate} with a budget of a tenth", runs)
    for n, times in ((16, 400), (64, 200), (256, 60), (1024, 16)):
        for pulls in (False, True):
            rumours = (rounds_of_a_rumour(n, pulls, 1000, rng) for _ in range(times))
            how = "push and pull" if pulls else "push"
            _say(f"{how}, n = {n}", itertools.chain.from_iterable(rumours))


if __name__ == "__main__":
    main()
