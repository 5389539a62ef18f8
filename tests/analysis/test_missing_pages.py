"""Pages of the answers of APIs that are missing, and rows that tell of several calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import lines, observation, whole

USAGE = {"input": 100, "output": 10}


def pages(directory: Path, *around: dict[str, Any], indent: int | None = None) -> list[str]:
    """Read a page of Langfuse's observations a file; return the notes."""
    for i, each in enumerate(around):
        seen = observation(f"g{i}", "GENERATION", 9.0 * i, 3, model="m", usageDetails=USAGE)
        said = json.dumps({"data": [seen], **each}, indent=indent)
        (directory / f"page-{i}.json").write_text(said)
    return read_traces([directory]).notes


@pytest.mark.parametrize("indent", [None, 1])
def test_pages_by_number_that_are_missing_are_said(tmp_path: Path, indent: int | None) -> None:
    first, last = ({"meta": {"page": n, "totalPages": 2, "totalItems": 2}} for n in (1, 2))
    said = pages(tmp_path, first, indent=indent)
    assert "1 of 2 pages of an API's answers are there: the calls of the others are missing" in said
    assert not pages(tmp_path, first, last, indent=indent)


@pytest.mark.parametrize(
    ("more", "none"),
    [
        ({"next_cursor": "x"}, {"next_cursor": None}),
        ({"meta": {"cursor": "x"}}, {"meta": {"cursor": ""}}),
        ({"has_more": True}, {"has_more": False}),
        ({"cursors": {"next": "x", "prev": None}}, {"cursors": {"next": None}}),
    ],
)
def test_a_last_page_that_goes_on_is_said(
    tmp_path: Path, more: dict[str, Any], none: dict[str, Any]
) -> None:
    said = "an API's answers go on with another page, which is missing"
    assert said in pages(tmp_path, more)
    assert said not in pages(tmp_path, more, none)


def test_rows_that_tell_of_several_calls_are_said(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_text("date,duration_s,num_requests,prompt_tokens\n2026-03-01,50,17,9000\n")
    notes = read_traces([path]).notes
    assert any("'num_requests' may say of how many calls a row tells" in note for note in notes)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [{"type": "system", "subtype": "init", "session_id": "S"},
             {"type": "assistant", "session_id": "S", "message": {"id": "m"}},
             {"type": "result", "session_id": "S", "duration_ms": 5000, "num_turns": 3,
              "usage": {"input_tokens": 5, "output_tokens": 50}}],
            "stream-json",
        ),
        (
            [{"type": "thread.started", "thread_id": "t"}, {"type": "turn.started"},
             {"type": "turn.completed", "usage": {"input_tokens": 100, "output_tokens": 10}}],
            "codex exec --json",
        ),
    ],
)  # fmt: skip
def test_the_totals_that_a_program_prints_are_no_call(
    tmp_path: Path, rows: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(TeamsimError, match=said):
        read_traces([lines(tmp_path / "printed.jsonl", rows)])


def test_buckets_that_are_more_than_their_total_count_parts_twice(tmp_path: Path) -> None:
    usage = {"input": 1000, "input_modality_1": 1000, "output": 50, "thoughts": 200, "total": 1250}
    seen = observation("g", "GENERATION", 0, 3, model="m", usageDetails=usage)
    calls = read_traces([whole(tmp_path / "a.json", [seen])]).calls
    assert calls[["input_tokens", "output_tokens"]].values.tolist() == [[1000, 250]]


def test_a_cost_that_is_no_amount_is_an_error(tmp_path: Path) -> None:
    seen = observation("g", "GENERATION", 0, 3, model="m", usageDetails=USAGE, totalCost="0,5")
    found = read_traces([whole(tmp_path / "a.json", [seen])])
    assert found.calls["cost_usd"].isna().all()
    assert "totalCost is '0,5', which is no amount" in found.skipped[0]


def test_an_error_of_the_agents_sdk_says_more_in_its_data(tmp_path: Path) -> None:
    span = {"object": "trace.span", "id": "s", "trace_id": "t", "parent_id": None,
            "started_at": "2026-03-01T10:00:00+00:00", "ended_at": "2026-03-01T10:00:03+00:00",
            "span_data": {"type": "generation", "model": "m"},
            "error": {"message": "Error getting response",
                      "data": {"error": "Request timed out."}}}  # fmt: skip
    calls = read_traces([lines(tmp_path / "spans.jsonl", [span])]).calls
    assert calls["status"].tolist() == ["timeout"]
