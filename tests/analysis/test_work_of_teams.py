"""What is taken for granted of a team's work, which no trace shows, is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.observation.observe import Observation, observe
from analysis.traces.reading import read_traces

Row = tuple[str, str, float, float, int, int]


def halves(run: int, rng: np.random.Generator) -> list[Row]:
    """Two agents at once, each with four calls one after another."""
    return [row for agent in ("w1", "w2") for row in turns(run, rng, [agent] * 4)]


def chain(run: int, rng: np.random.Generator) -> list[Row]:
    """Two agents in turn; clocks are rounded, so that some begin 1 ms before the other ends."""
    return turns(run, rng, ["w1", "w2"] * 4)


def rounds(run: int, rng: np.random.Generator) -> list[Row]:
    """A lead, and two workers at once, four times."""
    rows, at = list[Row](), 5000.0 * run
    for _ in range(4):
        rows += turns(run, rng, ["lead"], at)
        at = rows[-1][3]
        rows += [turns(run, rng, [agent], at)[0] for agent in ("w1", "w2")]
        at = max(row[3] for row in rows[-2:])
    return rows + turns(run, rng, ["lead"], at)


def turns(
    run: int, rng: np.random.Generator, agents: list[str], at: float | None = None
) -> list[Row]:
    """Return calls one after another, their times in milliseconds."""
    rows, at = list[Row](), 5000.0 * run if at is None else at
    for agent in agents:
        wrote = int(rng.lognormal(5.0, 0.5))
        end = at + 1.0 + 0.015 * wrote * rng.lognormal(0.0, 0.2)
        begins = round(at, 3) - 0.001 * bool(rows) * (wrote % 2)
        rows.append((f"s{run}", agent, begins, round(end, 3), 5000, wrote))
        at = end
    return rows


def observed(path: Path, kind: object) -> Observation:
    rng = np.random.default_rng(1)
    rows = [row for run in range(12) for row in kind(run, rng)]  # type: ignore[operator]
    names = ("session_id", "agent", "start_s", "end_s", "input_tokens", "output_tokens")
    pd.DataFrame(rows, columns=names).assign(model="m").to_csv(path, index=False)
    return observe(read_traces([path]), "team", replications=20)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (halves, "whether work that an agent did after other work needs that, and no other agent "
                 "can share it (workload: {kind: layered, layers: 4, width: 2} if it does)"),
        (rounds, "whether work that came after a round of other work needs that, and no other "
                 "agent can share it (workload: {kind: layered, layers: 4, width: 2} if it does)"),
        (chain, "that work which was done in turn had to be (workload.parallel_fraction: 1 if "
                "not)"),
    ],
)  # fmt: skip
def test_whether_work_can_be_shared_is_an_assumption(
    tmp_path: Path, kind: object, said: str
) -> None:
    """Eight agents were advised, without a condition, for two with four calls each in turn."""
    assert observed(tmp_path / "a.csv", kind).twin.document["assumptions"] == [said]


def test_a_chain_is_one_whatever_clocks_are_rounded_to(tmp_path: Path) -> None:
    work = observed(tmp_path / "a.csv", chain).twin.document["workload"]
    assert work == {"kind": "parallel_fraction", "tasks": 8, "parallel_fraction": 0}


def test_one_pause_after_several_requests_is_an_assumption(tmp_path: Path) -> None:
    """Half of the time that a second agent saved was that of people, who read and think."""
    rng = np.random.default_rng(1)
    rows = []
    for run in range(12):
        for request in range(3):
            at = 5000.0 * run + 300.0 * request * rng.uniform(0.8, 1.2)
            rows.append((f"s{run}", at, at + rng.lognormal(1.0, 0.3), 5000, 200, "stop"))
    names = ("session_id", "start_s", "end_s", "input_tokens", "output_tokens", "finish_reason")
    path = tmp_path / "a.csv"
    pd.DataFrame(rows, columns=names).assign(model="m").to_csv(path, index=False)
    twin = observe(read_traces([path]), "one", replications=20).twin
    assert "round_overhead_s" in twin.document["coordination"]
    shared, paused = twin.document["assumptions"]
    assert "no team can share them" in shared
    assert "a pause after several requests at once is as long as one" in paused
