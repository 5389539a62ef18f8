"""A pinned setting is drawn beside the present one, and a link restores both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.report.explorer import explorer
from analysis.report.explorer.curves import (
    FINE,
    PANELS,
    ROUGH,
    Drawn,
    Kept,
    charts_of,
    drawn,
)
from analysis.report.explorer.pins import from_link, link, name_of
from analysis.report.explorer.settings import DEFAULT, Offered, Setting, base_study
from simulator.errors import TeamsimError
from simulator.scenario import Study, parse_study
from tests.analysis.conftest import against, callback, served, shown_as


def priced() -> Study:
    price = "price: {input_per_mtok: 3, output_per_mtok: 15}"
    return parse_study(DEFAULT.replace("    errors:", f"    {price}\n    errors:"))


def settings(study: Study) -> tuple[Offered, Setting, Setting]:
    """Return what is offered, a setting, and one with more tasks in a ring and a field more."""
    offered = Offered(study)
    ring = {"workload.tasks": 28, "topology": "ring", "limits.deadline_s": 900}
    return offered, offered.checked(3, {}), offered.checked(3, ring)


def redrawn(study: Study, now: Setting, pin: object) -> list[Any]:
    redraw = callback(explorer(study), "yaml.children")
    names = [{"field": path} for path in now.said]
    out: list[Any] = redraw(pin, now.most, list(now.said.values()), names)
    return out


def test_a_link_restores_the_setting_and_the_pin() -> None:
    offered, now, ring = settings(base_study())
    assert from_link(f"?{link(now, ring)}", offered) == (now, ring)
    assert from_link(f"?{link(ring, None)}", offered) == (ring, None)
    assert from_link("?most=3", offered) == (now, None)  # the rest is as in the scenario
    assert name_of(ring, now, offered) == "ring, tasks 28, limits.deadline_s 900"


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("?" + "&".join(f"a{i}=1" for i in range(300)), "more than 200 settings"),
        (7, "the query of an address is expected"),
        ("?<script>=1", "unknown field '<script>'"),
    ],
)
def test_a_link_that_is_none_is_a_message(search: object, message: str) -> None:
    offered, now, _ = settings(base_study())
    with pytest.raises(TeamsimError, match=message):
        from_link(search, offered)
    assert message in redrawn(base_study(), now, search)[-1]  # so is a pin


@pytest.mark.slow
def test_pinned_curves_are_those_of_their_setting() -> None:
    offered, now, ring = settings(base_study())
    shown, alone = (drawn(offered, each, ROUGH) for each in (now, ring))
    chart = charts_of(shown, alone, "ring")[0]
    pinned = chart.data[-1]
    assert pinned.line.dash == "dash"
    assert list(pinned.y) == list(charts_of(alone)[0].data[1].y)
    assert list(chart.data[1].y) != list(pinned.y)
    again = redrawn(base_study(), now, ring.query())[0]
    assert list(again.data[-1].y) == list(pinned.y)


def test_a_cost_is_drawn_if_a_price_is_known_and_else_said_to_be_unknown() -> None:
    panel = PANELS.index("cost_usd")
    offered, now, _ = settings(priced())
    cost = charts_of(drawn(offered, now, 4))[panel]
    assert min(cost.data[1].y) > 0
    offered, now, _ = settings(base_study())
    found = drawn(offered, now, 4)
    for unknown in (charts_of(found)[panel], charts_of(found, found, "itself")[panel]):
        assert not unknown.data
        assert "unknown: no price is said" in unknown.layout.annotations[0].text


def test_bands_stay_where_a_metric_can_be() -> None:
    """Four runs of skewed costs and tokens have t intervals that would reach below 0."""
    study = parse_study(as_skewed(DEFAULT))
    offered = Offered(study)
    found = drawn(offered, offered.checked(4, {}), 4)
    for metric in PANELS:
        low = found.curves[f"{metric}_low"]
        assert (low.isna() | (low >= 0.0)).all(), metric
    assert (found.curves["tokens_low"] == 0.0).any()  # where it would be below


def as_skewed(text: str) -> str:
    return text.replace(
        "    errors:", "    tokens: {output: {kind: lognormal, median: 100, sigma: 3}}\n    errors:"
    )


def test_curves_that_are_kept_are_not_made_again() -> None:
    offered, now, ring = settings(base_study())
    coarse = drawn(offered, now, 2)
    kept, made = Kept(), []

    def make(replications: int = 4) -> Drawn:
        made.append(replications)
        return Drawn(coarse.curves, False, replications)

    for setting in (now, ring, now, ring):
        kept.get(setting, 4, make)
    assert len(made) == 2
    kept.get(now, FINE, lambda: make(FINE))  # the coarse one is not enough
    assert kept.get(now, 4, make).replications == FINE  # and the fine one is, for both
    assert len(made) == 3
    for most in range(4, 20):
        kept.get(Setting(most, now.said), 4, make)
    kept.get(now, 4, make)  # forgotten
    assert len(made) == 20


@pytest.fixture
def address() -> Iterator[str]:
    """Serve the explorer of a team with a price; return where."""
    with served(explorer(priced())) as where:
        yield where


@pytest.mark.thorough
@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_pin_link_and_file_by_keyboard(
    browser: Any, address: str, scheme: str, width: int, tmp_path: Path
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def text(name: str) -> str:
        return str(browser.find_element(By.ID, name).get_attribute("textContent"))

    def dashes() -> int:
        return len(
            browser.find_elements(By.CSS_SELECTOR, "#chart-1 path.js-line[style*=dasharray]")
        )

    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    shown_as(browser, scheme, width)
    browser.get(address)
    wait = WebDriverWait(browser, 30)
    wait.until(lambda _: "tasks: 24" in text("yaml"))
    browser.find_element(By.ID, "pin").send_keys(Keys.ENTER)
    wait.until(lambda _: text("what-is-pinned") == "Dashed, pinned: the same setting")
    browser.find_element(By.CSS_SELECTOR, "[data-knob=tasks] [role=slider]").send_keys(
        Keys.ARROW_RIGHT
    )
    wait.until(lambda _: text("what-is-pinned") == "Dashed, pinned: tasks 24")
    wait.until(lambda _: dashes() == 1)
    assert against(browser) == ""
    file = text("yaml")

    browser.get(browser.find_element(By.ID, "link").get_attribute("href"))
    wait.until(lambda _: text("what-is-pinned") == "Dashed, pinned: tasks 24")
    assert text("yaml") == file
    browser.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    browser.find_element(By.ID, "download").send_keys(Keys.ENTER)
    wait.until(lambda _: (tmp_path / "explored.yaml").exists())
    assert parse_study((tmp_path / "explored.yaml").read_text("utf-8")).base.team.size == 8
    browser.find_element(By.ID, "unpin").send_keys(Keys.ENTER)
    wait.until(lambda _: text("what-is-pinned") == "")
    wait.until(lambda _: dashes() == 0)

    browser.get(f"{address}?most=1000")
    wait.until(lambda _: "This link restores nothing" in text("no-link"))
    entries = [each for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    assert not [each for each in entries if "favicon" not in each["message"]]
