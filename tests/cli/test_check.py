"""``teamsim check`` tells all that is wrong, in any number of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Here
from tests.scenario.test_bad_scenarios import GOOD

pytestmark = pytest.mark.end_to_end


def written(directory: Path, **texts: str) -> list[str]:
    for name, text in texts.items():
        (directory / f"{name}.yaml").write_text(text)
    return [f"{name}.yaml" for name in texts]


def test_every_file_is_checked_though_one_is_wrong(tmp_path: Path, teamsim_here: Here) -> None:
    files = written(tmp_path, a=GOOD, b=GOOD.replace("size: 2", "size: 0"), c="a: [", d=GOOD)
    done = teamsim_here("check", *files, "missing.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        "a.yaml: ok, 1 point, 100 replications",
        "d.yaml: ok, 1 point, 100 replications",
    ]
    lines = done.stderr.splitlines()
    assert [line.removeprefix("error: ").split(":")[0] for line in lines] == [
        "b.yaml",
        "c.yaml",
        "missing.yaml",
    ]


def test_all_that_is_wrong_in_a_file_is_told(tmp_path: Path, teamsim_here: Here) -> None:
    wrong = GOOD.replace("size: 2", "sise: 2").replace("decentralised", "meshed")
    (file,) = written(tmp_path, a=wrong.replace("base: 3", "base: -3"))
    done = teamsim_here("check", file, cwd=tmp_path)
    lines = done.stderr.removeprefix("error: ").splitlines()
    for said, line in zip(
        ("a.yaml:3: team.sise", "a.yaml:5: team.agent.latency", "a.yaml:6: topology"),
        lines,
        strict=True,
    ):
        assert line.startswith(said)


def test_what_is_wrong_says_what_is_allowed(tmp_path: Path, teamsim_here: Here) -> None:
    wrong = GOOD.replace("name: good", "name: no good\nseed: x").replace(
        ", parallel_fraction: 0.5", ""
    )
    (file,) = written(tmp_path, a=wrong)
    done = teamsim_here("check", file, cwd=tmp_path)
    assert "name: should have letters, digits, '_', '-' and '.'" in done.stderr
    assert "seed: should be a valid integer; found x" in done.stderr
    assert "workload.parallel_fraction: this field is required and missing; add it" in done.stderr


def test_points_are_all_looked_at_and_the_same_is_said_once(
    tmp_path: Path, teamsim_here: Here
) -> None:
    sweep = "sweep:\n  - {name: a, team.size: 0}\n  - {name: b, topology: ringg}\n"
    (file,) = written(tmp_path, a=GOOD.replace("tasks: 10", "tasks: -1") + sweep)
    done = teamsim_here("check", file, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("workload.tasks") == 1
    for said in ("a.yaml:11: team.size", "a.yaml:12: topology"):
        assert said in done.stderr


def test_a_budget_that_calls_without_a_price_do_not_use_up_is_told(
    tmp_path: Path, teamsim_here: Here
) -> None:
    budget = GOOD + "limits: {budget_usd: 1}\n"
    free = budget.replace("base: 3}", "base: 3}\n    price: {output_per_mtok: 0}")
    unpriced, priced = written(tmp_path, unpriced=budget, priced=free)
    done = teamsim_here("check", unpriced, cwd=tmp_path)
    said = " ".join((done.stdout + done.stderr).split())
    note = "limits.budget_usd: calls without a price use up nothing of it; give a price"
    assert note in said
    assert note in " ".join(teamsim_here("run", unpriced, "-r", 2, cwd=tmp_path).stdout.split())
    for command in ("check", "run"):
        done = teamsim_here(command, priced, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "budget_usd" not in done.stdout + done.stderr


def test_rules_between_fields_are_all_told(tmp_path: Path, teamsim_here: Here) -> None:
    review = "self_claim\n  review: {by: coordinator}\nresilience: {bulkhead: {nobody: 2}}"
    (file,) = written(tmp_path, a=GOOD.replace("self_claim", review))
    done = teamsim_here("check", file, cwd=tmp_path)
    assert "coordination.review" in done.stderr
    assert "resilience.bulkhead" in done.stderr


def test_what_is_beside_the_fields_has_its_line(tmp_path: Path, teamsim_here: Here) -> None:
    more = (
        "precision: {metric: makespan}\nexpect: [quality.avg > 1]\nfigure: {x: team.size, y: [a]}\n"
    )
    (file,) = written(tmp_path, a=GOOD + more.replace("avg", "mean").replace("quality", "qualiti"))
    done = teamsim_here("check", file, cwd=tmp_path)
    for said in ("a.yaml:10: precision.metric", "a.yaml:11: expect", "a.yaml:12: figure"):
        assert said in done.stderr
    assert done.stderr.count("did you mean") >= 2


def test_a_cost_is_expected_only_where_there_is_a_price(tmp_path: Path, teamsim_here: Here) -> None:
    """What `run` would refuse is said before it is run."""
    (file,) = written(tmp_path, a=GOOD + "expect: [cost_usd.mean < 2]\n")
    done = teamsim_here("check", file, cwd=tmp_path)
    assert done.returncode == 2
    assert "a.yaml:10: expect: 'cost_usd.mean < 2'" in done.stderr
    assert "give a price" in done.stderr
    price = "team.agent.price={input_per_mtok: 3, output_per_mtok: 15}"
    assert teamsim_here("check", file, "--set", price, cwd=tmp_path).returncode == 0


def test_what_is_wrong_with_a_setting_is_said_once(tmp_path: Path, teamsim_here: Here) -> None:
    files = written(tmp_path, a=GOOD, b=GOOD)
    done = teamsim_here("check", *files, "--set", "team.siz=2", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("unknown key 'siz'") == 1


def test_programs_get_it_as_json(tmp_path: Path, teamsim_here: Here) -> None:
    files = written(tmp_path, a=GOOD, b=GOOD.replace("size: 2", "size: 0"))
    done = teamsim_here("check", *files, "--json", cwd=tmp_path)
    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert found["schema"] == "teamsim/check/1"
    assert [each["ok"] for each in found["files"]] == [True, False]
    (error,) = found["files"][1]["errors"]
    assert (error["where"], error["field"]) == ("b.yaml:3", "team.size")


@pytest.mark.parametrize("command", ["", "run", "check", "sweep", "plot", "advise", "observe"])
def test_h_is_help(command: str, teamsim_here: Here) -> None:
    done = teamsim_here(*command.split(), "-h")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_version_says_build_and_python(teamsim_here: Here) -> None:
    done = teamsim_here("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("teamsim ")
    assert "Python 3." in done.stdout


def test_a_seed_is_as_if_the_scenario_said_it(tmp_path: Path, teamsim_here: Here) -> None:
    latency = "{kind: seconds, base: {kind: exponential, mean: 3}}"
    files = written(tmp_path, a=GOOD.replace("{kind: seconds, base: 3}", latency))
    said = [
        teamsim_here("run", *files, "-r", 3, *options, cwd=tmp_path).stdout
        for options in (["--seed", 5], ["--set", "seed=5"], [])
    ]
    assert said[0] == said[1] != said[2]
    assert teamsim_here("run", *files, "--seed", -1, cwd=tmp_path).returncode == 2


def test_quiet_prints_results_alone(tmp_path: Path, teamsim_here: Here) -> None:
    (file,) = written(tmp_path, a=GOOD)
    done = teamsim_here("sweep", file, "--out", "out", "-q", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = teamsim_here("plot", "out", "--x", "team.size", "--quiet", cwd=tmp_path)
    assert done.returncode == 2  # errors are told all the same
    assert "error" in done.stderr
    again = teamsim_here("run", file, cwd=tmp_path)  # and the next command is as ever
    assert "100 replications" in again.stdout


def test_what_runs_only_with_its_sweep_is_noted(tmp_path: Path, teamsim_here: Here) -> None:
    (file,) = written(tmp_path, a=GOOD + "sweep: {team.size: [1, 2]}\n")
    done = teamsim_here("check", file, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    done = teamsim_here("check", file, "--set", "team.size=-1", cwd=tmp_path)
    assert done.returncode == 0
    assert "note: without its sweep it cannot be run: --set team.size=-1: team.size" in done.stderr
