"""Rollouts of Codex whose lines are in another order, and several sessions in one file."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd
import pytest

from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import codex, codex_count, codex_line, compressed, lines

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


def long_ids(folder: Path) -> Path:
    """Give the sessions ids as programs write them."""
    for path in sorted(folder.iterdir()):
        said = path.read_text()
        for name in "PCGF":
            said = said.replace(f'"{name}"', f'"{name * 4}-0000-0000-{name * 4}"')
        stem = path.stem[-1]
        path.with_name(f"rollout-2026-{stem * 4}-0000-0000-{stem * 4}.jsonl").write_text(said)
        path.unlink()
    return folder


def test_copies_of_a_session_count_once_with_their_messages(tmp_path: Path) -> None:
    folder = codex(tmp_path)
    expected, messages = calls(folder), len(read_traces([folder]).messages)
    for path in list(folder.iterdir()):
        compressed(path)
    found = read_traces([folder])
    pd.testing.assert_frame_equal(calls(folder), expected)
    assert len(found.messages) == messages
    assert found.report.duplicates.count == 15  # 4 of what C and F copy of P, 11 counts again
    twice = folder / "rollout-G.jsonl"
    twice.write_text(2 * twice.read_text())
    pd.testing.assert_frame_equal(calls(folder), expected)


@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("both", [0, 1])
def test_parts_of_a_session_are_put_together(tmp_path: Path, at: int, both: int) -> None:
    folder = long_ids(codex(tmp_path))
    expected = calls(folder)
    whole = next(folder.glob("*PPPP*"))
    said = whole.read_text().splitlines(keepends=True)
    whole.write_text("".join(said[: at + both]))
    whole.with_name(f"{whole.stem}-part2.jsonl").write_text("".join(said[at:]))
    pd.testing.assert_frame_equal(calls(folder), expected)


def test_lines_without_the_beginning_of_their_session_are_said_to_lack_it(tmp_path: Path) -> None:
    rows = [codex_line(0, "turn_context", model="g"), codex_count(5, 1000, 0, 10, {})]
    found = read_traces([lines(tmp_path / "rest.jsonl", rows)])
    assert len(found.calls) == 1
    assert any("its beginning, which names the session, is missing" in n for n in found.notes)
