"""What ``compare`` does and prints: teams beside each other, run with the same random numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import pandas as pd
from rich.table import Table

from analysis.decisions.comparison_words import (
    NAMES,
    amount,
    caveats,
    price_notes,
    sentences,
)
from analysis.decisions.side_by_side import SHARES, Comparison, SideBySide
from analysis.decisions.side_by_side import compare as hold_beside
from analysis.statistics.chance import are_sure
from analysis.statistics.completion import runs_finished
from analysis.statistics.intervals import Interval
from simulator.api.comparing import (
    Compared,
    all_rows,
    directory_in,
    name_of,
    of_other_seeds,
    rows_of,
    seed_for,
    stored,
    unlike,
)
from simulator.cli.folding import folded
from simulator.cli.harmless import WIDTH, say, say_words
from simulator.cli.json_output import print_json
from simulator.cli.quiet import tell
from simulator.cli.terminal import (
    GAP,
    column_widths,
    console,
    directory_for,
    number,
    progress_bar,
)
from simulator.errors import TeamsimError
from simulator.experiment.pool import default_workers
from simulator.scenario import load_study
from simulator.scenario.costs import is_cost_known

_MOST_TEAMS = 12


def compare(
    said: Sequence[str],
    settings: Sequence[str],
    replications: int | None,
    seed: int | None,
    out: Path | None,
    workers: int,
    as_json: bool,
) -> None:
    """Run what has to be run, compare all with the first, and print it.

    Raises
    ------
    TeamsimError
        If something named is neither a scenario nor a directory of results, or cannot be compared.
    """
    if not 2 <= len(said) <= _MOST_TEAMS:
        raise TeamsimError(
            f"{len(said)} given: name two scenarios or directories, or up to {_MOST_TEAMS}; the "
            "first is what the others are compared with"
        )
    compared = unlike([(name_of(text), _team(text, settings)) for text in said])
    if settings and all(each.rows is not None for each in compared.values()):
        raise TeamsimError(f"--set {settings[0]}: these have been run already: leave it out")
    is_priced = {name: is_cost_known(each.scenario) for name, each in compared.items()}
    seed = seed_for(compared.values(), seed)
    with directory_for(out):
        rows = _all_rows(compared, seed, replications, workers)
        found = hold_beside(rows, is_priced)
    others = of_other_seeds(compared, seed)
    sure = {name for name, each in compared.items() if are_sure(each.scenario, rows[name])}
    if as_json:
        print_json("compare", _described(found, is_priced, seed, others, sure))
    else:
        _print(found, is_priced, seed, others, sure)
    if out is not None:
        _write(found, out, quiet=as_json)


def _team(text: str, settings: Sequence[str]) -> Compared:
    directory, point = directory_in(text)
    if directory is None:
        return Compared(load_study(text, settings).base)
    return stored(directory, point)


def _all_rows(
    teams: Mapping[str, Compared], seed: int, replications: int | None, workers: int
) -> dict[str, pd.DataFrame]:
    if all(each.rows is not None for each in teams.values()):
        return all_rows(teams, seed, replications)
    with progress_bar("replications") as progress:
        return all_rows(teams, seed, replications, workers or default_workers(), progress)


def _print(
    found: SideBySide,
    is_priced: Mapping[str, bool],
    seed: int,
    others: Sequence[str],
    sure: AbstractSet[str],
) -> None:
    for line in sentences(found):
        say_words(line)
    for team in found.comparisons:
        say("")
        console.print(_table(found, team), width=WIDTH)
    say("")
    pairs = sorted(set(found.replications.values()))
    how = f"{' or '.join(f'{each:,}' for each in pairs)} pairs of runs, seed {seed}"
    together = ", together for all teams" if len(found.comparisons) > 1 else ""
    say_words(f"{how}; 95 % intervals of the changes{together}. Times, cost and tokens are until "
                "success, failed runs started again.")  # fmt: skip
    for note in caveats(found, sure):
        say_words(note)
    for name in others:
        say_words(f"{name} was run with another seed: its pairs are independent runs.")
    for name, finished in found.finished.items():
        runs = found.replications.get(name, max(pairs))
        if finished < runs:
            say_words(f"{name}: {runs_finished(finished, runs)}.")
    for note in price_notes(is_priced):
        say_words(note)


def _table(found: SideBySide, team: str) -> Table:
    rows = [["", found.reference, team, "change", "95 % interval", "verdict"]]
    for each in found.comparisons[team]:
        values = [_value(value, each) for value in (each.reference, each.value)]
        what = NAMES[each.metric] + _UNITS[each.metric]
        rows.append([what, *values, *_change(each), each.verdict])
    heads, *rows = _within(rows, WIDTH)
    table = Table(box=None, pad_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i in (0, 5) else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _within(rows: list[list[str]], width: int) -> list[list[str]]:
    """Return a table that is not wider.

    If need be, names of teams take more lines, then verdicts and then intervals two; nothing is
    cut off.
    """
    heads, *rows = rows
    named = heads
    for columns, broken, space, breaks in _NARROWER:
        named = [heads[0], *(folded(name, columns) for name in heads[1:3]), *heads[3:]]
        rows = [
            [*row[:broken], row[broken].replace(space, breaks), *row[broken + 1 :]] for row in rows
        ]
        if sum(column_widths(named, rows)) + GAP * (len(named) - 1) <= width:
            break
    return [named, *rows]


_NARROWER = (
    (12, 5, " ", " "),
    (10, 5, " ", " "),
    (10, 5, " ", "\n"),
    (10, 4, " to ", " to\n"),
    (8, 4, " to ", " to\n"),
)
"""Columns of the names of teams; a column of the table, and what its spaces become."""
_UNITS = {"makespan_s": " s", "cost_usd": " USD", "tokens": "", "success": " %", "quality": " %"}


def _value(value: Interval, each: Comparison) -> str:
    if math.isnan(value.estimate):
        return "unknown"
    if each.metric in SHARES:
        return f"{100 * value.estimate:.1f}"
    return number(value.estimate)


def _change(each: Comparison) -> tuple[str, str]:
    change = each.change
    if math.isnan(change.estimate):
        return "unknown", ""
    unit = "points" if each.metric in SHARES else "%"
    said = f"{_signed(100 * change.estimate)} {unit}"
    if each.verdict == "same":
        return said, ""
    ends = [_signed(100 * end) for end in (change.low, change.high)]
    return said, f"{ends[0]} to {ends[1]}"


def _signed(value: float) -> str:
    return f"+{amount(value)}" if value > 0.0 and math.isfinite(value) else amount(value)


def _described(
    found: SideBySide,
    is_priced: Mapping[str, bool],
    seed: int,
    others: Sequence[str],
    sure: AbstractSet[str],
) -> Mapping[str, object]:
    return {
        "reference": found.reference,
        "seed": seed,
        "finished": found.finished[found.reference],
        "other_seed": others,
        "systems": [
            {
                "system": team,
                "replications": found.replications[team],
                "finished": found.finished[team],
                "metrics": {each.metric: each for each in comparisons},
            }
            for team, comparisons in found.comparisons.items()
        ],
        "sentences": sentences(found),
        "notes": [*caveats(found, sure), *price_notes(is_priced)],
    }


def _write(found: SideBySide, out: Path, quiet: bool) -> None:
    from analysis.plots import save
    from analysis.plots.side_by_side import comparison_figure

    rows_of(found).to_csv(out / "comparison.csv", index=False)
    line = sentences(found)[0] if len(found.comparisons) == 1 else ""
    paths = save(comparison_figure(found, line), out / "comparison")
    for path in [] if quiet else [*paths, out / "comparison.csv"]:
        tell(path)
