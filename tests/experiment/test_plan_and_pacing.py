"""Spans, and the chunks that they are cut into, cover each replication exactly once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simulator.experiment.pacing import TARGET_S, Pacer
from simulator.experiment.plan import Plan, Span, joined, without

_sizes = st.lists(st.integers(1, 40), min_size=1, max_size=8)
_marks = st.sets(st.integers(0, 200), min_size=2, max_size=12)


def numbers(spans: list[Span]) -> list[int]:
    return [i for span in spans for i in range(span.start, span.stop)]


@given(_sizes, st.data())
def test_the_pieces_of_a_span_are_its_replications(sizes: list[int], data: st.DataObject) -> None:
    plan = Plan(sizes)
    start = data.draw(st.integers(0, plan.total - 1))
    span = Span(start, data.draw(st.integers(start + 1, plan.total)))
    everything = [(point, i) for point, size in enumerate(sizes) for i in range(size)]
    found = [(point, i) for point, each in plan.pieces(span) for i in each]
    assert found == everything[span.start : span.stop]
    for point, each in plan.pieces(span):
        piece = plan.span(point, each.start, each.stop)
        assert [(point, i) for i in each] == everything[piece.start : piece.stop]


@given(_marks, _marks)
def test_without_takes_out_what_is_covered(wanted: set[int], covered: set[int]) -> None:
    def pairs(marks: set[int]) -> list[Span]:
        ends = sorted(marks)
        return [Span(a, b) for a, b in zip(ends[::2], ends[1::2], strict=False)]

    left = without(pairs(wanted), pairs(covered))
    taken = set(numbers(pairs(covered)))
    assert numbers(left) == [i for i in numbers(pairs(wanted)) if i not in taken]
    assert numbers(joined(left)) == numbers(left)


@given(_sizes, st.integers(1, 4), st.data())
def test_chunks_are_all_the_work_in_its_order(
    sizes: list[int], workers: int, data: st.DataObject
) -> None:
    plan = Plan(sizes)
    pacer = Pacer(plan, [10] * len(sizes), workers)
    pacer.put([Span(0, plan.total)])
    chunks = []
    while (chunk := pacer.next()) is not None:
        chunks.append(chunk)
        pacer.learn(chunk, data.draw(st.floats(0.0, 10.0)))
    assert numbers(chunks) == list(range(plan.total))


def test_chunks_come_to_take_about_a_second_and_end_small() -> None:
    sizes, seconds_each, workers = [4000, 4000], (0.004, 0.001), 2
    plan = Plan(sizes)
    pacer = Pacer(plan, [20, 20], workers)
    pacer.put([Span(0, plan.total)])
    took = []
    while (chunk := pacer.next()) is not None:
        took.append(sum(seconds_each[point] * len(each) for point, each in plan.pieces(chunk)))
        pacer.learn(chunk, took[-1])
    assert took[0] < 0.5 * TARGET_S  # a probe; nothing was measured before it
    steady = [each for each in took[1:] if each > 0.5 * TARGET_S]
    assert sum(steady) > 0.75 * sum(took)
    assert all(0.5 * TARGET_S < each <= 1.1 * TARGET_S for each in steady)
    assert took[-1] <= 0.11 * TARGET_S
