"""Fits agents that work in loops: turns of a request, tools between them, tokens that these add.

`analysis.calibration.requests` finds the requests. If rows of tools give their names and seconds,
each tool is fitted. Otherwise the time between two turns is taken as one tool, and times that are
too long for it as pauses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.between_turns import fit_between_turns, is_much, without_tools
from analysis.calibration.cache_life import CacheLife, fit_cache_life
from analysis.calibration.context_growth import (
    early_growth,
    growth_of,
    tokens_added,
    tokens_between,
)
from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.gaps import Gap
from analysis.calibration.requests import UNNAMED, Requests, clusters, find_requests
from analysis.calibration.rounding import four_digits
from analysis.calibration.sessions import as_distribution, mean_of, with_mean
from analysis.calibration.tool_fits import ToolFit
from analysis.calibration.tool_order import share_alone
from analysis.calibration.tool_times import FEWEST_FOR_TAIL, fit_tool_times
from analysis.calibration.turn_counts import TurnCounts, fit_turns
from simulator.distributions import Floats
from simulator.words import percent

_SEVERAL = 0.05
"""If tools of several names are called in at least this share of turns, each has a probability."""

FEWEST = 10
"""Fewest requests, and fewest calls of a tool, to which a fit is made."""

PAUSE = "pause"
"""Name of times between turns that are too long for a tool: a person is asked, or is away."""

OTHER = "other"
"""Name of all tools together that are called too rarely to be fitted alone."""


@dataclass(frozen=True)
class LoopFit:
    """How an agent works in loops.

    Attributes
    ----------
    requests, cut, sessions : int
        Requests that were seen whole, requests that were cut short, and their sessions.
    turns : TurnCounts or None
        Turns of a request; None if not known.
    tools : tuple of ToolFit
        The most frequently called first.
    session_requests : int
        Median number of requests of a session.
    between : ndarray
        Tokens that came into the context between two requests of an agent.
    early_tokens : float
        Tokens that an agent's first turns add beyond what other turns add.
    cache : CacheLife or None
        How long the provider's cache keeps prompts; None where no end is seen.
    missing : tuple of Gap
        What was not estimated.
    """

    requests: int
    cut: int
    sessions: int
    turns: TurnCounts | None
    tools: tuple[ToolFit, ...]
    session_requests: int = 1
    between: Floats = field(default_factory=lambda: np.zeros(0))
    early_tokens: float = 0.0
    cache: CacheLife | None = None
    missing: tuple[Gap, ...] = ()

    def spec(self) -> dict[str, Any]:
        """Return ``{"loop": ..., "tools": ...}`` of an agent, as a scenario says them.

        Empty if the calls show no requests. The tokens that tools add to the context are in the
        tools' results, so the agent's ``context`` must then take the changes of `context`.
        """
        if self.turns is None:
            return {}
        said: dict[str, Any] = {"loop": self.turns.spec()}
        tools = {tool.name: tool.spec(self.has_pause) for tool in self.tools}
        if self.has_pause:
            tools[PAUSE] = self.tools[0].pause()
        return {**said, "tools": tools} if tools else said

    def context(self, reading: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``context`` with loops: tools add their own results, and the cache has a life.

        Parameters
        ----------
        reading : mapping
            The ``context`` that was fitted to single calls.
        """
        said = dict(reading)
        if any(tool.result.any() for tool in self.tools):
            first = with_mean(reading.get("first_turn_tokens", 0.0), self.early_tokens)
            said |= {"turn_tokens": 0.0, "first_turn_tokens": first}
            if self.between.any():
                said["request_tokens"] = as_distribution(self.between)
        if self.cache is not None:
            cache = said.get("cache") or {}
            said["cache"] = {**cache, "life_s": four_digits(self.cache.life_s.value)}
            said["cache_miss"] = four_digits(self.cache.missed.value)
        return said

    @property
    def has_pause(self) -> bool:
        """Whether the tail of the only tool is split off as a tool of its own, a pause."""
        alone = len(self.tools) == 1 and self.tools[0].name == UNNAMED
        return alone and self.tools[0].is_only and self.tools[0].seconds.has_tail

    def parameters(self) -> dict[str, Estimate | BetaEstimate]:
        """Return every parameter that has a standard error."""
        found: dict[str, Estimate | BetaEstimate] = {}
        if self.turns is not None:
            found |= self.turns.parameters()
        for tool in self.tools:
            found |= {f"{tool.name}_{name}": each for name, each in tool.parameters().items()}
        if len(self.between) > 1:
            found["request_tokens"] = mean_of(self.between)
        if self.cache is not None:
            found["cache_life_s"] = self.cache.life_s
            found["cache_lost_after"] = self.cache.lost
        return found

    def goodness(self) -> dict[str, float]:
        """Return Kolmogorov-Smirnov distances: of turns, and of each tool's seconds."""
        found = {} if self.turns is None else {"turns_ks": self.turns.ks}
        return found | {f"{tool.name}_seconds_ks": tool.seconds.ks for tool in self.tools}

    def gaps(self) -> list[Gap]:
        """Return what was not estimated, why, and what is used in its place."""
        return list(self.missing)


def fit_loops(calls: pd.DataFrame) -> LoopFit:
    """Fit the loops of one kind of agent.

    Parameters
    ----------
    calls : DataFrame
        Its calls in the canonical table: chats and, where they are known, calls of tools.
    """
    return fit_requests(find_requests(calls, without_failed=True))


def fit_requests(requests: Requests, kept: Collection[str] = (), is_alone: bool = False) -> LoopFit:
    """Fit the loops of the requests of one kind of agent.

    Parameters
    ----------
    requests : Requests
    kept : collection of str
        Tools that stay however rarely they are called, as what they start may be most of the work.
    is_alone : bool
        Whether the agent waits for no others: time between turns in which no tool runs is then its
        own, and is fitted as a tool.
    """
    table = requests.table
    whole = int(table["is_whole"].sum())
    known: dict[str, Any] = {
        "requests": whole,
        "cut": len(table) - whole,
        "sessions": table["session"].nunique(),
    }
    if whole < FEWEST:
        why = f"requests seen whole: {whole}, {FEWEST} are needed"
        instead = "each call is a task of its own"
        return LoopFit(**known, turns=None, tools=(), missing=(Gap("loops", why, instead),))
    gaps: list[Gap] = []
    tools = _fit_tools(requests, gaps, kept, is_alone)
    turns = turns_without_failures(requests)
    if (turns == table["turns"].to_numpy()).all() and any(_has_failed(tool) for tool in tools):
        why = "requests in which they failed do not take more turns"
        gaps.append(Gap("failures of tools", why, "none, as the turns seen are with them"))
        tools = tuple(replace(tool, errors=None) for tool in tools)
    counts = fit_turns(
        np.maximum(turns, 1), table["is_whole"].to_numpy(dtype=bool), clusters(table["session"])
    )
    middle = max(1, int(table[table["is_whole"]].groupby("session").size().median()))
    cache = fit_cache_life(requests.turns)
    if isinstance(cache, Gap):
        gaps.append(cache)
    return LoopFit(
        **known,
        turns=counts,
        tools=tools,
        session_requests=middle,
        between=tokens_between(requests.turns),
        early_tokens=early_growth(requests.turns),
        cache=cache if isinstance(cache, CacheLife) else None,
        missing=tuple(gaps),
    )


def _has_failed(tool: ToolFit) -> bool:
    return tool.errors is not None and tool.errors.hits > 0.5


def turns_without_failures(requests: Requests) -> npt.NDArray[np.int64]:
    """Return the turns that each request would have taken, had no tool failed; shape (n,).

    In the simulator each turn whose tool failed adds one. Those are taken off, if requests then
    differ less in their turns, and each keeps at least one. Otherwise failures do not make these
    requests longer, and the turns are returned as they were seen.
    """
    seen = requests.table["turns"].to_numpy(dtype=np.int64)
    if requests.tools.empty or not requests.tools["failed"].any():
        return seen
    failed = requests.tools[requests.tools["failed"]]
    again = failed.drop_duplicates(["request", "turn"]).groupby("request").size()
    extra = again.reindex(requests.table["request"]).fillna(0).to_numpy(dtype=np.int64)
    fewer, whole = seen - extra, requests.table["is_whole"].to_numpy(dtype=bool)
    if not whole.any() or fewer[whole].min() < 1 or fewer[whole].var() >= seen[whole].var():
        return seen
    return np.maximum(fewer, 1)


def _fit_tools(
    requests: Requests, gaps: list[Gap], kept: Collection[str], is_alone: bool
) -> tuple[ToolFit, ...]:
    """Fit the tools, by name where there are rows of them."""
    asked = requests.turns[requests.turns["gap_s"].notna()].reset_index(drop=True)
    if len(asked) < FEWEST:
        if len(asked):
            why = f"turns that ask for tools: {len(asked)}, {FEWEST} are needed"
            gaps.append(Gap("tools", why, "none"))
        return ()
    growth = growth_of(asked, gaps)
    if requests.tools.empty:
        return (_fit_unnamed(asked, growth, gaps),)
    tools = _fit_named(requests.tools, asked, growth, gaps, kept)
    between = fit_between_turns(asked, FEWEST) if is_alone else None
    if between is not None:
        return (*tools, between)
    _note_rest(asked, gaps)
    return tools


def _fit_unnamed(asked: pd.DataFrame, growth: Floats, gaps: list[Gap]) -> ToolFit:
    """Fit the times between turns as one tool."""
    seconds = asked["gap_s"].to_numpy(dtype=float)
    times = fit_tool_times(seconds, clusters(asked["session"]))
    why = "no rows of tools"
    gaps.append(Gap("tools by name, errors of tools", why, "one tool that never fails"))
    if times.has_tail:
        share, error = times.share.value, times.share.error * times.share.value
        why = "told from tools by their length alone"
        said = (
            f"a {PAUSE} after {share:.3f} ± {error * (1 - share):.3f} of the turns; seconds beyond "
            f"{times.tail_from_s:.3g} are more likely one"
        )
        gaps.append(Gap("waits for people and absences", why, said))
    elif len(seconds) < FEWEST_FOR_TAIL:
        why = f"turns that ask for tools: {len(seconds)}, {FEWEST_FOR_TAIL} are needed"
        gaps.append(Gap("waits for people and absences", why, "part of the tool's seconds"))
    everyone = BetaEstimate(len(seconds) + 0.5, 0.5)
    return ToolFit(UNNAMED, everyone, True, np.ones(1), times, None, tokens_added(growth))


def _fit_named(
    tools: pd.DataFrame,
    asked: pd.DataFrame,
    growth: Floats,
    gaps: list[Gap],
    kept: Collection[str],
) -> tuple[ToolFit, ...]:
    """Fit each tool that rows name, and the rare ones together as `OTHER`."""
    counts = tools["tool"].value_counts()
    rare = counts.index[(counts < FEWEST) & ~counts.index.isin(kept)]
    name = tools["tool"].where(~tools["tool"].isin(rare), OTHER)
    few = int((name == OTHER).sum())
    if 0 < few < FEWEST:
        gaps.append(Gap(f"tools called less than {FEWEST} times", f"{few} calls", "none of them"))
        tools, name = tools[name != OTHER], name[name != OTHER]
    tools = tools.assign(tool=name)
    place = asked.assign(growth=growth, place=np.arange(len(asked)))
    place = place[["request", "turn", "growth", "place"]]
    tools = tools.merge(place, on=["request", "turn"])
    several = tools.groupby("place")["tool"].nunique()
    share_of_several = float((several > 1).mean()) if len(several) else 0.0
    is_only = share_of_several <= _SEVERAL and len(several) > 0.95 * len(asked)
    if is_only and share_of_several > 0.0:
        lead = tools.sort_values("seconds", kind="stable").groupby("place")["tool"].last()
        tools = tools[tools["tool"] == tools["place"].map(lead)]
        why = f"turns with tools of several names: {percent(share_of_several, 1)}"
        gaps.append(Gap("tools called together", why, "the one that takes longest"))
    elif not is_only:
        why = f"turns with tools of several names: {percent(share_of_several, 1)}"
        gaps.append(Gap("which tools are called together", why, "each by itself, by chance"))
    per_call = _per_call(tools)
    found = []
    for each, some in tools.groupby("tool", sort=False):
        at_once = some.groupby("place").size().to_numpy().astype(float)
        n, failures = len(some), int(some["failed"].sum())
        found.append(
            ToolFit(
                str(each),
                BetaEstimate(len(at_once) + 0.5, len(asked) - len(at_once) + 0.5),
                is_only,
                at_once,
                fit_tool_times(some["seconds"].to_numpy(), clusters(some["session"])),
                BetaEstimate(failures + 0.5, n - failures + 0.5),
                tokens_added(per_call.loc[some.index].to_numpy(dtype=float)),
                share_alone(some),
            )
        )
    return tuple(sorted(found, key=lambda tool: -tool.share.value))


def _per_call(tools: pd.DataFrame) -> pd.Series:
    """Return the tokens that each call added: the growth of its turn, in proportion to results.

    Where no result's size is known, it is that of turns in which only that tool was called.
    """
    size = tools["result_size"]
    if size.isna().all():
        size = tools["tool"].map(_added_alone(tools))
    size = size.fillna(size.median()).fillna(1.0) + 1.0
    return tools["growth"] * size / size.groupby(tools["place"]).transform("sum")


def _added_alone(tools: pd.DataFrame) -> pd.Series:
    """Return the tokens that a call of each tool adds, in turns that call no other, on average."""
    turns = tools.groupby("place")["tool"]
    each = tools["growth"] / turns.transform("size")
    is_alone = turns.transform("nunique") == 1
    return each[is_alone].clip(lower=0.0).groupby(tools["tool"]).mean()


def _note_rest(asked: pd.DataFrame, gaps: list[Gap]) -> None:
    """Return the gap for the share of the time between turns in which no tool runs."""
    if is_much(asked):
        rest = float(without_tools(asked).sum()) / float(asked["gap_s"].sum())
        why = f"{percent(rest)} of the time between turns no tool runs"
        gaps.append(Gap("time between turns without tools", why, "none"))
