"""Frameworks of agents are understood as each of them writes its spans."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.observation.observe import observe
from analysis.observation.structure import PIPELINE
from analysis.traces.reading import read_traces
from tests.analysis.test_trace_spellings import found_in
from tests.analysis.trace_samples import attributes, document, otel, whole

Spans = tuple[list[dict[str, Any]], dict[str, Any]]
Case = Callable[[], Spans]
CASES: dict[str, Case] = {}


def case(spans: Case) -> Case:
    """Keep a function that returns spans, and what must be read from them."""
    CASES[spans.__name__] = spans
    return spans


def event(name: str, **said: Any) -> dict[str, Any]:
    return {"events": [{"name": name, "attributes": attributes(**said)}]}


def agent(number: int, parent: int | None, name: str, at: float, lasts: float) -> dict[str, Any]:
    return otel(number, parent, f"invoke_agent {name}", at, lasts, gen_ai__agent__name=name,
                gen_ai__operation__name="invoke_agent")  # fmt: skip


def tool(number: int, parent: int, name: str, at: float, **said: Any) -> dict[str, Any]:
    return otel(number, parent, f"execute_tool {name}", at, 1, gen_ai__tool__name=name,
                gen_ai__operation__name="execute_tool", **said)  # fmt: skip


def counted(read: int, wrote: int, **said: Any) -> dict[str, Any]:
    return {"gen_ai__request__model": "m", "gen_ai__usage__input_tokens": read,
            "gen_ai__usage__output_tokens": wrote, **said}  # fmt: skip


CHAT = {"gen_ai__operation__name": "chat"}
LLM, TOOL, AGENT = ({"openinference__span__kind": kind} for kind in ("LLM", "TOOL", "AGENT"))


@case
def strands() -> Spans:
    cached = {"gen_ai__usage__cache_read_input_tokens": 1000, "gen_ai__usage__total_tokens": 1120,
              "gen_ai__server__time_to_first_token": 812}  # fmt: skip
    ended = json.dumps([{"role": "assistant", "parts": [], "finish_reason": "end_turn"}])
    details = "gen_ai.client.inference.operation.details"
    spans = [
        otel(1, None, "invoke_swarm", 0, 60, gen_ai__operation__name="invoke_swarm",
             gen_ai__agent__name="swarm"),
        agent(2, 1, "researcher", 0, 20),
        otel(3, 2, "execute_event_loop_cycle", 0, 20, event_loop__cycle_id="c"),
        otel(4, 3, "chat", 0, 5, **CHAT, **counted(100, 20, **cached))
        | event("gen_ai.choice", finish_reason="tool_use", message="[]"),
        tool(5, 3, "handoff_to_agent", 6, gen_ai__tool__status="success")
        | event("gen_ai.tool.message", content='{"agent_name": "writer", "message": "go"}'),
        agent(6, 1, "writer", 21, 30),
        tool(7, 6, "save", 27, gen_ai__tool__status="error"),
        otel(8, 6, "chat", 31, 5, **CHAT, **counted(2000, 20))
        | event(details, gen_ai__output__messages=ended),
    ]  # fmt: skip
    return spans, {
        "calls": 2, "input": 3100, "cached": 1000, "output": 40, "first": [0.812],
        "reasons": ["tool_use", "end_turn"], "tools": 2, "tools_failed": 1,
        "told": [("researcher", "writer")],
    }  # fmt: skip


@case
def google_adk() -> Spans:
    vertex = {"gen_ai__system": "gcp.vertex.agent"}
    spans = [
        otel(1, None, "invocation", 0, 60),
        agent(2, 1, "root", 0, 60),
        otel(3, 2, "call_llm", 0, 4, gcp__vertex__agent__session_id="S1", **counted(500, 12),
             **vertex),
        tool(4, 3, "transfer_to_agent", 3,
             gcp__vertex__agent__tool_call_args='{"agent_name": "greeter"}'),
        agent(5, 2, "greeter", 5, 30),
        otel(6, 5, "call_llm", 5, 4, **counted(700, 12), **vertex),
        tool(7, 6, "get_a", 9, gcp__vertex__agent__tool_response='{"r": 1}'),
        tool(8, 6, "(merged tools)", 10),
        otel(9, 5, "call_llm", 12, 4, **counted(800, 50), **vertex),
        otel(10, 9, "generate_content m", 12, 3.9, gen_ai__operation__name="generate_content",
             **counted(800, 50)),
    ]  # fmt: skip
    return spans, {
        "calls": 3, "input": 2000, "output": 74, "agents": ["root", "greeter", "greeter"],
        "names": ["get_a", "transfer_to_agent"], "sizes": [8], "told": [("root", "greeter")],
        "runs": ["S1"],
    }  # fmt: skip


@case
def google_adk_whose_counts_are_in_the_answer() -> Spans:
    answer = {
        "content": {"parts": [{"function_call": {"name": "x"}}]},
        "usage_metadata": {"prompt_token_count": 120, "candidates_token_count": 7,
                           "thoughts_token_count": 5, "cached_content_token_count": 100,
                           "total_token_count": 132},
    }  # fmt: skip
    call = otel(2, 1, "call_llm", 0, 4, gen_ai__system="gcp.vertex.agent",
                gen_ai__request__model="g", gcp__vertex__agent__session_id="S1",
                gcp__vertex__agent__llm_response=json.dumps(answer))  # fmt: skip
    return [otel(1, None, "agent_run [root]", 0, 60), call], {
        "calls": 1, "input": 120, "cached": 100, "output": 12, "reasoning": 5,
        "agents": ["root"], "reasons": ["tool_calls"], "runs": ["S1"],
    }  # fmt: skip


@case
def semantic_kernel() -> Spans:
    completions = {"gen_ai__operation__name": "chat.completions", "gen_ai__request__model": "m"}
    spans = [
        otel(1, None, "invoke_agent Host", 0, 30, gen_ai__operation__name="invoke_agent",
             gen_ai__agent__id="a-1", gen_ai__agent__name="Host"),
        otel(2, 1, "AutoFunctionInvocationLoop", 0, 30),
        otel(3, 2, "chat.completions m", 0, 3, gen_ai__response__prompt_tokens=90,
             gen_ai__response__finish_reason="FinishReason.TOOL_CALLS",
             gen_ai__response__completion_tokens=9, **completions),
        tool(4, 2, "menu-get", 3),
        otel(5, 1, "text.completions m", 10, 3, gen_ai__operation__name="text.completions",
             **counted(5, 1)),
    ]  # fmt: skip
    return spans, {"calls": 2, "input": 95, "output": 10, "reasons": ["TOOL_CALLS", ""],
                   "agents": ["a-1", "a-1"], "names": ["menu-get"]}  # fmt: skip


@case
def openai_agents_by_openinference() -> Spans:
    asked = "llm__output_messages__0__message__tool_calls__0__tool_call__function__name"
    spans = [
        otel(1, None, "Agent workflow", 0, 30, **AGENT),
        otel(2, 1, "Triage Agent", 0, 5, graph__node__id="Triage Agent", **AGENT),
        otel(3, 2, "response", 0, 3, llm__model_name="m", llm__token_count__prompt=80,
             **{asked: "transfer_to_billing_agent"}, **LLM),
        otel(4, 2, "transfer_to_billing_agent", 3, 0.01, **TOOL),
        otel(5, 1, "Billing Agent", 5, 20, graph__node__id="Billing Agent",
             graph__node__parent_id="Triage Agent", **AGENT),
        otel(6, 5, "response", 5, 3, llm__model_name="m", llm__token_count__prompt=180, **LLM),
    ]  # fmt: skip
    over = ("Triage Agent", "Billing Agent")
    return spans, {"calls": 2, "input": 260, "agents": list(over), "told": [over],
                   "reasons": ["tool_calls", ""]}  # fmt: skip


@case
def crewai_by_openinference() -> Spans:
    spans, before = [otel(1, None, "Crew_1.kickoff", 0, 60, crew_key="k")], ""
    for i, role in enumerate(("Researcher", "Writer", "Editor")):
        above = {"graph__node__parent_id": before} if before else {}
        number, at = 10 + 10 * i, 20.0 * i
        spans.append(otel(number, 1, f"{role}._execute_core", at, 18, graph__node__id=role,
                          task_id=f"t{i}", llm__model_name="m", **above, **AGENT))  # fmt: skip
        spans += [otel(number + 1 + j, number, "completion", at + 5 * j, 4, llm__model_name="m",
                       llm__token_count__prompt=100, **LLM) for j in range(3)]  # fmt: skip
        before = role
    return spans, {"calls": 9, "input": 900,
                   "told": [("Researcher", "Writer"), ("Writer", "Editor")]}  # fmt: skip


@case
def crewai_that_tells_only_the_model() -> Spans:
    spans = [
        otel(1, None, "Writer.agent", 0, 20, traceloop__span__kind="agent",
             crewai__agent__role="Writer"),
        otel(2, 1, "gpt.llm", 0, 8, gen_ai__request__model="gpt"),
        otel(3, 2, "openai.chat", 0.01, 7.9, llm__request__type="chat", **counted(10, 2)),
        otel(4, 1, "gpt.llm", 9, 8, gen_ai__request__model="gpt"),
    ]  # fmt: skip
    return spans, {"calls": 2, "input": 10, "agents": ["Writer", "Writer"]}


@case
def agent_framework_with_messages_between_executors() -> tuple[
    list[dict[str, Any]], dict[str, Any]
]:
    spans = [otel(1, None, "workflow.run", 0, 60, workflow__id="w")]
    for i, name in enumerate(("writer", "reviewer")):
        number, at = 10 * (i + 1), 21.0 * i
        spans += [
            otel(number, 1, f"executor.process {name}", at, 20, executor__id=name),
            otel(number + 1, number, f"invoke_agent {name}", at, 20, gen_ai__agent__id=str(i),
                 gen_ai__operation__name="invoke_agent", gen_ai__agent__name=name),
            otel(number + 2, number + 1, "chat m", at, 9, **CHAT, **counted(10, 2)),
        ]  # fmt: skip
    spans.append(otel(3, 10, "message.send", 20, 0.01, message__source_id="writer",
                      message__destination_executor_id="reviewer"))  # fmt: skip
    return spans, {"calls": 2, "agents": ["0", "1"], "told": [("0", "1")]}


@case
def pydantic_ai() -> Spans:
    asked = [{"role": "assistant", "parts": [{"type": "tool_call", "name": "ask"}]}]
    spans = [
        agent(1, None, "boss", 0, 60),
        otel(2, 1, "chat m", 0, 9, gen_ai__output__messages=json.dumps(asked), operation__cost=0.02,
             gen_ai__usage__details__cache_read_tokens=64, **CHAT, **counted(100, 20)),
        otel(3, 1, "running tools", 9, 20),
        tool(4, 3, "ask", 9, tool_response="12345"),
        agent(5, 4, "kid", 9, 20),
        otel(6, 5, "chat m", 9, 9, **CHAT, **counted(100, 20)),
    ]  # fmt: skip
    return spans, {"calls": 2, "cached": 64, "cost": 0.02, "reasons": ["tool_calls", ""],
                   "agents": ["boss", "kid"], "sizes": [5]}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_framework_is_understood(name: str, tmp_path: Path) -> None:
    spans, expected = CASES[name]()
    found = found_in(read_traces([whole(tmp_path / "a.json", document(*spans))]))
    assert {key: found[key] for key in expected} == expected


@pytest.mark.usefixtures("hardly_tuned")
def test_agents_that_got_the_work_of_those_before_them_are_stages(tmp_path: Path) -> None:
    spans, _ = crewai_by_openinference()
    found = observe(read_traces([whole(tmp_path / "a.json", document(*spans))]), "x", 2)
    assert found.structure.kind == PIPELINE
    assert found.structure.order == ("researcher", "writer", "editor")
