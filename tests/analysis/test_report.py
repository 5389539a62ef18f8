"""The report says what is in the sweep, and works in a browser without a network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analysis.report import write_report
from simulator.errors import TeamsimError
from simulator.experiment import run_sweep
from simulator.scenario import parse_study

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
    markup = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)=["'](?!#)""", markup)
    assert "<html lang=" in text
    assert 'name="viewport"' in text


def test_without_stacks_that_section_is_left_out(page: Path, tmp_path: Path) -> None:
    write_report(page.parent, tmp_path / "short.html", stack_replications=0)
    assert "Where the speed-up went" not in (tmp_path / "short.html").read_text("utf-8")


def test_a_directory_without_a_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TeamsimError, match="holds no sweep"):
        write_report(tmp_path, tmp_path / "report.html")


def test_the_page_works_in_chromium(page: Path, browser: object) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.remote.webdriver import WebDriver
    from selenium.webdriver.support.ui import WebDriverWait

    assert isinstance(browser, WebDriver)
    browser.get(page.as_uri())
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
    assert lines() == 2
    boxes[1].send_keys(Keys.SPACE)
    assert lines() == 4
    names = {box.accessible_name for box in boxes}
    assert names == {"decentralised", "centralised"}
    browser.set_window_size(390, 844)  # a phone
    fits = "return document.documentElement.scrollWidth <= window.innerWidth + 1"
    WebDriverWait(browser, 10).until(lambda driver: driver.execute_script(fits))
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not errors
