"""The estimates for one cell of real runs, and the scenario made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from analysis.calibration.drafts import ALWAYS_WRITTEN, DraftHabit
from analysis.calibration.estimates import (
    UNTOLD,
    BetaEstimate,
    Estimate,
    Probability,
    VectorFit,
    persistence,
)
from analysis.calibration.forgetting import Forgetfulness
from analysis.calibration.habits import Habits, Ints
from analysis.calibration.latency import Residual
from analysis.calibration.logit_normal import median_of_logit_normal
from analysis.calibration.output_limits import Capacity
from analysis.calibration.rounding import as_said, four_digits
from analysis.calibration.styles import AT_TASKS
from analysis.calibration.tokens import NAMES, TokenFit
from analysis.traces.team_runs import CELL, SELF_CLAIM
from simulator.distributions import Floats
from simulator.special import expit

_NEXT_TO_NOTHING = 0.001
"""Difference from a probability of which nothing is known, of its value or relative of its error,
up to which the runs tell nothing."""


def _tells_nothing(said: Probability) -> bool:
    """Tell whether a probability is as before any run, and not only as widely spread."""
    off, wider = abs(said.value - UNTOLD.value), abs(said.error / UNTOLD.error - 1.0)
    return max(off, wider) <= _NEXT_TO_NOTHING


def safe_name(text: str) -> str:
    """Return `text` as the name of a scenario or a file."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip("-._")


@dataclass(frozen=True)
class CellFit:
    """The estimates for one cell, all team sizes together, each with its uncertainty."""

    cell: dict[str, str]
    runs: int
    calls: int
    max_rounds: int
    """Rounds after which the harness gave up."""
    latency: VectorFit
    """Logarithms of base, per task, and hand_in (see `analysis.calibration.latency`)."""
    redo: Probability
    """Work of a later attempt at a task, as a share of the first."""
    residual: Residual
    idle_median: VectorFit
    idle_residual: Residual
    one_by_one: VectorFit
    """Whether agents begin with one task a call: logit and growth (see `styles`)."""
    habits: Habits
    idle_first: Probability
    """Probability that an agent's first call takes no task."""
    idle: Probability
    """Probability that a call takes no task although its agent has one, after a call that did."""
    idle_again: Probability
    """The same, after a call that took none."""
    error: Probability
    """Probability that an attempt that could succeed does not."""
    error_run_sigma: Estimate
    call_correlation: Estimate
    """Probability that an attempt has the outcome that the attempts of its call share."""
    limit_s: float | None
    """Duration of replies that have reached the output limit, if there were any."""
    round_sigma: Estimate
    """Standard deviation between rounds of the log of durations; reported, not simulated."""
    hung: Probability
    """Probability that a call hangs for many times its length; reported, not simulated."""
    trends: dict[str, Estimate]
    """Drift: change of durations, errors and idling with each call; reported, not simulated."""
    capacity: Capacity | None
    """Tasks that fit into one reply, if the output limit matters."""
    truncation_loss: Probability
    """Probability that a reply which was cut off is useless."""
    overhead_s: float
    tokens: TokenFit
    deference: Probability = UNTOLD
    noise: Probability = UNTOLD
    drafts: DraftHabit = ALWAYS_WRITTEN
    """How likely calls leave drafts as they are."""
    forgetting: Forgetfulness | None = None
    """How likely agents are not to hand in what they have claimed; None where tasks are dealt."""
    matching: dict[str, float] = field(default_factory=dict)
    """How well the two habits that are matched by simulation match (see `matching`)."""

    @property
    def name(self) -> str:
        """The cell's name, also of its scenario and its file."""
        return safe_name("-".join(self.cell[key] for key in CELL))

    @property
    def claims_itself(self) -> bool:
        """Whether agents claim tasks themselves."""
        return self.cell["mode"] == SELF_CLAIM

    @property
    def untold(self) -> list[str]:
        """Names of the habits of which the runs say nothing; values of them are guesses."""
        hidden = {"deference": self.deference, "noise": self.noise} if self.claims_itself else {}
        return [name for name, each in hidden.items() if _tells_nothing(each)]

    def gaps(self) -> list[str]:
        """Return a sentence for each of these habits."""
        return [
            f"{name} is not known, as no team of several tells it: {as_said(UNTOLD.value)} is the "
            "middle of what is possible, and predictions draw it from all of that"
            for name in self.untold
        ]

    @property
    def idle_persistence(self) -> float:
        """Probability of idling again, beyond the probability of idling in any call."""
        return persistence(self.idle, self.idle_again)

    def draw(self, rng: np.random.Generator) -> CellFit:
        """Return a fit whose parameters are drawn from their uncertainty."""
        drawn = {
            name: getattr(self, name).draw(rng)
            for name in (
                "latency",
                "idle_median",
                "residual",
                "idle_residual",
                "redo",
                "one_by_one",
                "habits",
                "idle_first",
                "idle",
                "idle_again",
                "error",
                "error_run_sigma",
                "call_correlation",
                "truncation_loss",
                "tokens",
                "deference",
                "noise",
            )
        }
        if self.forgetting is not None:
            drawn["forgetting"] = self.forgetting.draw(rng)
        if self.claims_itself:
            drawn["drafts"] = self.drafts.draw(rng)
        return replace(self, **drawn)

    def agent(self) -> dict[str, Any]:
        """Return the simulated agent, as a scenario says it."""
        base, per_task, _ = np.exp(self.latency.at)
        behaviour: dict[str, Any] = {
            "idle": four_digits(self.idle.value),
            "idle_first": four_digits(self.idle_first.value),
            "idle_persistence": four_digits(self.idle_persistence),
            "chatter": 1,
        }
        if self.claims_itself:
            behaviour["deference"] = as_said(self.deference.value)
            behaviour["blind_calls"] = four_digits(_mean(self.habits.blind))
            behaviour["leave_drafts"] = four_digits(self.drafts.left.value)
            behaviour["leaving_persistence"] = four_digits(self.drafts.persistence)
        limit: dict[str, Any] = {}
        if self.capacity is not None:
            limit |= self.capacity.spec()
            limit["truncation_loss"] = four_digits(self.truncation_loss.value)
        more = slice(min(1, len(self.habits.sizes) - 1), None)  # one at first is `one_by_one`
        return {
            "latency": {
                "kind": "seconds",
                "base": four_digits(base),
                "per_work_unit_s": four_digits(per_task),
                "residual": self.residual.spec(),
                "idle": self.idle_residual.spec(float(np.exp(self.idle_median.at[0]))),
            },
            "first_batch": _empirical(self.habits.sizes[more], self.habits.first[more]),
            "batch": _empirical(self.habits.sizes, self.habits.later),
            "batch_persistence": four_digits(_mean(self.habits.persistence)),
            "one_by_one": {
                "probability": four_digits(float(expit(self.one_by_one.at[0]))),
                "at_tasks": AT_TASKS,
                "growth": four_digits(max(0.0, float(self.one_by_one.at[1]))),
            },
            **limit,
            "redo_work": four_digits(min(1.0, max(0.001, self.redo.value))),
            **self.tokens.spec(),
            "behaviour": behaviour,
            "errors": {
                "probability": self._error_probability(),
                "call_correlation": as_said(self.call_correlation.value),
                "detection": 1,
            },
            **({} if self.forgetting is None else {"forgetting": self.forgetting.spec()}),
        }

    def _error_probability(self) -> dict[str, float]:
        sigma = self.error_run_sigma.value
        median = four_digits(median_of_logit_normal(self.error.value, sigma))
        if median in (0.0, 1.0):
            return {"probability": median}
        return {"probability": median, "run_sigma": four_digits(sigma)}

    def scenario(self, tasks: list[dict[str, Any]], size: int = 1) -> dict[str, Any]:
        """Return the cell as a scenario of `size` agents on `tasks`."""
        protocol: dict[str, Any] = {"kind": "pre_assigned"}
        if self.claims_itself:
            noise = as_said(self.noise.value)
            protocol = {"kind": "self_claim", "choice": "noisy", "noise": noise}
        return {
            "name": self.name,
            "question": f"What do teams of {self.cell['model_dir']} make of this task list?",
            "seed": 1,
            "replications": 200,
            "team": {"size": size, "agent": self.agent()},
            "topology": "decentralised",
            "coordination": {
                "protocol": protocol,
                "timing": "rounds",
                "round_overhead_s": four_digits(self.overhead_s),
            },
            "workload": {"kind": "dag", "tasks": tasks},
            # The harness edits files in place, so that a second edit seldom undoes the first.
            "workspace": {"kind": "last_writer_wins", "loss": 0.0},
            "limits": {"max_rounds": self.max_rounds},
        }

    def parameters(self) -> dict[str, Any]:
        """Return every scalar parameter that can be reported with a standard error, by name.

        There are also those of which nothing is known (see `untold`).
        """
        named = {
            "base_s": self.latency.estimate(0, "log"),
            "per_task_s": self.latency.estimate(1, "log"),
            "hand_in": self.latency.estimate(2, "log"),
            "redo_work": self.redo,
            "residual_sd": self.residual.sd,
            "run_sigma": self.residual.run_sigma,
            "round_sigma": self.round_sigma,
            **self.trends,
            "hung": self.hung,
            "idle_s": self.idle_median.estimate(0, "log"),
            "idle_first": self.idle_first,
            "idle": self.idle,
            "idle_again": self.idle_again,
            "error": self.error,
            "error_run_sigma": self.error_run_sigma,
            "call_correlation": self.call_correlation,
            "truncation_loss": self.truncation_loss,
            "one_by_one": self.one_by_one.estimate(0, "logit"),
            "one_by_one_growth": self.one_by_one.estimate(1, "identity"),
            "batch_persistence": BetaEstimate(*self.habits.persistence),
            "blind_calls": BetaEstimate(*self.habits.blind),
            **self._of_claims(),
            **{f"{name}_tokens": self.tokens.estimate(name) for name in NAMES},
            "output_run_sigma": self.tokens.run_sigma,
            **({} if self.forgetting is None else self.forgetting.parameters()),
        }
        named["retention"] = named.pop("retention_tokens")
        return named

    def _of_claims(self) -> dict[str, Any]:
        if not self.claims_itself:
            return {}
        drafts = {"leave_drafts": self.drafts.left, "leave_drafts_again": self.drafts.left_again}
        return {**drafts, "deference": self.deference, "noise": self.noise}

    def report(self) -> dict[str, Any]:
        """Return the fit as a row of the report."""
        row: dict[str, Any] = {**self.cell, "runs": self.runs, "calls": self.calls}
        for name, estimate in self.parameters().items():
            is_told = name not in self.untold and not np.isnan(estimate.error)
            row[name] = estimate.value if is_told else None
            row[f"{name}_se"] = estimate.error if is_told else None
        for name, counts in (("first_batch", self.habits.first), ("batch", self.habits.later)):
            row[f"{name}_mean"] = float((self.habits.sizes * counts).sum() / counts.sum())
        row["residual"] = self.residual.kind
        row["residual_ks"] = self.residual.ks
        row["residual_ad"] = self.residual.ad
        row["residual_aic_gain"] = self.residual.aic_gain
        row |= self.matching
        row["limit_s"] = self.limit_s
        row["capacity"] = None if self.capacity is None else self.capacity.tasks
        row["overhead_s"] = self.overhead_s
        row["input_error"] = self.tokens.input_error
        return row


def _empirical(sizes: Ints, counts: Floats) -> dict[str, Any]:
    weights = counts / counts.sum()
    kept = weights > 5e-4
    return {
        "kind": "empirical",
        "values": [int(size) for size in sizes[kept]],
        "weights": [four_digits(weight) for weight in weights[kept]],
    }


def _mean(beta: tuple[float, float]) -> float:
    return beta[0] / (beta[0] + beta[1])
