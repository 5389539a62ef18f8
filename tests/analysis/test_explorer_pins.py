"""A pinned setting is drawn beside the present one, and a link restores both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from analysis.report.explorer import PANELS, explored, explorer
from analysis.report.explorer_pins import Kept, from_link, link, name_of
from analysis.report.explorer_settings import Offered, Setting, base_scenario
from simulator.errors import TeamsimError
from simulator.scenario import Scenario, parse_study
from simulator.scenario.changes import with_changes
from tests.analysis.conftest import against, shown_as

SETTING = "decentralised", "pre_assigned", "rounds"


def priced() -> Scenario:
    price = {"input_per_mtok": 3.0, "output_per_mtok": 15.0}
    return with_changes(base_scenario(), {"team.agent.price": price})


def settings(base: Scenario) -> tuple[Offered, Setting, Setting]:
    """Return what is offered, a setting, and one with more tasks in a ring."""
    offered = Offered(base)
    more = {**offered.where, "workload.tasks": 28.0}
    ring = Setting(more, 3, "ring", *SETTING[1:])
    return offered, Setting(offered.where, 3, *SETTING), ring


def drawn(base: Scenario, now: Setting, pin: object) -> list[Any]:
    redraw = next(iter(explorer(base).callback_map.values()))["callback"].__wrapped__
    out: list[Any] = redraw(
        pin, now.most, now.topology, now.protocol, now.timing, *now.values.values()
    )
    return out


def test_a_link_restores_the_setting_and_the_pin() -> None:
    offered, now, ring = settings(base_scenario())
    assert from_link(f"?{link(now, ring)}", offered) == (now, ring)
    assert from_link(f"?{link(ring, None)}", offered) == (ring, None)
    assert name_of(ring, now, offered) == "tasks 28, ring"


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("?most=4", "is missing"),
        ("?" + "&".join(f"a{i}=1" for i in range(300)), "more than 200 settings"),
        (7, "the query of an address is expected"),
        ("?<script>=1", "unknown setting '<script>'"),
    ],
)
def test_a_link_that_is_none_is_a_message(search: object, message: str) -> None:
    offered, now, _ = settings(base_scenario())
    with pytest.raises(TeamsimError, match=message):
        from_link(search, offered)
    assert message in drawn(base_scenario(), now, search)[-1]  # so is a pin


def test_pinned_curves_are_those_of_their_setting() -> None:
    base = base_scenario()
    _, now, ring = settings(base)
    charts = drawn(base, now, ring.query())[: len(PANELS)]
    alone, _ = explored(base, ring)
    pinned = charts[0].data[-1]
    assert pinned.line.dash == "dash"
    assert list(pinned.y) == list(alone[0].data[1].y)
    assert list(charts[0].data[1].y) != list(pinned.y)


def test_a_cost_is_drawn_if_a_price_is_known_and_else_said_to_be_unknown() -> None:
    panel = PANELS.index("cost_usd")
    _, now, _ = settings(priced())
    cost = explored(priced(), now)[0][panel]
    assert min(cost.data[1].y) > 0
    unknown = explored(base_scenario(), now)[0][panel]
    assert not unknown.data
    assert "unknown: no price is said" in unknown.layout.annotations[0].text


def test_curves_that_are_kept_are_not_made_again() -> None:
    base = base_scenario()
    _, now, ring = settings(base)
    kept, made = Kept(), []

    def make() -> Any:
        made.append(1)
        return None, base

    for setting in (now, ring, now, ring):
        kept.get(setting, make)
    assert len(made) == 2
    for most in range(4, 12):
        kept.get(Setting(now.values, most, *SETTING), make)
    kept.get(now, make)  # forgotten
    assert len(made) == 11


@pytest.fixture
def address() -> Iterator[str]:
    """Serve the explorer of a team with a price; return where."""
    server = make_server("127.0.0.1", 0, explorer(priced()).server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


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
    browser.find_element(By.CSS_SELECTOR, "#knob-1 [role=slider]").send_keys(Keys.ARROW_RIGHT)
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
