"""Traces of made-up agents, whose laws are known, and their twins beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.observation.observe import Observation, observe
from analysis.traces.canonical import AGENTS, CALLS, MESSAGES, RUNS, Traces

_NS = 1_000_000_000

MEASURES = ("makespan_s", "input_tokens", "output_tokens", "cost_usd")


class Made:
    """A trace that grows call by call; `now` is the clock of the run that is written.

    Parameters
    ----------
    seed : int
        Of the random numbers that made-up agents draw.
    """

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.run, self.now = "", 0.0
        self._calls: list[dict[str, Any]] = []
        self._messages: list[dict[str, Any]] = []
        self._agents: dict[tuple[str, str], str | None] = {}

    def about(self, median: float, sigma: float = 0.4) -> float:
        """Return a lognormal draw."""
        return float(median * np.exp(sigma * self.rng.standard_normal()))

    def begin(self, run: str) -> None:
        """Begin a run."""
        self.run, self.now = run, 0.0

    def chat(
        self,
        agent: str,
        read: float,
        wrote: float,
        goes_on: bool = False,
        cached: float | None = 0.0,
        **fields: Any,
    ) -> None:
        """Add a call of a model, which begins now; a token written takes 15 ms."""
        said = {
            "operation_name": "chat",
            "response_model": fields.pop("model", "claude-sonnet-4-5"),
            "finish_reason": "tool_use" if goes_on else "end_turn",
            "input_tokens": round(read),
            "output_tokens": round(wrote),
            "cache_read_input_tokens": None if cached is None else round(cached),
        }
        self.add(agent, (1.0 + 0.015 * wrote) * self.about(1.0, 0.1), **said, **fields)

    def tool(self, agent: str, name: str, seconds: float, **fields: Any) -> None:
        """Add a call of a tool, which begins now."""
        self.add(agent, seconds, operation_name="execute_tool", tool_name=name, **fields)

    def add(self, agent: str, seconds: float, **fields: Any) -> None:
        """Add an operation, and set the clock to its end."""
        start, self.now = self.now, self.now + seconds
        self._agents.setdefault((self.run, agent), fields.get("parent_agent_id"))
        row = {
            **dict.fromkeys(CALLS),
            "run_id": self.run,
            "trace_id": self.run,
            "span_id": f"span-{len(self._calls)}",
            "agent_id": agent,
            "start_ns": round(start * _NS),
            "end_ns": round(self.now * _NS),
            "status": "ok",
        }
        self._calls.append({**row, **fields})

    def tell(self, sender: str, receiver: str, kind: str = "message") -> None:
        """Add a message, sent now."""
        row = {
            "run_id": self.run,
            "msg_id": f"message-{len(self._messages)}",
            "src_agent_id": sender,
            "dst_agent_id": receiver,
            "sent_ns": round(self.now * _NS),
            "kind": kind,
            "inferred": False,
        }
        self._messages.append(row)

    def traces(self) -> Traces:
        """Return all runs."""
        agents = [
            {"run_id": run, "agent_id": agent, "name": agent, "parent_agent_id": parent,
             "depth": int(parent is not None)}
            for (run, agent), parent in self._agents.items()
        ]  # fmt: skip
        runs = [{"run_id": run} for run in dict.fromkeys(run for run, _ in self._agents)]
        return Traces(
            _table(self._calls, CALLS),
            _table(self._messages, MESSAGES),
            _table(runs, RUNS),
            _table(agents, AGENTS),
        )


def _table(rows: list[dict[str, Any]], dtypes: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows], dtype=of) for name, of in dtypes.items()}
    )


Kind = Callable[[Made], None]
"""Writes one run of a made-up agent or team."""


def twin_of(kind: Kind, runs: int = 16, replications: int = 60, seed: int = 1) -> Observation:
    """Observe runs of a kind."""
    made = Made(seed)
    for number in range(runs):
        made.begin(f"run-{number}")
        kind(made)
    return observe(made.traces(), "observed", replications)


def assert_alike(
    found: Observation, measures: tuple[str, ...] = MEASURES, far: float = 3.0, least: float = 0.02
) -> None:
    """Check that the means of a twin's runs are those of the runs that it was made of.

    They may differ by `far` standard errors of the difference, and by `least` of the mean: digits
    of a scenario are rounded, and tuning ends within 2 %.
    """
    for measure in measures:
        real, twin = (
            each[measure].astype(float).to_numpy() for each in (found.table, found.simulated)
        )
        error = np.hypot(*(each.std(ddof=1) / len(each) ** 0.5 for each in (real, twin)))
        limit = far * error + least * real.mean()
        assert twin.mean() == pytest.approx(real.mean(), abs=limit), measure
