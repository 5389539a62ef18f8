"""Requests of known laws: how long calls of one turn take, and contexts that are cut."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

from analysis.calibration.request_draws import RequestDraws
from analysis.calibration.request_fit import fit_request_model
from analysis.calibration.request_model import RequestModel
from analysis.calibration.requests import find_requests
from tests.analysis.made_up_requests import MODEL, canonical, chat

LATENCY = {MODEL: np.asarray([1.2, 1e-6, 1e-6, 16.0])}
OUTPUT = 100
EXPECTED_S = 1.2 + 16.0 * OUTPUT / 1000.0


def fitted(requests: Iterable[tuple[list[int], float]]) -> RequestModel:
    """Return the model of requests, each told by what its turns read, and their seconds."""
    rows, now = [], 0.0
    for i, (read, seconds) in enumerate(requests):
        for k, tokens in enumerate(read):
            said = "tool_use" if k + 1 < len(read) else "end_turn"
            rows.append(
                chat(now, seconds, said, input_tokens=tokens, output_tokens=OUTPUT,
                     cache_read_input_tokens=0, run_id=f"s{i % 10}")
            )  # fmt: skip
            now += seconds + 5.0
        now += 1e4
    found = fit_request_model(find_requests(canonical(rows)), LATENCY)
    assert found is not None
    return found


def drawn(model: RequestModel, context: float, turns: int, name: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.asarray(RequestDraws(model, 400, rng).of(MODEL, context, turns, rng)[name])


def test_a_call_that_is_all_of_a_request_may_take_longer_than_a_turn_of_many() -> None:
    # Those of one turn take four times as long as their tokens say, all others as long.
    model = fitted(
        ([1000 + 200 * t for t in range(turns)], EXPECTED_S * (4.0 if turns == 1 else 1.0))
        for turns in (1, 3, 9) * 25
    )
    assert np.median(drawn(model, 1000, 1, "llm_s")) == pytest.approx(4 * EXPECTED_S, rel=0.02)
    for turns in (3, 9):
        assert np.median(drawn(model, 1000, turns, "llm_s")) == pytest.approx(
            turns * EXPECTED_S, rel=0.02
        )


def growing(kept: float, turns: int) -> list[int]:
    """Return what turns read of a context that is cut when it holds 100,000 tokens."""
    read = [10_000]
    while len(read) < turns:
        read.append(round(kept * read[-1]) if read[-1] >= 100_000 else read[-1] + 5000)
    return read


def test_contexts_are_cut_where_they_are_full_and_to_what_was_kept() -> None:
    shares = (0.2, 0.2, 0.6)
    requests = [growing(share, 60) for share in shares * 12]
    model = fitted((read, EXPECTED_S) for read in requests)
    assert model.limit[MODEL] == 100_000
    assert model.cut[-1] > 0.98  # half a cut more than seen, of one more
    assert (model.cut[:-1] < 0.02).all()
    # What was kept of what was read: what the turn wrote comes on top.
    left = [
        (after - OUTPUT) / before
        for read in requests
        for before, after in pairwise(read)
        if after < before
    ]
    assert np.mean(model.kept) == pytest.approx(np.mean(left))
    asked = drawn(model, 10_000, 60, "input_tokens")
    assert asked.mean() == pytest.approx(np.mean([sum(read) for read in requests]), rel=0.03)
