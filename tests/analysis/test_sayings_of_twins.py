"""What is said of a twin's numbers agrees with the numbers that it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.observation.costs import with_costs
from analysis.observation.findings import findings
from analysis.observation.observe import Observation, observe
from analysis.observation.summary import summary
from analysis.traces.reading import read_traces

RUNS = 10


@pytest.fixture(scope="module")
def constant(tmp_path_factory: pytest.TempPathFactory) -> Observation:
    """Ten sessions of five calls alike and four calls of a tool, of which none failed."""
    names = ("session_id", "start_s", "end_s", "model", "tool", "input_tokens", "output_tokens",
             "finish_reason", "status")  # fmt: skip
    rows: list[tuple[Any, ...]] = []
    for run in range(RUNS):
        for turn in range(5):
            at, reason = 1000.0 * run + 6 * turn, "tool_use" if turn < 4 else "end_turn"
            rows.append((run, at, at + 4, "m", None, 10_000 + 600 * turn, 100, reason, "ok"))
            if turn < 4:
                rows.append((run, at + 4, at + 6, None, "sh", None, None, None, "ok"))
    path = tmp_path_factory.mktemp("constant") / "calls.csv"
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    return observe(read_traces([path]), "constant", replications=20)


def test_a_part_of_the_time_that_is_not_known_is_not_said_to_be_typical(
    constant: Observation,
) -> None:
    """It was said to be 15 s per 1,000 tokens, and was 35."""
    (gap,) = [each for each in constant.twin.missing if "output_s_per_1k" in each]
    assert "typical" not in gap
    assert "a share of the time that all calls have in common" in gap


def test_errors_of_tools_that_the_twin_does_not_have_are_not_estimates(
    constant: Observation,
) -> None:
    assert "errors" not in constant.twin.document["team"]["agent"]["tools"]["sh"]
    (said,) = [text for path, text in constant.twin.sources.items() if path.endswith("tools.sh")]
    assert "errors 0, as none was seen" in said
    assert "errors 0.0" not in said


def test_turns_that_are_always_as_many_are_said(constant: Observation) -> None:
    (said,) = [text for path, text in constant.twin.sources.items() if path.endswith("agent.loop")]
    assert said.startswith("estimated from 10 requests (0 cut short): all have as many turns")


def test_a_value_in_the_interval_is_not_said_to_be_out_of_it(constant: Observation) -> None:
    row = {"name": "input", "unit": "tokens", "fits": False, "reason": "chance",
           "observed": 941_615.0, "low": 208_749.0, "median": 1_229_906.0,
           "high": 3_068_682.0}  # fmt: skip
    found = {**findings(constant, Path("out")), "comparison": [row]}
    said = " ".join(line.strip() for line in summary(found, 500))
    assert "941,615, not" not in said
    assert "941,615, far from 1,229,906 in the middle of 208,749 to 3,068,682" in said


@pytest.mark.parametrize(
    ("cached", "said"),
    [
        ([None] * 4, "4 calls at list prices as if nothing was cached (no call says what was)"),
        ([None, None, None, 500], "4 calls at list prices, 2 of them as if nothing was cached "
                                  "(no call says what was)"),
        ([0, None, 800, 500], "4 calls at list prices"),
    ],
)  # fmt: skip
def test_costs_without_what_was_cached_are_said_to_be_so(
    tmp_path: Path, cached: list[int | None], said: str
) -> None:
    """A session that read most of its input from the cache seemed to cost four times as much."""
    path = tmp_path / "calls.csv"
    models = ["claude-sonnet-4-6", "claude-sonnet-4-6", "claude-haiku-4-5", "claude-haiku-4-5"]
    table = pd.DataFrame({"model": models, "start_s": range(4), "duration_s": 0.5,
                          "input_tokens": 1000, "output_tokens": 10,
                          "cached_tokens": cached})  # fmt: skip
    table.to_csv(path, index=False)
    assert with_costs(read_traces([path]).calls)[1] == said
