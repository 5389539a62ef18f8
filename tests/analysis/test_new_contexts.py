"""Agents that forget each request when it is done read as much, and as much anew, as they did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.calibration.requests import find_requests
from analysis.observation.building import build_twin
from analysis.observation.new_contexts import begin_requests_anew
from analysis.observation.observe import observe, observed_of
from analysis.observation.roles import roles_of
from analysis.observation.runs import runs_of
from analysis.observation.structure import find_structure
from analysis.traces.canonical import Traces
from tests.analysis.test_observation import Row, together, traces


def requests_of(keeps: bool, warm: int = 0, run: str = "r") -> Traces:
    """Return four requests of three turns that read 3,000 tokens at first, and 600 more a turn.

    Each but the first goes on with the context of the one before if the agent `keeps` it, or else
    finds `warm` tokens in the cache.
    """
    rows: list[Row] = []
    read, cached = list[int](), list[int]()
    held, at_s = 0, 0.0
    for request in range(4):
        tokens, known = (held, held - 600) if keeps and request else (3000, warm)
        for turn in range(3):
            rows.append(("a", "chat", at_s, at_s + 8, "tool_use" if turn < 2 else "end_turn"))
            read.append(tokens)
            cached.append(known)
            known, tokens, at_s = tokens, tokens + 600, at_s + 8
            if turn < 2:
                rows.append(("a", "execute_tool", at_s, at_s + 2, "grep"))
                at_s += 2
        held, at_s = tokens, at_s + 60
    found = traces(*rows, run=run)
    is_chat = found.calls["operation_name"] == "chat"
    calls = found.calls.copy()
    calls.loc[is_chat, "input_tokens"] = pd.array(read, dtype="Int64")
    calls.loc[is_chat, "cache_read_input_tokens"] = pd.array(cached, dtype="Int64")
    calls.loc[is_chat, "response_model"] = "claude-opus-4-5"
    return replace(found, calls=calls)


def test_requests_that_begin_with_less_than_was_read_begin_anew() -> None:
    context = {"request_tokens": 5}
    said = begin_requests_anew(context, find_requests(requests_of(keeps=False, warm=1000).calls))
    assert context == {
        "system_tokens": 1000,
        "start_tokens": 2000,
        "request_tokens": 2000,
        "retention": 0,
    }
    assert said is not None
    assert "3 of 3 requests after others" in said


def test_requests_that_go_on_with_a_context_keep_it() -> None:
    context = {"request_tokens": 5}
    assert begin_requests_anew(context, find_requests(requests_of(keeps=True).calls)) is None
    assert context == {"request_tokens": 5}


@pytest.mark.slow
@pytest.mark.parametrize(("keeps", "warm"), [(False, 0), (False, 1500), (True, 0)])
def test_a_twin_reads_and_costs_what_the_agent_did(keeps: bool, warm: int) -> None:
    runs = [requests_of(keeps, warm, f"r{i}") for i in range(10)]
    found = observe(together(*runs), "observed", 20)
    for measure in ("input_tokens", "cost_usd"):
        real, made = (each[measure].mean() for each in (found.table, found.simulated))
        assert made == pytest.approx(real, rel=0.03), measure


@pytest.mark.slow
def test_agents_that_each_did_one_thing_begin_with_a_new_context_in_any_structure() -> None:
    # Agents under names of their own, one after another: the twin has one in their place.
    found = []
    for run in range(8):
        rows: list[Row] = []
        for i in range(4):
            at = 30.0 * i
            rows += [
                (f"solver-{i}", "chat", at, at + 9, "tool_use"),
                (f"solver-{i}", "execute_tool", at + 9, at + 20, "run"),
                (f"solver-{i}", "chat", at + 20, at + 30, "end_turn"),
            ]
        found.append(traces(*rows, run=f"r{run}"))
    made = together(*found)
    tokens = made.calls["operation_name"].eq("chat")
    first = made.calls["finish_reason"].eq("tool_use").fillna(False).astype(bool)
    read = pd.Series(np.where(first, 2_000, 2_600), dtype="Int64").where(tokens)
    calls = made.calls.assign(input_tokens=read, output_tokens=read.where(read.isna(), 100))
    made = replace(made, calls=calls)
    runs, roles = runs_of(calls), roles_of(calls, made.agents)
    seen = observed_of(made, runs, roles, find_structure(runs, roles, made.messages))
    context = build_twin(seen, "solvers").document["team"]["agent"]["context"]
    assert (context["retention"], context["system_tokens"]) == (0, 2_000)


@pytest.mark.parametrize("shrinks", [False, True])
def test_the_end_of_a_request_is_no_full_window(shrinks: bool) -> None:
    requests = find_requests(requests_of(keeps=False).calls)
    if shrinks:  # within a request: a window that was full
        inputs = requests.turns["input"].where(requests.turns["turn"] != 2, 1_000.0)
        turns = requests.turns.assign(input=inputs)
        requests = replace(requests, turns=turns)
    context = {"system_tokens": 100.0, "window_tokens": 4_000.0, "compaction": 0.2}
    begin_requests_anew(context, requests)
    assert context["window_tokens"] == (4_000 if shrinks else 200_000)
    assert ("compaction" in context) == shrinks


def test_a_model_that_reads_much_keeps_its_large_window() -> None:
    requests = find_requests(requests_of(keeps=False).calls)
    requests = replace(requests, turns=requests.turns.assign(input=requests.turns["input"] * 100))
    context = {"system_tokens": 100.0, "window_tokens": 1_000_000.0}
    begin_requests_anew(context, requests)
    assert context["window_tokens"] == 1_000_000
