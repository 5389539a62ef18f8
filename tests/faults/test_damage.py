"""The sweep makes damaged results anew; commands that read them refuse them by name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulator.errors import TeamsimError, TeamsimWarning
from simulator.experiment import (
    extension,
    pacing,
    read_manifest,
    read_results,
    run_sweep,
)
from simulator.scenario import Study, parse_study
from tests.experiment.test_sweeps import TEXT
from tests.faults.conftest import parts


def study(**fields: str) -> Study:
    text = TEXT
    for old, new in fields.items():
        assert old in text
        text = text.replace(old, new)
    return parse_study(text)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "TARGET_S", 0.03)


@pytest.fixture(scope="module")
def whole() -> pa.Table:
    return run_sweep(study())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pacing, "TARGET_S", 0.03)
        run_sweep(study(), out)
    assert len(parts(out)) > 3
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """Return a directory of a finished sweep, to be damaged."""
    return shutil.copytree(made, tmp_path / "out")


def _change_numbers(part: Path, other: Path) -> None:
    table = pq.read_table(part)
    at = table.column_names.index("makespan_s")
    longer = pa.array(table["makespan_s"].to_numpy() + 1.0)
    pq.write_table(table.set_column(at, "makespan_s", longer), part)


def _flip_a_bit(part: Path, other: Path) -> None:
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "truncated": lambda part, other: part.write_bytes(part.read_bytes()[:-100]),
    "empty": lambda part, other: part.write_bytes(b""),
    "garbage": lambda part, other: part.write_bytes(b"PAR1 and more"),
    "one bit": _flip_a_bit,
    "other numbers": _change_numbers,
    "another part": lambda part, other: shutil.copy(other, part),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_named_and_made_anew(damage: str, out: Path, whole: pa.Table) -> None:
    part, other = parts(out)[1:3]
    DAMAGES[damage](part, other)
    with pytest.raises(TeamsimError, match=rf"{part.name}.*run the sweep's command again"):
        read_results(out, ["success"])
    untouched = {path: path.stat().st_mtime_ns for path in parts(out) if path != part}
    with pytest.warns(TeamsimWarning, match=part.name):
        assert run_sweep(study(), out).equals(whole)
    assert read_results(out).equals(whole)
    assert {path: path.stat().st_mtime_ns for path in untouched} == untouched


@pytest.mark.parametrize("target", ["/dev/zero", "/nowhere"])
def test_what_is_no_file_is_no_part(target: str, out: Path, whole: pa.Table) -> None:
    part = parts(out)[1]
    part.unlink()
    part.symlink_to(target)
    with pytest.warns(TeamsimWarning, match=part.name), pytest.raises(TeamsimError, match="again"):
        read_results(out)
    with pytest.warns(TeamsimWarning, match=f"{part.name} is no part of the sweep"):
        assert run_sweep(study(), out).equals(whole)


def test_a_directory_in_the_place_of_a_part_is_left_alone(out: Path) -> None:
    part = parts(out)[1]
    part.unlink()
    (part / "mine").mkdir(parents=True)
    with pytest.warns(TeamsimWarning, match=part.name), pytest.raises(TeamsimError, match="again"):
        read_results(out)
    with pytest.warns(TeamsimWarning, match="left as it is"), suppress(TeamsimError):
        run_sweep(study(), out)  # an error if the same span is made anew, as that has this name
    assert (part / "mine").is_dir()


def test_a_part_that_overlaps_others_is_named(
    out: Path, whole: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What another machine has made of the same sweep, cut otherwise.
    monkeypatch.setattr(pacing, "TARGET_S", 0.06)
    run_sweep(study(), tmp_path / "elsewhere")
    there = {path.name for path in parts(out)}
    more = next(path for path in parts(tmp_path / "elsewhere")[1:] if path.name not in there)
    shutil.copy(more, out / "results")
    with pytest.raises(TeamsimError, match="overlaps part-"):
        read_results(out)
    with pytest.warns(TeamsimWarning, match="overlaps"):
        assert run_sweep(study(), out).equals(whole)


@pytest.mark.slow
def test_a_part_of_another_sweep_is_found_out(out: Path, whole: pa.Table, tmp_path: Path) -> None:
    run_sweep(study(**{"seed: 3": "seed: 4"}), tmp_path / "elsewhere")
    for path in parts(out):
        path.unlink()
    shutil.copytree(tmp_path / "elsewhere" / "results", out / "results", dirs_exist_ok=True)
    with pytest.raises(TeamsimError, match="does not hold what was written"):
        read_results(out)
    with pytest.warns(TeamsimWarning, match="does not hold what was written"):
        assert run_sweep(study(), out).equals(whole)


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "part-mine.parquet", "part-1-2.parquet", "part-0000000000-0000000030.parquet"],
)
def test_a_file_of_somebody_is_neither_read_nor_removed(
    name: str, out: Path, whole: pa.Table
) -> None:
    stray = out / "results" / name
    stray.write_bytes(b"years of work")
    if name.endswith(".parquet"):
        with pytest.warns(TeamsimWarning, match="is no part of the sweep"):
            assert read_results(out).equals(whole)
        with pytest.warns(TeamsimWarning, match="left as it is"):
            assert run_sweep(study(), out).equals(whole)
    else:
        assert read_results(out).equals(whole)
        assert run_sweep(study(), out).equals(whole)
    assert stray.read_bytes() == b"years of work"


MANIFESTS: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "deep": lambda text: "[" * 100_000,
    "no mapping": lambda text: "[1, 2]",
    "a field lost": lambda text: text.replace('"axes"', '"axis"'),
    "a number changed": lambda text: text.replace('"replications": 150', '"replications": 140'),
    "a scenario changed": lambda text: text.replace('"median": 5.0', '"median": 6.0', 1),
}


@pytest.mark.parametrize("damage", MANIFESTS)
def test_a_damaged_manifest_is_rebuilt_from_the_parts(
    damage: str, out: Path, whole: pa.Table
) -> None:
    path = out / "manifest.json"
    before = path.read_text()
    path.write_text(MANIFESTS[damage](before))
    assert path.read_text() != before
    kept = {each: each.stat().st_mtime_ns for each in parts(out)}
    with pytest.raises(TeamsimError, match="makes it anew"):
        read_results(out)
    with pytest.warns(TeamsimWarning, match=r"manifest\.json is made anew"):
        assert run_sweep(study(), out).equals(whole)
    assert {each: each.stat().st_mtime_ns for each in parts(out)} == kept
    path.unlink()
    with pytest.warns(TeamsimWarning, match=r"manifest\.json is made anew"):
        assert run_sweep(study(), out).equals(whole)


def test_a_damaged_manifest_of_another_sweep_is_refused(out: Path) -> None:
    (out / "manifest.json").write_text("{")
    with pytest.raises(TeamsimError, match="nothing beside it is of this sweep"):
        run_sweep(study(**{"seed: 3": "seed: 4"}), out)


EXTENSIONS = {
    "replications": {"replications: 30": "replications: 47"},
    "a point between": {"team.size: [1, 3]": "team.size: [1, 2, 3]"},
    "points before": {"team.size: [1, 3]": "team.size: [4, 1, 3]"},
    "another kind of values": {"centralised]": "centralised, {kind: ring}]"},
    "an axis of other numbers": {
        "topology: [decentralised, centralised]": "topology: [decentralised, centralised, ring]",
        "team.size: [1, 3]": "team.size: [3, 1]",
    },
    "both": {"replications: 30": "replications: 31", "team.size: [1, 3]": "team.size: [3, 5, 1]"},
}


@cache
def at_once(name: str) -> pa.Table:
    return run_sweep(study(**EXTENSIONS[name]))


@pytest.mark.parametrize(
    "name",
    [name if name == "both" else pytest.param(name, marks=pytest.mark.slow) for name in EXTENSIONS],
)
def test_more_of_the_same_extends_a_sweep(name: str, out: Path) -> None:
    larger = study(**EXTENSIONS[name])
    seen: list[int] = []
    extended = run_sweep(larger, out, progress=lambda done, total: seen.append(done))
    assert extended.equals(at_once(name))
    assert seen[0] == 150  # what was there is kept
    assert not list(out.glob(".extended*"))
    assert read_results(out).equals(at_once(name))
    with pytest.raises(TeamsimError, match="holds results of another sweep"):
        run_sweep(study(), out)


@pytest.mark.slow
def test_a_sweep_that_stopped_is_extended_too(out: Path) -> None:
    larger = study(**EXTENSIONS["both"])
    for path in parts(out)[1::2]:
        path.unlink()
    assert run_sweep(larger, out).equals(at_once("both"))


@pytest.mark.thorough
def test_a_precise_sweep_is_extended(tmp_path: Path) -> None:
    def precise(most: int) -> Study:
        text = f"replications: {most}\nprecision: {{relative: 0.06, minimum: 10, events: 0}}"
        return study(**{"replications: 30": text})

    few = run_sweep(precise(20), tmp_path / "out")
    many = run_sweep(precise(120), tmp_path / "out")
    assert few.num_rows < many.num_rows < 5 * 120  # not all of them take all
    assert many.equals(run_sweep(precise(120)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seed: 3": "seed: 4"}, "at point .*, seed was 3 and is 4"),
        ({"median: 5": "median: 6"}, r"team\.agent\.latency\.base\.median was 5\.0 and is 6\.0"),
        ({"replications: 30": "replications: 29"}, "replications was 30 and is 29"),
        ({"team.size: [1, 3]": "team.size: [1, 2]"}, "2 of its points are not in this one"),
        ({"topology: single}": "topology: ring}"}, "not in this one|has changed"),
        (
            {"replications: 30": "replications: 30\nprecision: {relative: 0.1}"},
            "precision was None and is absent|precision.metric was absent and is makespan_s",
        ),
    ],
)
def test_any_other_change_is_refused_by_name(
    fields: dict[str, str], message: str, out: Path, whole: pa.Table
) -> None:
    with pytest.raises(TeamsimError, match=message):
        run_sweep(study(**fields), out)
    assert read_results(out).equals(whole)


def test_what_shares_out_a_budget_is_not_extended(tmp_path: Path) -> None:
    text = "replications: {}\nprecision: {{relative: 0.001, minimum: 10, budget: 100}}"
    few, more = (study(**{"replications: 30": text.format(most)}) for most in (30, 60))
    run_sweep(few, tmp_path / "out")
    with pytest.raises(TeamsimError, match=r"precision\.budget would have been shared out"):
        run_sweep(more, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("step", range(4))
def test_an_extension_that_is_killed_is_gone_on_with(
    step: int, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    larger = study(**EXTENSIONS["both"])
    steps = [0]
    replace, write = os.replace, extension.write_part

    def killed(then: Callable[..., object]) -> Callable[..., object]:
        def dies(*what: object) -> object:
            if steps[0] == step:
                raise KeyboardInterrupt
            steps[0] += then is replace
            return then(*what)

        return dies

    with monkeypatch.context() as patch:
        patch.setattr(extension, "write_part", killed(write))
        patch.setattr(extension, "os", SimpleNamespace(replace=killed(replace)))
        if step < 3:
            with pytest.raises(KeyboardInterrupt):
                run_sweep(larger, out)
    seen: list[int] = []
    found = run_sweep(larger, out, progress=lambda done, total: seen.append(done))
    assert found.equals(at_once("both"))
    assert seen[0] >= 150


OLD = Path(__file__).parent / "format_2"


def test_finished_results_of_the_format_before_are_read(tmp_path: Path) -> None:
    table = read_results(OLD)
    assert table.num_rows == 6
    assert read_manifest(OLD)["format"] == 2
    shutil.copytree(OLD, tmp_path / "old")
    text = (OLD / "scenario.yaml").read_text()
    with pytest.raises(TeamsimError, match="of format 2, which can be read but not gone on with"):
        run_sweep(parse_study(text), tmp_path / "old")
    assert read_results(tmp_path / "old").equals(table)
    (part,) = parts(tmp_path / "old")
    part.write_bytes(b"PAR1")
    with pytest.raises(TeamsimError, match=f"{part.name} cannot be read"):
        read_results(tmp_path / "old")


def test_a_format_that_is_not_known_is_refused_by_name(out: Path) -> None:
    path = out / "manifest.json"
    said = json.loads(path.read_text()) | {"format": 7, "teamsim": "9.1"}
    path.write_text(json.dumps(said))
    for use in (read_results, lambda there: run_sweep(study(), there)):
        with pytest.raises(TeamsimError, match=r"is of format 7 \(teamsim 9\.1\)"):
            use(out)


def _mounted(path: Path, *options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(path)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture
def read_only(out: Path, tmp_path: Path) -> Iterator[Path]:
    """Return a finished sweep on a file system that cannot be written."""
    path = tmp_path / "disk"
    path.mkdir()
    if not _mounted(path, "size=10m"):
        pytest.skip("needs the right to mount a small tmpfs")
    shutil.copytree(out, path / "out")
    subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
    yield path / "out"
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.slow
def test_a_finished_sweep_on_a_read_only_disk_is_read(
    read_only: Path, whole: pa.Table, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert read_results(read_only).equals(whole)
    with pytest.raises(TeamsimError, match="cannot be written: Read-only file system"):
        run_sweep(study(), read_only)
    from simulator.cli.main import main

    for command, code in (
        (["plot", read_only], 2),
        (["plot", read_only, "--out", tmp_path / "drawn"], 0),
        (["report", read_only, "--out", tmp_path / "report.html", "--stacks", "1"], 0),
    ):
        monkeypatch.setattr("sys.argv", ["teamsim", *map(str, command)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
        said = capsys.readouterr().err
        assert bool(code) == bool(re.search("error: .*Read-only file system", said)), said


def test_a_directory_that_is_removed_while_the_sweep_runs(tmp_path: Path) -> None:
    def remove(done: int, total: int) -> None:
        if done > 30:
            shutil.rmtree(tmp_path / "out", ignore_errors=True)

    with pytest.raises(TeamsimError, match="was removed while the sweep ran"):
        run_sweep(study(), tmp_path / "out", progress=remove)


@pytest.mark.slow
def test_a_clock_that_is_set_back_changes_nothing(
    tmp_path: Path, whole: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(10**9, 0, -3600))
    monkeypatch.setattr("time.time", lambda: float(next(times)))
    assert run_sweep(study(), tmp_path / "out", workers=2).equals(whole)
