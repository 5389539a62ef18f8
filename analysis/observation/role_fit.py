"""A kind of agent fitted to the calls of all agents of one role, with the source of each part."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.between_turns import BETWEEN_TURNS
from analysis.calibration.call_agents import AgentFit, fit_agents
from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.gaps import COEFFICIENTS, Reference
from analysis.calibration.loops import FEWEST, LoopFit, fit_requests, turns_without_failures
from analysis.calibration.profile_names import profile_name
from analysis.calibration.profiles import reference_of
from analysis.calibration.requests import find_requests
from analysis.calibration.rounding import four_digits
from analysis.calibration.sessions import as_distribution
from analysis.observation.by_work import FittedPowers, fit_by_work
from analysis.observation.costs import Prices, fit_prices, with_dearer_input, write_factor
from analysis.observation.few_loops import seen_loops
from analysis.observation.new_contexts import begin_requests_anew
from analysis.observation.several_models import with_mean_duration
from analysis.traces.canonical import CHATS, model_of
from simulator.words import counted, percent

_LATENCY = (*COEFFICIENTS, "residual_scale", "residual_session", "residual_phase",
            "speed_of_calls", "duration_s")  # fmt: skip
_OUTPUT = ("output_session", "output_phase", "output_tokens")
_CONTEXTS = {
    "turn_tokens": "0: what turns add is in the results of tools",
    "first_turn_tokens": "0: as above",
    "request_tokens": "tokens that came between two requests",
}
_READING = (
    "start_tokens",
    "first_turn_tokens",
    "turn_tokens",
    "cache_miss",
    "first_cached_tokens",
    "window_tokens",
)


@dataclass
class RoleFit:
    """A kind of agent.

    Attributes
    ----------
    role : str
    agents, calls, sessions : int
        Agents of all runs, their successful calls, and sessions (one agent in one run).
    models : tuple of str
        Most used first.
    spec : dict
        The agent, as a scenario says it.
    sources : dict
        Source of each part of it, by dotted path.
    has_loops : bool
        Whether a unit of its work is a request, not a call.
    failed : BetaEstimate
        Probability that a call fails.
    failed_s : float
        Mean seconds after which calls failed; NaN if none did.
    prices : Prices
    turns : dict of str to list of int
        Turns of the requests of each run, in order; empty where there are no loops.
    by_work : FittedPowers or None
        By what turns of runs with many turns differ from others; None where that is not known.
    missing : list of str
        What could not be estimated, and what is used in its place.
    """

    role: str
    agents: int
    calls: int
    sessions: int
    models: tuple[str, ...]
    spec: dict[str, Any]
    sources: dict[str, str]
    has_loops: bool
    failed: BetaEstimate
    failed_s: float
    prices: Prices
    turns: dict[str, list[int]] = field(default_factory=dict)
    by_work: FittedPowers | None = None
    missing: list[str] = field(default_factory=list)


def fit_role(
    role: str,
    calls: pd.DataFrame,
    delegating: Sequence[str] = (),
    starting: Sequence[str] = (),
    told: Mapping[str, Mapping[str, float]] | None = None,
    is_alone: bool = False,
    called: Mapping[str, str] | None = None,
) -> RoleFit:
    """Fit the agents of a role.

    Parameters
    ----------
    role : str
    calls : DataFrame
        Their calls in the canonical table, of models and of tools.
    delegating : sequence of str
        Tools that wait for other agents, which the twin has as agents.
    starting : sequence of str
        Tools that start sub-agents: they are kept, however rare they are.
    told : mapping, optional
        Prices of models that have neutral names.
    is_alone : bool
        Whether they wait for no other agents but those that their tools start.
    called : mapping, optional
        What neutral names stand for.
    """
    chats = calls[calls["operation_name"].isin(CHATS)]
    models = tuple(str(m) for m in model_of(chats).dropna().value_counts().index)
    named = models[0] if models else "agent"
    # One agent stands for all of the role; if their models differ, its spread is larger.
    alike = chats.assign(
        response_model=pd.array([named] * len(chats), dtype="string"),
        request_model=pd.array([named] * len(chats), dtype="string"),
    )
    fit = fit_agents(alike, lambda model: _reference(model, called or {}))[0]
    prices = fit_prices(chats, named, told or {})
    failed = chats["status"].fillna("ok") == "error"
    lasted = ((chats["end_ns"] - chats["start_ns"])[failed] / 1e9).dropna()
    found = RoleFit(
        role,
        len(chats[["run_id", "agent_id"]].drop_duplicates()),
        fit.calls,
        fit.sessions,
        models,
        {},
        {},
        False,
        fit.failed,
        float(lasted.mean()) if len(lasted) else float("nan"),
        prices,
        missing=[str(gap) for gap in fit.gaps],
    )
    if len(models) > 1:
        found.missing.append(
            f"models apart: not estimated (one agent stands for all of a role); in its place: "
            f"{len(models)} models together, priced as {named}"
        )
    _take_agent(found, fit)
    if len(models) > 1:
        found.spec["latency"] = with_mean_duration(found.spec["latency"], chats)
        found.sources["latency"] += "; times a factor, for the mean of all models' calls"
    own = calls[~calls["tool_name"].isin(list(delegating)).fillna(False).astype(bool)]
    _take_loops(found, own, starting, is_alone)
    if prices.spec is not None:
        found.spec["price"] = prices.spec
        found.sources["price"] = prices.said
        _take_writes(found, chats)
    else:
        found.missing.append(f"price: {prices.said}")
    return found


def _reference(model: str, called: Mapping[str, str]) -> Reference:
    """Return the profile for what is not known of a model, which may have a neutral name."""
    name = called.get(profile_name(model))
    return reference_of(model) if name is None else replace(reference_of(name), is_hidden=True)


def _take_agent(found: RoleFit, fit: AgentFit) -> None:
    """Set latency, output and context, with their sources."""
    found.spec |= {name: dict(part) for name, part in fit.agent.items()}
    of = f"estimated from {counted(fit.calls, 'call')} of {counted(fit.sessions, 'session')}"
    for path, names in (
        ("latency", _LATENCY),
        ("tokens.output", _OUTPUT),
        ("context", _READING),
    ):
        said = estimates(fit.parameters, names)
        missing = [gap for gap in fit.gaps if _is_about(path, gap.what)]
        if said or not missing:
            found.sources[path] = f"{of}{': ' + said if said else ''}"
        else:
            found.sources[path] = f"{missing[0].instead} ({missing[0].why})"
    context = found.spec.setdefault("context", {})
    context["board_tokens_per_task"] = 0
    found.sources["context.board_tokens_per_task"] = "0: what it reads is in the fit of its inputs"


def _take_writes(found: RoleFit, chats: pd.DataFrame) -> None:
    """Let what the twin writes to a cache cost what it did in the trace."""
    context = found.spec["context"]
    factor = write_factor(chats, found.prices.spec)
    if factor is None:
        return
    if context.get("cache") is False:
        if factor != 1.0 and found.prices.spec is not None:
            found.spec["price"] = with_dearer_input(found.prices.spec, factor)
            found.sources["price"] = (
                f"{found.prices.said}; input {factor:g} times as dear: the calls say that they "
                "wrote it to a cache, which none read"
            )
        return
    cache = context.get("cache")
    cache = dict(cache) if isinstance(cache, Mapping) else {}
    if factor == 1.0 and "life_s" not in cache:
        return  # a cache that keeps all for ever costs nothing to write to
    context["cache"] = {**cache, "write_price_factor": factor}
    said = (
        f"write_price_factor: what the calls say that they wrote to it, at {factor:g} of the price"
    )
    before = found.sources.get("context.cache")
    found.sources["context.cache"] = f"{before}; {said} of input" if before else f"{said} of input"


def _is_about(path: str, what: str) -> bool:
    words = {"latency": "duration|tokens cost", "tokens.output": "output", "context": "input"}
    return re.search(words[path], what) is not None


def _take_loops(
    found: RoleFit, calls: pd.DataFrame, starting: Sequence[str], is_alone: bool
) -> None:
    """Set loop and tools: fitted if there are requests enough, else the observed values."""
    requests = find_requests(calls, without_failed=True)
    fit: LoopFit = fit_requests(requests, starting, is_alone)
    said = fit.spec()
    n = len(requests.table)
    if said:
        of = f"estimated from {fit.requests:,} requests"
        turns = [name for name in fit.parameters() if name.startswith("turns")]
        told = estimates(fit.parameters(), turns) or "all have as many turns"
        found.sources["loop"] = f"{of} ({fit.cut:,} cut short): {told}"
        for tool in fit.tools:
            seen = f"estimated from {tool.seconds.calls:,} calls: "
            if tool.name == BETWEEN_TURNS:
                seen = (
                    "time between turns in which no tool runs (people who approve, the harness): "
                    f"estimated from {tool.seconds.calls:,} turns: "
                )
            known = tool.parameters()
            failed = "errors" in said["tools"][tool.name]
            each = [estimates(known, [name for name in known if failed or name != "errors"])]
            each += ["errors 0, as none was seen"] if "errors" in known and not failed else []
            found.sources[f"tools.{tool.name}"] = seen + ", ".join(filter(None, each))
        if fit.has_pause:
            found.sources["tools.pause"] = "what is too long for a tool: estimated by length alone"
        before = found.spec["context"]
        found.spec["context"] = after = fit.context(before)
        changed = [name for name in after if after[name] != before.get(name)]
        found.sources |= {f"context.{name}": _CONTEXTS.get(name, of) for name in changed}
        found.missing += [str(gap) for gap in fit.gaps()]
    else:
        said = seen_loops(requests, is_alone)
        if said:
            found.sources["loop"] = f"the {n:,} requests seen (a fit takes {FEWEST})"
            found.sources["tools"] = (
                f"the {len(requests.tools):,} calls of tools seen, as they were"
            )
        found.missing += [str(gap) for gap in fit.gaps() if not said or gap.what != "loops"]
    found.spec |= said
    found.has_loops = "loop" in said
    context = found.spec["context"]
    anew = begin_requests_anew(context, requests)
    if anew is not None:
        for name in ("retention", "system_tokens", "start_tokens", "request_tokens"):
            found.sources[f"context.{name}"] = anew
        for name in ("turn_tokens", "first_turn_tokens", "window_tokens", "compaction"):
            if name not in context:
                found.sources.pop(f"context.{name}", None)
    if found.has_loops:
        sessions = requests.table["session"].astype(str).to_numpy()
        for session, turns in zip(sessions, turns_without_failures(requests), strict=True):
            found.turns.setdefault(session, []).append(max(1, int(turns)))
        work = {session: float(sum(turns)) for session, turns in found.turns.items()}
        found.by_work = fit_by_work(requests, work, starting)


def estimates(parameters: Mapping[str, Estimate | BetaEstimate], names: Sequence[str]) -> str:
    """Return parameters with their standard errors, relative ones on a log scale, in words."""
    parts = []
    for name in names:
        each = parameters.get(name)
        if each is None:
            continue
        # A millionth of its own error is 0.
        tiny = np.isfinite(each.error) and abs(each.value) < 1e-6 * each.shown_error
        value = f"{name} {0.0 if tiny else four_digits(each.value):g}"
        if isinstance(each, Estimate) and each.link == "log":
            error = f" ± {percent(each.error)}" if np.isfinite(each.error) else ""
        else:
            error = f" ± {four_digits(each.shown_error):.2g}" if np.isfinite(each.error) else ""
        parts.append(value + (error or ", not estimated"))
    return ", ".join(parts)


def begin_afresh(fit: RoleFit, calls: pd.DataFrame) -> None:
    """Let every unit of work begin with a new context, as sub-agents do."""
    chats = calls[calls["operation_name"].isin(CHATS) & calls["input_tokens"].notna()]
    if chats.empty:
        return
    first = chats.sort_values("start_ns").drop_duplicates(["run_id", "agent_id"])
    read = first["input_tokens"].astype(float).to_numpy()
    context = fit.spec["context"]
    has_cache = context.get("cache") is not False
    cached = first["cache_read_input_tokens"].fillna(0).astype(float).to_numpy()
    # Where a cache holds nothing of it, how much of a prompt is alike makes no difference.
    system = min(float(cached.mean()) if has_cache else float(read.min()), float(read.min()))
    begins = as_distribution(np.asarray(read - system, dtype=np.float64))
    context |= {"system_tokens": four_digits(system), "start_tokens": begins, "retention": 0}
    context["request_tokens"] = begins
    if isinstance(context.get("cache"), dict) and "warm_tokens" in context["cache"]:
        context["cache"] = {**context["cache"], "warm_tokens": four_digits(float(cached.mean()))}
    agents = counted(len(first), "agent")
    said = f"first inputs of {agents}, {percent(system / read.mean())} of it cached"
    for name in ("system_tokens", "start_tokens", "request_tokens"):
        fit.sources[f"context.{name}"] = said
    fit.sources["context.retention"] = "0: each agent of the trace did one thing, and began anew"


def let_start(fit: RoleFit, starts: Mapping[str, str]) -> None:
    """Let tools start sub-agents, as long as which their calls then last.

    Parameters
    ----------
    fit : RoleFit
        Changed in place.
    starts : mapping of str to str
        The role of the sub-agents that a tool starts, by its name.
    """
    tools = fit.spec.get("tools", {})
    for name, role in starts.items():
        if name in tools:
            tools[name].pop("seconds")
            tools[name]["starts"] = {"agent": role}
            said = f"each call starts a sub-agent, {role}, and lasts as long as that"
            before = fit.sources.get(f"tools.{name}", fit.sources.get("tools", ""))
            fit.sources[f"tools.{name}"] = f"{before}; {said}" if before else said
