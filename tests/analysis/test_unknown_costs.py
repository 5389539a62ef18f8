"""Pictures and reports tell costs that are not known from costs of 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from analysis.plots import plot_against, plot_rows, scaling_figure
from analysis.plots.known import reason
from analysis.report import write_report
from analysis.statistics.curves import curves_against
from simulator.experiment import read_results, run_sweep
from simulator.experiment import table as tables
from simulator.scenario import parse_study

TEXT = """
name: unknown
replications: 4
team:
  size: 2
  agent:
    latency: {kind: seconds, base: 1}
    PRICE
topology: decentralised
coordination: {protocol: self_claim}
workload: {kind: parallel_fraction, tasks: 6, parallel_fraction: 1}
sweep:
  SWEEP
"""
FREE = "price: {output_per_mtok: 0}"
SIZES = "team.size: [1, 2, 3]"
PRICES = "team.agent.price: [{}, {output_per_mtok: 15}, {output_per_mtok: 0}]"


def swept(sweep: str, price: str = "") -> str:
    return TEXT.replace("PRICE", price).replace("SWEEP", sweep)


def results_of(sweep: str, price: str = "") -> pd.DataFrame:
    return run_sweep(parse_study(swept(sweep, price))).to_pandas()


def crosses(ax: Axes) -> list[float]:
    """Return the places at which an x says that nothing is known."""
    found = [np.asarray(line.get_xdata()) for line in ax.lines if line.get_gid() == "not known"]
    return [float(x) for line in found for x in line]


def said_in(ax: Axes) -> str:
    return " ".join(each.get_text() for each in ax.texts)


def test_a_panel_of_costs_says_that_there_is_no_price_and_draws_a_cost_of_0() -> None:
    unknown = scaling_figure(results_of(SIZES)).axes[8]
    assert said_in(unknown) == "not known: no price"
    free = scaling_figure(results_of(SIZES, FREE)).axes[8]
    assert said_in(free) == ""
    assert np.ravel([line.get_ydata() for line in free.lines]).tolist() == [0.0, 0.0, 0.0]


def test_points_without_a_price_are_marked_beside_those_that_have_one() -> None:
    curves = curves_against(results_of(PRICES), ["cost_usd"], "team.agent.price")
    ax = plot_against(curves, "cost_usd", "USD")
    assert crosses(ax) == [0.0]
    assert ax.get_ylabel().endswith("no price")
    rows = curves.assign(series=curves["x"])
    assert said_in(plot_rows(rows, "cost_usd", "USD")) == "no price"


def test_both_reasons_are_given_where_there_are_both() -> None:
    curves = pd.DataFrame({"finished": [0, 3], "cost_usd_to_success": [np.inf, np.nan]})
    assert reason(curves, "cost_usd_to_success") == "no price, or no run finished"
    assert reason(curves[:1], "cost_usd_to_success") == "no run finished"
    assert reason(curves[1:], "cost_usd_to_success") == "no price"


@pytest.mark.parametrize(
    ("sweep", "price", "said"),
    [
        (SIZES, "", "What it costs in US dollars is unknown: give a price"),
        (PRICES, "", "leaves out 1 of the 3 points, whose cost is unknown (team.agent.price={})"),
        (SIZES, FREE, ""),
    ],
)
def test_reports_say_which_costs_are_unknown(
    sweep: str, price: str, said: str, tmp_path: Path
) -> None:
    run_sweep(parse_study(swept(sweep, price)), tmp_path / "out")
    write_report(tmp_path / "out", tmp_path / "report.html", 0)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert said in page
    assert ("unknown: give a price" in page or "is unknown (" in page) == bool(said)
    assert ("mean cost in US dollars" in page) == (said == "" or sweep == PRICES)


@pytest.mark.parametrize(("sweep", "price"), [(PRICES, ""), (SIZES, ""), (SIZES, FREE)])
def test_directories_of_before_are_read_without_the_0_that_stood_for_unknown(
    sweep: str, price: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = parse_study(swept(sweep, price))
    new = run_sweep(study, tmp_path / "new")
    monkeypatch.setattr(tables, "unknown_metrics", lambda scenario: frozenset())
    run_sweep(study, tmp_path / "old")
    stored = pd.read_parquet(tmp_path / "old" / "results")
    assert stored["cost_usd"].notna().all()
    assert read_results(tmp_path / "old").equals(new)
    assert read_results(tmp_path / "old", ["success"]).column_names == ["success"]
