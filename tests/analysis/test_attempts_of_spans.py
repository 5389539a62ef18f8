"""Spans around several calls of models, as of a library that tries again, and handled failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import document, otel, whole

CHAT = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m"}
COUNTED = {"gen_ai__usage__input_tokens": 100, "gen_ai__usage__output_tokens": 10}
FAILED: dict[str, Any] = {"status": {"code": 2, "message": "429"}}


def read(path: Path, *spans: dict[str, Any]) -> Traces:
    return read_traces([whole(path / "spans.json", document(*spans))])


def test_the_attempt_that_was_answered_has_the_tokens(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        otel(1, None, "library", 0, 5, **CHAT, **COUNTED),
        otel(2, 1, "client", 0.1, 1, **CHAT, **FAILED),
        otel(3, 1, "client", 2, 2.9, **CHAT),
    )
    assert found.calls["status"].tolist() == ["error", "ok"]
    assert found.calls["input_tokens"].isna().tolist() == [True, False]
    assert found.calls["output_tokens"].tolist()[1] == 10


def test_tokens_of_several_answers_are_given_to_none(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        otel(1, None, "library", 0, 5, **CHAT, **COUNTED),
        otel(2, 1, "client", 0.1, 1, **CHAT),
        otel(3, 1, "client", 2, 2.9, **CHAT),
    )
    assert found.calls["output_tokens"].isna().all()
    assert any("1 span left out with tokens of several calls" in note for note in found.notes)


def test_a_library_that_fails_after_its_model_has_answered_is_no_failed_call(
    tmp_path: Path,
) -> None:
    found = read(
        tmp_path,
        otel(1, None, "library", 0, 5, **CHAT, **FAILED),
        otel(2, 1, "client", 0.1, 4, **CHAT, **COUNTED),
    )
    assert found.calls["status"].tolist() == ["ok"]


def test_an_exception_in_a_span_that_went_well_was_handled(tmp_path: Path) -> None:
    raised = {"name": "exception", "timeUnixNano": "1780000000000000000", "attributes": [
        {"key": "exception.type", "value": {"stringValue": "RetryError"}}]}  # fmt: skip
    statuses = []
    for code in (1, 0):
        span = otel(1, None, "client", 0, 3, **CHAT, **COUNTED, status={"code": code})
        found = read(tmp_path, span | {"events": [raised]})
        statuses += found.calls["status"].tolist()
    assert statuses == ["ok", "error"]
