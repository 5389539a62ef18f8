"""Fits agents to their calls: many or few, with or without token counts.

With enough calls whose tokens are known, durations are fitted given the tokens. If the tokens are
not known, durations are fitted alone. With fewer calls, or none that succeeded, only the level is
fitted and the rest comes from a profile. The fit names each parameter that was not estimated,
with the reason and what is used in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.calibration.calls import FEWEST, CallFit, fit_calls, timed, usable
from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.families import CONSTANT, best_family
from analysis.calibration.gaps import Gap, Reference
from analysis.calibration.marginal import MarginalFit, fit_durations
from analysis.calibration.retries import Retries, retries_in
from analysis.calibration.rounding import four_digits
from analysis.calibration.sessions import fit_sessions
from analysis.calibration.windows import window_of
from analysis.traces.canonical import CHATS, named_models
from simulator.distributions import Floats

ReferenceOf = Callable[[str], Reference]

_PRIOR_CALLS = 5.0
"""Number of calls for which the profile's spread counts, where there are few calls."""

_DEFAULT_CALLS = 20
"""Calls of the scenario of a session, where the number of calls of a session is not known."""


@dataclass(frozen=True)
class AgentFit:
    """An agent fitted to the calls of one model.

    Attributes
    ----------
    model : str
    sessions, calls : int
        Numbers of calls that succeeded, and of their sessions.
    failed : BetaEstimate
        Probability that a call fails (Jeffreys' prior).
    fit : CallFit, MarginalFit or None
        Of many calls.
    agent : dict
        The simulated agent, as a scenario says it.
    parameters : dict
        Estimates; the standard error of what was not estimated is NaN.
    gaps : list of Gap
        What was not estimated.
    session_calls : int
        Median number of calls of a session.
    retries : Retries or None
        How its session goes on after calls that failed; None if none was answered after one.
    """

    model: str
    sessions: int
    calls: int
    failed: BetaEstimate
    fit: CallFit | MarginalFit | None
    agent: dict[str, Any]
    parameters: dict[str, Estimate | BetaEstimate]
    gaps: list[Gap]
    session_calls: int
    retries: Retries | None = None

    def session(self, profile: str, requests: int | None = None) -> dict[str, Any]:
        """Return a scenario of one session: its calls, or its requests, one after another.

        Parameters
        ----------
        profile : str
            Where its agent is.
        requests : int, optional
            Requests of the session, where the agent works in loops.
        """
        scenario: dict[str, Any] = {
            "name": f"session-of-{profile.removesuffix('.yaml')}",
            "replications": 200,
            "team": {"size": 1, "agent": {"profile": profile, "behaviour": {"talk": 0}}},
            "topology": "single",
            "coordination": {"protocol": "self_claim", "timing": "asynchronous"},
            "workload": {
                "kind": "parallel_fraction",
                "tasks": requests or self.session_calls,
                "parallel_fraction": 1,
            },
        }
        if self.failed.hits > 1.0 and self.calls:
            share = four_digits(self.failed.value)
            scenario["provider"] = {"errors": {"probability": share}}
            if self.retries is not None:
                scenario["provider"]["retry"] = self.retries.said()
        return scenario


def fit_agents(calls: pd.DataFrame, references: ReferenceOf) -> list[AgentFit]:
    """Fit every model that calls name, the one with most calls first.

    Parameters
    ----------
    calls : DataFrame
        The canonical table of calls.
    references : callable
        Returns the profile that supplies what is not known of a model.
    """
    chats = calls[calls["operation_name"].isin(CHATS)]
    went_well = timed(chats)
    counted = usable(chats)
    by_tokens = {fit.model: fit for fit in fit_calls(counted)}
    by_time = {fit.model: fit for fit in fit_durations(went_well)}
    model = named_models(chats)
    is_failed = chats["status"].fillna("ok") == "error"
    found = []
    # Errors rarely name their model; if there is one model, they are its errors.
    named = sorted(set(went_well["model"]))
    if len(named) == 1:
        model = model.where(~is_failed | (model != "agent"), named[0])
    cached = chats["cache_read_input_tokens"].astype("Float64").astype(float)
    for name in model.value_counts().index:
        mine = went_well[went_well["model"] == name].reset_index(drop=True)
        n = int((model == name).sum())
        failures = int((is_failed & (model == name)).sum())
        failed = BetaEstimate(failures + 0.5, n - failures + 0.5)
        fit = _fit(str(name), mine, failed, by_tokens.get(name), by_time.get(name), references)
        says_input = chats["input_tokens"][model == name].notna().any()
        read = cached[(model == name) & ~is_failed]
        is_cached = not says_input or (read > 0.0).any()
        found.append(fit if is_cached else _without_cache(fit, bool(read.notna().any())))
    retries = retries_in(chats)
    return [replace(fit, retries=retries) for fit in found]


def _without_cache(fit: AgentFit, is_told: bool) -> AgentFit:
    """Return the fit of an agent none of whose calls has read from a cache, as far as they say."""
    context = {k: v for k, v in fit.agent["context"].items() if k != "cache_miss"}
    why = "all calls say 0" if is_told else "no call says them"
    gap = Gap("cached tokens", why, "no cache: all input is read, and paid, anew")
    rest = [each for each in fit.gaps if each.what != "failures of the cache"]
    agent = {**fit.agent, "context": {**context, "cache": False}}
    return replace(fit, agent=agent, gaps=[*rest, gap])


def _fit(
    model: str,
    calls: pd.DataFrame,
    failed: BetaEstimate,
    by_tokens: CallFit | None,
    by_time: MarginalFit | None,
    references: ReferenceOf,
) -> AgentFit:
    sizes = calls["session"].value_counts()
    known: dict[str, Any] = {
        "model": model,
        "sessions": len(sizes),
        "calls": len(calls),
        "failed": failed,
        "session_calls": max(1, int(sizes.median())) if len(sizes) else _DEFAULT_CALLS,
    }
    common: dict[str, Estimate | BetaEstimate] = {"failed_calls": failed}
    if by_tokens is not None:
        gaps = list(by_tokens.gaps)
        if len(calls) > by_tokens.calls:
            rest = len(calls) - by_tokens.calls
            gaps.append(Gap(f"{rest} calls", "their tokens are not known", "the others"))
        parameters = {**by_tokens.parameters(), **common}
        return AgentFit(
            **known, fit=by_tokens, agent=by_tokens.agent(), parameters=parameters, gaps=gaps
        )
    reference = references(model)
    parts = _Parts(calls, reference)
    latency = parts.latency(by_time)
    agent = {"latency": latency, "tokens": {"output": parts.output()}, "context": parts.context()}
    if by_time is not None:
        parts.parameters |= by_time.parameters()
    return AgentFit(
        **known, fit=by_time, agent=agent, parameters=parts.parameters | common, gaps=parts.gaps
    )


class _Parts:
    """The parts of an agent that are fitted from few calls, or from incomplete ones."""

    def __init__(self, calls: pd.DataFrame, reference: Reference) -> None:
        numbers = dict.fromkeys(("duration_s", "input", "cached", "output"), "float64")
        self._calls = calls[~calls["censored"]].astype(numbers).reset_index(drop=True)
        self._reference = reference
        self.parameters: dict[str, Estimate | BetaEstimate] = {}
        self.gaps: list[Gap] = []

    def latency(self, by_time: MarginalFit | None) -> dict[str, Any]:
        """Return durations: fitted alone if there are many, else scaled from the profile."""
        n, seconds = len(self._calls), self._calls["duration_s"].to_numpy()
        has_tokens = self._calls[["input", "output"]].notna().all(axis=1).to_numpy()
        if n == 0:
            self._miss("durations", "no call went well and has a length", self._reference.said)
            return self._reference.latency()
        if by_time is not None:
            why = f"calls with known tokens: {int(has_tokens.sum())}, {FEWEST} are needed"
            self._miss("durations given tokens", why, "durations as they are")
            if by_time.duration.kind == CONSTANT:
                self._miss("spread of durations", "all are equal", "none")
            if by_time.effects.why_not is not None:
                self._miss("effects of sessions on durations", by_time.effects.why_not, "none")
            latency: dict[str, Any] = by_time.agent()["latency"]
            return latency
        if has_tokens.any():
            some = self._calls[has_tokens]
            uncached = (some["input"] - some["cached"]).clip(lower=0).to_numpy()
            expected = self._reference.expected(
                uncached, some["cached"].to_numpy(), some["output"].to_numpy()
            )
            ratio, error, _ = _level(
                np.log(seconds[has_tokens] / expected),
                some["session"],
                self._reference.residual_variances,
            )
            self.parameters["speed_of_calls"] = Estimate(ratio, error, "log")
            instead = f"those of {self._reference.said}, times {np.exp(ratio):.3g}"
            why = f"calls: {int(has_tokens.sum())}, {FEWEST} are needed"
            self._miss("what tokens cost in time, each kind apart", why, instead)
            return self._reference.latency(float(np.exp(ratio)))
        middle, error, sigma = _level(
            np.log(seconds), self._calls["session"], self._reference.duration_variances
        )
        self.parameters["duration_s"] = Estimate(middle, error, "log")
        why = f"calls: {n}, {FEWEST} are needed"
        instead = f"a lognormal, its spread drawn towards that of {self._reference.said}"
        self._miss("family of durations", why, instead)
        return {"kind": "seconds", "base": _lognormal(middle, sigma)}

    def output(self) -> dict[str, Any]:
        """Return output tokens: a fitted family if there are many counts, else the profile's."""
        known = self._calls[self._calls["output"].notna()]
        counts = np.maximum(known["output"].to_numpy(dtype=float), 1.0)
        if not len(counts):
            why = "no call that went well says how many"
            self._miss("output tokens, and with them costs", why, self._reference.said)
            return self._reference.output
        if len(counts) >= FEWEST:
            return best_family(counts).spec()
        variances = self._reference.output_variances
        middle, error, sigma = _level(np.log(counts), known["session"], variances)
        self.parameters["output_tokens"] = Estimate(middle, error, "log")
        instead = f"a lognormal, its spread drawn towards that of {self._reference.said}"
        self._miss(
            "family of output tokens", f"counts: {len(counts)}, {FEWEST} are needed", instead
        )
        return {**_lognormal(middle, sigma), "at_most": four_digits(max(16_000.0, counts.max()))}

    def context(self) -> dict[str, Any]:
        """Return what calls read: fitted to the known inputs, else the profile's."""
        calls = self._calls[self._calls["input"].notna()].reset_index(drop=True)
        if calls.empty:
            why = "no call that went well says how many"
            self._miss("input tokens, and with them costs", why, self._reference.said)
            return self._reference.context
        known = calls["output"].dropna()
        wrote = float(known.mean()) if len(known) else float(self._reference.outputs.mean())
        calls = calls.assign(
            output=calls["output"].fillna(wrote),
            uncached=(calls["input"] - calls["cached"]).clip(lower=0),
        )
        fit, window = fit_sessions(calls), window_of(calls)
        self.parameters |= fit.parameters() | window.parameters()
        said = {**fit.spec(), **window.spec(fit.system_tokens)}
        self.gaps += fit.gaps()
        return said

    def _miss(self, what: str, why: str, instead: str) -> None:
        self.gaps.append(Gap(what, why, instead))


def _level(
    logs: Floats, sessions: pd.Series, variances: tuple[float, float]
) -> tuple[float, float, float]:
    """Return mean, its standard error, and standard deviation of a few logarithms.

    The variance combines that of the values with the given one, which counts for `_PRIOR_CALLS`
    values (the mean of a scaled inverse chi-squared law, Gelman et al. 2013, section 3.3). The
    effect that the calls of a session share does not average out within the session.

    Parameters
    ----------
    logs : ndarray, shape (n,)
    sessions : Series, shape (n,)
    variances : tuple of float
        Of calls within a session, and between sessions, of the profile.
    """
    n, mean = len(logs), float(logs.mean())
    within, between = variances
    squares = float(((logs - mean) ** 2).sum())
    prior = _PRIOR_CALLS * (within + between)
    spread = float(np.sqrt((prior + squares) / (_PRIOR_CALLS + n - 1.0)))
    shares = sessions.value_counts(normalize=True).to_numpy()
    error = float(np.sqrt(between * (shares**2).sum() + spread**2 / n))
    return mean, error, spread


def _lognormal(middle: float, sigma: float) -> dict[str, Any]:
    return {
        "kind": "lognormal",
        "median": four_digits(float(np.exp(middle))),
        "sigma": four_digits(sigma),
    }


def all_gaps(fits: Sequence[AgentFit]) -> list[str]:
    """Return what was not estimated, model by model."""
    return [f"{fit.model}: {gap}" for fit in fits for gap in fit.gaps]
