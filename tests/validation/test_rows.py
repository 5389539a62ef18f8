"""Every row holds, or is still not reached, and the page of the manual says so."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import norm

from tests.conftest import first_in_ci
from tests.validation import page
from tests.validation.rows import (
    RESOLVES,
    Above,
    Between,
    Case,
    Found,
    Row,
    Tolerance,
    controlled,
    mean,
)
from tests.validation.subjects import ROWS

pytestmark = pytest.mark.theory


def _marks(row: Row, case: Case) -> list[pytest.MarkDecorator]:
    """Return how long a case takes; CI has the first quick one and the first slow one."""
    _, *others = (each for each in row.cases if each.slow == case.slow)
    if row.thorough or case.thorough or any(case is each for each in others):
        return [pytest.mark.thorough]
    return [pytest.mark.slow] if case.slow else []


EVERY = [
    pytest.param(row, case, id=row.test_id(case), marks=_marks(row, case))
    for row in ROWS
    for case in row.cases
]


@pytest.fixture(scope="module")
def written() -> dict[str, page.Result]:
    return page.read(page.PAGE.read_text())


@pytest.mark.each
@pytest.mark.parametrize(("row", "case"), EVERY)
def test_a_row(row: Row, case: Case, written: dict[str, page.Result]) -> None:
    found = row.measure(*case.args)
    numbers = f"asked {case.asked:.6g}, found {found.value:.6g} ± {found.error:.2g}"
    holds = row.holds(case, found)
    assert holds != bool(row.not_reached), f"{row.law} {numbers}"
    # What is written was found too; after a change of the draws, by chance only.
    assert written[row.test_id(case)].holds == holds, "run 'make validation'"
    before = written[row.test_id(case)].found
    spread = 4 * (found.error**2 + before.error**2) ** 0.5
    rounding = 1e-4 * abs(found.value)
    assert abs(found.value - before.value) <= spread + rounding, "run 'make validation'"


def test_names_are_told_apart_and_say_nothing_in_code() -> None:
    tests = [row.test_id(case) for row in ROWS for case in row.cases]
    assert len(tests) == len(set(tests))
    assert all(row.law.endswith(".") and row.source for row in ROWS)
    assert not [row.key for row in ROWS if re.fullmatch(r"[A-Z]\d+", row.key)]


def test_the_page_is_what_its_own_numbers_make() -> None:
    text = page.PAGE.read_text()
    found = page.read(text)
    assert set(found) == {row.test_id(case) for row in ROWS for case in row.cases}
    assert page.write(found) == text


def test_a_tolerance_refuses_what_is_too_far_or_too_uncertain() -> None:
    near = Tolerance(share=0.01, z=4)
    assert near.holds(100, Found(100.5, 0.2))
    assert not near.holds(100, Found(101.1, 0.35))  # more than 1 %
    assert not near.holds(100, Found(100.5, 0.1))  # more than four standard errors
    assert not near.holds(100, Found(100.0, 0.5))  # could not tell 1 % from nothing
    assert Tolerance().holds(7, Found(7.0))
    assert not Tolerance().holds(7, Found(7.001))
    assert not Tolerance(z=4).holds(0.5, Found(0.6, 0.02))
    assert Above().holds(0, Found(0.5, 0.1))
    assert not Above().holds(0, Found(0.3, 0.1))
    assert Between(1, 2).holds(1.5, Found(1.5, 0.19))
    assert not Between(1, 2).holds(1.5, Found(1.5, 0.21))  # it may be 1 or 2
    assert not Between(1, 2).holds(1.5, Found(0.9, 0.0))


def test_controls_take_away_their_part_of_the_error_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    for _ in range(400):
        known = rng.normal(5, 2, size=(20, 1))
        values = 7 + 3 * (known[:, 0] - 5) + rng.normal(0, 0.5, size=20)
        assert controlled(list(values), known, [5.0]).error < 0.3


@pytest.mark.parametrize("few", first_in_ci(1, [4, 6, 20]))
def test_two_and_a_half_errors_hold_as_often_with_few_replications_as_with_many(few: int) -> None:
    rng = np.random.default_rng(few)
    of_mean, of_controlled = [], []
    for _ in range(3000):
        known = rng.normal(5, 2, size=(few, 1))
        values = 7 + 3 * (known[:, 0] - 5) + rng.normal(0, 0.5, size=few)
        for found, held in (
            (mean(values), of_mean),
            (controlled(values, known, [5.0]), of_controlled),
        ):
            held.append(abs(found.value - 7) < RESOLVES * found.error)
    asked = 2 * norm.cdf(RESOLVES) - 1
    for held in (of_mean, of_controlled):
        assert abs(np.mean(held) - asked) < 4 * (asked * (1 - asked) / 3000) ** 0.5
