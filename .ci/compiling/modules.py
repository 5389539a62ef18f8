"""Which modules are compiled, and what must not become a number of the machine."""

from __future__ import annotations

PACKAGE = "simulator"

MODULES = tuple(
    f"{PACKAGE}.{name}"
    for name in (
        "distributions._facts",
        "scenario._rates",
        "scenario._odds",
        "model.timers",
        "model.copied",
        "model.agenda",
        "model.metrics",
        "model.journal",
        "model.answers",
        "model.board",
        "model.forgetfulness",
        "model.ledger",
        "model.latency._durations",
        "model.protocols._dispatcher",
        "model.protocols._hand",
        "model.protocols._hands",
        "model.protocols._dealt",
        "model.protocols._claims",
        "model.agents.call",
        "model.agents.timesheet",
        "model.agents.messages",
        "model.agents.channels",
        "model.agents.cache_life",
        "model.agents.held",
        "model.agents.additions",
        "model.agents.kind",
        "model.agents.memory",
        "model.agents.habits",
        "model.agents.judgement",
        "model.agents.toolkit",
        "model.agents.loop",
        "model.agents.agent",
        "model.agents.talk",
        "model.calls.bill",
        "model.calls.phases",
        "model.calls.service",
        "model.calls.book",
        "model.team.sides",
        "model.team.patterns",
        "model.team.writes",
        "model.team.settlement",
        "model.team.hand_ins",
        "model.team.commits",
        "model.team.review_queue",
        "model.team.coordination",
        "model.call_start",
        "model.call_end",
        "model.steps",
        "model.ending",
        "model.calls.runs",
        "model.calls.tools",
        "model.calls.turns",
        "model.calls.patience",
        "model.calls.flight",
        "model.calls.caller",
        "model.calls.fates",
        "model.calls.transit",
        "model.calls.requests",
        "model.calls.provider",
        "model.calls.backoff",
        "model.calls.breaker",
        "model.calls.breakers",
        "model.calls.budget",
        "model.calls.bulkhead",
        "model.calls.outages",
        "model.calls.checkpoints",
        "model.calls.error_answers",
        "model.calls.stations",
        "model.team.review",
        "model.agents.overflow",
        "engine.watched",
        "engine.schedule",
        "engine.course",
        "engine.clock",
        "engine.calls",
        "engine.halfway",
        "engine.harness",
        "engine.own_calls",
        "engine.rounds",
        "engine.asynchronous",
        "model.packed",
        "model.draw_blocks",
        "model.limited_draws",
        "model.streams",
        "model.agents.draws",
        "model.agents.cast",
        "model.agents.roster",
        "model.replication",
    )
)
"""The modules on the way of every call. None has a class of pydantic: a specification is read once,
and pydantic looks for Python's own functions in it."""

IN_C = (f"{PACKAGE}.engine.heap", f"{PACKAGE}.model.uniforms")
"""Modules that are written a second time, for C: ``.pyx`` files of their names, beside this one,
and ``.pxd`` files of those whose classes C knows."""

WIDE = frozenset(
    {
        "simulator.model.agents.agent.AgentState.number",
        "simulator.model.agents.draws.OwnDraws.*number",
        "simulator.model.draw_blocks.*index",
        "simulator.model.streams.Streams.*.index",
        "simulator.model.calls.runs.Run.child",
        "simulator.model.calls.runs.Run.name_child.number",
    }
)
"""Whole numbers of more than 63 bits (of sub-agents: they name random streams), by full names in
which a star stands for anything. All others have 64 bits when compiled, and a number that does not
fit raises OverflowError."""
