"""Observations of a team are right, on runs small enough to be followed by hand."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from analysis.calibration.between_turns import BETWEEN_TURNS
from analysis.calibration.tool_times import fit_tool_times
from analysis.observation import tuning
from analysis.observation.activity import (
    IDLE,
    MODEL,
    PEOPLE,
    TOOL,
    WAITING,
    Operations,
    activity,
    delegating_tools,
    operations_by_run,
)
from analysis.observation.building import build_twin
from analysis.observation.comparison import MEASURES, Comparison, compare
from analysis.observation.costs import fit_prices, with_costs
from analysis.observation.critical_path import GAP, critical_path
from analysis.observation.findings import findings
from analysis.observation.hand_overs import with_hand_overs
from analysis.observation.neutral_names import anonymised
from analysis.observation.observe import Observation, observe, observed_of, with_opaque_agents
from analysis.observation.roles import role_name, roles_by_agent, roles_of
from analysis.observation.runs import as_told, run_table, runs_of
from analysis.observation.scaling import first_input, geometric, scaled, scaled_counts
from analysis.observation.selection import Choice, choose
from analysis.observation.simulated import simulate
from analysis.observation.starts import with_named_starts
from analysis.observation.structure import (
    INDEPENDENT,
    LEAD,
    MESH,
    PIPELINE,
    SINGLE,
    SUBAGENTS,
    TREE,
    Structure,
    find_structure,
)
from analysis.observation.team_file import team_yaml
from analysis.observation.units import units_of
from analysis.observation.workload import workload_of
from analysis.traces.canonical import AGENTS, CALLS, MESSAGES, RUNS, Traces
from analysis.traces.reading import read_traces
from simulator.distributions import DISTRIBUTIONS
from simulator.errors import TeamsimError
from simulator.scenario import parse_study
from simulator.scenario.costs import HOW_TO_PRICE
from simulator.scenario.prices import list_prices
from tests.analysis.observed_teams import KINDS, team, teams, write_runs
from tests.conftest import REAL_DATA

AGENT_CALLS = REAL_DATA.parent / "agent-calls" / "calls.parquet"


Row = tuple[str, str, float, float, str]


def traces(
    *rows: Row,
    parents: dict[str, str] | None = None,
    told: tuple[tuple[str, str], ...] = (),
    run: str = "r",
) -> Traces:
    """Return traces of rows ``(agent, what, start, end, why it ended or tool)``, in seconds."""
    calls = []
    for agent, what, start, end, more in rows:
        is_chat = what == "chat"
        calls.append(
            {
                "run_id": run, "agent_id": agent, "agent_name": agent,
                "parent_agent_id": (parents or {}).get(agent),
                "operation_name": "chat" if is_chat else what,
                "start_ns": round(start * 1e9), "end_ns": round(end * 1e9),
                "finish_reason": more if is_chat else None,
                "tool_name": None if is_chat else more,
                "response_model": "m" if is_chat else None, "status": "ok",
                "input_tokens": 1000 if is_chat else None,
                "output_tokens": 100 if is_chat else None,
                "quality_time": "exact", "quality_tokens": "exact" if is_chat else None,
            }
        )  # fmt: skip
    names = dict.fromkeys(row[0] for row in rows)
    agents = [
        {"run_id": run, "agent_id": a, "name": a, "parent_agent_id": (parents or {}).get(a)}
        for a in names
    ]
    messages = [
        {"run_id": run, "msg_id": str(i), "src_agent_id": a, "dst_agent_id": b, "inferred": False}
        for i, (a, b) in enumerate(told)
    ]
    return Traces(
        table(calls, CALLS), table(messages, MESSAGES), table([{"run_id": run}], RUNS),
        table(agents, AGENTS),
    )  # fmt: skip


def table(rows: list[dict[str, Any]], dtypes: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series([r.get(name) for r in rows], dtype=t) for name, t in dtypes.items()}
    )


def one(found: Traces) -> Operations:
    ((_, run),) = operations_by_run(found.calls)
    return run


def structure(found: Traces) -> Structure:
    return find_structure(runs_of(found.calls), roles_of(found.calls, found.agents), found.messages)


ALONE = traces(
    ("a", "chat", 0, 4, "tool_use"), ("a", "execute_tool", 4, 6, "grep"),
    ("a", "chat", 7, 9, "end_turn"), ("a", "chat", 19, 20, "tool_use"),
    ("a", "chat", 25, 26, "end_turn"),
)  # fmt: skip
"""4 s + 2 s + 1 s + 1 s in the model, 2 s in grep and 1 s in nothing, 10 s for a person, and 5 s
in a tool of which there is no row."""


def test_the_time_of_one_agent_goes_to_what_it_went_to() -> None:
    spent = {k: v for k, v in activity(one(ALONE)).seconds().items() if v}
    assert spent == {MODEL: 8.0, TOOL + "grep": 2.0, TOOL + "tool": 5.0, PEOPLE: 10.0, IDLE: 1.0}


def test_an_agent_waits_while_another_works_and_not_while_it_is_not_there() -> None:
    found = traces(
        ("a", "chat", 0, 2, "end_turn"), ("a", "chat", 8, 9, "end_turn"),
        ("b", "chat", 2, 7, "end_turn"),
    )  # fmt: skip
    spent = activity(one(found)).seconds()
    assert (spent[MODEL], spent[WAITING], spent[PEOPLE]) == (8.0, 5.0, 1.0)
    assert activity(one(found)).at_work().tolist() == [1.0, 1.0, 0.0, 1.0]


def test_a_tool_that_waits_for_the_agent_that_it_started_is_a_wait() -> None:
    found = traces(
        ("a", "chat", 0, 2, "tool_use"), ("a", "execute_tool", 2, 9, "Task"),
        ("b", "chat", 3, 8, "end_turn"), ("a", "chat", 9, 10, "end_turn"), parents={"b": "a"},
    )  # fmt: skip
    spent = activity(one(found)).seconds()
    assert spent[WAITING] == 5.0
    assert spent[TOOL + "Task"] == 2.0  # before and after the other is at work
    assert delegating_tools([one(found)]) == ["Task"]
    path = critical_path(one(found), [(1, 0)])
    assert path["agent"].tolist() == ["a", "b", "b", "a", "a"]
    assert path["what"].tolist() == [MODEL, GAP, MODEL, GAP, MODEL]


def test_a_tool_that_runs_beside_an_agent_waits_for_nobody() -> None:
    found = traces(
        ("a", "chat", 0, 2, "tool_use"), ("a", "execute_tool", 2, 9, "make"),
        ("b", "chat", 1, 3, "tool_use"), ("b", "chat", 4, 6, "end_turn"),
        ("a", "chat", 9, 10, "end_turn"), parents={"b": "a"},
    )  # fmt: skip
    assert delegating_tools([one(found)]) == []
    assert activity(one(found)).seconds()[TOOL + "make"] == 7.0


def test_the_critical_path_leads_through_who_ended_last_and_lasts_as_long_as_the_run() -> None:
    found = traces(
        ("a", "chat", 0, 2, "end_turn"), ("b", "chat", 2, 5, "stop"), ("c", "chat", 2, 9, "stop"),
        ("a", "chat", 9.5, 11, "end_turn"),
    )  # fmt: skip
    path = critical_path(one(found))
    assert path["agent"].tolist() == ["a", "c", "a", "a"]
    assert (path["end_s"] - path["start_s"]).sum() == pytest.approx(11.0)
    # Where b alone has to do with a, the path does not lead through c.
    assert "c" not in critical_path(one(found), [(0, 1)])["agent"].tolist()


def test_an_agent_of_which_only_tools_are_known_is_at_work_in_these() -> None:
    found = traces(("a", "chat", 0, 4, "end_turn"), ("b", "execute_tool", 1, 3, "grep"))
    spent = activity(one(found)).seconds()
    assert (spent[MODEL], spent[TOOL + "grep"]) == (4.0, 2.0)


def test_units_are_requests_or_calls() -> None:
    run = one(ALONE)
    assert [(u.start_s, u.end_s, u.turns) for u in units_of(run)] == [(0, 9, 2), (19, 26, 2)]
    assert len(units_of(run, by_call=True)) == 4


CHAT = [(agent, "chat", 2.0 * i, 2.0 * i + 3.0, "stop") for i, agent in enumerate("abc")]


def in_turn(agents: str, run: str = "r") -> Traces:
    """Return calls of agents one after another, as a graph's nodes that call no tools make them."""
    rows = [(name, "chat", 3.0 * i, 3.0 * i + 2.9, "stop") for i, name in enumerate(agents)]
    return traces(*rows, run=run)


@pytest.mark.parametrize(
    ("found", "kind", "evidence"),
    [
        (ALONE, SINGLE, "one agent"),
        (traces(*CHAT, parents={"b": "a", "c": "a"}), LEAD, "started"),
        (traces(*CHAT, parents={"b": "a", "c": "b"}), TREE, "started"),
        (traces(*CHAT, told=(("a", "b"), ("b", "c"))), PIPELINE, "told"),
        (traces(*CHAT, told=(("b", "a"), ("a", "b"), ("c", "a"), ("a", "c"))), LEAD, "told"),
        (traces(*CHAT, told=tuple((x, y) for x in "abc" for y in "abc" if x != y)), MESH, "told"),
        (traces(*CHAT), INDEPENDENT, "worked"),
        (traces(*((a, w, 2 * s, 2 * s + 3, m) for a, w, s, _, m in CHAT)), PIPELINE, "worked"),
        (in_turn("abab"), MESH, "worked"),
        (in_turn("abcab"), MESH, "worked"),
        (in_turn("sasbs"), LEAD, "worked"),
        (in_turn("aab"), PIPELINE, "worked"),
    ],
)
def test_a_structure_is_told_by_parents_then_messages_then_times(
    found: Traces, kind: str, evidence: str
) -> None:
    told = structure(found)
    assert (told.kind, evidence in told.evidence) == (kind, True)
    assert 0.0 < told.confidence <= 1.0


def delegated(kinds: Sequence[str], run: str = "r", lead: str = "lead") -> Traces:
    """Return a run in which a lead starts an agent of each kind with a tool, one after another."""
    rows, parents = [(lead, "chat", 0.0, 2.0, "tool_use" if kinds else "end_turn")], {}
    for i, kind in enumerate(kinds):
        at_s, name, is_last = 10.0 * i, f"{kind} {i + 1}", i + 1 == len(kinds)
        rows += [
            (lead, "execute_tool", at_s + 2, at_s + 9, "Task"),
            (name, "chat", at_s + 3, at_s + 5, "tool_use"),
            (name, "execute_tool", at_s + 5, at_s + 6, "grep"),
            (name, "chat", at_s + 6, at_s + 9, "end_turn"),
            (lead, "chat", at_s + 10, at_s + 12, "end_turn" if is_last else "tool_use"),
        ]
        parents[name] = lead
    return traces(*rows, parents=parents, run=run)


@pytest.mark.usefixtures("hardly_tuned")
def test_agents_that_work_in_turn_do_tasks_one_after_another() -> None:
    runs = together(*(in_turn("ab" * n, run=f"r{n}") for n in (2, 3, 4)))
    twin = observe(runs, "x", 5).twin
    tasks = twin.document["workload"]["tasks"]
    assert [task["family"] for task in tasks] == list("ababab")
    assert [len(task.get("dependencies", ())) for task in tasks] == [0, 1, 1, 1, 1, 1]
    assert twin.document["coordination"]["protocol"] == {"kind": "pre_assigned"}
    said = twin.sources["topology"]
    assert said.startswith("agents who work in turn, one at a time (confidence 0.60")
    assert said.endswith("whom each tells not known: in the twin all hear all")
    assert "mesh" not in said


def together(*found: Traces) -> Traces:
    return Traces(
        *(
            pd.concat([getattr(each, name) for each in found], ignore_index=True)
            for name in ("calls", "messages", "runs", "agents")
        )
    )


def test_a_lead_by_chance_is_none() -> None:
    # In each run another of three has part in most of what they tell each other.
    def run(a: str, b: str, c: str, name: str) -> Traces:
        rows = [(each, "chat", 5.0 * i, 5.0 * i + 4, "stop") for i, each in enumerate((a, b, c))]
        return traces(*rows, told=((a, b), (b, a), (a, c), (c, a)), run=name)

    turns = (("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"), ("a", "c", "b"))
    mixed = structure(together(*(run(*each, f"r{i}") for i, each in enumerate(turns))))
    assert (mixed.kind, mixed.agreeing) == (MESH, 4)
    same = structure(together(*(run("a", "b", "c", f"r{i}") for i in range(4))))
    assert (same.kind, same.lead) == (LEAD, "a")


def test_a_tool_that_hands_over_ends_a_turn() -> None:
    found = traces(
        ("a", "chat", 0, 2, "tool_use"), ("a", "execute_tool", 2, 2.1, "transfer_to_b"),
        ("b", "chat", 3, 5, "tool_use"), ("b", "execute_tool", 5, 5.1, "transfer_to_a"),
        ("a", "chat", 6, 7, "tool_use"), ("a", "execute_tool", 7, 7.1, "transfer_to_b"),
        ("a", "chat", 8, 9, "end_turn"), told=(("a", "b"), ("b", "a"), ("a", "b")),
    )  # fmt: skip
    spans = [f"s{i}" for i in range(7)]
    found.calls["span_id"] = pd.array(spans, dtype="string")
    found.messages["kind"] = "handoff"
    found.messages["span_id"] = ["s1", "s3", "s5"]
    changed, notes = with_hand_overs(found)
    # The last one did not hand over: a went on.
    assert changed.calls["span_id"].tolist() == ["s0", "s2", "s4", "s5", "s6"]
    assert changed.chats["finish_reason"].tolist() == ["stop", "stop", "tool_use", "end_turn"]
    assert notes[0].startswith("2 tool calls to hand over")
    assert [unit.turns for unit in units_of(one(changed))] == [1, 1, 2]
    assert with_hand_overs(ALONE) == (ALONE, [])


@pytest.mark.parametrize(
    ("statuses", "ends_s"),
    [
        (("ok", "ok", "ok"), [4, 8, 12]),
        (("ok", "cancelled", "ok"), [4, 12]),  # and made again
        (("ok", "timeout", "ok"), [4, 12]),
        (("ok", "ok", "cancelled"), [4, 8]),  # by the end of the run
        (("ok", "ok", "error"), [4, 8, 12]),  # a task that was given up
        (("cancelled", "cancelled", "cancelled"), []),
    ],
)
def test_a_call_that_was_cut_off_is_no_task(statuses: tuple[str, ...], ends_s: list[int]) -> None:
    found = traces(*(("a", "chat", 5 * i, 4 * i + 4, "stop") for i in range(len(statuses))))
    found.calls["status"] = pd.array(statuses, dtype=found.calls["status"].dtype)
    assert [unit.end_s for unit in units_of(one(found))] == ends_s


def test_agents_that_end_within_a_call_of_a_tool_are_sub_agents() -> None:
    found = delegated(["explore", "plan", "explore"])
    told = structure(found)
    assert (told.kind, told.lead, told.fan_out, told.depth) == (SUBAGENTS, "lead", 3, 1)
    assert not told.in_rounds
    # One that goes on after the call has ended, or is like the agent that starts it, is none.
    late = replace(found, calls=found.calls.assign(tool_name=None, operation_name="chat"))
    assert structure(late).kind == LEAD
    assert structure(delegated(["lead", "lead"], lead="lead 0")).kind == LEAD


@pytest.mark.parametrize(("off_s", "kind"), [(0.04, SUBAGENTS), (-0.04, SUBAGENTS), (-3.0, LEAD)])
def test_what_starts_a_sub_agent_may_be_noted_a_moment_off(off_s: float, kind: str) -> None:
    calls = delegated(["explore", "plan"]).calls.copy()
    is_task = calls["tool_name"] == "Task"
    for name, at_s in (
        ("start_ns", 1.0),
        ("end_ns", 0.0),
    ):  # as long as the sub-agent, but for off_s
        calls.loc[is_task, name] += round((at_s + off_s) * 1e9)
    found = replace(delegated(["explore", "plan"]), calls=calls)
    assert structure(found).kind == kind


def test_runs_in_which_no_sub_agent_was_started_belong_to_the_others() -> None:
    told = structure(together(delegated(["explore"], "r1"), delegated([], "r2")))
    assert dict(told.kinds) == {"r1": SUBAGENTS, "r2": SUBAGENTS}
    assert (told.agreeing, told.depth) == (2, 1)
    other = structure(together(delegated(["explore"], "r1"), delegated([], "r2", "clerk")))
    assert other.kinds["r2"] == SINGLE


@pytest.mark.parametrize(
    ("kinds", "tools"),
    [
        (["explore", "explore"], {"Task": "explore"}),
        (["explore", "plan", "plan"], {"Task-explore": "explore", "Task-plan": "plan"}),
    ],
)
def test_a_tool_has_a_name_for_each_role_that_it_starts(
    kinds: list[str], tools: dict[str, str]
) -> None:
    found = delegated(kinds)
    roles = roles_by_agent(roles_of(found.calls, found.agents))
    named, starts = with_named_starts(found.calls, runs_of(found.calls), roles)
    assert starts == tools
    mine = named[(named["agent_id"] == "lead") & (named["operation_name"] == "execute_tool")]
    assert [starts[tool] for tool in mine["tool_name"]] == kinds
    assert (named["tool_name"] == "grep").sum() == len(kinds)


@pytest.mark.slow
def test_a_twin_starts_sub_agents_as_the_team_did() -> None:
    found = together(*(delegated(["explore", "plan"], f"r{i}") for i in range(12)))
    runs, roles = runs_of(found.calls), roles_of(found.calls, found.agents)
    seen = observed_of(found, runs, roles, structure(found))
    twin = build_twin(seen, "observed")
    assert (twin.worker_roles, set(twin.subagents)) == (["lead"], {"explore", "plan"})
    tools = twin.scenario.team.workers[0].tools
    starts = {name: tool.starts.agent for name, tool in tools.items() if tool.starts}
    assert starts == {"Task-explore": "explore", "Task-plan": "plan"}
    assert all(tools[name].weight == pytest.approx(0.5, abs=0.05) for name in starts)
    assert set(tools) - set(starts) == {BETWEEN_TURNS}  # the second before each next turn
    subagents = twin.scenario.team.subagents
    assert subagents is not None
    assert subagents.max_depth == 1
    made = simulate(twin.scenario, 30, twin.worker_roles, twin.lead).calls
    chats = made[made["operation_name"] == "chat"]
    assert set(chats["agent_role"]) == {"lead", "explore", "plan"}
    # Each is a loop of two turns, and the tool that started it lasted as long.
    below = chats[chats["parent_agent_id"].notna()]
    assert (below.groupby(["run_id", "agent_id"]).size() == 2).all()
    assert activity(runs_of(made)[0].operations).seconds()[WAITING] > 0.0


def test_gaps_between_operations_are_said_to_be_missing() -> None:
    # 2 s of the lead's 22 s; the two others work for 6 s each without a gap.
    found = together(*(delegated(["explore", "plan"], f"r{i}") for i in range(6)))
    runs, roles = runs_of(found.calls), roles_of(found.calls, found.agents)
    twin = build_twin(observed_of(found, runs, roles, structure(found)), "observed")
    assert [each for each in twin.missing if each.startswith("gaps")] == [
        "gaps without a reason in the trace: 6 % of the agents' time; in their place: the tool "
        "between_turns, for those between turns"
    ]


@pytest.mark.parametrize("runs", [3, 5])
def test_tools_that_start_sub_agents_are_kept_however_rare_they_are(runs: int) -> None:
    # Requests enough for a fit, and fewer calls of the tool than one takes.
    rows = [("a", "chat", 20.0 * i, 20.0 * i + 2, "tool_use") for i in range(8)]
    rows += [("a", "execute_tool", 20.0 * i + 2, 20.0 * i + 4, "grep") for i in range(7)]
    rows += [("a", "chat", 20.0 * i + 4, 20.0 * i + 6, "end_turn") for i in range(7)]
    rows += [("a", "execute_tool", 142, 150, "Task"), ("a", "chat", 150, 152, "end_turn"),
             ("b", "chat", 142.2, 145, "tool_use"), ("b", "execute_tool", 145, 147, "grep"),
             ("b", "chat", 147, 149.8, "end_turn")]  # fmt: skip
    made = together(*(traces(*rows, run=f"r{i}", parents={"b": "a"}) for i in range(runs)))
    seen = observed_of(
        made, runs_of(made.calls), roles_of(made.calls, made.agents), structure(made)
    )
    twin = build_twin(seen, "observed")
    tools = twin.scenario.team.workers[0].tools
    assert tools["Task"].starts is not None
    chats = simulate(twin.scenario, 40, twin.worker_roles, twin.lead).calls
    chats = chats[chats["operation_name"] == "chat"]
    below = chats["parent_agent_id"].notna().sum() / 40
    assert below == pytest.approx(2.0, rel=0.5)


def test_what_a_trace_never_says_is_not_compared() -> None:
    calls = ALONE.calls
    silent = calls.assign(finish_reason=pd.Series(pd.NA, index=calls.index, dtype="string"))
    measured = run_table(runs_of(silent), silent)
    assert measured["turns"].isna().all()
    told = as_told(calls, silent)
    shape = Structure(SINGLE, 1.0, 1, 1, "one agent")
    found = compare(measured, run_table(runs_of(told), told), shape, has_tool_rows=True)
    assert found.misfits.empty
    assert not {"turns", "share: people"} & set(found.table["measure"])
    assert as_told(silent, calls) is silent
    # Without that, time for people stands beside time without a reason.
    apart = compare(measured, run_table(runs_of(calls), calls), shape, has_tool_rows=True)
    assert {"share: people", "share: idle"} <= set(apart.misfits["measure"])


def test_agents_of_one_name_have_one_role() -> None:
    assert role_name("Worker 3") == role_name("worker-12") == "worker"
    assert role_name("a1b2c3d4e5") == role_name("550e8400-e29b-41d4-a716-446655440000") == ""
    assert role_name("code_reviewer") == "code_reviewer"


def test_agents_of_which_only_the_whole_is_known_made_one_call() -> None:
    found = traces(
        ("root", "invoke_agent", 0, 9, ""), ("x", "invoke_agent", 0, 4, ""),
        ("y", "invoke_agent", 5, 9, ""), parents={"x": "root", "y": "root"},
    )  # fmt: skip
    opened, notes = with_opaque_agents(found)
    assert opened.chats["agent_id"].tolist() == ["x", "y"]
    assert "2 agents" in notes[0]
    assert structure(opened).kind == PIPELINE


def test_stages_are_seen_where_all_wait_for_all() -> None:
    rows = [(f"w{i}", "chat", 10.0 * s, 10.0 * s + 5 + i, "stop") for s in range(3) for i in (0, 1)]
    found = runs_of(traces(*rows).calls)
    units = {"r": units_of(found[0].operations)}
    shape = Structure(INDEPENDENT, 0.6, 1, 1, "when agents worked")
    work = workload_of(shape, found, units, 2)
    assert work.spec == {"kind": "layered", "layers": 3, "width": 2, "coupling": 1}
    assert "tasks: 6" in work.assumes
    assert work.is_certain


def test_costs_are_those_of_the_trace_else_list_prices() -> None:
    calls = ALONE.calls.assign(response_model="claude-opus-4-5")
    priced, said = with_costs(calls)
    assert priced["cost_usd"].sum() == pytest.approx(4 * (1000 * 5 + 100 * 25) / 1e6)
    assert "4 calls at list prices" in said
    chats = calls[calls["operation_name"] == "chat"]
    own = chats.assign(
        cost_usd=[0.1, 0.2, 0.3, 0.4], output_tokens=pd.array([100, 200, 300, 400], dtype="Int64")
    )
    prices = fit_prices(own, "claude-opus-4-5").spec
    assert isinstance(prices, dict)
    assert prices["output_per_mtok"] == pytest.approx(1000.0, rel=1e-3)
    said = with_costs(ALONE.calls)[1]
    assert said.startswith("no price is known of m; ")
    assert "--column cost_usd=NAME" in said
    assert "--set team.agent.price=" in said
    uncounted = chats.assign(cost_usd=pd.NA, output_tokens=pd.NA)
    assert "--column cost_usd=NAME" in with_costs(uncounted)[1]


@pytest.mark.parametrize(
    ("cost", "why"), [(None, "no price: unknown"), (0.0, "no price: all costs in the trace are 0")]
)
def test_a_twin_without_a_price_is_not_said_to_cost_nothing(cost: float | None, why: str) -> None:
    chats = ALONE.calls[ALONE.calls["operation_name"] == "chat"]
    prices = fit_prices(chats.assign(cost_usd=cost), "m")
    assert prices.spec is None
    assert prices.said == f"{why}; {HOW_TO_PRICE}"


def test_a_scaled_distribution_is_the_distribution_of_scaled_draws() -> None:
    u = (np.arange(50) + 0.5) / 50
    for said in (
        {"kind": "lognormal", "median": 3, "sigma": 0.5, "at_most": 9},
        {"kind": "burr12", "c": 4, "d": 0.3, "scale": 100, "at_most": 900.0},
        {"kind": "empirical", "values": [1, 2, 5], "weights": [1, 1, 2]},
        {"kind": "exponential", "mean": 4, "shift": 0.5},
    ):
        law = DISTRIBUTIONS.get(str(said["kind"]))
        plain, twice = law.model_validate(said), law.model_validate(scaled(said, 2))
        assert twice.transform(u) == pytest.approx(2 * plain.transform(u), rel=1e-3)


@pytest.mark.parametrize("factor", [0.6, 0.75, 0.9, 1.1, 1.4, 2.5])
@pytest.mark.parametrize(
    "said",
    [
        2,
        {"kind": "lognormal", "median": 1.85, "sigma": 0.005},
        {"kind": "lognormal", "median": 4, "sigma": 0.6, "at_most": 30, "run_sigma": 0.2},
        {"kind": "empirical", "values": [2, 2, 3]},
        geometric(0.3),
    ],
)
def test_counts_that_are_scaled_have_the_mean_that_is_wanted(said: Any, factor: float) -> None:
    def mean(each: Any) -> float:
        known = {"kind": "deterministic", "value": each} if isinstance(each, int) else each
        u = (np.arange(4000) + 0.5) / 4000
        law = DISTRIBUTIONS.get(str(known["kind"])).model_validate(known)
        return float(np.maximum(1.0, np.round(law.transform(u))).mean())

    found = scaled_counts(said, factor)
    found = int(found) if isinstance(found, float) else found
    assert mean(found) == pytest.approx(max(1.0, mean(said) * factor), rel=0.02)
    if isinstance(said, dict):
        assert found.get("run_sigma") == said.get("run_sigma")


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_rounded_exponential_is_geometric(p: float) -> None:
    law = DISTRIBUTIONS.get("exponential").model_validate(geometric(p))
    k = np.arange(1, 8)
    survival = 1.0 - law.probability_up_to(k + 0.5)
    assert survival == pytest.approx((1.0 - p) ** k, rel=5e-3)  # the mean has four digits


def test_what_is_chosen_is_what_is_there() -> None:
    assert set(choose(ALONE, Choice(sessions=["r"])).calls["run_id"]) == {"r"}
    for choice, said in (
        (Choice(sessions=["R"]), "unknown session 'R'"),
        (Choice(agents=["aa"]), "unknown agent 'aa'; did you mean 'a'"),
        (Choice(models=["n"]), "unknown model 'n'"),
        (Choice(since="2030-01-01"), "no run began then or later"),
        (Choice(since="soon"), "no date or time"),
    ):
        with pytest.raises(TeamsimError, match=said):
            choose(ALONE, choice)


def test_neutral_names_hide_all_names_and_keep_the_structure() -> None:
    rows = [(f"secret {a}", *rest) for a, *rest in CHAT]
    parents = {"secret b": "secret a", "secret c": "secret a"}
    found = anonymised(traces(*rows, parents=parents, run="secret run"))  # type: ignore[arg-type]
    everything = "".join(
        each.to_json() for each in (found.calls, found.agents, found.runs, found.messages)
    )
    assert "secret" not in everything
    assert structure(found).kind == LEAD


def test_neutral_names_keep_roles_apart() -> None:
    rows = [("planner", "chat", 0, 5, "stop"), ("coder 1", "chat", 5, 9, "stop"),
            ("coder 2", "chat", 5, 9, "stop"), ("tester", "chat", 9, 12, "stop")]  # fmt: skip
    named = traces(*rows)  # type: ignore[arg-type]
    by_id = replace(named, agents=named.agents.assign(name=pd.NA, role=pd.NA))
    for each in (named, by_id):
        found = anonymised(each)
        roles = roles_of(found.calls, found.agents)["role"].tolist()
        assert roles == ["role-b-lead", "role-a", "role-a", "role-c"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Observation:
    directory = tmp_path_factory.mktemp("lead")
    write_runs(team(LEAD, 1), directory, 12)
    return observe(read_traces([directory]), "observed", 30)


@pytest.mark.slow
def test_the_manual_names_all_that_is_found(seen: Observation) -> None:
    manual = (Path(__file__).resolve().parents[2] / "docs" / "traces.md").read_text("utf-8")
    rows = (line.split("|") for line in manual.splitlines() if line.startswith("| `"))
    told = {name: row[1:] for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    for name, value in findings(seen, Path("out")).items():
        assert name in told, name
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, dict) and name not in {"reading", "runs", "time"}:
            words = set(re.findall(r"\w+", " ".join(told[name])))
            assert set(first) <= words, name


@pytest.mark.slow
def test_each_number_of_the_twin_says_where_it_comes_from(seen: Observation) -> None:
    text = team_yaml(seen.twin, ["made up"])
    study = parse_study(text)
    assert study.base.topology.kind == "centralised"
    assert len(study.points) == len(seen.twin.document["sweep"]["team.size"])

    def numbers(value: Any, path: str) -> list[str]:
        if isinstance(value, dict):
            return [each for k, v in value.items() for each in numbers(v, f"{path}.{k}".strip("."))]
        return [path] if isinstance(value, (int, float, list)) else []

    sources = set(seen.twin.sources)
    for path in numbers(yaml.safe_load(text), ""):
        parts = path.split(".")
        above = {".".join(parts[:i]) for i in range(1, len(parts) + 1)}
        assert above & sources, path


@pytest.mark.slow
def test_what_does_not_fit_is_marked_and_has_a_reason(seen: Observation) -> None:
    comparison = seen.comparison
    assert isinstance(comparison, Comparison)
    rows = comparison.table
    inside = (rows["observed"] >= rows["low"] - 0.021) & (rows["observed"] <= rows["high"] + 0.021)
    assert (rows["fits"] <= inside).all()
    assert (rows.loc[~rows["fits"], "reason"] != "").all()
    assert {"makespan_s", "cost_usd", "calls", "share: model"} <= set(rows["measure"])


def test_a_wide_interval_alone_does_not_fit() -> None:
    shape = Structure(SINGLE, 1.0, 9, 9, "one agent made all calls")
    real = pd.DataFrame({"failed_calls": 0} | {name: np.full(9, 40.0) for name in MEASURES})
    made = pd.DataFrame(
        {"failed_calls": 0} | {name: np.linspace(27.0, 275.0, 99) for name in MEASURES}
    )
    table = compare(real, made, shape, has_tool_rows=True).table
    far = table[table["unit"] != "share"]
    assert not far["fits"].any()
    assert (far["reason"] != "").all()
    # The median of runs that differ much is known less well.
    spread = pd.DataFrame(
        {"failed_calls": 0} | {name: np.geomspace(20.0, 160.0, 4) for name in MEASURES}
    )
    near = compare(spread, made.clip(upper=90.0), shape, has_tool_rows=True).table
    assert near.loc[near["unit"] != "share", "fits"].all()


def test_growth_without_effect_is_scaled_to_a_limit() -> None:
    agent = {"context": {"system_tokens": 100.0}, "tools": {"t": {"result_tokens": 200.0}}}
    factor = 1.0
    for _ in range(9):
        factor = tuning._scale_inputs(agent, 5000.0, 400.0, factor)
    assert (factor, agent["tools"]["t"]["result_tokens"]) == (2.0, 400.0)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"system_tokens": 100.0}, 100.0),
        ({"system_tokens": 100, "start_tokens": 300}, 400.0),
        # The geometric mean of 200 and 800.
        ({"system_tokens": 100, "start_tokens": {"values": [100, 700]}}, 400.0),
        ({"start_tokens": {"values": [100, 1600], "weights": [0.75, 0.25]}}, 200.0),
        # 900 do not fit, and a fifth of the window is kept of them.
        ({"start_tokens": 900, "window_tokens": 500, "compaction": 0.2}, 100.0),
        ({"start_tokens": 900, "window_tokens": {"values": [500, 1000]}, "compaction": 0.2}, 900.0),
    ],
)
def test_the_typical_first_input_is_what_fits(context: dict[str, Any], expected: float) -> None:
    assert first_input(context) == pytest.approx(expected)


@pytest.mark.thorough
def test_calls_that_do_not_read_what_earlier_ones_wrote_cost_as_much_in_the_twin(
    tmp_path: Path,
) -> None:
    # Rows of a gateway: inputs hardly grow, though each call writes 300 tokens.
    table = tmp_path / "calls.csv"
    rows = [f"s{i % 3},m,{i * 10},{i * 10 + 3 + i % 4},{900 + i},{280 + i}\n" for i in range(39)]
    table.write_text("session,model,start_s,end_s,input_tokens,output_tokens\n" + "".join(rows))
    found = observe(read_traces([table]), "observed", 40)
    real, made = (each["input_tokens"].mean() for each in (found.table, found.simulated))
    # If all were read again, the twin would read three times as much.
    assert made == pytest.approx(real, rel=0.05)
    team = yaml.safe_load(text := team_yaml(found.twin, []))
    assert team["team"]["agent"]["context"]["retention"] < 0.1
    assert "tuned: inputs grow by less than what calls write" in " ".join(text.split())


def test_the_share_of_the_context_that_is_kept_is_that_of_the_inputs() -> None:
    # Each of 4 calls writes 100: a share r leaves 100 (3 r + 2 r^2 + r^3) / 4 to the mean input.
    context: dict[str, Any] = {"system_tokens": 50.0, "start_tokens": 10.0}
    half = 60.0 + 100.0 * (1.5 + 0.5 + 0.125) / 4
    assert tuning._kept(context, 4.0, 210.0, half) == 0.5
    assert tuning._kept(context, 4.0, 210.0, 60.0) == 0.0
    for made, wanted in ((np.nan, 60.0), (210.0, np.nan)):  # no call was answered, or none counted
        assert tuning._kept(context, 4.0, made, wanted) == context.get("retention", 1.0)
    assert tuning._kept(context | {"retention": 0.5}, 4.0, half, 250.0) == 1.0


@pytest.mark.parametrize("wanted_s", [16.0, 30.0, 55.0, 61.0, 120.0])
def test_of_few_tasks_the_nearest_number_in_a_chain_is_chosen(wanted_s: float) -> None:
    # Each of nine tasks that is in the chain makes a run 13 s longer.
    twin = SimpleNamespace(share=0.0, explain_further=lambda path, said: None)
    twin.say = lambda path, parallel: setattr(twin, "share", 1.0 - parallel)

    def lengths() -> pd.DataFrame:
        return pd.DataFrame({"makespan_s": [15.0 + 13.0 * round(9 * twin.share)]})

    tuning._tune_chain(twin, SimpleNamespace(table=lengths), pd.Series(np.full(9, wanted_s)))  # type: ignore[arg-type]
    every = [15.0 + 13.0 * tasks for tasks in range(10)]
    assert lengths()["makespan_s"][0] == min(every, key=lambda s: abs(np.log(s / wanted_s)))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seed"), [(SINGLE, 114), (INDEPENDENT, 118)])
def test_twins_of_runs_of_few_calls_are_as_long_and_dear(
    kind: str, seed: int, tmp_path: Path
) -> None:
    # Of 7 calls a run, which differ by 40 %, and of 9 tasks, of which some form a chain.
    write_runs(team(kind, seed), tmp_path, 20)
    found = observe(read_traces([tmp_path]), "observed", 200)
    for measure in ("makespan_s", "cost_usd"):
        real, made = (each[measure].mean() for each in (found.table, found.simulated))
        assert made == pytest.approx(real, rel=0.1)


@pytest.mark.slow
def test_observed_and_simulated_runs_are_measured_alike(seen: Observation) -> None:
    again = run_table(runs_of(seen.traces.calls), seen.traces.calls)
    pd.testing.assert_frame_equal(again, seen.table)
    assert set(seen.table) == set(seen.simulated)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [SINGLE, pytest.param(SUBAGENTS, marks=pytest.mark.thorough)])
def test_a_twin_of_agents_that_begin_with_a_warm_cache_costs_as_much(
    kind: str, tmp_path: Path
) -> None:
    said = team(kind, 3)
    kinds = said["team"].get("subagents", {}).get("kinds", {})
    for each in (said["team"]["agent"], *kinds.values()):
        each["context"] |= {"system_tokens": 16_000, "cache": {"warm_tokens": 15_000}}
        each["loop"] = {"turns": 2}
    write_runs(said, tmp_path, 15)
    found = observe(read_traces([tmp_path]), "observed", 100)
    real, made = (each["cost_usd"].mean() for each in (found.table, found.simulated))
    # With a cold cache the twins cost 1.4 and 1.95 times as much.
    assert made == pytest.approx(real, rel=0.1)


@pytest.mark.parametrize("seed", range(8))
def test_seconds_of_one_law_have_no_tail(seed: int) -> None:
    # Without a bound on how narrow a part may be, some of these had a tail of no calls at all.
    rng = np.random.default_rng(seed)
    n = int(rng.integers(200, 900))
    seconds = np.exp(rng.normal(np.log(rng.uniform(1, 12)), rng.uniform(0.2, 0.8), n))
    assert not fit_tool_times(seconds, rng.integers(0, 20, n)).has_tail


@pytest.mark.thorough
def test_simulated_teams_that_are_observed_come_out_as_they_were(tmp_path: Path) -> None:
    count, runs = 20, 20  # scenarios, and runs of each
    right, off = 0, []
    for i, (kind, said) in enumerate(teams(count)):
        write_runs(said, tmp_path / str(i), runs)
        found = observe(read_traces([tmp_path / str(i)]), "observed", 80)
        shutil.rmtree(tmp_path / str(i))
        right += found.structure.kind == kind
        for measure, most in (
            ("makespan_s", 0.1), ("cost_usd", 0.1), ("share: tools", 0.15),
            ("share: waiting for others", 0.15),
        ):  # fmt: skip
            real, made = (each[measure].mean() for each in (found.table, found.simulated))
            # A share may be off by its own 15 %, or by three points where it is small.
            slack = max(most * real, 0.03 if measure.startswith("share") else 0.0)
            if abs(made - real) > slack:
                off.append((kind, i, measure, round(real, 3), round(made, 3)))
    assert right >= 0.9 * count
    # Each mean of so few observed runs is itself off by some percent: one in ten may miss.
    assert len(off) <= 0.1 * 4 * count, off


def test_every_structure_is_made(tmp_path: Path) -> None:
    assert [kind for kind, _ in teams(len(KINDS))] == list(KINDS)


@pytest.mark.thorough
@pytest.mark.skipif(not AGENT_CALLS.is_file(), reason=f"needs real calls in {AGENT_CALLS}")
def test_a_twin_of_real_sessions_holds_most_of_those_held_out() -> None:
    import zlib

    everything = read_traces([AGENT_CALLS])
    names = everything.calls["run_id"].astype(str).unique()
    held = [name for name in names if zlib.crc32(name.encode()) % 10 < 3]
    kept = [name for name in names if name not in set(held)]
    twin = observe(choose(everything, Choice(sessions=kept)), "observed", 200)
    calls, _ = with_costs(choose(everything, Choice(sessions=held)).calls)
    real = run_table(runs_of(calls), calls)
    for measure in ("makespan_s", "cost_usd", "input_tokens", "output_tokens"):
        low, high = twin.simulated[measure].quantile([0.1, 0.9])
        inside = float(real[measure].between(low, high).mean())
        # Of 208 sessions the share varies by 3 points: what is wanted is 70 to 90 %.
        assert 0.67 <= inside <= 0.93, (measure, inside)


@pytest.mark.slow
@pytest.mark.usefixtures("hardly_tuned")
def test_neutral_names_keep_list_prices_as_numbers() -> None:
    named = replace(traces(*CHAT), calls=traces(*CHAT).calls.assign(response_model="gpt-4o"))  # type: ignore[arg-type]
    open_twin, hidden_twin = (observe(each, "x", 5) for each in (named, anonymised(named)))
    price = hidden_twin.twin.agent_of(next(iter(hidden_twin.twin.fits)))["price"]
    assert price["input_per_mtok"] == list_prices("gpt-4o")["input_per_mtok"]
    assert "gpt-4o" not in team_yaml(hidden_twin.twin, [])
    costs = [each.table["cost_usd"].tolist() for each in (open_twin, hidden_twin)]
    assert costs[0] == pytest.approx(costs[1])
    costs = [each.simulated["cost_usd"].mean() for each in (open_twin, hidden_twin)]
    assert costs[0] == pytest.approx(costs[1], rel=1e-3)
