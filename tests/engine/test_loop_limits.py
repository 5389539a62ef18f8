"""What a loop may not do without end: an error says so; there is no hang and no traceback."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.errors import TeamsimError
from tests.conftest import run

NESTED = {
    "loop": {"turns": 2},
    "latency": {"kind": "seconds", "base": 1},
    "tools": {"ask": {"starts": {"agent": "helper"}}},
}


def nested(limits: dict[str, Any] | None = None, **subagents: Any) -> Any:
    """Run an agent that starts a sub-agent, which starts one, and so on."""
    kinds = {"helper": NESTED}
    return run(
        team={"size": 1, "agent": NESTED, "subagents": {"kinds": kinds, **subagents}},
        workload__tasks=1,
        limits=limits or {},
    )


def looping(tool: dict[str, Any], **fields: Any) -> Any:
    """Run two agents in loops of two turns with one tool."""
    agent = {**NESTED, "tools": {"tests": tool}}
    return run(team={"size": 2, "agent": agent}, workload__tasks=2, **fields)


def test_sub_agents_a_hundred_levels_deep_are_too_many() -> None:
    with pytest.raises(TeamsimError, match=r"'helper' are 101 levels below the team.*'max_depth'"):
        nested(max_total=1000)


def test_a_hundred_levels_end_and_are_cut_off_by_a_deadline() -> None:
    m = nested(max_depth=100)
    assert (m.outcome, m.sub_agents) == ("completed", 100)
    m = nested(max_depth=100, limits={"deadline_s": 100.5})
    assert (m.outcome, m.sub_agents) == ("deadline", 100)


def test_a_turn_that_draws_too_many_calls_is_an_error() -> None:
    calls = {"kind": "lognormal", "median": 1e6, "sigma": 0.1}
    with pytest.raises(TeamsimError, match=r"calls of tool 'tests' is .* up to 1,000 calls"):
        looping({"calls": calls})


def test_a_turn_may_make_a_thousand_calls() -> None:
    m = looping({"calls": 1000})
    assert (m.outcome, m.tool_calls) == ("completed", 2000)


def test_a_draw_that_is_too_large_is_said_by_the_name_of_its_tool() -> None:
    seconds = {"kind": "lognormal", "median": 1, "sigma": 500}
    with pytest.raises(TeamsimError, match=r"a draw of seconds of tool 'tests' is"):
        looping({"seconds": seconds})


@pytest.mark.parametrize(
    "outages",
    [
        {"up_s": 0, "down_s": 0},
        pytest.param({"up_s": 1e-9, "down_s": 1e9}, marks=pytest.mark.thorough),
        pytest.param({"up_s": 0, "down_s": 1, "hangs": True}, marks=pytest.mark.thorough),
    ],
)
def test_outages_without_end_are_an_error(outages: dict[str, Any]) -> None:
    with pytest.raises(TeamsimError, match=r"1,000,000 outages .* 'up_s' and 'down_s'"):
        looping({"seconds": 5, "station": "ci"}, stations={"ci": {"outages": outages}})
