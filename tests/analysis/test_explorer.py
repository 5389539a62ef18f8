"""The explorer redraws with its knobs, and gives the file that makes the same curves."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from pydantic import ValidationError
from werkzeug.serving import make_server

from analysis.report.explorer import (
    PANELS,
    PROTOCOLS,
    TOPOLOGIES,
    base_scenario,
    explored,
    explorer,
    settings_of,
)
from simulator.engine import Simulation
from simulator.scenario import parse_study

SETTING = "decentralised", "pre_assigned", "rounds"


def makespans(charts: list[Any]) -> list[float]:
    return [float(y) for y in charts[0].data[1].y]


def test_the_knobs_move_the_curves() -> None:
    base = base_scenario()
    values = settings_of(base)
    charts, _ = explored(base, values, 4, *SETTING)
    assert len(charts) == len(PANELS)
    assert list(charts[0].data[1].x) == [1, 2, 3, 4]
    serial, _ = explored(base, {**values, "workload.parallel_fraction": 0.0}, 4, *SETTING)
    assert makespans(serial)[3] > 2 * makespans(charts)[3]


def test_the_file_makes_the_same_runs() -> None:
    base = base_scenario()
    values = {**settings_of(base), "workload.tasks": 12, "team.agent.faults.malformed": 0.1}
    charts, text = explored(base, values, 3, *SETTING, replications=6)
    again = parse_study(text).base
    assert again.team.size == 3
    rows = [Simulation(again).run(replication).makespan_s for replication in range(6)]
    assert sum(rows) / 6 == pytest.approx(makespans(charts)[2])


def test_a_combination_that_may_not_be_is_refused() -> None:
    base = base_scenario()
    with pytest.raises(ValidationError, match="needs a coordinator"):
        explored(base, settings_of(base), 4, "ring", "lead_assign", "rounds")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_choice_is_drawn_or_explained(topology: str, protocol: str) -> None:
    app = explorer()
    redraw = next(iter(app.callback_map.values()))["callback"].__wrapped__
    base = settings_of(base_scenario())
    out = redraw(3, topology, protocol, "rounds", *base.values())
    charts, text, problem = out[: len(PANELS)], out[-2], out[-1]
    assert bool(problem) != bool(text)
    if not problem:
        assert all(chart.data for chart in charts)


def test_the_page_redraws_in_chromium(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    server = make_server("127.0.0.1", 0, explorer().server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        browser.get(f"http://127.0.0.1:{server.server_port}/")
        wait = WebDriverWait(browser, 30)
        drawn = "#chart-0 .scatterlayer .trace"
        wait.until(lambda driver: len(driver.find_elements(By.CSS_SELECTOR, drawn)) == 2)
        before = browser.find_element(By.ID, "yaml").get_attribute("textContent")
        assert "parallel_fraction: 0.9" in before
        knob = browser.find_element(By.CSS_SELECTOR, "#knob-0 [role=slider]")
        knob.send_keys(Keys.ARROW_LEFT)
        wait.until(
            lambda driver: driver.find_element(By.ID, "yaml").get_attribute("textContent") != before
        )
        after = browser.find_element(By.ID, "yaml").get_attribute("textContent")
        assert "parallel_fraction: 0.85" in after
        severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert not [entry for entry in severe if "favicon" not in entry["message"]]
    finally:
        server.shutdown()
