"""Agents of random habits that claim tasks of a random list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.scenario import Scenario
from tests.analysis.harness import CLAIMING, CONTEXT, scenario

SIZES = (1, 2, 3, 5, 20)


@dataclass(frozen=True)
class World:
    """An agent, its task list, and the noise of its choice."""

    agent: dict[str, Any]
    tasks: list[dict[str, Any]]
    noise: float

    def team(self, size: int) -> Scenario:
        """Return a team of such agents."""
        document = scenario(self.agent, CLAIMING, size, self.tasks, 1)
        said = document.model_dump(mode="json", exclude_unset=True)
        protocol = {"kind": "self_claim", "choice": "noisy", "noise": self.noise}
        said["coordination"]["protocol"] = protocol
        return Scenario.model_validate(said)


def made_up(rng: np.random.Generator, errors: float) -> World:
    """Return an agent whose attempts fail with this probability, on 20 tasks."""
    needed = rng.uniform(0.0, 1.2)  # tasks that a task waits for, on average
    tasks = [
        {
            "id": f"t{i}",
            "dependencies": [f"t{j}" for j in range(i) if rng.random() < needed / i],
            "files": [f"f{i}.py"],
        }
        for i in range(20)
    ]
    blind, stays, noise, deference = (round(float(each), 4) for each in rng.random(4))
    sizes = rng.choice(SIZES, 40, p=rng.dirichlet(np.ones(len(SIZES))))
    agent = {
        "latency": {
            "kind": "seconds",
            "base": 6.0,
            "per_work_unit_s": 2.0,
            "residual": {"kind": "lognormal", "median": 1, "sigma": 0.4},
        },
        "batch": {"kind": "empirical", "values": sizes.tolist()},
        "batch_persistence": stays,
        "tokens": {"output": 150, "message": 0},
        "context": CONTEXT,
        "behaviour": {"idle": 0.1, "chatter": 1, "blind_calls": blind, "deference": deference},
        "errors": {"probability": errors, "call_correlation": 0.0},
    }
    return World(agent, tasks, noise)
