"""Finds spans of the same call.

A framework's span has the client's inside it, two instrumentors on one client write a span each,
and a program may write a request both as a span and as a log record. One span of each call is kept;
it takes over the fields that only the others have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from analysis.traces.collector import Collector
from analysis.traces.dialects import ONLY_READING
from analysis.traces.span import Span
from simulator.words import counted

Above = Callable[[Span], Iterable[Span]]
Same = tuple[Span, Span, bool]
"""The span that is kept, the one left out, and whether this one has no other call."""

_NEAR_NS = 50_000_000
_NEAR_SHARE = 0.2
"""Spans of one call by two instrumentors begin and end within 50 ms, or a fifth of the longer."""

_LOG_NS = 2_000_000_000
"""A log record of a call is written within this time of the end of its span."""


def same_calls(spans: list[Span], above: Above, out: Collector) -> Iterator[Same]:
    """Yield the spans to leave out, each with the one that is kept of its call."""
    for span in spans:
        if span.name == "claude_code.tool.blocked_on_user":
            _add_wait(span, above)
    outer: set[int] = set()
    untold = 0
    for operation, ends in (
        ("chat", {"invoke_agent", "execute_tool"}),
        *((each, {"invoke_agent", "execute_tool", "chat"}) for each in ONLY_READING),
        ("execute_tool", {"invoke_agent", "chat"}),
    ):
        nested = _nested([s for s in spans if s.operation == operation], operation, ends, above)
        for around, inside in nested:
            outer.add(id(around))
            out.duplicate(around.where)
            untold += _give_counts(around, inside)
            yield inside[0], around, len(inside) == 1
    if outer:
        out.notes.append(
            f"{counted(len(outer), 'span')} left out, each around another of the same call"
        )
    if untold:
        out.notes.append(
            f"{counted(untold, 'span')} left out with tokens of several calls, which do not say "
            "their own: these are not known"
        )
    n = 0
    for operation in ("chat", *ONLY_READING, "execute_tool"):
        alone = [span for span in spans if span.operation == operation and id(span) not in outer]
        for kept, left_out in _twins(alone):
            n += 1
            out.duplicate(left_out.where)
            yield kept, left_out, True
    if n:
        out.notes.append(
            f"{counted(n, 'span')} left out that another tells of too (two instrumentors, logs)"
        )


def _nested(
    spans: list[Span], operation: str, ends: set[str], above: Above
) -> list[tuple[Span, list[Span]]]:
    """Return spans with others of the same kind inside, and these: both report one call."""
    found: dict[int, tuple[Span, list[Span]]] = {}
    for span in spans:
        for each in above(span):
            if each.operation in ends:
                break
            if each.operation == operation and _may_hold(each, span, operation):
                found.setdefault(id(each), (each, []))[1].append(span)
    return list(found.values())


def _give_counts(around: Span, inside: list[Span]) -> bool:
    """Give the counts of a span to the only answered one of several within it, such as attempts.

    Return whether they are of several that were answered, and cannot be given.
    """
    answered = [span for span in inside if span.status == "ok"]
    if len(inside) == 1 or not around.has_counts or any(span.has_counts for span in answered):
        return False
    if len(answered) != 1:
        return bool(answered)
    counts = {k: n for k, n in around.fields.items() if k.endswith("_tokens") or k == "cost_usd"}
    answered[0].know({k: n for k, n in counts.items() if k not in answered[0].fields})
    return False


def _may_hold(around: Span, inside: Span, operation: str) -> bool:
    """Tell whether two nested spans may be one call; a tool that calls another tool is not."""
    if operation != "execute_tool":
        return True
    names = around.fields.get("tool_name"), inside.fields.get("tool_name")
    return names[1] is None or names[0] == names[1]


def _add_wait(span: Span, above: Above) -> None:
    """Add to a tool the time for which it waited for a person's permission."""
    tool = next(iter(above(span)), None)
    if tool is not None and tool.operation == "execute_tool":
        tool.know({"queue_s": (span.end_ns - span.start_ns) / 1e9})


def _twins(spans: list[Span]) -> Iterator[tuple[Span, Span]]:
    """Yield pairs of spans of one call that are not nested, the longer or richer first."""
    gone: set[int] = set()
    groups: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for span in spans:
        groups["trace", span.trace_id].append(span)
        if span.fields.get("call_id") is not None:
            groups["call", str(span.fields["call_id"])].append(span)
        if span.session is not None or span.around is not None:
            session = span.session or str((span.around or {}).get("session.id"))
            groups["session", session].append(span)
    for (kind, _), group in groups.items():
        if len(group) < 2 or (kind != "trace" and len({span.is_log for span in group}) < 2):
            continue
        group.sort(key=lambda span: span.start_ns)
        for i, first in enumerate(group):
            near = _near(first, kind)
            for second in group[i + 1 :]:
                if second.start_ns - first.start_ns > near:
                    break
                pair = _pair(first, second, kind)
                if pair is not None and id(first) not in gone and id(second) not in gone:
                    gone.add(id(pair[1]))
                    yield pair


def _near(span: Span, kind: str) -> float:
    if kind != "trace":
        return _LOG_NS + (span.end_ns - span.start_ns) * _NEAR_SHARE
    return max(_NEAR_NS, (span.end_ns - span.start_ns) * _NEAR_SHARE)


def _pair(first: Span, second: Span, kind: str) -> tuple[Span, Span] | None:
    """Return which of two spans is kept and which is left out; None if they are two calls."""
    if kind == "trace":
        if first.scope == second.scope and _are_of_one_writer(first, second):
            return None  # calls in parallel
        # The shorter one must lie within the longer one.
        lengths = first.end_ns - first.start_ns, second.end_ns - second.start_ns
        longer, shorter = (first, second) if lengths[0] >= lengths[1] else (second, first)
        inside = longer.start_ns <= shorter.start_ns and shorter.end_ns <= longer.end_ns
        if not inside or longer.end_ns - shorter.end_ns > _near(longer, kind):
            return None
        pair = longer, shorter
    else:
        if first.is_log == second.is_log or abs(first.end_ns - second.end_ns) > _LOG_NS:
            return None
        pair = (second, first) if first.is_log else (first, second)
    return pair if _alike(*pair) else None


def _are_of_one_writer(first: Span, second: Span) -> bool:
    """Tell whether spans of one scope, or of none that is known, are of one instrumentor.

    Their names are alike but for numbers, or both have counts: of two instrumentors one has often
    none. Votes in parallel on one prompt have equal ones.
    """
    if first.operation == "execute_tool" or (first.has_counts and second.has_counts):
        return True
    return _without_numbers(first.name) == _without_numbers(second.name)


def _without_numbers(name: str) -> str:
    return "".join(each for each in name if not each.isdigit())


def _alike(one: Span, other: Span) -> bool:
    """Tell whether model and counts agree, where both are known; of tools, their names."""
    if one.operation == "execute_tool":
        names = one.fields.get("tool_name"), other.fields.get("tool_name")
        return names[0] is not None and names[0] == names[1]
    models = [str(span.fields.get("response_model") or "") for span in (one, other)]
    if not (models[0].startswith(models[1]) or models[1].startswith(models[0])):
        return False
    return all(
        one.fields.get(name) is None
        or other.fields.get(name) is None
        or one.fields[name] == other.fields[name]
        for name in ("input_tokens", "output_tokens")
    )
