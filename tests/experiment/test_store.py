"""The data set has only whole files, excludes other data, and can be read by the usual tools."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest

from simulator.errors import TeamsimError
from simulator.experiment import pacing, read_manifest, read_results, run_sweep
from simulator.scenario import parse_study
from tests.experiment.conftest import LONG, SHORT, parts, wait_for_parts

STUDY = parse_study(SHORT)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "TARGET_S", 0.025)


def test_pandas_duckdb_and_polars_read_it_as_it_stands(tmp_path: Path) -> None:
    table = run_sweep(STUDY, tmp_path / "out").to_pandas()
    results = tmp_path / "out" / "results"
    assert len(parts(tmp_path / "out")) > 1
    pd.testing.assert_frame_equal(pd.read_parquet(results), table)
    by_size = table.groupby("team.size")["makespan_s"].mean()
    asked = 'select "team.size" n, avg(makespan_s) m from read_parquet(?) group by n order by n'
    found = duckdb.execute(asked, [str(results / "*.parquet")]).df()
    assert found["m"].to_numpy() == pytest.approx(by_size.to_numpy(), rel=1e-12)
    frame = pl.scan_parquet(results / "*.parquet").select(pl.len()).collect()
    assert frame.item() == len(table)


@pytest.mark.slow
def test_a_torn_file_of_a_killed_process_is_cleared_away(tmp_path: Path) -> None:
    whole = run_sweep(STUDY, tmp_path / "out")
    results = tmp_path / "out" / "results"
    torn = results / ".part-0000000000-0000000060.parquet.tmp"
    torn.write_bytes(b"PAR1 and no more")
    pd.read_parquet(results)  # readers pass over it
    assert run_sweep(STUDY, tmp_path / "out").equals(whole)
    assert not torn.exists()


@pytest.mark.slow
def test_a_part_that_is_lost_is_made_again(tmp_path: Path) -> None:
    whole = run_sweep(STUDY, tmp_path / "out")
    parts(tmp_path / "out")[1].unlink()
    with pytest.raises(TeamsimError, match="not finished"):
        read_results(tmp_path / "out")
    assert run_sweep(STUDY, tmp_path / "out").equals(whole)


def test_two_processes_are_kept_apart(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    first = start(tmp_path / "out", "-w", "1")
    wait_for_parts(tmp_path / "out", first)
    with pytest.raises(TeamsimError, match="another process is at work"):
        run_sweep(parse_study(LONG), tmp_path / "out")
    first.kill()
    first.wait()
    with pytest.raises(KeyboardInterrupt):  # the lock died with its holder, and it goes on
        run_sweep(parse_study(LONG), tmp_path / "out", progress=stop)


def test_a_changed_point_is_named(tmp_path: Path) -> None:
    run_sweep(STUDY, tmp_path / "out")
    other = parse_study(SHORT.replace("8, 16", "8, 12"))
    with pytest.raises(TeamsimError, match=r"1 of its points are not in .*'team.size=16'"):
        run_sweep(other, tmp_path / "out")
    fewer = parse_study(SHORT.replace(", 16", ""))
    with pytest.raises(TeamsimError, match=r"1 of its points are not in .*'team.size=16'"):
        run_sweep(fewer, tmp_path / "out")
    hashes = [point["sha256"] for point in read_manifest(tmp_path / "out")["points"]]
    assert len(set(hashes)) == 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return the mount point of a file system of 300 kB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(path)]
    if (
        sys.platform != "linux"
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to mount a small tmpfs")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    out = small_disk / "out"
    with pytest.raises(TeamsimError, match=r"No space left on device.*the same command goes on"):
        run_sweep(STUDY, out)
    kept = {path: path.read_bytes() for path in parts(out)}
    assert kept
    assert not list(out.rglob("*.tmp"))
    with pytest.raises(TeamsimError, match="not finished"):
        read_results(out)
    subprocess.run(["mount", "-o", "remount,size=10m", str(small_disk)], check=True)
    assert run_sweep(STUDY, out).equals(run_sweep(STUDY))
    assert all(path.read_bytes() == content for path, content in kept.items())
