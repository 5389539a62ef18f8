"""Calls that went on while the computer slept: their time is said to be doubtful."""

from __future__ import annotations

from pathlib import Path

from analysis.traces.reading import read_traces

HOUR = 3_600


def notes(path: Path, *rows: str) -> list[str]:
    path.write_text("\n".join(("session_id,start_s,duration_s,model,tool", *rows)) + "\n")
    return [each for each in read_traces([path]).notes if "more than an hour" in each]


def test_answers_of_more_than_an_hour_are_said(tmp_path: Path) -> None:
    (said,) = notes(tmp_path / "a.csv", "s,0,5,m,", f"s,10,{8 * HOUR},m,", "t,0,3600,m,")
    assert said.startswith("1 call of a model took more than an hour, the longest 8 hours (")
    assert "run s" in said


def test_tools_of_hours_are_said_if_others_of_their_name_take_seconds(tmp_path: Path) -> None:
    usual = [f"s,{10 * each},2,,sh" for each in range(20)]
    trains = [f"s,{200 + 7 * HOUR * each},{3 * HOUR},,train" for each in range(3)]
    assert not notes(tmp_path / "a.csv", "s,0,5,m,", *usual, *trains)
    (said,) = notes(tmp_path / "b.csv", "s,0,5,m,", *usual, *trains, f"s,205,{5 * HOUR},,sh")
    assert said.startswith("1 call of tools took more than an hour, the longest 5 hours (")
