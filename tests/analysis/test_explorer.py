"""The explorer redraws when its knobs move, and its file gives the same curves."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import pytest

from analysis.live import Run
from analysis.live.write import live_page
from analysis.report.explorer import explorer, live
from analysis.report.explorer.curves import FINE, PANELS, charts_of, drawn
from analysis.report.explorer.live import LiveView
from analysis.report.explorer.requests import NewerTurn, Turns
from analysis.report.explorer.settings import DEFAULT, Offered, as_yaml, base_study
from simulator.engine import Simulation
from simulator.errors import ScenarioError, TeamsimError
from simulator.experiment.pool import Progress
from simulator.model.trace import Trace
from simulator.scenario import REGISTRIES, Scenario, Study, parse_study
from tests.analysis.conftest import SCREENS, against, callback, served, shown_as
from tests.conftest import DEFAULTS, agent, scenario

KINDS = {registry.family: registry.names() for registry in REGISTRIES}


@cache
def offered() -> Offered:
    return Offered(base_study())


@cache
def app() -> Any:
    return explorer()


def written(base: Scenario) -> Study:
    """Return a study whose file says all of a scenario."""
    return parse_study(json.dumps(base.model_dump(mode="json", by_alias=True)))


def charts(found: Offered, most: int, **said: Any) -> list[Any]:
    setting = found.checked(most, {path.replace("__", "."): each for path, each in said.items()})
    return charts_of(drawn(found, setting, 12))


def makespans(charts: list[Any]) -> list[float]:
    return [float(y) for y in charts[0].data[1].y]


def test_the_knobs_move_the_curves() -> None:
    parallel = charts(offered(), 4)
    assert len(parallel) == len(PANELS)
    assert list(parallel[0].data[1].x) == [1, 2, 3, 4]
    serial = charts(offered(), 4, workload__parallel_fraction=0.0)
    assert makespans(serial)[3] > 2 * makespans(parallel)[3]


def test_the_file_makes_the_same_runs() -> None:
    found = offered()
    said = {"workload.tasks": 12, "team.agent.faults.malformed": 0.1, "topology": "ring"}
    setting = found.checked(3, said | {"resilience.hedge.after_s": 20})
    shown = charts_of(drawn(found, setting, 6))
    again = parse_study(as_yaml(found.study(setting, 3, 6))).base
    assert (again.team.size, again.topology.kind) == (3, "ring")
    rows = [Simulation(again).run(replication).makespan_s for replication in range(6)]
    assert sum(rows) / 6 == pytest.approx(makespans(shown)[2])


def test_coarse_curves_are_the_first_runs_of_the_fine_ones() -> None:
    found = offered()
    coarse, fine = (drawn(found, found.checked(8, {}), n).curves for n in (1, FINE))
    assert list(coarse["x"]) == [1, 3, 8]
    assert list(fine["x"]) == list(range(1, 9))
    base = found.study(found.checked(8, {}), 8, 1).base
    assert coarse["makespan_s"].iloc[-1] == Simulation(base).run(0).makespan_s


@pytest.mark.slow
def test_loops_have_knobs_of_their_own() -> None:
    tools = {"tests": {"seconds": {"kind": "exponential", "mean": 10}, "station": "ci"}}
    who = agent(loop={"turns": 4}, tools=tools, context={"cache": {"life_s": 300}})
    base = scenario(team={"size": 2, "agent": who}, stations={"ci": {}}, workload__tasks=12)
    found = Offered(written(base))
    added = {path: value for path, value in found.where.items() if path not in offered().where}
    assert added == {
        "team.agent.loop.turns.value": 4,
        "team.agent.tools.tests.seconds.mean": 10,
        "stations.ci.concurrency": 1,
        "team.agent.context.cache.life_s": 300,
    }
    one, four = (charts(found, 4, stations__ci__concurrency=n) for n in (1, 4))
    assert makespans(four)[0] == pytest.approx(makespans(one)[0])
    assert makespans(four)[3] < 0.6 * makespans(one)[3]
    wider = found.checked(4, {"stations.ci.concurrency": 4})
    assert parse_study(as_yaml(found.study(wider, 4, 1))).base.stations["ci"].concurrency == 4
    assert explorer(written(base)).layout is not None


def test_a_combination_that_may_not_be_is_refused() -> None:
    with pytest.raises(ScenarioError, match="needs a coordinator"):
        charts(offered(), 4, topology="ring", coordination__protocol="lead_assign")


def test_what_is_not_moved_stays_as_the_scenario_says() -> None:
    """A choice that is not made leaves the parameters of what the scenario has."""
    said = DEFAULT.replace("decentralised", "{kind: small_world, neighbours: 4}")
    found = Offered(parse_study(said))
    assert found.first.said["topology"] == "small_world"
    kept = found.study(found.checked(8, {"workload.tasks": 28}), 8, 1).base
    assert kept.topology.model_dump()["neighbours"] == 4
    alone = parse_study(json.dumps({**DEFAULTS, "topology": "single"}))
    assert Offered(alone).first.said["topology"] == "independent"  # teams are of several


@pytest.mark.parametrize(
    ("topology", "protocol"),
    [
        *((kind, "pre_assigned") for kind in KINDS["topology"]),
        *(("decentralised", kind) for kind in KINDS["protocol"]),
    ],
)
def test_every_choice_is_drawn_or_explained(topology: str, protocol: str) -> None:
    out = redrawn(3, {"topology": topology, "coordination.protocol": protocol})
    charts, (text, link, *_, problem) = out[: len(PANELS)], out[len(PANELS) :]
    assert bool(problem) != bool(text)
    assert (link is None) == bool(problem)
    if not problem:
        assert [name for name, chart in zip(PANELS, charts, strict=True) if not chart.data] == [
            "cost_usd"  # no price is said
        ]


def redrawn(most: Any, said: dict[str, Any], pin: object = None) -> list[Any]:
    redraw = callback(app(), "yaml.children")
    out: list[Any] = redraw(pin, most, list(said.values()), [{"field": path} for path in said])
    return out


@pytest.fixture
def address() -> Iterator[str]:
    """Serve the explorer; return where."""
    with served(app()) as where:
        yield where


def severe(browser: Any) -> list[Any]:
    found = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [entry for entry in found if "favicon" not in entry["message"]]


def test_the_page_redraws_in_chromium(browser: Any, address: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(address)
    wait = WebDriverWait(browser, 30)
    drawn = "#chart-0 .scatterlayer .trace"
    wait.until(lambda driver: len(driver.find_elements(By.CSS_SELECTOR, drawn)) == 2)
    before = browser.find_element(By.ID, "yaml").get_attribute("textContent")
    assert "parallel_fraction: 0.9" in before
    knob = browser.find_element(By.CSS_SELECTOR, "[data-knob='parallel fraction p'] [role=slider]")
    knob.send_keys(Keys.ARROW_LEFT)
    wait.until(
        lambda driver: driver.find_element(By.ID, "yaml").get_attribute("textContent") != before
    )
    after = browser.find_element(By.ID, "yaml").get_attribute("textContent")
    assert "parallel_fraction: 0.85" in after
    assert not severe(browser)


@pytest.mark.slow
def test_a_link_shows_one_replication_of_the_setting(browser: Any, address: str) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(address)
    wait = WebDriverWait(browser, 30)
    link = wait.until(lambda driver: driver.find_element(By.ID, "watch"))
    wait.until(lambda driver: link.get_attribute("href"))
    first = link.get_attribute("href")
    browser.find_element(By.CSS_SELECTOR, "[data-knob=tasks] [role=slider]").send_keys(
        Keys.ARROW_RIGHT
    )
    wait.until(lambda driver: link.get_attribute("href") != first)
    file = browser.find_element(By.ID, "yaml").get_attribute("textContent")
    link.click()
    wait.until(lambda driver: len(driver.window_handles) == 2)
    browser.switch_to.window(browser.window_handles[1])
    is_there = "return typeof player !== 'undefined' && player !== null"
    wait.until(lambda driver: driver.execute_script(is_there))
    run = Simulation(parse_study(file).base).run(0)
    shown = "return [player.content.team, player.content.tasks, player.content.makespan_s]"
    assert browser.execute_script(shown) == [8, 28, pytest.approx(run.makespan_s)]
    assert run.tasks == 28
    assert not severe(browser)  # nor does its policy of contents refuse anything


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), SCREENS)
def test_axe_finds_nothing_against_it(browser: Any, address: str, scheme: str, width: int) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    shown_as(browser, scheme, width)
    browser.get(address)
    wait = WebDriverWait(browser, 30)
    drawn = f"#chart-{len(PANELS) - 1} .scatterlayer .trace"
    wait.until(lambda driver: len(driver.find_elements(By.CSS_SELECTOR, drawn)) == 2)
    assert against(browser) == ""
    sliders = browser.find_elements(By.CSS_SELECTOR, "[role=slider]")
    assert [each.accessible_name for each in sliders][:2] == ["largest team", "parallel fraction p"]
    before = browser.find_element(By.ID, "yaml").get_attribute("textContent")
    browser.find_element(By.XPATH, "//label[contains(., 'ring')]").click()
    wait.until(
        lambda driver: driver.find_element(By.ID, "yaml").get_attribute("textContent") != before
    )
    assert "topology: ring" in browser.find_element(By.ID, "yaml").get_attribute("textContent")
    assert against(browser) == ""


PAGE = {"Host": "127.0.0.1:8050"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "127.0.0.1:8050"}, 200),
        ({"Host": "localhost:8050", "Origin": "http://localhost:8050"}, 200),
        ({"Host": "evil.example:8050"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "127.0.0.1:8050", "Origin": "http://evil.example"}, 403),
        ({"Host": "127.0.0.1:8050", "Origin": "null"}, 403),
        ({"Host": "127.0.0.1:8050", "Origin": "http://[127.0.0.1"}, 403),
    ],
)
def test_pages_of_others_get_no_answer(headers: dict[str, str], code: int) -> None:
    found = app().server.test_client().get("/_dash-layout", headers=headers)
    assert found.status_code == code


def watch(headers: dict[str, str] | None = None, **changed: Any) -> Any:
    """Ask for the live view of the first setting, changed; None leaves a part out."""
    moved = {name.replace("__", "."): value for name, value in changed.items()}
    query = {**dict(parse_qsl(offered().checked(3, {}).query())), **moved}
    said = {name: value for name, value in query.items() if value is not None}
    client = app().server.test_client()
    return client.get("/live", query_string=said, headers={**PAGE, **(headers or {})})


def test_the_live_view_is_that_of_the_command() -> None:
    found = offered()
    scenario = found.study(found.checked(3, {"workload.tasks": 16}), 3, 1).base
    trace = Trace(0)
    run = Run(scenario, 0, trace, Simulation(scenario).run(0, trace))
    assert watch(workload__tasks="16").text == live_page(run)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),  # another port of this machine
        ({"Host": "evil.example:8050"}, 403),
        ({"Origin": "http://evil.example"}, 403),
    ],
)
def test_pages_of_others_get_no_live_view(headers: dict[str, str], code: int) -> None:
    assert watch(headers).status_code == code


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"most": "33"}, "largest team: a number from 1 to 32"),
        ({"most": "1e9"}, "largest team: a number"),
        ({"most": "three"}, "largest team: a number"),
        ({"workload__tasks": "nan"}, "tasks: a number from 4 to 60"),
        ({"workload__tasks": "[4"}, "workload.tasks: not YAML"),
        ({"topology": "rnig"}, "did you mean 'ring'"),
        ({"topology": "<script>"}, "unknown topology '<script>'"),
        ({"topology": "ring", "coordination__protocol": "lead_assign"}, "needs a coordinator"),
        ({"sed": "3"}, "unknown field 'sed'; did you mean 'seed'?"),
        ({"team__size": "3"}, "team.size: the curves are drawn against it"),
        ({"seed": "x"}, "seed: a whole number from 0"),
        (
            {"resilience__hedge__after_s": "-1"},
            "resilience.hedge.after_s: should be greater than 0",
        ),
    ],
)
def test_a_live_view_of_no_setting_is_a_message(changed: dict[str, Any], message: str) -> None:
    found = watch(**changed)
    assert (found.status_code, found.mimetype) == (400, "text/plain")
    assert message in found.text


def test_a_live_view_takes_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Offered(parse_study(DEFAULT.replace("tasks: 24", "tasks: 20000")))
    query = dict(parse_qsl(found.checked(32, {}).query()))
    with pytest.raises(TeamsimError, match="longer than 0 s"):
        LiveView(found, Turns(0.0)).page(query)
    monkeypatch.setattr(live, "MOST_ROWS", 1000)
    with pytest.raises(TeamsimError, match="too long to be shown here"):
        LiveView(found, Turns()).page(query)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"output": 3}', 400),
        (b"[" * 90_000, 400),
        (b"x" * 200_000, 413),
    ],
)
def test_what_is_no_request_of_the_page_is_said_so(content: bytes, code: int) -> None:
    found = (
        app()
        .server.test_client()
        .post(
            "/_dash-update-component", data=content, headers=PAGE, content_type="application/json"
        )
    )
    assert found.status_code == code, found.data


@pytest.mark.parametrize(
    ("most", "topology", "knob", "message"),
    [
        (10**6, "ring", 0.5, "largest team: a number from 1 to 32"),
        (None, "ring", 0.5, "largest team: a number"),
        ("4", "ring", 0.5, "largest team: a number"),
        (3, "rnig", 0.5, "did you mean 'ring'"),
        (3, ["ring"], 0.5, "topology: one of blackboard"),
        (3, "ring", 1e300, "parallel fraction p: a number from 0 to 1"),
        (3, "ring", float("nan"), "parallel fraction p: a number from 0 to 1"),
        (3, "ring", None, "parallel fraction p: a number from 0 to 1"),
    ],
)
def test_a_wrong_value_is_a_message(most: Any, topology: Any, knob: Any, message: str) -> None:
    said = {"topology": topology, "workload.parallel_fraction": knob}
    assert message in redrawn(most, said)[-1]


def test_a_newer_request_ends_an_older_one() -> None:
    turns = Turns()
    with turns.turn() as go_on:
        go_on(1, 2)
        waits = threading.Thread(target=lambda: turns.turn().__enter__())
        waits.start()
        while turns.newest < 2:
            time.sleep(0.001)
        with pytest.raises(NewerTurn, match="a newer setting"):
            go_on(1, 2)
    waits.join(10)
    assert not waits.is_alive()


def test_what_goes_on_with_an_older_request_ends_no_newer_one() -> None:
    turns = Turns()
    with turns.turn() as first:
        pass
    with turns.turn(first.number) as finer:
        finer(1, 2)
    with turns.turn() as newer:
        pass
    with pytest.raises(NewerTurn), turns.turn(first.number):
        pass
    newer(1, 2)


def test_a_request_that_takes_long_is_ended() -> None:
    long = DEFAULT.replace("tasks: 24", "tasks: 20000")
    long = long.replace("errors:", "context: {board_tokens_per_task: 0}\n    errors:")  # it fits
    found = Offered(parse_study(long))
    seen: list[float] = []

    def ask(go_on: Progress) -> None:
        def progress(done: float, total: int) -> None:
            seen.append(done / total)
            go_on(done, total)

        drawn(found, found.checked(32, {}), 12, progress)

    with Turns(0.05).turn() as go_on, pytest.raises(TeamsimError, match="longer than 0 s"):
        ask(go_on)
    assert seen[-1] < 0.5
