"""The corpus touches every option, and says what differs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from simulator.model.trace import Row
from tests.golden import __main__ as golden
from tests.golden import arithmetic, corpus, expected, options
from tests.golden.corpus import Run
from tests.golden.expected import Expected

CANNOT_BE_SET = {
    *(
        f"workspace[{kind}].on_partition=available"
        for kind in ("consensus", "locks", "single_writer")
    ),
    "resilience.simpler_protocol.protocol[ask_holders]",
    "resilience.simpler_protocol.protocol[depth_first]",
    "resilience.simpler_protocol.protocol[lead_assign]",
}
"""Options that every scenario refuses, with what is below them."""


@pytest.mark.slow
def test_every_option_is_set_in_some_scenario() -> None:
    found = set().union(
        *(options.of_file(path) for path in corpus.files() if path.parent == corpus.WRITTEN)
    )
    wanted = options.of_schema()
    missing = {
        option
        for option in wanted - found
        if not any(option.startswith(impossible) for impossible in CANNOT_BE_SET)
    }
    assert not missing
    assert not [option for option in found if option.startswith(tuple(CANNOT_BE_SET))]


WHOLE, MARKED = corpus.WRITTEN / "000.yaml", corpus.WRITTEN / "149.yaml"
"""A scenario whose trace is kept whole, and one of whose trace marks are kept."""


def said(runs: list[Run], wanted: list[Run], made_on: dict[str, str] | None = None) -> str:
    """Return what the check says of `runs` where `wanted` is expected."""
    by_key = {run.key: run for run in wanted}
    return "\n".join(golden.check(runs, Expected(made_on or arithmetic.made_on(), by_key)))


def with_metric(run: Run, name: str, value: float) -> Run:
    return dataclasses.replace(run, metrics={**run.metrics, name: value})


def with_row(run: Run, number: int, **cells: object) -> Run:
    assert run.trace is not None
    rows = list(run.trace)
    rows[number] = rows[number]._replace(**cells)
    return dataclasses.replace(run, trace=tuple(rows))


def rows_of(path: Path) -> tuple[Row, ...]:
    return corpus.run(path, corpus.points(path)[0], 0, keep_trace=True).trace or ()


@pytest.mark.parametrize("path", [WHOLE, MARKED])
def test_what_was_accepted_is_found_again(path: Path, tmp_path: Path) -> None:
    runs = corpus.run_file(path)
    expected.write(arithmetic.made_on(), runs, tmp_path)
    assert golden.check(corpus.run_file(path), expected.read(tmp_path)) == []


def test_a_mismatch_names_scenario_replication_and_first_metric() -> None:
    runs = corpus.run_file(MARKED)
    calls, messages = runs[1].metrics["calls"], runs[1].metrics["messages"]
    changed = with_metric(with_metric(runs[1], "calls", calls + 1), "messages", messages - 1)
    assert said([runs[0], changed], runs) == (
        f"149 (base), replication 1:\n"
        f"  calls is {calls + 1}, expected {calls} (and 1 more: messages)"
    )


def test_the_last_bit_of_a_real_number_matters_where_it_was_made() -> None:
    runs = corpus.run_file(MARKED)
    near = with_metric(runs[0], "makespan_s", runs[0].metrics["makespan_s"] * (1 + 1e-15))
    assert "makespan_s is" in said([near, runs[1]], runs)
    assert said([near, runs[1]], runs, {"arithmetic": "another machine's"}) == ""
    far = with_metric(runs[0], "makespan_s", runs[0].metrics["makespan_s"] * (1 + 1e-8))
    assert "makespan_s is" in said([far, runs[1]], runs, {"arithmetic": "another machine's"})


def test_a_mismatch_shows_the_first_row_of_a_whole_trace_that_differs() -> None:
    runs = corpus.run_file(WHOLE)
    rows = rows_of(WHOLE)
    changed = with_row(with_row(runs[0], 7, agent=99), 9, agent=99)
    lines = said([changed, runs[1]], runs).splitlines()
    assert lines[0] == "000 (base), replication 0:"
    assert lines[1] == "  trace row 7 is"
    assert lines[2].lstrip().startswith(f"time_s={rows[7].time_s}, event={rows[7].event}, agent=99")
    assert lines[4].lstrip().startswith(f"time_s={rows[7].time_s}, event={rows[7].event}")
    assert "agent=99" not in lines[4]
    assert len(lines) == 5


def test_a_mismatch_shows_the_first_row_whose_mark_differs() -> None:
    runs = corpus.run_file(MARKED)
    rows = list(rows_of(MARKED))
    rows[30:32] = rows[31], rows[30]  # two events at another place
    before = dataclasses.replace(runs[0], marks=corpus.marks_of(rows))
    lines = said(runs, [before, runs[1]]).splitlines()
    assert lines[0] == "149 (base), replication 0:"
    assert lines[1] == f"  trace row 30 differs ({len(rows)} rows, expected {len(rows)}); it is"
    assert f"event={rows[31].event}" in lines[2]


def test_times_in_a_marked_trace_matter_where_it_was_made() -> None:
    runs = corpus.run_file(MARKED)
    rows = list(rows_of(MARKED))
    rows[30] = rows[30]._replace(time_s=rows[30].time_s + 1e-13)
    before = dataclasses.replace(runs[0], marks=corpus.marks_of(rows))
    assert "the same events at other times" in said(runs, [before, runs[1]])
    assert said(runs, [before, runs[1]], {"arithmetic": "another machine's"}) == ""


def test_what_is_new_and_what_is_gone_is_named() -> None:
    runs = corpus.run_file(MARKED)
    assert said(runs, runs[:1]) == "149 (base), replication 1: nothing is expected of it yet"
    assert said(runs[:1], runs) == "149 (base), replication 1: is expected and was not run"


def test_accepting_says_what_changes_and_by_how_much() -> None:
    runs = corpus.run_file(MARKED)
    before = [with_metric(run, "calls", run.metrics["calls"] * 2) for run in runs]
    wanted = Expected(arithmetic.made_on(), {run.key: run for run in before})
    mean = sum(run.metrics["calls"] for run in runs) / 2
    assert golden.changes(runs, wanted) == [f"149: calls {2 * mean:.6g} -> {mean:.6g} (-0.5)"]
