"""The sections of a page, with words, charts and tables."""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis.report.charts import Chart


@dataclass
class Section:
    """A part of a page: words, charts and tables, in this order."""

    id: str
    title: str
    words: list[str] = field(default_factory=list)
    toggles: list[dict[str, str]] = field(default_factory=list)
    charts: list[dict[str, str]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    code: str = ""
    code_title: str = ""

    def say(self, *sentences: str) -> None:
        """Add paragraphs."""
        self.words.extend(sentences)

    def switch(self, *names: dict[str, str]) -> None:
        """Add buttons that show and hide a system in all charts."""
        self.toggles.extend(names)

    def show(self, table: dict[str, Any]) -> None:
        """Add a table."""
        self.tables.append(table)

    def add_chart(self, number: str, title: str, data: pd.DataFrame, command: str) -> None:
        """Add a chart that the page has under that number, with its data and what makes it."""
        csv = base64.b64encode(data.to_csv(index=False).encode("utf-8")).decode("ascii")
        words = re.sub(r"\W+", "-", title.lower()).strip("-")
        said = {"csv": csv, "file": f"{self.id}-{words}.csv", "command": command}
        self.charts.append({"id": number, "title": title, **said})


class Page:
    """Sections, and the charts that they show."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self.figures: dict[str, Any] = {}

    def add(self, section: Section) -> None:
        """Add a section at the end."""
        self.sections.append(section)

    def chart(
        self, section: Section, title: str, chart: Chart, data: pd.DataFrame, command: str
    ) -> None:
        """Add a chart to a section, with its numbers and the command that makes it."""
        number = f"chart-{len(self.figures)}"
        said = json.dumps({"data": chart.data, "layout": chart.layout})
        self.figures[number] = json.loads(said, parse_constant=lambda _: None)  # JSON has no NaN
        section.add_chart(number, title, data, command)


def table_of(title: str, frame: pd.DataFrame, is_open: bool = False) -> dict[str, Any]:
    """Return a table as a section shows it, folded up unless it `is_open`."""
    html = frame.to_html(index=False, border=0, float_format=_shown, na_rep="")
    return {"title": title, "html": html, "open": is_open}


def _shown(value: float) -> str:
    """Return a number; the end of an interval that is infinite is not known."""
    return "not known" if math.isinf(value) else f"{value:,.4g}"


def capitalised(text: str) -> str:
    """Return a text whose first letter is large; the others stay as they are."""
    return text[:1].upper() + text[1:]
