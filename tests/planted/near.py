"""Which tests are near a file: those that import it, and those that import one that does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import networkx as nx

from docs.house import imported, imports, modules
from tests.project_copy import ROOT

FARTHEST = 2
"""Imports in a row, at most, from a test to the file that it is near to."""


class NearTests:
    """The tests among some files and folders that are near a file of the project.

    Files are near in any case; a folder's tests are if they import it within `FARTHEST` steps or,
    where none does, in as few as any. All of them may be near to a file that no test imports: a
    plugin is found by its name.
    """

    def __init__(self, tests: Sequence[str]) -> None:
        self._named = [test for test in tests if (ROOT / test).is_file()]
        files = modules()
        self._names = {path: name for name, path in files.items()}
        self._graph = imports()
        self._found: list[Path] = []
        for folder in tests:
            if folder not in self._named:
                self._found += sorted((ROOT / folder).rglob("test_*.py"))
        for test in self._found:
            self._graph.add_edges_from((test, module) for module in imported(test, files))

    def of(self, file: str) -> list[str]:
        """Return the tests of a file, the nearest first."""
        name = self._names[ROOT / file]
        steps = nx.single_source_shortest_path_length(self._graph.reverse(copy=False), name)
        away = {test: steps[test] for test in self._found if test in steps}
        if not away:
            away = dict.fromkeys(self._found, FARTHEST)
        farthest = max(FARTHEST, min(away.values(), default=FARTHEST))
        near = [
            test for test in sorted(away, key=lambda each: away[each]) if away[test] <= farthest
        ]
        return [*self._named, *(str(test.relative_to(ROOT)) for test in near)]
