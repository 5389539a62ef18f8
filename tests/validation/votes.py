"""Answers that are right or wrong: votes, debates, chains and repeated attempts."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import beta, betabinom, binom

from analysis.statistics.repeated import always_right, ever_right
from simulator.engine import Simulation
from simulator.experiment.intervals import Interval
from simulator.model.trace import Event, Trace
from tests.conftest import agent, run, runs, scenario
from tests.validation.laws import plurality
from tests.validation.rows import (
    CHANCE,
    ONE_PERCENT,
    RESOLVES,
    THREE_PERCENT,
    Above,
    Below,
    Case,
    Found,
    Row,
    Tolerance,
    less,
    mean,
    share,
)

TASKS = 10_000


def to_resolve(p: float, near: float = 0.01) -> int:
    """Return how many tasks tell a share p of them from one that is so much more or less."""
    return math.ceil((1 - p) / p * (1.05 * RESOLVES / near) ** 2)


def _by_votes(chance: Callable[..., float], *args: Any, near: float = 0.01) -> tuple[Any, ...]:
    """Return what is asked, and the arguments with the number of tasks after them."""
    asked = chance(*args)
    return asked, (*args, max(4000, to_resolve(asked, near)))


def right(k: int, errors: dict[str, Any], tasks: int = TASKS, **protocol: Any) -> Found:
    """Return the share of tasks that k answers get right together."""
    m = run(
        team__size=min(k, 25),
        team__agent=agent(errors={"detection": 0, **errors}, batch=500),
        workload__tasks=tasks,
        coordination={
            "protocol": {"kind": "replicate_and_vote", "replicas": k, **protocol},
            "idle_agents": "wait",
        },
    )
    assert m.outcome == "completed"
    return share(m.tasks_correct, tasks)


def _beta_binomial(k: int, p: float, rho: float) -> tuple[int, float, float]:
    both = 1 / rho - 1
    return k, p * both, (1 - p) * both


@functools.cache
def votes_of_two_kinds(k: int, alpha: float, easy: float, hard: float) -> Found:
    """Return the share of tasks right if a share alpha of them is easy, by k votes.

    How many are easy is no chance: the error is that of both kinds apart.
    """
    asked, variance = _two_kinds(k, alpha, easy, hard), _within_kinds(k, alpha, easy, hard)
    tasks = math.ceil(variance * (1.05 * RESOLVES / 0.01 / asked) ** 2 / 10) * 10
    difficulty = [-math.log(p / (1 - p)) for p in (easy, hard)]  # of an agent who errs at 0.5
    listed = [{"id": str(i), "difficulty": difficulty[i >= alpha * tasks]} for i in range(tasks)]
    m = run(
        team__size=k,
        team__agent=agent(errors={"detection": 0, "probability": 0.5}, batch=300),
        workload={"kind": "dag", "tasks": listed},
        coordination__protocol={"kind": "replicate_and_vote", "replicas": k},
    )
    return Found(m.tasks_correct / tasks, math.sqrt(variance / tasks))


def _two_kinds(k: int, alpha: float, easy: float, hard: float) -> float:
    return float(alpha * binom.sf(k // 2, k, easy) + (1 - alpha) * binom.sf(k // 2, k, hard))


def _within_kinds(k: int, alpha: float, easy: float, hard: float) -> float:
    of_kinds = [binom.sf(k // 2, k, p) for p in (easy, hard)]
    return float(sum(w * f * (1 - f) for w, f in zip((alpha, 1 - alpha), of_kinds, strict=True)))


def better_by_votes(k: int, other: int) -> Found:
    """Return how much more k votes get right than another number, of easy and hard tasks."""
    one, two = (votes_of_two_kinds(each, *EASY_AND_HARD[0]) for each in (k, other))
    return less(one, two)


EASY_AND_HARD = ((0.6, 0.85, 0.4), (0.5, 0.9, 0.2))
"""Share of easy tasks, and the chances to get an easy and a hard one right."""


def expert_and_others(vote: str) -> Found:
    """Return the share right of one agent who errs at 0.1 and two who err at 0.4."""

    def group(size: int, e: float) -> dict[str, Any]:
        return {"size": size, "agent": agent(errors={"detection": 0, "probability": e}, batch=500)}

    m = run(
        team={"groups": {"expert": group(1, 0.1), "others": group(2, 0.4)}},
        workload__tasks=2 * TASKS,
        coordination__protocol={"kind": "replicate_and_vote", "replicas": 3, "vote": vote},
    )
    return share(m.tasks_correct, 2 * TASKS)


def opinions(rounds: int, tasks: int = 4000, **protocol: Any) -> Found:
    """Return the share of right opinions after a debate of five who begin with 0.6."""
    m = run(
        team__size=5,
        team__agent=agent(errors={"detection": 0, "probability": 0.4}, batch=100),
        workload__tasks=tasks,
        coordination={
            "protocol": {"kind": "debate", "rounds": rounds, "decision": "random", **protocol},
            "idle_agents": "wait",
        },
    )
    return share(m.tasks_correct, tasks)


def nearer_to_consensus(few: int, many: int) -> Found:
    """Return how much less often the majority is right after many rounds with peers than few.

    The share of right opinions stays the same in the mean; the majority of five is right more often
    than one of them as long as they differ.
    """
    short, long = (
        opinions(rounds, influence="peer", conformity=0.5, decision="majority")
        for rounds in (few, many)
    )
    return less(short, long)


def gain_by_the_majority() -> Found:
    """Return what three rounds of following the majority add to 0.6."""
    each = opinions(3, influence="majority", conformity=0.7)
    return Found(each.value - 0.6, each.error)


def quality_of_compromise(groups: dict[str, tuple[int, float]]) -> Found:
    """Return the share right after a round in which agents follow the majority."""
    m = run(
        team={
            "groups": {
                name: {
                    "size": size,
                    "agent": agent(errors={"detection": 0, "probability": e}, batch=500),
                }
                for name, (size, e) in groups.items()
            }
        },
        workload__tasks=3000,
        coordination__protocol={
            "kind": "debate",
            "rounds": 1,
            "influence": "majority",
            "conformity": 0.8,
        },
    )
    return share(m.tasks_correct, 3000)


def lost_to_novices(few: int, many: int) -> Found:
    """Return how much more of an expert's quality many novices cost than few."""
    small, large = (
        quality_of_compromise({"expert": (1, 0.05), "novices": (n, 0.6)}) for n in (few, many)
    )
    return less(small, large)


def damage_by_an_adversary(few: int, many: int) -> Found:
    """Return how much more damage an adversary does among few than among many."""

    def damage(n: int) -> Found:
        good = quality_of_compromise({"all": (n + 1, 0.3)})
        return less(good, quality_of_compromise({"adversary": (1, 1.0), "others": (n, 0.3)}))

    return less(damage(few), damage(many))


@functools.cache
def chains(p: float, steps: int, detection: float, times: int) -> np.ndarray[Any, Any]:
    """Return how many steps of each chain are right, until the first that is not."""
    found = runs(
        times,
        team__agent=agent(errors={"probability": 1 - p, "detection": detection}, batch=steps),
        workload={"kind": "parallel_fraction", "tasks": steps, "parallel_fraction": 0},
    )
    return np.array([m.tasks_correct for m in found])


CHAINS = {0.95: (20, 4800), 0.9: (11, 1600), 0.99: (92, 420), 0.8: (8, 3200)}
"""How many steps chains have, and how many there are, by the chance that a step is right."""


def chain_right(p: float, steps: int) -> Found:
    """Return the share of chains whose first steps are all right."""
    found = chains(p, CHAINS[p][0], 0.0, CHAINS[p][1])
    return share(int((found >= steps).sum()), len(found))


def verified_chain_right(p: float, steps: int, detection: float) -> Found:
    """Return the share of chains that are right to the end, where a share of faults is found."""
    found = chains(p, steps, detection, 2000)
    return share(int((found == steps).sum()), len(found))


def horizon(p: float) -> Found:
    """Return after how many steps half of the chains are right, between two by their logarithms.

    The error is that of the share that is right then.
    """
    longest, times = CHAINS[p]
    found = chains(p, longest, 0.0, times)
    logarithms = np.log([(found >= t).mean() for t in range(longest + 1)])
    after = int(np.argmax(logarithms < math.log(0.5)))
    before, below = logarithms[after - 1 : after + 1]
    value = after - (math.log(0.5) - below) / (before - below)
    return Found(float(value), float(-after / below / math.sqrt(times)))


def attempts_of_a_step(p: float, detection: float) -> Found:
    """Return the attempts at each step if faults that are found are tried again."""
    found = runs(
        500,
        team__agent=agent(errors={"probability": 1 - p, "detection": detection}),
        workload={"kind": "parallel_fraction", "tasks": 10, "parallel_fraction": 0},
    )
    return mean(m.attempts / 10 for m in found)


def _step(p: float, d: float) -> float:
    return p / (p + (1 - p) * (1 - d))


@functools.cache
def repeated(p: float, rho: float, tasks: int, attempts: int) -> np.ndarray[Any, Any]:
    """Attempt tasks in so many replications; return which were right, shape (tasks, attempts).

    Difficulties are written into the tasks, so that they are the same in every replication:
    beta-distributed chances of mean p and correlation rho, at evenly spaced quantiles.
    """
    chances = np.full(tasks, p)
    if rho:
        both = 1 / rho - 1
        chances = beta.ppf((np.arange(tasks) + 0.5) / tasks, p * both, (1 - p) * both)
    chances = np.clip(chances, 1e-9, 1 - 1e-9)
    listed = [
        {"id": str(i), "difficulty": float(-np.log(chance / (1 - chance)))}
        for i, chance in enumerate(chances)
    ]
    simulation = Simulation(
        scenario(
            team__agent=agent(errors={"detection": 0, "probability": 0.5}, batch=500),
            workload={"kind": "dag", "tasks": listed},
        )
    )
    right = np.zeros((tasks, attempts), dtype=int)
    for replication in range(attempts):
        trace = Trace()
        simulation.run(replication, trace)
        for row in trace.rows:
            if row.event is Event.ATTEMPT and row.outcome == "done":
                right[row.task, replication] = 1
    return right


Of_K = Callable[[np.ndarray[Any, Any], int, int], Interval]


def of_k(which: Of_K, k: int, p: float, rho: float, tasks: int, attempts: int) -> Found:
    """Return the share of tasks right in all of k attempts, or in one of them.

    Difficulties do not vary, attempts do: the error is a jackknife's over attempts.
    """
    outcomes = repeated(p, rho, tasks, attempts)
    right = outcomes.sum(axis=1)
    left = [which(right - each, attempts - 1, k).estimate for each in outcomes.T]
    error = math.sqrt((attempts - 1) * np.var(left))
    return Found(which(right, attempts, k).estimate, error)


def _moment(k: int, p: float, rho: float) -> float:
    """Return E[p^k] of a beta law."""
    return float(betabinom.pmf(k, *_beta_binomial(k, p, rho)))


@functools.cache
def steps_until_a_fault(sigma: float) -> np.ndarray[Any, Any]:
    """Return how many steps of a chain of 60 are right, of steps that fail with 0.02.

    The tasks differ in difficulty, from run to run, by a normal law of logits.
    """
    errors = {"detection": 0, "probability": {"probability": 0.02, "run_sigma": sigma}}
    found = runs(
        1500 if sigma else 6000,
        team__agent=agent(errors=errors, batch=60),
        workload={"kind": "parallel_fraction", "tasks": 60, "parallel_fraction": 0},
    )
    return np.array([m.tasks_correct for m in found])


def shape_of_survival(sigma: float) -> Found:
    """Return the Weibull shape of P(the first t steps are right), from t = 6 and 48.

    The error is that of 400 bootstrap samples.
    """
    steps = steps_until_a_fault(sigma)
    samples = np.random.default_rng(1).choice(steps, size=(400, len(steps)))

    def shape(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        hazards = [-np.log(np.mean(values >= t, axis=-1)) for t in (6, 48)]
        return np.asarray(np.log(hazards[1] / hazards[0]) / np.log(8))

    return Found(float(shape(steps)), float(shape(samples).std()))


def survives(steps: int) -> Found:
    """Return the share of chains whose first steps are right."""
    found = steps_until_a_fault(0.0)
    return share(int((found >= steps).sum()), len(found))


TWO_PERCENT = Tolerance(share=0.02, z=4.0)
FIVE_PERCENT = Tolerance(share=0.05, z=4.0)


def _majority(k: int, p: float) -> float:
    return float(binom.sf(k // 2, k, p))


def _correlated(k: int, rho: float) -> float:
    return float(betabinom.sf(k // 2, *_beta_binomial(k, 0.7, rho)))


def _plurality(k: int, wrong: int) -> float:
    return plurality(k, 0.4, wrong)


def _covered(k: int, p: float, rho: float) -> float:
    return float(1 - betabinom.pmf(0, *_beta_binomial(k, p, rho))) if rho else 1 - (1 - p) ** k


LOG_COVERAGE = math.log(math.log(0.56) / math.log(0.159)) / math.log(250)
"""Exponent of k in the logarithm of coverage."""

ROWS = [
    Row(
        key="majority",
        name="Majority of independent votes",
        law="Binomial tail, P(more than half of k are right).",
        source="Condorcet 1785",
        measure=lambda k, p, tasks: right(k, {"probability": 1 - p}, tasks),
        cases=[
            Case(f"k = {k}, p = {p}", *_by_votes(_majority, k, p), slow=k > 3)
            for p in (0.6, 0.7)
            for k in (1, 3, 5, 9, 15, 21)
        ],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="correlated-votes",
        name="Majority of correlated votes",
        law="Beta-binomial tail; p = 0.7.",
        source="Ladha 1992; arXiv 2506.07962 for language models",
        measure=lambda k, rho, tasks: right(
            k, {"probability": 0.3, "difficulty_correlation": rho}, tasks
        ),
        cases=[
            Case(f"k = {k}, rho = {rho}", *_by_votes(_correlated, k, rho, near=0.02), slow=k > 3)
            for rho, sizes in ((0.2, (3, 5, 9, 21)), (0.4, (3, 5, 9)))
            for k in sizes
        ],
        tolerance=TWO_PERCENT,
        note="1 % would take four times as many tasks.",
    ),
    Row(
        key="many-correlated-votes",
        name="Where more votes stop helping",
        law="The share of tasks that more than half of all answers get right, P(Beta > 1/2): 0.818 "
        "for rho = 0.2, 0.746 for 0.4.",
        source="Ladha 1992",
        measure=lambda rho: right(101, {"probability": 0.3, "difficulty_correlation": rho}, 3000),
        cases=[
            Case(f"101 votes, rho = {rho}", limit, (rho,), slow=True)
            for rho, limit in ((0.2, 0.818), (0.4, 0.746))
        ],
        tolerance=THREE_PERCENT,
        note="For 1 %, five times as many tasks would have to be voted on.",
    ),
    Row(
        key="common-mode",
        name="Votes that fail together",
        law="Gain nothing: p.",
        source="identity",
        measure=lambda tasks: right(5, {"probability": 0.3, "common_mode": 1.0}, tasks),
        cases=[Case("p = 0.7, k = 5", 0.7, (to_resolve(0.7),), slow=True)],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="plurality",
        name="Plurality among wrong answers",
        law="The most frequent of k answers, ties drawn by lot; p = 0.4 and m wrong answers.",
        source="List and Goodin 2001",
        measure=lambda k, m, tasks: right(
            k, {"probability": 0.6, "wrong_answers": {"options": m, "shared": 0.0}}, tasks
        ),
        cases=[
            Case(f"m = {m}, k = {k}", *_by_votes(_plurality, k, m, near=0.02), slow=k > 3)
            for m, sizes in ((3, (3, 5, 9, 15, 40)), (9, (3, 5, 9, 15)))
            for k in sizes
        ],
        tolerance=TWO_PERCENT,
        note="1 % would take four times as many tasks, some 60,000 of three votes.",
    ),
    Row(
        key="easy-and-hard",
        name="Votes on easy and hard tasks",
        law="alpha I(p1) + (1 - alpha) I(p2), which rises and falls with k.",
        source="arXiv 2403.02419",
        measure=votes_of_two_kinds,
        cases=[
            Case(f"alpha, p1, p2 = {it}, k = {k}", _two_kinds(k, *it), (k, *it), slow=True)
            for it, sizes in zip(EASY_AND_HARD, ((1, 5, 21), (1, 9)), strict=True)
            for k in sizes
        ],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="some-votes-are-best",
        name="Some votes are better than one and than many",
        law="Five votes on the first of these mixtures get 0.711 right, one 0.670 and 21 as many; "
        "differences.",
        source="arXiv 2403.02419",
        measure=better_by_votes,
        cases=[Case(f"5 and {k} votes", 0, (5, k), slow=True) for k in (1, 21)],
        tolerance=Above(),
        note="That five are the best number, 0.007 above three and 0.002 above seven, would take "
        "some million tasks to resolve.",
    ),
    Row(
        key="weighted-vote",
        name="Votes weighted by log odds",
        law="One at 0.9 decides against two at 0.6: 0.9; the majority has 0.9 (1 - 0.4^2) + 0.1 "
        "0.6^2.",
        source="Nitzan and Paroush 1982",
        measure=expert_and_others,
        cases=[
            Case("majority", 0.9 * (1 - 0.4**2) + 0.1 * 0.6**2, ("majority",)),
            Case("weighted", 0.9, ("weighted",)),
        ],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="coverage",
        name="Any of k attempts is right",
        law="1 - E[(1 - p)^k]: 1 - (1 - p)^k if tasks are alike, beta-binomial if they are not.",
        source="arXiv 2407.21787",
        measure=lambda k, p, rho, tasks: right(
            k, {"probability": 1 - p, "difficulty_correlation": rho}, tasks, vote="best_of"
        ),
        cases=[
            Case("k = 4, p = 0.3, alike", *_by_votes(_covered, 4, 0.3, 0.0, near=0.02), slow=True),
            Case(
                "k = 8, p = 0.3, rho = 0.4", *_by_votes(_covered, 8, 0.3, 0.4, near=0.02), slow=True
            ),
        ],
        tolerance=TWO_PERCENT,
        note="1 % would take four times as many tasks.",
    ),
    Row(
        key="imperfect-verifier",
        name="A verifier that errs",
        law="Two answers, false positives f: p^2 + 2 p (1 - p) (1 - f / 2); a judge who misses m: "
        "p^2 + 2 p (1 - p) (1 - m).",
        source="counting",
        measure=lambda p, vote, miss, tasks: right(
            2, {"probability": 1 - p}, tasks, vote=vote, miss=miss
        ),
        cases=[
            Case(
                "best of two, p = 0.4, f = 0.5",
                0.52,
                (0.4, "best_of", 0.5, to_resolve(0.52, 0.02)),
                True,
            ),
            Case(
                "judge, p = 0.5, m = 0.25",
                0.625,
                (0.5, "judge", 0.25, to_resolve(0.625, 0.02)),
                True,
            ),
        ],
        tolerance=TWO_PERCENT,
        note="1 % would take four times as many tasks.",
    ),
    Row(
        key="debate",
        name="Debate is a martingale",
        law="If agents follow a random peer the share of right opinions stays at 0.6.",
        source="arXiv 2508.17536",
        measure=lambda rounds, order: opinions(
            rounds, to_resolve(0.6, 0.02), influence="peer", conformity=0.5, order=order
        ),
        cases=[
            Case(f"{rounds} rounds, {order}", 0.6, (rounds, order), slow=True)
            for rounds in (1, 4)
            for order in ("simultaneous", "sequential")
        ],
        tolerance=TWO_PERCENT,
        note="1 % is asked, which would take 40,000 debates to resolve.",
    ),
    Row(
        key="debate-consensus",
        name="Debate ends in a consensus",
        law="The variance of the shares grows: five who follow a random peer come to agree, so "
        "that their majority is right no more often than one of them. How much more it is right at "
        "first.",
        source="arXiv 2508.17536",
        measure=nearer_to_consensus,
        cases=[Case("0 and 4 rounds", 0, (0, 4), slow=True)],
        tolerance=Above(),
    ),
    Row(
        key="debate-corrects",
        name="Debate that corrects",
        law="If wrong opinions are put right with probability 1/4: 0.6 + 0.4 / 4.",
        source="arXiv 2508.17536",
        measure=lambda: opinions(1, to_resolve(0.7, 0.02), influence="peer", correction=0.25),
        cases=[Case("", 0.7, slow=True)],
        tolerance=TWO_PERCENT,
        note="1 % would take four times as many debates.",
    ),
    Row(
        key="debate-majority",
        name="Debate that follows the majority",
        law="Helps if more than half are right: above 0.6.",
        source="arXiv 2508.17536",
        measure=gain_by_the_majority,
        cases=[Case("more than 0.6", 0, slow=True)],
        tolerance=Above(),
    ),
    Row(
        key="expert-held-back",
        name="Compromise holds an expert back",
        law="The loss against the best member grows with the team; difference of two sizes.",
        source="arXiv 2602.01011",
        measure=lost_to_novices,
        cases=[Case(f"{a} and {b} novices", 0, (a, b), slow=True) for a, b in ((2, 4), (4, 8))],
        tolerance=Above(),
    ),
    Row(
        key="adversary-outvoted",
        name="Compromise protects against an adversary",
        law="The damage of one falls with the team; difference of two sizes.",
        source="arXiv 2602.01011",
        measure=damage_by_an_adversary,
        cases=[Case(f"{a} and {b} others", 0, (a, b), slow=True) for a, b in ((2, 8),)],
        tolerance=Above(),
    ),
    Row(
        key="chain",
        name="Errors compound along a chain",
        law="p^n; .95^10 = .599, .95^20 = .358.",
        source="independence; arXiv 2509.09677",
        measure=chain_right,
        cases=[
            Case(f"p = {p}, n = {n}", p**n, (p, n), True, Tolerance(share=near, z=4))
            for p, n, near in ((0.95, 10, 0.03), (0.95, 20, 0.05), (0.8, 8, 0.1))
        ],
        note="The smaller the share, the more chains it takes: 1 % of 0.168 some 340,000.",
        thorough=True,
    ),
    Row(
        key="horizon",
        name="How far chains go",
        law="Half of them are right after ln 0.5 / ln p steps: 6.6, 13.5 and 69.",
        source="Sinha et al. 2025, arXiv 2509.09677",
        measure=horizon,
        cases=[
            Case(f"p = {p}", math.log(0.5) / math.log(p), (p,), True, Tolerance(share=near, z=4))
            for p, near in ((0.9, 0.1), (0.95, 0.1), (0.99, 0.2))
        ],
        note="1,600 chains resolve 10 %, 420 resolve 20 %; p = 0.999, with 693 steps, would take "
        "ten times as long as the last. That models err more once they have erred is not modelled.",
    ),
    Row(
        key="verified-chain",
        name="A chain that is verified",
        law="Each step p / (p + (1 - p) (1 - d)) if a share d of faults is found and done again.",
        source="geometric distribution",
        measure=verified_chain_right,
        cases=[Case("p = 0.9, d = 0.8, n = 10", _step(0.9, 0.8) ** 10, (0.9, 10, 0.8), slow=True)],
        tolerance=CHANCE,
    ),
    Row(
        key="verified-attempts",
        name="Attempts at verified steps",
        law="1 / (p + (1 - p) (1 - d)) for each.",
        source="geometric distribution",
        measure=attempts_of_a_step,
        cases=[Case("p = 0.9, d = 0.8", 1 / (0.9 + 0.1 * 0.2), (0.9, 0.8))],
        tolerance=ONE_PERCENT,
    ),
    Row(
        key="always-right",
        name="All of k attempts are right",
        law="pass^k: E[p^k] over tasks; p^k if they are alike. GPT-4o on tasks of airlines: 0.42 "
        "and, for k = 4, 0.20, which is a beta law with a correlation of 0.48, where independence "
        "has 0.03.",
        source="Yao et al. 2024 (tau-bench, arXiv 2406.12045)",
        measure=lambda k, rho: of_k(always_right, k, 0.42, rho, 400, 120),
        cases=[
            *(
                Case(f"k = {k}, rho = 0.48", _moment(k, 0.42, 0.48), (k, 0.48), slow=True)
                for k in (1, 2, 4)
            ),
            Case("k = 8, rho = 0.48", _moment(8, 0.42, 0.48), (8, 0.48), True, FIVE_PERCENT),
            Case("k = 4, tasks alike", 0.42**4, (4, 0.0), True, Tolerance(share=0.1, z=4)),
        ],
        tolerance=THREE_PERCENT,
        note="Difficulties are part of the scenario, as a list or as `difficulty_correlation`. The "
        "larger k, the more attempts it takes: 120 resolve 3 % up to four.",
    ),
    Row(
        key="ever-right",
        name="One of very many attempts is right",
        law="Coverage exp(a k^b) through 15.9 % for one attempt and 56 % for 250, by a beta law of "
        "difficulty with the first mean and a correlation of 0.57.",
        source="Brown et al. 2024 (Large Language Monkeys, arXiv 2407.21787), SWE-bench Lite",
        measure=lambda k: of_k(ever_right, k, 0.159, 0.57, 300, 1000),
        cases=[
            Case(f"k = {k}", math.exp(math.log(0.159) * k**LOG_COVERAGE), (k,), slow=True)
            for k in (1, 10, 50, 250)
        ],
        tolerance=Tolerance(absolute=0.035),
        note="The beta law is not a power law exactly: it is 0.03 above in the middle. So 0.035 is "
        "allowed, where the row after holds the simulator to the beta law itself.",
        thorough=True,
    ),
    Row(
        key="ever-right-beta",
        name="One of very many attempts is right, by the beta law",
        law="1 - E[(1 - p)^k] of a beta law with a mean of 0.159 and a correlation of 0.57.",
        source="beta-binomial distribution; Brown et al. 2024",
        measure=lambda k: of_k(ever_right, k, 0.159, 0.57, 300, 1000),
        cases=[
            Case(
                f"k = {k}",
                float(1 - betabinom.pmf(0, *_beta_binomial(k, 0.159, 0.57))),
                (k,),
                slow=True,
                tolerance=ONE_PERCENT if k <= 10 else THREE_PERCENT,
            )
            for k in (1, 10, 50, 250)
        ],
        tolerance=THREE_PERCENT,
        note="1 % is asked, and of up to ten attempts held; of 250 it would take some ten thousand "
        "to resolve, and 3 % is held.",
        thorough=True,
    ),
    Row(
        key="half-life",
        name="Success falls by a half-life",
        law="S(t) = 2^(-t / T50) if all steps fail alike, 0.98^t here: of the half-life T50 = 34, "
        "T80 is 0.322 and T90 is 0.152.",
        source="Ord 2025, arXiv 2505.05115",
        measure=survives,
        cases=[
            Case(f"{t} steps", 0.98**t, (t,), slow=True, thorough=t < 40) for t in (5, 11, 34, 48)
        ],
        tolerance=FIVE_PERCENT,
        thorough=True,
    ),
    Row(
        key="constant-hazard",
        name="Constant hazard of steps that are alike",
        law="Weibull shape of survival: 1.",
        source="Ord 2025, arXiv 2505.05115",
        measure=shape_of_survival,
        cases=[Case("", 1.0, (0.0,), slow=True)],
        tolerance=Tolerance(absolute=0.06, z=4),
        thorough=True,
    ),
    Row(
        key="falling-hazard",
        name="Falling hazard where tasks differ",
        law="A mixture of hazards has a shape below 1; 0.6 to 0.9 was seen for models.",
        source="Ord 2025, arXiv 2505.05115; Proschan 1963",
        measure=shape_of_survival,
        cases=[Case("logits with a standard deviation of 1.5", 1.0, (1.5,), slow=True)],
        tolerance=Below(),
        thorough=True,
    ),
]
