"""The first token of a streamed answer, where an event in its span tells when it came."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import (
    SECOND,
    START,
    document,
    lines,
    observation,
    otel,
    stamp,
    whole,
)

SAID = {"gen_ai__operation__name": "chat", "gen_ai__usage__output_tokens": 9}


@pytest.mark.parametrize("name", ["First Token Stream Event", "llm.content.completion.chunk"])
def test_the_first_event_of_a_chunk_in_a_span_is_its_first_token(tmp_path: Path, name: str) -> None:
    events = [{"name": name, "timeUnixNano": str(int((START + at) * SECOND))} for at in (0.5, 0.9)]
    span = otel(1, None, "chat", 0, 3, **SAID) | {"events": events}
    found = read_traces([whole(tmp_path / "spans.json", document(span))])
    assert found.calls["first_chunk_s"].tolist() == [0.5]


def test_so_is_that_of_a_span_of_phoenix(tmp_path: Path) -> None:
    span = {"context": {"trace_id": "t", "span_id": "s"}, "name": "ChatCompletion",
            "span_kind": "LLM", "start_time": stamp(0), "end_time": stamp(3), "status_code": "OK",
            "attributes": {"llm": {"token_count": {"prompt": 100, "completion": 10}}},
            "events": [{"name": "First Token Stream Event", "timestamp": stamp(0.5)}]}  # fmt: skip
    found = read_traces([lines(tmp_path / "spans.jsonl", [span])])
    assert found.calls["first_chunk_s"].tolist() == [0.5]


@pytest.mark.parametrize("name", ["timeToFirstToken", "time_to_first_token"])
@pytest.mark.parametrize("said", [0.8, 800])
def test_langfuse_tells_of_it_in_seconds_or_milliseconds(
    tmp_path: Path, name: str, said: float
) -> None:
    row = observation("g", "GENERATION", 1, 4, **{"model": "m", name: said})
    traces = read_traces([whole(tmp_path / "trace.json", [row])])
    assert traces.calls["first_chunk_s"].tolist() == [0.8]
    assert not traces.skipped


def test_langfuse_may_have_the_details_of_an_answer_as_objects(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
             "prompt_tokens_details": {"cached_tokens": 600},
             "completion_tokens_details": {"reasoning_tokens": 30}}  # fmt: skip
    row = observation("g", "GENERATION", 1, 4, model="m", usageDetails=usage)
    call = read_traces([whole(tmp_path / "trace.json", [row])]).calls.iloc[0]
    assert (call["input_tokens"], call["cache_read_input_tokens"]) == (1000, 600)
    assert (call["output_tokens"], call["reasoning_output_tokens"]) == (100, 30)
