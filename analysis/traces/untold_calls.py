"""Finds calls of models in spans that do not say that they are some, but have counts of tokens.

So write programs with operations of their own (``process_thread_run``). Spans of agents and of
workflows have counts, too: these are the sums of the calls inside, where there are any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from analysis.traces.dialects import ONLY_READING
from analysis.traces.span import Key, Span

Above = Callable[[Span], Iterable[Span]]


def find_calls(spans: list[Span], above: Above) -> None:
    """Take spans of unknown operations with counts for calls, if there are none inside of them.

    Of those within each other the innermost is one. All others forget their counts, but for spans
    of agents inside of which no call is known.
    """
    is_around: set[Key] = set()

    def note(span: Span) -> None:
        is_around.update(each.key for each in above(span))

    wholes = []
    for span in spans:
        if span.operation == "chat":
            note(span)
        elif span.operation is not None and span.has_counts:
            wholes.append((len(list(above(span))), span))
    for _, span in sorted(wholes, key=lambda each: -each[0]):
        if span.key in is_around:
            span.forget_counts()
        elif span.operation not in {"invoke_agent", *ONLY_READING}:
            span.become_chat()
            note(span)
