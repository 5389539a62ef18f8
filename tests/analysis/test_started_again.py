"""Sub-agents of one name that tools start one after another are sub-agents, at every level."""

from __future__ import annotations

import pytest

from analysis.observation.observe import observe
from analysis.observation.started_again import with_each_start
from analysis.observation.structure import LEAD, SUBAGENTS
from analysis.traces.canonical import Traces
from tests.analysis.test_observation import Row, structure, together, traces


def again(*kinds: str, run: str = "r") -> Traces:
    """Return a run in which a lead starts agents by name, one after another, each with a tool."""
    rows: list[Row] = [("lead", "chat", 0.0, 2.0, "tool_use")]
    for i, kind in enumerate(kinds):
        at_s = 10.0 * i
        rows += [
            ("lead", "execute_tool", at_s + 2, at_s + 10, "Task"),
            (kind, "chat", at_s + 2, at_s + 5, "tool_use"),
            (kind, "execute_tool", at_s + 5, at_s + 6, "grep"),
            (kind, "chat", at_s + 6, at_s + 10, "end_turn"),
            ("lead", "chat", at_s + 10, at_s + 12,
             "end_turn" if i + 1 == len(kinds) else "tool_use"),
        ]  # fmt: skip
    return traces(*rows, parents=dict.fromkeys(kinds, "lead"), run=run)


def test_an_agent_that_tools_start_twice_is_two_sub_agents() -> None:
    found = again("explore", "explore", "plan")
    assert structure(found).kind == LEAD  # as one agent, it is there between its two starts
    changed, notes = with_each_start(found)
    told = structure(changed)
    assert (told.kind, told.lead, told.fan_out, told.depth) == (SUBAGENTS, "lead", 3, 1)
    assert set(changed.agents["agent_id"]) == {"lead", "explore", "explore#2", "plan"}
    assert changed.agents.set_index("agent_id")["parent_agent_id"]["explore#2"] == "lead"
    assert notes[0].startswith("1 agent started again")
    assert with_each_start(again("explore", "plan"))[1] == []


def test_tools_at_once_do_not_divide_what_one_of_them_started() -> None:
    rows: list[Row] = [
        ("lead", "chat", 0.0, 2.0, "tool_use"),
        ("lead", "execute_tool", 2.0, 5.0, "Task"), ("lead", "execute_tool", 2.0, 9.0, "Task"),
        ("a", "chat", 2.0, 5.0, "end_turn"),
        ("b", "chat", 2.0, 4.0, "tool_use"), ("b", "chat", 4.5, 9.0, "end_turn"),
        ("lead", "chat", 9.0, 10.0, "end_turn"),
    ]  # fmt: skip
    found = traces(*rows, parents={"a": "lead", "b": "lead"})
    assert with_each_start(found)[1] == []
    assert structure(found).kind == SUBAGENTS


def test_what_a_sub_agent_started_belongs_to_the_start_in_which_it_did() -> None:
    rows: list[Row] = [("lead", "chat", 0.0, 2.0, "tool_use")]
    for at_s in (0.0, 20.0):
        rows += [
            ("lead", "execute_tool", at_s + 2, at_s + 16, "Task"),
            ("mid", "chat", at_s + 2, at_s + 4, "tool_use"),
            ("mid", "execute_tool", at_s + 4, at_s + 12, "Ask"),
            ("low", "chat", at_s + 4, at_s + 12, "end_turn"),
            ("mid", "chat", at_s + 12, at_s + 16, "end_turn"),
            ("lead", "chat", at_s + 16, at_s + 20, "tool_use" if at_s == 0.0 else "end_turn"),
        ]
    changed, _ = with_each_start(traces(*rows, parents={"mid": "lead", "low": "mid"}))
    parents = changed.agents.set_index("agent_id")["parent_agent_id"]
    assert parents[["low", "low#2", "mid#2"]].tolist() == ["mid", "mid#2", "lead"]
    told = structure(changed)
    assert (told.kind, told.depth) == (SUBAGENTS, 2)


def test_an_agent_that_also_works_by_itself_is_no_sub_agent() -> None:
    found = again("explore", "explore")
    alone = traces(("explore", "chat", 40.0, 44.0, "end_turn"), parents={"explore": "lead"})
    both = together(found, alone)
    assert with_each_start(both)[1] == []


@pytest.mark.thorough
def test_the_twin_of_a_team_that_starts_one_name_again_is_as_long() -> None:
    found = observe(
        together(*(again("explore", "explore", "plan", run=f"r{i}") for i in range(8))), "x", 50
    )
    assert found.structure.kind == SUBAGENTS
    fits = found.comparison.table.set_index("measure")["fits"]
    assert fits[["makespan_s", "calls", "share: model"]].all()


def test_sub_agents_that_a_tool_starts_right_after_each_other_are_within_their_calls() -> None:
    # Two calls of one turn, a few milliseconds apart, which is less than clocks may differ.
    rows: list[Row] = [("lead", "chat", 0.0, 2.0, "tool_use")]
    for at_s in (2.0, 12.02):
        rows += [
            ("lead", "execute_tool", at_s, at_s + 10.01, "Task"),
            ("helper", "chat", at_s + 0.005, at_s + 4, "tool_use"),
            ("helper", "chat", at_s + 5, at_s + 10, "end_turn"),
        ]
    rows.append(("lead", "chat", 22.04, 25.0, "end_turn"))
    changed, _ = with_each_start(traces(*rows, parents={"helper": "lead"}))
    told = structure(changed)
    assert (told.kind, told.fan_out) == (SUBAGENTS, 2)
