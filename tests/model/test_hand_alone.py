"""A hand beside a sorted list, which is what it stands for."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.model.protocols import _hand
from simulator.model.protocols._hand import Hand

DEEDS = st.lists(st.tuples(st.sampled_from(["put", "take", "discard"]), st.integers(0, 12)))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(deeds=DEEDS)
def test_a_hand_is_taken_from_in_order(deeds: list[tuple[str, int]]) -> None:
    hand, held = Hand(), list[int]()
    for deed, rank in deeds:
        if deed == "put" and rank not in held:
            hand.put(rank)
            held = sorted([*held, rank])
        elif deed == "take" and held:
            assert hand.first() == held[0]
            assert hand.take() == held.pop(0)
        elif deed == "discard":
            hand.discard(rank)
            held = [each for each in held if each != rank]
        assert (list(hand), len(hand), rank in hand) == (held, len(held), rank in held)
        assert list(hand.copy()) == held


def test_a_hand_of_many_tasks_is_taken_whole() -> None:
    hand, many = Hand(), 2 * _hand._TAKEN + 7
    for rank in range(many):
        hand.put(rank)
    assert [hand.take() for _ in range(many)] == list(range(many))
    assert not hand
