"""The page of the live view plays, tells stories, is quick, and is for all readers."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from analysis.live import Run, write_live
from analysis.live.board import Place
from simulator.engine import Simulation
from simulator.model.trace import Trace
from simulator.scenario import Scenario, load_study
from tests.analysis.conftest import SCREENS, against, shown_as

FRAME_MS = 16.0
"""Most time that a frame may take: a browser draws sixty in a second."""


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that opens the page of a scenario that ships, with settings."""

    def opened(name: str, *settings: str, width: int = 1280) -> Any:
        path = tmp_path / "live.html"
        page(path, load_study(name, settings).base)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        open_page(browser, path.as_uri())
        return browser

    return opened


def open_page(browser: Any, address: str) -> None:
    """Open a page, and wait until its content is unpacked and its player is there."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(address)
    WebDriverWait(browser, 20, 0.05).until(lambda b: b.execute_script("return player !== null"))


def page(path: Path, each: Scenario) -> Run:
    trace = Trace(0)
    run = Run(each, 0, trace, Simulation(each).run(0, trace))
    write_live(path, run)
    return run


def text(browser: Any, name: str) -> str:
    found = browser.execute_script("return document.getElementById(arguments[0]).innerText", name)
    return str(found)


def go(browser: Any, share: float) -> None:
    """Go to a share of the run, and wait until it is drawn."""
    browser.execute_script("player.go(arguments[0] * player.content.end)", share)
    frames(browser, 2)


def frames(browser: Any, count: int) -> list[tuple[float, float]]:
    """Wait for frames; return the last ones: when each began and how long it took, in ms."""
    return [
        (float(at), float(took))
        for at, took in browser.execute_async_script(
            """const [count, done] = arguments, first = player.frames.at(-1)?.[0] ?? 0;
            (function wait() {
              const since = player.frames.filter(([at]) => at > first);
              if (since.length >= count) done(since); else requestAnimationFrame(wait);
            })()""",
            count,
        )
    ]


def complaints(browser: Any) -> list[Any]:
    return [entry for entry in browser.get_log("browser") if entry["level"] != "INFO"]


def test_it_plays_pauses_and_goes_where_the_slider_is(show: Callable[..., Any]) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser = show("quickstart", "team.size=5")
    play = browser.find_element(By.ID, "play")
    assert play.text == "Pause"  # it plays when it is opened
    frames(browser, 10)
    play.click()
    stopped = browser.execute_script("return player.now")
    assert stopped > 0
    frames(browser, 5)
    assert browser.execute_script("return player.now") == stopped
    assert play.text == "Play"
    play.send_keys(Keys.SPACE)
    frames(browser, 5)
    assert browser.execute_script("return player.now") > stopped
    slider = browser.find_element(By.ID, "time")
    slider.send_keys(Keys.END)
    frames(browser, 2)
    assert browser.execute_script("return player.now === player.content.end")
    assert text(browser, "clock") == "13 s of 13 s"
    assert "20 of 20" in text(browser, "numbers")
    slider.send_keys(Keys.HOME)
    frames(browser, 2)
    assert "0 of 20" in text(browser, "numbers")
    assert not complaints(browser)


def test_the_end_shows_what_the_metrics_say(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "live.html"
    run = page(path, load_study("research_fan_out").base)
    open_page(browser, path.as_uri())
    go(browser, 1.0)
    said = text(browser, "numbers")
    assert f"{run.metrics.input_tokens:,}" in said
    assert f"{run.metrics.output_tokens:,}" in said
    assert f"${run.metrics.cost_usd:.3f}" in said


def test_a_cost_without_a_price_is_unknown(show: Callable[..., Any]) -> None:
    browser = show("partition")
    go(browser, 0.5)
    assert "unknown" in text(browser, "numbers")
    assert "$" not in text(browser, "numbers")


def test_a_click_and_the_keyboard_tell_the_story_of_an_agent(show: Callable[..., Any]) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser = show("lost_orchestrator")
    go(browser, 0.9)
    browser.find_element(By.CSS_SELECTOR, '[data-agent="6"]').click()
    frames(browser, 2)
    assert text(browser, "now-words") == "Coordinator 0 now: down."
    said = text(browser, "sentences")
    assert "Coordinator 0 crashes." in said
    assert "begins to work" not in said
    first = browser.find_element(By.CSS_SELECTOR, '[data-agent="0"]')
    assert first.get_attribute("role") == "button"
    assert first.accessible_name.startswith("worker 0: ")
    first.send_keys(Keys.ARROW_RIGHT)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    frames(browser, 2)
    assert text(browser, "now-words").startswith("Worker 1 now: ")
    assert "Worker 1 begins to work on task" in text(browser, "sentences")
    assert not complaints(browser)


def test_a_task_tells_its_story_by_click_and_by_choice(show: Callable[..., Any]) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    browser = show("partition")
    go(browser, 1.0)
    Select(browser.find_element(By.ID, "who")).select_by_visible_text("task 7")
    frames(browser, 2)
    assert text(browser, "now-words") == "Task 7 is done now."
    assert "finishes task 7, and it is right." in text(browser, "sentences")
    browser.execute_script(
        """const board = player.board, box = board.canvas.getBoundingClientRect();
        board.canvas.dispatchEvent(new MouseEvent("click", {
          clientX: box.left + board.x[3] + 2, clientY: box.top + board.y[3] + 2, bubbles: true,
        }))"""
    )
    frames(browser, 2)
    assert text(browser, "now-words") == "Task 3 is done now."


def test_cuts_elections_and_sub_agents_are_seen(show: Callable[..., Any]) -> None:
    from selenium.webdriver.common.by import By

    def go_to(words: str) -> None:
        browser.execute_script(
            """const { events } = player.content;
            player.go(events.t[events.words.findIndex((words) => words.includes(arguments[0]))])""",
            words,
        )
        frames(browser, 2)

    browser = show("partition")
    go_to("cut in two")
    assert "The team is cut in two" in text(browser, "banner")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".agent.cut")) > 0
    go_to("one again")
    assert not browser.find_elements(By.CSS_SELECTOR, ".agent.cut")
    election = "{timeout_s: {kind: uniform, low: 10, high: 20}, heartbeat_s: 5}"
    browser = show("lost_orchestrator", f"resilience.election={election}")
    go_to("is elected")
    assert re.search(r"coordinator 0 \(worker \d\)", text(browser, "stage"))
    browser = show("research_fan_out")
    most = max(
        (go(browser, share / 10), len(browser.find_elements(By.CSS_SELECTOR, ".agent.sub")))[1]
        for share in range(1, 10)
    )
    assert most > 1
    go(browser, 1.0)
    assert not browser.find_elements(By.CSS_SELECTOR, ".agent.sub")


def test_callouts_are_over_the_agents_and_not_over_each_other(show: Callable[..., Any]) -> None:
    crash = "{up_s: {kind: exponential, mean: 60}, repair_s: 5}"
    browser = show("gossip", "team.size=50", f"team.agent.faults.crash={crash}")
    most = 0
    for share in range(1, 20):
        go(browser, share / 20)
        boxes = browser.execute_script("return player.stage.callouts.boxes")
        most = max(most, len(boxes))
        for a, b in combinations(sorted(boxes, key=lambda box: float(box["left"])), 2):
            assert a["left"] + a["width"] < b["left"] or abs(a["top"] - b["top"]) > 19, (a, b)
    assert most > 1
    assert browser.execute_script("return player.stage.box.lastElementChild.className") == "above"


def test_it_plays_on_when_it_has_had_no_room(show: Callable[..., Any]) -> None:
    browser = show("partition")
    for display in ("none", ""):  # as a frame in a notebook that is folded away
        browser.execute_script("player.stage.box.style.display = arguments[0]", display)
        frames(browser, 3)
    assert browser.execute_script("return player.stage.canvas.width") > 0
    assert not complaints(browser)


@pytest.mark.slow
def test_a_frame_takes_less_than_sixteen_milliseconds_with_fifty_agents(
    show: Callable[..., Any],
) -> None:
    browser = show("gossip", "team.size=50")
    browser.execute_script("player.play()")
    frames(browser, 30)
    found = frames(browser, 200)
    took = sorted(took for _, took in found)
    assert took[len(took) * 95 // 100] < FRAME_MS, took[-20:]
    apart = sorted(after - at for (at, _), (after, _) in pairwise(found))  # with style and paint
    assert apart[len(apart) // 2] < FRAME_MS * 1.25, apart[-20:]


@pytest.mark.slow
def test_two_hundred_agents_open(show: Callable[..., Any]) -> None:
    from selenium.webdriver.common.by import By

    browser = show("retry_storm")
    go(browser, 0.5)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".agent")) == 200
    assert not complaints(browser)


MANY = (
    "team.size=200",
    "workload.tasks=10500",
    "topology=gossip",
    "coordination.protocol=self_claim",
    "coordination.timing=asynchronous",
    "team.agent.errors.probability=0.1",
    "team.agent.errors.detection=0.8",
    "team.agent.context.board_tokens_per_task=0",
)
"""Settings of a long run: 200 agents make some 22,000 calls."""


@pytest.fixture(scope="module")
def long_run() -> Run:
    each, trace = load_study("gossip", MANY).base, Trace(0)
    return Run(each, 0, trace, Simulation(each).run(0, trace))


@pytest.mark.slow
def test_a_long_run_is_a_small_page_that_plays(browser: Any, tmp_path: Path, long_run: Run) -> None:
    assert (long_run.metrics.agents, long_run.metrics.calls > 22_000) == (200, True)
    write_live(tmp_path / "live.html", long_run)
    assert (tmp_path / "live.html").stat().st_size < 2_000_000  # 5 million as plain text
    open_page(browser, (tmp_path / "live.html").as_uri())
    go(browser, 0.5)
    assert "leaves out its most frequent sentences" in text(browser, "foot")
    assert browser.execute_script("return player.content.story.t.length") < 60_000
    browser.execute_script("player.play()")
    took = sorted(took for _, took in frames(browser, 60))
    assert took[len(took) // 2] < FRAME_MS, took
    assert not complaints(browser)


@pytest.mark.thorough
def test_thousands_of_tasks_are_bars_that_count_as_the_squares_do(
    browser: Any, tmp_path: Path, long_run: Run
) -> None:
    write_live(tmp_path / "live.html", long_run)
    open_page(browser, (tmp_path / "live.html").as_uri())
    assert "A bar is the share" in text(browser, "board-words")
    counts = "return [...player.board.counts]"
    recount = """const found = new Array(player.content.board.length).fill(0);
    for (const place of player.board.track.now) found[place]++;
    return found"""
    for share in (0.3, 0.9, 0.1):
        go(browser, share)
        shown = browser.execute_script(counts)
        assert shown == browser.execute_script(recount)
        assert sum(shown) == 10_500
        assert 0 < shown[Place.DONE] < 10_500
    go(browser, 1.0)
    height = """const { canvas, columns, column, scale, height } = player.board;
    const x = Math.round((columns.indexOf(DONE) * column + 2 + (column - 6) / 2) * scale);
    const strip = canvas.getContext("2d").getImageData(x, 0, 1, canvas.height).data;
    return strip.filter((value, i) => i % 4 === 3 && value > 0).length / scale / height"""
    done = browser.execute_script("return player.board.counts[DONE]") / 10_500
    assert browser.execute_script(height) == pytest.approx(done, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), SCREENS)
@pytest.mark.parametrize("name", ["partition", "research_fan_out", "lost_orchestrator"])
def test_axe_finds_nothing_against_it(
    show: Callable[..., Any], name: str, scheme: str, width: int
) -> None:
    browser = show(name, width=width)
    shown_as(browser, scheme, width)
    go(browser, 0.4)
    assert against(browser) == ""


def test_who_wants_less_motion_gets_a_page_that_does_not_play_by_itself(
    show: Callable[..., Any], browser: Any
) -> None:
    said = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": said})
    show("quickstart", "team.size=3")
    frames(browser, 5)
    assert browser.execute_script("return player.now") == 0
    assert text(browser, "play") == "Play"


def test_names_cannot_break_out_of_the_page(browser: Any, tmp_path: Path) -> None:
    each = load_study("quickstart").base
    evil = "</script><script>alert(1)</script> <b>\u2028 {{data}} \x07 & \"quoted\" 'too'"
    each = each.model_copy(update={"question": evil, "name": "<!-- <script>"})
    path = tmp_path / "live.html"
    page(path, each)
    open_page(browser, path.as_uri())
    frames(browser, 2)
    assert browser.execute_script("return player.content.question") == evil
    assert browser.execute_script("return document.querySelectorAll('script').length") == 2
    assert browser.execute_script("return document.querySelectorAll('b:empty').length") == 0
    assert not complaints(browser)


def test_the_page_fetches_nothing_and_has_the_licence_of_what_it_uses(tmp_path: Path) -> None:
    path = tmp_path / "live.html"
    page(path, load_study("quickstart").base)
    source = path.read_text("utf-8")
    markup = re.sub(r"<script.*?</script>", "", source, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)=["'](?!data:,)""", markup)
    assert not re.search(r"@import|url\(", source.partition("</style>")[0])
    assert "Permission to use, copy, modify, and/or distribute this software" in source
    assert len(source) < 500_000
