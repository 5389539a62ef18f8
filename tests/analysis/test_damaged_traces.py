"""Damaged trace files give finite tables or a clear error, and nothing else."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.test_told_tasks import team_with_list
from tests.analysis.test_trace_spellings import CASES
from tests.analysis.trace_samples import SAMPLES

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, -1e308, 10**30, -(10**30), float("nan"), float("inf"), "", "x", "-5",
    "9" * 5000, [], {}, [[]], {"a": {"b": None}}, "2026-13-45T99:99:99Z", "1e999", "\ud800", "\x00",
)  # fmt: skip
FILES: dict[str, Callable[[Path], Path]] = {
    **SAMPLES,
    **{name: lambda directory, write=write: write(directory)[0] for name, write in CASES.items()},
    "team_with_list": team_with_list,
}
LONGEST_S = 60.0
"""Of a processor: a small file takes a hundredth of a second, and what takes so long hangs."""


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(rng.randint(1, 20)):
        found[rng.randrange(len(found))] = rng.randrange(256)
    return bytes(found)


def dropped_lines(data: bytes, rng: random.Random) -> bytes:
    return b"".join(line for line in data.splitlines(True) if rng.random() < 0.7)


def shuffled_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(True)
    rng.shuffle(lines)
    return b"".join(lines)


def doubled(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[rng.randrange(len(data)) :]


def deep(data: bytes, rng: random.Random) -> bytes:
    at, depth = rng.randrange(len(data)), rng.choice([50, 900, 3000, 100_000])
    middle = rng.choice([b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth])
    return data[:at] + middle + data[at:]


def other_values(data: bytes, rng: random.Random) -> bytes:
    """Replace values of JSON by those of other types, huge and negative ones."""
    try:
        documents = [json.loads(data)]
    except (ValueError, RecursionError):
        try:
            documents = [json.loads(line) for line in data.splitlines()]
        except (ValueError, RecursionError):
            return _other_cells(data, rng)
    return b"\n".join(
        json.dumps(_changed(each, rng, 0.08), ensure_ascii=True).encode() for each in documents
    )


def _changed(value: Any, rng: random.Random, share: float) -> Any:
    if rng.random() < share:
        return rng.choice(ODD)
    if isinstance(value, dict):
        return {key: _changed(each, rng, share) for key, each in value.items()}
    if isinstance(value, list):
        return [_changed(each, rng, share) for each in value]
    return value


def _other_cells(data: bytes, rng: random.Random) -> bytes:
    rows = [line.split(b",") for line in data.splitlines()]
    for row in rows[1:]:
        row[rng.randrange(len(row))] = str(rng.choice(ODD)).encode("utf-8", "replace")
    return b"\n".join(b",".join(row) for row in rows)


def times_back(data: bytes, rng: random.Random) -> bytes:
    """Change digits, so that times go back and counts change."""
    found = bytearray(data)
    places = [i for i, c in enumerate(found) if 48 <= c <= 57]
    for i in rng.sample(places, min(len(places), 30)):
        found[i] = 48 + rng.randrange(10)
    return bytes(found)


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    cut, changed_bytes, dropped_lines, shuffled_lines, doubled, deep, other_values, other_values,
    times_back,
)  # fmt: skip


def check_finite(traces: Traces) -> None:
    for table in (traces.calls, traces.messages, traces.runs, traces.agents):
        for _, column in table.items():
            if pd.api.types.is_numeric_dtype(column) and column.dtype != "boolean":
                values = column.dropna().to_numpy(dtype=float)
                assert np.isfinite(values).all()
                assert (values >= 0).all()
    both = traces.calls[["start_ns", "end_ns"]].dropna()
    assert (both["end_ns"] >= both["start_ns"]).all()


def damage_and_read(number: int, directory: Path) -> str:
    """Damage one file of one kind, read it, and return how that ended."""
    rng = random.Random(number)
    name = list(FILES)[number % len(FILES)]
    path = FILES[name](directory)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    victim = rng.choice(files)
    data = victim.read_bytes()
    for _ in range(rng.randint(1, 2)):
        data = rng.choice(DAMAGES)(data, rng) or b"x"
    victim.write_bytes(data)
    start = time.process_time()
    said = None
    try:
        check_finite(read_traces([path]))
    except TeamsimError as error:
        said = str(error)
    if said is not None:
        assert 0 < len(said) < 2000
    assert time.process_time() - start < LONGEST_S
    return "table" if said is None else "error"


def damaged(numbers: range, directory: Path) -> dict[str, int]:
    ends = {"table": 0, "error": 0}
    for number in numbers:
        place = directory / str(number)
        place.mkdir()
        ends[damage_and_read(number, place)] += 1
    return ends


@pytest.mark.slow
def test_damaged_files_end_well(tmp_path: Path) -> None:
    ends = damaged(range(50), tmp_path)
    assert min(ends.values()) > 10  # neither end is rare: both are tried


@pytest.mark.thorough
def test_two_thousand_damaged_files_end_well(tmp_path: Path) -> None:
    ends = damaged(range(1000, 3000), tmp_path)
    assert min(ends.values()) > 400


def test_a_damaged_line_takes_no_other_with_it(tmp_path: Path) -> None:
    path = SAMPLES["open_inference"](tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(["{broken", lines[0], lines[1][:50], lines[2]]))
    traces = read_traces([path])
    assert len(traces.chats) == 1
    assert traces.report.errors.count == 2


def test_a_file_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    path = SAMPLES["conventions"](tmp_path)
    text = path.read_text()
    path.write_text(text[: text.index('"chat big"', text.index("helper"))])
    traces = read_traces([path])
    assert len(traces.chats) >= 1
    assert "breaks off" in str(traces.report.errors.first)
    packed = path.with_name("x.json.gz")
    import gzip

    SAMPLES["conventions"](tmp_path)
    packed.write_bytes(gzip.compress(path.read_bytes())[:-40])
    assert "x.json.gz" in str(read_traces([packed]).report.errors.first)


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_nulls_that_a_crash_has_left_are_no_damage(tmp_path: Path, before: int) -> None:
    """A machine that stops leaves them at the end, or before what is written later."""
    row = '{"session": "s", "model": "m", "start_time": %d, "duration_s": 2, "output_tokens": 5}\n'
    lines = [row % (10 * i) for i in range(3)]
    lines.insert(before, "\0" * 7)
    path = tmp_path / "calls.jsonl"
    path.write_text("".join(lines))
    traces = read_traces([path])
    assert traces.report.errors.count == 0
    assert list(traces.chats["output_tokens"]) == [5, 5, 5]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "without timestamp"),
        ({"timestamp": "9999-12-31T23:59:59Z"}, "whose timestamp is '9999-12-31T23:59:59Z', which"),
        ({"timestamp": [1]}, "whose timestamp is '[1]', which is no time"),
    ],
)
def test_a_time_that_cannot_be_read_is_said_as_it_is_written(
    tmp_path: Path, written: dict[str, Any], said: str
) -> None:
    of_claude = {"type": "assistant", "sessionId": "s", "uuid": "u", "message": {"id": "m"}}
    of_codex = {"type": "event_msg", "payload": {"type": "token_count"}}
    for kind, line, what in (
        ("claude_code", of_claude, "an assistant line"),
        ("codex", of_codex, "an event"),
    ):
        path = tmp_path / f"{kind}.jsonl"
        path.write_text(json.dumps(line | written))
        with pytest.raises(TeamsimError, match=re.escape(f"{kind}.jsonl:1: {what} {said}")):
            read_traces([path], kind)


@pytest.mark.parametrize("form", ["auto", "codex", "table"])
@pytest.mark.parametrize("content", ["", " \n\r\n\t", "\0\0\0\0"])
def test_a_file_of_nothing_but_blanks_and_nulls_is_empty(
    tmp_path: Path, content: str, form: str
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content)
    with pytest.raises(TeamsimError, match=r"x\.jsonl: it is empty"):
        read_traces([path], form)
