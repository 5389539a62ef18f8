"""Tells agents of one name apart that were at work at the same time.

Many programs give their agents names and no ids: five researchers that a lead starts at once are
five spans called ``researcher``. Spans of one name that overlap are different agents. Spans that
follow each other are one agent that is called again: it got a task back, or a loop began anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise

from analysis.traces.span import Key, Span

Above = Callable[[Span], Iterator[Span]]
Name = tuple[str, str]
"""A run, and the name of an agent in it."""

_TOUCH_NS = 2_000_000
_TOUCH_SHARE = 0.01
"""Spans that overlap by this much at most, or by this share of the shorter one, do not overlap."""


@dataclass(slots=True)
class _Agent:
    """One agent; `last` is its span that ends last, by instrumentation."""

    identity: str
    caller: str | None
    last: dict[str | None, Span] = field(default_factory=dict)

    def is_free(self, span: Span) -> bool:
        last = self.last.get(span.scope)
        return last is None or not _overlap(last, span)

    def work(self, span: Span) -> None:
        last = self.last.get(span.scope)
        if last is None or last.end_ns < span.end_ns:
            self.last[span.scope] = span


class AgentsAtOnce:
    """The agents that some spans name by name alone.

    Parameters
    ----------
    spans : list of Span
    runs : mapping of Key to str
        The run of each span.
    ids : mapping
        Ids of agents that some spans name by id and name, by run and name.
    above : callable
        Yields the spans above one, the nearest first.
    """

    def __init__(
        self, spans: list[Span], runs: Mapping[Key, str], ids: Mapping[Name, str], above: Above
    ) -> None:
        self._runs, self._ids, self._above = runs, ids, above
        self._names: dict[Key, Name] = {}
        for span in spans:
            agent = span.agent_at_work()
            if agent is not None and span.agent_id is None:
                name = runs[span.key], agent[0]
                if name not in ids:
                    self._names[span.key] = name
        self._same: dict[Key, Span] = {}
        self._frames: set[Key] = set()
        self._found: dict[Key, _Agent] = {}
        by_name: dict[Name, list[Span]] = {}
        for span in spans:
            if span.key in self._names:
                by_name.setdefault(self._names[span.key], []).append(span)
        several = [span for some in by_name.values() if len(some) > 1 for span in some]
        self._join_nested(several, spans)
        self._taken = {(runs[s.key], s.agent_id or s.agent_name or s.node) for s in spans}
        self._agents: dict[Name, list[_Agent]] = {}
        self._name_of: dict[tuple[str, str], str] = {}
        depth = {span.key: sum(1 for _ in above(span)) for span in several}
        for span in sorted(several, key=lambda span: (span.start_ns, depth[span.key])):
            if span.key not in self._same:
                self._give(span)

    def identity(self, span: Span, agent: str, name: str | None) -> str:
        """Return the id of the agent that a span names: the one at work around the span."""
        run = self._runs[span.key]
        agent = self._ids.get((run, agent), agent)
        if name is None or agent != name or len(self._agents.get((run, name), ())) < 2:
            return agent
        for each in chain([span], self._above(span)):
            if self._names.get(each.key) == (run, name):
                found = self._agent(each)
                return agent if found is None else found.identity
        return agent

    def only_holds(self, span: Span) -> bool:
        """Tell whether a span only holds agents of its name together."""
        return span.key in self._frames

    def _agent(self, span: Span) -> _Agent | None:
        passed = set()
        while span.key in self._same and span.key not in passed:
            passed.add(span.key)
            span = self._same[span.key]
        self._same |= dict.fromkeys(passed, span)
        self._same.pop(span.key, None)  # of a circle of more spans than `above` looks through
        return self._found.get(span.key)

    def _join_nested(self, several: list[Span], spans: list[Span]) -> None:
        """Make one agent of a span and the one of its name in it.

        A tool between the two starts a further agent. So does a span that has several of its name
        at once in it; without calls of its own it only holds them together.
        """
        inside: dict[Key, list[Span]] = {}
        around: dict[Key, Span] = {}
        for span in several:
            outer = self._around(span)
            if outer is not None:
                inside.setdefault(outer.key, []).append(span)
                around[outer.key] = outer
        at_once = {key for key, some in inside.items() if _any_overlap(some)}
        alone = {
            span.key: around[key]
            for key, some in inside.items()
            if key not in at_once
            for span in some
        }
        self._same |= alone
        calling = self._calling(spans) if at_once else set()
        for key in [key for key in inside if key in at_once]:
            nested = [key]
            while nested[-1] in alone and alone[nested[-1]].key not in nested:
                nested.append(alone[nested[-1]].key)
            if calling.isdisjoint(nested):
                self._frames.update(nested)
                first = min(inside[key], key=lambda span: span.start_ns)
                self._same.setdefault(nested[-1], first)

    def _around(self, span: Span) -> Span | None:
        for each in self._above(span):
            if self._names.get(each.key) == self._names[span.key]:
                is_circle = any(over.key == span.key for over in self._above(each))
                return None if is_circle else each
            if each.operation == "execute_tool" and each.transfer is None:
                return None
        return None

    def _calling(self, spans: list[Span]) -> set[Key]:
        """Return the agents' spans that have calls right under them."""
        found = set()
        for span in spans:
            if span.operation in {"chat", "execute_tool"}:
                nearest = (each.key for each in self._above(span) if each.key in self._names)
                found.add(next(nearest, span.key))
        return found

    def _give(self, span: Span) -> None:
        """Give a span to an agent of its name that is free, else to a new one."""
        run, name = self._names[span.key]
        agents = self._agents.setdefault((run, name), [])
        caller = self._caller(span)
        free = [
            agent
            for agent in agents
            if agent.is_free(span) and not self._are_copies(run, agent.caller, caller)
        ]
        free.sort(key=lambda agent: agent.caller != caller)
        agent = free[0] if free else self._new(run, name, caller)
        agent.work(span)
        self._found[span.key] = agent

    def _new(self, run: str, name: str, caller: str | None) -> _Agent:
        agents = self._agents[run, name]
        identity, number = name, len(agents) + 1
        while agents and (run, identity) in self._taken:
            identity, number = f"{name}#{number}", number + 1
        self._taken.add((run, identity))
        self._name_of[run, identity] = name
        agents.append(_Agent(identity, caller))
        return agents[-1]

    def _caller(self, span: Span) -> str | None:
        """Return the nearest agent above that is another one."""
        for each in self._above(span):
            named = each.names_agent()
            if named is not None and not self.only_holds(each):
                return self.identity(each, *named)
        return None

    def _are_copies(self, run: str, one: str | None, other: str | None) -> bool:
        """Tell whether two callers are two agents of one name."""
        if one is None or other is None or one == other:
            return False
        name = self._name_of.get((run, one))
        return name is not None and name == self._name_of.get((run, other))


def _overlap(one: Span, other: Span) -> bool:
    shared = min(one.end_ns, other.end_ns) - max(one.start_ns, other.start_ns)
    shorter = min(one.end_ns - one.start_ns, other.end_ns - other.start_ns)
    return shared > max(_TOUCH_NS, _TOUCH_SHARE * shorter)


def _any_overlap(spans: Iterable[Span]) -> bool:
    """Tell whether two spans of one instrumentation overlap."""
    order = sorted(spans, key=lambda span: (str(span.scope), span.start_ns, -span.end_ns))
    return any(a.scope == b.scope and _overlap(a, b) for a, b in pairwise(order))
