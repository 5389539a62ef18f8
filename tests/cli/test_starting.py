"""``teamsim new`` and ``teamsim scenarios``, and scenarios that ship, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.scenario import load_study
from simulator.scenario.shipped import TEMPLATES, names_in, scenario_names
from tests.cli.conftest import Here

pytestmark = pytest.mark.end_to_end

NAMES = ("coding_loop", "lead_and_workers", "peers", "pipeline", "research", "single")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_templates_are_listed_with_their_questions(teamsim_here: Here) -> None:
    done = teamsim_here("new")
    assert done.returncode == 0
    listed = "".join(done.stdout.splitlines(keepends=True)[1:-1])
    assert questions(listed) == {name: load_study(TEMPLATES / f"{name}.yaml").base.question
                                 for name in NAMES}  # fmt: skip
    assert max(map(len, done.stdout.splitlines())) <= 80


def questions(listed: str) -> dict[str, str]:
    """Return the question beside each name of a list; its further lines begin below the first."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        if line[0] != " ":
            name = line.split()[0]
        said = line.removeprefix(name).strip()
        found[name] = f"{found.get(name, '')} {said}".strip()
    return found


@pytest.mark.parametrize("template", NAMES)
def test_a_template_is_right_and_runs(template: str, teamsim_here: Here) -> None:
    written = teamsim_here("new", template, "mine.yaml")
    assert (written.returncode, written.stderr) == (0, "")
    assert written.stdout.count("teamsim run mine.yaml") == 1
    study = load_study("mine.yaml")
    assert study.base.name == "mine"
    assert len(study.points) > 2
    assert study.base.expect
    checked = teamsim_here("check", "mine.yaml")
    assert (checked.returncode, checked.stderr) == (0, "")
    # So few runs do not resolve what is expected, but none of it fails.
    ran = teamsim_here("run", "mine.yaml", "-r", 5)
    assert ran.returncode == 0, ran.stderr
    assert "cost_usd" in ran.stdout  # each says a price


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.parametrize("template", NAMES)
def test_what_a_template_expects_is_met(template: str, teamsim_here: Here) -> None:
    done = teamsim_here("run", TEMPLATES / f"{template}.yaml", "--strict")
    assert done.returncode == 0, done.stdout


def test_a_template_is_short_and_explains_itself() -> None:
    assert names_in(TEMPLATES) == NAMES
    for name in NAMES:
        lines = (TEMPLATES / f"{name}.yaml").read_text().splitlines()
        assert len(lines) <= 45
        assert sum("#" in line for line in lines) >= 5


def test_a_file_is_written_over_only_by_force(elsewhere: Path, teamsim_here: Here) -> None:
    path = elsewhere / "mine.yaml"
    path.write_text("kept")
    refused = teamsim_here("new", "single", path)
    assert refused.returncode == 2
    assert "mine.yaml exists" in refused.stderr
    assert path.read_text() == "kept"
    assert teamsim_here("new", "single", path, "--force").returncode == 0
    assert load_study(path).base.team.size == 1


def test_only_a_file_means_the_usual_template(elsewhere: Path, teamsim_here: Here) -> None:
    done = teamsim_here("new", "a b-1.yaml")
    assert done.returncode == 0
    assert load_study(elsewhere / "a b-1.yaml").base.name == "a_b-1"
    assert "template peers" in done.stdout


def test_scenarios_are_listed_with_their_whole_questions(teamsim_here: Here) -> None:
    done = teamsim_here("scenarios", "--quiet")
    listed = questions(done.stdout)
    assert tuple(listed) == scenario_names()
    assert "quickstart" in scenario_names()
    assert max(map(len, done.stdout.splitlines())) <= 80
    for name, question in listed.items():
        assert question == " ".join(load_study(name).base.question.split())


def test_a_scenario_that_ships_is_found_by_name(elsewhere: Path, teamsim_here: Here) -> None:
    assert "quickstart: ok, 3" in teamsim_here("check", "quickstart").stdout
    ran = teamsim_here("run", "quickstart", "-r", 2)
    assert ran.returncode == 0, ran.stderr
    small = "--set", "sweep={team.size: [1, 2]}", "--set", "replications=2"
    swept = teamsim_here("sweep", "quickstart", "--out", "out", "-w", 1, *small)
    assert swept.returncode == 0, swept.stderr
    assert sorted(path.name for path in elsewhere.iterdir()) == ["out"]


def test_a_file_of_that_name_goes_first(elsewhere: Path, teamsim_here: Here) -> None:
    (elsewhere / "amdahl").mkdir()  # of results, for example: it is no scenario
    assert "amdahl: ok" in teamsim_here("check", "amdahl").stdout
    (elsewhere / "quickstart").write_text((TEMPLATES / "pipeline.yaml").read_text())
    assert "quickstart: ok, 10 points" in teamsim_here("check", "quickstart").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "quikstart"], "did you mean 'quickstart'"),
        (["check", "quick/start"], "quick/start: no such file"),
        (["check", "quickstart.yaml"], "quickstart.yaml: no such file"),
        (["sweep", "nothing", "--out", "out"], "no such file, and unknown scenario 'nothing'"),
        (["new", "peer", "mine.yaml"], "did you mean 'peers'"),
        (["new", "peers"], "teamsim new peers peers.yaml"),
        (["new", "peers", "mine.txt"], "ends in .yaml"),
        (["new", "peers", "no/where.yaml"], "there is no directory no"),
        (["new", "peers", "."], "ends in .yaml"),
        (["new", "mine.yaml", "peers"], "unknown template 'mine.yaml'"),
        (["new", "a", "b", "c"], "3 names given"),
        (["new", "--forse"], "No such option"),
        (["scenarios", "quickstart"], "unexpected extra argument"),
    ],
)
def test_bad_arguments_get_one_clear_message(
    elsewhere: Path, arguments: list[str], message: str, teamsim_here: Here
) -> None:
    done = teamsim_here(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert not list(elsewhere.iterdir())
