"""Finds tasks and what they wait for in spans: by name, or by the links between spans of agents.

Some writers give a span the id of its task, and the ids of those that this depends on. Others link
the span of an agent's work to the spans whose results it needed (OpenTelemetry's span links).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from analysis.traces.collector import Collector
from analysis.traces.span import Key, Span

Above = Callable[[Span], Iterable[Span]]
AgentOf = Callable[[Span], str | None]


def add_tasks(
    spans: list[Span],
    runs: Mapping[Key, str],
    above: Above,
    agent_of: AgentOf,
    out: Collector,
) -> None:
    """Add the tasks of the spans.

    Parameters
    ----------
    spans : list of Span
    runs : mapping of Key to str
        The run of each span.
    above : callable
        Yields the spans above one, the nearest first.
    agent_of : callable
        Returns the agent of a span.
    out : Collector
    """
    # In the order in which they began, which is that in which a team had them before it.
    named = sorted((span for span in spans if span.task is not None), key=lambda s: s.start_ns)
    for span in named:
        out.task(runs[span.key], str(span.task), span.needs, agent_of(span))
    if any(span.parent_task is not None for span in named):
        _add_parts(spans, named, runs, above, out)
    linked = [span for span in spans if span.links]
    if not linked:
        return
    by_key = {span.key: span for span in spans}
    works = _works(spans, above)
    pairs: list[tuple[Span, Span]] = []
    for span in linked:
        mine = _work_of(span, works, above)
        for key in span.links:
            cause = by_key.get(key)
            other = None if cause is None else _work_of(cause, works, above)
            if mine is None or other is None or mine is other:
                continue
            if runs[other.key] == runs[mine.key]:
                pairs.append((mine, other))
    in_these = {runs[span.key] for span in linked}
    paired = {id(span) for pair in pairs for span in pair}
    for span in sorted(works.values(), key=lambda span: span.start_ns):
        is_work = span.operation == "invoke_agent" and runs[span.key] in in_these
        if is_work or id(span) in paired:
            out.task(runs[span.key], _name(span), (), agent_of(span))
    for mine, other in pairs:
        out.task(runs[mine.key], _name(mine), [_name(other)])


def _works(spans: list[Span], above: Above) -> dict[Key, Span]:
    """Return the spans that are a task's, or else an agent's with calls of its own."""
    found = {span.key: span for span in spans if span.task is not None}
    for span in spans:
        if span.operation == "chat":
            nearest = (e for e in above(span) if e.task or e.operation == "invoke_agent")
            work = next(nearest, None)
            if work is not None:
                found[work.key] = work
    return found


def _work_of(span: Span, works: Mapping[Key, Span], above: Above) -> Span | None:
    if span.key in works:
        return span
    return next((works[each.key] for each in above(span) if each.key in works), None)


def _name(span: Span) -> str:
    return span.task or span.span_id


def _add_parts(
    spans: list[Span], named: list[Span], runs: Mapping[Key, str], above: Above, out: Collector
) -> None:
    """Add what tasks wait for because they are parts of others.

    A task that only holds its parts together is none itself: its parts wait for what it waits for,
    and who waits for it waits for them. If it has calls of its own, its parts wait for it if it
    begins before them (it plans), else it waits for them (it puts together).
    """
    parts: dict[tuple[str, str], set[str]] = {}
    needs: dict[tuple[str, str], set[str]] = {}
    for span in named:
        run, task = runs[span.key], str(span.task)
        needs.setdefault((run, task), set()).update(span.needs)
        if span.parent_task not in (None, task):
            parts.setdefault((run, str(span.parent_task)), set()).add(task)
    began: dict[tuple[str, str], int] = {}
    for span in spans:
        nearest = next((s.task for s in (span, *above(span)) if s.task), None)
        if span.operation == "chat" and nearest is not None:
            key = runs[span.key], nearest
            began[key] = min(began.get(key, span.start_ns), span.start_ns)
    for (run, whole), inside in parts.items():
        own = began.get((run, whole))
        first = min((began[run, part] for part in inside if (run, part) in began), default=None)
        if own is not None and first is not None and own >= first:
            out.task(run, whole, sorted(inside))
            continue
        for part in inside:
            out.task(run, part, [whole] if own is not None else needs.get((run, whole), ()))
        for (other, task), waits in needs.items():
            if other == run and whole in waits:
                out.task(run, task, sorted(inside - {task}))
        if own is None:
            out.drop_task(run, whole)
