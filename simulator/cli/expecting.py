"""Prints what was expected of runs beside what was found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from analysis.statistics.chance import are_sure
from analysis.statistics.expectations import (
    Finding,
    chance_of_failing,
    how_unfinished_count,
)
from simulator.cli.folding import folded
from simulator.cli.harmless import WIDTH, say_words
from simulator.cli.terminal import console, number
from simulator.words import percent

if TYPE_CHECKING:
    import pandas as pd

    from simulator.scenario import Scenario

_TEXT_WIDTH = 30
"""Columns of what is expected."""


def print_findings(findings: Sequence[Finding], rows: pd.DataFrame, scenario: Scenario) -> None:
    """Print a table of findings of a scenario's runs, and what is to be known of them."""
    table = Table(box=None, pad_edge=False)
    table.add_column("expected", no_wrap=True)
    for head in ("found", "95 % interval", "verdict", "wrong by"):
        table.add_column(head, justify="left" if head == "verdict" else "right", no_wrap=True)
    for each in findings:
        table.add_row(
            folded(each.expectation.text, _TEXT_WIDTH),
            _value(each.found.estimate),
            _interval(each),
            each.verdict,
            _by(each) if each.verdict == "failed" else "",
        )
    console.print(table, width=WIDTH)
    for line in _notes(findings, rows, are_sure(scenario, rows)):
        say_words(line)


def exit_code(findings: Sequence[Finding], strict: bool) -> int:
    """Return 1 if an expectation failed or, with `strict`, is not resolved."""
    return int(any(each.is_wrong(strict) for each in findings))


def described(finding: Finding) -> dict[str, Any]:
    """Return a finding for JSON."""
    return {
        "text": finding.expectation.text,
        "verdict": finding.verdict,
        "estimate": finding.found.estimate,
        "low": finding.found.low,
        "high": finding.found.high,
        "bound": finding.expectation.bound,
        "beyond": finding.beyond,
        "needed": finding.needed,
    }


def _value(value: float) -> str:
    return "never" if value == math.inf else number(value)


def _interval(finding: Finding) -> str:
    low, high = finding.found.low, finding.found.high
    if finding.expectation.statistic in ("min", "max"):
        return f"in {finding.replications:,} runs"
    if math.isinf(low) and math.isinf(high):
        return "never" if low > 0 else "not known"
    if math.isinf(high):
        return f"{number(low)} or more"
    if math.isinf(low):
        return f"{number(high)} or less"
    return f"{number(low)} to {number(high)}"


def _by(finding: Finding) -> str:
    if not math.isfinite(finding.beyond):
        return "never ends"
    bound = abs(finding.expectation.bound)
    share = f" ({percent(finding.beyond / bound, 1)})" if finding.beyond < 10.0 * bound else ""
    return f"{number(finding.beyond)}{share}"


def _notes(findings: Sequence[Finding], rows: pd.DataFrame, are_sure: bool) -> list[str]:
    notes = [_unresolved(each) for each in findings if each.verdict == "not resolved"]
    for each in findings:
        if each.is_of_runs_made and not are_sure:
            notes.append(
                f"{each.expectation.text} held in the {each.replications:,} runs made: of further "
                f"runs, up to {100 * each.unseen:.2g} % may break it (95 % confidence)."
            )
        if each.is_of_equal_values:
            notes.append(
                f"{each.expectation.text} is {each.verdict} by the {each.replications:,} runs "
                f"made, which all have {_value(each.found.estimate)}: of further runs, up to "
                f"{100 * each.unseen:.2g} % may have another value (95 % confidence)."
            )
    uncertain = [each for each in findings if each.expectation.statistic not in ("min", "max")]
    if len(uncertain) > 1 and any(each.verdict == "failed" for each in uncertain):
        chance = percent(chance_of_failing(len(uncertain)), 1)
        notes.append(
            f"Each verdict is for itself. Of {len(uncertain)} expectations that all hold, but only "
            f"just, some are said to fail in up to {chance} of cases."
        )
    unfinished = how_unfinished_count(rows, findings)
    return [*notes, *([unfinished] if unfinished else [])]


def _unresolved(finding: Finding) -> str:
    said = f"{finding.expectation.text} is not resolved by {finding.replications:,} replications: "
    if finding.replications == 1:
        return f"{finding.expectation.text} is not resolved by a single run: make more (-r)."
    if finding.needed is None:
        return said + "what was found is on the bound, and more would hardly help."
    return said + f"about {finding.needed:,} would, if what was found is true (-r)."
