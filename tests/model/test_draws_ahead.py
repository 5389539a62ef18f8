"""First draws that are made for several replications together."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pytest

from simulator.distributions import Distribution, Floats
from simulator.distributions.empirical import Empirical
from simulator.distributions.log_logistic import LogLogistic
from simulator.distributions.lognormal import Lognormal
from simulator.distributions.mixture import Component, Mixture
from simulator.model.draws_ahead import MOST_AHEAD, MOST_TOGETHER, DrawsAhead
from simulator.model.stream_blocks import FIRST
from simulator.model.streams import Entity, Purpose, Streams

LAWS: list[Distribution] = [
    Lognormal(median=5, sigma=0.6),
    LogLogistic(median=1.0, shape=5.9, run_sigma=0.5, agent_sigma=0.2),
    Empirical(values=(1.0, 4.0, 9.0), weights=(1.0, 2.0, 1.0)),
]


class Counted(Lognormal):
    """Counts how often it is asked."""

    def transform(self, u: Floats) -> Floats:
        asked.append(u.size)
        return super().transform(u)


asked: list[int] = []


def counted() -> Counted:
    """Return a law that has been asked nothing but its facts."""
    law = Counted(median=5, sigma=0.6)
    assert law.facts.largest > 0.0
    asked.clear()
    return law


def draws(streams: Streams, law: Distribution, team: Sequence[int], each: int) -> list[list[float]]:
    """Return what each agent of a team draws, the last one first."""
    found = [streams.draws(law, Entity.AGENT, i, Purpose.LATENCY) for i in team]
    return [[draw() for _ in range(each)] for draw in reversed(found)]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.kind)
def test_replications_draw_the_same_in_any_order(law: Distribution) -> None:
    """In turn, again, skipping some, and back; of teams whose members come and go."""
    ahead, rng = DrawsAhead(3, 10_000), np.random.default_rng(0)
    order = [*range(40), 39, 39, *range(60, 90, 2), *range(5), *rng.integers(0, 50, 30).tolist()]
    for replication in order:
        team = sorted(rng.choice(9, int(rng.integers(1, 9)), replace=False).tolist())
        many = int(rng.integers(1, 40))
        with_others = draws(Streams(3, replication, ahead), law, team, many)
        for agent, found in zip(reversed(team), with_others, strict=True):
            assert [found] == draws(Streams(3, replication), law, [agent], many)


def test_replications_that_follow_each_other_ask_a_distribution_seldom() -> None:
    law, ahead = counted(), DrawsAhead(3, 10_000)
    for replication in range(MOST_AHEAD * 8):
        draws(Streams(3, replication, ahead), law, range(4), 5)
    most = MOST_AHEAD * 4 * FIRST
    assert max(asked) == most
    assert len(asked) < 8 + 5  # one by one at first, then twice as many each time


def test_replications_that_are_run_again_keep_what_was_made_ahead() -> None:
    """A team that is stuck, or overdue, is run again when it is known how it ends."""
    law, ahead = counted(), DrawsAhead(3, 10_000)
    for replication in range(MOST_AHEAD * 2):
        for _ in range(2):
            draws(Streams(3, replication, ahead), law, range(4), 5)
    assert asked == [each * 4 * FIRST for each in (4, 8, 16, 16)]


def test_nothing_is_made_ahead_beyond_the_last_replication_of_a_scenario() -> None:
    law, ahead = counted(), DrawsAhead(3, 3)
    for replication in range(3):
        draws(Streams(3, replication, ahead), law, range(4), 5)
    assert asked == [3 * 4 * FIRST]
    for replication in range(3, 11):  # whoever runs more runs many
        draws(Streams(3, replication, ahead), law, range(4), 5)
    assert asked[1:] == [8 * 4 * FIRST]


def test_a_replication_alone_makes_no_others() -> None:
    law = counted()
    draws(Streams(3, 7, DrawsAhead(3, 10_000)), law, range(4), 5)
    assert asked == [4 * FIRST]


def test_of_a_large_team_one_replication_is_made_at_a_time() -> None:
    law, ahead = counted(), DrawsAhead(3, 10_000)
    for replication in range(8):
        draws(Streams(3, replication, ahead), law, range(MOST_TOGETHER // FIRST), 1)
    assert asked == [MOST_TOGETHER] * 8


def test_distributions_made_anew_for_each_replication_are_not_kept_for_ever() -> None:
    ahead = DrawsAhead(3, 10_000)
    for replication in range(3_000):
        law = Lognormal(median=1.0 + replication, sigma=0.5)
        (found,) = draws(Streams(3, replication, ahead), law, [0], 1)
        (alone,) = draws(Streams(3, replication), law, [0], 1)
        assert found == alone
    assert len(ahead) <= 1_000


def test_a_copy_does_not_take_a_new_law_for_one_of_the_original() -> None:
    """Laws are told apart by where they are in memory, where a new one may come once they go."""
    for _ in range(200):
        law, ahead = Lognormal(median=5.0, sigma=0.6), DrawsAhead(3, 10_000)
        for replication in range(2):
            draws(Streams(3, replication, ahead), law, [0], 1)
        other = copy.deepcopy(ahead)
        del law, ahead
        law = Lognormal(median=500.0, sigma=0.6)
        assert draws(Streams(3, 2, other), law, [0], 1) == draws(Streams(3, 2), law, [0], 1)


class PickyError(Exception):
    """What a plugin may raise."""


class Picky(Lognormal):
    """Has no quantile for some numbers, as a plugin whose table ends may have none."""

    def quantile(self, u: Floats) -> Floats:
        if refuses and np.any((u > 0.9) & (u < 0.98)):
            raise PickyError
        return super().quantile(u)


refuses: list[bool] = []

PARTS = Mixture(
    components=(
        Component(weight=1, distribution=Picky(median=5, sigma=0.6, run_sigma=0.1)),
        Component(weight=1, distribution=Picky(median=9, sigma=0.1)),
    )
)


@pytest.mark.parametrize(
    "law",
    [Picky(median=5, sigma=0.6), Picky(median=5, sigma=0.6, phase_sigma=0.3), PARTS],
    ids=["plain", "phases", "parts"],
)
@pytest.mark.parametrize("team", [[0], [0, 1, 2]])
@pytest.mark.parametrize("each", [2, 9, 30])
def test_an_error_of_a_plugin_is_of_the_draw_that_it_comes_with(
    law: Distribution, team: list[int], each: int
) -> None:
    """As many draws are had as the same law without its error gives, neither more nor others."""
    ahead, raised = DrawsAhead(3, 10_000), 0
    assert law.facts.largest >= 0.0
    for replication in range(40):
        refuses.clear()
        right = draws(Streams(3, replication), law, team, each)
        refuses.append(True)
        streams = Streams(3, replication, ahead)
        found = {i: streams.draws(law, Entity.AGENT, i, Purpose.LATENCY) for i in reversed(team)}
        for agent, wanted in zip(reversed(team), right, strict=True):
            for value in wanted:
                try:
                    assert found[agent]() == pytest.approx(value, rel=1e-12)
                except PickyError:
                    raised += 1
                    break
    refuses.clear()
    assert raised > 0
    # Of the draws 8 % are refused, whoever else draws.
    assert raised <= 40 * len(team) * min(1.0, 3 * 0.08 * each)
