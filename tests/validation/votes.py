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
from tests.validation.rows import (
    CHANCE,
    ONE_PERCENT,
    THREE_PERCENT,
    Above,
    Below,
    Case,
    Found,
    Row,
    Tolerance,
    mean,
    share,
)

TASKS = 10_000


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


def votes_of_two_kinds(k: int, alpha: float, easy: float, hard: float) -> Found:
    """Return the share of tasks right if a share alpha of them is easy, by k votes."""
    tasks = 6000
    difficulty = [-math.log(p / (1 - p)) for p in (easy, hard)]  # of an agent who errs at 0.5
    listed = [{"id": str(i), "difficulty": difficulty[i >= alpha * tasks]} for i in range(tasks)]
    m = run(
        team__size=k,
        team__agent=agent(errors={"detection": 0, "probability": 0.5}, batch=300),
        workload={"kind": "dag", "tasks": listed},
        coordination__protocol={"kind": "replicate_and_vote", "replicas": k},
    )
    return share(m.tasks_correct, tasks)


def _two_kinds(k: int, alpha: float, easy: float, hard: float) -> float:
    return float(alpha * binom.sf(k // 2, k, easy) + (1 - alpha) * binom.sf(k // 2, k, hard))


def expert_and_others(vote: str) -> Found:
    """Return the share right of one agent who errs at 0.1 and two who err at 0.4."""

    def group(size: int, e: float) -> dict[str, Any]:
        return {"size": size, "agent": agent(errors={"detection": 0, "probability": e}, batch=500)}

    m = run(
        team={"groups": {"expert": group(1, 0.1), "others": group(2, 0.4)}},
        workload__tasks=TASKS,
        coordination__protocol={"kind": "replicate_and_vote", "replicas": 3, "vote": vote},
    )
    return share(m.tasks_correct, TASKS)


def opinions(rounds: int, **protocol: Any) -> Found:
    """Return the share of right opinions after a debate of five who begin with 0.6."""
    m = run(
        team__size=5,
        team__agent=agent(errors={"detection": 0, "probability": 0.4}, batch=100),
        workload__tasks=4000,
        coordination={
            "protocol": {"kind": "debate", "rounds": rounds, "decision": "random", **protocol},
            "idle_agents": "wait",
        },
    )
    return share(m.tasks_correct, 4000)


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
    less, more = (
        quality_of_compromise({"expert": (1, 0.05), "novices": (n, 0.6)}) for n in (few, many)
    )
    return Found(less.value - more.value, math.hypot(less.error, more.error))


def damage_by_an_adversary(few: int, many: int) -> Found:
    """Return how much more damage an adversary does among few than among many."""

    def damage(n: int) -> tuple[float, float]:
        good = quality_of_compromise({"all": (n + 1, 0.3)})
        bad = quality_of_compromise({"adversary": (1, 1.0), "others": (n, 0.3)})
        return good.value - bad.value, math.hypot(good.error, bad.error)

    (one, one_error), (other, other_error) = damage(few), damage(many)
    return Found(one - other, math.hypot(one_error, other_error))


def chain_right(p: float, steps: int, detection: float, times: int) -> Found:
    """Return the share of chains of so many steps that are right to the end."""
    found = runs(
        times,
        team__agent=agent(errors={"probability": 1 - p, "detection": detection}),
        workload={"kind": "parallel_fraction", "tasks": steps, "parallel_fraction": 0},
    )
    return share(sum(m.tasks_correct == steps for m in found), times)


def attempts_of_a_step(p: float, detection: float) -> Found:
    """Return the attempts at each step if faults that are found are tried again."""
    found = runs(
        300,
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


LOG_COVERAGE = math.log(math.log(0.56) / math.log(0.159)) / math.log(250)
"""Exponent of k in the logarithm of coverage."""
BETA = {"probability": 0.3, "difficulty_correlation": 0.2}

ROWS = [
    Row(
        key="majority",
        name="Majority of independent votes",
        law="Binomial tail, P(more than half of k are right).",
        source="Condorcet 1785",
        measure=lambda k, p: right(k, {"probability": 1 - p}),
        cases=[
            Case(f"k = {k}, p = {p}", float(binom.sf(k // 2, k, p)), (k, p), slow=k > 3)
            for p in (0.6, 0.7)
            for k in (1, 3, 5, 9, 21)
        ],
        tolerance=Tolerance(absolute=0.015, z=4),
    ),
    Row(
        key="correlated-votes",
        name="Majority of correlated votes",
        law="Beta-binomial tail; p = 0.7.",
        source="Ladha 1992; arXiv 2506.07962 for language models",
        measure=lambda k, rho: right(k, {"probability": 0.3, "difficulty_correlation": rho}),
        cases=[
            Case(
                f"k = {k}, rho = {rho}",
                float(betabinom.sf(k // 2, *_beta_binomial(k, 0.7, rho))),
                (k, rho),
                slow=k > 3,
            )
            for rho in (0.2, 0.4)
            for k in (3, 5, 9)
        ],
        tolerance=Tolerance(absolute=0.015, z=4),
    ),
    Row(
        key="many-correlated-votes",
        name="Where more votes stop helping",
        law="The share of tasks that more than half of all answers get right, P(Beta > 1/2) = "
        "0.818; rho = 0.2.",
        source="Ladha 1992",
        measure=lambda: right(101, BETA, 3000),
        cases=[Case("101 votes", 0.818, slow=True)],
        tolerance=Tolerance(absolute=0.02, z=4),
    ),
    Row(
        key="common-mode",
        name="Votes that fail together",
        law="Gain nothing: p.",
        source="identity",
        measure=lambda: right(5, {"probability": 0.3, "common_mode": 1.0}),
        cases=[Case("p = 0.7, k = 5", 0.7)],
        tolerance=Tolerance(absolute=0.015, z=4),
    ),
    Row(
        key="plurality",
        name="Plurality among wrong answers",
        law="p = 0.4 and m wrong answers; by enumeration.",
        source="List and Goodin 2001",
        measure=lambda k, m: right(
            k, {"probability": 0.6, "wrong_answers": {"options": m, "shared": 0.0}}
        ),
        cases=[
            Case(f"m = {m}, k = {k}", p, (k, m), slow=k > 3)
            for m, k, p in ((3, 3, 0.45), (3, 5, 0.51), (3, 9, 0.60), (9, 5, 0.63), (9, 9, 0.79))
        ],
        tolerance=Tolerance(absolute=0.02, z=None),
    ),
    Row(
        key="easy-and-hard",
        name="Votes on easy and hard tasks",
        law="alpha I(p1) + (1 - alpha) I(p2), which rises and falls with k.",
        source="arXiv 2403.02419",
        measure=votes_of_two_kinds,
        cases=[
            Case(f"alpha, p1, p2 = {it}, k = {k}", _two_kinds(k, *it), (k, *it), slow=True)
            for it, sizes in (((0.6, 0.85, 0.4), (1, 5, 21)), ((0.5, 0.9, 0.2), (1, 9)))
            for k in sizes
        ],
        tolerance=Tolerance(absolute=0.02, z=4),
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
        tolerance=Tolerance(absolute=0.015, z=4),
    ),
    Row(
        key="coverage",
        name="Any of k attempts is right",
        law="1 - E[(1 - p)^k]: 1 - (1 - p)^k if tasks are alike, beta-binomial if they are not.",
        source="arXiv 2407.21787",
        measure=lambda k, p, rho: right(
            k, {"probability": 1 - p, "difficulty_correlation": rho}, vote="best_of"
        ),
        cases=[
            Case("k = 4, p = 0.3, alike", 1 - 0.7**4, (4, 0.3, 0.0)),
            Case(
                "k = 8, p = 0.3, rho = 0.4",
                float(1 - betabinom.pmf(0, *_beta_binomial(8, 0.3, 0.4))),
                (8, 0.3, 0.4),
                slow=True,
            ),
        ],
        tolerance=Tolerance(absolute=0.015, z=4),
    ),
    Row(
        key="imperfect-verifier",
        name="A verifier that errs",
        law="Two answers, false positives f: p^2 + 2 p (1 - p) (1 - f / 2); a judge who misses m: "
        "p^2 + 2 p (1 - p) (1 - m).",
        source="counting",
        measure=lambda p, vote, miss: right(2, {"probability": 1 - p}, vote=vote, miss=miss),
        cases=[
            Case("best of two, p = 0.4, f = 0.5", 0.4**2 + 0.48 * 0.75, (0.4, "best_of", 0.5)),
            Case("judge, p = 0.5, m = 0.25", 0.25 + 0.5 * 0.75, (0.5, "judge", 0.25)),
        ],
        tolerance=Tolerance(absolute=0.015, z=4),
    ),
    Row(
        key="debate",
        name="Debate is a martingale",
        law="If agents follow a random peer the share of right opinions stays at 0.6.",
        source="arXiv 2508.17536",
        measure=lambda rounds, order: opinions(
            rounds, influence="peer", conformity=0.5, order=order
        ),
        cases=[
            Case(f"{rounds} rounds, {order}", 0.6, (rounds, order), slow=True)
            for rounds in (1, 4)
            for order in ("simultaneous", "sequential")
        ],
        tolerance=Tolerance(absolute=0.02, z=4),
    ),
    Row(
        key="debate-corrects",
        name="Debate that corrects",
        law="If wrong opinions are put right with probability 1/4: 0.6 + 0.4 / 4.",
        source="arXiv 2508.17536",
        measure=lambda: opinions(1, influence="peer", correction=0.25),
        cases=[Case("", 0.7, slow=True)],
        tolerance=Tolerance(absolute=0.02, z=4),
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
        measure=lambda p, n: chain_right(p, n, 0.0, 2000),
        cases=[
            Case(f"p = {p}, n = {n}", p**n, (p, n), slow=True)
            for p, n in ((0.95, 10), (0.95, 20), (0.8, 8))
        ],
        tolerance=CHANCE,
    ),
    Row(
        key="verified-chain",
        name="A chain that is verified",
        law="Each step p / (p + (1 - p) (1 - d)) if a share d of faults is found and done again.",
        source="geometric distribution",
        measure=lambda p, n, d: chain_right(p, n, d, 2000),
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
        tolerance=Tolerance(share=0.02, z=4),
    ),
    Row(
        key="always-right",
        name="All of k attempts are right",
        law="pass^k: E[p^k] over tasks; p^k if they are alike. GPT-4o on tasks of airlines: 0.42 "
        "and, for k = 4, 0.20, which is a beta law with a correlation of 0.48, where independence "
        "has 0.03.",
        source="Yao et al. 2024 (tau-bench, arXiv 2406.12045)",
        measure=lambda k, rho: of_k(always_right, k, 0.42, rho, 400, 40),
        cases=[
            *(
                Case(f"k = {k}, rho = 0.48", _moment(k, 0.42, 0.48), (k, 0.48))
                for k in (1, 2, 4, 8)
            ),
            Case("k = 4, tasks alike", 0.42**4, (4, 0.0)),
        ],
        tolerance=Tolerance(absolute=0.015, z=4),
        note="Difficulties are part of the scenario, as a list or as `difficulty_correlation`.",
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
    ),
    Row(
        key="half-life",
        name="Success falls by a half-life",
        law="S(t) = 2^(-t / T50) if all steps fail alike: T80 = 0.322 T50, and 0.98^t here.",
        source="Ord 2025, arXiv 2505.05115",
        measure=survives,
        cases=[Case(f"{t} steps", 0.98**t, (t,), slow=True) for t in (11, 34, 48)],
        tolerance=CHANCE,
    ),
    Row(
        key="constant-hazard",
        name="Constant hazard of steps that are alike",
        law="Weibull shape of survival: 1.",
        source="Ord 2025, arXiv 2505.05115",
        measure=shape_of_survival,
        cases=[Case("", 1.0, (0.0,), slow=True)],
        tolerance=Tolerance(absolute=0.06, z=4),
    ),
    Row(
        key="falling-hazard",
        name="Falling hazard where tasks differ",
        law="A mixture of hazards has a shape below 1; 0.6 to 0.9 was seen for models.",
        source="Ord 2025, arXiv 2505.05115; Proschan 1963",
        measure=shape_of_survival,
        cases=[Case("logits with a standard deviation of 1.5", 1.0, (1.5,), slow=True)],
        tolerance=Below(),
    ),
]
