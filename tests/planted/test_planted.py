"""The list of planted bugs is about the code as it is; `make planted` runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.planted import trial
from tests.planted.bugs import BUGS
from tests.planted.mutants import places_of
from tests.planted.near import NearTests
from tests.project_copy import ROOT


def test_what_bugs_replace_stands_there_once() -> None:
    for bug in BUGS:
        assert (ROOT / bug.file).read_text().count(bug.right) == 1, bug
        assert bug.wrong != bug.right
        assert (ROOT / bug.tests).is_file(), bug


def test_mutants_change_one_place_each(tmp_path: Path) -> None:
    file = tmp_path / "part.py"
    file.write_text("def f(a, b):\n    return -1.5 if a < b else a + b * 2\n")
    mutants = [place.mutant(tmp_path) for place in places_of(file)]
    found = {(each.right, each.wrong): each.text for each in mutants}
    assert {right for right, _ in found} == {
        "-1.5 if a < b else a + b * 2",
        "-1.5",
        "1.5",
        "a < b",
        "a + b * 2",
        "b * 2",
        "2",
    }
    changed: dict[str, Any] = {}
    exec(found["b * 2", "b / 2"], changed)
    assert (changed["f"](2, 1), changed["f"](1, 2)) == (2.5, -1.5)
    assert file.read_text().endswith("a + b * 2\n")


@pytest.mark.thorough
def test_tests_that_import_a_file_come_before_those_that_import_one_that_does() -> None:
    near = NearTests(["tests/analysis", "tests/test_words.py"]).of("analysis/statistics/ranges.py")
    assert near[:2] == ["tests/test_words.py", "tests/analysis/test_coverage.py"]
    assert "tests/analysis/test_arrivals.py" not in near
    # No test imports it within two steps.
    assert NearTests(["tests/analysis"]).of("analysis/calibration/rounding.py")


@pytest.mark.thorough
def test_all_tests_may_be_near_to_a_plugin_which_nothing_imports() -> None:
    near = NearTests(["tests/model"]).of("simulator/model/topologies/ring.py")
    assert "tests/model/test_message_counts.py" in near


@pytest.mark.thorough
def test_what_tests_say_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "COPIED", ())
    monkeypatch.setattr(trial, "LEAST_S", 3.0)
    monkeypatch.setattr(trial, "TIMES", 2.0)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:dash -p no:anyio\n")
    (tmp_path / "part.py").write_text("def half(n):\n    return n // 2\n")
    (tmp_path / "test_part.py").write_text(
        "from part import half\ndef test_half():\n    assert half(4) == 2\n"
    )
    planted = trial.Trial(tmp_path)

    def outcome(body: str) -> trial.Outcome:
        return planted.outcome("part.py", f"def half(n):\n    {body}\n", [("test_part.py",)])

    assert outcome("return n * 2") is trial.Outcome.SEEN
    assert outcome("return n / 2") is trial.Outcome.UNSEEN
    assert outcome("while n: pass") is trial.Outcome.ENDLESS
    assert outcome("return (") is trial.Outcome.UNSEEN  # no test has failed: none has begun
    (tmp_path / "test_none.py").write_text("import part\n")
    nothing = [("test_none.py",)]
    assert planted.outcome("part.py", "def", nothing, set(range(1, 6))) is trial.Outcome.UNSEEN
    assert (tmp_path / "part.py").read_text().endswith("return n // 2\n")
    (tmp_path / "test_part.py").write_text("def test_half():\n    assert False\n")
    with pytest.raises(AssertionError, match="without a change"):
        trial.Trial(tmp_path).usual_s("test_part.py")
