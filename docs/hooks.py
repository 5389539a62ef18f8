"""Lets pages of the manual link to files elsewhere in the repository.

A link is written as it works in the repository, such as ``../scenarios/voting.yaml``. In the site,
the file is copied below ``files/``; the Markdown files in `PAGES` become pages.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Documents elsewhere that are pages of the site, with their names there."""

LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the documents elsewhere, and every file that a page links to."""
    for path, uri in PAGES.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    for page in list(files.documentation_pages()):
        source = Path(str(page.abs_src_path))
        for target in _targets(source, source.read_text("utf-8")):
            uri = _uri(target)
            if files.get_file_from_path(uri) is None:
                files.append(File.generated(config, uri, abs_src_path=str(target)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links to where files are in the site."""
    source, folder = Path(page.file.abs_src_path), posixpath.dirname(page.file.src_uri)

    def moved(found: re.Match[str]) -> str:
        target = (source.parent / found[1]).resolve()
        if not _is_file(target):
            return found[1]
        return posixpath.relpath(_uri(target), folder or ".")

    return LINK.sub(moved, markdown)


def _targets(source: Path, text: str) -> Iterator[Path]:
    for link in LINK.findall(text):
        target = (source.parent / link).resolve()
        if _is_file(target):
            yield target


def _is_file(target: Path) -> bool:
    return target.is_file() and target.is_relative_to(ROOT)


def _uri(target: Path) -> str:
    """Return where a file of the repository is in the site."""
    path = target.relative_to(ROOT).as_posix()
    if path in PAGES:
        return PAGES[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}"
