"""Numbers in the answers of shipped scenarios, read from the text, come out of the scenario.

A number with an interval, ``9.7 [9.7, 9.8]`` or ``28.5 ± 0.6``, is a mean, a ratio of two, or a
median, with its 95 % interval; one that is ``exactly 3.69`` is the same in all runs. Each is
simulated again with another seed and fewer replications: the two may differ by four standard
errors of their difference. With 335 numbers that have an interval, one in fifty of such runs would
find one that differs although all are right.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.curves import with_derived
from simulator.distributions import Floats
from simulator.experiment import run_each
from simulator.scenario import Point, load_study

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
NUMBER = r"(\d+(?:,\d{3})*(?:\.\d+)?)"
STATED = re.compile(
    rf"exactly {NUMBER}|{NUMBER}(?: times| s)? (?:± {NUMBER}|\[{NUMBER}, {NUMBER}\])"
)
Z = 1.96
"""Half of a 95 % interval, in standard errors."""


@dataclass(frozen=True)
class Stated:
    """A number of an answer, and its standard error; or exact, and half of its last digit."""

    value: float
    error: float
    exact: bool = False

    def agrees(self, found: Stated) -> bool:
        """Whether a number that was found is the same, in all runs if this one is exact."""
        gap = abs(found.value - self.value)
        if self.exact:
            return gap <= self.error and found.error < 1e-9 * abs(found.value)
        return gap < 4 * math.hypot(self.error, found.error)


def stated(answer: str) -> list[Stated]:
    """Return the numbers that are exact or have an interval, in the order of the text."""
    found = []
    for exact, mean, half, low, high in STATED.findall(answer):
        value = (exact or mean).replace(",", "")
        # What is rounded is known to half of its last digit, at best.
        rounding = 0.5 * 10.0 ** -len(value.partition(".")[2])
        if exact:
            found.append(Stated(float(value), rounding, exact=True))
            continue
        width = float(half) if half else (float(high) - float(low)) / 2
        found.append(Stated(float(value), max(width / Z, rounding / math.sqrt(3))))
    return found


@dataclass(frozen=True)
class Mean:
    """What a number is: the mean of a metric at a point of a sweep, a ratio of two, or a median.

    Attributes
    ----------
    series : str
    x : float
        The value of the figure's x.
    metric : str
        Its name, or an expression of several.
    speedup_over, times : float, optional
        The x of the mean that is divided by this one, or that this one is divided by.
    times_series : str, optional
        The series of the mean that this one is divided by, at `times`; the same when absent.
    less : float, optional
        The x of the mean that is taken from this one, replication by replication.
    less_series : str, optional
        The series of that mean; at the same x when `less` is absent.
    unit : float
        How many of the metric's units the number counts: 3,600 for hours.
    is_median : bool
        Whether it is the median over replications, or with `times` a ratio of two.
    over_baseline : bool
        Whether the mean of its single-agent baseline is divided by this one.
    """

    series: str
    x: float
    metric: str = "makespan_s"
    speedup_over: float | None = None
    times: float | None = None
    times_series: str | None = None
    less: float | None = None
    less_series: str | None = None
    unit: float = 1.0
    is_median: bool = False
    over_baseline: bool = False

    @property
    def points(self) -> set[tuple[str, float]]:
        """The points of the sweep that it needs: series and x."""
        used = {(self.series, x) for x in (self.x, self.speedup_over) if x is not None}
        if self.times is not None:
            used.add((self.times_series or self.series, self.times))
        used |= self.other
        if self.over_baseline:
            used.add((BASELINE + self.series, self.x))
        return used

    @property
    def other(self) -> set[tuple[str, float]]:
        """The point whose mean is taken from this one, if any."""
        if self.less is None and self.less_series is None:
            return set()
        return {(self.less_series or self.series, self.x if self.less is None else self.less)}

    def of(self, runs: dict[tuple[str, float], pd.DataFrame]) -> Stated:
        """Return the estimate from simulated runs."""

        def values(x: float, series: str = self.series) -> Floats:
            return np.asarray(runs[series, x].eval(self.metric), dtype=float)

        if self.over_baseline:
            return ratio(values(self.x, BASELINE + self.series), values(self.x))
        if self.speedup_over is not None:
            return ratio(values(self.speedup_over), values(self.x))
        if self.times is not None:
            below = values(self.times, self.times_series or self.series)
            return (ratio_of_medians if self.is_median else ratio)(values(self.x), below)
        own = values(self.x) / self.unit
        for series, x in self.other:
            own = own - values(x, series) / self.unit
        if self.is_median:
            return median(own)
        return Stated(own.mean(), own.std(ddof=1) / math.sqrt(len(own)))


def ratio(above: Floats, below: Floats) -> Stated:
    """Return a ratio of means of pairs, and its error by linearisation (the delta method)."""
    value = above.mean() / below.mean()
    rest = (above - value * below) / below.mean()
    return Stated(value, rest.std(ddof=1) / math.sqrt(len(rest)))


def median(values: Floats) -> Stated:
    """Return the median, and its error: from the order statistics one standard error away."""
    low, high = np.quantile(values, 0.5 + np.array([-0.5, 0.5]) / math.sqrt(len(values)))
    return Stated(float(np.median(values)), float(high - low) / 2)


def ratio_of_medians(above: Floats, below: Floats) -> Stated:
    """Return a ratio of medians, and its error as if they were independent."""
    one, other = median(above), median(below)
    value = one.value / other.value
    return Stated(value, value * math.hypot(one.error / one.value, other.error / other.value))


BASELINE = "baseline of "
"""What the series of a point is called whose single-agent baseline is meant."""

INDEPENDENT, COMMON = "independent answers", "common mode (0.8)"
CORRELATED = "correlated (rho = {})".format
TOKENS = "input_tokens+output_tokens"
FIRST, MAJORITY, ALL = "the first answer", "a majority", "all answers"
DEALT, CLAIMED = "dealt, {}, sigma {}".format, "claimed, no barrier, sigma 1.2"

EVERYBODY, ONE_AT_A_TIME = "tests for everybody", "one runs tests at a time"
CONVERSATION = "one conversation for all issues"
EXPONENTIAL, TWO_AT_A_TIME = "exponential times", "exponential times, two at a time"
SHORT_BUILDS = "exponential times, builds of 15 s"
ALWAYS, OFFICE = "somebody is always there", "weekdays 9 to 17"
FRIDAY, OFFICE_HOUR = "weekdays 9 to 17, begun on Friday", "weekdays 9 to 17, cache of an hour"
FIVE_MINUTES, AN_HOUR = "five minutes", "an hour"
CHAT, ALONE = "a chat", "one agent, {} searches".format
DIVIDED, EACH = "30 searches, divided among k", "10 searches by each of k"
ONCE = "input_tokens - cached_tokens + output_tokens"
REQUESTS, INPUT = "50 requests a minute", "30,000 input tokens a minute"
RESERVED = "8,000 output tokens a minute, reserved"
GIVEN_BACK = "8,000 output tokens a minute, the rest given back"
NEVER, ON_EXIT = "nothing is released", "released when an agent crashes"
ANYONE, BOTH, LEASE = "anyone may hand it in", "both of these", "a lease of 5 rounds"
MINUTES, HOURS = 60.0, 3600.0

UNCHECKED, TESTED = "nobody checks", "the agent's tests find half"
REVIEWED = "the orchestrator reviews and misses a fifth"
LINE, UNEVEN = "equal stages", "one stage of three times the work"
GENERALISTS = "four generalists who claim tasks"
ALIKE, FOLLOWER = "all alike", "one follower ten times slower"
LEADER = "the leader ten times slower"
ONE_QUEUE, STOLEN = "claimed from one queue", "dealt and stolen"
IN_TURN, LONGEST_FIRST = "dealt round robin", "dealt longest first"
MESH, LED, TREE = "decentralised", "centralised", "hierarchical"
SMALL_WORLD, GOSSIP, BOARD = "small_world", "gossip", "blackboard"
NO_KEYS, STALE = "no keys", "no keys, and claims from a stale list"
TWO, TWELVE = "dealt out, 2 tasks a call", "dealt out, 12 tasks a call"
ONE_BY_ONE, FOUR_BELOW = (
    "one orchestrator answers one by one",
    "a tree with four below each manager",
)
SINGLE, HYBRID, WRONG = "single agent", "hybrid", "1 - quality"
ARCHITECTURES = (SINGLE, "independent", "decentralised", "centralised", HYBRID)
LARGE, NO_LEAD = "one large", "five small, no lead"
SMALL_LEAD, LARGE_LEAD = "five small led by a small one", "five small led by a large one"
LARGE_WORKERS = "three large led by a small one"
PEERS, THE_MAJORITY = "following a random peer", "following the majority"
CORRECTING = "a tenth of the wrong see the light each round"
BY_LEAD, IN_MESH = "dealt out by a coordinator", "claimed in a mesh"
SEVEN, DEBATED = "seven votes on each task", "two rounds of debate and a vote"
ELECTED, SUPERVISED, CLAIM_INSTEAD = "election", "supervisor", "claim instead"
WAIT, OTHER_MODEL, PARTIAL = "wait for it", "another model", "hand in what there is"
STALE_LIST = "claimed from a stale list"
HALF_ALIKE = "half of them equally slow"
CHAIN, TAKERS = "a chain of agents", "peers who take what comes"
JUDGES, ONE, VERIFIED = "a hierarchy that judges", "one agent", "a team of two with a verifier"
WIDE, UNLIMITED = "200 requests a minute", "no limit"
CONSISTENT, AVAILABLE = "consistent", "available"
DEALT_AVAILABLE = "available, tasks dealt out"
FOUR, SOLO = "four agents, {}".format, "one agent, {}".format
COUPLED, DECOUPLED = "coupled work", "decoupled work"
QUICKSTART_DEALT = ("tasks dealt out, p = 0.9", "tasks dealt out, p = 0.5")
CLAIM_09, CLAIM_05 = "agents claim tasks, p = 0.9", "agents claim tasks, p = 0.5"
RETRIES, NO_RETRIES = "three retries", "no retries"
NO_DRIFT, DRIFT = "no drift", "drift with what is read"
WAITS = ("none", "exponential", "full jitter", "equal jitter", "decorrelated jitter")

REPLICATIONS = {
    "backoff": 20,
    "gossip": 20,
    "broadcast_overhead": 100,
    "centralised_vs_decentralised": 100,
    "voting": 20,
    "coding_loop": 40,
    "one_ci": 20,
    "approvals": 60,
    "rate_limited_fleet": 4,
    "orphaned_claims": 500,
    "orchestrator_bottleneck": 15,
    "byzantine_minority": 40,
    "provider_outage": 60,
    "debate": 40,
    "stalled_worker": 75,
    "lost_orchestrator": 90,
    "hedging": 100,
    "rate_limit": 15,
    "context_against_team": 200,
    "partition": 100,
    "retry_storm": 16,
    "redundancy": 750,
    "philosophers": 500,
    "claim_collisions": 400,
    "stale_reads": 400,
    "consensus": 300,
    "error_compounding": 300,
    "architectures": 300,
    "mixed_team": 300,
    "stragglers": 300,
}
"""Where calls are many, or few; else 200."""

NUMBERS: dict[str, Sequence[Mean]] = {
    "approvals": (
        Mean(ALWAYS, 0.05, unit=HOURS),
        Mean(ALWAYS, 0, unit=HOURS),
        Mean(OFFICE, 0.05, unit=HOURS),
        Mean(OFFICE, 0.05, unit=HOURS, is_median=True),
        Mean(FRIDAY, 0.05, unit=HOURS),
        Mean(FRIDAY, 0.05, unit=HOURS, is_median=True),
        Mean(OFFICE, 0.2, unit=HOURS),
        Mean(ALWAYS, 0, "cost_usd"),
        Mean(ALWAYS, 0.2, "cost_usd"),
        Mean(OFFICE, 0.2, "cost_usd"),
        Mean(OFFICE, 0.05, "cost_usd"),
        Mean(OFFICE_HOUR, 0.05, "cost_usd"),
        Mean(OFFICE_HOUR, 0.2, "cost_usd"),
    ),
    "backoff": (
        *(Mean(wait, 100, "commit_attempts") for wait in WAITS[:2]),
        Mean("exponential", 100, times=100, times_series="none"),
        *(Mean(wait, 100, "commit_attempts") for wait in WAITS[2:]),
    ),
    "broadcast_overhead": (
        Mean("1000", 2, times=1),
        Mean("1000", 64, "cost_usd", times=1),
        Mean("1000", 64, speedup_over=1),
        Mean("0", 64, speedup_over=1),
        Mean("0", 64, "cost_usd", times=1),
    ),
    "centralised_vs_decentralised": (
        Mean(MESH, 12, speedup_over=1),
        Mean(MESH, 32, speedup_over=1),
        Mean(MESH, 32, less=24),
        Mean(LED, 8, over_baseline=True),
        Mean(MESH, 8, speedup_over=1),
        Mean(MESH, 32, "messages"),
        Mean(MESH, 32, "deliveries"),
        Mean(LED, 1, "deliveries"),
        Mean(LED, 32, "deliveries"),
        Mean(LED, 8, "cost_usd", less_series=MESH),
        Mean(MESH, 32, "cost_usd", times=32, times_series=LED),
        Mean(MESH, 4, "cost_usd", less_series="independent"),
        Mean(MESH, 3, "cost_usd", less_series="independent"),
        Mean("independent", 1, "quality"),
        Mean("independent", 32, "quality"),
    ),
    "claim_collisions": (Mean("10", 0, "tasks_done"), Mean("10", 0.5, "tasks_done")),
    "consensus": (
        Mean(ALIKE, 3),
        Mean(ALIKE, 3, "coordination_s"),
        Mean(ALIKE, 9, "coordination_s"),
        Mean(FOLLOWER, 3, times=3, times_series=ALIKE),
        Mean(FOLLOWER, 9, times=9, times_series=ALIKE),
        Mean(LEADER, 3, times=3, times_series=ALIKE),
        Mean(LEADER, 9, times=9, times_series=ALIKE),
    ),
    "error_compounding": (
        Mean(UNCHECKED, 5, "quality"),
        Mean(UNCHECKED, 40, "quality"),
        Mean(TESTED, 40, "quality"),
        Mean(REVIEWED, 40, "quality"),
        Mean(REVIEWED, 40, times=40, times_series=UNCHECKED),
        Mean(REVIEWED, 40, "attempts", times=40, times_series=UNCHECKED),
        Mean(REVIEWED, 40, times=40, times_series=UNCHECKED, is_median=True),
    ),
    "gossip": (
        *(Mean(kind, 64, "deliveries") for kind in (MESH, SMALL_WORLD, TREE, GOSSIP)),
        *(
            Mean(MESH, 64, "input_tokens", times=64, times_series=kind)
            for kind in (BOARD, TREE, SMALL_WORLD, GOSSIP)
        ),
        Mean(TREE, 4, times=4, times_series=MESH),
        Mean(TREE, 64, times=64, times_series=MESH),
    ),
    "philosophers": [Mean("", x, "deadlocks") for x in (0, 0.5, 0.75)],
    "pipeline": (
        Mean(LINE, 2, over_baseline=True),
        Mean(LINE, 32, over_baseline=True),
        Mean(UNEVEN, 32, over_baseline=True),
        Mean(GENERALISTS, 32, over_baseline=True),
    ),
    "stale_reads": (
        Mean("1", 1, "stale_reads"),
        Mean("1", 1, "quality"),
        Mean("2", 2, "stale_reads"),
        Mean("2", 2, "quality"),
        Mean("1", 5, times=1),
    ),
    "work_stealing": (
        Mean(ONE_QUEUE, 8, speedup_over=1),
        Mean(STOLEN, 8, speedup_over=1),
        Mean(IN_TURN, 8, speedup_over=1),
        Mean(LONGEST_FIRST, 8, speedup_over=1),
        Mean(ONE_QUEUE, 16, speedup_over=1),
        Mean(STOLEN, 8, "steals"),
    ),
    "cache_life": [
        *(
            Mean(series, x, "cost_usd")
            for x in (10, 100, 1000)
            for series in (FIVE_MINUTES, AN_HOUR)
        ),
        Mean("no cache", 1000, "cost_usd"),
    ],
    "coding_loop": (
        Mean(EVERYBODY, 4, unit=MINUTES),
        Mean(EVERYBODY, 1, unit=MINUTES),
        Mean(EVERYBODY, 4, speedup_over=1),
        Mean(EVERYBODY, 8, speedup_over=1),
        Mean(ONE_AT_A_TIME, 4, speedup_over=1),
        Mean(ONE_AT_A_TIME, 8, speedup_over=1),
        Mean(ONE_AT_A_TIME, 8, "cost_usd"),
        Mean(EVERYBODY, 8, "cost_usd"),
        Mean(CONVERSATION, 1, "cost_usd"),
        Mean(CONVERSATION, 4, "cost_usd"),
        Mean(CONVERSATION, 4, "cost_usd", less_series=ONE_AT_A_TIME),
        Mean(ONE_AT_A_TIME, 8, "cost_usd", less_series=CONVERSATION),
        Mean(EVERYBODY, 1, "cost_usd"),
    ),
    "one_ci": (
        *(Mean("steady times", n, speedup_over=1) for n in (2, 3, 8)),
        Mean(EXPONENTIAL, 2, speedup_over=1),
        Mean(EXPONENTIAL, 3, speedup_over=1),
        Mean(EXPONENTIAL, 8, speedup_over=1),
        Mean(TWO_AT_A_TIME, 8, speedup_over=1),
        Mean(SHORT_BUILDS, 8, speedup_over=1),
    ),
    "orphaned_claims": (
        Mean(NEVER, 0.05, "success", unit=0.01),
        Mean(NEVER, 0.05, "rounds"),
        Mean(NEVER, 0.05, "cost_usd"),
        Mean(ON_EXIT, 0.05, "success", unit=0.01),
        Mean(ON_EXIT, 0.05, "cost_usd", times=0.05, times_series=NEVER),
        Mean(ANYONE, 0.05, "success", unit=0.01),
        Mean(ANYONE, 0.05, "cost_usd", times=0.05, times_series=NEVER),
        Mean(BOTH, 0.05, "cost_usd", times=0.05, times_series=NEVER),
        Mean(LEASE, 0.05, "cost_usd", times=0.05, times_series=NEVER),
        Mean(LEASE, 0.05, "rounds"),
        Mean(ON_EXIT, 0, "rounds"),
    ),
    "rate_limited_fleet": (
        Mean(RESERVED, 1, "rate_limited_s", unit=MINUTES),
        Mean(RESERVED, 1, unit=MINUTES),
        Mean(RESERVED, 32, unit=MINUTES),
        Mean(GIVEN_BACK, 8, speedup_over=1),
        Mean(INPUT, 8, speedup_over=1),
        Mean(INPUT, 32, speedup_over=1),
        Mean(REQUESTS, 16, speedup_over=1),
        Mean(REQUESTS, 32, speedup_over=1),
        Mean(UNLIMITED, 1, "60 * calls / makespan_s"),
        Mean(UNLIMITED, 1, "output_tokens / calls"),
    ),
    "research_fan_out": (
        Mean(DIVIDED, 3),
        Mean(ALONE(30), 1),
        Mean(DIVIDED, 10),
        Mean(ALONE(30), 1, TOKENS, unit=1000),
        Mean(DIVIDED, 3, TOKENS, unit=1000),
        Mean(DIVIDED, 3, "cost_usd"),
        Mean(ALONE(30), 1, "cost_usd"),
        Mean(EACH, 3, TOKENS, times=3, times_series=ALONE(10)),
        Mean(EACH, 10, TOKENS, times=10, times_series=ALONE(10)),
        Mean(ALONE(10), 3, TOKENS, times=3, times_series=CHAT),
        Mean(EACH, 3, TOKENS, times=3, times_series=CHAT),
        Mean(ALONE(10), 3, ONCE, times=3, times_series=CHAT),
        Mean(EACH, 3, ONCE, times=3, times_series=CHAT),
    ),
    "architectures": [
        *(Mean(kind, 0, "calls") for kind in ARCHITECTURES),
        *(
            Mean(kind, 0, WRONG, times=0, times_series=SINGLE)
            for kind in ("independent", MESH, HYBRID, "centralised")
        ),
    ],
    "mixed_team": (
        Mean(SMALL_LEAD, 0, "quality"),
        Mean(LARGE, 0, "quality"),
        Mean(SMALL_LEAD, 0, times=0, times_series=LARGE),
        Mean(SMALL_LEAD, 0, "cost_usd", times=0, times_series=LARGE),
        Mean(NO_LEAD, 0, times=0, times_series=SMALL_LEAD),
        Mean(NO_LEAD, 0, WRONG),
        Mean(LARGE_LEAD, 0, "cost_usd", times=0, times_series=SMALL_LEAD),
        Mean(LARGE_LEAD, 0, times=0, times_series=SMALL_LEAD),
        Mean(LARGE_WORKERS, 0, "cost_usd", times=0, times_series=SMALL_LEAD),
        Mean(LARGE_WORKERS, 0, "quality"),
    ),
    "debate": (
        Mean(PEERS, 6, "quality"),
        Mean(THE_MAJORITY, 6, "quality"),
        Mean(THE_MAJORITY, 0, "quality"),
        Mean(CORRECTING, 6, "quality"),
        Mean(PEERS, 6, "input_tokens", times=0),
    ),
    "stalled_worker": [
        Mean(BY_LEAD, 0),
        Mean(IN_MESH, 0),
        Mean(IN_MESH, 0, "deliveries"),
        Mean(BY_LEAD, 0, "deliveries"),
        *(Mean(series, share) for share in (0.01, 0.02) for series in (BY_LEAD, IN_MESH)),
        Mean(IN_MESH, 0.08),
        Mean(BY_LEAD, 0.08),
    ],
    "byzantine_minority": (
        Mean(SEVEN, 0.2, "quality"),
        Mean("each task done once", 0.2, "quality"),
        Mean(SEVEN, 0.3, "quality"),
        Mean(SEVEN, 0.5, "quality"),
        Mean("three votes", 0.2, "quality"),
        Mean(DEBATED, 0.2, "quality"),
        Mean(DEBATED, 0.3, "quality"),
        *(Mean(SEVEN, x, "quality", less_series=DEBATED) for x in (0.2, 0.3)),
        Mean(DEBATED, 0.3, "calls", times=0.3, times_series=SEVEN),
    ),
    "lost_orchestrator": (
        Mean("no plan", 0, "tasks_done"),
        Mean(ELECTED, 0, "recovery_s"),
        Mean(ELECTED, 0),
        Mean("nothing is lost", 0),
        Mean(SUPERVISED, 0, "recovery_s"),
        Mean(SUPERVISED, 0),
        Mean(CLAIM_INSTEAD, 0, "recovery_s"),
        Mean(CLAIM_INSTEAD, 0),
    ),
    "provider_outage": (
        Mean(WAIT, 15),
        Mean(WAIT, 120),
        Mean(WAIT, 480),
        Mean(OTHER_MODEL, 120),
        Mean(OTHER_MODEL, 480),
        Mean(OTHER_MODEL, 120, "cost_usd", times=120, times_series=WAIT),
        Mean(OTHER_MODEL, 480, "cost_usd", times=480, times_series=WAIT),
        Mean(OTHER_MODEL, 120, "quality"),
        Mean(OTHER_MODEL, 480, "quality"),
        Mean(WAIT, 120, "quality"),
        Mean(PARTIAL, 120),
        Mean(PARTIAL, 480),
        Mean(PARTIAL, 120, "quality"),
        Mean(PARTIAL, 480, "quality"),
    ),
    "stale_claims": [
        *(Mean(STALE_LIST, n, speedup_over=1) for n in (2, 5)),
        *(Mean("dealt out", n, speedup_over=1) for n in (2, 5)),
        *(Mean(STALE_LIST, n, "duplicate_attempts") for n in (2, 5)),
        *(Mean(STALE_LIST, n, "concurrent_writes") for n in (2, 5)),
        *(Mean(STALE_LIST, n, "straggler_gap_s") for n in (2, 5)),
        *(Mean("dealt out", n, "straggler_gap_s") for n in (2, 5)),
        Mean("claimed from a stale list with locks", 5, times=5, times_series=STALE_LIST),
    ],
    "hedging": (
        Mean(INDEPENDENT, 0.999),
        Mean(INDEPENDENT, 0.95),
        Mean(INDEPENDENT, 0.95, "cost_usd", times=0.999),
        Mean(INDEPENDENT, 0.5),
        Mean(INDEPENDENT, 0.5, "cost_usd", times=0.999),
        Mean(HALF_ALIKE, 0.95),
        Mean(HALF_ALIKE, 0.5),
    ),
    "message_errors": [
        *(
            Mean(series, share, "quality")
            for series in (CHAIN, TAKERS, JUDGES)
            for share in (0.2, 0.4, 0.6)
        ),
        *(Mean(JUDGES, share, times=share, times_series=CHAIN) for share in (0, 0.6)),
        Mean(JUDGES, 0.6, times=0.6, times_series=CHAIN, is_median=True),
    ],
    "single_agent_threshold": [
        *(
            Mean(series, share, "quality")
            for share in (0.4, 0.55, 0.1)
            for series in (VERIFIED, ONE)
        ),
        *(
            Mean(VERIFIED, share, metric, times=share, times_series=ONE)
            for share in (0.1, 0.85)
            for metric in ("makespan_s", TOKENS)
        ),
    ],
    "context_against_team": (
        *(Mean(FOUR(DECOUPLED), x, "quality", less_series=SOLO(DECOUPLED)) for x in (2, 4)),
        Mean(FOUR(DECOUPLED), 16, "quality"),
        Mean(SOLO(DECOUPLED), 16, "quality"),
        Mean(SOLO(COUPLED), 2, "quality", less_series=FOUR(COUPLED)),
        *(
            each
            for layers in (8, 16)
            for each in (
                Mean(FOUR(COUPLED), layers, "quality"),
                Mean(SOLO(COUPLED), layers, "quality"),
                Mean(SOLO(COUPLED), layers, "quality", less_series=FOUR(COUPLED)),
            )
        ),
        *(Mean(SOLO(COUPLED), x, times=x, times_series=FOUR(COUPLED)) for x in (2, 16)),
    ),
    "rate_limit": (
        Mean(REQUESTS, 16, over_baseline=True),
        Mean(REQUESTS, 32, over_baseline=True),
        Mean(REQUESTS, 16, "failed_calls"),
        Mean(REQUESTS, 32, "failed_calls"),
        Mean(WIDE, 32, over_baseline=True),
        Mean(UNLIMITED, 32, over_baseline=True),
    ),
    "partition": (
        *(
            each
            for seconds in (40, 80)
            for each in (
                Mean(AVAILABLE, seconds),
                Mean(CONSISTENT, seconds),
                Mean(CONSISTENT, seconds, less_series=AVAILABLE),
            )
        ),
        Mean(AVAILABLE, 80, "overhead_s", times=80, times_series=CONSISTENT),
        Mean(CONSISTENT, 20, less_series=AVAILABLE),
        Mean(AVAILABLE, 5, less_series=CONSISTENT),
        Mean(DEALT_AVAILABLE, 120, less=5),
        Mean(DEALT_AVAILABLE, 5),
    ),
    "idempotency": (
        Mean(NO_KEYS, 0.1, "duplicate_effects"),
        Mean(NO_KEYS, 0.2, "duplicate_effects"),
        Mean(NO_KEYS, 0.5, "duplicate_effects"),
        Mean(STALE, 0, "duplicate_effects"),
        Mean(STALE, 0.5, "duplicate_effects"),
        Mean(NO_KEYS, 0.1, times=0),
        Mean(NO_KEYS, 0.5, times=0),
    ),
    "batching": (
        Mean(TWO, 1),
        Mean(TWELVE, 1),
        Mean(TWO, 5, over_baseline=True),
        Mean("claimed, 2 tasks a call", 5, over_baseline=True),
    ),
    "orchestrator_bottleneck": (
        Mean(ONE_BY_ONE, 32, over_baseline=True),
        Mean(ONE_BY_ONE, 16, over_baseline=True),
        Mean(FOUR_BELOW, 16, over_baseline=True),
        Mean(FOUR_BELOW, 32, over_baseline=True),
        Mean("nobody to report to", 32, over_baseline=True),
    ),
    "quickstart": [
        *(
            each
            for series in QUICKSTART_DEALT
            for each in (
                Mean(series, 5, speedup_over=1),
                Mean(series, 5, TOKENS, times=1),
                Mean(series, 5, "cost_usd", times=1),
            )
        ),
        *(Mean(series, 8, speedup_over=5) for series in QUICKSTART_DEALT),
        *(Mean(series, 5, TOKENS, times=1, is_median=True) for series in QUICKSTART_DEALT),
        Mean(CLAIM_09, 1, times=1, times_series=QUICKSTART_DEALT[0]),
        Mean(CLAIM_09, 8, times=1, times_series=QUICKSTART_DEALT[0]),
        Mean(CLAIM_05, 2, times=1, times_series=QUICKSTART_DEALT[1]),
        Mean(CLAIM_05, 2, "success", unit=0.01),
    ],
    "retry_storm": (
        Mean(RETRIES, 2.5, "goodput"),
        Mean(NO_RETRIES, 2.5, "goodput"),
        Mean(RETRIES, 5, "recovery_s"),
        Mean(RETRIES, 3.33, "goodput"),
        Mean("and a breaker", 2.5, "recovery_s"),
        Mean("and a budget of a tenth", 2.5, "recovery_s"),
        Mean(NO_RETRIES, 2.5, "recovery_s"),
    ),
    "drift": (
        Mean(NO_DRIFT, 16, "deliveries", times=4),
        Mean(DRIFT, 16, "deliveries", is_median=True),
        Mean(NO_DRIFT, 16, "deliveries"),
        Mean(DRIFT, 16, "failed_tests", is_median=True),
        Mean(NO_DRIFT, 16, "failed_tests"),
        Mean(DRIFT, 12, "success", unit=0.01),
        Mean(DRIFT, 16, "success", unit=0.01),
    ),
    "redundancy": (
        Mean(FIRST, 9),
        Mean(MAJORITY, 9),
        Mean(ALL, 9),
        Mean(FIRST, 9, "wasted_s"),
        Mean(MAJORITY, 3),
        Mean(MAJORITY, 9, "wasted_s"),
        Mean(MAJORITY, 3, "wasted_s"),
    ),
    "stragglers": (
        Mean(DEALT("barrier", 0.3), 16, speedup_over=1),
        Mean(DEALT("barrier", 1.2), 16, speedup_over=1),
        Mean(DEALT("no barrier", 1.2), 16, speedup_over=1),
        Mean(CLAIMED, 16, speedup_over=1),
        *(
            Mean(series, 1, times=16, is_median=True)
            for series in (DEALT("barrier", 1.2), DEALT("no barrier", 1.2), CLAIMED)
        ),
    ),
    "voting": (
        Mean(INDEPENDENT, 1, "quality"),
        Mean(INDEPENDENT, 9, "quality"),
        Mean(INDEPENDENT, 25, "quality"),
        Mean(CORRELATED(0.2), 9, "quality"),
        Mean(CORRELATED(0.2), 25, "quality"),
        Mean(CORRELATED(0.6), 25, "quality"),
        Mean(CORRELATED(0.6), 1, "quality"),
        Mean(COMMON, 25, "quality"),
        Mean(COMMON, 1, "quality"),
    ),
}
"""What the numbers of each answer are, in the order of the text."""


def place(point: Point, axis: str) -> tuple[str, float]:
    """Return the series of a point and its x; in a grid, the series is the rest of what varies.

    Where a picture has a place for each series, x is 0.
    """
    if axis == "series":
        return point.series, 0.0
    rest = [str(value) for path, value in point.overrides.items() if path != axis]
    return point.series or ", ".join(rest), float(point.overrides[axis])


THOROUGH = (
    "orphaned_claims",
    "retry_storm",
    "centralised_vs_decentralised",
    "provider_outage",
    "hedging",
    "voting",
    "broadcast_overhead",
    "context_against_team",
    "pipeline",
    "consensus",
    "error_compounding",
    "lost_orchestrator",
    "coding_loop",
    "drift",
    "message_errors",
    "idempotency",
    "single_agent_threshold",
)
"""Those that take many seconds: of most of them CI has the words, or what the answer claims."""


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.thorough] if name in THOROUGH else [])
        for name in NUMBERS
    ],
)
def test_the_numbers_of_an_answer_come_out(name: str) -> None:
    study = load_study(SCENARIOS / f"{name}.yaml", ["seed=20261126"])
    axis = "team.size" if study.base.figure is None else study.base.figure.x
    asked = {point for mean in NUMBERS[name] for point in mean.points}
    there = {place(point, axis): point for point in study.points}
    alone = {
        (BASELINE + series, x): study.points[point.baseline]
        for (series, x), point in there.items()
        if point.baseline is not None
    }
    wanted = {key: point.scenario for key, point in {**there, **alone}.items() if key in asked}
    assert set(wanted) == asked
    table = with_derived(run_each(list(wanted.values()), REPLICATIONS.get(name, 200)).to_pandas())
    runs = {key: table[table["point"] == i] for i, key in enumerate(wanted)}
    numbers = stated(study.base.answer)
    assert len(numbers) == len(NUMBERS[name])
    for mean, said in zip(NUMBERS[name], numbers, strict=True):
        found = mean.of(runs)
        assert said.agrees(found), (mean, said, found)


def test_numbers_are_read_with_their_intervals() -> None:
    text = "It is 9.7 times [9.6, 9.8], takes 28.5 ± 0.6 s or 1.10 s ± 0.05, and 7 of 9 stay."
    assert [each.value for each in stated(text)] == [9.7, 28.5, 1.1]
    assert [round(Z * each.error, 3) for each in stated(text)] == [0.1, 0.6, 0.05]
    exact, large = stated("It costs exactly 3.69 in all 7 runs, of exactly 1,576 calls.")
    assert exact.agrees(Stated(3.694, 0.0))  # it is rounded
    assert not exact.agrees(Stated(3.696, 0.0))
    assert not exact.agrees(Stated(3.69, 0.001))  # runs differ
    assert large.value == 1576
