"""What else was measured in the published runs of teams of one to five agents."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from analysis.statistics.law_fits import fit_law
from tests.validation.published import (
    ALL_P,
    CLAIMED,
    DEALT,
    FITTED,
    MANY,
    POOLED,
    QUICK,
    QUICKSTARTS,
    exponent,
    idle_share,
    named,
    over_all_p,
    runs_at,
    share_of_runs,
    speed_up_at,
    tokens_at,
    value_of,
    values_at,
    weighted,
)
from tests.validation.rows import Above, Case, Found, Row, Tolerance, wider

PARTS = 20
SIZES = range(1, 6)
WAYS = {"dealt": DEALT, "claimed": CLAIMED}


def jackknife(of: Any, samples: list[Any]) -> Found:
    """Return a statistic of successful runs with its error, by leaving out each twentieth of them.

    Parameters
    ----------
    of : callable
        Takes samples of runs.
    samples : list of lists
        Runs with the same random numbers stand at the same places.
    """

    def without(part: int | None) -> float:
        return float(
            of([[m for i, m in enumerate(s) if m.success and i % PARTS != part] for s in samples])
        )

    left = np.array([without(part) for part in range(PARTS)])
    error = math.sqrt((PARTS - 1) * left.var())
    return Found(without(None), error * wider(PARTS - 1))


def _seconds(runs: list[Any]) -> float:
    return float(np.mean([m.makespan_s for m in runs]))


def contention(series: str, p: float) -> Found:
    """Return sigma of the USL that is fitted to the speed-ups of teams of one to five."""

    def sigma(samples: list[Any]) -> float:
        seconds = [_seconds(each) for each in samples]
        speed_ups = [seconds[0] / each for each in seconds]
        return fit_law("usl", list(SIZES), speed_ups).estimates["sigma"]

    return jackknife(sigma, [runs_at(series, n, p) for n in SIZES])


def _at_all_p(series: str) -> list[Any]:
    return [runs_at(series, n, p) for p in ALL_P for n in SIZES]


def _over_one(samples: list[Any], what: str) -> list[tuple[int, float]]:
    """Return team size and a metric over the mean of one agent, of runs of two to five."""
    found = []
    for (_, n), runs in zip(itertools.product(ALL_P, SIZES), samples, strict=True):
        values = [value_of(what, m) for m in runs]
        if n == 1:
            alone = float(np.mean(values))
        else:
            found += [(n, value / alone) for value in values]
    return found


def median_speed_up(series: str) -> Found:
    """Return the median over runs of two to five of the mean time of one agent over theirs."""

    def median(samples: list[Any]) -> float:
        return float(np.median([1 / over for _, over in _over_one(samples, "makespan_s")]))

    return jackknife(median, _at_all_p(series))


def rank_correlation(what: str) -> Found:
    """Return that of team size with tokens over one agent's, or with the speed-up, if claimed."""

    def rho(samples: list[Any]) -> float:
        n, over = zip(*_over_one(samples, what), strict=True)
        found = float(spearmanr(n, over).statistic)
        return -found if what == "makespan_s" else found

    return jackknife(rho, _at_all_p(CLAIMED))


def more_when_claimed(what: str) -> Found:
    """Return how much more there is in a run of five agents who claim than if dealt, all runs."""
    both = [values_at(named(what), series, 5, successful=False) for series in (CLAIMED, DEALT)]
    return weighted(np.vstack(both), np.array([1, 1, 1, -1, -1, -1]) / 3)


def writes(n: int) -> Found:
    """Return the concurrent writes of a successful run that claims."""
    return over_all_p(named("concurrent_writes"), CLAIMED, n)


def of_a_run(what: str) -> Found:
    """Return the mean of a metric of successful runs that claim, team sizes and p alike."""
    found = [values_at(named(what), CLAIMED, n) for n in SIZES]
    return weighted(np.vstack(found), np.full(15, 1 / 15))


def _sizes(values: dict[int, float], *args: Any) -> list[Case]:
    return [Case(f"n = {n}", value, (*args, n), slow=True) for n, value in values.items()]


def _of_ways(values: dict[str, dict[int, float]], *args: Any) -> list[Case]:
    return [
        Case(f"{way}, n = {n}", asked, (WAYS[way], *args, n), slow=True)
        for way, of_sizes in values.items()
        for n, asked in of_sizes.items()
    ]


QUARTER = Tolerance(share=0.25)

EXPONENT = Tolerance(absolute=0.1)
WITHIN = Tolerance(absolute=0.07)

ROWS = [
    Row(
        key="edits",
        name="Edits grow more slowly than the team",
        law="35, 62, 91, 114 and 127 edits of files in a run of n = 1..5 who claim, as n^0.8; "
        "dealt 22, 26, 30, 27 and 28, as n^0.15.",
        source=QUICKSTARTS,
        measure=functools.partial(exponent, "attempts"),
        cases=[
            Case(f"exponent, {way}", asked, (WAYS[way],), slow=True)
            for way, asked in (("claimed", 0.8), ("dealt", 0.15))
        ],
        tolerance=EXPONENT,
        not_reached="An attempt at a task writes its file once here. One simulated agent who "
        "claims makes more of them than the real one (85 in a run, all p), and four more add less: "
        "221 for five. Dealt work is hardly ever written twice.",
        thorough=True,
    ),
    Row(
        key="tokens-of-a-reply",
        name="Tokens of a reply to agents who are dealt their tasks",
        law="They fall as n^-0.34, from 5,200 to 3,100 for n = 1..5: each has less to do and to "
        "read.",
        source=QUICKSTARTS,
        measure=functools.partial(exponent, "tokens of a reply"),
        cases=[Case("exponent, dealt", -0.34, (DEALT,), slow=True)],
        tolerance=EXPONENT,
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="tokens-of-a-reply-claimed",
        name="Tokens of a reply to agents who claim",
        law="They are the same in all teams: as n^-0.05.",
        source=QUICKSTARTS,
        measure=functools.partial(exponent, "tokens of a reply"),
        cases=[Case("exponent, claimed", -0.05, (CLAIMED,), slow=True)],
        tolerance=EXPONENT,
        not_reached="Replies of one simulated agent take 15,400 tokens, those of five 12,900: each "
        "makes fewer calls, so that its context grows less. " + FITTED,
        thorough=True,
    ),
    Row(
        key="contention",
        name="Contention of agents who claim",
        law="sigma of the Universal Scalability Law, fitted to the speed-ups of teams of one to "
        "five: 1.05 at p = 0.5, 1.20 at p = 0.2.",
        source=QUICKSTARTS,
        measure=contention,
        cases=[
            Case("claimed, p = 0.5", 1.05, (CLAIMED, 0.5), slow=True),
            Case("claimed, p = 0.2", 1.20, (CLAIMED, 0.2), slow=True),
        ],
        tolerance=QUARTER,
        note="Three models. " + FITTED,
        thorough=True,
    ),
    Row(
        key="contention-others",
        name="Contention of agents who are dealt their tasks",
        law="The same: 0.72 at p = 0.5, and 0.145 at p = 0.9, the last of Claude Sonnet 4.6.",
        source=QUICKSTARTS,
        measure=contention,
        cases=[
            Case("dealt, p = 0.5", 0.72, (DEALT, 0.5), slow=True),
            Case("dealt, p = 0.9", 0.145, (DEALT, 0.9), slow=True),
        ],
        tolerance=QUARTER,
        not_reached="As the speed-ups to which it is fitted: see those of the quickstart.",
        thorough=True,
    ),
    Row(
        key="contention-above-one",
        name="Agents who claim are slower than one",
        law="sigma is 1 and more: turns one after the other, and what teams lose beyond that.",
        source=QUICKSTARTS,
        measure=contention,
        cases=[Case(f"claimed, p = {p}", 1.0, (CLAIMED, p), slow=True) for p in (0.5, 0.2)],
        tolerance=Above(),
        not_reached="Simulated teams that claim gain a little, in the mean. " + FITTED,
        thorough=True,
    ),
    Row(
        key="median-speed-up",
        name="Median speed-up of dealt work",
        law="1.36 over successful runs of two to five agents, three models and all p.",
        source=QUICKSTARTS,
        measure=median_speed_up,
        cases=[Case("dealt", 1.36, (DEALT,), slow=True)],
        tolerance=QUARTER,
        not_reached="One simulated agent is slower than the real one beside its teams. " + POOLED,
        thorough=True,
    ),
    Row(
        key="median-speed-up-claimed",
        name="Median speed-up of claimed work",
        law="The same: 0.88.",
        source=QUICKSTARTS,
        measure=median_speed_up,
        cases=[Case("claimed", 0.88, (CLAIMED,), slow=True)],
        tolerance=QUARTER,
        not_reached="Simulated teams gain a little, see their mean speed-ups. " + FITTED,
        thorough=True,
    ),
    Row(
        key="size-and-speed-up",
        name="Team size and speed-up of claimed work",
        law="Rank correlation of team size with speed-up, -0.07; successful runs of two to five "
        "agents, three models and all p.",
        source=QUICKSTARTS,
        measure=rank_correlation,
        cases=[Case("", -0.07, ("makespan_s",), slow=True)],
        tolerance=EXPONENT,
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="size-and-tokens",
        name="Team size and tokens of claimed work",
        law="The same with tokens over one agent's, 0.40.",
        source=QUICKSTARTS,
        measure=rank_correlation,
        cases=[Case("", 0.40, ("tokens",), slow=True)],
        tolerance=EXPONENT,
        not_reached="Tokens grow more slowly with the team here. " + FITTED,
        thorough=True,
    ),
    Row(
        key="speed-up-all-models",
        name="Speed-up of two agents who claim at p = 0.9, three models",
        law="1.12.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=speed_up_at,
        cases=_of_ways({"claimed": {2: 1.12}}, 0.9),
        tolerance=QUARTER,
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="speed-up-all-models-three",
        name="Speed-up of three agents who are dealt their tasks at p = 0.9, three models",
        law="1.72.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=functools.partial(speed_up_at, times=MANY),
        cases=_of_ways({"dealt": {3: 1.72}}, 0.9),
        tolerance=QUARTER,
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="speed-up-all-models-dealt",
        name="Speed-up of other teams that are dealt their tasks at p = 0.9, three models",
        law="1.17, 1.95 and 1.95 for n = 2, 4 and 5. Claude Sonnet 4.6 alone has 1.80, 2.78 and "
        "3.35, see above.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=functools.partial(speed_up_at, times=MANY),
        cases=_of_ways({"dealt": {2: 1.17, 4: 1.95, 5: 1.95}}, 0.9),
        tolerance=QUARTER,
        not_reached="They are between those of the three models and those published of the one "
        "whose runs were fitted.",
        thorough=True,
    ),
    Row(
        key="speed-up-claimed-five",
        name="Speed-up of five agents of one model who claim",
        law="Claude Sonnet 4.6, p = 0.9: 0.83.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=speed_up_at,
        cases=_of_ways({"claimed": {5: 0.83}}, 0.9),
        tolerance=Tolerance(share=0.15),
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="tokens-at-0.9",
        name="Tokens of agents who claim at p = 0.9",
        law="Over those of one agent: 2.92, 2.79 and 3.88 for n = 3..5, three models.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=functools.partial(tokens_at, times=MANY),
        cases=_of_ways({"claimed": {3: 2.92, 4: 2.79, 5: 3.88}}, 0.9),
        tolerance=QUARTER,
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="tokens-at-0.9-far",
        name="Tokens of dealt work, and of two agents who claim, at p = 0.9",
        law="Over those of one agent: dealt 5.06, 2.43, 2.23 and 3.78 for n = 2..5, claimed 1.34 "
        "for n = 2, three models.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=functools.partial(tokens_at, times=MANY),
        cases=_of_ways({"dealt": {2: 5.06, 3: 2.43, 4: 2.23, 5: 3.78}, "claimed": {2: 1.34}}, 0.9),
        tolerance=QUARTER,
        not_reached="Published means of dealt work are those of three models, of which one has "
        "11.8 for n = 2; the one whose runs were fitted has 1.33 for n = 5. Two agents who claim "
        "take more beside one than the published three do, by a little more than a quarter. "
        + FITTED,
        thorough=True,
    ),
    Row(
        key="tokens-dealt-five",
        name="Tokens of five agents of one model who are dealt their tasks",
        law="Claude Sonnet 4.6, p = 0.9: 1.33 times one agent's.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=functools.partial(tokens_at, times=2 * MANY),
        cases=_of_ways({"dealt": {5: 1.33}}, 0.9),
        tolerance=QUARTER,
        thorough=True,
    ),
    Row(
        key="tokens-claimed-five",
        name="Tokens of five agents of one model who claim",
        law="Claude Sonnet 4.6, p = 0.9: 4.65 times one agent's.",
        source=f"{QUICK}; shipped scenario quickstart",
        measure=tokens_at,
        cases=_of_ways({"claimed": {5: 4.65}}, 0.9),
        tolerance=QUARTER,
        not_reached="Tokens of larger teams grow more slowly here. " + FITTED,
        thorough=True,
    ),
    Row(
        key="extra-when-claimed",
        name="What claiming adds in teams of five",
        law="123.5 replies and 20.5 idle rounds more in a run than where tasks are dealt.",
        source=QUICKSTARTS,
        measure=more_when_claimed,
        cases=[
            Case("replies", 123.5, ("calls",), slow=True),
            Case("idle rounds", 20.5, ("idle_rounds",), slow=True),
        ],
        tolerance=QUARTER,
        not_reached="Replies grow more slowly with the team here, and few of a run's rounds are "
        "idle. " + FITTED,
        thorough=True,
    ),
    Row(
        key="stopped-dealt",
        name="Dealt work that is stopped after 60 rounds",
        law="0.05, 0.04, 0.02, 0.03 and 0.02 of the runs for n = 1..5; three models and all p.",
        source=QUICKSTARTS,
        measure=functools.partial(share_of_runs, "max_rounds"),
        cases=_sizes(dict(enumerate((0.05, 0.04, 0.02, 0.03, 0.02), 1)), DEALT),
        tolerance=WITHIN,
    ),
    Row(
        key="stopped-claimed",
        name="Claimed work that is stopped after 60 rounds",
        law="0.15, 0.16, 0.23, 0.20 and 0.27 of the runs for n = 1..5; three models and all p.",
        source=QUICKSTARTS,
        measure=functools.partial(share_of_runs, "max_rounds"),
        cases=_sizes(dict(enumerate((0.15, 0.16, 0.23, 0.20, 0.27), 1)), CLAIMED),
        tolerance=WITHIN,
        not_reached="See the success of claimed work above: what real teams got stuck in is not in "
        "the fits.",
        thorough=True,
    ),
    Row(
        key="idle-replies-dealt",
        name="Idle replies of agents who are dealt their tasks",
        law="Share of replies that claim, edit, complete and test nothing: 0.01, 0.23 and 0.30 for "
        "n = 1..3; three models, all p.",
        source=QUICKSTARTS,
        measure=idle_share,
        cases=_sizes({1: 0.01, 2: 0.23, 3: 0.30}, DEALT),
        tolerance=WITHIN,
        note=FITTED,
    ),
    Row(
        key="idle-replies-dealt-more",
        name="Idle replies of four and of five agents who are dealt their tasks",
        law="The same: 0.35 and 0.34.",
        source=QUICKSTARTS,
        measure=idle_share,
        cases=_sizes({4: 0.35, 5: 0.34}, DEALT),
        tolerance=WITHIN,
        not_reached="The simulated share is the same from three agents on. " + FITTED,
        thorough=True,
    ),
    Row(
        key="writes",
        name="Concurrent writes in a run that claims",
        law="25.0, 35.1, 36.0 and 34.2 for n = 2..5; Claude Sonnet 4.6, all p.",
        source=QUICKSTARTS,
        measure=writes,
        cases=_sizes({2: 25.0, 3: 35.1, 4: 36.0, 5: 34.2}),
        tolerance=QUARTER,
        note="Calls that attempt again what was blocked write all of its files again, or none, as "
        "replies do. " + FITTED,
        thorough=True,
    ),
    Row(
        key="writes-of-all",
        name="Concurrent writes, all teams",
        law="24.8 in a run, mean of teams of one to five; Claude Sonnet 4.6, all p.",
        source=QUICKSTARTS,
        measure=of_a_run,
        cases=[Case("", 24.8, ("concurrent_writes",), slow=True)],
        tolerance=QUARTER,
        note=FITTED,
        thorough=True,
    ),
    Row(
        key="blocked-and-rewritten",
        name="Claims that are blocked, and files that are written again",
        law="50.4 and 66.8 in a run that claims, mean of teams of one to five; Claude Sonnet 4.6, "
        "all p.",
        source=QUICKSTARTS,
        measure=of_a_run,
        cases=[
            Case("blocked claims", 50.4, ("blocked_claims",), slow=True),
            Case("rewrites", 66.8, ("rewrites",), slow=True),
        ],
        tolerance=QUARTER,
        not_reached="Fitted agents claim what must wait for others again and again: in a run of "
        "five 4 claims are blocked at p = 0.9 and 290 at p = 0.2.",
        thorough=True,
    ),
]
