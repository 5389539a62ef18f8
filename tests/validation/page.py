"""The page of the manual with all rows: written from what was found, and read again by tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.validation.rows import Case, Found, Row
from tests.validation.subjects import ROWS, SUBJECTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "validation.md"

_LINE = re.compile(
    r"^\| .* \| (?P<value>[-0-9.e+]+)(?: ± (?P<error>[-0-9.e+]+))? \| .* \| (?P<held>yes|no)"
    r" \| `(?P<test>.*)` \|$"
)

_INTRODUCTION = """\
# Validation

What the simulator is held against: laws of queueing, scheduling and distributed systems, and
published results about teams of language models. Each value under "Found" was found by running the
simulator; no formula for it is in the engine. After "±" is the standard error over independent
replications; where they are few, it is larger by as much as Student's distribution is wider.
"Tolerance" is the largest distance from the asked value; where it is a share of that, the standard
error must fit into it 2.5 times, so that a simulator that is wrong by twice as much passes in 0.6 %
of cases. What is to lie between two values does so with 2.5 standard errors on each side. Shares of
rare events, as of stale reads and split votes, are held to four standard errors: there the standard
error says how sharp the row is.

This page is written by `make validation`. Each line is a test:
`pytest tests/validation -k NAME` runs it again, with the name that stands last in it.
"""


@dataclass(frozen=True)
class Result:
    """What was found of a case, and whether that is near enough."""

    found: Found
    holds: bool


def number(value: float) -> str:
    """Return a number with five digits at most."""
    return f"{value:.5g}"


def read(text: str) -> dict[str, Result]:
    """Return what a page says was found, by the name of the test."""
    lines = (_LINE.match(line) for line in text.splitlines())
    return {
        line["test"]: Result(
            Found(float(line["value"]), float(line["error"] or 0.0)), line["held"] == "yes"
        )
        for line in lines
        if line
    }


def write(found: Mapping[str, Result]) -> str:
    """Return the page."""
    parts = [_INTRODUCTION, _summary(found)]
    for subject, rows in SUBJECTS.items():
        parts.append(f"## {subject}\n")
        parts += [_section(row, found) for row in rows]
    return "\n".join(parts).rstrip() + "\n"


def _summary(found: Mapping[str, Result]) -> str:
    reached = [row for row in ROWS if not row.not_reached]
    held = [row for row in reached if all(found[row.test_id(case)].holds for case in row.cases)]
    cases = sum(len(row.cases) for row in ROWS)
    said = [
        f"**{len(held)} of {len(ROWS)} rows hold** ({cases} values)."
        + ("" if len(held) == len(ROWS) else " These do not:")
    ]
    for row in ROWS:
        if row in held:
            continue
        off = [case for case in row.cases if not found[row.test_id(case)].holds]
        values = "; ".join(
            f"{case.name + ': ' if case.name else ''}asked {number(case.asked)}, "
            f"found {number(found[row.test_id(case)].found.value)}"
            for case in off
        )
        said.append(f"- {row.name} ({values}). {row.not_reached}".rstrip())
    return "\n".join(said[:1] + (["", *said[1:]] if said[1:] else [])) + "\n"


def _section(row: Row, found: Mapping[str, Result]) -> str:
    said = [f"### {row.name}", "", f"{row.law} Source: {row.source}."]
    said += [text for text in (row.note, row.not_reached) if text]
    said += ["", "| Case | Asked | Found | Tolerance | Held | Test |", "|---|---|---|---|---|---|"]
    return "\n".join(said + [_line(row, case, found) for case in row.cases]) + "\n"


def _line(row: Row, case: Case, found: Mapping[str, Result]) -> str:
    each = found[row.test_id(case)].found
    uncertain = f" ± {each.error:.2g}" if each.error else ""
    held = "yes" if found[row.test_id(case)].holds else "no"
    columns = [
        case.name or "-",
        number(case.asked),
        f"{number(each.value)}{uncertain}",
        str(row.tolerance_of(case)),
        held,
        f"`{row.test_id(case)}`",
    ]
    return f"| {' | '.join(columns)} |"
