"""Attempts that fail and are made again are a part of one call: so they are in twins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.observation.observe import observe
from analysis.observation.runs import answered, runs_of
from analysis.observation.units import units_of
from analysis.traces.canonical import Traces
from tests.analysis.test_observation import Row, together, traces


def failing(rows: list[tuple[Row, bool]], run: str = "r") -> Traces:
    """Return traces of rows, those that failed without tokens and a reason why they ended."""
    found = traces(*[row for row, _ in rows], run=run)
    failed = pd.Series([bad for _, bad in rows])
    calls = found.calls.assign(status=found.calls["status"].mask(failed, "error"))
    for name in ("input_tokens", "output_tokens", "finish_reason"):
        calls[name] = calls[name].mask(failed)
    return replace(found, calls=calls)


def test_a_call_that_failed_is_an_attempt_at_the_next() -> None:
    found = failing(
        [
            (("a", "chat", 0, 2, ""), True),  # the first attempt
            (("a", "chat", 3, 7, "tool_use"), False),
            (("a", "execute_tool", 7, 9, "grep"), False),
            (("a", "chat", 9, 10, ""), True),
            (("a", "chat", 11, 15, "end_turn"), False),
            (("a", "chat", 30, 31, ""), True),  # the next request
            (("a", "chat", 32, 36, "end_turn"), False),
            (("a", "chat", 50, 51, ""), True),  # given up
        ]
    )
    (run,) = runs_of(found.calls)
    said = [(unit.start_s, unit.end_s, unit.turns) for unit in units_of(run.operations)]
    assert said == [(0, 15, 2), (30, 36, 1), (50, 51, 1)]
    said = [(unit.start_s, unit.end_s) for unit in units_of(run.operations, by_call=True)]
    assert said == [(0, 7), (9, 15), (30, 36), (50, 51)]


@pytest.mark.thorough
def test_a_twin_of_an_agent_whose_calls_often_fail_works_no_more_than_it() -> None:
    chance, runs = np.random.default_rng(3), []
    for number in range(12):
        rows: list[tuple[Row, bool]] = []
        at_s = 0.0
        for turn in range(5):
            while chance.random() < 0.3:
                rows.append((("a", "chat", at_s, at_s + 2.0, ""), True))
                at_s += 3.0
            lasts = float(np.exp(0.2 * chance.standard_normal() + 2.0))
            why = "end_turn" if turn == 4 else "tool_use"
            rows.append((("a", "chat", at_s, at_s + lasts, why), False))
            at_s += lasts
            if turn < 4:
                rows.append((("a", "execute_tool", at_s, at_s + 3.0, "grep"), False))
                at_s += 3.0
        runs.append(failing(rows, f"r{number}"))
    found = observe(together(*runs), "observed", 60)
    assert found.twin.document["workload"]["tasks"] == 1
    assert answered(found.table).tolist() == [5] * 12
    assert answered(found.simulated).mean() == pytest.approx(5.0, rel=0.02)
    for measure in ("makespan_s", "output_tokens", "tool_calls"):
        real, made = (each[measure].mean() for each in (found.table, found.simulated))
        assert made == pytest.approx(real, rel=0.1), measure
