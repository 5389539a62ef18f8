"""Stretches of time against the seconds that they cover, one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analysis.breakdown.stretches import Stretch, Stretches, gaps_between, total_length

MAKESPAN = 20
SECONDS = st.integers(0, MAKESPAN)
STRETCHES = st.lists(st.tuples(SECONDS, SECONDS).map(lambda ends: (min(ends), max(ends))))


def covered(stretches: list[Stretch]) -> set[int]:
    """Return the whole seconds that stretches cover, by their beginnings."""
    return {second for start, end in stretches for second in range(int(start), int(end))}


@given(STRETCHES)
def test_gaps_are_what_no_stretch_covers_also_where_one_holds_another(
    stretches: list[Stretch],
) -> None:
    gaps = gaps_between(stretches, MAKESPAN)
    assert covered(gaps) == set(range(MAKESPAN)) - covered(stretches)
    assert total_length(gaps) == len(covered(gaps))
    assert all(start < end for start, end in gaps)


@given(STRETCHES, SECONDS, SECONDS)
def test_parts_of_stretches_are_what_lies_between_two_times(
    stretches: list[Stretch], start: int, end: int
) -> None:
    apart = gaps_between(stretches, MAKESPAN)  # in order, and none in another
    parts = Stretches(apart).within(start, end)
    assert covered(parts) == covered(apart) & set(range(start, end))
