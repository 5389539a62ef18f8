"""What ``calibrate`` does and prints if traces hold single calls and not runs of teams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.between_calls import time_between
from analysis.calibration.call_agents import AgentFit, all_gaps, fit_agents
from analysis.calibration.calls import CallFit, usable
from analysis.calibration.cell import safe_name
from analysis.calibration.held_out import HeldOut, check_held_out
from analysis.calibration.loops import LoopFit, fit_requests
from analysis.calibration.marginal import MarginalFit
from analysis.calibration.profile_names import profile_name
from analysis.calibration.profiles import call_profile, loop_profile, reference_of, write_session
from analysis.calibration.request_fit import fit_request_model
from analysis.calibration.request_model import FILE
from analysis.calibration.requests import Requests, find_requests
from analysis.calibration.subagents import SubagentFit, fit_subagents
from analysis.calibration.told_requests import with_told_requests
from analysis.plots import save
from analysis.plots.qq import latency_figure
from analysis.plots.requests import request_figure
from analysis.statistics.intervals import proportion_interval
from analysis.traces.canonical import CHATS, Traces, named_models
from analysis.validation.request_prediction import PILOT
from simulator.cli.harmless import complain, say_words
from simulator.cli.terminal import print_frame
from simulator.errors import TeamsimError
from simulator.words import percent

LOOP = "-loop"
"""Suffix of the name of a profile that works in loops."""


def calibrate_calls(traces: Traces, out: Path, source: str, holdout: float) -> None:
    """Fit calls model by model, and the requests that they are turns of."""
    fits = fit_agents(traces.calls, reference_of)
    if not fits:
        raise TeamsimError(
            f"{source}: it has no calls of a model (calls of tools alone describe no agent)"
        )
    names = _profile_names([fit.model for fit in fits])
    requests = find_requests(with_told_requests(traces.calls))
    loops = {fit.model: fit_requests(requests.of_model(fit.model)) for fit in fits}
    chats, of_sessions = traces.calls["operation_name"].isin(CHATS), []
    for fit, name in zip(fits, names, strict=True):
        call_profile(fit, out / f"{name}.yaml", source)
        session, mine = out / f"{name}.session.yaml", loops[fit.model]
        in_loops = out / f"{name}{LOOP}.yaml"
        if mine.turns is None:
            in_loops.unlink(missing_ok=True)  # of an earlier calibration
            is_its = chats & (named_models(traces.calls) == fit.model)
            between = time_between(traces.calls, is_its)
            write_session(fit, session, f"{name}.yaml", between=between)
            if between is not None:
                of_sessions.append(f"{fit.model}: {between}")
        else:
            loop_profile(fit, mine, in_loops, source)
            write_session(fit, session, in_loops.name, mine)
    below = {fit.model: fit for fit in fit_subagents(traces.calls, traces.agents)}
    report = pd.DataFrame(
        [
            {**_call_row(fit), **_loop_row(loops[fit.model]), **_subagent_row(below.get(fit.model))}
            for fit in fits
        ]
    )
    report.to_csv(out / "fit_report.csv", index=False)
    _show_fits(fits)
    _show_loops(loops)
    _show_subagents(below)
    _calibrate_requests(requests, fits, list(below.values()), out)
    by_tokens = [fit.fit for fit in fits if isinstance(fit.fit, CallFit)]
    if by_tokens:
        calls = usable(traces.calls)
        save(latency_figure(calls, by_tokens), out / "latency")
        if holdout > 0.0:
            _hold_out(calls, holdout)
    of_loops = [
        f"{model}: {gap}" for model, fit in loops.items() if fit.requests for gap in fit.gaps()
    ]
    for gap in all_gaps(fits) + of_loops + of_sessions:
        complain(f"note: {gap}")
    say_words(
        f"{len(fits)} profile{'s' if len(fits) != 1 else ''}, sessions to run and "
        f"fit_report.csv in {out}; next: "
        f"teamsim run {out / names[0]}.session.yaml"
    )


def _calibrate_requests(
    requests: Requests, fits: Sequence[AgentFit], below: Sequence[SubagentFit], out: Path
) -> None:
    """Fit the model of requests, write it for ``predict --requests``, and draw how well it fits."""
    for name in (FILE, PILOT):  # what an earlier calibration has left is not of these calls
        (out / name).unlink(missing_ok=True)
    latency = {
        fit.model: np.exp(fit.fit.latency.at[:4]) for fit in fits if isinstance(fit.fit, CallFit)
    }
    model = fit_request_model(requests, latency)
    if model is None:
        return
    model.write(out / FILE)
    save(request_figure(requests.table, model, below), out / "requests")
    pilot = requests.named()
    pilot.to_parquet(out / PILOT, index=False)
    say_words(
        f"{sum(model.requests.values())} requests: {FILE} for `teamsim predict {out} --requests`, "
        f"and {PILOT}, what they took"
    )


def _profile_names(models: Sequence[str]) -> list[str]:
    """Return a short name for each model; models that would share a name keep their full names."""
    short = [profile_name(model) for model in models]
    return [
        name if short.count(name) == 1 else safe_name(model)
        for name, model in zip(short, models, strict=True)
    ]


def _show_fits(fits: Sequence[AgentFit]) -> None:
    """Print each fit: durations by tokens, durations alone, or a scaled profile."""
    rows = []
    for fit in fits:
        base, output, scale = ("base_s", "output_s_per_1k", "residual_scale")
        known = fit.parameters
        kind = {CallFit: "tokens", MarginalFit: "durations"}.get(type(fit.fit), "profile, scaled")
        row: dict[str, object] = {"model": fit.model, "calls": fit.calls, "fitted": kind}
        for name in (base, output, scale):
            row[name] = known[name].value if name in known else float("nan")
        rows.append({**row, "failed": fit.failed.value, "not estimated": len(fit.gaps)})
    shown = pd.DataFrame(rows)
    heads = ["model", "calls", "fitted", "base_s", "s/1k out", "scale", "failed", "not estimated"]
    print_frame(shown, heads)


def _call_row(fit: AgentFit) -> dict[str, object]:
    row: dict[str, object] = {"model": fit.model, "sessions": fit.sessions, "calls": fit.calls}
    for name, estimate in fit.parameters.items():
        row[name] = estimate.value
        row[f"{name}_se"] = estimate.shown_error
    if isinstance(fit.fit, CallFit):
        output = fit.fit.output
        row |= {
            "output_family": output.kind,
            "output_ks": output.ks,
            "output_ad": output.ad,
            "output_aic_gain": output.aic_gain,
        }
    elif isinstance(fit.fit, MarginalFit):
        row |= {"family": fit.fit.duration.kind, "KS": fit.fit.duration.ks}
    row["not_estimated"] = "; ".join(str(gap) for gap in fit.gaps)
    return row


def _loop_row(loops: LoopFit) -> dict[str, object]:
    row: dict[str, object] = {"requests": loops.requests, "requests_cut": loops.cut}
    if loops.turns is not None:
        row["turns_family"] = loops.turns.kind
    for name, estimate in loops.parameters().items():
        row[name] = estimate.value
        row[f"{name}_se"] = estimate.shown_error
    return {**row, **loops.goodness(), "not_estimated_of_loops": "; ".join(map(str, loops.gaps()))}


def _show_loops(loops: dict[str, LoopFit]) -> None:
    """Print the fitted loops, if there are any."""
    rows = []
    for model, fit in loops.items():
        if fit.turns is None:
            continue
        tool = fit.tools[0] if fit.tools else None
        rows.append(
            {
                "model": model,
                "requests": fit.requests,
                "cut": fit.cut,
                "turns": fit.turns.kind,
                "KS": fit.turns.ks,
                "tools": len(fit.tools),
                "their KS": tool.seconds.ks if tool else float("nan"),
                "pauses": tool.seconds.share.value if tool and fit.has_pause else float("nan"),
            }
        )
    if rows:
        print_frame(pd.DataFrame(rows), list(rows[0]))


def _subagent_row(fit: SubagentFit | None) -> dict[str, object]:
    if fit is None:
        return {}
    row: dict[str, object] = {"subagents_family": fit.number.kind, "subagents_depth": fit.depth}
    for name, estimate in fit.parameters().items():
        row[name] = estimate.value
        row[f"{name}_se"] = estimate.shown_error
    return {**row, "subagents_ks": fit.number.ks}


def _share(are: npt.ArrayLike) -> str:
    share = proportion_interval(are)
    return f"{percent(share.estimate)} ({percent(share.low)} to {percent(share.high)})"


def _show_subagents(fits: dict[str, SubagentFit]) -> None:
    """Print how many sub-agents agents start, if they start any."""
    rows = [
        {
            "model": model,
            "agents": len(fit.counts),
            "start some": _share(fit.counts > 0),
            "how many": fit.counts[fit.counts > 0].mean(),
            "law": fit.number.kind,
            "KS": fit.number.ks,
            "levels": fit.depth,
        }
        for model, fit in fits.items()
    ]
    if rows:
        print_frame(pd.DataFrame(rows), list(rows[0]))
        say_words(
            "start some: share of the agents that do, with its 95 % interval. Sub-agents are in no "
            "profile of one model: `teamsim observe` makes a team with them"
        )


def _hold_out(calls: pd.DataFrame, share: float) -> None:
    """Check the fits on sessions held out, if there are enough to hold any out."""
    try:
        check = check_held_out(calls, share)
    except TeamsimError as error:
        complain(f"note: no check on sessions held out: {error}")
        return
    _print_held_out(check)


def _print_held_out(check: HeldOut) -> None:
    without = (
        "all durations are equal"
        if math.isnan(check.marginal)
        else f"{check.marginal:.3f} without ({check.family}): "
        f"{check.conditional - check.marginal:+.3f} nats"
    )
    say_words(
        f"held out: {check.sessions} sessions, {check.calls} calls; log density a call "
        f"{check.conditional:.3f} given the tokens, {without}"
    )
    print_frame(check.sums, list(check.sums.columns))
