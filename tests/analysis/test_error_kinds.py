"""What errors are called, whoever has written them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.observation.findings import findings
from analysis.observation.observe import observe
from analysis.observation.summary import summary
from analysis.observation.writing import without_texts
from analysis.traces.error_kinds import error_kind
from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import claude_event, claude_message, document, lines, otel, whole

OVERLOADED = '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
TOO_LONG = OVERLOADED.replace("overloaded_error", "invalid_request_error").replace(
    "Overloaded", "prompt is too long: 2 tokens > 1 maximum"
)


@pytest.mark.parametrize(
    ("named", "message", "http", "wanted"),
    [
        ("RateLimitError", "Error code: 429", None, "RateLimitError"),
        ("overloaded_error", None, 529, "overloaded_error"),
        (
            None,
            "Error code: 429 - {'error': {'message': 'Rate limit reached'}}",
            None,
            "rate_limit",
        ),
        (None, "Provider returned error", 429, "rate_limit"),
        ("KeyError: 'secret'", "Error", None, "KeyError"),
        ("unknown", f"API Error: 529 {OVERLOADED}", None, "overloaded"),
        ("invalid_request", f"API Error: 400 {TOO_LONG}", None, "prompt_too_long"),
        ("BadRequestError", "{'code': 'context_length_exceeded'}", 400, "prompt_too_long"),
        (None, "This request appears to violate our Usage Policy", None, "refusal"),
        ("APIError", "{'error': {'type': 'authentication_error'}}", 401, "authentication_error"),
        (None, "openai.APIConnectionError: Connection error.", None, "APIConnectionError"),
        ("unknown", "it went wrong", None, "unknown"),
        (None, "it went wrong", None, "it went wrong"),
        (None, None, 503, "503"),
        (None, None, None, None),
    ],
)
def test_the_kind_of_an_error_is_its_name_also_in_a_message(
    named: str | None, message: str | None, http: int | None, wanted: str | None
) -> None:
    assert error_kind(named, message, http) == wanted


def test_a_table_tells_errors_beside_a_status_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(
        "start_s,end_s,input_tokens,output_tokens,status,error\n"
        "0,1,9,9,ok,it went wrong\n2,3,9,9,overloaded,\n4,5,9,9,error,429 Too Many Requests\n"
    )
    found = read_traces([path]).calls["error_type"].tolist()
    assert found == ["it went wrong", "overloaded", "rate_limit"]


@pytest.mark.slow
def test_what_is_observed_names_the_errors_and_quotes_none(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_text(
        "start_s,end_s,input_tokens,output_tokens,error\n0,1,9,9,\n2,3,9,9,429 rate limit\n"
        "4,5,9,9,overloaded_error\n6,7,9,9,a zebra was there\n8,9,9,9,Rate limit: again\n"
    )
    found = findings(observe(read_traces([path]), "x", 2), None)
    assert found["errors"] == [
        {"error": "rate_limit", "calls": 2},
        {"error": "overloaded_error", "calls": 1},
        {"error": "not named", "calls": 1},
    ]
    lines = " ".join(summary(found, 80))
    assert "errors of models: rate_limit 2, overloaded_error 1, not named 1" in lines
    assert "zebra" not in lines


def kinds_in(path: Path) -> pd.DataFrame:
    """Return how the calls of a file ended, as tables that are written have it."""
    calls = without_texts(read_traces([path])).calls
    return calls[["operation_name", "status", "error_type", "tool_name"]].astype(object)


def test_messages_of_spans_leave_names_in_tables(tmp_path: Path) -> None:
    chat = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "m"}
    said = "litellm.RateLimitError: what the prompt said"
    failed: dict[str, Any] = {"status": {"code": 2, "message": said}}
    found = kinds_in(
        whole(tmp_path / "s.json", document(otel(1, None, "chat", 0, 1, **chat, **failed)))
    )
    assert found["error_type"].tolist() == ["rate_limit"]


def test_the_code_that_an_agent_of_ag2_runs_is_a_tool(tmp_path: Path) -> None:
    agent = {"gen_ai__agent__name": "executor"}
    spans = [
        otel(1, None, "invoke_agent", 0, 9, gen_ai__operation__name="invoke_agent", **agent),
        otel(2, 1, "execute_code executor", 1, 8, gen_ai__operation__name="execute_code",
             error__type="CodeExecutionError", ag2__code_execution__exit_code=1, **agent),
    ]  # fmt: skip
    found = kinds_in(whole(tmp_path / "s.json", document(*spans)))
    (tool,) = found[found["operation_name"] == "execute_tool"].to_dict("records")
    assert (tool["tool_name"], tool["status"], tool["error_type"]) == (
        "execute_code", "error", "CodeExecutionError")  # fmt: skip


@pytest.mark.parametrize("reason", ["refusal", "content_filter", "content-filter", "SAFETY"])
def test_an_answer_that_was_refused_is_none(reason: str, tmp_path: Path) -> None:
    span = otel(1, None, "chat", 0, 1, gen_ai__operation__name="chat",
                gen_ai__response__finish_reasons=[reason])  # fmt: skip
    found = kinds_in(whole(tmp_path / "s.json", document(span)))
    assert found[["status", "error_type"]].values.tolist() == [["error", reason]]


def test_a_session_of_claude_code_names_its_refusals_and_errors(tmp_path: Path) -> None:
    def failed(at: float, uuid: str, parent: str, said: str) -> dict[str, Any]:
        message = {"id": uuid, "model": "<synthetic>", "stop_reason": "stop_sequence",
                   "content": [{"type": "text", "text": said}]}  # fmt: skip
        return claude_event(at, uuid, parent, type="assistant", isApiErrorMessage=True,
                            error="unknown", message=message)  # fmt: skip

    rows = [
        claude_event(0, "u1", None),
        failed(2, "a1", "u1", f"API Error: 529 {OVERLOADED}"),
        claude_event(3, "u2", "a1"),
        failed(4, "a2", "u2", "Prompt is too long"),
        claude_event(5, "u3", "a2"),
        claude_message(8, "a3", "u3", "m3", stop="refusal"),
    ]
    found = kinds_in(lines(tmp_path / "S1.jsonl", rows))
    assert found["status"].tolist() == ["error"] * 3
    assert found["error_type"].tolist() == ["overloaded", "prompt_too_long", "refusal"]


def test_openrouter_has_the_word_of_the_provider_beside_its_own(tmp_path: Path) -> None:
    path = tmp_path / "openrouter_activity.csv"
    path.write_text(
        "generation_id,created_at,tokens_prompt,tokens_completion,model_permaslug,cancelled,"
        "finish_reason_raw,finish_reason_normalized,generation_time_ms\n"
        "g1,2026-03-01 10:00:00.123,900,9,m,false,end_turn,stop,4000\n"
        "g2,2026-03-01 10:00:10.123,900,0,m,false,MALFORMED_FUNCTION_CALL,error,4000\n"
        "g3,2026-03-01 10:00:20.123,900,0,m,false,refusal,content_filter,4000\n"
        "g4,2026-03-01 10:00:30.123,900,0,m,false,,error,4000\n"
        "g5,2026-03-01 10:00:40.123,900,0,m,false,engine_overloaded,error,4000\n"
        "g6,2026-03-01 10:00:50.123,900,0,m,false,stop,content_filter,4000\n"
    )
    found = kinds_in(path)
    assert found["status"].tolist() == ["ok", *["error"] * 5]
    names = ["MALFORMED_FUNCTION_CALL", "refusal", "error", "error", "content_filter"]
    assert found["error_type"].tolist()[1:] == names
