"""Writes the live view of one replication as one HTML page that needs no network."""

from __future__ import annotations

import base64
import json
import re
import zlib
from importlib.resources import files
from pathlib import Path

from analysis.live.content import Content, Run, content_of

_SCRIPTS = ("d3/d3.min", "data", "icons", "callouts", "stage", "board", "story", "course", "main")
"""The page's scripts, in the order in which they build on each other."""


def write_live(path: str | Path, run: Run) -> None:
    """Write the live view of a replication.

    Parameters
    ----------
    path : str or Path
        File of the page.
    run : Run
        The replication, with its trace.
    """
    Path(path).write_text(live_page(run), encoding="utf-8")


def live_page(run: Run) -> str:
    """Return the live view of a replication as the text of a page."""
    return page_of(content_of(run))


def page_of(content: Content) -> str:
    """Return the page that shows a content."""
    parts = {
        "live.css": _source("live.css"),
        "data": _data(content),
        "scripts": "\n".join([_license(), *(_source(f"{name}.js") for name in _SCRIPTS)]),
    }
    return re.sub(r"\{\{([\w.]+)\}\}", lambda found: parts[found[1]], _source("live.html"))


def _source(name: str) -> str:
    return files("analysis.live").joinpath("page").joinpath(name).read_text("utf-8")


def _license() -> str:
    """Return the licence of D3, which wants to be in every copy of it."""
    return f"/* D3\n{_source('d3/LICENSE')}*/"


def _data(content: Content) -> str:
    """Return a content as compressed JSON in base 64, from which no name in it can break out."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)  # in ASCII
    return base64.b64encode(zlib.compress(text.encode("ascii"))).decode("ascii")
