"""Makes calls, agents and messages of the spans of any tracing system.

This module decides to which agent a call belongs (the agent that the span names, else the nearest
one above it). `analysis.traces.agents_at_once` tells agents of one name apart,
`analysis.traces.same_spans` tells the same spans from others with their ids,
`analysis.traces.same_calls` decides which of several spans of one call counts, and
`analysis.traces.dialects` what a span's attributes mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from analysis.traces.agents_at_once import AgentsAtOnce
from analysis.traces.cached_input import add_cached_tokens
from analysis.traces.collector import Collector
from analysis.traces.same_calls import same_calls
from analysis.traces.same_spans import unique_spans
from analysis.traces.span import CLAUDE_CODE, Key, Span
from analysis.traces.tasks import add_tasks
from analysis.traces.untold_calls import find_calls
from analysis.traces.values import text

_MOST_ABOVE = 500
"""Most spans above a span that are followed."""


def collect(spans: Iterable[Span], out: Collector) -> None:
    """Turn spans into calls, agents and messages."""
    by_id = unique_spans(spans, out)
    add_cached_tokens(by_id.values(), out)
    forest = _Forest(by_id)
    find_calls(forest.spans, forest.above)
    for kept, left_out, only in same_calls(forest.spans, forest.above, out):
        forest.merge(kept, left_out, only)
    runs = forest.runs()
    ids = _ids_by_name(forest.spans, runs)
    agents = AgentsAtOnce(forest.spans, runs, ids, forest.above)
    starters = _starters(forest, runs, agents)
    spelled = _names_by_spelling(forest.spans, runs)

    def agent_of(span: Span) -> str | None:
        owner = forest.owner(span)
        return None if owner is None else agents.identity(owner[1], *owner[0])

    def told(span: Span) -> str | None:
        """Return the agent that a span hands over to; None if it does not, or to nobody's name."""
        if span.operation == "invoke_agent" or span.transfer is None or span.transfer[0] is None:
            return None
        run = runs[span.key]
        target = spelled.get((run, _spelling(span.transfer[0])), span.transfer[0])
        return ids.get((run, target), target)

    handed = {(runs[s.key], agent_of(s), to) for s in forest.spans if (to := told(s)) is not None}
    for span in forest.spans:
        if span.key in forest.left_out or (span.operation is None and span.transfer is None):
            continue
        run = runs[span.key]
        owner = forest.owner(span)
        agent = name = caller = parent = None
        if owner is not None:
            name = owner[0][1]
            agent = agents.identity(owner[1], *owner[0])
            caller = forest.caller(owner[1], agent, agents)
            parent = starters.get((run, agent), caller)
            model = span.fields.get("response_model") if span.operation == "chat" else None
            out.agent(run, agent, name=name, parent_agent_id=parent, model=model)
        if span.operation is not None:
            span.name_tool()
            _add_call(span, run, agent, name, parent, forest.task(span), out)
        if span.operation == "invoke_agent" and owner is not None and owner[1] is span:
            if (run, caller, agent) not in handed:  # else a span of its own tells of it
                is_inside = forest.is_inside(span, caller, agents)
                _add_invocation(span, run, agent, caller, is_inside, out)
        elif agent is not None and (target := told(span)) is not None:
            _add_handoff(span, run, agent, target, out)

    add_tasks(forest.spans, runs, forest.above, agent_of, out)


class _Forest:
    """Spans and those above them."""

    def __init__(self, by_id: dict[Key, Span]) -> None:
        self._by_id = by_id
        self.spans = list(by_id.values())
        self.left_out: set[Key] = set()
        self._also: dict[Key, Span] = {}

    def above(self, span: Span) -> Iterator[Span]:
        """Yield the spans above one, the nearest first; parents in a circle end it."""
        at: Span | None = span
        for _ in range(_MOST_ABOVE):
            if at is None or at.parent_id is None:
                return
            at = self._by_id.get((at.trace_id, at.parent_id))
            if at is span or at is None:
                return
            yield at

    def merge(self, kept: Span, left_out: Span, is_only: bool) -> None:
        """Leave a span out; the kept span of the same call takes over its further fields."""
        self.left_out.add(left_out.key)
        if is_only:
            kept.fill_from(left_out)
            self._also.setdefault(kept.key, left_out)

    def runs(self) -> dict[Key, str]:
        """Return the run of each span: its session or that of a span above, else its trace."""
        own: dict[Key, str] = {}
        of_trace: dict[str, str] = {}
        for span in self.spans:
            session = span.session or _session_around(span)
            if session is not None:
                own[span.key] = session
                of_trace.setdefault(span.trace_id, session)
        runs: dict[Key, str] = {}
        for span in self.spans:
            found = own.get(span.key)
            if found is None:
                found = next((own[s.key] for s in self.above(span) if s.key in own), None)
            runs[span.key] = found or of_trace.get(span.trace_id, span.trace_id)
        return runs

    def owner(self, span: Span) -> tuple[tuple[str, str | None], Span] | None:
        """Return the agent whose span this is, and the span that names it."""
        above = list(self.above(span))
        for any_node in (False, True):
            for each in (span, *above):
                named = each.names_agent(any_node)
                if named is not None:
                    return named, each
        also = self._also.get(span.key)
        if also is not None and (found := self.owner(also)) is not None:
            return found
        weak = next((s for s in (span, *above) if s.weak_agent is not None), None)
        return None if weak is None else ((str(weak.weak_agent), weak.weak_agent), weak)

    def task(self, span: Span) -> str | None:
        """Return the task of a span: its own, else that of the nearest span above with one."""
        return next((s.task for s in (span, *self.above(span)) if s.task is not None), None)

    def caller(self, owner: Span, agent: str, agents: AgentsAtOnce) -> str | None:
        """Return the agent that called another: the one named as such, else the next above."""
        if owner.parent_agent is not None:
            return agents.identity(owner, owner.parent_agent, None)
        for each in self.above(owner):
            named = None if agents.only_holds(each) else each.names_agent()
            if named is not None and (found := agents.identity(each, *named)) != agent:
                return found
        return "main" if owner.name.startswith(CLAUDE_CODE) and agent != "main" else None

    def is_inside(self, span: Span, caller: str | None, agents: AgentsAtOnce) -> bool:
        """Tell whether a span lies in one of its caller, or says no caller."""
        if span.parent_agent is None:
            return True
        named = ((each, each.names_agent()) for each in self.above(span))
        return any(who is not None and agents.identity(s, *who) == caller for s, who in named)


def _session_around(span: Span) -> str | None:
    return None if span.around is None else text(span.around.get("session.id"))


def _starters(
    forest: _Forest, runs: Mapping[Key, str], agents: AgentsAtOnce
) -> dict[tuple[str, str], str | None]:
    """Return who called each agent first: one that gets a task back is not below who gives it."""
    first: dict[tuple[str, str], tuple[tuple[int, int], Span]] = {}
    for span in forest.spans:
        named = span.agent_at_work()
        if named is not None:
            agent = runs[span.key], agents.identity(span, *named)
            order = span.start_ns, -span.end_ns
            if agent not in first or order < first[agent][0]:
                first[agent] = order, span
    return {key: forest.caller(span, key[1], agents) for key, (_, span) in first.items()}


def _ids_by_name(spans: list[Span], runs: Mapping[Key, str]) -> dict[tuple[str, str], str]:
    """Return the id of each agent that some spans name by id and name, others by name alone."""
    found: dict[tuple[str, str], set[str]] = {}
    for span in spans:
        if span.agent_name is not None and span.agent_id is not None:
            found.setdefault((runs[span.key], span.agent_name), set()).add(span.agent_id)
    return {key: next(iter(ids)) for key, ids in found.items() if len(ids) == 1}


def _names_by_spelling(spans: list[Span], runs: Mapping[Key, str]) -> dict[tuple[str, str], str]:
    """Return the agents' names by run and spelling: tools spell them in their own way."""
    named = ((span, span.agent_name or span.agent_id or span.node) for span in spans)
    return {(runs[span.key], _spelling(name)): name for span, name in named if name is not None}


def _spelling(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _add_call(
    span: Span,
    run: str,
    agent: str | None,
    name: str | None,
    parent: str | None,
    task: str | None,
    out: Collector,
) -> None:
    span.forget_zeros()
    out.call(
        span.where if span.status != "ok" else span.place,
        span.source,
        span.form,
        run_id=run,
        session_id=span.session or _session_around(span),
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_id,
        operation_name=span.operation,
        agent_id=agent,
        agent_name=name,
        parent_agent_id=parent,
        start_ns=span.start_ns if span.has_start else None,
        end_ns=span.end_ns,
        task_id=task,
        status=span.status,
        error_type=span.error_type,
        quality_time="exact" if span.has_start else None,
        quality_tokens="exact" if "input_tokens" in span.fields else None,
        **span.take_fields(),
    )


def _add_invocation(
    span: Span, run: str, agent: str | None, caller: str | None, is_inside: bool, out: Collector
) -> None:
    """Add what a call of another agent implies: work handed over, and its result.

    An agent that is not inside of the one that it names as the one before has no result for it.
    """
    if agent is None or caller is None or agent == caller:
        return
    kind = "delegate" if span.transfer is None else span.transfer[1]
    kind = kind if is_inside else "handoff"
    known = {"run_id": run, "span_id": span.span_id, "inferred": is_inside}
    out.message(
        msg_id=f"{span.span_id}-out",
        src_agent_id=caller,
        dst_agent_id=agent,
        sent_ns=span.start_ns,
        recv_ns=span.start_ns,
        kind=kind,
        **known,
    )
    if kind == "delegate":
        out.message(
            msg_id=f"{span.span_id}-back",
            src_agent_id=agent,
            dst_agent_id=caller,
            sent_ns=span.end_ns,
            recv_ns=span.end_ns,
            kind="return",
            parent_msg_id=f"{span.span_id}-out",
            **known,
        )


def _add_handoff(span: Span, run: str, agent: str, target: str, out: Collector) -> None:
    assert span.transfer is not None
    out.message(
        run_id=run,
        msg_id=f"{span.span_id}-out",
        src_agent_id=agent,
        dst_agent_id=target,
        sent_ns=span.start_ns,
        recv_ns=span.end_ns,
        kind=span.transfer[1],
        span_id=span.span_id,
        inferred=False,
    )
