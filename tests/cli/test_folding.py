"""Names in narrow tables are broken where readers break them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cli.folding import folded, shrunk
from simulator.cli.terminal import print_table


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("team.size=2, topology=star", 40, ["team.size=2, topology=star"]),
        ("team.size=2, topology=star", 15, ["team.size=2,", "topology=star"]),
        ("a-long-name-of-a-team", 12, ["a-long-name-", "of-a-team"]),
        ("claude-sonnet-4-6-claiming, p", 20, ["claude-sonnet-4-6-", "claiming, p"]),
        ("Donaudampfschiff, no", 12, ["Donaudampfsc", "hiff, no"]),
    ],
)
def test_a_name_is_broken_between_its_parts(text: str, width: int, lines: list[str]) -> None:
    assert folded(text, width).split("\n") == lines


@given(st.text(alphabet="ab.-_= ", max_size=60), st.integers(1, 30))
def test_no_line_is_too_long_and_no_letter_is_lost(text: str, width: int) -> None:
    lines = folded(text, width).split("\n")
    assert max(map(len, lines)) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_the_widest_column_gives_way() -> None:
    assert shrunk([30, 10], 24) == [14, 10]
    assert shrunk([5, 5], 24) == [5, 5]


def test_roles_in_a_table_of_80_columns_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    name = "team.size=2, team.agent.profile=claude-sonnet-4-6-claiming"
    print_table(["name", *"abcdefgh"], [[name, *["12.345678"] * 8]])
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    names = [line[:40].strip() for line in said.splitlines()]
    assert {"sonnet-4-6-claiming", "team.size=2, team.agent.profile=claude-"} <= set(names)
