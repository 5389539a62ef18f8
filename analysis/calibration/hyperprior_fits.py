"""Fits hyperpriors to the runs of several agents: empirical Bayes (Efron & Morris 1975).

Each cell of each agent is fitted alone, under `VAGUE` priors that are then taken out. An agent is a
model under a protocol. The true values of its cells are normal around its own, in all agents with
the same standard deviation, and these around the mean of all. Both standard deviations count by
their marginal likelihood, with a half-Cauchy prior (Gelman 2006) whose scale is the standard
deviation of the vague prior: of three models alone the likeliest value may be 0, and a flat prior
would leave the mean square to its upper end.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.calibration import forgetting, latency, styles, tokens
from analysis.calibration.cells import observed
from analysis.calibration.estimates import SPREADS_TRIED, Common, VectorFit, common_of
from analysis.calibration.hyperpriors import VAGUE, Prior
from analysis.calibration.waiting import WaitingTasks
from analysis.traces.team_runs import AGENT, CELL, TeamRuns
from simulator.distributions import Floats

_IMPUTED = 400
"""Times that waits are told apart: where an agent has forgotten little, a fit under the vague prior
depends on which of them are of forgotten tasks, and one of 20 times may decide its mean."""
_FARTHEST = 3.0
"""Largest standard deviation between agents or cells, in units of that of the vague prior."""


def fit_priors(real: TeamRuns) -> dict[str, Prior]:
    """Return the priors of an agent that is not among those of the runs.

    Parameters
    ----------
    real : TeamRuns
        Of several agents: without others, an agent says little of how far they differ.
    """
    calls, told = observed(real, AGENT, _IMPUTED)
    waiting = {key: WaitingTasks(tasks) for key, tasks in real.tasks.items()}
    agents: dict[str, list[Common]] = {"latency": [], "tokens": []}
    styled, forgetful = [], []
    for agent, runs in real.runs.groupby(AGENT, sort=True):
        mine = calls[calls["run_dir"].isin(runs["run_dir"])]
        cells = [cell for _, cell in runs.groupby(CELL, sort=True)]
        parts = [mine[mine["run_dir"].isin(cell["run_dir"])] for cell in cells]
        working = [part[~part["is_idle"]] for part in parts]
        first = {
            "latency": [latency.fit_alone(part, VAGUE["latency"]) for part in working if len(part)],
            "tokens": [
                tokens.fit_alone(tokens.log_of(cell, part), VAGUE["tokens"])
                for cell, part in zip(cells, parts, strict=True)
            ],
        }
        for name, fits in first.items():
            agents[name].append(in_common(fits, VAGUE[name]))
        styled.append(styles.fit_agent_styles(working, VAGUE["one_by_one"]))
        if agent in told:
            lists = forgetting.by_list(parts, waiting)
            vague = VAGUE["forgetting"]
            forgetful.append(forgetting.fit_agent_forgetting(lists, told[agent], vague))
    found = {name: of_a_cell(commons, VAGUE[name]) for name, commons in agents.items()}
    for name, fits in {"one_by_one": styled, "forgetting": forgetful}.items():
        common = in_common(fits, VAGUE[name]) if fits else VAGUE[name]
        found[name] = Prior(common.mean, common.sd)
    return found


def in_common(fits: Sequence[VectorFit], vague: Prior) -> Common:
    """Return what fits under a vague prior have in common."""
    return common_of(fits, vague.mean, vague.sd, _FARTHEST * vague.sd, scale=1.0)


def of_a_cell(agents: Sequence[Common], vague: Prior) -> Prior:
    """Return the prior of a cell of another agent.

    Parameters
    ----------
    agents : sequence of Common
        What the cells of each agent have in common.
    vague : Prior
        Under which they were fitted.
    """
    means = [VectorFit(each.mean, np.diag(each.of_mean)) for each in agents]
    common = in_common(means, vague)
    within = between_cells(agents, vague)
    return Prior(common.mean, np.sqrt(common.between + common.of_mean + within))


def between_cells(agents: Sequence[Common], vague: Prior) -> Floats:
    """Return the variance between cells, shape (K,), if it is the same in all agents.

    Parameters
    ----------
    agents, vague
        As of `of_a_cell`.
    """
    tau = (SPREADS_TRIED[:, None] * _FARTHEST * vague.sd) ** 2
    logs: Floats = np.sum([each.evidence for each in agents], axis=0)
    logs = logs + (len(agents) - 1) * np.log1p(tau / vague.sd**2)  # one prior, and not one each
    chance = np.exp(logs - logs.max(axis=0))
    return np.asarray((chance * tau).sum(axis=0) / chance.sum(axis=0))
