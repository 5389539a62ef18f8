"""Plants small random changes in a part, one at a time, and counts those that its tests see.

``python -m tests.planted.mutants COUNT PART TESTS... [--seed N]``: PART is a file or a folder of
the project, TESTS are files of tests, or folders, whose files run that are near the change
(`tests.planted.near`). Their quick tests run, file by file until one has seen the change. Prints
each change that no test has seen: who reads it decides whether it changes an answer. Changes with
which the tests never end are counted apart. Another seed plants other changes.
"""

from __future__ import annotations

import argparse
import ast
import copy
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from tests.planted.near import NearTests
from tests.planted.trial import Outcome, Trial, in_words
from tests.project_copy import ROOT

SEEN = set(pytest.ExitCode) - {pytest.ExitCode.OK}
"""What pytest ends with if tests fail with a change, or cannot even begin."""

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
"""Operators, and what takes their place."""


@dataclass(frozen=True)
class Mutant:
    """A change: where it is, what stood there and what stands there now, and the whole file."""

    file: str
    line: int
    right: str
    wrong: str
    text: str


def _changed(node: ast.AST) -> ast.AST | None:
    """Return another node in place of one, or nothing if it stays."""
    other = copy.deepcopy(node)
    if isinstance(other, ast.BinOp | ast.BoolOp) and type(other.op) in SWAPPED:
        other.op = SWAPPED[type(other.op)]()  # type: ignore[assignment]
    elif isinstance(other, ast.Compare) and type(other.ops[0]) in SWAPPED:
        other.ops[0] = SWAPPED[type(other.ops[0])]()  # type: ignore[call-overload]
    elif isinstance(other, ast.UnaryOp) and isinstance(other.op, ast.USub | ast.Not):
        return other.operand
    elif isinstance(other, ast.Constant) and isinstance(other.value, int | float):
        other.value = not other.value if isinstance(other.value, bool) else other.value + 1
    elif isinstance(other, ast.IfExp):
        other.body, other.orelse = other.orelse, other.body
    else:
        return None
    return other


class _Replace(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the new node for the old one."""
        return self._new if node is self._old else self.generic_visit(node)


@dataclass(frozen=True)
class Place:
    """A node of a file that may be changed."""

    file: Path
    node: int
    """In the order of `ast.walk`."""

    def mutant(self, root: Path) -> Mutant:
        """Return the change of this place, with the text of the whole file."""
        tree = ast.parse(self.file.read_text())
        node = next(islice(ast.walk(tree), self.node, None))
        new = _changed(node)
        assert new is not None
        right, wrong = ast.unparse(node), ast.unparse(new)
        text = ast.unparse(ast.fix_missing_locations(_Replace(node, new).visit(tree)))
        line: int = node.lineno  # type: ignore[attr-defined]
        return Mutant(str(self.file.relative_to(root)), line, right, wrong, text)


def places_of(file: Path) -> list[Place]:
    """Return all places of a file that may be changed."""
    nodes = enumerate(ast.walk(ast.parse(file.read_text())))
    return [Place(file, i) for i, node in nodes if _changed(node) is not None]


def main(count: int, part: str, tests: Sequence[str], seed: int) -> int:
    """Plant a sample of changes and print what the tests say to them."""
    files = sorted((ROOT / part).rglob("*.py")) if (ROOT / part).is_dir() else [ROOT / part]
    every = [place for file in files for place in places_of(file)]
    places = random.Random(seed).sample(every, min(count, len(every)))
    sample = [place.mutant(ROOT) for place in places]  # now, as the files may be edited meanwhile
    near = NearTests(tests)
    outcomes: Counter[Outcome] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder))
        for mutant in sample:
            runs = [(each, "-m", "not slow and not thorough") for each in near.of(mutant.file)]
            found = trial.outcome(mutant.file, mutant.text, runs, SEEN)
            outcomes[found] += 1
            if found is not Outcome.SEEN:
                where = f"{mutant.file}:{mutant.line}"
                print(f"{found:10}  {where}: {mutant.right}  ->  {mutant.wrong}", flush=True)
    print(f"{len(sample)} of {len(every)} changes of {part} planted: {in_words(outcomes)}")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.planted.mutants")
    parser.add_argument("count", type=int)
    parser.add_argument("part")
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(main(**vars(parser.parse_args())))
