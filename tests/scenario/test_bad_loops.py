"""Wrong loops, tools, stations, caches and sub-agents: where it is said, and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import ScenarioError
from simulator.scenario import load_study
from tests.cli.test_commands import teamsim

LOOPING = """\
name: looping
team:
  size: 2
  agent:
    latency: {kind: seconds, base: 3}
    context: {cache: {life_s: 300}}
    loop: {turns: 8}
    tools:
      tests: {probability: 0.3, seconds: 60, station: ci}
      ask: {starts: {agent: helper}, calls: 2}
  subagents: {max_depth: 2, kinds: {helper: {loop: {turns: 3}}}}
topology: independent
coordination: {protocol: self_claim}
workload: {kind: parallel_fraction, tasks: 4, parallel_fraction: 1}
stations: {ci: {concurrency: 1, available: {from: 9, to: 17}}}
starts_at: {day: mon}
"""

NEGATIVE = "cannot be negative"
NAMES, FIELDS = "should be a mapping of names", "should be a mapping of fields"
ENDS = "a loop needs one of 'turns', 'end_probability' and 'work_per_turn'"

OF_AGENTS = {
    "loop.turns=-1": NEGATIVE,
    "loop.turns=many": "unknown distribution 'many'",
    "loop.turns={kind: normal, mean: 3, sd: 1}": "truncate it with at_least: 0",
    "loop.turns=null": ENDS,
    "loop.end_probability=0.1": f"{ENDS}, not 2 of them",
    "loop={end_probability: 0}": "loop.end_probability: should be greater than 0; found 0",
    "loop={end_probability: 1.5}": "should be less than or equal to 1; found 1.5",
    "loop={end_probability: often}": "should be a valid number",
    "loop={work_per_turn: -2}": "should be greater than 0; found -2",
    "loop={}": ENDS,
    "loop=8": f"{FIELDS}; found 8",
    "loop.max_turns=0": "should be greater than or equal to 1; found 0",
    "loop.max_turns=2.5": "should be a valid integer",
    "loop.at_limit=stop": "should be 'hand_in' or 'give_up'; found stop",
    "loop.reads_messages=never": "should be 'turn' or 'loop'; found never",
    "loop.turn=3": "unknown key 'turn'; did you mean 'turns'?",
    "loop=null": "they need a 'loop'",
    "tools=3": f"{NAMES}; found 3",
    "tools=[tests]": NAMES,
    "tools.test=null": "no such tool to take away: unknown tool 'test'",
    "tools.tests.wait_for=true": "should be a valid integer",
    "tools.tests.errors='0.1'": "should be a valid number",
    "loop.max_turns=true": "should be a valid integer",
    "tools.tests=3": f"{FIELDS}; found 3",
    "tools.tests.probability=-0.1": "should be greater than or equal to 0; found -0.1",
    "tools.tests.probability=1.2": "should be less than or equal to 1; found 1.2",
    "tools.tests.weight=1": "a tool has a 'probability' or a 'weight', not both",
    "tools.tests={weight: 0}": "tools.tests.weight: should be greater than 0",
    "tools.tests.calls=-2": NEGATIVE,
    "tools.tests.calls=1001": "'calls' is 1001, and a turn makes up to 1,000 calls",
    "tools.tests.seconds=-5": NEGATIVE,
    "tools.tests.seconds=long": "unknown distribution 'long'",
    "tools.tests.wait_for=0": "should be greater than or equal to 1; found 0",
    "tools.tests.wait_for=most": "should be 'all' or 'any'; found most",
    "tools.tests.result_tokens=-1": NEGATIVE,
    "tools.tests.errors=2": "should be less than or equal to 1; found 2",
    "tools.tests.timeout_s=0": "should be greater than 0; found 0",
    "tools.tests.background=perhaps": "should be true or false",
    "tools.tests.station=cj": "tools.tests.station: unknown station 'cj'; did you mean 'ci'?",
    "tools.tests.priority=high": "should be a valid integer",
    "tools.tests.second=3": "unknown key 'second'; did you mean 'seconds'?",
    "tools.ask.starts.agent=helpr": "starts.agent: unknown sub-agent 'helpr'; did you mean",
    "tools.ask.starts={}": "tools.ask.starts.agent: this field is required and missing",
    "tools.ask.starts=helper": f"{FIELDS}; found helper",
    "tools.ask.starts.context=old": "should be 'fresh' or 'forked'; found old",
    "tools.ask.starts.work=0": "should be greater than 0; found 0",
    "tools.ask.seconds=3": "takes as long as that does: leave out 'seconds'",
    "context.cache=5": "should be true or false",
    "context.cache=hour": "should be true or false",
    "context.cache.life=300": "context.cache.life: unknown key 'life'; did you mean 'life_s'?",
    "context.cache.life_s=-5": "context.cache.life_s: should be greater than 0; found -5",
    "context.cache.life_s=hour": "should be a valid number",
    "context.cache.write_price_factor=-1": "should be greater than or equal to 0; found -1",
    "context.cache.min_tokens=-1": "should be greater than or equal to 0; found -1",
}
"""Settings below ``team.agent``."""

OF_THE_REST = {
    "stations=3": f"{NAMES}; found 3",
    "stations.ci=2": f"{FIELDS}; found 2",
    "stations.ci.servers=2": "unknown key 'servers'",
    "stations.ci.concurrency=0": "should be greater than or equal to 1; found 0",
    "stations.ci.concurrency=1.5": "should be a valid integer",
    "stations.ci.order=lifo": "should be 'fifo' or 'priority'; found lifo",
    "stations.ci.patience_s=-1": "should be greater than 0; found -1",
    "stations.ci.outages={up_s: 3}": "stations.ci.outages.down_s: this field is required",
    "stations.ci.available=always": f"{FIELDS}; found always",
    "stations.ci.available.from=18": "nobody is ever there from 18 to 17",
    "stations.ci.available.from=-1": "should be greater than or equal to 0; found -1",
    "stations.ci.available.to=25": "should be less than or equal to 24; found 25",
    "stations.ci.available.days=[]": "nobody is ever there without any 'days'",
    "stations.ci.available.days=mon": "should be a list; found mon",
    "stations.ci.available.days=[monday]": "should be 'mon', 'tue',",
    "starts_at=mon": f"{FIELDS}; found mon",
    "starts_at.day=monday": "should be 'mon', 'tue',",
    "starts_at.hour=24": "should be less than 24; found 24",
    "team.subagents=3": f"{FIELDS}; found 3",
    "team.subagents=null": "unknown sub-agent 'helper' (allowed: none)",
    "team.subagents.kind={}": "unknown key 'kind'; did you mean 'kinds'?",
    "team.subagents.kinds={}": "unknown sub-agent 'helper' (allowed: none)",
    "team.subagents.kinds.helper=3": f"{FIELDS}; found 3",
    "team.subagents.max_depth=0": "should be greater than or equal to 1; found 0",
    "team.subagents.max_depth=101": "should be less than or equal to 100; found 101",
    "team.subagents.max_total=-1": "should be greater than or equal to 0; found -1",
    "team.subagents.max_total=few": "should be a valid integer",
}

WRONG = {**{f"team.agent.{setting}": said for setting, said in OF_AGENTS.items()}, **OF_THE_REST}


@pytest.fixture
def looping(tmp_path: Path) -> Path:
    path = tmp_path / "looping.yaml"
    path.write_text(LOOPING)
    return path


def test_the_scenario_itself_is_right(looping: Path) -> None:
    assert load_study(looping).base.name == "looping"


@pytest.mark.parametrize("setting", WRONG)
def test_a_wrong_field_is_one_problem_at_its_place(looping: Path, setting: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        _ = load_study(looping, [setting]).base
    (problem,) = caught.value.problems
    field, where = setting.partition("=")[0], problem.path
    assert WRONG[setting] in f"{where}: {problem.message}"
    is_there = field.startswith(where) or where.startswith(field)
    assert is_there or "unknown sub-agent" in problem.message  # where it is started


def test_sub_agents_that_start_each_other_without_end_are_refused(looping: Path) -> None:
    text = LOOPING.replace("max_depth: 2, ", "").replace(
        "{loop: {turns: 3}}", "{loop: {turns: 3}, tools: {more: {starts: {agent: helper}}}}"
    )
    looping.write_text(text)
    with pytest.raises(ScenarioError, match="'helper' > 'helper' may start each other without end"):
        _ = load_study(looping).base


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    "setting", ["team.agent.tools.tests.station=cj", "stations.ci.available.days=[]"]
)
def test_the_command_ends_with_2(looping: Path, setting: str) -> None:
    found = teamsim("run", looping, "--set", setting)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert WRONG[setting] in " ".join(found.stderr.split())
