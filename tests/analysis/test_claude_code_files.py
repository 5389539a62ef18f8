"""Sessions of Claude Code whose files were split, compressed or written by other programs."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import claude_code

COLUMNS = ["run_id", "agent_id", "agent_name", "operation_name", "start_ns", "end_ns", "tool_name",
           "input_tokens", "output_tokens", "status"]  # fmt: skip


def calls(folder: Path) -> pd.DataFrame:
    return read_traces([folder]).calls[COLUMNS].sort_values(COLUMNS).reset_index(drop=True)


def packed(path: Path) -> None:
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def marked(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def in_utf_16(path: Path) -> None:
    path.write_text(path.read_text(), encoding="utf-16")


@pytest.mark.parametrize("change", [packed, marked, in_utf_16])
def test_what_stands_beside_a_file_is_read_as_the_file_is(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = claude_code(tmp_path)
    expected = calls(folder)
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        change(path)
    pd.testing.assert_frame_equal(calls(folder), expected)


@pytest.mark.parametrize("at", range(3, 10))
def test_a_session_may_be_in_two_files(tmp_path: Path, at: int) -> None:
    """Lines of one message, and a tool and its result, are on both sides of some of the cuts."""
    folder = claude_code(tmp_path)
    expected = calls(folder)
    whole = folder / "S1.jsonl"
    said = whole.read_text().splitlines(keepends=True)
    whole.write_text("".join(said[:at]))
    (folder / "S1-rest.jsonl").write_text("".join(said[at:]))
    pd.testing.assert_frame_equal(calls(folder), expected)


@pytest.mark.parametrize("at", range(3, 10))
def test_a_copy_that_ends_earlier_takes_nothing_away(tmp_path: Path, at: int) -> None:
    folder = claude_code(tmp_path)
    expected = calls(folder)
    said = (folder / "S1.jsonl").read_text().splitlines(keepends=True)
    (folder / "old").mkdir()
    (folder / "old" / "S1.jsonl").write_text("".join(said[:at]))
    pd.testing.assert_frame_equal(calls(folder), expected)
