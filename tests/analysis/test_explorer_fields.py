"""Any field of a scenario can be found, added, moved and taken away in the explorer."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.report.explorer import explorer
from analysis.report.explorer.app import changed_controls
from analysis.report.explorer.controls import held_in
from analysis.report.explorer.curves import COARSE, FINE, ROUGH, Pace, drawn
from analysis.report.explorer.fields import LEFT_OUT, Field, found_by
from analysis.report.explorer.moves import effects, summary
from analysis.report.explorer.pins import from_link, link
from analysis.report.explorer.settings import DEFAULT, Offered, as_yaml, base_study
from simulator.errors import ScenarioError, TeamsimError
from simulator.scenario import Study, load_study, parse_study
from simulator.scenario.shipped import scenario_names
from tests.analysis.conftest import against, callback, served, shown_as
from tests.golden.options import of_schema

PRICED = DEFAULT.replace("errors:", "price: {output_per_mtok: 15}\n    errors:")


@pytest.fixture(scope="module")
def offered() -> Offered:
    return Offered(base_study())


def test_every_field_of_the_schema_can_be_moved(offered: Offered) -> None:
    """Those of `tests.golden.options` without names, lists and the parameters of other plugins."""
    plain = {each.partition("=")[0] for each in of_schema() if "[" not in each and "*" not in each}
    lists = ("faults", "sweep", "figure", "precision", "baseline", *LEFT_OUT)
    wanted = {each for each in plain if not each.startswith(lists)}
    assert len(wanted) > 200
    for path in wanted:
        field = offered.field(path)  # listed, or as YAML where its mapping is left out
        assert field.path == path
    listed = wanted & offered.fields.keys()
    assert len(listed) > 0.75 * len(wanted)
    assert all(offered.fields[path].description for path in listed)


@pytest.mark.parametrize(
    ("words", "path", "form", "unit", "allowed"),
    [
        ("hedge after", "resilience.hedge.after_s", "number", "seconds",
         "a number above 0 or none"),
        ("parallel fract", "workload.parallel_fraction", "number", "", "a number from 0 to 1"),
        ("output mtok", "team.agent.price.output_per_mtok", "number",
         "US dollars for a million tokens", "a number of 0 or more"),
        ("overflow", "team.agent.context.overflow", "choice", "", "one of compact, truncate"),
        ("in order", "network.in_order", "yes or no", "", "yes or no"),
        ("lasts until answered", "", "", "", ""),
    ],
)  # fmt: skip
def test_fields_are_found_by_name_and_meaning(
    offered: Offered, words: str, path: str, form: str, unit: str, allowed: str
) -> None:
    found = found_by(words, offered.fields, 8)
    if not path:
        assert not found
        return
    assert (found[0].path, found[0].form, found[0].unit) == (path, form, unit)
    assert found[0].allowed == allowed


def other(field: Field) -> Any:
    """Return another value than the present one, as a control would hold it."""
    match field.form:
        case "choice":
            return next(each for each in field.choices if each != field.now)
        case "yes or no":
            return not field.now
        case "number":
            ends = [each for each in (field.low, field.high) if math.isfinite(each)]
            middle = sum(ends) / 2 if len(ends) == 2 else (ends or [0])[0] + 1
            return middle + (0 if middle != field.now else 0.1)
    return None


@pytest.mark.slow
def test_what_is_moved_is_in_the_file_and_in_the_link(offered: Offered) -> None:
    """Moves are accepted or explained, and none is lost on the way into a file or a link."""
    moved = 0
    for path, field in offered.fields.items():
        value = other(field)
        if value is None or path in offered.shown:
            continue
        setting = offered.checked(4, {path: value})
        assert from_link(link(setting, None), offered)[0] == setting
        study = offered.study(setting, 4, 1)
        try:
            scenario = study.base
        except ScenarioError as error:
            explained = [bool(problem.path and problem.message) for problem in error.problems]
            scenario = None
        if scenario is None:
            assert all(explained), path
            continue
        moved += 1
        node: Any = scenario.model_dump(mode="json", by_alias=True)
        for key in path.split("."):
            node = node[int(key) if key.isdecimal() else key]
        now = node["kind"] if isinstance(node, dict) and "kind" in node else node
        assert now == pytest.approx(setting.said[path]), path
        assert parse_study(as_yaml(study)).base == scenario, path
    assert moved > 150


@pytest.mark.parametrize("name", ["quickstart", "coding_loop", "hedging", "rate_limited_fleet"])
def test_the_file_of_a_shipped_scenario_is_the_scenario(name: str) -> None:
    assert name in scenario_names()
    study = load_study(name)
    found = Offered(study)
    setting = found.checked(5, held_in(found, found.first))
    said = found.study(setting, 5, 7)
    text = as_yaml(said)
    assert parse_study(text).base.model_dump_json() == said.base.model_dump_json()


def test_agents_that_take_over_follow() -> None:
    """What a coordinator leaves out is the team's agent's, moved or not."""
    text = DEFAULT.replace("topology: decentralised", "topology: centralised").replace(
        "team:", "team:\n  coordinator: {family: other}"
    )
    found = Offered(parse_study(text))
    moved = found.study(found.checked(4, {"team.agent.speed": 3}), 4, 1).base
    assert moved.team.coordinator is not None
    assert (moved.team.coordinator.speed, moved.team.coordinator.family) == (3, "other")


def test_a_field_said_in_short_can_be_moved_within(offered: Offered) -> None:
    said = {"team.agent.tokens.message": "{kind: lognormal, median: 300, sigma: 1}"}
    assert offered.study(offered.checked(2, said), 2, 1).base.team.agent is not None
    cache = offered.study(offered.checked(2, {"team.agent.context.cache.life_s": 30}), 2, 1).base
    assert cache.team.agent is not None
    assert cache.team.agent.context.model_dump(by_alias=True)["cache"]["life_s"] == 30


def test_a_field_that_is_not_listed_is_yaml(offered: Offered) -> None:
    path = "resilience.fallback.model.speed"
    assert path not in offered.fields
    assert offered.field(path).form == "text"
    found = callback(explorer(), "found.children")(path, None, [])
    assert found[0].children[0].id == {"add": path}
    (message,) = callback(explorer(), "found.children")("wrkload.tasks", None, [])
    assert "did you mean 'workload.tasks'?" in message.children
    with pytest.raises(TeamsimError, match=r"team\.size: the curves are drawn against it"):
        offered.field("team.size")


def test_a_scenario_with_groups_opens_and_all_within_them_can_be_moved() -> None:
    found = Offered(load_study("orphaned_claims"))
    path = "team.groups.frail.agent.faults.crash.up_s.mean"
    (first, *_) = found_by("frail crash mean", found.fields, 3)
    assert (first.path, first.form, first.unit) == (path, "number", "seconds")
    assert found.fields["team.groups.sound.size"].allowed == "a whole number from 0 to 1,000,000"
    setting = found.checked(8, {path: 60, "team.groups.frail.size": 3})
    assert from_link(link(setting, None), found)[0] == setting
    for n, sizes in ((1, (1, 0)), (2, (1, 1)), (8, (4, 4)), (9, (5, 4))):  # 3 sound ones, 3 frail
        team = parse_study(as_yaml(found.study(setting, n, 1))).base.team
        assert team.groups is not None
        assert tuple(group.size for group in team.groups.values()) == sizes
        crash = team.groups["frail"].agent.faults.crash
        assert crash is not None
        assert crash.up_s.model_dump()["mean"] == 60
    none_left = {"team.groups.frail.size": 0, "team.groups.sound.size": 0}
    with pytest.raises(ScenarioError, match="at least one worker"):
        _ = found.study(found.checked(8, none_left), 8, 1).base
    *_, summary, _, problem = callback(explorer(load_study("orphaned_claims")), "yaml.children")(
        None, 4, [2.0], [{"field": "team.groups.frail.size"}]
    )
    assert (summary[:9], problem) == ("4 agents:", "")


def test_groups_can_be_given_to_a_team_that_has_none(offered: Offered) -> None:
    said = {"team.groups": "{quick: {size: 1, agent: {speed: 2}}, slow: {size: 3, agent: {}}}"}
    team = offered.study(offered.checked(8, said), 8, 1).base.team
    assert {name: (each.size, each.agent.speed) for name, each in (team.groups or {}).items()} == {
        "quick": (2, 2),
        "slow": (6, 1),
    }
    for wrong in ("3", "{a: 3}", "{a: {size: x, agent: {}}}"):
        with pytest.raises(ScenarioError, match=r"team\.groups"):
            _ = offered.study(offered.checked(8, {"team.groups": wrong}), 8, 1).base


def test_what_runs_slowly_is_drawn_more_roughly_at_first() -> None:
    pace = Pace()
    assert pace.replications(8) == ROUGH  # not known yet
    pace.learn(100, 0.1)
    assert pace.replications(8) == COARSE
    pace.learn(10, 1.0)
    assert pace.replications(8) == ROUGH
    found = Offered(base_study())
    rough, coarse = (drawn(found, found.first, n, pace=pace).curves for n in (ROUGH, COARSE))
    assert (list(rough["x"]), list(coarse["x"])) == ([1, 3, 8], [1, 2, 4, 8])
    assert pace.replications(8) == COARSE  # learned from the drawing


def test_added_fields_are_controls_until_they_are_taken_away(offered: Offered) -> None:
    held = held_in(offered, offered.first)
    for path in ("limits.deadline_s", "network.loss"):
        controls = changed_controls(offered, {"add": path}, 4, held)
    added = [each for each in held if each not in offered.shown]
    assert added == ["limits.deadline_s", "network.loss"]
    assert len(controls) == len(offered.shown) + 3
    assert "network.loss" in json.dumps(controls[1].to_plotly_json(), default=str)
    changed_controls(offered, {"remove": "network.loss"}, 4, held)
    assert "network.loss" not in held
    with pytest.raises(TeamsimError, match="unknown field"):
        changed_controls(offered, {"add": "<script>"}, 4, held)


def test_each_move_says_what_it_costs() -> None:
    found = Offered(parse_study(PRICED))
    setting = found.checked(4, {"workload.tasks": 48, "team.agent.price.output_per_mtok": 30})
    said = effects(found, setting, 12)
    assert said["team.agent.price.output_per_mtok"] == "time the same, cost +100 %"
    assert said["workload.tasks"].startswith("time +")
    assert "cost +" in said["workload.tasks"]
    assert effects(found, found.first, 4) == {}
    unpriced = Offered(base_study())
    said = effects(unpriced, unpriced.checked(4, {"workload.tasks": 48}), 4)
    assert said["workload.tasks"].endswith("cost unknown")
    assert "cost unknown" in summary(drawn(unpriced, unpriced.first, 4))


@pytest.mark.slow
def test_a_finer_drawing_follows_and_an_older_one_is_dropped() -> None:
    app = explorer(parse_study(PRICED))
    redraw, refine = callback(app, "yaml.children"), refiner(app)
    named = [{"field": "workload.tasks"}]
    *_, summary, goes_on, problem = redraw(None, 4, [28], named)
    assert (problem, "(rough)" in summary) == ("", True)
    effect = [{"effect": "workload.tasks"}, {"effect": "topology"}]
    *_, finer, said = refine(goes_on, effect)
    assert f"{FINE} replications" in finer
    assert "(rough)" not in finer
    assert said[0].startswith("time ")
    assert said[1] == ""
    redraw(None, 4, [32], named)
    assert all(not isinstance(each, str) for each in refine(goes_on, effect)[:-1])  # unchanged


def refiner(app: Any) -> Any:
    (found,) = (each for outputs, each in app.callback_map.items() if '{"effect"' in outputs)
    return found["callback"].__wrapped__


@pytest.fixture
def address() -> Iterator[str]:
    """Serve the explorer of the quickstart; return where."""
    with served(explorer(quickstart())) as where:
        yield where


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_no_name_and_no_number_of_a_control_is_cut(browser: Any, address: str, width: int) -> None:
    """Also where what a move has changed takes a whole line."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    shown_as(browser, "light", width)
    long = "team.agent.errors.probability.probability"
    browser.get(f"{address}?{long}=0.3&team.agent.errors.detection=0.6180339887&network.loss=0.2")
    slider = f'[id=\'{{"field":"{long}"}}\']'
    WebDriverWait(browser, 30).until(
        lambda _: browser.find_elements(By.CSS_SELECTOR, f"{slider} input")
    )
    browser.execute_script(
        "for (const each of document.querySelectorAll('.effect'))"
        "  each.textContent = 'time +127 % (not resolved), cost +127 % (not resolved)'"
    )
    words = browser.execute_script(_BROKEN_WORDS)
    assert words == []
    boxes = browser.find_elements(By.CSS_SELECTOR, "#controls .dash-range-slider-input")
    assert len(boxes) > 5
    is_cut = "return arguments[0].scrollWidth > arguments[0].clientWidth"
    cut = [box.get_attribute("value") for box in boxes if browser.execute_script(is_cut, box)]
    assert cut == []


_BROKEN_WORDS = """
const broken = [];
for (const name of document.querySelectorAll(".said > span")) {
  const all = document.createTreeWalker(name, NodeFilter.SHOW_TEXT);
  for (let text = all.nextNode(); text; text = all.nextNode()) {
    for (const word of text.data.matchAll(/[^ ]+/g)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (range.getClientRects().length > 1) broken.push(word[0]);
    }
  }
}
return broken;
"""
"""Words in the names of controls that stand on two lines; a path may be broken at its dots."""


def quickstart() -> Study:
    return load_study("quickstart")


@pytest.mark.thorough
@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280)])
def test_fields_are_added_by_keyboard_and_changes_are_seen_where_one_is(
    browser: Any, address: str, scheme: str, width: int, tmp_path: Path
) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def text(name: str) -> str:
        return str(browser.find_element(By.ID, name).get_attribute("textContent"))

    shown_as(browser, scheme, width)
    browser.get(address)
    wait = WebDriverWait(browser, 30)
    wait.until(lambda _: f"{FINE} replications" in text("summary"))
    for words, path in (
        ("hedge after", "resilience.hedge.after_s"),
        ("loss network", "network.loss"),
    ):
        box = browser.find_element(By.ID, "find")
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(words)
        button = f"//button[normalize-space()='{path}']"
        wait.until(lambda _, button=button: browser.find_elements(By.XPATH, button))
        browser.find_element(By.XPATH, button).send_keys(Keys.ENTER)
        control = f"[data-knob='{path}'] input"
        wait.until(lambda _, control=control: browser.find_elements(By.CSS_SELECTOR, control))
    assert against(browser) == ""
    control = browser.find_element(By.CSS_SELECTOR, "[data-knob='resilience.hedge.after_s'] input")
    assert control.accessible_name == "resilience.hedge.after_s"
    control.send_keys("4", Keys.ENTER)
    wait.until(lambda _: "after_s: 4" in text("yaml"))
    effect = '[id=\'{"effect":"resilience.hedge.after_s"}\']'
    wait.until(
        lambda _: "cost" in browser.find_element(By.CSS_SELECTOR, effect).get_attribute(
            "textContent"
        )
    )  # fmt: skip
    # The first chart is in view beside or above the last control, too.
    last = browser.find_element(By.XPATH, "//label[contains(., 'asynchronous')]")
    browser.execute_script("arguments[0].scrollIntoView({block: 'end'})", last)
    seen = (
        "const of = document.querySelector('#chart-0').getBoundingClientRect();"
        "return of.top > -of.height / 2 && of.bottom <= innerHeight"
    )
    assert browser.execute_script(seen)
    remove = browser.find_element(
        By.CSS_SELECTOR, "[data-knob='resilience.hedge.after_s'] .head button"
    )
    remove.send_keys(Keys.ENTER)
    wait.until(lambda _: "after_s" not in text("yaml"))
    severe = [each for each in browser.get_log("browser") if each["level"] == "SEVERE"]
    assert not [each for each in severe if "favicon" not in each["message"]]
