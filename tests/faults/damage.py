"""Results that are damaged at random, and what the commands that read them make of them."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from typer.testing import CliRunner

from simulator.cli.main import app
from simulator.errors import TeamsimError
from simulator.experiment import read_results, run_sweep
from simulator.scenario import load_study
from tests.experiment.conftest import SHORT
from tests.faults.conftest import parts

VALUES = (None, True, -1, 0, 10**30, 1e300, "x", "\x1b[31m", [], {})
NAMES = ("notes.txt", "part-1.parquet", ".hidden", "part-0000000000-0000000005.parquet")


@dataclass
class Damager:
    """Does one thing to a directory of results.

    Attributes
    ----------
    chance : random.Random
    directory : Path
    """

    chance: random.Random
    directory: Path

    def a_file(self) -> Path:
        """Return some file of the directory."""
        return self.chance.choice(sorted(p for p in self.directory.rglob("*") if p.is_file()))

    def flip_bits(self) -> None:
        file = self.a_file()
        content = bytearray(file.read_bytes() or b"\x00")
        for _ in range(self.chance.choice([1, 1, 50])):
            content[self.chance.randrange(len(content))] ^= 1 << self.chance.randrange(8)
        file.write_bytes(content)

    def cut(self) -> None:
        file = self.a_file()
        content = file.read_bytes()
        file.write_bytes(content[: self.chance.randrange(len(content) + 1)])

    def append(self) -> None:
        file = self.a_file()
        file.write_bytes(file.read_bytes() + self.chance.randbytes(self.chance.choice([1, 10_000])))

    def lose(self) -> None:
        self.a_file().unlink()

    def put_a_link(self) -> None:
        file = self.a_file()
        file.unlink()
        file.symlink_to(self.chance.choice(["/nowhere", "/dev/null", "/dev/zero"]))

    def put_a_directory(self) -> None:
        file = self.a_file()
        file.unlink()
        file.mkdir()

    def add_a_stray_file(self) -> None:
        where = self.chance.choice([self.directory, self.directory / "results"])
        (where / self.chance.choice(NAMES)).write_bytes(self.chance.randbytes(50))

    def swap_parts(self) -> None:
        one, other = self.chance.sample(parts(self.directory), 2)
        content = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(content)

    def change_rows(self) -> None:
        part = self.chance.choice(parts(self.directory))
        table = pq.read_table(part)
        column = self.chance.choice(table.column_names)
        changed = self.chance.choice(
            [
                table.slice(1),
                pa.concat_tables([table, table]),
                table.drop_columns([column]),
                table.set_column(
                    table.column_names.index(column), column, pa.array(["x"] * table.num_rows)
                ),
            ]
        )
        pq.write_table(changed, part)

    def change_the_manifest(self) -> None:
        path = self.directory / "manifest.json"
        manifest = json.loads(path.read_text())
        node, key = self.chance.choice(list(_places(manifest)))
        if self.chance.random() < 0.2:
            del node[key]
        else:
            node[key] = self.chance.choice(VALUES)
        path.write_text(json.dumps(manifest))


def _places(node: object) -> list[tuple[object, object]]:
    """Return each mapping or list inside a document, with each of its keys or places."""
    if isinstance(node, dict):
        inside = list(node.items())
    elif isinstance(node, list):
        inside = list(enumerate(node))
    else:
        return []
    return [place for key, value in inside for place in [(node, key), *_places(value)]]


DAMAGES: tuple[Callable[[Damager], None], ...] = (
    Damager.flip_bits,
    Damager.cut,
    Damager.append,
    Damager.lose,
    Damager.put_a_link,
    Damager.put_a_directory,
    Damager.add_a_stray_file,
    Damager.swap_parts,
    Damager.change_rows,
    Damager.change_the_manifest,
)


def damaged_and_read(directory: Path, seed: int, cases: int) -> Counter[str]:
    """Damage finished results so many times, read them and run their sweep again.

    Parameters
    ----------
    directory : Path
        An empty one, to work in.
    seed, cases : int

    Returns
    -------
    Counter of str
        How many commands ended with ``results``, and how many with ``error``, a clear one.

    Raises
    ------
    AssertionError
        If a command ends otherwise, or a sweep says that it is done and its table is not, bit for
        bit, that of an undisturbed sweep.
    """
    scenario, whole = directory / "short.yaml", directory / "whole"
    scenario.write_text(SHORT)
    expected = run_sweep(load_study(scenario), whole)
    chance, count = random.Random(seed), Counter[str]()
    for i in range(cases):
        results, page = directory / f"case-{i}", directory / "out"
        shutil.copytree(whole, results)
        damage = chance.choice(DAMAGES)
        damage(Damager(chance, results))
        reading = chance.choice(
            [
                ("report", results, "--out", page.with_suffix(".html")),
                ("plot", results, "--out", page.with_suffix(".png")),
                ("compare", results, whole),
                ("sweep", "--from", results, "--out", page),
            ]
        )
        count[_outcome(*reading)] += 1
        again = _outcome("sweep", scenario, "--out", results, "-w", 1)
        count[again] += 1
        where = f"case {i} of seed {seed}: {damage.__name__}"
        assert again == "error" or read_results(results).equals(expected), where
        shutil.rmtree(results)
        shutil.rmtree(page, ignore_errors=True)
    return count


def _outcome(*arguments: object) -> str:
    found = CliRunner().invoke(app, [str(each) for each in arguments])
    if isinstance(found.exception, TeamsimError):
        return "error"
    assert found.exit_code == 0, (arguments, found.output, found.exception)
    return "results"
