"""Agents of one name: at once they are several, one after the other one that is called again.

Spans are written as ``(name, parent, start, seconds)``; each form of file gets the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.observation.roles import roles_of
from analysis.observation.runs import runs_of
from analysis.observation.structure import INDEPENDENT, LEAD, SUBAGENTS, TREE, find_structure
from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from tests.analysis.trace_samples import document, lines, observation, otel, stamp, whole

Spans = Sequence[tuple[str, int | None, float, float]]
"""Agents by their names, ``call`` for a call of a model, ``tool`` for one of a tool."""


def conventions(path: Path, spans: Spans) -> Path:
    """Write OpenTelemetry's names; calls name no agent, as with most instrumentations."""
    return whole(path / "otel.json", document(*(_convention(i, *s) for i, s in enumerate(spans))))


def _convention(i: int, name: str, parent: int | None, at: float, lasts: float) -> dict[str, Any]:
    above = None if parent is None else parent + 1
    if name == "call":
        return otel(i + 1, above, "chat m", at, lasts, gen_ai__operation__name="chat",
                    gen_ai__request__model="m", gen_ai__usage__input_tokens=i)  # fmt: skip
    if name == "tool":
        return otel(i + 1, above, "execute_tool task", at, lasts,
                    gen_ai__operation__name="execute_tool", gen_ai__tool__name="task")  # fmt: skip
    return otel(i + 1, above, f"invoke_agent {name}", at, lasts,
                gen_ai__operation__name="invoke_agent", gen_ai__agent__name=name)  # fmt: skip


def conventions_on_calls(path: Path, spans: Spans) -> Path:
    """Write OpenTelemetry's names; calls of a model name the agent around them too."""
    found = []
    for i, (name, parent, at, lasts) in enumerate(spans):
        span = _convention(i, name, parent, at, lasts)
        if name == "call":
            above = parent
            while above is not None and spans[above][0] == "tool":
                above = spans[above][1]
            if above is not None:
                value = {"stringValue": spans[above][0]}
                span["attributes"].append({"key": "gen_ai.agent.name", "value": value})
        found.append(span)
    return lines(path / "calls.jsonl", [document(span) for span in found])


def open_inference(path: Path, spans: Spans) -> Path:
    """Write OpenInference: the name of an agent is that of its span."""
    kinds = {"call": "LLM", "tool": "TOOL"}
    return whole(path / "oi.json", document(*(
        otel(i + 1, None if parent is None else parent + 1, name, at, lasts,
             openinference__span__kind=kinds.get(name, "AGENT"),
             **({"llm__model_name": "m", "llm__token_count__prompt": i} if name == "call" else {}))
        for i, (name, parent, at, lasts) in enumerate(spans)
    )))  # fmt: skip


def lang_graph(path: Path, spans: Spans) -> Path:
    """Write OpenInference of a LangGraph: an agent is a node, a chain that its calls name."""

    def node(place: int | None) -> str | None:
        while place is not None and spans[place][0] in {"call", "tool"}:
            place = spans[place][1]
        return None if place is None else spans[place][0]

    kinds = {"call": "LLM", "tool": "TOOL"}
    found = [otel(99, None, "LangGraph", 0, 1000, openinference__span__kind="AGENT")]
    for i, (name, parent, at, lasts) in enumerate(spans):
        said = {"llm__model_name": "m", "llm__token_count__prompt": i} if name == "call" else {}
        found.append(
            otel(i + 1, 99 if parent is None else parent + 1, name, at, lasts,
                 openinference__span__kind=kinds.get(name, "CHAIN"),
                 metadata=json.dumps({"langgraph_node": node(i)}), **said)
        )  # fmt: skip
    return lines(path / "graph.jsonl", [document(span) for span in found])


def langfuse(path: Path, spans: Spans) -> Path:
    """Write Langfuse's observations."""
    kinds = {"call": "GENERATION", "tool": "TOOL"}
    rows = [
        observation(f"o{i}", kinds.get(name, "AGENT"), at, lasts, name=name,
                    **({} if parent is None else {"parentObservationId": f"o{parent}"}),
                    **({"model": "m", "usageDetails": {"input": i}} if name == "call" else {}))
        for i, (name, parent, at, lasts) in enumerate(spans)
    ]  # fmt: skip
    return whole(path / "lf.json", {"trace": {"id": "t1"}, "observations": rows})


def agents_sdk(path: Path, spans: Spans) -> Path:
    """Write OpenAI's Agents SDK."""
    rows: list[dict[str, Any]] = [{"object": "trace", "id": "tr", "workflow_name": "w"}]
    for i, (name, parent, at, lasts) in enumerate(spans):
        data: dict[str, Any] = {"type": "agent", "name": name}
        if name == "call":
            data = {"type": "generation", "model": "m", "usage": {"input_tokens": i}}
        elif name == "tool":
            data = {"type": "function", "name": "task"}
        rows.append(
            {"object": "trace.span", "id": f"s{i}", "trace_id": "tr", "span_data": data,
             "parent_id": None if parent is None else f"s{parent}", "error": None,
             "started_at": stamp(at), "ended_at": stamp(at + lasts)}
        )  # fmt: skip
    return lines(path / "sdk.jsonl", rows)


FORMS = [conventions, conventions_on_calls, open_inference, lang_graph, langfuse, agents_sdk]
in_every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
Form = Callable[[Path, Spans], Path]


def callers(traces: Traces) -> dict[str, list[int]]:
    """Return the number of input tokens of the calls of each agent: their places in `Spans`."""
    tokens = traces.chats.groupby("agent_id")["input_tokens"].apply(list)
    return {str(agent): [int(n) for n in some] for agent, some in tokens.items()}


def parents(traces: Traces) -> dict[str, str]:
    some = traces.agents.dropna(subset=["parent_agent_id"])
    return dict(zip(some["agent_id"], some["parent_agent_id"], strict=True))


def kind(traces: Traces) -> str:
    roles = roles_of(traces.calls, traces.agents)
    return find_structure(runs_of(traces.calls), roles, traces.messages).kind


AT_ONCE: Spans = [
    ("lead", None, 0, 100),
    ("call", 0, 1, 9),
    ("worker", 0, 10, 30), ("call", 2, 11, 9),
    ("worker", 0, 10, 40), ("call", 4, 12, 9), ("call", 4, 25, 9),
    ("worker", 0, 12, 10), ("call", 7, 13, 8),
    ("worker", 0, 60, 30), ("call", 9, 61, 9),  # after all of these: one of them is called again
]  # fmt: skip


@in_every_form
def test_agents_of_one_name_at_once_are_different_agents(form: Form, tmp_path: Path) -> None:
    traces = read_traces([form(tmp_path, AT_ONCE)])
    found = callers(traces)
    assert sorted(found) == ["lead", "worker", "worker#2", "worker#3"]
    assert found["lead"] == [1]
    assert sorted([found["worker"], found["worker#2"]]) == [[3, 10], [5, 6]]
    assert found["worker#3"] == [8]
    assert parents(traces) == dict.fromkeys(("worker", "worker#2", "worker#3"), "lead")
    assert set(traces.agents["name"]) == {"lead", "worker"}
    assert set(roles_of(traces.calls, traces.agents)["role"]) == {"lead", "worker"}
    assert kind(traces) == LEAD


AGAIN: Spans = [
    ("triage", None, 0, 10), ("call", 0, 1, 8),
    ("billing", None, 10, 20), ("call", 2, 11, 8),
    ("triage", None, 30, 10), ("call", 4, 31, 8),
    ("billing", None, 40, 20), ("call", 6, 41, 8),
]  # fmt: skip


@in_every_form
def test_an_agent_that_gets_a_task_back_is_the_same_agent(form: Form, tmp_path: Path) -> None:
    traces = read_traces([form(tmp_path, AGAIN)])
    assert callers(traces) == {"billing": [3, 7], "triage": [1, 5]}
    assert parents(traces) == {}
    assert kind(traces) != TREE


@in_every_form
@pytest.mark.parametrize("overlap", [0.002, 0.05])
def test_spans_that_only_touch_are_one_agent(form: Form, overlap: float, tmp_path: Path) -> None:
    spans = [
        ("a", None, 0, 10),
        ("call", 0, 1, 8),
        ("a", None, 10 - overlap, 10),
        ("call", 2, 11, 8),
    ]
    assert callers(read_traces([form(tmp_path, spans)])) == {"a": [1, 3]}


HANDED_BACK: Spans = [  # as Google's ADK nests them
    ("triage", None, 0, 90), ("call", 0, 1, 8),
    ("billing", 0, 10, 70), ("call", 2, 11, 8),
    ("triage", 2, 30, 45), ("call", 4, 31, 8),
    ("billing", 4, 50, 20), ("call", 6, 51, 8),
]  # fmt: skip


@in_every_form
def test_agents_that_hand_back_within_each_other_make_no_circle(form: Form, tmp_path: Path) -> None:
    traces = read_traces([form(tmp_path, HANDED_BACK)])
    assert callers(traces) == {"billing": [3, 7], "triage": [1, 5]}
    assert parents(traces) == {"billing": "triage"}
    assert kind(traces) == LEAD


@in_every_form
def test_a_span_in_a_span_of_its_name_is_the_same_agent(form: Form, tmp_path: Path) -> None:
    spans: Spans = [
        ("lead", None, 0, 100), ("call", 0, 1, 8),
        ("worker", 0, 10, 40), ("worker", 2, 11, 38), ("call", 3, 12, 8),
        ("worker", 3, 22, 20), ("call", 5, 23, 8), ("call", 2, 49.1, 0.5),
        ("worker", 0, 10, 40), ("worker", 8, 11, 38), ("call", 9, 13, 8),
    ]  # fmt: skip
    traces = read_traces([form(tmp_path, spans)])
    assert callers(traces) == {"lead": [1], "worker": [4, 6, 7], "worker#2": [10]}
    assert parents(traces) == {"worker": "lead", "worker#2": "lead"}


@in_every_form
@pytest.mark.parametrize("deep", [1, 2])
def test_a_span_around_several_at_once_is_none_of_its_own(
    form: Form, deep: int, tmp_path: Path
) -> None:
    # One wrapper or two, one in the other, and in the inner one two at once and one more.
    top: Spans = [("worker", None, 0, 100), ("worker", 0, 0, 99)]
    inside: Spans = [
        ("worker", deep - 1, 1, 40), ("call", deep, 2, 8),
        ("worker", deep - 1, 1, 40), ("call", deep + 2, 3, 8),
        ("worker", deep - 1, 50, 40), ("call", deep + 4, 51, 8),
    ]  # fmt: skip
    traces = read_traces([form(tmp_path, [*top[:deep], *inside])])
    assert callers(traces) == {"worker": [deep + 1, deep + 5], "worker#2": [deep + 3]}
    assert parents(traces) == {}
    assert kind(traces) == INDEPENDENT


@in_every_form
def test_an_agent_that_calls_and_starts_several_of_its_name_is_their_lead(
    form: Form, tmp_path: Path
) -> None:
    spans: Spans = [
        ("solver", None, 0, 100), ("call", 0, 1, 8), ("solver", 0, 10, 40), ("call", 2, 11, 8),
        ("solver", 0, 10, 40), ("call", 4, 12, 8),
    ]  # fmt: skip
    traces = read_traces([form(tmp_path, spans)])
    assert callers(traces) == {"solver": [1], "solver#2": [3], "solver#3": [5]}
    assert parents(traces) == {"solver#2": "solver", "solver#3": "solver"}


@in_every_form
def test_a_tool_starts_a_further_agent_of_the_name_and_calls_it_again(
    form: Form, tmp_path: Path
) -> None:
    spans: Spans = [
        ("general", None, 0, 100), ("call", 0, 1, 8),
        ("tool", 0, 10, 20), ("general", 2, 10.5, 19), ("call", 3, 11, 8),
        ("call", 0, 31, 8),
        ("tool", 0, 40, 20), ("general", 6, 40.5, 19), ("call", 7, 41, 8),
    ]  # fmt: skip
    traces = read_traces([form(tmp_path, spans)])
    assert callers(traces) == {"general": [1, 5], "general#2": [4, 8]}
    assert parents(traces) == {"general#2": "general"}


@in_every_form
def test_agents_that_tools_start_at_once_are_sub_agents(form: Form, tmp_path: Path) -> None:
    spans: Spans = [
        ("main", None, 0, 100), ("call", 0, 1, 8),
        ("tool", 0, 10, 20), ("explore", 2, 10.5, 19), ("call", 3, 11, 8),
        ("tool", 0, 10, 30), ("explore", 5, 10.5, 29), ("call", 6, 12, 8),
        ("call", 0, 41, 8),
    ]  # fmt: skip
    traces = read_traces([form(tmp_path, spans)])
    assert callers(traces) == {"main": [1, 8], "explore": [4], "explore#2": [7]}
    assert kind(traces) == SUBAGENTS


@in_every_form
def test_agents_below_two_of_one_name_are_two_also_when_they_work_one_after_the_other(
    form: Form, tmp_path: Path
) -> None:
    spans: Spans = [
        ("boss", None, 0, 100), ("call", 0, 1, 2),
        ("lead", 0, 5, 90), ("call", 2, 6, 2), ("worker", 2, 10, 10), ("call", 4, 11, 8),
        ("lead", 0, 5, 90), ("call", 6, 7, 2), ("worker", 6, 30, 10), ("call", 8, 31, 8),
    ]  # fmt: skip
    traces = read_traces([form(tmp_path, spans)])
    assert callers(traces)["worker"] == [5]
    assert callers(traces)["worker#2"] == [9]
    above = parents(traces)
    assert {above["worker"], above["worker#2"]} == {"lead", "lead#2"}
    assert kind(traces) == TREE


@pytest.mark.parametrize(
    "circle",
    [(1, 0), (1, 2, 0), pytest.param((*range(1, 600), 0), marks=pytest.mark.slow)],
    ids=len,
)
def test_spans_above_each_other_in_a_circle_are_read(
    circle: tuple[int, ...], tmp_path: Path
) -> None:
    spans: Spans = [
        *[("a", above, 0, 10) for above in circle], ("call", 0, 1, 8),
        *[("a", None, 0, 10)] * 3,
    ]  # fmt: skip
    traces = read_traces([conventions(tmp_path, spans)])
    assert traces.chats["agent_name"].tolist() == ["a"]


def test_agents_with_ids_are_as_their_ids_say(tmp_path: Path) -> None:
    spans = [
        otel(i, None, "invoke_agent a", at, 10, gen_ai__operation__name="invoke_agent",
             gen_ai__agent__name="a", gen_ai__agent__id=identity)
        for i, at, identity in ((1, 0, "x"), (2, 5, "x"), (3, 5, "y"))
    ]  # fmt: skip
    agents = read_traces([whole(tmp_path / "ids.json", document(*spans))]).agents
    assert sorted(agents["agent_id"]) == ["x", "y"]


def test_two_instrumentations_of_an_agent_are_one_agent(tmp_path: Path) -> None:
    def one(scope: str, first: int) -> dict[str, Any]:
        spans = [
            otel(first + i, None, "invoke_agent a", at, 10, gen_ai__operation__name="invoke_agent",
                 gen_ai__agent__name="a")
            for i, at in enumerate((0, 5))
        ]  # fmt: skip
        found = document(*spans)
        found["resourceSpans"][0]["scopeSpans"][0]["scope"]["name"] = scope
        return found

    traces = read_traces([lines(tmp_path / "both.jsonl", [one("crewai", 1), one("other", 3)])])
    assert sorted(traces.agents["agent_id"]) == ["a", "a#2"]


def test_a_number_that_is_a_name_already_is_not_given_again(tmp_path: Path) -> None:
    spans: Spans = [("a", None, 0, 10), ("call", 0, 1, 8), ("a", None, 0, 10), ("call", 2, 2, 8),
                    ("a#2", None, 0, 10), ("call", 4, 3, 8)]  # fmt: skip
    found = callers(read_traces([conventions(tmp_path, spans)]))
    assert found == {"a": [1], "a#3": [3], "a#2": [5]}
