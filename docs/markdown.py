"""Pieces of pages in Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def mark(name: str) -> str:
    """Return a place to link to, before a heading; sites that show Markdown know no other form."""
    return f'<a id="{name}"></a>\n\n'


def cell(text: str) -> str:
    """Return text of a docstring as it may stand in a table."""
    return re.sub(r"\s+", " ", said(text)).replace("|", "\\|").strip()


def said(text: str) -> str:
    """Return text of a docstring, in reStructuredText, as Markdown."""
    text = re.sub(r"``([^`]+)``", r"`\1`", inspect.cleandoc(text))
    text = re.sub(r":(?:class|func|mod|data|meth):`([^`]+)`", r"`\1`", text)
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(
        part if i % 2 else re.sub(r"(?<!\*)\*(?!\*)", r"\\*", part.replace("<", "&lt;"))
        for i, part in enumerate(parts)
    )
