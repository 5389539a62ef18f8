"""A wrong scenario is refused; the error has file, line, path, the value, and allowed values."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import ScenarioError
from simulator.scenario import load_study, parse_study

GOOD = """\
name: good
team:
  size: 2
  agent:
    latency: {kind: seconds, base: 3}
topology: decentralised
coordination:
  protocol: self_claim
workload: {kind: parallel_fraction, tasks: 10, parallel_fraction: 0.5}
"""


def said(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        _ = parse_study(text, "file.yaml").points
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_the_good_scenario_is_good() -> None:
    assert parse_study(GOOD).base.team.size == 2


def fault(said: str) -> str:
    return GOOD + f"faults: [{{at_s: 1, {said}}}]\n"


def pattern(said: str) -> str:
    return GOOD + f"resilience: {{{said}}}\n"


def claiming(said: str) -> str:
    return changed("protocol: self_claim", f"protocol: {{kind: self_claim, {said}}}")


def mixture(said: str, more: str = "") -> str:
    part = f"{{kind: lognormal, median: 3, sigma: 0.1, {said}}}"
    return f"{{kind: mixture, components: [{{weight: 1, distribution: {part}}}]{more}}}"


FORGETS = "base: 3}\n    forgetting: {probability: 0.2}"
ALWAYS = "{probability: 1, agent_sigma: 0.5}"
PER_AGENT = "{kind: uniform, low: 1, high: 2, agent_sigma: 0.5}"
CYCLE = "{kind: dag, tasks: [{id: a, dependencies: [b]}, {id: b, dependencies: [a]}]}"
WORK = "{kind: parallel_fraction, tasks: 10, parallel_fraction: 0.5}"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            changed("size: 2", "sise: 2"),
            ["file.yaml:3: team.sise: unknown key 'sise'; did you mean 'size'?", "allowed: agent"],
        ),
        (
            changed("kind: seconds", "kind: second"),
            ["file.yaml:5: team.agent.latency.kind: unknown latency model 'second'; did you mean"],
        ),
        (
            changed("protocol: self_claim", "protocol: 3"),
            ["coordination.protocol: a protocol is a"],
        ),
        (
            GOOD.replace("coordination:\n  protocol: self_claim", "coordination: fast"),
            ["file.yaml:7: coordination: should be a mapping of fields; found fast"],
        ),
        (changed("size: 2", "size: two"), ["file.yaml:3: team.size:", "integer", "found two"]),
        (
            changed("size: 2", "size: 0"),
            ["file.yaml:3: team.size:", "greater than or equal to 1", "found 0"],
        ),
        (
            changed("base: 3", "base: {kind: exponential, mean: -3}"),
            ["file.yaml:5: team.agent.latency.base.mean:", "greater than 0", "found -3"],
        ),
        (
            changed("base: 3", "base: -3"),
            ["file.yaml:5: team.agent.latency.base:", "cannot be negative", "can be -3"],
        ),
        (
            changed("base: 3", "base: {kind: normal, mean: 9, sd: 1}"),
            ["team.agent.latency.base:", "normal can be -", "at_least: 0"],
        ),
        (
            changed("base: 3", "base: {kind: deterministic, value: 3, phase_length: 5}"),
            ["file.yaml:5: team.agent.latency.base: phase_length", "without phase_sigma"],
        ),
        (
            changed("base: 3", "base: {kind: deterministic, value: 0, run_sigma: 0.5}"),
            ["file.yaml:5: team.agent.latency.base: run_sigma multiplies", "this is always 0"],
        ),
        (
            changed("base: 3", "base: {kind: empirical, values: [0, 0], agent_sigma: 1}"),
            ["file.yaml:5: team.agent.latency.base: agent_sigma multiplies", "this is always 0"],
        ),
        (
            changed("base: 3", f"base: {mixture('run_sigma: 0.5', ', at_most: 9')}"),
            ["latency.base: in a truncated mixture the component of a draw is not known"],
        ),
        (
            changed("base: 3", f"base: {mixture('phase_sigma: 0.5, phase_length: 3')}"),
            ["latency.base: the phases of a mixture have one phase_length: give it for"],
        ),
        *(
            (GOOD + section % once + "\n", [f"{path}: no agent draws this", "use run_sigma"])
            for once in (PER_AGENT, mixture("agent_sigma: 0.2"))
            for section, path in (
                ("workspace: {kind: optimistic, merge_s: %s}", "workspace.merge_s"),
                ("provider: {outages: {up_s: 9, down_s: %s}}", "provider.outages.down_s"),
                ("resilience: {supervisor: {restart_s: %s}}", "resilience.supervisor.restart_s"),
            )
        ),
        (
            changed(
                "base: 3}", "base: 3}\n    errors: {probability: {probability: 0, run_sigma: 1}}"
            ),
            ["file.yaml:6: team.agent.errors.probability: a probability of 0 is the same", "run_s"],
        ),
        (
            changed("base: 3}", f"base: 3}}\n    behaviour: {{idle: {ALWAYS}}}"),
            ["file.yaml:6: team.agent.behaviour.idle: a probability of 1", "agent_sigma cannot"],
        ),
        (changed(WORK, CYCLE), ["file.yaml:9: workload:", "the dependencies form a cycle: "]),
        (
            changed("topology: decentralised", "topology: decentralized"),
            ["file.yaml:6: topology:", "did you mean 'decentralised'?", "allowed: blackboard,"],
        ),
        (
            changed("base: 3}", "base: 3}\n    errors: {probability: 1.2}"),
            ["file.yaml:6: team.agent.errors.probability:", "equal to 1", "found 1.2"],
        ),
        (
            changed(WORK, "{kind: dag, path: nowhere.json}"),
            ["workload:", "nowhere.json: no such file"],
        ),
        ("", ["file.yaml: the file is empty"]),
        ("# only a comment\n", ["the file is empty"]),
        ("- 1\n- 2\n", ["a scenario is a mapping"]),
        ("just words\n", ["a scenario is a mapping"]),
        ("name: good\n\tteam: 1\n", ["file.yaml:2:", "a tab cannot indent YAML"]),
        ("name: [1, 2\n", ["file.yaml:2:", "not YAML"]),
        ("name: a\nname: b\n", ["file.yaml:2: name: this key is given twice"]),
        ("a: &a [x, *a]\n", ["contains itself"]),
        ("name: !!python/object:os.system x\n", ["not YAML"]),
        (
            changed("  agent:\n    latency: {kind: seconds, base: 3}\n", ""),
            ["file.yaml:3: team: a team of 'size' agents needs 'agent'"],
        ),
        (
            changed("latency: {kind: seconds, base: 3}", "profile: claude-sonnet"),
            ["file.yaml:5: team.agent.profile: unknown profile", "did you mean 'claude-sonnet"],
        ),
        (changed("base: 3", "base: .inf"), ["finite number"]),
        (
            changed("decentralised", "single"),
            ["'single' is one agent alone", "the team has 2 workers"],
        ),
        (GOOD + "sweep: {team.size: 3}\n", ["file.yaml:10: sweep.team.size: an axis is a list"]),
        (GOOD + "sweep: {team.size: [1, 0]}\n", ["file.yaml:10: team.size:", "found 0"]),
        (GOOD + "sweep:\n  team.sise: [1]\n", ["file.yaml:11: team.sise: unknown key"]),
        (GOOD + "sweep: {team.size: {from: 3, to: 1}}\n", ["'to' (1.0) is below 'from' (3.0)"]),
        (GOOD + "sweep: {team.size: {from: 1, too: 3}}\n", ["did you mean 'to'?"]),
        (GOOD + "sweep: [{team.size: 1}]\n", ["sweep.0: a point is a mapping with a 'name'"]),
        (GOOD + "sweep: [{name: a}, {name: a}]\n", ["two points are called 'a'"]),
        (
            GOOD + "sweep: [{name: a, team.size: {values: 3}}]\n",
            ["sweep.0.team.size.values: a list of values; found 3"],
        ),
        (
            GOOD
            + "sweep: [{name: a, team.size: {in_step: [1, 2]}, workload.tasks: {in_step: [9]}}]\n",
            ["what changes in step needs as many values each: team.size has 2"],
        ),
        (GOOD + "sweep: {team.size.x.y: [1]}\n", ["file.yaml:10: team.size.x: 2 has no fields"]),
        (GOOD + "baseline: 3\n", ["baseline: a baseline maps paths to values"]),
        (GOOD + "faults: {at_s: 1}\n", ["file.yaml:10: faults: should be a list"]),
        (fault("kind: kil, agent: 0"), ["file.yaml:10: faults.0.kind:", "'kill', 'crash'"]),
        (fault("kind: kill, agent: 7"), ["file.yaml:10: faults: there is no worker 7, only 0"]),
        (fault("kind: kill, agent: coordinator"), [":10: faults: there is no coordinator"]),
        (fault("kind: kill"), ["faults.0: 'kill' needs 'agent': whom it hits"]),
        (fault("kind: crash, agent: 0"), ["'crash' needs 'for_s': how long it lasts"]),
        (fault("kind: slow, agent: 0"), ["'slow' needs 'factor'"]),
        (fault("kind: outage, agent: 0, for_s: 3"), ["'outage' hits everybody: leave 'agent' out"]),
        (pattern("retri: {}"), ["resilience.retri: unknown key 'retri'; did you mean 'retry'?"]),
        (pattern("supervisor: {}"), ["a 'supervisor' restarts who is found dead: it needs a"]),
        (pattern("hedge: {}"), ["a hedge needs either 'after_s' or 'percentile'"]),
        (pattern("timeout: {seconds: 0}"), ["resilience.timeout.seconds: should be greater than"]),
        (
            pattern("bulkhead: {teem: 3}"),
            ["file.yaml:10: resilience.bulkhead: unknown group 'teem'; did you mean 'team'?"],
        ),
        (
            changed("base: 3}", FORGETS).replace("self_claim", "pre_assigned"),
            ["file.yaml:6: team.agent.forgetting: with protocol 'pre_assigned' there"],
        ),
        (
            changed("base: 3}", FORGETS)
            + "resilience: {simpler_protocol: {protocol: work_stealing}}\n",
            ["file.yaml:6: team.agent.forgetting: with protocol 'work_stealing', to"],
        ),
        (
            changed("base: 3}", FORGETS.replace("0.2", "1, depth_logit: 2")),
            ["file.yaml:6: team.agent.forgetting: depth_logit cannot change a probability of 1"],
        ),
        (
            changed("base: 3}", FORGETS.replace("0.2", "0.2, all_claimed_logit: 2")),
            ["file.yaml:6: team.agent.forgetting: all_claimed_logit cannot change a notice of 0"],
        ),
        (
            claiming("lease_rounds: 2}\n  timing: asynchronous  #"),
            ["file.yaml:8: coordination.protocol.lease_rounds: there are no rounds with timing"],
        ),
        (
            claiming("release: lease"),
            ["file.yaml:8: coordination.protocol: release: 'lease' needs 'lease_s' or"],
        ),
        (
            claiming("lease_s: 3, lease_rounds: 2"),
            ["file.yaml:8: coordination.protocol: a claim has one lease: 'lease_s' or"],
        ),
        (
            claiming("lease_s: 3, release: on_exit"),
            ["file.yaml:8: coordination.protocol: lease_s: with release 'on_exit' no lease ends"],
        ),
        (
            claiming("completion: all"),
            ["file.yaml:8: coordination.protocol.completion: should be 'owner' or 'anyone'"],
        ),
        (
            pattern("simpler_protocol: {protocol: lead_assign}"),
            ["resilience.simpler_protocol: 'lead_assign' is no simpler protocol"],
        ),
        *(
            (
                pattern("backup: {}").replace("self_claim", protocol),
                [f"resilience.backup: with protocol {protocol!r} no task belongs to one agent"],
            )
            for protocol in ("debate", "redundancy", "replicate_and_vote")
        ),
        (GOOD + "provider: {queue: {}}\n", ["a 'queue' needs 'concurrency': how many calls"]),
    ],
)
def test_the_error_says_where_and_what(text: str, messages: list[str]) -> None:
    error = said(text)
    for message in messages:
        assert message in error


def test_a_yaml_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    assert "values once expanded" in said("\n".join(lines))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"nothing\.yaml: no such file"):
        load_study(tmp_path / "nothing.yaml")


def test_all_problems_are_reported_at_once() -> None:
    text = changed("size: 2", "size: -1").replace("tasks: 10", "tasks: none")
    assert said(text).count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("team.size=0", "--set team.size=0: team.size:"),
        ("team.size", "a setting is path=value"),
        ("team.sizes=3", "did you mean 'size'?"),
        ("team.size.x=3", "has no fields"),
        ("team.size=[", "not YAML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, setting: str, message: str) -> None:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    with pytest.raises(ScenarioError) as caught:
        _ = load_study(path, [setting]).base
    assert message in str(caught.value)
