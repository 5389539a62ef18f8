"""Token counts as APIs and their clients write them, in files of one or a few calls."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import (
    START,
    attributes,
    document,
    lines,
    observation,
    otel,
    stamp,
    whole,
)

COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_write_input_tokens", "output_tokens")


def langsmith(directory: Path, usage: dict[str, Any]) -> Path:
    """Write a run of LangSmith whose message has this usage."""
    message = {"message": {"kwargs": {"usage_metadata": usage}}}
    run = {
        "id": "r",
        "trace_id": "t",
        "run_type": "llm",
        "start_time": stamp(0),
        "end_time": stamp(3),
        "outputs": {"generations": [[message]]},
    }
    return lines(directory / "runs.jsonl", [run])


def counts_in(path: Path) -> list[tuple[int | None, ...]]:
    calls = read_traces([path]).calls
    some = calls[calls["operation_name"] == "chat"][list(COUNTS)].astype(object)
    return [tuple(row) for row in some.where(some.notna(), None).itertuples(index=False)]


USAGES: dict[str, tuple[dict[str, Any], tuple[int | None, ...]]] = {
    "LangChain writes 0 for the sum of what was written for 5 minutes and an hour": (
        {
            "input_tokens": 1000,
            "output_tokens": 50,
            "total_tokens": 1050,
            "input_token_details": {
                "cache_read": 700,
                "cache_creation": 0,
                "ephemeral_5m_input_tokens": 200,
                "ephemeral_1h_input_tokens": 50,
            },
        },
        (1000, 700, 250, 50),
    ),
    "Anthropic's input is without the tokens of the cache": (
        {
            "input_tokens": 1000,
            "cache_read_input_tokens": 700,
            "cache_creation_input_tokens": 250,
            "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 50},
            "output_tokens": 50,
        },
        (1950, 700, 250, 50),
    ),
    "Bedrock's input is without the tokens of the cache": (
        {"inputTokens": 900, "cacheReadInputTokens": 800, "outputTokens": 5},
        (1700, 800, None, 5),
    ),
    "Gemini's output is without its thoughts": (
        {"prompt_token_count": 100, "candidates_token_count": 50, "thoughts_token_count": 20},
        (100, None, None, 70),
    ),
    "Gemini's input is without what tools returned": (
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 60,
            "candidatesTokenCount": 50,
            "thoughtsTokenCount": 20,
            "toolUsePromptTokenCount": 30,
            "totalTokenCount": 200,
        },
        (130, 60, None, 70),
    ),
    "a total shows that the thoughts are in the output": (
        {
            "prompt_token_count": 100,
            "candidates_token_count": 50,
            "thoughts_token_count": 20,
            "total_token_count": 150,
        },
        (100, None, None, 50),
    ),
    "DeepSeek names hits of the cache": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 50,
            "prompt_cache_hit_tokens": 640,
            "prompt_cache_miss_tokens": 360,
        },
        (1000, 640, None, 50),
    ),
}


@pytest.mark.parametrize("name", USAGES)
def test_an_usage_is_counted_once(name: str, tmp_path: Path) -> None:
    usage, expected = USAGES[name]
    assert counts_in(langsmith(tmp_path, usage)) == [expected]


BUCKETS: dict[str, tuple[dict[str, Any], tuple[int | None, ...]]] = {
    "sums lack Anthropic's cached tokens": (
        {
            "usageDetails": {
                "input": 10,
                "cache_read_input_tokens": 900,
                "output": 20,
                "total": 930,
            },
            "promptTokens": 10,
            "completionTokens": 20,
        },
        (910, 900, None, 20),
    ),
    "sums lack them, without a total": (
        {"usageDetails": {"input": 10, "cache_read_input_tokens": 900}, "inputUsage": 10},
        (910, 900, None, None),
    ),
    "Gemini's thoughts": (
        {
            "usageDetails": {
                "prompt_token_count": 100,
                "candidates_token_count": 10,
                "thoughts_token_count": 5,
                "total_token_count": 115,
            }
        },
        (100, None, None, 15),
    ),
    "what was written for 5 minutes": (
        {
            "usageDetails": {
                "input": 60,
                "input_cache_read": 40,
                "input_cache_creation": 0,
                "input_ephemeral_5m_input_tokens": 30,
                "output": 14,
            }
        },
        (130, 40, 30, 14),
    ),
}


@pytest.mark.parametrize("name", BUCKETS)
def test_buckets_of_langfuse_are_counted_once(name: str, tmp_path: Path) -> None:
    said, expected = BUCKETS[name]
    known = {"id": "o", "traceId": "t", "type": "GENERATION", "model": "m"}
    row = {**known, "startTime": stamp(0), "endTime": stamp(4), **said}
    assert counts_in(lines(tmp_path / "observations.jsonl", [row])) == [expected]


def call(n: int, tokens: tuple[int, int, int], **said: Any) -> dict[str, Any]:
    plain, read, output = tokens
    return otel(
        n, None, "chat", 5 * n, 2,
        gen_ai__operation__name="chat", gen_ai__system="AWS", gen_ai__request__model="m",
        gen_ai__usage__input_tokens=plain, gen_ai__usage__cache_read__input_tokens=read,
        gen_ai__usage__output_tokens=output, **said,
    )  # fmt: skip


def test_one_call_shows_that_all_of_its_instrumentation_are_without_cached_tokens(
    tmp_path: Path,
) -> None:
    calls = [call(1, (10, 900, 5)), call(2, (2000, 900, 5)), call(3, (2000, 0, 5))]
    found = counts_in(lines(tmp_path / "spans.jsonl", map(document, calls)))  # type: ignore[arg-type]
    assert [row[0] for row in found] == [910, 2900, 2000]
    alone = counts_in(lines(tmp_path / "alone.jsonl", [document(call(2, (2000, 900, 5)))]))
    assert alone[0][0] == 2000, "nothing shows it: the conventions' rule"


def test_calls_stay_as_they_are_where_others_show_both(tmp_path: Path) -> None:
    calls = [
        call(1, (10, 900, 5)),
        call(2, (2000, 900, 5)),
        call(3, (1000, 900, 5), gen_ai__usage__total_tokens=1005),
    ]
    found = counts_in(lines(tmp_path / "spans.jsonl", map(document, calls)))  # type: ignore[arg-type]
    assert [row[0] for row in found] == [910, 2000, 1000]


def log(at: float, **said: Any) -> dict[str, Any]:
    moment = str(int((START + at) * 10**9))
    return {"timeUnixNano": moment, "attributes": attributes(model="m", **said)}


def logs(directory: Path, *records: dict[str, Any]) -> Path:
    rows = [{"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}]
    return lines(directory / "logs.jsonl", rows)


def test_what_tools_returned_is_a_part_of_the_input_of_gemini_cli(tmp_path: Path) -> None:
    record = log(
        9, event__name="gemini_cli.api_response", duration_ms=4000, input_token_count=100,
        output_token_count=10, thoughts_token_count=5, tool_token_count=30, total_token_count=145,
    )  # fmt: skip
    assert counts_in(logs(tmp_path, record)) == [(130, None, None, 15)]


def test_attempts_of_codex_are_counted_from_one(tmp_path: Path) -> None:
    known: dict[str, Any] = {"event__name": "codex.api_request", "conversation__id": "c"}
    failed = log(1, duration_ms=200, attempt=0, http__response__status_code=500, **known)
    again = log(3, duration_ms=300, attempt=1, **known)
    path = logs(tmp_path, failed, again)
    assert list(read_traces([path]).calls["attempt"]) == [1, 2]


def test_zeros_of_a_call_that_failed_are_no_counts(tmp_path: Path) -> None:
    failed = {"status": {"code": 2, "message": "429"}}
    said = {"gen_ai__usage__cache_creation__input_tokens": 0}
    spans = [call(1, (0, 0, 0), **failed, **said), call(2, (9, 0, 0), **failed)]
    found = counts_in(lines(tmp_path / "spans.jsonl", [document(*spans)]))
    assert found == [(None, None, None, None), (9, 0, None, 0)]
    assert counts_in(langsmith(tmp_path, {"input_tokens": 0, "output_tokens": 0})) == [(None,) * 4]


def test_no_prompt_is_empty(tmp_path: Path) -> None:
    # Writers that were told no counts, of a stream for example, say 0 of a call that went well.
    spans = [call(1, (0, 0, 0)), call(2, (0, 0, 9)), call(3, (9, 0, 0)), call(4, (9, 4, 3))]
    path = lines(tmp_path / "spans.jsonl", [document(*spans)])
    unknown = None, None, None, None
    assert counts_in(path) == [unknown, (None, None, None, 9), (9, 0, None, 0), (9, 4, None, 3)]
    assert read_traces([path]).report.placeholders.count == 2
    table = tmp_path / "calls.csv"
    table.write_text("session,duration_s,input_tokens,output_tokens\na,4,0,0\na,4,900,20\n")
    assert counts_in(table) == [unknown, (900, None, None, 20)]


def test_a_table_that_has_sums_of_tokens_alone_tells_neither_kind(tmp_path: Path) -> None:
    table = tmp_path / "calls.csv"
    table.write_text("session,model,duration_s,total_tokens\na,m,4,900\na,m,5,950\n")
    assert counts_in(table) == [(None, None, None, None)] * 2


@pytest.mark.parametrize("unit", ["TOKENS", "CHARACTERS", None])
def test_usage_of_langfuse_in_another_unit_is_no_count(unit: str | None, tmp_path: Path) -> None:
    row = {
        "id": "o", "traceId": "t", "type": "GENERATION", "model": "m",
        "startTime": stamp(0), "endTime": stamp(2),
    }  # fmt: skip
    usages = [{"usage": {"input": 4000, "output": 400, "unit": unit}},
              {"unit": unit, "promptTokens": 4000, "completionTokens": 400}]  # fmt: skip
    for usage in usages:
        path = lines(tmp_path / "observations.jsonl", [{**row, **usage}])
        is_known = unit in ("TOKENS", None)
        assert counts_in(path) == [(4000, None, None, 400) if is_known else (None,) * 4]
        assert read_traces([path]).report.errors.count == (not is_known)


def test_pydantic_ai_names_cached_tokens_in_its_details(tmp_path: Path) -> None:
    span = otel(
        1, None, "chat", 0, 2,
        gen_ai__operation__name="chat", gen_ai__request__model="m",
        gen_ai__usage__input_tokens=100, gen_ai__usage__output_tokens=10,
        gen_ai__usage__details__cached_tokens=64, gen_ai__usage__details__reasoning_tokens=6,
    )  # fmt: skip
    assert counts_in(lines(tmp_path / "spans.jsonl", [document(span)])) == [(100, 64, None, 10)]


def test_counts_may_be_in_the_answer_alone(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    answer = json.dumps({"usage": usage, "choices": [{"finish_reason": "stop"}]})
    said = {"mlflow__spanType": '"CHAT_MODEL"', "mlflow__spanOutputs": answer}
    counted = {**said, "mlflow__chat__tokenUsage": '{"input_tokens": 7, "output_tokens": 1}'}
    spans = [otel(1, None, "c", 0, 2, **said), otel(2, None, "c", 3, 2, **counted)]
    found = counts_in(lines(tmp_path / "spans.jsonl", [document(*spans)]))
    assert found == [(100, None, None, 10), (7, None, None, 1)]


def test_a_table_of_helicone_has_its_cache_and_its_sessions(tmp_path: Path) -> None:
    row = {
        "request_created_at": stamp(0),
        "response_created_at": stamp(3),
        "request_model": "m",
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_cache_read_tokens": 64,
        "prompt_cache_write_tokens": 0,
        "request_properties": {"Helicone-Session-Id": "s1"},
    }
    path = lines(tmp_path / "requests.jsonl", [row])
    assert counts_in(path) == [(100, 64, 0, 20)]
    assert list(read_traces([path]).calls["run_id"]) == ["s1"]


def test_costs_may_have_the_sign_of_dollars_but_of_no_other_currency(tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    rows = ["$0.01", '"$1,234.50"', "0.5 USD", "US$ 2", "€2"]
    path.write_text("model,duration_s,cost\n" + "".join(f"m,1.5,{each}\n" for each in rows))
    traces = read_traces([path])
    known = traces.calls["cost_usd"]
    assert known.dropna().tolist() == [0.01, 1234.5, 0.5, 2.0]
    assert known.isna().sum() == traces.report.errors.count == 1


OTHERS: dict[str, tuple[Any, str]] = {
    "zipkin": (
        [{"traceId": "a", "id": "b", "timestamp": 1, "duration": 2, "tags": {}}],
        "spans of Zipkin",
    ),
    "datadog": (
        {"data": [{"attributes": {"start_ns": 1, "duration": 2, "meta": {}}}]},
        "spans of Datadog",
    ),
    "openai_usage": (
        {"data": [{"object": "bucket", "start_time": 1, "end_time": 2, "results": []}]},
        "a report of usage",
    ),
    "anthropic_usage": (
        {"data": [{"starting_at": stamp(0), "ending_at": stamp(1), "results": []}]},
        "a report of usage",
    ),
    "cline": ([{"ts": 1, "type": "say", "say": "api_req_started", "text": "{}"}], "what Cline"),
    "autogen": (
        {
            "type": "LLMCall",
            "messages": [],
            "response": {},
            "prompt_tokens": 9,
            "completion_tokens": 1,
            "agent_id": "a",
        },
        "events of AutoGen",
    ),
    "cursor": (
        {"Date": stamp(0), "Model": "m", "Max Mode": "No", "Cache Read": 9, "Output Tokens": 1},
        "a report of Cursor's usage",
    ),
    "batch": ({"custom_id": "a", "response": {}}, "answers of a batch"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_format_that_is_not_read_is_named_beside_those_that_are(
    name: str, tmp_path: Path
) -> None:
    content, what = OTHERS[name]
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(content))
    with pytest.raises(TeamsimError, match=f"it holds {what}.*Formats that are read: braintrust, "):
        read_traces([path])


def test_an_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "log.eval", "w") as archive:
        archive.writestr("header.json", "{}")
    with pytest.raises(TeamsimError, match=r"zip archive.*Formats that are read: braintrust, "):
        read_traces([tmp_path / "log.eval"])


def test_embeddings_have_the_tokens_that_they_read(tmp_path: Path) -> None:
    said = {"gen_ai__operation__name": "embeddings", "gen_ai__request__model": "e"}
    outer = otel(1, None, "embeddings e", 0, 3, **said)  # a framework's, around the client's
    inner = otel(2, 1, "embeddings e", 1, 1, **said, gen_ai__usage__input_tokens=700)
    spans = (outer, inner)
    otlp = lines(tmp_path / "spans.jsonl", [document(*spans)])
    run = {"id": "r", "trace_id": "t", "run_type": "embedding", "start_time": stamp(0)}
    usage = {"usage_metadata": {"input_tokens": 700, "output_tokens": 0, "total_tokens": 700}}
    smith = lines(tmp_path / "runs.jsonl", [{**run, "end_time": stamp(3), "outputs": usage}])
    fuse = lines(
        tmp_path / "fuse.jsonl",
        [observation("o", "EMBEDDING", 0, 3, usageDetails={"input": 700})],
    )
    for path in (otlp, smith, fuse):
        found = read_traces([path])
        assert found.calls["operation_name"].tolist() == ["embeddings"], path
        assert found.calls["input_tokens"].tolist() == [700], path
        assert found.report.calls == 0  # a call of a model that writes is another thing


def test_spans_that_rank_have_the_tokens_that_they_read(tmp_path: Path) -> None:
    kind = {"openinference__span__kind": "RERANKER", "reranker__model_name": "rerank-3"}
    count = {"llm__token_count__prompt": 700}
    old = {"llm__request__type": "rerank", "gen_ai__request__model": "rerank-3"}
    spans = [
        otel(1, None, "Rerank.postprocess", 0, 3, **kind),  # around the client's
        otel(2, 1, "Client.rerank", 1, 1, **kind, **count),
        otel(3, None, "cohere.rerank", 4, 1, **old, gen_ai__usage__input_tokens=600),
        # One that asks a model, with the sum of what it asked: its tokens count once.
        otel(4, None, "LLMRerank.postprocess", 6, 3, **kind, **count),
        otel(5, 4, "chat", 7, 1, **count, openinference__span__kind="LLM"),
    ]
    calls = read_traces([lines(tmp_path / "spans.jsonl", [document(*spans)])]).calls
    assert calls["operation_name"].tolist() == ["rerank", "rerank", "rerank", "chat"]
    assert calls["input_tokens"].fillna(0).tolist() == [700, 600, 0, 700]
    assert calls["request_model"].tolist()[:3] == ["rerank-3"] * 3


@pytest.mark.parametrize("said", [-5, 10**15, "many", float("inf")])
def test_what_is_no_count_is_unknown_and_said(tmp_path: Path, said: Any) -> None:
    span = otel(
        1, None, "chat m", 0, 3, gen_ai__operation__name="chat", gen_ai__request__model="m",
        gen_ai__usage__input_tokens=said, gen_ai__usage__output_tokens=50,
    )  # fmt: skip
    usage = {"input": said, "output": 50}
    paths = [
        lines(tmp_path / "spans.jsonl", [document(span)]),
        langsmith(tmp_path, {"input_tokens": said, "output_tokens": 50}),
        lines(tmp_path / "fuse.jsonl", [observation("o", "GENERATION", 0, 3, usageDetails=usage)]),
    ]
    for path in paths:
        if path.name == "fuse.jsonl" and isinstance(said, str):
            continue  # a text in a bucket, as a unit, is no count that is wrong
        found = read_traces([path])
        assert counts_in(path) == [(None, None, None, 50)], path
        assert found.report.errors.count == 1, path
        assert "which is no count" in str(found.report.errors.first)
        assert "1 row or value with an error" in found.report.line()


def test_what_a_model_was_asked_is_no_count(tmp_path: Path) -> None:
    path = langsmith(tmp_path, {"input_tokens": 90, "output_tokens": 50})
    asked = {"total_tokens": "as many as you like", "usage": {"input_tokens": -1}}
    path = lines(path, [json.loads(path.read_text("utf-8")) | {"inputs": asked}])
    assert counts_in(path) == [(90, None, None, 50)]
    assert read_traces([path]).report.errors.count == 0


def test_a_count_that_is_missing_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "phoenix.csv"
    path.write_text(
        "name,span_kind,parent_id,start_time,end_time,status_code,context.span_id,"
        "context.trace_id,attributes.llm.model_name,attributes.llm.token_count.prompt\n"
        f"ChatOpenAI,LLM,,{stamp(0)},{stamp(4)},OK,s1,t1,m,800\n"
        f"ChatOpenAI,LLM,,{stamp(5)},{stamp(6)},ERROR,s2,t1,m,\n"
        f"ChatOpenAI,LLM,,{stamp(7)},{stamp(9)},ERROR,s3,t1,m,nan\n"
    )
    assert read_traces([path]).report.errors.count == 0


@pytest.mark.parametrize(
    ("wrong", "rows", "is_apart"), [(0, 40, False), (3, 40, False), (30, 40, True), (1, 3, True)]
)
def test_a_few_rows_do_not_say_how_all_are_read(
    tmp_path: Path, wrong: int, rows: int, is_apart: bool
) -> None:
    path = tmp_path / "calls.csv"
    heads = "start_s,end_s,model,prompt_tokens,cached_tokens,completion_tokens\n"
    said = [f"{i},{i + 1},m,1000,{1500 if i < wrong else 700},50\n" for i in range(rows)]
    path.write_text(heads + "".join(said))
    found = read_traces([path])
    usual = 1700 if is_apart else 1000
    assert found.calls["input_tokens"].tolist() == [2500] * wrong + [usual] * (rows - wrong)
    notes = [note for note in found.notes if "cached tokens" in note]
    assert len(notes) == (wrong > 0)
    if wrong == 3:
        assert "3 rows of 40 with more cached tokens than input" in notes[0]


@pytest.mark.parametrize(
    ("column", "names"),
    [("provider", ("anthropic", "openai", "groq")), ("model", ("a/claude-4", "gpt-5", "llama"))],
)
def test_each_provider_of_a_table_counts_as_its_api_does(
    tmp_path: Path, column: str, names: tuple[str, str, str]
) -> None:
    path = tmp_path / "calls.csv"
    said = [f"start_s,end_s,{column},prompt_tokens,cached_tokens,completion_tokens\n"]
    for i in range(40):  # one writes the input without the cached tokens, the others with them
        said += [f"{i},{i + 1},{names[0]},{(300, 1000)[i % 2]},700,50\n"]
        said += [f"{i},{i + 1},{names[1]},1000,700,50\n", f"{i},{i + 1},{names[2]},500,,50\n"]
    path.write_text("".join(said))
    found = read_traces([path])
    calls = found.calls.sort_values(["start_ns"], kind="stable")
    assert calls["input_tokens"].tolist() == [1000, 1000, 500, 1700, 1000, 500] * 20
    whose = "anthropic" if column == "provider" else "claude"
    assert any(f"the input of {whose} does not hold" in note for note in found.notes)


def rows_of_provider(path: Path, provider: str, *rows: str) -> Traces:
    """Read a table with these rows, in turn, of model, input, cached tokens and total."""
    said = ["start_s,end_s,provider,model,input,cached_tokens,output_tokens,total_tokens\n"]
    for i in range(20):
        said += [f"{2 * i + j},{2 * i + j + 1},{provider},{each}\n" for j, each in enumerate(rows)]
    path.write_text("".join(said))
    return read_traces([path])


@pytest.mark.parametrize("total", ["", "1050"])
def test_models_of_a_gateway_count_as_their_apis_do(tmp_path: Path, total: str) -> None:
    """Claude's input is without the cached tokens, and that of GPT with them."""
    rows = "a/claude-4,300,700,50,", f"gpt-5,1000,700,50,{total}"
    found = rows_of_provider(tmp_path / "calls.csv", "litellm", *rows)
    assert found.calls.sort_values("start_ns")["input_tokens"].tolist() == [1000, 1000] * 20
    (note,) = (note for note in found.notes if "cached tokens" in note)
    assert "the input of litellm claude does not hold the cached tokens" in note


def test_spans_of_a_gateway_count_as_their_apis_do(tmp_path: Path) -> None:
    spans = [
        otel(
            i + 1, None, "chat", i, 1, gen_ai__operation__name="chat",
            gen_ai__provider__name="litellm", gen_ai__usage__output_tokens=50,
            gen_ai__request__model=("claude-4", "gpt-5")[i % 2],
            gen_ai__usage__input_tokens=(300, 1000)[i % 2 or i % 4 // 2],
            gen_ai__usage__cache_read__input_tokens=700,
        )
        for i in range(40)
    ]  # fmt: skip
    found = read_traces([lines(tmp_path / "spans.jsonl", [document(*spans)])])
    inputs = found.calls.sort_values("start_ns")["input_tokens"].tolist()
    assert inputs == [1000, 1000, 1700, 1000] * 10


@pytest.mark.parametrize(("few", "read"), [(5, 1700), (15, 1000)])
def test_a_few_spans_of_a_model_count_as_others_of_its_provider(
    tmp_path: Path, few: int, read: int
) -> None:
    """Few cannot show by themselves that their input is without the cached tokens."""
    spans = [
        otel(
            i + 1, None, "chat", i, 1, gen_ai__operation__name="chat",
            gen_ai__provider__name="openai", gen_ai__usage__output_tokens=50,
            gen_ai__request__model="o3" if i < few else "gpt-5",
            gen_ai__usage__input_tokens=1000 if i < few else 300,
            gen_ai__usage__cache_read__input_tokens=700,
        )
        for i in range(40)
    ]  # fmt: skip
    found = read_traces([lines(tmp_path / "spans.jsonl", [document(*spans)])])
    inputs = found.calls.sort_values("start_ns")["input_tokens"].tolist()
    assert inputs == [read] * few + [1000] * (40 - few)


def test_models_of_one_api_count_alike(tmp_path: Path) -> None:
    rows = "opus,300,700,50,", "haiku,1000,700,50,"
    found = rows_of_provider(tmp_path / "calls.csv", "anthropic", *rows)
    assert found.calls.sort_values("start_ns")["input_tokens"].tolist() == [1000, 1700] * 20


@pytest.mark.parametrize(("rows", "is_apart"), [(1, False), (3, True)])
def test_two_conventions_of_one_model_are_said(tmp_path: Path, rows: int, is_apart: bool) -> None:
    """Totals of one row show that the input has the cached tokens, those of others that not."""
    within, apart = "gpt-5,1000,700,50,1050", "gpt-5,1000,700,50,1750"
    found = rows_of_provider(
        tmp_path / "calls.csv", "proxy", *[apart] * rows, *[within] * (4 - rows)
    )
    assert set(found.calls["input_tokens"]) == {1700 if is_apart else 1000}
    (note,) = (note for note in found.notes if "all are taken as if" in note)
    assert f"of proxy, {20 * rows} rows show that the input does not hold the cached" in note
    assert f"as if it {'did not' if is_apart else 'did'}" in note


@pytest.mark.parametrize(
    ("name", "of_within", "of_apart", "is_told"),
    [
        ("gateway", ["a"], ["b"], True),
        ("source file", ["a.jsonl"] * 4, ["b.jsonl", "c.jsonl"], True),
        ("gateway", ["a"], ["a", "b"], False),
        ("port", ["8080"], ["8081"], False),  # a number may follow from the counts
    ],
)
def test_another_column_may_tell_two_conventions_of_one_model_apart(
    tmp_path: Path, name: str, of_within: list[str], of_apart: list[str], is_told: bool
) -> None:
    """Where it does, a row without a total is as the others with the same value."""
    rows = [f"start_s,end_s,provider,model,input,cached_tokens,output_tokens,total_tokens,{name}\n"]
    for i in range(20):
        within, apart = of_within[i % len(of_within)], of_apart[i % len(of_apart)]
        total = "" if i > 15 else 1050
        rows += [f"{2 * i},{2 * i + 1},proxy,gpt-5,1000,700,50,{total},{within}\n",
                 f"{2 * i + 1},{2 * i + 2},proxy,gpt-5,300,700,50,{total},{apart}\n"]  # fmt: skip
    path = tmp_path / "calls.csv"
    path.write_text("".join(rows))
    found = read_traces([path])
    is_right = found.calls["input_tokens"].tolist() == [1000] * 40
    assert is_right == is_told
    assert any(f"{name!r} tells which" in note for note in found.notes) == is_told
    assert any("all are taken as if" in note for note in found.notes) != is_told


@pytest.mark.parametrize(("wrong", "is_apart"), [(3, False), (30, True)])
def test_a_few_spans_do_not_say_how_all_are_read(
    tmp_path: Path, wrong: int, is_apart: bool
) -> None:
    spans = [
        otel(
            i + 1, None, "chat m", i, 1, gen_ai__operation__name="chat",
            gen_ai__request__model="m", gen_ai__usage__input_tokens=1000,
            gen_ai__usage__output_tokens=50,
            gen_ai__usage__cache_read__input_tokens=1500 if i < wrong else 700,
        )
        for i in range(40)
    ]  # fmt: skip
    found = read_traces([lines(tmp_path / "spans.jsonl", [document(*spans)])])
    usual = 1700 if is_apart else 1000
    assert found.calls["input_tokens"].tolist() == [2500] * wrong + [usual] * (40 - wrong)
    assert sum("cached tokens" in note for note in found.notes) == 1


def test_outputs_of_one_instrumentation_hold_the_reasoning_or_none_does(tmp_path: Path) -> None:
    """Gemini's API has 200 tokens of reasoning beside 50, so that 20 are beside 60, too."""

    def call(number: int, model: str, wrote: int, thought: int) -> dict[str, Any]:
        said: dict[str, Any] = {"gen_ai__operation__name": "chat", "gen_ai__request__model": model,
                                "gen_ai__usage__input_tokens": 900,
                                "gen_ai__usage__output_tokens": wrote,
                                "gen_ai__usage__reasoning__output_tokens": thought}  # fmt: skip
        return otel(number, None, "chat", 10.0 * number, 3, **said)

    spans = [call(1, "gemini-2.5-pro", 50, 200), call(2, "gemini-2.5-pro", 60, 20),
             call(3, "gpt-5", 60, 20), call(4, "gpt-5", 0, 20)]  # fmt: skip
    found = read_traces([whole(tmp_path / "spans.json", document(*spans))])
    assert found.calls["output_tokens"].tolist() == [250, 80, 60, 20]  # the last was cut off
    assert any("1 call: the output does not hold the reasoning" in n for n in found.notes)


CUT = {"status": {"code": 2, "message": "429"}}


def test_a_call_that_failed_does_not_tell_how_others_count(tmp_path: Path) -> None:
    spans = [
        otel(1, None, "chat", 0, 2, **cached_chat(1000, 900)),
        otel(2, None, "chat", 3, 4, **cached_chat(0, 900), **CUT),
        otel(3, None, "chat", 5, 7, **cached_chat(1000, 900)),
    ]
    found = counts_in(whole(tmp_path / "spans.json", document(*spans)))
    assert [row[0] for row in found] == [1000, 900, 1000]
    table = tmp_path / "calls.csv"
    table.write_text(
        "start_s,end_s,input_tokens,cache_read_input_tokens,output_tokens,status\n"
        "0,2,1000,900,10,ok\n3,4,0,900,0,error\n5,7,1000,900,10,ok\n"
    )
    assert [row[0] for row in counts_in(table)] == [1000, 900, 1000]


def cached_chat(read: int, cached: int) -> dict[str, Any]:
    """Return the attributes of a call that found tokens in the cache."""
    return {
        "gen_ai__operation__name": "chat",
        "gen_ai__request__model": "m",
        "gen_ai__usage__input_tokens": read,
        "gen_ai__usage__cache_read__input_tokens": cached,
        "gen_ai__usage__output_tokens": 10 if read else 0,
    }
