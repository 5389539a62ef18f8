"""Tools that name no agent, in traces that name the agents of calls of models."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.observation.observe import observe
from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from analysis.traces.tools_without_agents import with_agents

COLUMNS = ("session_id", "agent", "parent_agent", "start_s", "end_s", "model", "tool",
           "input_tokens", "output_tokens")  # fmt: skip


def chat(run: int, agent: str, start: float, end: float, parent: str = "") -> dict[str, Any]:
    return dict(zip(COLUMNS, (f"s{run}", agent, parent, start, end, "m", "", 900, 40), strict=True))


def tool(run: int, name: str, start: float, end: float) -> dict[str, Any]:
    return dict(zip(COLUMNS, (f"s{run}", "", "", start, end, "", name, "", ""), strict=True))


def read(path: Path, rows: list[dict[str, Any]]) -> Traces:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return read_traces([path])


def one_agent(run: int) -> list[dict[str, Any]]:
    at = 1000.0 * run
    return [chat(run, "main", at, at + 4), tool(run, "sh", at + 4, at + 9),
            chat(run, "main", at + 9, at + 12), tool(run, "ls", at + 12, at + 13),
            chat(run, "main", at + 13, at + 20)]  # fmt: skip


def lead_and_two(run: int) -> list[dict[str, Any]]:
    """Return a lead that waits for two sub-agents at once; tools end as the next call begins."""
    at = 1000.0 * run
    return [
        chat(run, "lead", at, at + 4),
        tool(run, "ask_a", at + 4, at + 30),
        tool(run, "ask_b", at + 4, at + 25),
        chat(run, "a", at + 4.5, at + 10, "lead"),
        chat(run, "b", at + 4.6, at + 8, "lead"),
        tool(run, "sh_b", at + 8, at + 20),
        tool(run, "sh_a", at + 10, at + 26),
        chat(run, "b", at + 20, at + 25, "lead"),
        chat(run, "a", at + 26, at + 30, "lead"),
        chat(run, "lead", at + 30, at + 33),
    ]


def test_tools_are_of_the_only_agent_of_their_run(tmp_path: Path) -> None:
    traces = read(tmp_path / "a.csv", [row for run in range(3) for row in one_agent(run)])
    assert set(traces.tools["agent_id"]) == {"main"}
    assert len(traces.agents) == 3
    (note,) = [each for each in traces.notes if "no agent" in each]
    assert note == "6 calls of tools name no agent: taken as 6 of the only agent of their run"


def test_tools_are_of_the_agent_that_waited_for_them(tmp_path: Path) -> None:
    traces = read(tmp_path / "a.csv", [row for run in range(2) for row in lead_and_two(run)])
    owners = dict(zip(traces.tools["tool_name"], traces.tools["agent_id"], strict=True))
    assert owners == {"ask_a": "lead", "ask_b": "lead", "sh_a": "a", "sh_b": "b"}
    parents = traces.tools.set_index("tool_name")["parent_agent_id"]
    assert set(parents[["sh_a", "sh_b"]]) == {"lead"}
    assert any("8 of the agent between whose calls they lie" in each for each in traces.notes)


def test_an_agent_whose_call_has_no_length_waits_for_its_tools(tmp_path: Path) -> None:
    """The call itself is not the one that follows it."""
    rows = [chat(0, "a", 0, 4), chat(0, "b", 1, 5), chat(0, "b", 6, 6), tool(0, "sh", 6, 8),
            chat(0, "b", 8, 9), chat(0, "a", 7, 9)]  # fmt: skip
    traces = read(tmp_path / "a.csv", rows)
    assert traces.tools["agent_id"].tolist() == ["b"]


def test_thousands_of_runs_are_read_at_once(tmp_path: Path) -> None:
    """Each took 8 ms: a file of 15,000 was read in 132 s, and in 6 s if its tools had agents."""
    rows = [row for run in range(4000) for row in lead_and_two(run)]
    traces = read(tmp_path / "a.csv", rows)
    is_tool = traces.calls["tool_name"].notna()
    calls = traces.calls.assign(agent_id=traces.calls["agent_id"].mask(is_tool))
    began = time.process_time()
    found, _ = with_agents(calls)
    assert time.process_time() - began < 10.0
    pd.testing.assert_series_equal(found["agent_id"], traces.calls["agent_id"])


def test_tools_in_nobodys_time_stay_without_agents(tmp_path: Path) -> None:
    rows = [*lead_and_two(0), tool(0, "beside", 1, 3)]  # while the lead's model answers
    traces = read(tmp_path / "a.csv", rows)
    owners = traces.tools.set_index("tool_name")["agent_id"]
    assert pd.isna(owners["beside"])
    assert owners.notna().sum() == 4
    assert any("1 of nobody" in each for each in traces.notes)


def test_runs_that_name_no_agents_are_as_they_were(tmp_path: Path) -> None:
    rows = [{**row, "agent": ""} for row in one_agent(0)]
    traces = read(tmp_path / "a.csv", rows)
    assert traces.calls["agent_id"].isna().all()
    assert not any("no agent" in each for each in traces.notes)


def test_calls_of_models_without_agents_among_others_are_said(tmp_path: Path) -> None:
    rows = [*one_agent(0), chat(0, "", 21, 25)]
    traces = read(tmp_path / "a.csv", rows)
    assert int(traces.chats["agent_id"].isna().sum()) == 1
    assert any("1 call of models name" in each for each in traces.notes)


def test_the_twin_waits_for_tools_that_name_no_agent(tmp_path: Path) -> None:
    rows = [row for run in range(12) for row in one_agent(run)]
    seen = observe(read(tmp_path / "a.csv", rows), "a", replications=20)
    fits = seen.comparison.table.set_index("name")["fits"]
    assert "time: waiting for others" not in fits
    assert fits["time: tools"]
    assert set(seen.twin.document["team"]["agent"]["tools"]) == {"sh", "ls"}
