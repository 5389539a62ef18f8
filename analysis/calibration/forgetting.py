"""Estimates how often agents claim a task and do not hand it in, and whether they notice it later.

A wait is a row of calls of an agent that owes tasks (it has claimed them and not handed them in)
until one in which it hands one in. Most waits end with the next call: the agent works on what it
has claimed. Some hardly ever end: the claim is orphaned. So waits are a mixture of a beta-geometric
distribution, as agents that work on what they hold differ in how soon they are done, and a
geometric one with a small chance (a cure model: Boag 1949; Farewell 1982). A wait that the run's
end cuts off is censored. That a finished task is forgotten is a logistic regression on the further
tasks of its call and on whether there are other workers, with an intercept for each cell (see
`logits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from analysis.calibration.estimates import BetaEstimate, Estimate, VectorFit
from analysis.calibration.logits import Trials, fit_logits
from analysis.calibration.rounding import four_digits
from simulator.distributions import Floats

_MIXTURE = np.asarray([-2.0, -4.0, 1.5, 1.0])
"""Means of the priors of the mixture: the logits of the share of forgotten waits, of the chance
that a call hands in what was forgotten, and of the mean chance that it hands in what is at hand;
the logarithm of how little the latter varies from wait to wait (its beta parameters' sum)."""
_MIXTURE_SD = np.asarray([1.5, 1.5, 1.0, 1.0])

_PRIOR = np.asarray([-4.0, 0.0, 0.0])
"""Mean of the prior of the logit, and of its slopes by further claims and by company."""
_PRIOR_SD = np.asarray([2.0, 0.2, 1.5])

_NOTICES = 0.1, 2.0
"""Beta prior of the probability that a call hands in what its agent had forgotten: seldom."""


@dataclass(frozen=True, slots=True)
class Forgetfulness:
    """How likely an agent is to forget what it has claimed, in one cell.

    Attributes
    ----------
    logit : VectorFit
        Logit of the probability for a finished task, alone in its call, of an agent alone; its
        increase for each further task of the call, and where there are other workers.
    notice : BetaEstimate
        Probability, in each later call, of handing it in.
    """

    logit: VectorFit
    notice: Estimate | BetaEstimate

    def draw(self, rng: np.random.Generator) -> Forgetfulness:
        """Return one whose parameters are drawn from their uncertainty."""
        return Forgetfulness(self.logit.draw(rng), self.notice.draw(rng))

    def spec(self) -> dict[str, float]:
        """Return it as a scenario says it (`simulator.scenario.forgetting.Forgetting`)."""
        logit, claims, others = map(float, self.logit.at)
        return {
            "probability": four_digits(float(scipy.special.expit(logit))),
            "claims_logit": four_digits(claims),
            "team_logit": four_digits(others),
            "notice": four_digits(self.notice.value),
        }

    def parameters(self) -> dict[str, Estimate | BetaEstimate]:
        """Return every parameter with its standard error, by name."""
        return {
            "forgets": self.logit.estimate(0, "logit"),
            "forgets_claims_logit": self.logit.estimate(1, "identity"),
            "forgets_team_logit": self.logit.estimate(2, "identity"),
            "notices": self.notice,
        }


def waits(calls: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each wait: where it began, how many calls it took, whether it ended.

    Parameters
    ----------
    calls : DataFrame
        Calls in order within each agent: ``run_dir, agent, claims, completed``.

    Returns
    -------
    DataFrame
        ``claimed``: label of the latest call that claimed what is owed; ``begun``: label of the
        call after which the wait began; ``calls``: later calls of the agent, that which hands in
        included; ``ended``: whether there was one.
    """
    rows: list[tuple[int, int, int, bool]] = []
    for _, mine in calls.groupby(["run_dir", "agent"], sort=False):
        owed, claimed, begun, waited = 0, -1, -1, 0
        for label, claims, completed in zip(
            mine.index, mine["claims"], mine["completed"], strict=True
        ):
            at_once = min(claims, completed)
            later = min(completed - at_once, owed)
            if owed:
                waited += 1
                if later:
                    rows.append((claimed, begun, waited, True))
            if later or not owed:
                begun, waited = label, 0
            if claims > at_once:
                claimed = label
            owed += claims - at_once - later
        if owed:
            rows.append((claimed, begun, waited, False))
    return pd.DataFrame(rows, columns=["claimed", "begun", "calls", "ended"])


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits of an agent, told apart.

    Attributes
    ----------
    found : DataFrame
        As `waits` returns them.
    weights : ndarray
        Probability of each to be one of a forgotten task.
    notice : BetaEstimate
        Probability that a call hands in what had been forgotten.
    """

    found: pd.DataFrame
    weights: Floats
    notice: BetaEstimate


def fit_waits(calls: pd.DataFrame) -> Waits:
    """Tell the waits of an agent apart, in all of its calls (see `waits`)."""
    found = waits(calls)
    return Waits(found, *_mixture(found))


def fit_forgetting(cells: Sequence[pd.DataFrame], told: Waits) -> list[Forgetfulness]:
    """Fit the cells of an agent that claims its tasks itself.

    Parameters
    ----------
    cells : sequence of DataFrame
        All calls of each cell, in order within each agent, with ``n_teammates``.
    told : Waits
        Those in these calls.
    """
    forgotten = pd.Series(told.weights).groupby(told.found["claimed"].to_numpy()).sum()
    laws = fit_logits([_finished(calls, forgotten) for calls in cells], _PRIOR, _PRIOR_SD)
    return [Forgetfulness(law, told.notice) for law in laws]


def _finished(calls: pd.DataFrame, forgotten: pd.Series) -> Trials:
    """Return how many tasks each call has finished, and how many of them it did not hand in."""
    lost = forgotten.reindex(calls.index, fill_value=0.0).to_numpy(dtype=float)
    tasks = calls[["claims", "completed"]].to_numpy(dtype=float).max(axis=1)
    lost = np.minimum(lost, calls["claims"].to_numpy(dtype=float))
    finished = calls["completed"].to_numpy(dtype=float) + lost
    has_company = calls["n_teammates"].to_numpy() > 1
    used = finished > 0.0
    covariates = np.column_stack([tasks - 1.0, has_company])[used]
    return Trials(covariates, lost[used], finished[used])


def _mixture(found: pd.DataFrame) -> tuple[Floats, BetaEstimate]:
    """Return the probability of each wait to be one of a forgotten task, and that of noticing."""
    calls = found["calls"].to_numpy(dtype=float)
    ended = found["ended"].to_numpy(dtype=bool)

    def logs(at: Floats) -> tuple[Floats, Floats]:
        """Return the log likelihood of each wait, as one of work at hand and of the forgotten."""
        share, notice, mean = scipy.special.expit(at[:3])
        a, b = np.exp(at[3]) * mean, np.exp(at[3]) * (1.0 - mean)
        works_on = scipy.special.betaln(a + ended, b + calls - ended) - scipy.special.betaln(a, b)
        forgot = ended * np.log(notice) + (calls - ended) * np.log1p(-notice)
        return np.log1p(-share) + works_on, np.log(share) + forgot

    def loss(at: Floats) -> float:
        prior = float((((at - _MIXTURE) / _MIXTURE_SD) ** 2).sum()) / 2
        return prior - float(np.logaddexp(*logs(at)).sum())

    at = scipy.optimize.minimize(loss, _MIXTURE, method="L-BFGS-B").x
    works_on, forgot = logs(at)
    weights = np.exp(forgot - np.logaddexp(works_on, forgot))
    hits, misses = float(weights @ ended), float(weights @ (calls - ended))
    return weights, BetaEstimate(_NOTICES[0] + hits, _NOTICES[1] + misses)


def mark_forgotten(calls: pd.DataFrame, told: Waits) -> pd.DataFrame:
    """Return the calls of an agent with what it has forgotten neither tried nor there to be done.

    An agent that has forgotten a task does not fail at it: ``tried`` leaves it out. Nor is it idle
    although there is work: ``could_work`` is false while all that is left may wait for the task.
    ``stalls`` is true for the calls during which the agent has forgotten a task, that is, in waits
    that are likelier those of a forgotten task than not.

    Parameters
    ----------
    calls : DataFrame
        As `observations.observe` returns them.
    told : Waits
        The waits in them.
    """
    at = pd.Series(np.arange(len(calls)), index=calls.index)
    tried, claims = calls["tried"].to_numpy().copy(), calls["claims"].to_numpy()
    done = calls["completed"].to_numpy()
    stalls = np.zeros(len(calls), dtype=bool)
    forgotten = told.found[told.weights > 0.5]
    made = at[forgotten["claimed"]].to_numpy()
    tried[made] = done[made]
    first = at[forgotten["begun"]].to_numpy() + 1
    for begins, ends in zip(first, first + forgotten["calls"].to_numpy(), strict=True):
        stalls[begins:ends] = True
    acts = np.maximum(done, claims) > 0
    return calls.assign(
        tried=np.where(stalls & ~acts, 0, tried),
        could_work=calls["could_work"].to_numpy() & ~stalls,
        stalls=stalls,
    )
