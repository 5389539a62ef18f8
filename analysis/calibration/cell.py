"""What was estimated for one cell of real runs, and the scenario that says it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from analysis.calibration.latency import LatencyFit, Residual
from analysis.calibration.rounding import four_digits
from analysis.calibration.tokens import TokenFit
from analysis.traces.llm_teams import CELL, SELF_CLAIM

MAX_ROUNDS = 60
"""The harness gives up after as many rounds."""


def safe_name(text: str) -> str:
    """Return `text` as the name of a scenario or a file."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).lstrip("-._")


@dataclass(frozen=True)
class CellFit:
    """What was estimated for one cell, all team sizes together."""

    cell: dict[str, str]
    runs: int
    latency: LatencyFit
    idle_median_s: float
    idle_residual: Residual
    batch: dict[int, float]
    """Tasks a reply takes on, and their probabilities."""
    error: float
    """Probability that an attempt that could succeed does not."""
    error_run_sigma: float
    dependency_blindness: float
    idle: float
    """Probability that a reply takes no task although its agent has one."""
    idle_run_sigma: float
    deference: float
    noise: float
    overhead_s: float
    tokens: TokenFit

    @property
    def name(self) -> str:
        """The cell's name, also of its scenario and its file."""
        return safe_name("-".join(self.cell[key] for key in CELL))

    @property
    def claims_itself(self) -> bool:
        """Whether agents claim tasks themselves."""
        return self.cell["mode"] == SELF_CLAIM

    def agent(self) -> dict[str, Any]:
        """Return the simulated agent, as a scenario says it."""
        fit = self.latency
        return {
            "latency": {
                "kind": "seconds",
                "base": four_digits(fit.base_s),
                "per_work_unit_s": four_digits(fit.per_task_s),
                "residual": fit.residual.spec(),
                "idle": self.idle_residual.spec(self.idle_median_s),
            },
            "batch": {
                "kind": "empirical",
                "values": list(self.batch),
                "weights": [four_digits(weight) for weight in self.batch.values()],
            },
            **self.tokens.spec(),
            "behaviour": {
                "idle": {
                    "probability": four_digits(self.idle),
                    "run_sigma": four_digits(self.idle_run_sigma),
                },
                "deference": four_digits(self.deference),
                "chatter": 1,
                "dependency_blindness": four_digits(self.dependency_blindness),
            },
            "errors": {
                "probability": {
                    "probability": four_digits(self.error),
                    "run_sigma": four_digits(self.error_run_sigma),
                },
                "detection": 1,
            },
        }

    def scenario(self, tasks: list[dict[str, Any]], size: int = 1) -> dict[str, Any]:
        """Return the cell as a scenario of `size` agents on `tasks`."""
        protocol: dict[str, Any] = {"kind": "pre_assigned"}
        if self.claims_itself:
            protocol = {"kind": "self_claim", "choice": "noisy", "noise": four_digits(self.noise)}
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
            "limits": {"max_rounds": MAX_ROUNDS},
        }

    def with_habits(self, deference: float, noise: float) -> CellFit:
        """Return this fit with other values of the two habits that replies do not show."""
        return replace(self, deference=deference, noise=noise)

    def report(self) -> dict[str, Any]:
        """Return the fit as a row of the report."""
        residual = self.latency.residual
        mean_batch = sum(size * weight for size, weight in self.batch.items())
        return {
            **self.cell,
            "runs": self.runs,
            "calls": self.latency.calls,
            "base_s": self.latency.base_s,
            "per_task_s": self.latency.per_task_s,
            "residual": residual.kind,
            "residual_scale": residual.scale,
            "residual_ks": residual.ks,
            "residual_aic_gain": residual.aic_gain,
            "run_sigma": residual.run_sigma,
            "idle_s": self.idle_median_s,
            "batch_mean": mean_batch,
            "error": self.error,
            "error_run_sigma": self.error_run_sigma,
            "blindness": self.dependency_blindness,
            "idle": self.idle,
            "idle_run_sigma": self.idle_run_sigma,
            "deference": self.deference,
            "noise": self.noise,
            "overhead_s": self.overhead_s,
            "system_tokens": self.tokens.system,
            "retention": self.tokens.retention,
            "message_tokens": self.tokens.message,
            "output_tokens": self.tokens.output,
            "output_tokens_per_task": self.tokens.per_task,
            "input_error": self.tokens.input_error,
        }
