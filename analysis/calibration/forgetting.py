"""Estimates how often agents claim a task and do not hand it in, and whether they notice it later.

What is forgotten is told by waits (see `waits`). That a finished task is forgotten is a logistic
regression on the further tasks of its call, on whether there are other workers, and on how many
tasks wait for it, with an intercept for each cell (see `logits`), over all draws of which waits are
of forgotten tasks. Which task was forgotten is told by what is left undone (see `waiting`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.estimates import Estimate, VectorFit
from analysis.calibration.hyperpriors import Prior, shipped
from analysis.calibration.logits import (
    Trials,
    fit_imputed_agent_logits,
    fit_imputed_logits,
    joined,
)
from analysis.calibration.observations import tries
from analysis.calibration.rounding import LEAST, four_digits
from analysis.calibration.waiting import Runs, WaitingTasks, stalled_at, which_tasks
from analysis.calibration.waits import Waits
from simulator.distributions import Floats
from simulator.special import expit

_MOST = 0.9999
"""Largest probability of forgetting that is said: the last below 1 of four digits."""

_SEED = 20261128

Cells: TypeAlias = "Sequence[Sequence[tuple[pd.DataFrame, WaitingTasks]]]"
"""For each cell and each of its task lists, all calls, in order within each agent, with
``n_teammates``, and which tasks wait for which."""


@dataclass(frozen=True, slots=True)
class Forgetfulness:
    """How likely an agent is to forget what it has claimed, in one cell.

    Attributes
    ----------
    logit : VectorFit
        Logit of the probability for a finished task for which no other waits, alone in its call,
        of an agent alone; its increase for each further task of the call, where there are other
        workers, and with the logarithm of the tasks that wait for it, itself among them.
    all_or_nothing : Estimate
        Share of the calls that keep all that they finish, or nothing.
    notice : Estimate
        Probability, in each later call, of handing it in.
    """

    logit: VectorFit
    all_or_nothing: Estimate
    notice: Estimate

    def draw(self, rng: np.random.Generator) -> Forgetfulness:
        """Return one whose parameters are drawn from their uncertainty."""
        return Forgetfulness(
            self.logit.draw(rng), self.all_or_nothing.draw(rng), self.notice.draw(rng)
        )

    def spec(self) -> dict[str, float]:
        """Return it as a scenario says it (`simulator.scenario.forgetting.Forgetting`).

        Its probability is neither 0 nor 1, which no slope would change, however it was drawn.
        """
        logit, claims, others, waiting = map(float, self.logit.at)
        return {
            "probability": min(max(LEAST, four_digits(float(expit(logit)))), _MOST),
            "claims_logit": four_digits(claims),
            "team_logit": four_digits(others),
            "waiting_logit": four_digits(waiting),
            "all_or_nothing": four_digits(self.all_or_nothing.value),
            "notice": four_digits(self.notice.value),
        }

    def parameters(self) -> dict[str, Estimate]:
        """Return every parameter with its standard error, by name."""
        return {
            "forgets": self.logit.estimate(0, "logit"),
            "forgets_claims_logit": self.logit.estimate(1, "identity"),
            "forgets_team_logit": self.logit.estimate(2, "identity"),
            "forgets_waiting_logit": self.logit.estimate(3, "identity"),
            "forgets_all_or_nothing": self.all_or_nothing,
            "notices": self.notice,
        }


def fit_forgetting(cells: Cells, told: Waits, prior: Prior | None = None) -> list[Forgetfulness]:
    """Fit the cells of an agent that claims its tasks itself.

    Parameters
    ----------
    cells : Cells
    told : Waits
        Those in these calls.
    prior : Prior, optional
        Of the agent; that of the hyperpriors that ship.
    """
    prior = prior or shipped().priors["forgetting"]
    imputed, centre = _imputed(cells, told)
    laws = fit_imputed_logits(imputed, prior.mean, prior.sd, np.random.default_rng(_SEED))
    to_one = np.eye(len(prior.mean))
    to_one[0, -1] = -centre
    laws = [VectorFit(to_one @ law.at, to_one @ law.covariance @ to_one.T) for law in laws]
    return [Forgetfulness(law, told.all_or_nothing, told.notice) for law in laws]


def by_list(cells: Sequence[pd.DataFrame], waiting: Mapping[Any, WaitingTasks]) -> Cells:
    """Return the calls of cells, which have a column ``list``, with the tasks of their lists."""
    return [
        [(some, waiting[some["list"].iloc[0]]) for _, some in calls.groupby("list")]
        for calls in cells
    ]


def fit_agent_forgetting(cells: Cells, told: Waits, prior: Prior) -> VectorFit:
    """Return the parameters of the agent itself, the logit of a usual task first.

    Parameters
    ----------
    cells, told, prior
        As of `fit_forgetting`.
    """
    imputed, _ = _imputed(cells, told)
    rng = np.random.default_rng(_SEED)
    return fit_imputed_agent_logits(imputed, prior.mean, prior.sd, rng)


def _imputed(cells: Cells, told: Waits) -> tuple[list[list[Trials]], float]:
    """Return the trials of each cell for each draw of `told`, and the centre of their logarithms.

    The prior is one of the logit of a usual task, and not of one for which no other waits.
    """
    centre = float(np.mean([tasks.mean_log for cell in cells for _, tasks in cell]))
    finished = [[_Finished(calls, told.found, tasks, centre) for calls, tasks in c] for c in cells]
    imputed = [
        [joined([each.trials(forgotten) for each in cell]) for cell in finished]
        for forgotten in told.drawn
    ]
    return imputed, centre


class _Finished:
    """The calls of a cell that have finished tasks, whichever waits are of forgotten tasks.

    What a call does not hand in counts once, however many tasks it is: real agents keep one of
    them, or all. Calls of as many tasks, in as much company, are one row for each number of tasks
    that may wait for theirs. Which of the tasks that are done in a run a call has finished is not
    known: it counts for each number by its share of them. A forgotten task is known where it alone
    has stalled the run.

    Parameters
    ----------
    calls : DataFrame
        Of the cell and one task list.
    found : DataFrame
        The agent's waits.
    waiting : WaitingTasks
    centre : float
        Taken from the logarithms of how many tasks wait.
    """

    def __init__(
        self, calls: pd.DataFrame, found: pd.DataFrame, waiting: WaitingTasks, centre: float
    ) -> None:
        self._waiting = waiting
        self._logs = np.log(waiting.numbers) - centre
        self._runs = Runs(calls)
        self._claims, self._completed = (
            calls[name].to_numpy(dtype=float) for name in ("claims", "completed")
        )
        self._has_company = calls["n_teammates"].to_numpy() > 1
        # Of each wait the place of the call that has claimed, and of the one that has handed in.
        self._claimed = calls.index.get_indexer(pd.Index(found["claimed"]))
        self._noticed = calls.index.get_indexer(pd.Index(found["during"].str[-1]))
        self._tasks = found["tasks"].to_numpy(dtype=float)
        self._ended = found["ended"].to_numpy(dtype=bool)

    def trials(self, forgotten: npt.NDArray[np.bool_]) -> Trials:
        """Return the calls, and how many did not hand in all, where these waits are forgotten."""
        missed = self._sums(self._claimed, forgotten)
        # They were finished then, and not in the call that notices them.
        again = self._sums(self._noticed, forgotten & self._ended)
        for_good = self._sums(self._claimed, forgotten & ~self._ended)
        finished = self._completed - again + missed
        tasks = np.maximum(self._claims, finished)
        used = finished > 0.0
        kinds, kind = np.unique(
            np.column_stack([tasks - 1.0, self._has_company, finished])[used],
            axis=0,
            return_inverse=True,
        )
        hit = missed[used] > 0.0
        stalled = stalled_at(self._runs, for_good, self._waiting)
        done, known = which_tasks(self._runs.of[used], for_good[used], stalled, self._waiting)
        is_known = hit & known
        shape = len(kinds), len(self._logs)
        misses, hits = np.zeros(shape), np.zeros(shape)
        np.add.at(misses, kind.ravel()[~hit], done[~hit])
        np.add.at(hits, kind.ravel()[is_known], done[is_known])
        unknown = np.zeros((int((hit & ~known).sum()), *shape))
        unknown[np.arange(len(unknown)), kind.ravel()[hit & ~known]] = done[hit & ~known]
        row, number = np.nonzero(misses + hits + unknown.sum(axis=0))
        covariates = np.column_stack([kinds[row, :2], self._logs[number]])
        hits, misses = hits[row, number], misses[row, number]
        return Trials(covariates, hits, hits + misses, kinds[row, 2], unknown[:, row, number])

    def _sums(self, call: npt.NDArray[np.intp], waits: npt.NDArray[np.bool_]) -> Floats:
        """Return the tasks of some waits for each call, where the calls of waits are said."""
        those = waits & (call >= 0)
        of_call = np.bincount(call[those], self._tasks[those], minlength=len(self._claims))
        return np.asarray(of_call, dtype=np.float64)


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
