"""Numbers are written in one way wherever a user sees them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from simulator.words import four_figures, percent

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (percent(0.6), "60 %"),
        (percent(0.6251, 1), "62.5 %"),
        (percent(-0.001), "0 %"),
        (percent(0.06, is_change=True), "+6 %"),
        (percent(-0.001, is_change=True), "+0 %"),
        (four_figures(0.36383), "0.3638"),
        (four_figures(9030.4), "9,030"),
        (four_figures(1.5e9), "1,500,000,000"),
        (four_figures(math.inf), "not known"),
    ],
)
def test_shares_and_amounts_as_people_read_them(said: str, wanted: str) -> None:
    assert said == wanted


def test_no_text_that_users_see_writes_a_percentage_without_a_space() -> None:
    """Names of columns in result files, such as ``cover_80%``, are no texts."""
    close = re.compile(r"(?<!cover_)\{[^{}]*:[^{}]*%\}|(?<![_%.])\b\d+%(?![\w(}])")
    places = [
        *(ROOT / "analysis").rglob("*.py"),
        *(ROOT / "simulator").rglob("*.py"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs" / "guides").glob("*.md"),
        *(ROOT / "docs" / "background").glob("*.md"),
        *(ROOT / "scenarios").glob("*.yaml"),
        *(ROOT / "simulator" / "templates").glob("*.yaml"),
        *(ROOT / "simulator" / "profiles").glob("*.yaml"),
        ROOT / "README.md",
    ]
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in places
        for match in close.finditer(path.read_text("utf-8"))
    ]
    assert not found
