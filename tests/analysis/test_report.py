"""The report says what is in the sweep, and works in a browser without a network."""

from __future__ import annotations

import base64
import html
import io
import json
import math
import re
import shlex
import zlib
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from analysis.breakdown.causes import CAUSES
from analysis.report import write_report
from analysis.report.answer import answer
from analysis.report.charts import curve_chart
from analysis.statistics.curves import curves_against
from analysis.statistics.intervals import mean_interval
from simulator.errors import TeamsimError
from simulator.experiment import read_results, run_sweep
from simulator.scenario import parse_study
from tests.analysis.conftest import SCREENS, against, shown_as
from tests.cli.conftest import Here

SWEEP = """
name: reported
question: Is </script> a <b>danger</b> to the page?
replications: 12
team:
  size: 1
  agent:
    latency: {kind: seconds, base: {kind: lognormal, median: 5, sigma: 0.5}}
    price: {input_per_mtok: 3, output_per_mtok: 15}
topology: decentralised
coordination: {protocol: pre_assigned}
workload: {kind: parallel_fraction, tasks: 24, parallel_fraction: 0.9}
sweep:
  topology: [decentralised, centralised]
  team.size: [1, 2, 3, 4, 6, 8]
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sweep") / "out"
    run_sweep(parse_study(SWEEP), directory)
    path = directory / "report.html"
    write_report(directory, path, stack_replications=2)
    return path


def test_the_page_holds_everything_and_fetches_nothing(page: Path) -> None:
    text = page.read_text("utf-8")
    for section in ("What came out", "Curves", "Where the speed-up went", "What it costs", "Laws"):
        assert f">{section}</h2>" in text
    assert "Is &lt;/script&gt; a &lt;b&gt;danger&lt;/b&gt; to the page?" in text
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)=["'](?!#|data:text/csv)""", markup)
    assert len(text.encode()) < 3_000_000  # Plotly alone is 4.8 million, not compressed
    assert "<html lang=" in text
    assert 'name="viewport"' in text


def test_plotly_takes_all_that_the_charts_say(page: Path) -> None:
    """It refuses fields that it does not have, and values that they cannot have."""
    packed = re.search(r'<script id="charts" type="text/plain">(.*?)</script>', page.read_text())
    assert packed is not None
    charts = json.loads(zlib.decompress(base64.b64decode(packed[1])))
    assert len(charts) == 6 + 2 + 1
    for said in charts.values():
        figure = go.Figure(said["data"], said["layout"])
        assert json.loads(figure.to_json()) == said


def test_without_stacks_that_section_is_left_out(page: Path, tmp_path: Path) -> None:
    write_report(page.parent, tmp_path / "short.html", stack_replications=0)
    assert "Where the speed-up went" not in (tmp_path / "short.html").read_text("utf-8")


def test_a_directory_without_a_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TeamsimError, match="holds no sweep"):
        write_report(tmp_path, tmp_path / "report.html")


def verdict_in(page: Path) -> str:
    (found,) = re.findall(r'id="verdict">(.*?)</p>', page.read_text("utf-8"))
    return str(found)


def test_the_first_thing_said_is_the_verdict_with_its_uncertainty(page: Path) -> None:
    text, said = page.read_text("utf-8"), verdict_in(page)
    assert text.index('id="verdict"') < text.index("<h2")
    results = read_results(page.parent).to_pandas()
    best = results.groupby("point_name")["makespan_s"].mean().idxmin()
    mean, low, high = re.findall(r"([\d.]+) s \(([\d.]+) to ([\d.]+)\)", said)[0]
    assert f"Quickest of the 12 points: {best}, " in said
    assert float(low) < float(mean) < float(high)
    rows = results.loc[results["point_name"] == best, "makespan_s"]
    assert float(mean) == pytest.approx(rows.mean(), rel=1e-3)
    assert re.search(r"with a probability of \d+ % or more|but others may be as quick", said)
    assert said.count(". ") == 0  # one sentence


def test_a_cost_without_prices_is_unknown_and_no_axis_of_zeros_goes_below(
    page: Path, tmp_path: Path
) -> None:
    assert "US dollars is unknown" not in page.read_text("utf-8")
    text = re.sub(r"    price: .*\n", "", SWEEP)
    run_sweep(parse_study(text), tmp_path / "out")
    write_report(tmp_path / "out", tmp_path / "report.html", 0)
    said = (tmp_path / "report.html").read_text("utf-8")
    assert "What it costs in US dollars is unknown: give a price" in said
    curves = pd.DataFrame(
        {
            "series": "", "x": [1, 2], "runs": 5, "finished": 5,
            "deliveries": 0.0, "deliveries_low": 0.0, "deliveries_high": 0.0,
        }
    )  # fmt: skip
    assert curve_chart(curves, "deliveries", "n", "y").layout["yaxis"]["rangemode"] == "nonnegative"


@pytest.mark.parametrize(
    ("sweep", "baseline", "said"),
    [
        (
            "team.size: [1, 2, 8]",
            "baseline: {team.size: 1}",
            r"Over its single agent it saves \d+ %",
        ),
        ("team.size: [1, 2, 8]", "", r"it saves \d+ % \(\d+ % to \d+ %\) of"),
        (
            "team.size: [2, 8]",
            "",
            r"Over the slowest point, team.size=2, it saves \d+ % \(\d+ % to \d+ %\) of the time",
        ),
        ("workload.tasks: [10, 40]", "", r"Over the slowest point, workload.tasks=40, it saves"),
        ("team.size: [1]\n  seed: [1, 2]", "", "^$"),  # one agent against itself
    ],
)
def test_what_the_quickest_saves_is_said_with_and_without_a_baseline(
    sweep: str, baseline: str, said: str
) -> None:
    text = f"{SWEEP.partition('sweep:')[0]}sweep:\n  {sweep}\n{baseline}\n"
    _, section = answer(run_sweep(parse_study(text)).to_pandas())
    saving = [sentence for sentence in section.words if "saves" in sentence]
    assert re.search(said, " ".join(saving))


@pytest.mark.parametrize(
    ("deadline_s", "said"),
    [
        (90, r"team.size=8 takes [\d.]+ s \([\d.]+ to [\d.]+\)\."),
        (1, "No run finished at any point: how long the work takes is not known"),
    ],
)
def test_the_verdict_where_few_points_finish_or_none(
    tmp_path: Path, deadline_s: int, said: str
) -> None:
    study = parse_study(
        SWEEP.partition("  topology: [")[0]
        + f"  team.size: [1, 8]\nlimits: {{deadline_s: {deadline_s}}}\n"
    )
    run_sweep(study, tmp_path / "out")
    write_report(tmp_path / "out", tmp_path / "report.html", 0)
    assert re.match(said, verdict_in(tmp_path / "report.html"))


def test_where_the_peak_is_has_an_interval_and_rival_laws_are_named(page: Path) -> None:
    said = re.findall(r"<p>(\w+): best fitted by (.*?)</p>", page.read_text("utf-8"))
    assert {name for name, _ in said} == {"decentralised", "centralised"}
    for _, words in said:
        assert re.search(
            r"^\w+( \(Akaike weight \d+ %\))?(, not told from [\w, ]+|, and worse by all others "
            r"\(95 % confidence\)); the Universal Scalability Law(, though others fit better,)? "
            r"has its peak",
            words,
        )
        assert re.search(
            r"has its peak (at n = \d+|beyond what was simulated) \(\d+ (to \d+|or more)\)\.$"
            r"|has its peak beyond what was simulated\.$",
            words,
        )


@pytest.mark.slow
def test_each_picture_has_its_data_and_the_command_that_makes_it(
    page: Path, teamsim_here: Here
) -> None:
    text = page.read_text("utf-8")
    found = re.findall(
        r'download="(.*?)" href="data:text/csv;base64,(.*?)">.*?<code>(.*?)</code>', text
    )
    assert len(found) == text.count("<figure>") == 9
    assert len({name for name, _, _ in found}) == 9  # no file overwrites another
    tables = {name: pd.read_csv(io.BytesIO(base64.b64decode(csv))) for name, csv, _ in found}
    curve = tables["curves-makespan-simulated-s.csv"]
    results = read_results(page.parent).to_pandas()
    means = results.groupby(["topology", "team.size"])["makespan_s"].mean().to_dict()
    assert curve.set_index(["series", "x"])["makespan_s"].to_dict() == pytest.approx(means)
    assert (curve["makespan_s_low"] < curve["makespan_s"]).all()
    stack = tables["stack-decentralised.csv"]
    assert stack[["speed-up", *CAUSES]].sum(axis=1).tolist() == pytest.approx(stack["n"].tolist())
    plain = [re.sub(r"</?span>", "", command) for _, _, command in found]
    commands = [shlex.split(html.unescape(command)) for command in plain]
    assert {command[1] for command in commands} == {"plot", "report"}
    for command in (commands[0], commands[-1]):
        done = teamsim_here(*command[1:])
        assert done.returncode == 0, done.stderr
    assert (page.parent / "figure.png").exists()


def test_the_table_of_curves_is_as_sure_as_the_answer_where_all_runs_finished() -> None:
    text = SWEEP.replace("topology: [decentralised, centralised]\n  ", "")
    results = run_sweep(parse_study(text), workers=1).to_pandas()
    _, section = answer(results)
    curves = curves_against(results, ["makespan_s", "makespan_s_to_success"])
    said = {name: mean_interval(rows["makespan_s"]) for name, rows in results.groupby("team.size")}
    assert "They leave out that up to 22 % of a team's further runs may fail" in str(section.words)
    for metric in ("makespan_s", "makespan_s_to_success"):
        for row in curves.to_dict("records"):
            low, high = row[f"{metric}_low"], row[f"{metric}_high"]
            assert (low, high) == (said[row["x"]].low, said[row["x"]].high)


def test_no_band_of_a_share_leaves_0_to_1() -> None:
    curves = pd.DataFrame(
        {
            "series": ["a", "a"], "x": [1, 2], "finished": [5, 5], "runs": [5, 5],
            "quality": [0.98, 0.03], "quality_low": [0.9, -0.02], "quality_high": [1.06, math.inf],
        }
    )  # fmt: skip
    band = curve_chart(curves, "quality", "n", "quality").data[0]
    assert list(band["y"]) == [1.0, 1.0, 0.0, 0.9]


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_axe_finds_nothing_against_it(page: Path, browser: Any, scheme: str, width: int) -> None:
    shown_as(browser, scheme, width)
    opened(browser, page)
    assert against(browser) == ""
    ink = browser.execute_script(
        "return getComputedStyle(document.querySelector('#chart-0 .xtick text')).fill"
    )
    assert ink == {"light": "rgb(27, 27, 27)", "dark": "rgb(236, 236, 236)"}[scheme]


@pytest.mark.slow
def test_on_paper_it_is_light_and_fits_and_all_its_numbers_are_there(
    page: Path, browser: Any
) -> None:
    shown_as(browser, "dark", 1280)
    opened(browser, page)
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    widths = browser.execute_script(
        """const right = (node) => node.getBoundingClientRect().right, end = right(document.body);
        return [...document.querySelectorAll(".main-svg")].map((svg) => right(svg) - end)"""
    )
    assert max(widths) <= 0.0
    paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    closed = browser.execute_script(
        "return document.querySelectorAll('details:not([open])').length"
    )
    assert closed == 1  # the scenario, which is long
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script("return document.documentElement.className") == ""


def opened(browser: Any, page: Path) -> None:
    """Open a report, and wait until its charts are drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(page.as_uri())
    drawn = "return document.documentElement.dataset.drawn === 'yes'"
    WebDriverWait(browser, 30).until(lambda driver: driver.execute_script(drawn))


def test_the_page_works_in_chromium(page: Path, browser: object) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.remote.webdriver import WebDriver
    from selenium.webdriver.support.ui import WebDriverWait

    assert isinstance(browser, WebDriver)
    opened(browser, page)
    drawn = browser.find_elements(By.CSS_SELECTOR, ".js-plotly-plot .main-svg")
    charts = browser.find_elements(By.CSS_SELECTOR, ".js-plotly-plot")
    assert len(charts) == 6 + 2 + 1
    assert len(drawn) >= len(charts)

    def lines() -> int:
        return len(browser.find_elements(By.CSS_SELECTOR, "#chart-0 .scatterlayer .trace"))

    assert lines() == 4  # a line and a band for each of two series
    boxes = browser.find_elements(By.CSS_SELECTOR, "input[data-series]")
    assert len(boxes) == 2
    boxes[1].send_keys(Keys.SPACE)  # by keyboard
    WebDriverWait(browser, 10).until(lambda _: lines() == 2)
    boxes[1].send_keys(Keys.SPACE)
    WebDriverWait(browser, 10).until(lambda _: lines() == 4)
    names = {box.accessible_name for box in boxes}
    assert names == {"decentralised", "centralised"}
    browser.set_window_size(390, 844)  # a phone
    fits = "return document.documentElement.scrollWidth <= window.innerWidth + 1"
    WebDriverWait(browser, 10).until(lambda driver: driver.execute_script(fits))
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not errors


def _of_few_runs(replications: int, latency: str) -> tuple[str, str]:
    """Return the verdict of a sweep, and the rest of its first section."""
    text = SWEEP.replace("replications: 12", f"replications: {replications}").replace(
        "{kind: lognormal, median: 5, sigma: 0.5}", latency
    )
    verdict, section = answer(run_sweep(parse_study(text)).to_pandas())
    return verdict, " ".join([*section.words, *(table["html"] for table in section.tables)])


def test_one_run_of_each_point_has_no_interval() -> None:
    verdict, rest = _of_few_runs(1, "{kind: lognormal, median: 5, sigma: 0.5}")
    assert "s (how sure that is one run does not tell), but others may be as quick." in verdict
    assert "not known</td>" in rest
    assert "inf</td>" not in rest


def test_runs_that_took_equally_long_are_not_said_to_show_all() -> None:
    verdict, rest = _of_few_runs(5, "{kind: deterministic, value: 5}")
    assert verdict.startswith("Quickest of the 12 points: ")
    said = "At 12 of 12 points all runs took equally long, and intervals of no width come of it: up"
    assert f"{said} to 45 % of further runs may take another time (95 % confidence)." in rest
    assert "took equally long" not in _of_few_runs(2, "{kind: exponential, mean: 5}")[1]
