"""All that the live view of one replication shows, as data for its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from analysis.breakdown.lives import lives_of
from analysis.breakdown.timeline import spans_of
from analysis.live.board import Move, Place, moves_of
from analysis.live.columns import Columns, Ticks, number
from analysis.live.doing import Doing, doing_of
from analysis.live.spending import spending_of
from analysis.live.states import states_of
from analysis.live.story import Sentence, abridged, sentences_of
from analysis.live.team import Team, team_of
from simulator.garbage import collector_paused
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from simulator.scenario import Scenario
from simulator.scenario.costs import is_cost_known

_PLACES = {
    Place.NOT_READY: "not ready",
    Place.TO_DO: "to do",
    Place.CLAIMED: "claimed",
    Place.DOING: "doing",
    Place.UNMARKED: "finished, not marked",
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


class About(TypedDict):
    """Which replication it is."""

    name: str
    question: str
    replication: int
    outcome: str
    makespan_s: float
    tick_s: float


class Work(TypedDict):
    """Tasks, and where they are on the board."""

    board: list[str]
    tasks: int
    moves: Columns


class Talk(TypedDict):
    """Messages as they are sent, and whom they reach on networks that choose, delay or lose."""

    messages: Columns
    deliveries: Columns


class Bills(TypedDict):
    """What has been spent so far; no money where nobody has said a price."""

    spent: Columns
    usd: list[float] | None


class Told(TypedDict):
    """The story: patterns, and what fills them."""

    patterns: list[str]
    whats: list[str]
    news: list[int]
    story: Columns
    amounts: list[float]
    is_abridged: bool


class Content(TypedDict):
    """The data of a page, part by part."""

    about: About
    team: Team
    doing: Doing
    work: Work
    talk: Talk
    bills: Bills
    told: Told


def content_of(run: Run) -> Content:
    """Return the data of the page that shows a replication.

    Times are ticks: ``tick_s`` seconds each. In columns, ``t`` has by how many ticks each row comes
    after the one before it. All columns are in the order of time, so that a page follows them from
    their beginning.

    Parameters
    ----------
    run : Run

    Returns
    -------
    Content
        It holds dictionaries, lists, numbers and text only, as JSON wants them.
    """
    with collector_paused():
        return _content(run)


def _content(run: Run) -> Content:
    rows, scenario = run.trace.rows, run.scenario
    spans, lives, ticks = spans_of(rows), lives_of(rows), Ticks(rows[-1].time_s)
    states = states_of(spans, rows, run.metrics.agents, lives)
    return {
        "about": {
            "name": scenario.name,
            "question": scenario.question,
            "replication": run.replication,
            "outcome": run.metrics.outcome,
            "makespan_s": rows[-1].time_s,
            "tick_s": ticks.tick_s,
        },
        "team": team_of(scenario, run.replication, rows, lives, ticks),
        "doing": doing_of(rows, states, lives, ticks),
        "work": _work(moves_of(rows, spans, run.metrics.tasks), run.metrics.tasks, ticks),
        "talk": _talk(rows, ticks),
        "bills": _bills(run, ticks),
        "told": _told(sentences_of(rows, scenario.tool_names), ticks),
    }


def _work(moves: Sequence[Move], tasks: int, ticks: Ticks) -> Work:
    columns = ticks.columns(
        [move.time_s for move in moves],
        task=[move.task for move in moves],
        to=[int(move.place) for move in moves],
    )
    return {"board": list(_PLACES.values()), "tasks": tasks, "moves": columns}


def _talk(rows: Sequence[Row], ticks: Ticks) -> Talk:
    told = [row for row in rows if row.event is Event.MESSAGE]
    arrived = [row for row in rows if row.event is Event.DELIVERY]
    return {
        "messages": ticks.columns(
            [row.time_s for row in told],
            agent=[number(row.agent) for row in told],
            n=[row.peer or 0 for row in told],
        ),
        "deliveries": ticks.columns(
            [row.time_s for row in arrived],
            agent=[number(row.peer) for row in arrived],
            to=[number(row.agent) for row in arrived],
        ),
    }


def _bills(run: Run, ticks: Ticks) -> Bills:
    spent = spending_of(run.trace.rows, run.trace.spent_usd)
    columns = ticks.columns(
        [each.time_s for each in spent],
        read=[each.input_tokens for each in spent],
        wrote=[each.output_tokens for each in spent],
    )
    is_known = is_cost_known(run.scenario)
    return {"spent": columns, "usd": [each.usd for each in spent] if is_known else None}


def _told(sentences: Sequence[Sentence], ticks: Ticks) -> Told:
    kept = abridged(sentences)
    patterns = {each: i for i, each in enumerate(dict.fromkeys(each.pattern for each in kept))}
    whats = {each: i for i, each in enumerate(dict.fromkeys(each.what for each in kept))}
    return {
        "patterns": list(patterns),
        "whats": list(whats),
        "news": sorted({patterns[each.pattern] for each in kept if each.is_news}),
        "story": ticks.columns(
            [each.time_s for each in kept],
            says=[patterns[each.pattern] for each in kept],
            agent=[number(each.agent) for each in kept],
            peer=[number(each.peer) for each in kept],
            task=[number(each.task) for each in kept],
            what=[whats[each.what] for each in kept],
        ),
        "amounts": [float(f"{each.amount:.4g}") for each in kept],
        "is_abridged": len(kept) < len(sentences),
    }
