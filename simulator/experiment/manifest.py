"""The manifest of a directory of results, and how the sweep in it differs from another."""

from __future__ import annotations

import copy
import json
import platform
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulator.documents import DocumentError, digest, read_own, sealed
from simulator.errors import TeamsimError, TeamsimWarning
from simulator.experiment.parts import write_whole
from simulator.scenario import Point, Scenario, Study
from simulator.scenario.roles import drop_lacking
from simulator.scenario.validation_words import words_of
from simulator.spec import is_tag
from simulator.version import __version__

FILE = "manifest.json"
FORMAT = 3
"""Format that is written. Finished sweeps of format 2, without digests, can still be read."""

_READ = (2, FORMAT)
_PACKAGES = ("genai-prices", "simpy", "numpy", "scipy", "pandas", "pyarrow", "pydantic")
_NEEDED = {
    "axes", "complete", "created", "figure", "packages", "points", "python", "question",
    "scenario_name", "seed", "sha256", "teamsim",
}  # fmt: skip

Manifest = dict[str, Any]


class DamagedManifest(TeamsimError):
    """A manifest file that cannot be read as one."""


def manifest_of(study: Study) -> Manifest:
    """Return the manifest of a study that has no results yet."""
    first = study.points[0].scenario
    points = [_described(point, study.points) for point in study.points]
    return {
        "format": FORMAT,
        "complete": False,
        "sha256": digest([FORMAT, __version__, study.axes, *map(_identity, points)]),
        "scenario_name": first.name,
        "question": first.question,
        "figure": first.figure.model_dump(mode="json") if first.figure else None,
        "seed": first.seed,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "teamsim": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "axes": study.axes,
        "points": points,
    }


def _described(point: Point, points: Sequence[Point]) -> dict[str, Any]:
    scenario = point.scenario.model_dump(mode="json")
    baseline = None if point.baseline is None else points[point.baseline].name
    return {
        "index": point.index,
        "name": point.name,
        "series": point.series,
        "overrides": point.overrides,
        "baseline_point": point.baseline,
        "sha256": digest([point.name, point.overrides, baseline, _matters(scenario)]),
        "scenario": scenario,
    }


def _matters(scenario: dict[str, Any]) -> dict[str, Any]:
    """Return the fields on which a replication depends: not their number, nor descriptions."""
    leaves = {"question", "answer", "assumptions", "figure", "replications", "expect"}
    return {key: value for key, value in scenario.items() if key not in leaves}


def _identity(point: dict[str, Any]) -> list[Any]:
    names = "sha256", "series", "baseline_point"
    return [*(point[name] for name in names), point["scenario"]["replications"]]


def read_manifest(directory: str | Path) -> Manifest:
    """Return the manifest in a sweep's directory.

    Raises
    ------
    TeamsimError
        If it holds no sweep, or one of a format that this version does not read.
    DamagedManifest
        If the manifest is damaged.
    """
    path = Path(directory) / FILE
    if not path.exists():
        where = Path(directory)
        why = "there is no such directory"
        if where.exists():
            why = f"no {FILE}" if where.is_dir() else "it is a file: give its directory"
            if where.suffix in (".yaml", ".yml"):
                why = f"it is a file; to make one: teamsim sweep {where} --out DIRECTORY"
        raise TeamsimError(f"{directory} holds no sweep ({why})")
    try:
        found = read_own(path)
    except DocumentError:
        found = {}
    if "format" not in found:
        raise DamagedManifest(
            f"{path} is not a sweep's manifest, or it is damaged: the command that made the sweep "
            "makes it anew"
        )
    if found["format"] not in _READ:
        raise TeamsimError(
            f"{directory} is of format {found['format']} (teamsim {found.get('teamsim')}); this "
            f"is teamsim {__version__}, which reads the formats {' and '.join(map(str, _READ))}"
        )
    seal = found.pop("seal", None)
    if not found.keys() >= _NEEDED or (found["format"] > 2 and seal != digest(found)):
        raise DamagedManifest(
            f"{path} is damaged or was changed: the command that made the sweep makes it anew"
        )
    return found


def study_in(directory: str | Path) -> Study:
    """Return the study that made the results in a directory, so that it can be run again.

    Raises
    ------
    TeamsimError
        If the directory holds no sweep, or this version does not take its scenarios.
    """
    manifest = read_manifest(directory)
    if manifest["teamsim"] != __version__:
        warnings.warn(
            f"{directory} is of teamsim {manifest['teamsim']}; this is {__version__}, and its "
            "results may differ",
            TeamsimWarning,
            stacklevel=2,
        )
    return Study.of_points([point_of(said) for said in manifest["points"]])


def point_of(said: dict[str, Any]) -> Point:
    """Return a point of a manifest. Raises what `scenario_of` raises."""
    return Point(
        said["index"],
        said["name"],
        said["overrides"],
        said["baseline_point"],
        said.get("series", ""),
        scenario_of(said),
    )


def scenario_of(point: dict[str, Any]) -> Scenario:
    """Return the scenario of a manifest's point, which an earlier version may have written.

    Raises
    ------
    TeamsimError
        If this version does not take the scenario.
    """
    scenario = copy.deepcopy(point["scenario"])
    drop_lacking(scenario)
    try:
        return Scenario.model_validate(scenario)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"] if not is_tag(step))
        raise TeamsimError(
            f"the results are of another version, and teamsim {__version__} does not take the "
            f"scenario of {point['name']!r}: {where}: {words_of(first)}; "
            "run the sweep again from its scenario file"
        ) from None


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write a manifest with its digest, by which `read_manifest` checks that it is whole."""
    text = json.dumps(sealed(manifest), indent=2) + "\n"
    write_whole(directory / FILE, text.encode())


def places_in(new: Manifest, old: Manifest, directory: Path) -> list[int]:
    """Return the places, in a larger sweep, of the points of an older one.

    Parameters
    ----------
    new, old : Manifest
    directory : Path
        Where the older sweep is, for messages.

    Returns
    -------
    list of int, shape (points of old,)
        Indices of points of `new`, each with at least as many replications.

    Raises
    ------
    TeamsimError
        If it is another sweep; the message names what has changed.
    """
    difference = _difference(new, old)
    if difference is not None:
        raise TeamsimError(
            f"{directory} holds results of another sweep (scenario {old['scenario_name']!r}): "
            f"{difference}; give another --out, or remove the directory"
        )
    where = {key: i for i, key in enumerate(_keys(new))}
    return [where[key] for key in _keys(old)]


def _keys(manifest: Manifest) -> Iterator[tuple[str, int]]:
    """Yield a key of each point: its name, and its number among the points of that name."""
    seen: Counter[str] = Counter()
    for point in manifest["points"]:
        yield point["name"], seen[point["name"]]
        seen[point["name"]] += 1


def _difference(new: Manifest, old: Manifest) -> str | None:
    """Return why a sweep is no extension of an older one, if it is none."""
    if old["teamsim"] != new["teamsim"]:
        return f"they are of teamsim {old['teamsim']}, this is {new['teamsim']}"
    if old["format"] != FORMAT:
        return f"they are of format {old['format']}, which can be read but not gone on with"
    points = dict(zip(_keys(new), new["points"], strict=True))
    shared = [(each, points[key]) for key, each in zip(_keys(old), old["points"], strict=True)
              if key in points]  # fmt: skip
    for before, after in shared:
        changed = _changed_field(before, after)
        if changed is not None:
            return f"at point {after['name']!r}, {changed}"
    missing = [each["name"] for key, each in zip(_keys(old), old["points"], strict=True)
               if key not in points]  # fmt: skip
    if missing:
        return f"{len(missing)} of its points are not in this one, the first is {missing[0]!r}"
    precision = new["points"][0]["scenario"]["precision"]
    if new["sha256"] != old["sha256"] and precision and precision["budget"] is not None:
        return "precision.budget would have been shared out otherwise between these points"
    return None


def _changed_field(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    had, has = (each["scenario"]["replications"] for each in (before, after))
    if has < had:
        return f"replications was {had} and is {has}: there may be more, not fewer"
    if before["sha256"] == after["sha256"]:
        return None
    pairs = _leaves(_matters(before["scenario"])), _leaves(_matters(after["scenario"]))
    for path in {**pairs[0], **pairs[1]}:
        was, now = (leaves.get(path, "absent") for leaves in pairs)
        if was != now:
            return f"{path} was {was} and is {now}"
    return "its baseline or what it overrides has changed"


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Return the scalars in a document by their dotted paths."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    if not items:
        return {path: value}
    found: dict[str, Any] = {}
    for key, inner in items:
        found |= _leaves(inner, f"{path}.{key}" if path else str(key))
    return found
