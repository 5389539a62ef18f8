"""Reads scenarios: from files, from text, and from mappings of programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simulator.errors import Problem, ScenarioError, TeamsimError, what_is
from simulator.scenario.agent import Agent
from simulator.scenario.deprecated import carry_over, set_field
from simulator.scenario.plain import plain
from simulator.scenario.schema import Scenario
from simulator.scenario.shipped import scenario_path
from simulator.scenario.source import Source
from simulator.scenario.study import Study
from simulator.spec import fields_by_key

Settings = Sequence[str] | Mapping[str, object]
"""``path=value`` with the value in YAML, as on the command line; or values by dotted path."""


def load_study(path: str | Path, settings: Settings = ()) -> Study:
    """Read a scenario file and apply settings to it.

    Parameters
    ----------
    path : str or Path
        A YAML file, or the name of a scenario that ships where there is no such file.
    settings : sequence of str, or mapping of str to object
        ``dotted.path=value`` with the value in YAML, as given by ``--set``; or values by dotted
        path.

    Raises
    ------
    ScenarioError
        If the file cannot be read or a setting cannot be applied. Wrong fields are found
        when `Study.base` or `Study.points` is asked for.
    """
    if not isinstance(path, (str, Path)):
        raise TeamsimError(f"a scenario file is named by a text or a path; found {what_is(path)}")
    if not str(path).strip():
        raise TeamsimError("a scenario file is named by a text or a path; the text is empty")
    path = scenario_path(Path(path))
    source = Source.read(path)
    _refuse_profile(source, path)
    _refuse_other_files(source, path)
    return _study(source, settings, path.parent)


def _refuse_profile(source: Source, path: Path) -> None:
    """Refuse a file that describes an agent, which ``calibrate`` writes beside its scenarios."""
    said = set(source.data) if isinstance(source.data, dict) else set()
    if not said or not said <= set(Agent.model_fields):
        return
    use = f"name it in one (`team: {{agent: {{profile: {path.name}}}}}`)"
    session = path.with_name(f"{path.stem.removesuffix('-loop')}.session.yaml")
    if session.is_file():
        use += f", or run the scenario of one session of it: {session}"
    message = f"this is a profile, which describes an agent, and no scenario; {use}"
    raise ScenarioError([Problem(str(path), "", message)])


def _refuse_other_files(source: Source, path: Path) -> None:
    """Refuse traces, and what a sweep keeps, by what they are."""
    said = set(source.data) if isinstance(source.data, dict) else set()
    message = ""
    if {"points", "sha256", "teamsim"} <= said:
        message = f"this is kept by a sweep, and no scenario; name its directory: {path.parent}"
    elif said and said.isdisjoint(fields_by_key(Scenario)):
        found = ", ".join(sorted(map(repr, said))[:3])
        message = (
            f"this is no scenario: it has none of the fields of one, but {found[:80]}; traces of "
            "real runs are for teamsim observe"
        )
    if message:
        raise ScenarioError([Problem(str(path), "", message)])


def parse_study(
    text: str, name: str = "<text>", directory: Path = Path(), settings: Settings = ()
) -> Study:
    """Make a study of YAML text; file names in it are relative to `directory`.

    Settings are as those of `load_study`.
    """
    if not isinstance(text, str):
        raise TeamsimError(f"a scenario is parsed from text; found {what_is(text)}")
    source = Source.parse(text, name)
    return _study(source, settings, directory)


def study_of(document: Mapping[Any, Any], settings: Settings = ()) -> Study:
    """Make a study of a mapping that says what a file may say.

    Its values may also be arrays and scalars of numpy and pandas, tuples and paths; names of files
    in it are relative to the working directory. Settings are as those of `load_study`.

    Raises
    ------
    ScenarioError
        If it holds what YAML cannot say.
    """
    said = plain(document, "scenario")
    return _study(Source(said, {(): "scenario"}), settings, Path())


def _study(source: Source, settings: Settings, directory: Path) -> Study:
    carry_over(source)
    is_list = isinstance(settings, Sequence) and not isinstance(settings, (str, bytes))
    if isinstance(settings, Mapping):
        for path, value in settings.items():
            _set(path, value, source)
    elif not is_list or not all(isinstance(each, str) for each in settings):
        raise TeamsimError(
            "settings are texts, as ['team.size=4'], or values by dotted path; found "
            f"{what_is(settings)}"
        )
    else:
        for setting in settings:
            _apply(setting, source)
    return Study(source, directory)


def _set(path: object, value: object, source: Source) -> None:
    if not isinstance(path, str) or not path.strip():
        raise TeamsimError(f"settings are values by dotted path; found {what_is(path)} as a path")
    if isinstance(source.data, dict):
        set_field(source, path.strip(), plain(value, "settings", path), "settings")


_LONGEST_SETTING = 120
"""Longest setting that error messages repeat in full, in characters."""


def _apply(setting: str, source: Source) -> None:
    path, equals, text = setting.partition("=")
    origin = f"--set {setting if len(setting) <= _LONGEST_SETTING else f'{path[:40]}=...'}"
    if not equals or not path.strip():
        raise ScenarioError([Problem(origin, "", "a setting is path=value")])
    try:
        value = Source.parse(text, origin).data if text.strip() else None
    except ScenarioError as error:
        message = error.problems[0].message
        raise ScenarioError([Problem(origin, path, message)]) from None
    if not isinstance(source.data, dict):
        return
    set_field(source, path.strip(), value, origin)
