"""Tells the waits of agents that work on what they have claimed from those of forgotten tasks.

A wait is a row of calls of an agent that owes tasks (it has claimed them and not handed them in)
until one in which it hands one in. Most waits end with the next call: the agent works on what it
has claimed. Some hardly ever end: the claim is orphaned. So waits are a mixture of a beta-geometric
distribution, as agents that work on what they hold differ in how soon they are done, and a
geometric one with a small chance (a cure model: Boag 1949; Farewell 1982). Of both, where a call
has claimed several tasks, a share are waits of all of them. A wait that the run's end cuts off is
censored; a reply that was itself cut off is no part of one. Which waits are of forgotten tasks is
drawn several times from what is known of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.draws import covariance_at, draws_of, mode_near
from analysis.calibration.estimates import Estimate
from analysis.statistics import optimisers
from simulator.distributions import Floats
from simulator.special import betaln, expit

_MIXTURE = np.asarray([-2.0, -4.0, 1.5, 1.0, 0.0, 0.0, 0.0, 0.0])
"""Means of the priors of the mixture: the logits of the share of forgotten waits, of the chance
that a call hands in what was forgotten, and of the mean chance that it hands in what is at hand;
the logarithm of by how much the first beta parameter of the latter is above 1. (If it were below,
work at hand could be left for ever, and nothing told it from what is forgotten.) The next two are
how much higher the first is where there are other workers, and per logarithm of the tasks that wait
for those of the list; the last two the logits of the share of waits, where a call has claimed
several tasks, that are of all of them, of the forgotten and of those at hand. What is fitted to
waits that are told apart must be allowed for in telling them apart, else it is drawn to what both
kinds are on average (Meng 1994)."""
_MIXTURE_SD = np.asarray([1.5, 1.5, 1.0, 1.0, 1.5, 1.0, 1.5, 1.5])

_DRAWS = 2000
"""Draws from the posterior of the mixture."""
IMPUTED = 20
"""Times that waits are told apart at random, by what is known of them."""
_SEED = 20261128
_SAME, _ALWAYS = 20.0, 1.0 - 1e-9
"""Beyond these, a beta distribution is a point, and what is forgotten is handed in at once."""


@dataclass(slots=True)
class _Owed:
    """Tasks that a call has claimed and not handed in, and how long they have been the latest."""

    claimed: int
    tasks: int
    claims: int
    at_once: int
    calls: list[int] = field(default_factory=list)
    exposed: int = 0


def waits(calls: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each wait of tasks that are owed to be handed in.

    Which of them are handed in is not known: as many are taken to be as the call writes files
    again, then what it claims itself, then those claimed last. While they are owed, no wait of what
    was claimed before goes on.

    Parameters
    ----------
    calls : DataFrame
        Calls in order within each agent: ``run_dir, agent, claims, completed, again, is_cut``.
        Those that are cut off say nothing of what is forgotten, and are left out.

    Returns
    -------
    DataFrame
        ``claimed``: label of the call that claimed the tasks; ``tasks``: how many are handed in or,
        if the wait does not end, are owed; ``during``: labels of the calls that it took, that
        which hands in included; ``calls``: their number; ``owed``: from how many calls the agent
        owed tasks before the last one; ``exposed``: the sum of the same over the calls before;
        ``ended``: whether anything was handed in; ``claims``: how many tasks their call claimed;
        ``at_once``: how many of these it handed in itself.
    """
    rows: list[tuple[int, int, list[int], int, int, int, bool, int, int]] = []
    whole = calls[~calls["is_cut"].to_numpy(dtype=bool)]
    columns = (whole.index, whole["claims"], whole["completed"], whole["again"])
    counts = list(zip(*(column.to_list() for column in columns), strict=True))
    agents = whole.groupby(["run_dir", "agent"], sort=False).ngroup().to_numpy()
    by_agent = np.argsort(agents, kind="stable")
    ends = np.cumsum(np.bincount(agents))
    for mine in np.split(by_agent, ends[:-1]) if len(agents) else ():
        held: list[_Owed] = []
        for label, claims, completed, again in map(counts.__getitem__, mine.tolist()):
            owed = sum(each.tasks for each in held)
            at_once = min(claims, completed - min(again, owed, completed))
            later = min(completed - at_once, owed)
            before = len(held)
            if held and not later:
                held[-1].calls.append(label)
                held[-1].exposed += before
            while later:
                last = held.pop()
                done = min(later, last.tasks)
                during = [*last.calls, label]
                took = during, len(during), before, last.exposed, True
                rows.append((last.claimed, done, *took, last.claims, last.at_once))
                later -= done
                if last.tasks > done:
                    held.append(_Owed(last.claimed, last.tasks - done, last.claims, last.at_once))
            if claims > at_once:
                held.append(_Owed(label, claims - at_once, claims, at_once))
        for each in held:
            took = each.calls, len(each.calls), len(held), each.exposed, False
            rows.append((each.claimed, each.tasks, *took, each.claims, each.at_once))
    names = ["claimed", "tasks", "during", "calls", "owed", "exposed", "ended"]
    names += ["claims", "at_once"]
    return pd.DataFrame(rows, columns=names).astype({"ended": bool})  # though it had no rows


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits of an agent, told apart.

    Attributes
    ----------
    found : DataFrame
        As `waits` returns them.
    weights : ndarray, shape (waits,)
        Probability of each to be one of forgotten tasks.
    drawn : ndarray of bool, shape (M, waits)
        Whether each is one of forgotten tasks, drawn from what is known of it.
    notice : Estimate
        Probability that a call hands in what had been forgotten.
    all_or_nothing : Estimate
        Share of the forgotten, where a call has claimed several tasks, that are all of them.
    """

    found: pd.DataFrame
    weights: Floats
    drawn: npt.NDArray[np.bool_]
    notice: Estimate
    all_or_nothing: Estimate


def fit_waits(calls: pd.DataFrame, imputed: int = IMPUTED) -> Waits:
    """Tell the waits of an agent apart, in all of its calls (see `waits`).

    Parameters
    ----------
    calls : DataFrame
    imputed : int
        How many times.
    """
    found = waits(calls)
    those = calls[["n_teammates", "waiting"]].reindex(found["claimed"])
    has_company = those["n_teammates"].to_numpy() > 1
    waiting = those["waiting"].to_numpy() - calls["waiting"].mean()
    told = _mixture(found.assign(has_company=has_company, waiting=waiting), imputed)
    return Waits(found, *told)


def _mixture(
    found: pd.DataFrame, imputed: int
) -> tuple[Floats, npt.NDArray[np.bool_], Estimate, Estimate]:
    """Return weights and draws of which waits are of the forgotten, and the last of `Waits`."""
    # Those that are some of what was handed in later tell neither.
    is_all, several = found["tasks"] == found["claims"], found["claims"] > 1
    found = found.assign(are_all=several & is_all, are_some=found["at_once"] > 0)
    names = ["calls", "ended", "owed", "exposed", "has_company", "waiting"]
    names += ["are_all", "are_some"]
    rows, row = np.unique(found[names].to_numpy(dtype=float), axis=0, return_inverse=True)
    count = np.bincount(row.ravel(), minlength=len(rows)).astype(float)
    calls, ended, owed, exposed = rows.T[:4]

    def logs(at: Floats) -> tuple[Floats, Floats]:
        """Return the log likelihoods of waits, as ones of work at hand and of the forgotten."""
        share = expit(at[:, :1] + at[:, 4:6] @ rows.T[4:6])
        notice, mean = (expit(each)[:, None] for each in at.T[1:3])
        a = 1.0 + np.exp(np.minimum(at[:, 3:4], _SAME))
        b = a * (1.0 - mean) / mean
        works_on = betaln(a + ended, b + calls - ended) - betaln(a, b)
        overlooks = np.log1p(-np.minimum(notice, _ALWAYS))
        forgot = exposed * overlooks + ended * np.log(-np.expm1(owed * overlooks))
        whole, works_on_all = (
            -np.logaddexp(0.0, -at[:, i : i + 1]) * rows.T[6]
            - np.logaddexp(0.0, at[:, i : i + 1]) * rows.T[7]
            for i in (6, 7)
        )
        forgot, works_on = forgot + whole, works_on + works_on_all
        return np.log1p(-np.minimum(share, _ALWAYS)) + works_on, np.log(share) + forgot

    def densities(at: Floats) -> Floats:
        prior = 0.5 * (((at - _MIXTURE) / _MIXTURE_SD) ** 2).sum(axis=1)
        return np.asarray(np.logaddexp(*logs(at)) @ count - prior)

    rng = np.random.default_rng(_SEED)

    def loss(at: Floats) -> float:
        return -float(densities(at[None])[0])

    found_at, *_ = optimisers.fmin_l_bfgs_b(loss, _MIXTURE, approx_grad=True)
    mode = mode_near(densities, np.asarray(found_at, dtype=np.float64))
    posterior = draws_of(densities, mode, covariance_at(densities, mode), _DRAWS, rng)

    def chances(at: Floats) -> Floats:
        """Return the probabilities of waits, in `rows`, to be ones of the forgotten."""
        works_on, forgot = logs(at)
        return np.asarray(expit(forgot - works_on))

    row, known = row.ravel(), posterior.moments()
    some = chances(posterior.pick(imputed, rng))[:, row]
    drawn = rng.random(some.shape) < some
    weights = (posterior.weights @ chances(posterior.at))[row]
    return weights, drawn, known.estimate(1, "logit"), known.estimate(6, "logit")
