"""Timelines cover the agents' time, and the exports are what viewers and collectors read."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.trace.v1 import trace_pb2

from analysis.breakdown.operations import messages_of, operations_of
from analysis.breakdown.otlp import otlp_trace, write_otlp
from analysis.breakdown.perfetto import chrome_trace, write_chrome_trace
from analysis.breakdown.timeline import KINDS, agent_names, instants_of, spans_of
from analysis.plots import gantt_figure
from analysis.traces.reading import read_traces
from simulator.engine import Simulation
from simulator.model.metrics import Metrics
from simulator.model.trace import IN_VAIN, Event, Row, Trace
from simulator.scenario import Scenario
from tests.conftest import agent, exponential, scenario
from tests.engine.test_every_combination import scenarios

ERROR = trace_pb2.Status.STATUS_CODE_ERROR

TEAM: dict[str, Any] = {
    "team": {"size": 3, "agent": agent(latency=exponential(5.0), behaviour={"talk": 1})},
    "topology": "centralised",
    "coordination": {"protocol": "lead_assign", "timing": "asynchronous"},
    "workload__tasks": 12,
}


def ran(each: Scenario) -> tuple[list[Row], Metrics]:
    trace = Trace()
    metrics = Simulation(each).run(0, trace)
    return trace.rows, metrics


@pytest.mark.slow
@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(each=scenarios(fails=True))
def test_spans_do_not_overlap_and_cover_what_the_metrics_say(each: Scenario) -> None:
    rows, metrics = ran(each)
    spans = spans_of(rows)
    assert {span.kind for span in spans} <= set(KINDS)
    for first, second in pairwise(spans):
        if first.agent == second.agent:
            assert second.start_s >= first.end_s - 1e-9
    team = [span for span in spans if span.agent < metrics.agents]  # the others are sub-agents
    lasted = {kind: sum(s.end_s - s.start_s for s in team if s.kind == kind) for kind in KINDS}
    assert lasted["down"] == pytest.approx(metrics.down_s, abs=1e-6)
    waited = lasted["tools"] + lasted["sub-agents"] + lasted["queued"]
    assert waited == pytest.approx(metrics.on_tools_s + metrics.on_subagents_s, abs=1e-6)
    busy = sum(lasted.values()) - waited - lasted["down"] - lasted["held up"] - lasted["failed"]
    served = metrics.utilisation * metrics.agents * metrics.makespan_s
    committed = lasted["workspace"]
    assert busy <= served + committed + 1e-6
    assert len(agent_names(each)) == metrics.agents


@pytest.mark.parametrize("batch", [1, 3])
def test_a_call_is_rework_if_one_of_its_tasks_has_failed_before(batch: int) -> None:
    errors = {"probability": 0.4, "detection": 1.0}
    worker = agent(latency=exponential(5.0), errors=errors, batch=batch)
    rows, metrics = ran(scenario(team={"size": 2, "agent": worker}, workload__tasks=24))
    failed: set[int | None] = set()
    again: dict[int | None, bool] = {}
    for row in rows:
        if row.event is Event.ATTEMPT:
            again[row.call] = again.get(row.call, False) or row.task in failed
            if row.outcome == "failed_test":
                failed.add(row.task)
    spans = spans_of(rows)
    tried = [span for span in spans if span.tasks]
    assert {span.call: span.kind == "rework" for span in tried} == again
    assert set(again.values()) == {True, False}
    if batch == 1:
        rework_s = sum(span.end_s - span.start_s for span in spans if span.kind == "rework")
        assert rework_s == pytest.approx(metrics.rework_s)


def test_the_chrome_trace_is_in_the_event_format(tmp_path: Path) -> None:
    """The fields that the Trace Event Format wants of each phase."""
    each = scenario(**TEAM, faults=[{"at_s": 5, "kind": "crash", "agent": 0, "for_s": 10}])
    rows, _ = ran(each)
    path = tmp_path / "perfetto.json"
    write_chrome_trace(path, rows, each)
    events = json.loads(path.read_text())["traceEvents"]
    wanted = {
        "M": {"name", "pid", "tid", "args"},
        "X": {"name", "cat", "pid", "tid", "ts", "dur", "args"},
        "i": {"name", "cat", "pid", "tid", "ts", "s"},
    }
    assert {event["ph"] for event in events} == set(wanted)
    for event in events:
        assert set(event) - {"ph"} == wanted[event["ph"]]
        assert event.get("dur", 0) >= 0
        assert event.get("s", "t") in {"t", "p", "g"}
    named = [e["args"]["name"] for e in events if e["name"] == "thread_name"]
    assert named == ["worker 0", "worker 1", "worker 2", "coordinator 0"]
    complete = [event for event in events if event["ph"] == "X"]
    assert len(complete) == len(spans_of(rows))
    assert len(events) == len(complete) + 1 + 2 * 4 + len(instants_of(rows))
    assert chrome_trace(rows, each)["traceEvents"] == events
    # Microseconds, in the rows of their agents, all of one process.
    assert {event["pid"] for event in events} == {1}
    shown = [(e["tid"], e["cat"], e["ts"], e["ts"] + e["dur"]) for e in complete]
    for found, span in zip(shown, spans_of(rows), strict=True):
        assert found[:2] == (span.agent, span.kind)
        ends = (1e6 * span.start_s, 1e6 * span.end_s)
        assert found[2:] == pytest.approx(ends, rel=1e-9, abs=1e-3)
    said = [e for e in events if e.get("cat") == "message"]
    told = [row for row in rows if row.event is Event.MESSAGE]
    assert [e["tid"] for e in said] == [row.agent for row in told]
    assert [e["ts"] for e in said] == pytest.approx([1e6 * row.time_s for row in told])
    (crash,) = [e for e in events if e["ph"] == "i" and "crash" in e["name"]]
    assert (crash["ts"], crash["tid"], crash["s"]) == (5e6, 0, "t")
    order = [e["args"]["sort_index"] for e in events if e["name"] == "thread_sort_index"]
    assert order == [0, 1, 2, 3]
    (process,) = [e for e in events if e["name"] == "process_name"]
    assert (process["tid"], process["args"]["name"]) == (0, each.name)


def test_the_otlp_export_is_what_the_real_classes_and_our_reader_read(tmp_path: Path) -> None:
    each = scenario(**TEAM)
    rows, metrics = ran(each)
    data = otlp_trace(rows, each, 0)
    again = trace_pb2.TracesData.FromString(data.SerializeToString())
    spans = again.resource_spans[0].scope_spans[0].spans
    ended = [row for row in rows if row.event is Event.CALL_END]
    assert metrics.calls <= len(ended) <= metrics.calls + 4  # with those cut off at the end
    said = [row for row in rows if row.event is Event.MESSAGE]
    # A worker's message is heard by the coordinator, that one's by the three workers.
    heard = sum(3 if row.agent == 3 else 1 for row in said)
    assert heard > 0
    done = {row.task for row in rows if row.event is Event.ATTEMPT and row.outcome not in IN_VAIN}
    assert len(spans) == 4 + len(ended) + heard + len(done)
    agents = [span for span in spans if span.name.startswith("invoke_agent")]
    lasts = [span.end_time_unix_nano - span.start_time_unix_nano for span in agents]
    assert lasts == [pytest.approx(1e9 * metrics.makespan_s)] * 4  # all of the run
    assert all(len(s.trace_id) == 16 and len(s.span_id) == 8 for s in spans)
    assert len({s.span_id for s in spans}) == len(spans)
    path = tmp_path / "otlp.jsonl"
    write_otlp(path, rows, each, 0)
    said = json.loads(path.read_text())
    first = said["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert len(first["traceId"]) == 32  # hexadecimal, as OTLP wants it in JSON
    assert isinstance(first["kind"], int)
    json_format.ParseDict(json_format.MessageToDict(data), trace_pb2.TracesData())
    traces = read_traces([path])
    calls = traces.calls[traces.calls["operation_name"] == "chat"]
    assert not traces.skipped
    assert len(calls) == len(ended)
    assert set(calls["agent_name"]) == set(agent_names(each))
    assert calls["input_tokens"].sum() == sum(row.input_tokens or 0 for row in ended)
    assert calls["output_tokens"].sum() == sum(row.output_tokens or 0 for row in ended)
    lasted = float((calls["end_ns"] - calls["start_ns"]).sum()) / 1e9
    assert lasted == pytest.approx(sum(row.duration_s or 0.0 for row in ended), rel=1e-9)
    assert set(calls["finish_reason"]) == {"stop"}
    parents = dict(zip(traces.agents["name"], traces.agents["parent_agent_id"], strict=True))
    assert {parents[f"worker {i}"] for i in range(3)} == {"3"}
    assert set(traces.tasks["task_id"]) == {f"independent-{i + 1}" for i in range(len(done))}
    told = traces.messages[~traces.messages["inferred"]]
    assert len(told) == heard
    assert set(told.loc[told["src_agent_id"] != "3", "dst_agent_id"]) == {"3"}


def test_only_what_the_end_of_the_run_ended_is_cut_off() -> None:
    who = agent(latency=exponential(5.0), loop={"turns": 3})
    each = scenario(team={"size": 3, "agent": who}, workload__tasks=9, limits={"deadline_s": 60})
    rows, metrics = ran(each)
    assert metrics.outcome == "deadline"
    ended = [row for row in rows if row.event in (Event.CALL_END, Event.TURN)]
    found = list(operations_of(rows, each))
    assert len(found) == len(ended) > 10
    cut_off = [one.row for one in found if one.is_cut_off]
    assert cut_off == [row for row in ended if row.outcome == "cut_off"]
    assert 0 < len(cut_off) <= 3


def test_the_status_of_a_call_that_went_wrong_says_how() -> None:
    who = agent(latency=exponential(5.0), faults={"malformed": 0.4})
    each = scenario(team={"size": 3, "agent": who}, workload__tasks=20, limits={"deadline_s": 60})
    rows, _ = ran(each)
    spans = otlp_trace(rows, each, 0).resource_spans[0].scope_spans[0].spans
    said = Counter(span.status.message for span in spans if span.status.code == ERROR)
    ended = Counter(row.outcome for row in rows if row.event is Event.CALL_END)
    assert said == {
        "failed": ended["failed"],
        "cancelled by the end of the run": ended["cut_off"],
    }
    assert min(said.values()) > 0


def test_a_call_that_waits_for_a_place_has_begun() -> None:
    who = agent(latency=exponential(5.0))
    provider = {"concurrency": 1, "queue": {}}
    rows, _ = ran(scenario(team={"size": 3, "agent": who}, provider=provider, workload__tasks=12))
    assert sum(row.event is Event.WAIT for row in rows) > 5
    begun = {row.call: row.time_s for row in rows if row.event is Event.CALL_START}
    found = operations_of(rows, scenario(team={"size": 3, "agent": who}, workload__tasks=12))
    assert {each.row.call: each.start_s for each in found} == begun


@pytest.mark.parametrize(
    ("topology", "size", "hearers"),
    [
        ("ring", 5, 1),
        ("decentralised", 5, 4),
        ("decentralised", 17, 16),
        ("decentralised", 18, 0),  # more than are listed one by one
        ("random", 5, 0),  # who hears is drawn: the topology alone does not say it
        ("gossip", 5, 0),
    ],
)
def test_receivers_are_told_where_the_topology_alone_determines_them(
    topology: str, size: int, hearers: int
) -> None:
    who = agent(latency=exponential(5.0), behaviour={"talk": 1})
    each = scenario(team={"size": size, "agent": who}, topology=topology, workload__tasks=30)
    rows, _ = ran(each)
    said = sum(row.event is Event.MESSAGE for row in rows)
    assert said > 0
    assert len(list(messages_of(rows, each))) == hearers * said


def test_sub_agents_are_agents_below_those_who_start_them(tmp_path: Path) -> None:
    below = agent(latency=exponential(2.0), loop={"turns": 2})
    tools = {"ask": {"starts": {"agent": "helper"}, "calls": 2, "errors": 0.2}}
    who = agent(latency=exponential(2.0), loop={"turns": 2}, tools=tools)
    team = {"size": 3, "agent": who, "subagents": {"kinds": {"helper": below}}}
    each = scenario(**{**TEAM, "team": team})
    rows, metrics = ran(each)
    path = tmp_path / "otlp.jsonl"
    write_otlp(path, rows, each, 0)
    said = json.loads(path.read_text())["resourceSpans"][0]["scopeSpans"][0]["spans"]
    ids = {span["spanId"]: span for span in said}
    assert len(ids) == len(said)
    helpers = [span for span in said if span["name"].startswith("invoke_agent helper")]
    assert len(helpers) == metrics.sub_agents > 0
    parents = [ids[span["parentSpanId"]]["name"] for span in helpers]
    assert all(name.startswith(("invoke_agent worker", "invoke_agent coord")) for name in parents)
    lasted = sum(int(h["endTimeUnixNano"]) - int(h["startTimeUnixNano"]) for h in helpers) / 1e9
    assert lasted == pytest.approx(metrics.sub_agent_s)
    inside = {span["spanId"] for span in helpers}
    chats = [s for s in said if s["name"] == "chat simulated" and s["parentSpanId"] in inside]
    ends = [row for row in rows if row.event is Event.SUBAGENT_END]
    of_helpers = {row.agent for row in ends}
    turns = [row for row in rows if row.event is Event.TURN and row.agent in of_helpers]
    assert len(chats) == len(ends) + len(turns)
    events = chrome_trace(rows, each)["traceEvents"]
    bars = [event for event in events if event.get("cat") == "sub-agent"]
    assert sum(bar["dur"] for bar in bars) == pytest.approx(1e6 * metrics.sub_agent_s)
    begun = {row.agent: row for row in rows if row.event is Event.SUBAGENT_START}
    ended = {row.agent: row for row in ends}
    assert [bar["tid"] for bar in bars] == list(begun)
    names = [*agent_names(each), *(f"helper {i}" for i in begun)]
    for bar in bars:
        start, end = begun[bar["tid"]], ended[bar["tid"]]
        times = (1e6 * start.time_s, 1e6 * (end.time_s - start.time_s))
        assert (bar["ts"], bar["dur"]) == pytest.approx(times, rel=1e-9)
        parent = names[-1 if start.peer is None else start.peer]
        assert bar["args"] == {"call": start.call, "parent": parent}
    assert {bar["args"]["parent"] for bar in bars} >= {"worker 0", "worker 1"}


PRICE = {
    "input_per_mtok": 4.0,
    "cached_input_per_mtok": 0.5,
    "cache_write_per_mtok": 5.0,
    "output_per_mtok": 20.0,
}


@pytest.mark.parametrize(
    "cache",
    [
        True,
        False,
        {"life_s": 20},
        {"life_s": 20, "write_price_factor": 2.0},
        {"life_s": 9000, "min_tokens": 2500},
    ],
)
def test_what_is_told_of_tokens_and_costs_adds_up_to_what_was_billed(cache: Any) -> None:
    """Calls, turns, and calls cut off at the end, of agents and of sub-agents."""
    context = {"system_tokens": 1000, "turn_tokens": 400, "cache": cache}
    said = {"latency": exponential(5.0), "context": context, "price": PRICE}
    helper = agent(**said, loop={"turns": 2})
    tools = {"ask": {"starts": {"agent": "helper"}}, "look": {"seconds": 15}}
    who = agent(**said, loop={"turns": 3}, tools=tools)
    team = {"size": 3, "agent": who, "subagents": {"kinds": {"helper": helper}}}
    each = scenario(**{**TEAM, "team": team})
    rows, metrics = ran(each)
    spans = otlp_trace(rows, each, 0, start_unix_s=1000).resource_spans[0].scope_spans[0].spans
    chats = [
        {item.key: item.value for item in span.attributes}
        for span in spans
        if span.name == "chat simulated"
    ]
    usage = "gen_ai.usage."
    assert sum(chat[f"{usage}cost"].double_value for chat in chats) == pytest.approx(
        metrics.cost_usd, rel=1e-9
    )
    for name, expected in (
        ("input_tokens", metrics.input_tokens),
        ("cache_read.input_tokens", metrics.cached_tokens),
        ("output_tokens", metrics.output_tokens),
    ):
        assert sum(chat[f"{usage}{name}"].int_value for chat in chats) == expected
    assert (metrics.cached_tokens > 0) == (cache is not False)
    # Simulated seconds count from the start that is said.
    assert min(span.start_time_unix_nano for span in spans) == 1000 * 10**9
    ends = max(span.end_time_unix_nano for span in spans)
    assert ends == pytest.approx(1e9 * (1000 + metrics.makespan_s), abs=1.0)


def test_the_turns_and_tools_of_loops_are_spans_of_their_own(tmp_path: Path) -> None:
    tools = {"ci": {"seconds": 4, "station": "ci"}, "look": {"seconds": 1}}
    looping = agent(latency=exponential(5.0), loop={"turns": 3}, tools=tools)
    each = scenario(**{**TEAM, "team": {"size": 3, "agent": looping}, "stations": {"ci": {}}})
    rows, metrics = ran(each)
    path = tmp_path / "otlp.jsonl"
    write_otlp(path, rows, each, 0)
    said = json.loads(path.read_text())["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert len({span["spanId"] for span in said}) == len(said)
    by_name: dict[str, list[float]] = {}
    for span in said:
        seconds = (int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])) / 1e9
        by_name.setdefault(span["name"], []).append(seconds)
    # A loop that is cut off while its tools run has no call under way.
    cut_off = sum(
        row.event is Event.CALL_END and row.outcome == "cut_off" and row.peer != 0 for row in rows
    )
    assert len(by_name["chat simulated"]) == metrics.calls + cut_off
    # What is between the spans of a loop is the time of its tools.
    served = sum(r.duration_s or 0.0 for r in rows if r.event is Event.CALL_END)
    assert sum(by_name["chat simulated"]) == pytest.approx(served)
    runs = by_name["execute_tool ci"] + by_name["execute_tool look"]
    assert (len(runs), sum(runs)) == (metrics.tool_calls, pytest.approx(metrics.tool_s))
    assert len(read_traces([path]).calls) >= metrics.calls
    assert {span.kind for span in spans_of(rows)} <= set(KINDS)
    assert chrome_trace(rows, each)["traceEvents"]


def test_the_same_replication_has_the_same_ids() -> None:
    each = scenario(**TEAM)
    rows, _ = ran(each)
    assert otlp_trace(rows, each, 0) == otlp_trace(rows, each, 0)
    ids = {
        otlp_trace(rows, each, r).resource_spans[0].scope_spans[0].spans[0].trace_id for r in (0, 1)
    }
    assert len(ids) == 2


def test_exports_of_other_seeds_and_replications_are_other_runs(tmp_path: Path) -> None:
    for seed in (0, 1):
        each = scenario(**TEAM, seed=seed)
        rows, _ = ran(each)
        for replication in (0, 1):
            write_otlp(tmp_path / f"{seed}-{replication}.jsonl", rows, each, replication)
    report = read_traces([tmp_path]).report
    assert (report.runs, report.agents) == (4, 4 * 4)  # three workers and who leads them


def test_the_gantt_picture_has_a_row_an_agent() -> None:
    each = scenario(**TEAM, faults=[{"at_s": 5, "kind": "crash", "agent": 0, "for_s": 10}])
    rows, metrics = ran(each)
    figure = gantt_figure(rows, each, messages=True, title="one")
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == agent_names(each)
    assert ax.get_xlim() == (0.0, pytest.approx(metrics.makespan_s))
    named = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"work", "coordination", "down", "waiting"} <= named


def test_waits_for_tools_are_told_from_queues_for_their_station() -> None:
    tools = {"build": {"seconds": {"kind": "exponential", "mean": 5}, "station": "ci"}}
    each = scenario(
        team={"size": 3, "agent": agent(loop={"turns": 4}, tools=tools)},
        stations={"ci": {}},
        coordination__timing="asynchronous",
        workload__tasks=6,
    )
    rows, metrics = ran(each)
    lasted = {
        kind: sum(s.end_s - s.start_s for s in spans_of(rows) if s.kind == kind) for kind in KINDS
    }
    assert lasted["queued"] == pytest.approx(metrics.tool_wait_s)
    assert lasted["queued"] + lasted["tools"] == pytest.approx(metrics.on_tools_s)
    assert lasted["work"] == pytest.approx(6 * 4)


def test_sub_agents_have_spans_of_their_own() -> None:
    tools = {"ask": {"starts": {"agent": "helper"}, "calls": 2}}
    helper = agent(loop={"turns": 3}, tools={"read": {"seconds": 2}})
    each = scenario(
        team={
            "size": 1,
            "agent": agent(loop={"turns": 2}, tools=tools),
            "subagents": {"kinds": {"helper": helper}},
        },
        workload__tasks=1,
    )
    rows, _ = ran(each)
    found = [(s.agent, s.start_s, s.end_s, s.kind) for s in spans_of(rows)]
    of_helper = [(1, 2, "work"), (2, 4, "tools"), (4, 5, "work"), (5, 7, "tools"), (7, 8, "work")]
    assert found == [
        (0, 0, 1, "work"),
        (0, 1, 8, "sub-agents"),
        (0, 8, 9, "work"),
        *((i, *span) for i in (1, 2) for span in of_helper),
    ]


def test_requests_that_the_provider_failed_are_calls_of_their_own(tmp_path: Path) -> None:
    """They, and the waits after them, were a part of the calls that came at last."""
    retry = {"max_retries": 50, "base_s": 1, "cap_s": 1, "jitter": 0}
    each = scenario(
        team={"size": 2, "agent": agent(latency={"kind": "seconds", "base": 4})},
        workload__tasks=200,
        provider={"errors": {"probability": 0.2, "after_s": 0.5}, "retry": retry},
    )
    rows, metrics = ran(each)
    path = tmp_path / "otlp.jsonl"
    write_otlp(path, rows, each, 0)
    chats = read_traces([path]).chats
    failed = chats["status"] == "error"
    assert int(failed.sum()) == metrics.provider_errors > 20
    lasted = (chats["end_ns"] - chats["start_ns"]) / 1e9
    assert lasted[failed].tolist() == pytest.approx([0.5] * int(failed.sum()))
    assert lasted[~failed].tolist() == pytest.approx([4.0] * metrics.calls)
    assert chats.loc[failed, "input_tokens"].isna().all()
