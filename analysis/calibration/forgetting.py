"""Estimates how often agents claim a task and do not hand it in, and whether they notice it later.

A wait is a row of calls of an agent that owes tasks (it has claimed them and not handed them in)
until one in which it hands one in. Most waits end with the next call: the agent works on what it
has claimed. Some hardly ever end: the claim is orphaned. So waits are a mixture of a beta-geometric
distribution, as agents that work on what they hold differ in how soon they are done, and a
geometric one with a small chance (a cure model: Boag 1949; Farewell 1982). A wait that the run's
end cuts off is censored; a reply that was itself cut off is no part of one. Which waits are of
forgotten tasks is drawn several times from what is known of it. That a finished task is forgotten
is a logistic regression on the further tasks of its call and on whether there are other workers,
with an intercept for each cell (see `logits`), over all of these draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from analysis.calibration.draws import covariance_at, draws_of
from analysis.calibration.estimates import Estimate, VectorFit
from analysis.calibration.logits import Trials, fit_imputed_logits
from analysis.calibration.observations import tries
from analysis.calibration.rounding import LEAST, four_digits
from simulator.distributions import Floats
from simulator.special import expit

_MIXTURE = np.asarray([-2.0, -4.0, 1.5, 1.0, 0.0])
"""Means of the priors of the mixture: the logits of the share of forgotten waits, of the chance
that a call hands in what was forgotten, and of the mean chance that it hands in what is at hand;
the logarithm of by how much the first beta parameter of the latter is above 1. (If it were below,
work at hand could be left for ever, and nothing told it from what is forgotten.) The last is how
much higher the first is where there are other workers: what is fitted to waits that are told apart
must be allowed for in telling them apart, else it is drawn to 0 (Meng 1994)."""
_MIXTURE_SD = np.asarray([1.5, 1.5, 1.0, 1.0, 1.5])

_PRIOR = np.asarray([-4.0, 0.0, 0.0])
"""Mean of the prior of the logit, and of its slopes by further claims and by company."""
_PRIOR_SD = np.asarray([2.0, 0.2, 1.5])

_MOST = 0.9999
"""Largest probability of forgetting that is said: the last below 1 of four digits."""

_DRAWS = 2000
"""Draws from the posterior of the mixture."""
_IMPUTED = 20
"""Times that waits are told apart at random, by what is known of them."""
_SEED = 20261128
_SAME, _ALWAYS = 20.0, 1.0 - 1e-9
"""Beyond these, a beta distribution is a point, and what is forgotten is handed in at once."""


@dataclass(frozen=True, slots=True)
class Forgetfulness:
    """How likely an agent is to forget what it has claimed, in one cell.

    Attributes
    ----------
    logit : VectorFit
        Logit of the probability for a finished task, alone in its call, of an agent alone; its
        increase for each further task of the call, and where there are other workers.
    notice : Estimate
        Probability, in each later call, of handing it in.
    """

    logit: VectorFit
    notice: Estimate

    def draw(self, rng: np.random.Generator) -> Forgetfulness:
        """Return one whose parameters are drawn from their uncertainty."""
        return Forgetfulness(self.logit.draw(rng), self.notice.draw(rng))

    def spec(self) -> dict[str, float]:
        """Return it as a scenario says it (`simulator.scenario.forgetting.Forgetting`).

        Its probability is neither 0 nor 1, which no slope would change, however it was drawn.
        """
        logit, claims, others = map(float, self.logit.at)
        return {
            "probability": min(max(LEAST, four_digits(float(expit(logit)))), _MOST),
            "claims_logit": four_digits(claims),
            "team_logit": four_digits(others),
            "notice": four_digits(self.notice.value),
        }

    def parameters(self) -> dict[str, Estimate]:
        """Return every parameter with its standard error, by name."""
        return {
            "forgets": self.logit.estimate(0, "logit"),
            "forgets_claims_logit": self.logit.estimate(1, "identity"),
            "forgets_team_logit": self.logit.estimate(2, "identity"),
            "notices": self.notice,
        }


@dataclass(slots=True)
class _Owed:
    """Tasks that a call has claimed and not handed in, and how long they have been the latest."""

    claimed: int
    tasks: int
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
        ``ended``: whether anything was handed in.
    """
    rows: list[tuple[int, int, list[int], int, int, int, bool]] = []
    whole = calls[~calls["is_cut"].to_numpy(dtype=bool)]
    for _, mine in whole.groupby(["run_dir", "agent"], sort=False):
        held: list[_Owed] = []
        counts = mine[["claims", "completed", "again"]].itertuples(name=None)
        for label, claims, completed, again in counts:
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
                rows.append((last.claimed, done, during, len(during), before, last.exposed, True))
                later -= done
                if last.tasks > done:
                    held.append(_Owed(last.claimed, last.tasks - done))
            if claims > at_once:
                held.append(_Owed(label, claims - at_once))
        for each in held:
            took = each.calls, len(each.calls), len(held), each.exposed, False
            rows.append((each.claimed, each.tasks, *took))
    names = ["claimed", "tasks", "during", "calls", "owed", "exposed", "ended"]
    return pd.DataFrame(rows, columns=names).astype({"ended": bool})  # though it had no rows


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits of an agent, told apart.

    Attributes
    ----------
    found : DataFrame
        As `waits` returns them.
    drawn : ndarray of bool, shape (M, waits)
        Whether each is one of forgotten tasks, drawn from what is known of it.
    notice : Estimate
        Probability that a call hands in what had been forgotten.
    """

    found: pd.DataFrame
    drawn: npt.NDArray[np.bool_]
    notice: Estimate

    @property
    def weights(self) -> Floats:
        """Probability of each wait to be one of forgotten tasks."""
        return np.asarray(self.drawn.mean(axis=0))


def fit_waits(calls: pd.DataFrame) -> Waits:
    """Tell the waits of an agent apart, in all of its calls (see `waits`)."""
    found = waits(calls)
    has_company = calls["n_teammates"].reindex(found["claimed"]).to_numpy() > 1
    return Waits(found, *_mixture(found.assign(has_company=has_company)))


def fit_forgetting(cells: Sequence[pd.DataFrame], told: Waits) -> list[Forgetfulness]:
    """Fit the cells of an agent that claims its tasks itself.

    Parameters
    ----------
    cells : sequence of DataFrame
        All calls of each cell, in order within each agent, with ``n_teammates``.
    told : Waits
        Those in these calls.
    """
    found = told.found
    imputed = []
    for forgotten in told.drawn:
        those = found[forgotten]
        lost = those.groupby("claimed")["tasks"].sum()
        # They were finished then, and not in the call that notices them.
        ended = those[those["ended"]]
        noticed = ended.groupby(ended["during"].str[-1])["tasks"].sum()
        imputed.append([_finished(calls, lost, noticed) for calls in cells])
    laws = fit_imputed_logits(imputed, _PRIOR, _PRIOR_SD, np.random.default_rng(_SEED))
    return [Forgetfulness(law, told.notice) for law in laws]


def _finished(calls: pd.DataFrame, lost: pd.Series, noticed: pd.Series) -> Trials:
    """Return the calls that have finished tasks, and how many did not hand in all of them.

    What a call does not hand in counts once, however many tasks it is: real agents forget one task,
    or all of a call together. Calls of as many tasks, in as much company, are one row.
    """
    missed = lost.reindex(calls.index, fill_value=0).to_numpy(dtype=float)
    again = noticed.reindex(calls.index, fill_value=0).to_numpy(dtype=float)
    finished = calls["completed"].to_numpy(dtype=float) - again + missed
    tasks = np.maximum(calls["claims"].to_numpy(dtype=float), finished)
    has_company = calls["n_teammates"].to_numpy() > 1
    used = finished > 0.0
    kinds, row = np.unique(
        np.column_stack([tasks - 1.0, has_company, finished])[used], axis=0, return_inverse=True
    )
    forgets = np.bincount(row.ravel(), missed[used] > 0.0, len(kinds)).astype(float)
    number = np.bincount(row.ravel(), minlength=len(kinds)).astype(float)
    return Trials(kinds[:, :2], forgets, number, kinds[:, 2])


def _mixture(found: pd.DataFrame) -> tuple[npt.NDArray[np.bool_], Estimate]:
    """Return draws of which waits are of forgotten tasks, and the probability of noticing."""
    names = ["calls", "ended", "owed", "exposed", "has_company"]
    rows, row = np.unique(found[names].to_numpy(dtype=float), axis=0, return_inverse=True)
    count = np.bincount(row.ravel(), minlength=len(rows)).astype(float)
    calls, ended, owed, exposed, has_company = rows.T

    def logs(at: Floats) -> tuple[Floats, Floats]:
        """Return the log likelihoods of waits, as ones of work at hand and of the forgotten."""
        share = expit(at[:, :1] + at[:, 4:] * has_company)
        notice, mean = (expit(each)[:, None] for each in at.T[1:3])
        a = 1.0 + np.exp(np.minimum(at[:, 3:4], _SAME))
        b = a * (1.0 - mean) / mean
        works_on = scipy.special.betaln(a + ended, b + calls - ended) - scipy.special.betaln(a, b)
        overlooks = np.log1p(-np.minimum(notice, _ALWAYS))
        forgot = exposed * overlooks + ended * np.log(-np.expm1(owed * overlooks))
        return np.log1p(-np.minimum(share, _ALWAYS)) + works_on, np.log(share) + forgot

    def densities(at: Floats) -> Floats:
        prior = 0.5 * (((at - _MIXTURE) / _MIXTURE_SD) ** 2).sum(axis=1)
        return np.asarray(np.logaddexp(*logs(at)) @ count - prior)

    rng = np.random.default_rng(_SEED)

    def loss(at: Floats) -> float:
        return -float(densities(at[None])[0])

    found_at = scipy.optimize.minimize(loss, _MIXTURE, method="L-BFGS-B")
    mode = np.asarray(found_at.x, dtype=np.float64)
    posterior = draws_of(densities, mode, covariance_at(densities, mode), _DRAWS, rng)
    works_on, forgot = logs(posterior.pick(_IMPUTED, rng))
    chances = expit(forgot - works_on)[:, row.ravel()]
    return rng.random(chances.shape) < chances, posterior.moments().estimate(1, "logit")


def mark_forgotten(calls: pd.DataFrame, told: Waits) -> pd.DataFrame:
    """Return the calls of an agent with what it has forgotten neither tried nor there to be done.

    An agent that has forgotten a task does not fail at it: ``tried`` leaves it out, until the call
    that notices it. Nor is it idle although there is work: ``could_work`` is false while all that
    is left may wait for the task. ``stalls`` is true for the calls during which the agent has
    forgotten a task, that is, in waits that are likelier those of a forgotten task than not.

    Parameters
    ----------
    calls : DataFrame
        As `observations.observe` returns them.
    told : Waits
        The waits in them.
    """
    n, acts = len(calls), calls[["claims", "completed"]].to_numpy().any(axis=1)
    at = pd.Series(np.arange(n), index=calls.index)
    last = at.groupby([calls["run_dir"], calls["agent"]]).transform("max")
    forgotten = told.found[told.weights > 0.5]
    tasks, ended = forgotten["tasks"].to_numpy(), forgotten["ended"].to_numpy()
    begin, end = at[forgotten["claimed"]].to_numpy(), last[forgotten["claimed"]].to_numpy(copy=True)
    end[ended] = at[forgotten.loc[ended, "during"].str[-1]].to_numpy()
    lost, noticed, kept = (np.zeros(n + 1, dtype=np.int64) for _ in range(3))
    np.add.at(lost, begin, tasks)
    np.add.at(noticed, end, tasks * ended)
    np.add.at(kept, begin + 1, tasks)
    np.subtract.at(kept, end + 1, tasks)
    owed = np.maximum(0, calls["owed"].to_numpy() - kept.cumsum()[:n])
    stalls = np.zeros(n, dtype=bool)
    stalls[at[forgotten["during"].explode().dropna()].to_numpy()] = True
    return calls.assign(
        tried=np.where(stalls & ~acts, 0, tries(calls, owed, lost[:n], noticed[:n])),
        could_work=calls["could_work"].to_numpy() & ~stalls,
        stalls=stalls,
    )
