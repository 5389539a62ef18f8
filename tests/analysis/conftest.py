"""Shared by tests of analysis: a browser, if there is one."""

from __future__ import annotations

import importlib.util
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.cli.conftest import Here


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start a headless Chromium, which takes a second or two, once for all tests."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Chromium and its driver (Debian: chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for said in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(said)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield found
    found.quit()


@pytest.fixture
def browser(chromium: Any) -> Any:
    """Give the browser one empty tab, with nothing stored, cached or logged by another test."""
    before = chromium.window_handles
    chromium.switch_to.new_window("tab")  # sizes and colour schemes are a tab's own
    empty = chromium.current_window_handle
    for handle in before:
        chromium.switch_to.window(handle)
        chromium.close()
    chromium.switch_to.window(empty)
    everything = {"origin": "*", "storageTypes": "all"}
    chromium.execute_cdp_cmd("Storage.clearDataForOrigin", everything)
    chromium.execute_cdp_cmd("Network.clearBrowserCache", {})
    chromium.get_log("browser")
    return chromium


@pytest.fixture
def teamsim_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(capsys, monkeypatch)


SCREENS = [  # scheme, width; the first two try each scheme and each width once
    ("light", 1280),
    ("dark", 390),
    pytest.param("light", 390, marks=pytest.mark.thorough),
    pytest.param("dark", 1280, marks=pytest.mark.thorough),
]


def shown_as(browser: Any, scheme: str, width: int) -> None:
    """Show pages from now on in a colour scheme (light, dark), this many pixels wide."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    said = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": said})


def against(browser: Any) -> str:
    """Return what is to be said against the page that is open, empty if it is nothing.

    It has to fit its window, and to keep the rules of axe-core: names, roles, contrasts and the
    like.
    """
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("needs axe-core, which axe-playwright-python brings")
    fits = "return document.documentElement.scrollWidth <= window.innerWidth"
    if not browser.execute_script(fits):
        return "the page is wider than its window"
    browser.execute_script(Path(found.origin).with_name("axe.min.js").read_text("utf-8"))
    broken = browser.execute_async_script("axe.run().then(arguments[0])")["violations"]
    return json.dumps(broken, indent=1)[:4000] if broken else ""


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an explorer while the body runs; return where."""
    server = make_server("127.0.0.1", 0, app.server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def callback(app: Any, output: str) -> Any:
    """Return the function of the explorer that fills an output, such as ``yaml.children``."""
    for outputs, each in app.callback_map.items():
        if output in outputs.strip(".").split("..."):
            return each["callback"].__wrapped__
    raise KeyError(output)
