"""All that the live view of one replication shows, as data for its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from analysis.breakdown.lives import Life, lives_of
from analysis.breakdown.timeline import agent_names, spans_of
from analysis.live.board import Place, moves_of
from analysis.live.columns import Columns, Ticks
from analysis.live.places import places_of
from analysis.live.spending import spending_of
from analysis.live.states import LEADS, WAITING, State, states_of
from analysis.live.story import abridged, sentences_of
from analysis.plots.kinds import KIND_COLOURS
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from simulator.scenario import Scenario
from simulator.scenario.costs import is_cost_known

NOBODY = -1
"""Stands in columns for an agent or a task that is not there."""

_PLACES = {
    Place.NOT_READY: "not ready",
    Place.TO_DO: "to do",
    Place.CLAIMED: "claimed",
    Place.DOING: "doing",
    Place.IN_REVIEW: "in review",
    Place.DONE: "done",
    Place.WRONG: "wrong",
}


@dataclass(frozen=True)
class Run:
    """One replication that has been run.

    Attributes
    ----------
    scenario : Scenario
    replication : int
    trace : Trace
        What happened in it.
    metrics : Metrics
    """

    scenario: Scenario
    replication: int
    trace: Trace
    metrics: Metrics


class Content(TypedDict):
    """The data of a page; columns are described in `content_of`."""

    name: str
    question: str
    replication: int
    outcome: str
    makespan_s: float
    tick_s: float
    agents: list[str]
    workers: int
    places: list[tuple[float, float]]
    links: list[int]
    hearers: dict[str, list[int]]
    layout: str
    kinds: list[dict[str, str]]
    states: Columns
    state_names: list[tuple[str, str, bool]]
    hands: Columns
    board: list[str]
    tasks: int
    moves: Columns
    subagents: Columns
    parents: list[int]
    messages: Columns
    deliveries: Columns
    spent: Columns
    usd: list[float] | None
    cuts: Columns
    leads: Columns
    patterns: list[str]
    whats: list[str]
    news: list[int]
    story: Columns
    amounts: list[float]
    is_abridged: bool


def content_of(run: Run) -> Content:
    """Return the data of the page that shows a replication.

    Times are ticks: ``tick_s`` seconds each. In columns, ``t`` has by how many ticks each row comes
    after the one before it. States, moves, messages, spending and the story are each in the order
    of time, so that a page follows them from their beginning.

    Parameters
    ----------
    run : Run

    Returns
    -------
    Content
        It holds lists, numbers and text only, as JSON wants them.
    """
    rows, scenario = run.trace.rows, run.scenario
    spans, lives = spans_of(rows), lives_of(rows)
    names = agent_names(scenario)
    ticks = Ticks(rows[-1].time_s)
    places = places_of(scenario, run.replication)
    states = states_of(spans, rows, len(names), lives)
    said, state_names = _states(states, lives, ticks)
    moves = moves_of(rows, spans, run.metrics.tasks)
    spent = spending_of(rows, run.trace.spent_usd)
    sentences = sentences_of(rows, scenario.tool_names)
    kept = abridged(sentences)
    patterns = list(dict.fromkeys(each.pattern for each in kept))
    whats = list(dict.fromkeys(each.what for each in kept))
    pattern_at, what_at = ({each: i for i, each in enumerate(all_)} for all_ in (patterns, whats))
    news = {each.pattern for each in kept if each.is_news}
    told = [row for row in rows if row.event is Event.MESSAGE]
    arrived = [row for row in rows if row.event is Event.DELIVERY]
    begun = sorted(lives, key=lambda life: life.start_s)
    return {
        "name": scenario.name,
        "question": scenario.question,
        "replication": run.replication,
        "outcome": run.metrics.outcome,
        "makespan_s": rows[-1].time_s,
        "tick_s": ticks.tick_s,
        "agents": [*names, *(life.name for life in lives)],
        "workers": scenario.team.worker_count,
        "places": places.at,
        "links": [agent for pair in places.links for agent in pair],
        "hearers": {str(agent): each for agent, each in places.hearers.items()},
        "layout": places.words,
        "kinds": _kinds(),
        "states": said,
        "state_names": state_names,
        "hands": _hands(rows, ticks),
        "board": list(_PLACES.values()),
        "tasks": run.metrics.tasks,
        "moves": ticks.columns(
            [move.time_s for move in moves],
            task=[move.task for move in moves],
            to=[int(move.place) for move in moves],
        ),
        "subagents": ticks.columns(
            [life.start_s for life in begun],
            agent=[life.agent for life in begun],
            lasts=[ticks.at(life.end_s) - ticks.at(life.start_s) for life in begun],
            slot=_slots(begun),
        ),
        "parents": [life.parent for life in lives],
        "messages": ticks.columns(
            [row.time_s for row in told],
            agent=[_number(row.agent) for row in told],
            n=[row.peer or 0 for row in told],
        ),
        "deliveries": ticks.columns(
            [row.time_s for row in arrived],
            agent=[_number(row.peer) for row in arrived],
            to=[_number(row.agent) for row in arrived],
        ),
        "spent": ticks.columns(
            [each.time_s for each in spent],
            read=[each.input_tokens for each in spent],
            wrote=[each.output_tokens for each in spent],
        ),
        "usd": [each.usd for each in spent] if is_cost_known(scenario) else None,
        "cuts": _cuts(rows, ticks),
        "leads": _leads(rows, ticks),
        "patterns": patterns,
        "whats": whats,
        "news": [i for i, pattern in enumerate(patterns) if pattern in news],
        "story": ticks.columns(
            [each.time_s for each in kept],
            says=[pattern_at[each.pattern] for each in kept],
            agent=[_number(each.agent) for each in kept],
            peer=[_number(each.peer) for each in kept],
            task=[_number(each.task) for each in kept],
            what=[what_at[each.what] for each in kept],
        ),
        "amounts": [float(f"{each.amount:.4g}") for each in kept],
        "is_abridged": len(kept) < len(sentences),
    }


def _number(value: int | None) -> int:
    return NOBODY if value is None else value


def _kinds() -> list[dict[str, str]]:
    """Return the kinds of states with the colours that they have in other pictures."""
    return [
        {"name": kind, "colour": colour}
        for kind, colour in {**KIND_COLOURS, WAITING: "#FFFFFF"}.items()
    ]


_WORDS = {
    "work": "model call: works on a task",
    "rework": "model call: works again on a task that had failed",
    "in vain": "model call that comes to nothing",
    "idle": "model call that takes no task",
    "coordination": "model call: coordinates",
    "review": "model call: reviews",
    "workspace": "reads or commits to the workspace",
    "failed": "request that fails",
    "tools": "its tools run",
    "sub-agents": "waits for its sub-agents",
    "queued": "queues for a tool",
    "held up": "held up",
    "down": "down",
    WAITING: "waits between calls",
}
"""What the kinds of states are, for readers who do not know their names."""

_WITH_WHY = ("failed", "held up")
"""Kinds of states that say why, since that is known while they last."""


def _words(kind: str, why: str) -> tuple[str, str, bool]:
    """Return the kind of a state, what it is in words, and whether its agent leads elsewhere."""
    if why == LEADS:
        return kind, "leads in the seat of a coordinator; its own is empty", True
    said = f": {why.replace('_', ' ')}" if kind in _WITH_WHY and why else ""
    return kind, _WORDS[kind] + said, False


def _states(
    states: Sequence[State], lives: Sequence[Life], ticks: Ticks
) -> tuple[Columns, list[tuple[str, str, bool]]]:
    """Return the states of all in the order of time, and the names of those that there are.

    A sub-agent that has ended has the state -1.
    """
    changes = [(state.start_s, state.agent, _words(state.kind, state.why)) for state in states]
    names = list(dict.fromkeys(name for _, _, name in changes))
    place = {name: i for i, name in enumerate(names)}
    found = [(life.end_s, life.agent, NOBODY) for life in lives]
    found += [(time_s, agent, place[name]) for time_s, agent, name in changes]
    found.sort(key=lambda change: change[0])
    columns = ticks.columns(
        [time_s for time_s, _, _ in found],
        agent=[agent for _, agent, _ in found],
        to=[to for _, _, to in found],
    )
    return columns, names


def _hands(rows: Sequence[Row], ticks: Ticks) -> Columns:
    """Return the tasks of calls: the first of them and how many more, from when on."""
    of_call: dict[int | None, list[int]] = {}
    for row in rows:
        if row.event in (Event.ATTEMPT, Event.REVIEW) and row.task is not None:
            of_call.setdefault(row.call, []).append(row.task)
    times, agents, tasks, more = [], [], [], []
    for row in rows:
        if row.event in (Event.CALL_START, Event.CALL_END) and row.call in of_call:
            begins, mine = row.event is Event.CALL_START, of_call[row.call]
            times.append(row.time_s)
            agents.append(_number(row.agent))
            tasks.append(mine[0] if begins else NOBODY)
            more.append(len(mine) - 1 if begins else 0)
    return ticks.columns(times, agent=agents, task=tasks, more=more)


def _slots(lives: Sequence[Life]) -> list[int]:
    """Return a place beside its parent for each sub-agent, that no other has while it lives."""
    taken: dict[int, list[float]] = {}
    found = []
    for life in lives:
        ends = taken.setdefault(life.parent, [])
        free = next((i for i, end_s in enumerate(ends) if end_s <= life.start_s), len(ends))
        ends[free : free + 1] = [life.end_s]
        found.append(free)
    return found


def _cuts(rows: Sequence[Row], ticks: Ticks) -> Columns:
    """Return how many workers, the last ones, are cut off from when on."""
    cuts = [row for row in rows if row.event is Event.PARTITION]
    off = [(row.peer or 0) if row.outcome == "begins" else 0 for row in cuts]
    return ticks.columns([row.time_s for row in cuts], off=off)


def _leads(rows: Sequence[Row], ticks: Ticks) -> Columns:
    """Return which worker sits in a coordinator's seat from when on."""
    found = [row for row in rows if row.event is Event.LEADS]
    seats, by = [_number(row.agent) for row in found], [_number(row.peer) for row in found]
    return ticks.columns([row.time_s for row in found], seat=seats, by=by)
