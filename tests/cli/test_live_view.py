"""`teamsim timeline --html`: a page, or one clear message."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path

import pytest

from tests.cli.conftest import Here
from tests.scenario.test_bad_scenarios import GOOD

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(GOOD)
    (tmp_path / "folder.html").mkdir()
    return tmp_path


def test_it_writes_the_page_alone_or_beside_the_picture(here: Path, teamsim_here: Here) -> None:
    done = teamsim_here("timeline", "mine.yaml", "--html", "live.html", cwd=here)
    assert (done.returncode, done.stdout) == (0, "live.html (open it in a browser)\n"), done.stderr
    assert (here / "live.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert {path.name for path in here.iterdir()} == {"mine.yaml", "live.html", "folder.html"}
    both = ("--html", "two.htm", "--out", "out", "--replication", "3", "--seed", "5", "--quiet")
    done = teamsim_here("timeline", "mine.yaml", *both, cwd=here)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (here / "out" / "timeline.png").exists()
    page = (here / "two.htm").read_text("utf-8")
    assert about(page)["replication"] == 3
    assert about((here / "live.html").read_text("utf-8"))["replication"] == 0
    assert page != (here / "live.html").read_text("utf-8")


def about(page: str) -> dict[str, object]:
    """Return which replication a page says that it shows."""
    (packed,) = re.findall(r'id="data">([^<]*)<', page)
    found: dict[str, object] = json.loads(zlib.decompress(base64.b64decode(packed)))["about"]
    return found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give --out DIRECTORY, --html FILE, or both"),
        (("--html", "no/such/live.html"), "there is no directory no/such"),
        (("--html", "folder.html"), "folder.html is a directory; give a file name"),
        (("--html", "live.pdf"), "live.pdf: a page is written as .html"),
        (("--html", "live"), "live: a page is written as .html"),
        (("--html", ""), "the path is empty"),
        (("--html", "mine.yaml/live.html"), "there is no directory mine.yaml"),
        (("--html", f"{'x' * 300}.html"), "File name too long"),
        (("--html", "live.html", "--replication", "-1"), "greater than or equal to 0"),
        (("--html", "live.html", "--replication", "1e3"), "should be a valid integer"),
        (("--html", "live.html", "--seed", "-4"), "greater than or equal to 0"),
        (("--html", "live.html", "--out", "mine.yaml"), "mine.yaml cannot be made"),
        (("--html", "live.html", "--set", "team.sise=3"), "did you mean 'size'"),
    ],
)
def test_a_bad_option_gets_one_clear_message(
    here: Path, arguments: tuple[str, ...], message: str, teamsim_here: Here
) -> None:
    before = {path.name for path in here.iterdir()}
    done = teamsim_here("timeline", "mine.yaml", *arguments, cwd=here)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert {path.name for path in here.iterdir()} == before


def test_an_unknown_scenario_is_said_before_anything_is_written(
    here: Path, teamsim_here: Here
) -> None:
    done = teamsim_here("timeline", "quikstart", "--html", "live.html", cwd=here)
    assert done.returncode == 2
    assert "quickstart" in done.stderr
    assert not (here / "live.html").exists()
