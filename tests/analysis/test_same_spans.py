"""A span that was written twice counts once; another with its ids counts, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import document, lines, observation, otel


def calls(begins: float = 0.0, model: str = "m", wrote: int = 50, **said: Any) -> dict[str, Any]:
    """Return a trace of three calls of one agent, with the same ids whatever else it says."""
    agent = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": "a", **said}
    spans = [
        otel(2 + i, 1, "chat m", begins + 10.0 * i, 4.0, gen_ai__operation__name="chat",
             gen_ai__request__model=model, gen_ai__usage__input_tokens=100 + i,
             gen_ai__usage__output_tokens=wrote)
        for i in range(3)
    ]  # fmt: skip
    return document(otel(1, None, "invoke_agent a", begins, 30.0, **agent), *spans)


def read(directory: Path, *documents: dict[str, Any]) -> Traces:
    return read_traces([lines(directory / f"run-{i}.jsonl", [d]) for i, d in enumerate(documents)])


def note(found: Traces) -> str:
    return "; ".join(found.notes)


def test_a_trace_that_was_exported_twice_counts_once(tmp_path: Path) -> None:
    found = read(tmp_path, calls(), calls())
    assert (len(found.chats), found.report.runs, found.report.duplicates.count) == (3, 1, 4)
    assert "other runs" not in note(found)
    with pytest.raises(TeamsimError, match=r"left out: 4 duplicates, the first: .*run-1\.jsonl"):
        found.report.check_complete()


def test_a_part_of_a_trace_in_another_file_belongs_to_it(tmp_path: Path) -> None:
    later = calls()
    spans = later["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans[:] = spans[3:]
    first = calls()
    first["resourceSpans"][0]["scopeSpans"][0]["spans"].pop()
    found = read(tmp_path, first, later)
    assert (len(found.chats), found.report.runs, found.report.duplicates.count) == (3, 1, 0)


def test_runs_whose_spans_are_numbered_alike_are_several_runs(tmp_path: Path) -> None:
    for i, other in enumerate((calls(100.0), calls(model="n"), calls(wrote=70))):
        (tmp_path / str(i)).mkdir()
        found = read(tmp_path / str(i), calls(), other, other)
        assert (len(found.chats), found.report.runs) == (6, 2)
        assert found.report.duplicates.count == 4  # the last file, which is the second again
        assert "8 spans with the ids of others" in note(found)
        assert "run-1.jsonl" in note(found)
        assert found.chats["agent_id"].notna().all()


def test_runs_of_one_session_name_stay_apart_too(tmp_path: Path) -> None:
    said = {"gen_ai__conversation__id": "demo-0"}
    found = read(tmp_path, calls(**said), calls(100.0, **said))
    assert sorted(found.runs["run_id"]) == ["demo-0", "demo-0#2"]
    assert found.chats.groupby("run_id").size().tolist() == [3, 3]


def test_runs_one_after_another_in_a_file_are_several_runs(tmp_path: Path) -> None:
    path = lines(tmp_path / "all.jsonl", [calls(100.0 * i) for i in range(3)])
    found = read_traces([path])
    assert (len(found.chats), found.report.runs, found.report.duplicates.count) == (9, 3, 0)


def test_one_span_that_is_told_in_two_ways_is_said(tmp_path: Path) -> None:
    again = json.loads(json.dumps(calls()).replace('"intValue": "102"', '"intValue": "999"'))
    found = read(tmp_path, calls(), again)
    assert (len(found.chats), found.report.runs, found.report.duplicates.count) == (3, 1, 4)
    assert "told twice, and not alike: 1;" in note(found)


def test_a_store_that_is_told_later_how_much_was_written_has_one_call(tmp_path: Path) -> None:
    seen = [
        observation("g", "GENERATION", 0, 3, model="m", usageDetails={"input": 100, "output": n})
        for n in (1, 10, 4)
    ]
    found = read_traces([lines(tmp_path / "observations.jsonl", seen)])
    assert found.calls[["input_tokens", "output_tokens"]].values.tolist() == [[100, 10]]
    assert found.report.duplicates.count == 2
