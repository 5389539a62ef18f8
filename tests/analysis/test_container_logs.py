"""Traces that a container printed, as Docker and Kubernetes keep what it prints."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import claude_code_spans, openllmetry

Wrap = Callable[[str, str], list[str]]

PART = 200
"""Characters after which lines are broken up here (16 kB by Docker)."""


def docker(line: str, stream: str = "stdout") -> list[str]:
    parts = [line[at : at + PART] for at in range(0, len(line), PART)]
    texts = [*parts[:-1], parts[-1] + "\n"]
    when = "2026-06-01T09:00:00.123456789Z"
    return [
        json.dumps({"log": each, "stream": stream, "time": when}, separators=(",", ":"))
        for each in texts
    ]


def kubernetes(line: str, stream: str = "stdout") -> list[str]:
    parts = [line[at : at + PART] for at in range(0, len(line), PART)]
    when = "2026-06-01T09:00:00.123456789Z"
    return [f"{when} {stream} {'F' if each is parts[-1] else 'P'} {each}" for each in parts]


@pytest.mark.parametrize("wrap", [docker, kubernetes])
@pytest.mark.parametrize("sample", [claude_code_spans, openllmetry])
def test_what_a_container_printed_is_read_as_if_it_were_a_file(
    tmp_path: Path, wrap: Wrap, sample: Callable[[Path], Path]
) -> None:
    plain = sample(tmp_path)
    expected = read_traces([plain]).calls.drop(columns="source")
    lines = [each for line in plain.read_text().splitlines() for each in wrap(line, "stdout")]
    kept = tmp_path / "container.log"
    kept.write_text("\n".join(lines) + "\n")
    pd.testing.assert_frame_equal(read_traces([kept]).calls.drop(columns="source"), expected)
    packed = tmp_path / "container.log.gz"
    packed.write_bytes(gzip.compress(kept.read_bytes()))
    pd.testing.assert_frame_equal(read_traces([packed]).calls.drop(columns="source"), expected)


@pytest.mark.parametrize("wrap", [docker, kubernetes])
def test_other_lines_between_the_parts_of_one_do_no_harm(tmp_path: Path, wrap: Wrap) -> None:
    """And lines have the numbers that the file shows."""
    plain = claude_code_spans(tmp_path)
    (line,) = plain.read_text().splitlines()
    first, *rest = wrap(line, "stdout")
    beside = wrap("INFO starting", "stderr")
    kept = tmp_path / "container.log"
    kept.write_text("\n".join([first, *beside, *rest, '{"log": "cut']))
    traces = read_traces([kept])
    assert len(traces.calls) == len(read_traces([plain]).calls)
    assert [each.partition(": ")[0] for each in traces.skipped] == [
        f"{kept}:2",
        f"{kept}:{len(rest) + 3}",
    ]


ROW = {"start": 1_780_000_000, "duration_s": 2.0, "model": "m", "input_tokens": 10}


@pytest.mark.parametrize(
    "row",
    [
        {"log": "asked", "stream": "stdout", **ROW},
        {"log": "asked", **ROW, "stream": "stderr"},
        {"log": "asked", **ROW, "meta": {"stream": "stdout"}},
        {"log": "run 1", "stream": "stdout", "calls": [ROW]},
        {"log": "run 1", "stream": "stdout", "data": [ROW]},
    ],
)
def test_tables_with_columns_called_log_and_stream_are_tables(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    """Nothing but the text of the log was read of them."""
    path = tmp_path / "calls.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (call,) = read_traces([path]).calls.to_dict("records")
    assert (call["input_tokens"], call["end_ns"] - call["start_ns"]) == (10, 2e9)


def test_spans_with_fields_called_log_and_stream_are_spans(tmp_path: Path) -> None:
    plain = openllmetry(tmp_path)
    expected = read_traces([plain]).calls.drop(columns="source")
    (spans, *more) = json.loads(plain.read_text())
    path = tmp_path / "spans.jsonl"
    said = [{"log": "x", "stream": "stdout"} | each for each in (spans, *more)]
    path.write_text("".join(f"{json.dumps(each)}\n" for each in said))
    pd.testing.assert_frame_equal(read_traces([path]).calls.drop(columns="source"), expected)


def test_long_lines_may_be_mostly_escaped(tmp_path: Path) -> None:
    """Docker breaks up after 16 kB of text, of which JSON in JSON, or HTML, makes several times."""
    said = json.dumps({**ROW, "prompt": "<>&" * 3000})
    kept = tmp_path / "container.log"
    line = json.dumps({"log": said + "\n", "stream": "stdout", "time": "2026-06-01T09:00:00Z"})
    for sign in "<>&":
        line = line.replace(sign, f"\\u{ord(sign):04x}")
    kept.write_text(line + "\n")
    assert read_traces([kept]).report.calls == 1
    packed = tmp_path / "packed.log.gz"
    packed.write_bytes(gzip.compress(kept.read_bytes()))
    assert read_traces([packed]).report.calls == 1
