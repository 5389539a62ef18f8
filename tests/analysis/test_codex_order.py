"""Rollouts of Codex whose lines are in another order, and several sessions in one file."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd
import pytest

from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import codex, codex_count, codex_line, lines

COLUMNS = ["run_id", "agent_id", "operation_name", "start_ns", "end_ns", "input_tokens",
           "output_tokens", "tool_name", "status", "finish_reason"]  # fmt: skip


def calls(*paths: Path) -> pd.DataFrame:
    found = read_traces(paths).calls.sort_values([*COLUMNS[:2], "end_ns"], kind="stable")
    return found[COLUMNS].reset_index(drop=True)


@pytest.mark.parametrize("seed", range(4))
def test_lines_of_sessions_and_forks_may_be_in_any_order(tmp_path: Path, seed: int) -> None:
    folder = codex(tmp_path)
    expected = calls(folder)
    for path in folder.iterdir():
        said = path.read_text().splitlines()
        random.Random(seed).shuffle(said)
        path.write_text("\n".join(said) + "\n")
    found = read_traces([folder])
    pd.testing.assert_frame_equal(calls(folder), expected)
    assert any("not in the order of their times" in note for note in found.notes)


def test_a_clock_that_was_set_back_does_not_mix_up_the_calls(tmp_path: Path) -> None:
    totals: dict[str, int] = {}
    rows = [codex_line(0, "session_meta", id="P"), codex_line(0, "turn_context", model="g"),
            codex_count(50, 1000, 0, 10, totals),
            codex_line(20, "event_msg", type="user_message"),
            codex_count(25, 1200, 0, 20, totals)]  # fmt: skip
    found = calls(lines(tmp_path / "rollout-P.jsonl", rows))
    assert ((found["end_ns"] - found["start_ns"]) / 1e9).tolist() == [5.0, 50.0]


def test_sessions_that_were_put_into_one_file_are_as_many(tmp_path: Path) -> None:
    folder = codex(tmp_path)
    expected = calls(folder)
    paths = [folder / f"rollout-{name}.jsonl" for name in "PCGF"]
    one = tmp_path / "all.jsonl"
    one.write_text("".join(path.read_text() for path in paths))
    pd.testing.assert_frame_equal(calls(one), expected)
    assert json.loads(one.read_text().splitlines()[0])["payload"]["id"] == "P"
