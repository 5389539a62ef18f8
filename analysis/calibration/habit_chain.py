"""Hidden chains of habits: what calls tell of the habits in which they were made.

A habit is drawn for an agent's first call. It stays for the next call with a probability, and is
otherwise drawn anew. Several fits are made side by side: arrays have an axis for the B fits, one
for the K habits, and one for the N calls. The calls are in turns: the first calls of all agents,
then their second ones, and so on. In each turn those agents come first that have more calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.distributions import Floats

Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Turns:
    """Where the calls of each turn are.

    Attributes
    ----------
    first : slice
        The first calls.
    later : sequence of (slice, slice)
        From the second turn on, the calls before it of the agents in it, and its calls.
    """

    first: slice
    later: Sequence[tuple[slice, slice]]


def in_turns(agent: Ints, turn: Ints) -> tuple[Ints, Turns]:
    """Return the order of calls, and where the calls of each turn are then.

    Parameters
    ----------
    agent, turn : ndarray of int, shape (N,)
        Numbers, from 0 on, of the agent of each call, and of the call among those of its agent.
    """
    calls = np.bincount(agent)
    order = np.lexsort((agent, -calls[agent], turn))
    counts = np.bincount(turn).tolist()
    starts = list(accumulate(counts, initial=0))
    later = [
        (slice(before, before + count), slice(here, here + count))
        for before, here, count in zip(starts, starts[1:], counts[1:], strict=False)
    ]
    return order, Turns(slice(0, counts[0]), later)


def forward_backward(
    chance: Floats, turns: Turns, first: Floats, later: Floats, stays: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return expected first and later draws of each habit, habits kept, and habits of the calls.

    Parameters
    ----------
    chance : ndarray, shape (B, K, N)
        Probability of each call under each habit.
    turns : Turns
    first, later : ndarray, shape (B, K)
        Probabilities of habits that are drawn.
    stays : ndarray, shape (B,)
        Probability that a habit stays.
    """
    forward, kept, scale = _forward(chance, turns, first, later, stays)
    anew = ((1.0 - stays[:, None]) * later)[:, None]
    stays = stays[:, None, None]
    ahead, backward = chance / scale, np.ones_like(chance)
    for before, here in reversed(turns.later):
        told = ahead[:, :, here]
        told *= backward[:, :, here]
        backward[:, :, before] = stays * told + anew @ told
    states, after = forward * backward, slice(turns.first.stop, None)
    drawn = anew[:, 0] * ahead[:, :, after].sum(axis=2)
    stayed = np.einsum("bkn,bkn->b", kept[:, :, after], ahead[:, :, after])
    return states[:, :, turns.first].sum(axis=2), drawn, stayed, states


def log_likelihood(
    chance: Floats, turns: Turns, first: Floats, later: Floats, stays: Floats
) -> Floats:
    """Return the log likelihood of each fit, shape (B,); see `forward_backward`."""
    scale = _forward(chance, turns, first, later, stays)[2]
    return np.asarray(np.log(scale).sum(axis=(1, 2)))


def _forward(
    chance: Floats, turns: Turns, first: Floats, later: Floats, stays: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the habits told by all calls so far, and how likely each call is by those before.

    In between is the part of each prediction that is a habit kept, which first calls do not have.
    """
    forward, kept = np.empty_like(chance), np.empty_like(chance)
    scale = np.empty((len(chance), 1, chance.shape[2]))
    anew = ((1.0 - stays[:, None]) * later)[:, :, None]
    stays = stays[:, None, None]
    prediction: Floats = first[:, :, None]
    for before, here in [(None, turns.first), *turns.later]:
        if before is not None:
            prediction = np.multiply(stays, forward[:, :, before], out=kept[:, :, here]) + anew
        joint = prediction * chance[:, :, here]
        scale[:, :, here] = total = joint.sum(axis=1, keepdims=True)
        np.divide(joint, total, out=forward[:, :, here])
    return forward, kept, scale
