"""Times of tables as programs and people write them: zones by name, clocks without their dates."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.errors import TeamsimError

HEAD = "agent,start,end,model,input_tokens,output_tokens\n"


def table(directory: Path, *rows: str, head: str = HEAD) -> Traces:
    path = directory / "calls.csv"
    path.write_text(head + "".join(f"{row}\n" for row in rows))
    return read_traces([path])


def starts(traces: Traces) -> list[str]:
    return [
        datetime.fromtimestamp(ns / 1e9, UTC).strftime("%m-%dT%H:%M:%S")
        for ns in traces.calls["start_ns"]
    ]


def lengths(traces: Traces) -> list[float]:
    return ((traces.calls["end_ns"] - traces.calls["start_ns"]) / 1e9).tolist()


@pytest.mark.parametrize(
    ("form", "utc"),
    [
        ("2026-03-01 10:00:0{} Europe/Berlin", "03-01T09:00:00"),
        ("2026-07-01 10:00:0{} Europe/Berlin", "07-01T08:00:00"),
        ("2026-03-01T10:00:0{}+01:00[Europe/Berlin]", "03-01T09:00:00"),
        ("2026-03-01T10:00:0{}[America/New_York]", "03-01T15:00:00"),
        ("2026-03-01 10:00:0{} America/Argentina/Buenos_Aires", "03-01T13:00:00"),
        ("2026-03-01 10:00:0{} EST", "03-01T15:00:00"),
        ("2026-03-01 10:00:0{}.25 PST", "03-01T18:00:00"),
        ("2026-03-01 10:00:0{} +0100 CET", "03-01T09:00:00"),
        ("01.03.2026 10:00:0{} MEZ", "03-01T09:00:00"),
        ("3/1/2026 10:00:0{} AM EST", "03-01T15:00:00"),
        ("3/1/2026 10:00:0{} AM GMT+1", "03-01T09:00:00"),
        ("Sun Mar 01 2026 10:00:0{} GMT+0100", "03-01T09:00:00"),
        ("Sun Mar 01 2026 10:00:0{} GMT+0100 (Central European Standard Time)", "03-01T09:00:00"),
        ("Sun Mar 1 10:00:0{} 2026 JST", "03-01T01:00:00"),
    ],
)
def test_a_zone_may_be_named(form: str, utc: str, tmp_path: Path) -> None:
    traces = table(tmp_path, f"a,{form.format(0)},{form.format(4)},m,100,10")
    assert starts(traces) == [utc]
    assert lengths(traces) == [4.0]


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("2026-03-01 10:00:00 CST", "CST may be several zones"),
        ("3/1/2026 10:00:00 IST", "IST may be several zones"),
        ("2026-10-25 02:30:00 Europe/Berlin", "two moments or none"),
        ("2026-03-29 02:30:00 Europe/Berlin", "two moments or none"),
        ("2026-03-01 10:00:00 Middle/Earth", "is no time"),
        ("2026-03-01 10:00:00 XYZ", "is no time"),
        ("12:30", "is no time"),
    ],
)
def test_a_time_that_may_be_several_is_refused(at: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(TeamsimError, match=why):
        table(tmp_path, f"a,{at},{at},m,100,10")


def test_times_of_which_some_name_their_zone_are_noted(tmp_path: Path) -> None:
    traces = table(
        tmp_path,
        "a,2026-03-01 10:00:00 PST,2026-03-01 10:00:04 PST,m,100,10",
        "a,2026-03-01 10:00:00,2026-03-01 10:00:04,m,100,10",
    )
    assert any("the others are taken as UTC" in note for note in traces.notes)


def test_clocks_without_dates_go_past_midnight(tmp_path: Path) -> None:
    traces = table(
        tmp_path,
        "a,23:59:50,23:59:58,m,100,10",
        "b,23:59:59.5,00:00:04,m,200,20",
        "a,00:00:05,00:00:09,m,300,30",
    )
    assert starts(traces) == ["01-01T23:59:50", "01-01T23:59:59", "01-02T00:00:05"]
    assert lengths(traces) == [8.0, 4.5, 4.0]
    assert any("say no date" in note for note in traces.notes)


def test_a_run_of_a_few_hours_may_go_past_midnight_in_any_order(tmp_path: Path) -> None:
    traces = table(
        tmp_path,
        "a,00:00:05,00:00:09,m,300,30",
        "a,23:59:50,23:59:58,m,100,10",
        "b,23:59:59,00:00:04,m,200,20",
    )
    assert starts(traces) == ["01-01T23:59:50", "01-01T23:59:59", "01-02T00:00:05"]
    assert lengths(traces) == [8.0, 5.0, 4.0]


@pytest.mark.parametrize(
    "clocks",
    [
        ("03:00:05", "18:59:50", "03:00:15"),
        ("09:00:00", "16:00:00", "22:59:50", "09:05:00", "15:00:00", "23:00:05"),  # by agents
        ("20:00:00", "23:59:00", "02:00:00", "11:00:00", "19:00:00", "23:00:00", "01:00:00"),
    ],
)
def test_clocks_that_do_not_show_where_midnight_was_are_refused(
    clocks: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(TeamsimError, match="not once past midnight: give the dates"):
        table(tmp_path, *(f"a,{clock},{clock[:-1]}9,m,100,10" for clock in clocks))


def test_noon_and_midnight_on_clocks_of_twelve_hours(tmp_path: Path) -> None:
    traces = table(tmp_path, "a,11:59:58 AM,12:00:03 PM,m,1,1", "a,12:59:00 PM,1:00 PM,m,1,1")
    assert starts(traces) == ["01-01T11:59:58", "01-01T12:59:00"]
    assert lengths(traces) == [5.0, 60.0]


@pytest.mark.parametrize("day", ["2026-01-{}", "01/{}/2026", "{}.01.2026"])
def test_dates_may_stand_beside_their_clocks(day: str, tmp_path: Path) -> None:
    traces = table(
        tmp_path,
        f"{day.format(13)},23:59:58,00:00:04,a,m,100,10",
        f"{day.format(14)},00:00:05,00:00:09,a,m,100,10",
        head="date,start_time,end_time,agent,model,input_tokens,output_tokens\n",
    )
    assert starts(traces) == ["01-13T23:59:58", "01-14T00:00:05"]
    assert lengths(traces) == [6.0, 4.0]
