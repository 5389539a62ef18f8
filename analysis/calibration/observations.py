"""What a reply did and could have done, from the log.

Agents that claim tasks themselves attempt ``max(new files, claims + blocked claims,
completions)`` in a reply, or what they edit if that is nothing: duplicates and blocked claims
are attempts too. Pre-assigned agents own their tasks: a reply attempts what it edits or
completes; what it edits beyond the tasks that are left is no attempt at them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.traces.team_runs import SELF_CLAIM, TeamRuns
from simulator.model.protocols.pre_assigned import PreAssigned
from simulator.model.tasks import Task, TaskGraph

Ints = npt.NDArray[np.int64]


def observe(real: TeamRuns) -> pd.DataFrame:
    """Return the replies in order of run, agent and round, with what they could have done.

    Added columns, counts of tasks unless said otherwise:

    * ``attempts``, of which `edited` ones whose files it wrote (`fresh` for the first time) and
      `other` ones, only claimed or handed in;
    * ``left``, to be done when the round began: of the agent's own where tasks were dealt out,
      else of all; ``ready``, those that could start;
    * ``blocked``: claims of tasks that could not start, none where tasks were dealt out (there
      a claim decides nothing);
    * ``owed``: claimed before by the agent and not completed;
    * ``tried``: attempts that nothing but an error kept from success;
    * ``written``: files that somebody had edited before the round, ``work``: files edited;
    * ``is_idle``; ``could_work``: whether there was certainly something for it to do (who
      claims in a team may rightly leave what is open to others); ``was_idle``: whether its
      call before was idle, and ``is_first``, whether there was none; ``is_lost``: nobody's
      yet, see `mark_lost`.
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
    dealt = np.maximum(calls["completed"], np.minimum(calls["files"], left))
    attempts = np.minimum(np.where(claims_itself, touched, dealt), total)
    is_idle = attempts == 0
    edited = np.minimum(calls["files"].to_numpy(), attempts)
    owed = np.maximum((agent["claims"].cumsum() - calls["claims"]).to_numpy() - agent_done, 0)
    alone = (calls["n_teammates"] == 1).to_numpy()
    return calls.assign(
        attempts=attempts,
        blocked=np.where(claims_itself, calls["blocked"], 0),
        edited=edited,
        other=attempts - edited,
        fresh=np.minimum(calls["fresh_files"].to_numpy(), attempts),
        left=left,
        ready=deals.ready(calls, team_done, left, claims_itself),
        owed=owed,
        tried=np.where(claims_itself, _tried(calls, owed, left, alone), attempts),
        written=calls["files_there"],
        work=calls["files"],
        is_idle=is_idle,
        could_work=np.where(claims_itself, alone, True) & (left > 0),
        was_idle=pd.Series(is_idle).groupby(agent.ngroup()).shift(1, fill_value=False),
        is_first=~calls.duplicated(["run_dir", "agent"]),
        is_lost=False,
    )


def longest_reply_s(calls: pd.DataFrame) -> float | None:
    """Return how long a reply of an agent takes that has reached its output limit.

    A reply that is cut off comes to nothing, or to less than it would, and takes longer than
    most: the limit shows as replies of about the same great length that did nothing. They are
    looked for beyond half of the 99th percentile of the replies that did something; with fewer
    than three there is no telling.
    """
    working = calls.loc[~calls["is_idle"], "latency_s"]
    if working.empty:
        return None
    empty = calls.loc[calls["is_idle"] & (calls["left"] > 0), "latency_s"]
    long = empty[empty > 0.5 * working.quantile(0.99)]
    return float(long.median()) if len(long) >= 3 else None


def mark_lost(calls: pd.DataFrame, limit_s: float, capacity: float) -> pd.DataFrame:
    """Return the calls with those told apart whose reply was cut off and came to nothing.

    They are not idle: they attempted more than the `capacity` of a reply. What there was to do
    is limited to that in all calls, since more does not show.
    """
    lost = calls["is_idle"] & (calls["left"] > capacity) & (calls["latency_s"] > 0.7 * limit_s)
    held = max(1, int(capacity))
    calls = calls.assign(
        is_lost=lost,
        is_idle=calls["is_idle"] & ~lost,
        attempts=np.where(lost, held, np.minimum(calls["attempts"], calls["left"].clip(lower=1))),
    )
    agent = calls.groupby(["run_dir", "agent"], sort=False)
    return calls.assign(
        was_idle=agent["is_idle"].shift(1, fill_value=False),
        left=np.minimum(calls["left"], held),
        ready=np.minimum(calls["ready"], held),
    )


def _before_round(calls: pd.DataFrame, name: str) -> Ints:
    """Return the team's total of a column before the round of each call."""
    by_round = calls.groupby(["run_dir", "round"])[name].sum()
    before = by_round.groupby(level="run_dir").cumsum() - by_round
    index = pd.MultiIndex.from_frame(calls[["run_dir", "round"]])
    return np.asarray(before.reindex(index).to_numpy(), dtype=np.int64)


def _tried(calls: pd.DataFrame, owed: Ints, left: Ints, alone: npt.NDArray[np.bool_]) -> Ints:
    """Return the attempts of self-claiming agents at tasks that were theirs and could be done.

    Those claimed or completed in the call; or, without either, edits of tasks owed from before.
    """
    done_or_claimed = np.maximum(calls["completed"].to_numpy(), calls["claims"].to_numpy())
    mine = np.where(alone, left, owed)
    retried = np.minimum(calls["files"].to_numpy(), mine)
    nothing_else = (done_or_claimed == 0) & (calls["blocked"] == 0).to_numpy()
    return np.asarray(np.where(nothing_else, retried, done_or_claimed), dtype=np.int64)


class _Deals:
    """Task lists: how many tasks, how they are dealt, how many can start after some are done."""

    def __init__(self, real: TeamRuns) -> None:
        self._graphs = {
            key: TaskGraph.of([Task.model_validate(task) for task in tasks])
            for key, tasks in real.tasks.items()
        }
        self._owned: dict[tuple[str, str, int], Ints] = {}
        self._startable: dict[tuple[str, str], Ints] = {}

    def of(self, calls: pd.DataFrame) -> tuple[Ints, Ints]:
        """Return for each call the number of all tasks and, if dealt out, of its agent's."""
        seat = calls.groupby("run_dir")["agent"].transform(lambda a: a.rank(method="dense")) - 1
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

    def ready(
        self, calls: pd.DataFrame, done: Ints, left: Ints, claims_itself: npt.NDArray[np.bool_]
    ) -> Ints:
        """Return how many tasks can start when so many are done, done in topological order.

        A pre-assigned call does a task together with those it needs: all that is left.
        """
        keys = zip(calls["task_type"], calls["p_label"], strict=True)
        startable = [
            self._startable_after(key)[min(k, len(self._graphs[key]))]
            for key, k in zip(keys, done, strict=True)
        ]
        return np.where(claims_itself, np.minimum(startable, left), left)

    def _startable_after(self, key: tuple[str, str]) -> Ints:
        if key not in self._startable:
            graph = self._graphs[key]
            finished: set[int] = set()
            counts = []
            for task in [*graph.order, -1]:
                open_tasks = [t for t in graph.order if t not in finished]
                counts.append(sum(finished.issuperset(graph.dependencies[t]) for t in open_tasks))
                finished.add(task)
            self._startable[key] = np.asarray(counts, dtype=np.int64)
        return self._startable[key]


def round_overhead_s(runs: pd.DataFrame, calls: pd.DataFrame) -> float:
    """Return the mean seconds a round takes beyond its longest call."""
    longest = calls.groupby(["run_dir", "round"])["latency_s"].max().groupby(level=0).sum()
    indexed = runs.set_index("run_dir")
    extra = indexed["wall_clock_seconds"] - longest.reindex(indexed.index)
    return float(max(0.0, extra.sum() / indexed["total_rounds"].sum()))
