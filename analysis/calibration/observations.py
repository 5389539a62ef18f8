"""What each reply did and could have done, from the log.

Agents that claim tasks themselves attempt ``max(new files, claims + blocked claims,
completions)`` tasks in a reply or, if this is 0, those that they edit. Duplicates and blocked
claims are attempts too. Pre-assigned agents own their tasks: a reply attempts those that it edits
or completes, but at most as many as are left.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.finished import COULD_TAKE, ListedTasks, could_take
from analysis.calibration.output_limits import LONG
from analysis.traces.team_runs import SELF_CLAIM, TeamRuns
from simulator.distributions import Floats
from simulator.model.protocols.pre_assigned import PreAssigned
from simulator.model.tasks import Task, TaskGraph

Ints = npt.NDArray[np.int64]
LIST = ["task_type", "p_label"]
"""Columns whose values are the key of a task list."""


def observe(real: TeamRuns) -> pd.DataFrame:
    """Return the replies in order of run, agent and round, with what they could have done.

    Added columns, counts of tasks unless said otherwise:

    * ``attempts``: the sum of ``edited``, tasks whose files it wrote (``fresh``: for the first
      time), and ``other``, tasks that it only claimed or handed in;
    * ``left``: tasks not done when the round began, of the agent's own if tasks were pre-assigned,
      else of all; what the agent could take of these, as `finished.COULD_TAKE` says;
    * ``blocked``: claims of tasks that could not start; 0 if tasks were pre-assigned, where a
      claim decides nothing;
    * ``list``: the key of the task list in `TeamRuns.tasks`; ``waiting``: of its tasks, the mean
      logarithm of how many wait for each;
    * ``owed``: tasks that the agent had claimed and not completed;
    * ``tried``: attempts that only an error could make fail;
    * ``again``: files that it had written before and writes again, but for those of blocked claims;
    * ``written``: files that any agent had edited before the round; ``work``: files edited;
    * ``is_idle``; ``could_work``: whether there was certainly a task for it (an agent that claims
      in a team may rightly leave open tasks to others); ``was_idle``: whether its call before was
      idle; ``is_first``: whether there was no call before; ``is_lost``: False for all calls, until
      `mark_lost` sets it; ``stalls``: likewise, until `forgetting.mark_forgotten` sets it;
      ``is_cut``: whether the reply reached its model's limit and neither claimed nor handed in.
    """
    calls = real.calls.sort_values(["run_dir", "agent", "round"], kind="stable")
    calls = calls.reset_index(drop=True)
    claims_itself = (calls["mode"] == SELF_CLAIM).to_numpy()
    deals = _Deals(real)
    total, own = deals.of(calls)
    agent = calls.groupby(["run_dir", "agent"], sort=False)
    agent_done = (agent["completed"].cumsum() - calls["completed"]).to_numpy()
    team_done = _before_round(calls, "completed")
    left = np.maximum(np.where(claims_itself, total - team_done, own - agent_done), 0)
    claimed = calls["claims"] + calls["blocked"]
    touched = np.maximum.reduce([calls["fresh_files"], claimed, calls["completed"]])
    touched = np.where(touched > 0, touched, calls["files"])
    touched = np.where(_only_claims(calls), 0, touched)
    dealt = np.maximum(calls["completed"], np.minimum(calls["files"], left))
    attempts = np.minimum(np.where(claims_itself, touched, dealt), total)
    is_idle = attempts == 0
    edited = np.minimum(calls["files"].to_numpy(), attempts)
    owed = np.maximum((agent["claims"].cumsum() - calls["claims"]).to_numpy() - agent_done, 0)
    alone = (calls["n_teammates"] == 1).to_numpy()
    seen = calls.assign(
        attempts=attempts,
        list=pd.Series(calls[LIST].itertuples(index=False, name=None), index=calls.index),
        waiting=deals.waiting(calls),
        blocked=np.where(claims_itself, calls["blocked"], 0),
        edited=edited,
        other=attempts - edited,
        fresh=np.minimum(calls["fresh_files"].to_numpy(), attempts),
        left=left,
        **deals.could_take(calls, left, claims_itself),
        owed=owed,
        again=np.maximum(calls["files"] - calls["fresh_files"] - calls["blocked"], 0),
        written=calls["files_there"],
        work=calls["files"],
        is_idle=is_idle,
        could_work=np.where(claims_itself, alone, True) & (left > 0),
        was_idle=pd.Series(is_idle).groupby(agent.ngroup()).shift(1, fill_value=False),
        is_first=~calls.duplicated(["run_dir", "agent"]),
        is_lost=False,
        stalls=False,
    )
    tried = np.where(claims_itself, tries(seen, owed), attempts)
    return seen.assign(tried=tried, is_cut=_is_cut(seen))


def longest_reply_s(calls: pd.DataFrame) -> float | None:
    """Return the duration of an agent's replies that reach the output limit.

    A reply that is cut off has no result, or a smaller one, and takes longer than most. So the
    limit shows as replies without result, all of about the same long duration. They are searched
    for beyond half of the 99th percentile of the replies with a result. At least three are needed.
    """
    working = calls.loc[~calls["is_idle"], "latency_s"]
    if working.empty:
        return None
    empty = calls.loc[calls["is_idle"] & (calls["left"] > 0), "latency_s"]
    long = empty[empty > 0.5 * working.quantile(0.99)]
    return float(long.median()) if len(long) >= 3 else None


def _is_cut(calls: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which replies reached their model's limit, and neither claimed nor handed in."""
    limits = {name: longest_reply_s(some) for name, some in calls.groupby("model_dir")}
    limit_s = calls["model_dir"].map({k: np.inf if s is None else s for k, s in limits.items()})
    is_long = (calls["latency_s"] > LONG * limit_s).to_numpy(dtype=bool)
    return is_long & ~calls[["claims", "completed"]].to_numpy().any(axis=1)


def mark_lost(calls: pd.DataFrame, limit_s: float) -> pd.DataFrame:
    """Return the calls with ``is_lost`` set where the reply was cut off and had no result.

    Such calls are not idle: they attempted more than the tasks that fit into the reply (``fits``,
    infinite where nothing is cut off). In all calls, the tasks that could be taken are limited to
    those, since more cannot be observed.
    """
    fits = calls["fits"].to_numpy(dtype=float)
    lost = calls["is_idle"] & (calls["left"] > fits) & (calls["latency_s"] > LONG * limit_s)
    held = np.maximum(1.0, np.floor(fits))
    calls = calls.assign(
        is_lost=lost,
        is_idle=calls["is_idle"] & ~lost,
        attempts=_whole(
            np.where(lost, held, np.minimum(calls["attempts"], calls["left"].clip(lower=1)))
        ),
    )
    agent = calls.groupby(["run_dir", "agent"], sort=False)
    return calls.assign(
        was_idle=agent["is_idle"].shift(1, fill_value=False),
        left=_whole(np.minimum(calls["left"], held)),
        worked_on=_whole(np.where(lost, held, calls["worked_on"])),
        open=_whole(np.minimum(calls["open"], held)),
        ready=_whole(np.minimum(calls["ready"], held)),
    )


def _whole(numbers: Floats) -> Ints:
    return np.asarray(numbers, dtype=np.int64)


def _before_round(calls: pd.DataFrame, name: str) -> Ints:
    """Return the team's total of a column before the round of each call."""
    by_round = calls.groupby(["run_dir", "round"])[name].sum()
    before = by_round.groupby(level="run_dir").cumsum() - by_round
    index = pd.MultiIndex.from_frame(calls[["run_dir", "round"]])
    return np.asarray(before.reindex(index).to_numpy(), dtype=np.int64)


def tries(calls: pd.DataFrame, owed: Ints, lost: Ints | int = 0, noticed: Ints | int = 0) -> Ints:
    """Return the attempts of self-claiming agents at tasks of their own that could be done.

    These are the tasks claimed in the call and those owed whose files it writes again or, if they
    are more, those that it completes. In a call that does no such thing and is not blocked they are
    edits of tasks owed or, by an agent alone, of any that are left.

    Parameters
    ----------
    calls : DataFrame
        Columns of `observe`: ``claims, completed, blocked, files, again, left, n_teammates``.
    owed : ndarray of int, shape (calls,)
        Tasks claimed before that may be tried.
    lost, noticed : ndarray of int, shape (calls,), optional
        Of the tasks claimed, those finished and not handed in; of those completed, those that were
        finished before.
    """
    claims, completed, files, again, left = (
        calls[name].to_numpy(dtype=np.int64)
        for name in ("claims", "completed", "files", "again", "left")
    )
    acts = np.maximum(completed, claims - lost + np.minimum(again, owed) + noticed)
    mine = np.where(calls["n_teammates"] == 1, left, owed)
    nothing_else = ~calls[["claims", "completed", "blocked"]].to_numpy().any(axis=1)
    tried = np.where(nothing_else, np.minimum(files, mine), acts)
    return np.where(_only_claims(calls), 0, tried)


def _only_claims(calls: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which replies claim tasks, and neither work on one nor hand one in."""
    acts = calls[["files", "completed", "blocked"]].to_numpy().any(axis=1)
    return np.asarray((calls["claims"].to_numpy() > 0) & ~acts)


class _Deals:
    """Task lists: number of tasks, who owns them, and how many can start after some are done."""

    def __init__(self, real: TeamRuns) -> None:
        self._graphs = {
            key: TaskGraph.of([Task.model_validate(task) for task in tasks])
            for key, tasks in real.tasks.items()
        }
        self._owned: dict[tuple[str, str, int], Ints] = {}
        self._listed = {
            key: ListedTasks(graph, [task["files"] for task in real.tasks[key]])
            for key, graph in self._graphs.items()
        }

    def of(self, calls: pd.DataFrame) -> tuple[Ints, Ints]:
        """Return for each call the number of all tasks, and that of its agent's if pre-assigned."""
        agent = pd.Series(pd.factorize(calls["agent"], sort=True)[0], index=calls.index)
        seat = agent.groupby(calls["run_dir"]).rank(method="dense") - 1
        keys = zip(calls["task_type"], calls["p_label"], calls["n_teammates"], seat, strict=True)
        rows = [self._numbers(kind, p, int(n), int(i)) for kind, p, n, i in keys]
        total, own = np.asarray(rows, dtype=np.int64).T
        return total, own

    def _numbers(self, kind: str, p: str, n: int, seat: int) -> tuple[int, int]:
        graph = self._graphs[kind, p]
        if (kind, p, n) not in self._owned:
            owners = PreAssigned().owners(graph, n)
            self._owned[kind, p, n] = np.bincount(owners, minlength=n)
        own = self._owned[kind, p, n]
        return len(graph), int(own[min(seat, n - 1)])

    def could_take(
        self, calls: pd.DataFrame, left: Ints, claims_itself: npt.NDArray[np.bool_]
    ) -> dict[str, Ints]:
        """Return the columns of `observe` that say what calls could take.

        A pre-assigned call does a task together with those it needs: all that is left.
        """
        found = np.repeat(left[:, None], len(COULD_TAKE), axis=1)
        found[claims_itself] = could_take(calls[claims_itself], self._listed)
        columns = dict(zip(COULD_TAKE, found.T, strict=True))
        for name in ("worked_on", "held"):
            columns[name] = np.where(claims_itself, columns[name], 0)
        return columns

    def waiting(self, calls: pd.DataFrame) -> Floats:
        """Return the mean logarithm of how many tasks of the list wait for each, itself too."""
        means = {key: np.log(graph.waiting).mean() for key, graph in self._graphs.items()}
        keys = zip(calls["task_type"], calls["p_label"], strict=True)
        return np.asarray([means[key] for key in keys], dtype=np.float64)


def round_overhead_s(runs: pd.DataFrame, calls: pd.DataFrame) -> float:
    """Return the mean seconds a round takes beyond its longest call."""
    longest = calls.groupby(["run_dir", "round"])["latency_s"].max().groupby(level=0).sum()
    indexed = runs.set_index("run_dir")
    extra = indexed["wall_clock_seconds"] - longest.reindex(indexed.index)
    return float(max(0.0, extra.sum() / indexed["total_rounds"].sum()))
