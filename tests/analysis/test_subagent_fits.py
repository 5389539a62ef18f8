"""How many sub-agents agents start: read from traces, and estimated without bias."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.calibration.subagents import fit_subagents
from analysis.calibration.turn_counts import GEOMETRIC
from analysis.traces.canonical import Traces
from analysis.traces.reading import read_traces
from simulator.cli import fitting_calls


def written(directory: Path, counts: list[int], levels: int = 1) -> Path:
    """Write sessions in which the first agent starts so many, and these one each, and so on."""
    lines = ["session,agent,model,start,end,input_tokens,output_tokens,stop_reason"]
    for session, count in enumerate(counts):
        names = ["main"]
        for child in range(count):
            names += ["/".join(["main", *[f"a{child}"] * level]) for level in range(1, levels + 1)]
        for name in names:
            model = "large" if name == "main" else "small"
            for turn, reason in enumerate(("tool_use", "end_turn")):
                start = 1000 * session + 10 * turn + len(name)
                tokens = 100 + session + turn
                lines.append(
                    f"s{session},{name},{model},{start}.{turn},{start + 5}.0,{tokens},10,{reason}"
                )
    path = directory / "calls.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def read(path: Path) -> Traces:
    return read_traces([path])


def test_an_agent_whose_id_is_a_path_was_started_by_the_one_above(tmp_path: Path) -> None:
    agents = read(written(tmp_path, [2], levels=2)).agents.set_index("agent_id")
    assert agents["parent_agent_id"].dropna().to_dict() == {
        "main/a0": "main",
        "main/a0/a0": "main/a0",
        "main/a1": "main",
        "main/a1/a1": "main/a1",
    }
    assert agents["depth"].to_dict()["main/a0/a0"] == 2


def test_sub_agents_are_counted_by_the_model_that_starts_them(tmp_path: Path) -> None:
    traces = read(written(tmp_path, [0, 3, 0, 1]))
    (fit,) = fit_subagents(traces.calls, traces.agents)
    assert (fit.model, sorted(fit.counts), fit.depth) == ("large", [0, 0, 1, 3], 1)
    assert (fit.some.hits, fit.some.misses) == (2.5, 2.5)
    deep = read(written(tmp_path, [0, 3, 0, 1], levels=2))
    large, small = fit_subagents(deep.calls, deep.agents)
    assert (small.model, sorted(small.counts), small.depth) == ("small", [1, 1, 1, 1], 2)
    assert (large.depth, sorted(large.counts)) == (1, [0, 0, 1, 3])


def test_nobody_who_starts_none_is_fitted(tmp_path: Path) -> None:
    traces = read(written(tmp_path, [0, 0]))
    assert fit_subagents(traces.calls, traces.agents) == []


@pytest.mark.parametrize("seed", range(3))
def test_the_share_and_the_law_are_recovered(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    counts = np.where(rng.random(600) < 0.3, rng.geometric(0.4, 600), 0)
    traces = read(written(tmp_path, counts.tolist()))
    (fit,) = fit_subagents(traces.calls, traces.agents)
    assert sorted(fit.counts) == sorted(counts)
    found = fit.parameters()
    # Two-sided, 1e-4 each: a share of .38 or of .22 would be found.
    assert abs(found["subagents_share"].value - 0.3) < 3.9 * found["subagents_share"].error
    grid = np.arange(0, 12)
    law = 0.3 * 0.6**grid
    # The bound of Kolmogorov's test at 1e-4 for 600 counts.
    assert np.abs(fit.survival(grid) - law).max() < 2.23 / np.sqrt(600)
    if fit.number.kind == GEOMETRIC:
        end = found["subagents_end"]
        assert abs(end.value - 0.4) < 3.9 * end.error


@pytest.mark.slow
def test_calibrate_prints_and_draws_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures: dict[str, Figure] = {}
    monkeypatch.setattr(
        fitting_calls, "save", lambda figure, path: pictures.setdefault(path.name, figure)
    )
    for counts, panels in (([0, 2, 1, 0, 4] * 8, 7), ([0] * 40, 6)):
        out = tmp_path / str(panels)
        out.mkdir()
        fitting_calls.calibrate_calls(read(written(tmp_path, counts)), out, "made up", 0.0)
        said = capsys.readouterr().out
        assert ("start some" in said) == (panels == 7)
        # Of 24 of 40, by Clopper and Pearson.
        assert ("60 % (43 % to 75 %)" in said) == (panels == 7)
        columns = (out / "fit_report.csv").read_text().splitlines()[0].split(",")
        wanted = {"subagents_share", "subagents_share_se", "subagents_ks", "subagents_depth"}
        assert wanted <= set(columns) if panels == 7 else not wanted & set(columns)
        figure = pictures.pop("requests")
        assert sum(ax.axison for ax in figure.axes) == panels
