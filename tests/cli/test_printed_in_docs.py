"""What the manual says that a command prints is what it prints.

Each line that a page shows below commands stands in their output, in this order. ``...`` on a page
is for lines that it leaves out.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import HAND_WRITTEN, blocks, name_of

OWN_QUESTION = Path(__file__).parents[2] / "docs" / "guides" / "own-question.md"
BEFORE = {OWN_QUESTION: "teamsim sweep quickstart --out out/quickstart --quiet"}
"""A command of another page, whose files a page needs."""

NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


def printed(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the commands of each block that shows output, and the lines of it."""
    for block in blocks(path, "console"):
        lines = block.replace("\\\n", " ").splitlines()
        commands = [line for line in lines if line.startswith("$ teamsim ")]
        output = [line for line in lines if not line.startswith("$")]
        if commands and output:
            yield [each.removeprefix("$ ") for each in commands], output


PAGES = [path for path in HAND_WRITTEN if any(printed(path))]


def words(line: str) -> list[str]:
    """Return the words of a line; how wide the columns of a table are does not matter."""
    return line.split()


def alike(one: str, other: str) -> bool:
    """Whether two words are the same, but for how this machine rounds a last digit."""
    if one == other:
        return True
    ours, theirs = NUMBER.findall(one), NUMBER.findall(other)
    if NUMBER.sub("#", one) != NUMBER.sub("#", other) or len(ours) != len(theirs):
        return False
    return all(_is_near(*pair) for pair in zip(ours, theirs, strict=True))


def _is_near(one: str, other: str) -> bool:
    decimals = [len(each.partition(".")[2]) for each in (one, other)]
    first, second = (float(each.replace(",", "")) for each in (one, other))
    return abs(first - second) <= 1.001 * 10.0 ** -min(decimals)


def missing(shown: list[str], output: str) -> list[str]:
    """Return the lines of a page that do not stand in the output, after those before them."""
    left = iter([words(line) for line in output.splitlines()])
    lost = []
    for line in shown:
        wanted = words(line)
        if not wanted or line.strip() == "...":
            continue
        rest = list(left)
        place = next((i for i, found in enumerate(rest) if _same(wanted, found)), None)
        if place is None:
            lost.append(line)
        left = iter(rest if place is None else rest[place + 1 :])
    return lost


def _same(wanted: list[str], found: list[str]) -> bool:
    return len(wanted) == len(found) and all(map(alike, wanted, found))


def run(command: str, at: Path) -> str:
    """Return what a command prints on a terminal of 80 columns, its errors too."""
    arguments = shlex.split(command, comments=True)[1:]
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-m", "simulator.cli", *arguments],
        cwd=at,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.slow
@pytest.mark.each
@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_commands_print_what_the_page_shows(path: Path, tmp_path: Path) -> None:
    (own,) = blocks(OWN_QUESTION, "yaml")
    (tmp_path / "mine.yaml").write_text(own, "utf-8")
    if path in BEFORE:
        run(BEFORE[path], tmp_path)
    lost: list[str] = []
    for commands, shown in printed(path):
        output = "".join(run(command, tmp_path) for command in commands)
        lost += [f"{commands[-1]}: {line}" for line in missing(shown, output)]
    assert lost == []


def test_pages_with_output_are_found() -> None:
    assert {"docs/tutorial.md", "docs/guides/own-question.md"} <= {name_of(p) for p in PAGES}
    assert sum(len(list(printed(path))) for path in PAGES) >= 12


def test_lines_that_a_command_does_not_print_are_found() -> None:
    output = "metric  mean\nsuccess    1\ncost_usd  0.0988 to 1\n"
    assert missing(["metric mean", "...", "cost_usd 0.0987 to 1"], output) == []
    assert missing(["cost_usd 0.0986 to 1", "success 1"], output) == ["cost_usd 0.0986 to 1"]
    assert missing(["success 1", "metric mean"], output) == ["metric mean"]
    assert missing(["success 1 yes"], output) == ["success 1 yes"]
