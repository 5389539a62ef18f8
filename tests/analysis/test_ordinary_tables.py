"""Ordinary tables are read as a careful person would: rules of whole columns do not go too far."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.test_table_columns import CALL, HEAD, read


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("subagent", ["true", "false"] * 3),
        ("bot", ["0", "1"] * 3),
        ("assistant", [f"Here is what you asked for, in some {n} words." * 2 for n in range(6)]),
        ("persona", [f"p{n}" for n in range(40)]),
    ],
)
def test_truths_and_texts_are_no_agents(tmp_path: Path, name: str, cells: list[str]) -> None:
    found = read(tmp_path, f"{HEAD},{name}", *(f'{CALL},"{each}"' for each in cells))
    assert found.calls["agent_id"].isna().all()
    assert not any("agent" in note for note in found.notes)
