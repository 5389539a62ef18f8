"""Calls that failed in a trace, and how a twin goes on after them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.calibration.requests import find_requests
from analysis.calibration.retries import Retries, retries_in
from analysis.observation.observe import observe
from analysis.traces.reading import read_traces

HEADS = "session_id,agent,operation,start_s,end_s,input_tokens,output_tokens,status,finish_reason"


def written(path: Path, rows: Sequence[Sequence[object]]) -> pd.DataFrame:
    path.write_text("\n".join([HEADS, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return read_traces([path]).calls


def chats(statuses: str) -> list[tuple[object, ...]]:
    """Return calls of 2 s, a second apart: F failed, C was cancelled, others were answered."""
    known = {"F": "error", "C": "cancelled", ".": "ok"}
    return [
        ("s", "a", "chat", 3 * i, 3 * i + 2, 100, 5, known[each], "tool_use")
        for i, each in enumerate(statuses)
    ]


@pytest.mark.parametrize(
    ("statuses", "wanted"),
    [
        ("....", None),
        (".F..", Retries(1, 0, 1.0)),
        (".FF.FFFF..", Retries(4, 0, 1.0)),
        (".FF.FFF", Retries(2, 3, 1.0)),
        (".FFC.F.", Retries(1, 0, 1.0)),  # who is stopped has neither given up nor got through
        ("..FF", None),
    ],
)
def test_how_often_agents_try_again_is_read_off(
    statuses: str, wanted: Retries | None, tmp_path: Path
) -> None:
    assert retries_in(written(tmp_path / "calls.csv", chats(statuses))) == wanted


def test_who_gives_up_tries_as_often_and_who_never_does_goes_on() -> None:
    assert Retries(2, 4, 1.5).said() == {
        "max_retries": 3, "base_s": 1.5, "cap_s": 1.5, "jitter": 0.0}  # fmt: skip
    assert Retries(4, 2, 1.5).said()["max_retries"] == 4
    assert Retries(1, 0, 0.0).said() == {
        "max_retries": 1000, "base_s": 0.001, "cap_s": 0.001, "jitter": 0.0}  # fmt: skip


def test_the_time_of_calls_that_failed_is_none_between_turns(tmp_path: Path) -> None:
    calls = written(tmp_path / "calls.csv", chats(".FF.."))
    assert find_requests(calls).turns["gap_s"].tolist()[:2] == [7.0, 1.0]
    assert find_requests(calls, without_failed=True).turns["gap_s"].tolist()[:2] == [1.0, 1.0]


@pytest.mark.thorough
def test_a_twin_of_agents_whose_calls_fail_often_does_what_they_did(tmp_path: Path) -> None:
    """Of 12 turns with tools, each call fails 4 times in 10 and is sent again a second later."""
    rng, rows = np.random.default_rng(3), []
    for s in range(40):
        t, read = 100_000.0 * s, 5000
        for turn in range(12):
            while rng.random() < 0.4:
                rows.append((f"s{s}", "a", "chat", t, t + 2.0, "", "", "error", ""))
                t += 3.0
            wrote = int(rng.lognormal(6.0, 0.5))
            took = (1 + 0.015 * wrote) * rng.lognormal(0.0, 0.2)
            ends = "end_turn" if turn == 11 else "tool_use"
            rows.append((f"s{s}", "a", "chat", t, t + took, read, wrote, "ok", ends))
            t, read = t + took, read + wrote + 200
            if turn < 11:
                ran = rng.exponential(3.0)
                rows.append((f"s{s}", "a", "execute_tool", t, t + ran, "", "", "ok", ""))
                t += ran
    written(tmp_path / "calls.csv", rows)
    found = observe(read_traces([tmp_path / "calls.csv"]), "often", replications=100)
    table = found.comparison.table.set_index("measure")
    assert table.loc["calls", ["low", "median", "high"]].tolist() == [12.0, 12.0, 12.0]
    for measure in ("makespan_s", "input_tokens", "output_tokens"):
        # It was 10 turns at the median, and up to 24 where a loop began anew.
        assert table.loc[measure, "median"] == pytest.approx(
            table.loc[measure, "observed"], rel=0.1
        )
    assert len(found.comparison.misfits) == 0
