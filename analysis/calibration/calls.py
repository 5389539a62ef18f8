"""Fits agents to single calls whose tokens and durations are known.

``T = (a + b_u uncached + b_c cached + c output) * residual``, tokens in thousands: the duration is
fitted given the tokens, never alone. Sessions differ in their output tokens and in the residual.
Each of the two has an effect of the session and a phase effect that comes and goes (an AR(1)
process), so that sums of consecutive calls vary as in reality. What calls read and write is fitted
to the beginnings of sessions, as a simulation makes them (`analysis.calibration.sessions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from analysis.calibration.dependence import Dependence, dependence, without_effects
from analysis.calibration.estimates import BetaEstimate, Estimate, VectorFit, pool
from analysis.calibration.families import Family, best_family
from analysis.calibration.gaps import COEFFICIENTS, Gap
from analysis.calibration.likelihood import LogDensity
from analysis.calibration.rounding import four_digits
from analysis.calibration.seen_times import Seen
from analysis.calibration.sessions import SessionFit, begins, fit_sessions
from analysis.calibration.windows import Window, window_of
from analysis.traces.canonical import named_models
from simulator.distributions import Floats

FEWEST = 30
"""Fewest calls from which a model is fitted."""

_FEWEST_CLUSTERS = 10
"""Fewest sessions whose scores give the errors of five parameters."""

_LEAST_SCALE = 0.005
"""Smallest residual spread: 1 %, less than that of any clock or provider."""

_START = np.log([1.0, 0.02, 0.01, 15.0, 0.15])
_VAGUE = np.asarray([3.0, 1.5, 1.5, 3.0, 3.0])

_FARTHEST = 30.0
"""Distance of logarithms from the start that is searched; the prior rules out far less."""


@dataclass(frozen=True)
class CallFit:
    """An agent fitted to its calls.

    Attributes
    ----------
    model : str
    sessions, calls : int
    latency : VectorFit
        Logarithms of `COEFFICIENTS` and of the residual's scale (1 / shape, log-logistic).
    residual, output_effects : Dependence
    output : Family
        Output tokens of a call, without the effects.
    reading : SessionFit
        What its calls read.
    window : Window
        Context limit, and where contexts are compacted.
    gaps : tuple of Gap
        What was not estimated.
    """

    model: str
    sessions: int
    calls: int
    latency: VectorFit
    residual_effects: Dependence
    residual_scale: float
    output: Family
    output_effects: Dependence
    reading: SessionFit
    window: Window
    gaps: tuple[Gap, ...] = ()

    def agent(self) -> dict[str, Any]:
        """Return the simulated agent, as a scenario says it."""
        base, uncached, cached, output = np.exp(self.latency.at[:4])
        return {
            "latency": {
                "kind": "tokens",
                "base_s": four_digits(base),
                "uncached_s_per_1k": four_digits(uncached),
                "cached_s_per_1k": four_digits(cached),
                "output_s_per_1k": four_digits(output),
                "residual": {
                    "kind": "log_logistic",
                    "median": 1,
                    "shape": four_digits(1.0 / self.residual_scale),
                    **self.residual_effects.spec(),
                },
            },
            "tokens": {"output": {**self.output.spec(), **self.output_effects.spec()}},
            "context": {**self.reading.spec(), **self.window.spec(self.reading.system_tokens)},
        }

    def parameters(self) -> dict[str, Estimate | BetaEstimate]:
        """Return every parameter that has a standard error."""
        named = {
            name: self.latency.estimate(i, "log")
            for i, name in enumerate((*COEFFICIENTS, "residual_scale"))
        }
        unknown = {gap.what for gap in self.gaps} & named.keys()
        return {
            **named,
            **{name: replace(named[name], error=float("nan")) for name in unknown},
            "residual_session": self.residual_effects.session,
            "residual_phase": self.residual_effects.phase,
            "output_session": self.output_effects.session,
            "output_phase": self.output_effects.phase,
            **self.reading.parameters(),
            **self.window.parameters(),
        }

    def log_likelihood(self, calls: pd.DataFrame) -> Floats:
        """Return the log density (per second) of each call's duration, given its tokens."""
        return _log_density_of(calls)(self.latency.at)


def relative_durations(fit: CallFit, calls: pd.DataFrame) -> Floats:
    """Return durations over those expected from their tokens (median 1)."""
    logs = np.log(calls["duration_s"].to_numpy(dtype=float))
    return np.asarray(np.exp(logs - _log_mean(fit.latency.at, calls)))


def usable(calls: pd.DataFrame) -> pd.DataFrame:
    """Return the `timed` calls whose tokens were counted; placeholders are left out."""
    frame = timed(calls)
    known = frame[["input", "output"]].notna().all(axis=1) & frame["counted"]
    frame = frame[known].drop(columns="counted")
    frame = frame.astype(dict.fromkeys(["input", "cached", "output"], float))
    frame["uncached"] = (frame["input"] - frame["cached"]).clip(lower=0)
    return frame.reset_index(drop=True)


def timed(calls: pd.DataFrame) -> pd.DataFrame:
    """Return the chats with a duration, in order, with ``session, model, duration_s`` and tokens.

    ``censored`` marks those that were cut short (time-out or cancelled). A model without a name is
    called ``agent``.
    """
    duration = (calls["end_ns"] - calls["start_ns"]) / 1e9
    status = calls["status"].fillna("ok")
    frame = pd.DataFrame(
        {
            "session": calls["run_id"].astype(str)
            + "\x1f"
            + calls["agent_id"].fillna("").astype(str),
            "model": named_models(calls),
            "duration_s": duration,
            "input": calls["input_tokens"],
            "cached": calls["cache_read_input_tokens"].fillna(0),
            "output": calls["output_tokens"],
            "censored": status.isin(["timeout", "cancelled"]),
            "ok": status.isin(["ok", "timeout", "cancelled"]),
        }
    )
    is_chat = (
        calls["operation_name"].fillna("chat").isin(["chat", "text_completion", "generate_content"])
    )
    frame["counted"] = calls["quality_tokens"].fillna("exact") != "placeholder"
    frame = frame[is_chat & frame["ok"] & (frame["duration_s"] > 0).fillna(False)]
    return frame.astype({"duration_s": float}).drop(columns="ok").reset_index(drop=True)


def fit_calls(calls: pd.DataFrame) -> list[CallFit]:
    """Fit every model with enough calls (`FEWEST`) of a `usable` table, the largest first.

    The seconds for each token are pooled over the models, which helps models with few calls.
    """
    counts = calls["model"].value_counts()
    models = counts[counts >= FEWEST].index
    fits = [fit_model(calls[calls["model"] == model], str(model)) for model in models]
    latencies = pool([fit.latency for fit in fits], _VAGUE)
    return [replace(fit, latency=each) for fit, each in zip(fits, latencies, strict=True)]


def fit_model(calls: pd.DataFrame, model: str) -> CallFit:
    """Fit one model's calls."""
    latency = _fit_latency(calls)
    logs = np.log(calls["duration_s"].to_numpy()) - _log_mean(latency.at, calls)
    residual = dependence(np.exp(logs - np.median(logs)), calls["session"], np.ones(len(calls)))
    whole = _whole(calls)
    early, alike = begins(calls)[whole], np.ones(int(whole.sum()))
    early |= not early.any()
    output = np.maximum(calls["output"].to_numpy()[whole], 1.0)
    effects = dependence(output, calls["session"][whole], alike)
    own = without_effects(output[early], effects, alike[early])
    scale = float(np.exp(latency.at[4]))
    reading, window = fit_sessions(calls), window_of(calls)
    # The scale within sessions: the effects' variance is taken out of the logistic's.
    variance = scale**2 * np.pi**2 / 3.0 - residual.session.value**2 - residual.phase.value**2
    return CallFit(
        model=model,
        sessions=int(calls["session"].nunique()),
        calls=len(calls),
        latency=latency,
        residual_effects=residual,
        residual_scale=max(
            _LEAST_SCALE, float(np.sqrt(max(variance, 0.1 * scale**2) * 3.0) / np.pi)
        ),
        output=best_family(own),
        output_effects=effects,
        reading=reading,
        window=window,
        gaps=(
            *_gaps(calls, scale, {"durations given tokens": residual, "output tokens": effects}),
            *reading.gaps(),
        ),
    )


def _gaps(calls: pd.DataFrame, scale: float, effects: Mapping[str, Dependence]) -> list[Gap]:
    """Return what could not be estimated from a model's calls."""
    found = []
    typical = dict(zip(COEFFICIENTS, np.exp(_START[:4]), strict=True))
    for name, column in zip(COEFFICIENTS[1:], ("uncached", "cached", "output"), strict=True):
        values = calls[column]
        if not (values > 0).any():
            why = f"no call has {column} tokens"
            instead = f"what is typical, {typical[name]:g} s per 1,000"
            found.append(Gap(name, why, f"{instead} (or that of the other models)"))
        elif values.min() == values.max():
            why = f"all calls have the same {column} tokens"
            instead = "a share of the time that all calls have in common; how large, is not known"
            found.append(Gap(name, why, instead))
    if scale < _LEAST_SCALE:
        why = "all durations are as their tokens let expect"
        found.append(Gap("residual_scale", why, f"{_LEAST_SCALE:g}"))
    for what, effect in effects.items():
        if effect.why_not is not None:
            found.append(Gap(f"effects of sessions on {what}", effect.why_not, "none"))
    sessions = calls["session"].nunique()
    if sessions < _FEWEST_CLUSTERS:
        why = f"sessions: {sessions}, {_FEWEST_CLUSTERS} are needed"
        instead = "standard errors as if calls were independent"
        found.append(Gap("how much sessions differ in what tokens cost", why, instead))
    written = calls.loc[_whole(calls), "output"]
    if written.min() == written.max():
        found.append(Gap("spread of output tokens", "all counts are equal", "none"))
    return found


def _whole(calls: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return whose outputs count.

    What was written before a call was cut short is no sample of what agents write: it counts only
    where there is nothing else.
    """
    whole = ~calls["censored"].to_numpy(dtype=bool)
    return np.asarray(whole | (not whole.any()))


def _design(calls: pd.DataFrame) -> Floats:
    thousands = calls[["uncached", "cached", "output"]].to_numpy(dtype=float) / 1000.0
    return np.column_stack([np.ones(len(calls)), thousands])


def _log_mean(at: Floats, calls: pd.DataFrame) -> Floats:
    return np.asarray(np.log(_design(calls) @ np.exp(at[:4])))


def _log_density_of(calls: pd.DataFrame) -> LogDensity:
    """Return what gives, at some parameters, the log density of each duration, per second.

    It is the log survival where a duration is censored.
    """
    seen, design = Seen.of(calls["duration_s"].to_numpy(dtype=float)), _design(calls)
    is_known = "censored" not in calls or not calls["censored"].any()
    censored = None if is_known else calls["censored"].to_numpy(dtype=bool)

    def log_density(at: Floats) -> Floats:
        mean, scale = np.log(design @ np.exp(at[:4])), float(np.exp(at[4]))
        law = scipy.stats.logistic(mean, scale)
        density = seen.log_chance(law.logpdf, law.logsf) - seen.log_seconds
        if censored is not None:
            density = np.where(censored, law.logsf(seen.at), density)
        return np.asarray(density)

    return log_density


def _fit_latency(calls: pd.DataFrame) -> VectorFit:
    """Fit coefficients and scale by maximum likelihood, with errors robust to sessions."""
    log_density = _log_density_of(calls)

    def loss(at: Floats) -> float:
        penalty = float((((at - _START) / _VAGUE) ** 2).sum()) / 2
        return penalty - float(log_density(at).sum())

    # A step of the line search may be far too long, to where seconds are 0 or infinite.
    bounds = list(zip(_START - _FARTHEST, _START + _FARTHEST, strict=True))
    fit = scipy.optimize.minimize(loss, _START, method="L-BFGS-B", bounds=bounds)
    fit = scipy.optimize.minimize(
        loss, fit.x, method="Nelder-Mead", options={"maxiter": 400, "xatol": 1e-4}
    )
    return VectorFit(fit.x, _covariance(fit.x, log_density, calls))


def _covariance(at: Floats, log_density: LogDensity, calls: pd.DataFrame) -> Floats:
    """Return the sandwich covariance of the fit, calls clustered by session if there are enough.

    The prior is information that does not vary with the calls: it is in the middle once, so that
    the covariance of independent calls is the inverse of all information.
    """
    step = 1e-4
    scores = np.column_stack(
        [
            (log_density(at + step * unit) - log_density(at - step * unit)) / (2 * step)
            for unit in np.eye(len(at))
        ]
    )
    # The outer product of the scores stands in for the Hessian (Berndt et al. 1974).
    prior = np.diag(_VAGUE**-2.0) + _rounding(at, calls)
    information = scores.T @ scores + prior
    clusters = calls["session"].to_numpy()
    if calls["session"].nunique() < _FEWEST_CLUSTERS:
        # The scores of all calls add up to 0 at the fit. If sessions are few, the sums of their
        # scores show too little of the error, and calls are taken as independent.
        clusters = np.arange(len(calls))
    summed = pd.DataFrame(scores).groupby(clusters).sum().to_numpy()
    bread = np.linalg.inv(information)
    k = len(summed)
    # What no call tells has no scores; its error is that of the prior, and not 0.
    return np.asarray(bread @ (summed.T @ summed * k / max(1, k - 1) + prior) @ bread)


def _rounding(at: Floats, calls: pd.DataFrame) -> Floats:
    """Return what is known of the mean duration though only intervals of durations are.

    Where all are in one, no call's score tells it.
    """
    seen = Seen.of(calls["duration_s"].to_numpy(dtype=float))
    if not seen.is_rounded:
        return np.zeros((len(at), len(at)))
    parts = _design(calls) * np.exp(at[:4])
    slope = np.append((parts / parts.sum(axis=1, keepdims=True)).mean(axis=0), 0.0)
    return np.outer(slope, slope) / seen.untold**2
