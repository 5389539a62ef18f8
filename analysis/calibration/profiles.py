"""Writes fits as agent profiles: YAML files with source, date, sample size, standard errors."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from analysis.calibration.cell import CellFit
from analysis.calibration.estimates import Probability
from analysis.calibration.profile_names import profile_name
from analysis.calibration.rounding import four_digits
from simulator.scenario.prices import list_prices

if TYPE_CHECKING:  # teams have no need of what fits calls
    from analysis.calibration.call_agents import AgentFit
    from analysis.calibration.calls import CallFit
    from analysis.calibration.gaps import Gap, Reference
    from analysis.calibration.loops import LoopFit
    from analysis.calibration.marginal import MarginalFit


def write_profile(fit: CellFit, path: Path, source: str) -> None:
    """Write an agent of a team as a profile.

    What it forgets is left out: a profile may be used under a protocol without claims.
    """
    said = f"{source}: {fit.runs} runs, {fit.calls} calls, {fit.cell['mode']}"
    if fit.claims_itself:
        noise = "not known" if "noise" in fit.untold else four_digits(fit.noise.value)
        said += f"; choice noise {noise}"
    agent = {name: each for name, each in fit.agent().items() if name != "forgetting"}
    parameters = replace(fit, forgetting=None).parameters()
    told = {name: each for name, each in parameters.items() if name not in fit.untold}
    _write(path, said, agent, told, fit.gaps())


def call_profile(fit: CallFit | MarginalFit | AgentFit, path: Path, source: str) -> None:
    """Write an agent fitted to single calls as a profile."""
    from analysis.calibration.call_agents import AgentFit

    said = f"{source}: {fit.calls} calls of {fit.sessions} sessions of {fit.model}"
    gaps: Sequence[Gap] = ()
    if isinstance(fit, AgentFit):
        agent, parameters, gaps = dict(fit.agent), dict(fit.parameters), fit.gaps
    else:
        agent, parameters = fit.agent(), dict(fit.parameters())
    if _has_price(profile_name(fit.model)):
        agent["price"] = profile_name(fit.model)
    _write(path, said, agent, parameters, [str(gap) for gap in gaps])


def loop_profile(fit: AgentFit, loops: LoopFit, path: Path, source: str) -> None:
    """Write an agent that works in loops as a profile: its calls are turns.

    The tools then add their results to the context, and no longer every call.
    """
    said = f"{source}: {loops.requests} requests of {loops.sessions} sessions of {fit.model}"
    agent = {**fit.agent, **loops.spec()}
    agent["context"] = loops.context(agent.get("context", {}))
    if _has_price(profile_name(fit.model)):
        agent["price"] = profile_name(fit.model)
    gaps = [str(gap) for gap in (*fit.gaps, *loops.gaps())]
    _write(path, said, agent, {**fit.parameters, **loops.parameters()}, gaps)


def write_session(
    fit: AgentFit,
    path: Path,
    profile: str,
    loops: LoopFit | None = None,
    between: Gap | None = None,
) -> None:
    """Write a scenario of one session of an agent, which runs as it stands.

    `between` says why there is no time between its calls, where there was some.
    """
    requests = None if loops is None else loops.session_requests
    text: str = yaml.safe_dump(fit.session(profile, requests), sort_keys=False, width=100)
    said = "" if between is None else f"# {between}.\n"
    path.write_text(
        f"# One session of {fit.model}, of the middle length.\n{said}{text}", encoding="utf-8"
    )


def reference_of(model: str) -> Reference:
    """Return the profile that supplies what is not known of a model."""
    from analysis.calibration.gaps import reference

    return reference(profile_name(model))


def _has_price(model: str) -> bool:
    try:
        list_prices(model, None)
    except ValueError:
        return False
    return True


def _write(
    path: Path,
    said: str,
    agent: dict[str, Any],
    parameters: Mapping[str, Probability],
    gaps: Sequence[str] = (),
) -> None:
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    document = {"source": f"{said}; fitted by teamsim calibrate on {today}", **agent}
    text: str = yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=100)
    lines = [
        "# Estimates and standard errors (relative ones for what is fitted on a log scale):",
        *(
            f"#   {name}: "
            + (
                f"{four_digits(each.value)} ± {four_digits(each.shown_error)}"
                if np.isfinite(each.error)
                else f"{four_digits(each.value)}, not estimated"
            )
            for name, each in parameters.items()
        ),
        *(f"# {gap}" for gap in gaps),
    ]
    path.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
