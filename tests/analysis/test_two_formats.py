"""A run that files of two formats tell of counts once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError
from tests.analysis.trace_samples import START, document, lines, otel

TRACE = f"{7:032x}"


def stamp(at: float) -> str:
    """Return a time in milliseconds, as Langfuse writes it."""
    shown = datetime.fromtimestamp(START + at, UTC).isoformat(timespec="milliseconds")
    return shown.replace("+00:00", "Z")


def spans(n: int = 4, **said: Any) -> list[dict[str, Any]]:
    """Return an agent with calls of 4 s, 9 s apart, and a tool after each."""
    agent = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": "a"}
    found = [otel(1, None, "invoke_agent a", 0, 9.0 * n, **agent)]
    for i in range(n):
        counts = {"gen_ai__usage__input_tokens": 1000 + i, "gen_ai__usage__output_tokens": 50 + i}
        found += [
            otel(2 * i + 2, 1, "chat m", 9 * i + 0.0004, 4.0003, gen_ai__operation__name="chat",
                 gen_ai__request__model="m", **{**counts, **said}),
            otel(2 * i + 3, 1, "execute_tool grep", 9 * i + 4.5, 2,
                 gen_ai__operation__name="execute_tool", gen_ai__tool__name="grep"),
        ]  # fmt: skip
    return found


def observations(
    first: int = 0, n: int = 4, trace: str = TRACE, agent: str = "a", shift: float = 0.0,
    **said: Any,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the same as Langfuse's observations."""
    end = stamp(9.0 * n + shift)
    found: list[dict[str, Any]] = [
        {"id": "o1", "traceId": trace, "type": "AGENT", "name": agent,
         "startTime": stamp(9 * first + shift), "endTime": end}
    ]  # fmt: skip
    for i in range(first, n):
        usage = {"input": 1000 + i, "output": 50 + i}
        found += [
            {"id": f"g{i}", "traceId": trace, "parentObservationId": "o1", "type": "GENERATION",
             "name": "chat m", "model": "m-2026-01-01", "startTime": stamp(9 * i + shift),
             "endTime": stamp(9 * i + 4.001 + shift), "usageDetails": usage, "totalCost": 0.25,
             **said},
            {"id": f"t{i}", "traceId": trace, "parentObservationId": "o1", "type": "TOOL",
             "name": "grep", "startTime": stamp(9 * i + 4.5 + shift),
             "endTime": stamp(9 * i + 6.5 + shift)},
        ]  # fmt: skip
    return found


def read(directory: Path, one: list[dict[str, Any]], other: list[dict[str, Any]]) -> Traces:
    lines(directory / "otlp.jsonl", [document(*one)])
    lines(directory / "langfuse.jsonl", other)
    return read_traces([directory])


def counts(found: Traces) -> tuple[int, int, int, int]:
    return len(found.chats), len(found.tools), found.report.runs, len(found.agents)


@pytest.mark.parametrize("trace", [TRACE, "another"])
@pytest.mark.parametrize("agent", ["a", "the agent"])
def test_a_run_in_two_formats_counts_once(tmp_path: Path, trace: str, agent: str) -> None:
    found = read(tmp_path, spans(), observations(trace=trace, agent=agent))
    assert counts(found) == (4, 4, 1, 1)
    assert found.chats["input_tokens"].sum() == 4006
    assert found.report.duplicates.count == 4
    assert "4 calls of" in "; ".join(found.notes)
    assert "one run in two formats" in "; ".join(found.notes)
    with pytest.raises(TeamsimError, match="left out: 4 duplicates"):
        found.report.check_complete()


def test_what_the_copy_alone_knows_is_kept(tmp_path: Path) -> None:
    one = spans(gen_ai__usage__input_tokens="?", gen_ai__usage__output_tokens="?")
    found = read(tmp_path, one, observations())
    assert counts(found) == (4, 4, 1, 1)
    assert found.chats["output_tokens"].sum() == 206
    assert found.chats["cost_usd"].sum() == 1.0


def test_a_call_that_only_one_format_has_belongs_to_the_run(tmp_path: Path) -> None:
    found = read(tmp_path, spans(4), observations(2, 5, trace="another"))
    assert counts(found)[:3] == (5, 4, 1)
    assert found.chats["input_tokens"].sum() == 5010


@pytest.mark.parametrize(
    "other",
    [
        observations(trace="another", shift=100.0),
        observations(trace="another", usageDetails={"input": 7, "output": 8}),
        observations(trace="another", model="n"),
    ],
)
def test_calls_at_other_times_of_other_sizes_or_models_are_others(
    tmp_path: Path, other: list[dict[str, Any]]
) -> None:
    found = read(tmp_path, spans(), other)
    assert counts(found) == (8, 8, 2, 2)
    assert not found.report.duplicates.count


def test_a_gateways_record_of_a_call_within_the_clients_is_the_same(tmp_path: Path) -> None:
    lines(tmp_path / "otlp.jsonl", [document(*spans())])
    rows = "".join(
        f"{START + 9 * i + 0.3},{START + 9 * i + 3.8},m,{1000 + i},{50 + i}\n" for i in range(4)
    )
    head = "start_time,end_time,model,prompt_tokens,completion_tokens\n"
    (tmp_path / "gateway.csv").write_text(head + rows)
    found = read_traces([tmp_path])
    assert counts(found) == (4, 4, 1, 1)
    # The longer record is that of the client, who waits for the gateway.
    assert found.chats["source_format"].unique().tolist() == ["otlp"]
