"""Tools that a harness runs one after another are sequential in the twin, and others are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.calibration.between_turns import BETWEEN_TURNS
from analysis.calibration.loops import fit_loops, fit_requests
from analysis.calibration.requests import find_requests
from analysis.calibration.tool_order import run_alone, share_alone
from analysis.observation.observe import observe
from analysis.traces.canonical import Traces
from tests.analysis.test_observation import Row, together, traces


def alone(*spans: tuple[int, float, float]) -> list[bool | None]:
    """Return of each call ``(turn, begin, finish)`` whether it ran alone."""
    found = run_alone(pd.DataFrame(spans, columns=["position", "begin", "finish"]))
    return [None if pd.isna(each) else bool(each) for each in found]


def test_calls_are_alone_when_no_other_of_their_turn_runs() -> None:
    assert alone((0, 0, 5), (0, 5, 9), (0, 9, 10)) == [True, True, True]
    assert alone((0, 0, 5), (0, 4, 9), (0, 9, 10)) == [False, False, True]
    assert alone((0, 0, 9), (0, 1, 2), (0, 3, 4)) == [False, False, False]
    # Calls of other turns say nothing, nor does the only one of a turn, nor one without length.
    assert alone((0, 0, 5), (1, 0, 5)) == [None, None]
    assert alone((0, 0, 5), (0, 2, 2), (0, 5, 6)) == [True, None, True]


def test_times_that_are_rounded_do_not_hide_that_one_follows_the_other() -> None:
    # To the second: a call of 20.4 s begins at 0.3 s, and the next when it ends.
    assert alone((0, 0, 21), (0, 20, 41)) == [True, True]
    assert alone((0, 0, 21), (0, 19, 41)) == [False, False]


def test_the_share_of_calls_alone_is_of_those_that_tell() -> None:
    tools = pd.DataFrame({"alone": pd.array([True, True, False, None], dtype="boolean")})
    found = share_alone(tools)
    assert found is not None
    assert (found.hits, found.misses) == (2.5, 1.5)
    assert share_alone(tools[3:]) is None


def runs_of(count: int, sequential: tuple[str, ...], starts: bool = False) -> Traces:
    """Return runs of an agent whose turns ask for reads and edits, or for three sub-agents."""
    rng, found = np.random.default_rng(4), []
    for number in range(count):
        rows: list[Row] = []
        parents, now = dict[str, str](), 0.0
        for turn in range(6):
            end = now + rng.lognormal(np.log(4), 0.3)
            rows.append(("lead", "chat", now, end, "tool_use" if turn < 5 else "end_turn"))
            now = end
            if turn == 5:
                break
            asked = ["task"] * 3 if starts else ["read"] * 3 + ["edit"] * 2
            for tool in sorted(asked, key=lambda each: each in sequential):
                begins = now if tool not in sequential else end
                ends = begins + (15.0 if starts else rng.lognormal(np.log(10), 0.4))
                if starts:
                    child = f"helper{turn}-{len(parents)}"
                    parents[child] = "lead"
                    for part in range(3):
                        at, reason = begins + 5 * part, "tool_use" if part < 2 else "end_turn"
                        rows.append((child, "chat", at + 0.1, at + 4.9, reason))
                rows.append(("lead", "execute_tool", begins, ends, tool))
                end = max(end, ends)
            now = end
        found.append(traces(*rows, parents=parents, run=f"r{number}"))
    return together(*found)


@pytest.mark.parametrize("sequential", [(), ("edit",), ("read", "edit")])
def test_each_tool_is_found_sequential_or_not(sequential: tuple[str, ...]) -> None:
    fit = fit_loops(runs_of(12, sequential).calls)
    found = {tool.name for tool in fit.tools if tool.is_sequential}
    assert found == set(sequential)
    said = fit.spec()["tools"]
    assert {name for name in said if said[name].get("sequential")} == set(sequential)
    names = {name for name in fit.parameters() if name.endswith("calls_alone")}
    assert names == {f"{tool}_calls_alone" for tool in sequential}


@pytest.mark.slow
@pytest.mark.parametrize("runs", [3, 12])
@pytest.mark.parametrize("sequential", [("edit",), ("read", "edit")])
def test_the_twin_takes_as_long_as_the_agent(runs: int, sequential: tuple[str, ...]) -> None:
    found = observe(runs_of(runs, sequential), "observed", 20)
    real, made = (each["makespan_s"].mean() for each in (found.table, found.simulated))
    # A standard error of the ratio is 2 to 4 %. At once, the calls would take half as long.
    assert made == pytest.approx(real, rel=0.1)
    assert "tool_calls" in set(found.comparison.table["measure"])


@pytest.mark.thorough
def test_sub_agents_one_after_another_take_as_long_in_the_twin() -> None:
    found = observe(runs_of(12, ("task",), starts=True), "observed", 20)
    real, made = (each["makespan_s"].mean() for each in (found.table, found.simulated))
    assert real > 5 * 3 * 15
    assert made == pytest.approx(real, rel=0.05)
    # Sub-agents ask for tools of which there are no rows: only the twin could count their calls.
    assert "tool_calls" not in set(found.comparison.table["measure"])


def with_approvals(count: int) -> Traces:
    """Return runs of an agent two of whose three tools a turn wait for a person, one by one."""
    rng, found = np.random.default_rng(6), []
    for number in range(count):
        rows: list[Row] = []
        now = 0.0
        for turn in range(6):
            end = now + rng.lognormal(np.log(4), 0.3)
            rows.append(("lead", "chat", now, end, "tool_use" if turn < 5 else "end_turn"))
            now = end
            for tool in ("read", "edit", "edit") if turn < 5 else ():
                now += rng.lognormal(np.log(12), 0.6) if tool == "edit" else 0.0
                end = now + rng.lognormal(np.log(2), 0.4)
                rows.append(("lead", "execute_tool", now, end, tool))
                now = end
        found.append(traces(*rows, run=f"r{number}"))
    return together(*found)


@pytest.mark.slow
@pytest.mark.parametrize("runs", [3, 16])
def test_waits_between_tools_are_in_the_twin_and_are_no_calls(runs: int) -> None:
    found = observe(with_approvals(runs), "observed", 40)
    (fit,) = found.twin.fits.values()
    assert fit.spec["tools"][BETWEEN_TURNS]["sequential"]
    assert not any("no tool runs" in each for each in fit.missing)
    for measure in ("makespan_s", "tool_calls", "calls"):
        real, made = (each[measure].mean() for each in (found.table, found.simulated))
        # A standard error of the ratio of makespans is 2 to 4 %; without waits it is 0.31.
        assert made == pytest.approx(real, rel=0.1), measure
    assert not any(each.startswith("share") for each in found.comparison.misfits["measure"])


def test_who_waits_for_others_has_no_waits_of_its_own() -> None:
    requests = find_requests(with_approvals(16).calls)
    names = {tool.name for tool in fit_requests(requests).tools}
    assert names == {"read", "edit"}
    assert any("no tool runs" in str(gap) for gap in fit_requests(requests).gaps())
    alone = fit_requests(requests, is_alone=True)
    assert {tool.name for tool in alone.tools} == {"read", "edit", BETWEEN_TURNS}
    # Two waits of a mean of 12 exp(0.18) s after each of 80 turns.
    (between,) = [tool for tool in alone.tools if tool.name == BETWEEN_TURNS]
    assert between.share.value == pytest.approx(80.5 / 81)
    assert between.seconds.calls == 80


def test_a_little_time_between_turns_is_left_out() -> None:
    fit = fit_requests(find_requests(runs_of(12, ("read", "edit")).calls), is_alone=True)
    assert {tool.name for tool in fit.tools} == {"read", "edit"}
