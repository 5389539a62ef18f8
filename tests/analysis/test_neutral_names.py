from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.observation.neutral_names import anonymised
from analysis.observation.observe import Observation, observe
from analysis.observation.roles import roles_of
from analysis.observation.structure import LEAD, SINGLE, SUBAGENTS
from analysis.observation.team_file import team_yaml
from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from tests.analysis.observed_teams import team, write_runs

COLUMNS = "session,agent,model,start_s,duration_s,input_tokens,output_tokens,finish_reason"


def table(tmp_path: Path, *rows: str) -> Traces:
    """Return the traces of a table of calls."""
    path = tmp_path / "calls.csv"
    path.write_text("\n".join([COLUMNS, *rows]) + "\n")
    return read_traces([path])


def numbers(said: Any) -> Any:
    """Return what a scenario says without its names, and without prices, which have names too."""
    if isinstance(said, dict):
        return [numbers(value) for name, value in said.items() if name != "price"]
    if isinstance(said, list):
        return [numbers(each) for each in said]
    return "" if isinstance(said, str) else said


def assert_same(named: Observation, hidden: Observation) -> None:
    assert numbers(hidden.twin.document) == numbers(named.twin.document)
    pd.testing.assert_frame_equal(hidden.simulated, named.simulated)
    pd.testing.assert_frame_equal(hidden.comparison.table, named.comparison.table)


@pytest.mark.slow
@pytest.mark.each
@pytest.mark.parametrize("kind", [SINGLE, LEAD, SUBAGENTS])
def test_neutral_names_do_not_change_the_twin(kind: str, tmp_path: Path) -> None:
    write_runs(team(kind, 2), tmp_path, 8)
    traces = read_traces([tmp_path])
    named, hidden = observe(traces, "x", 8), observe(anonymised(traces), "x", 8)
    assert_same(named, hidden)
    names = {*traces.tools["tool_name"], "simulated"}
    written = team_yaml(hidden.twin, [])
    assert [name for name in names if name in written] == []


def test_what_too_few_calls_do_not_tell_is_still_of_the_profile_of_their_model(
    tmp_path: Path,
) -> None:
    rows = [f"s,secret,claude-opus-4-5-20251101,{10 * i},4,9503,80,stop" for i in range(2)]
    traces = table(tmp_path, *rows)
    named, hidden = observe(traces, "x", 4), observe(anonymised(traces), "x", 4)
    assert_same(named, hidden)
    assert "the profile claude-opus-4-5" in team_yaml(named.twin, [])
    written = team_yaml(hidden.twin, [])
    assert "the profile of a model whose name is replaced" in written
    assert "opus" not in written


def test_the_calls_of_a_helper_stay_those_of_its_model(tmp_path: Path) -> None:
    rows, at = [], 0.0
    for run in range(8):
        for i in range(12):
            lasts, ends = 3 + (7 * i + run) % 5, "stop" if i % 4 == 0 else "tool_use"
            model = "anthropic/claude-sonnet-4-5-20250929"
            rows.append(f"s{run},coder,{model},{at},{lasts},{20000 + 900 * i},200,{ends}")
            at += lasts + 2
            if i % 4 == 1:
                rows.append(f"s{run},coder,claude-3-haiku-20240307,{at},1,600,30,stop")
                at += 2
    traces = table(tmp_path, *rows)
    named, hidden = observe(traces, "x", 4), observe(anonymised(traces), "x", 4)
    assert len(named.twin.fits) == 2
    assert_same(named, hidden)


def test_names_that_are_ids_tell_no_role_under_neutral_names(tmp_path: Path) -> None:
    names = ("0a1b2c3d4e5f", "coder 1", "coder 2")
    rows = [f"s,{agent},gpt-4o,{at},5,1000,100,stop" for at, agent in enumerate(names)]
    traces = table(tmp_path, *rows)
    by_id = replace(traces, agents=traces.agents.assign(name=pd.NA, role=pd.NA))
    hidden = anonymised(by_id)
    roles = roles_of(hidden.calls, hidden.agents)["role"].tolist()
    assert roles_of(by_id.calls, by_id.agents)["role"].tolist() == ["main", "coder", "coder"]
    assert roles == ["main", "role-a", "role-a"]
