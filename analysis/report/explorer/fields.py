"""The fields of a scenario that the explorer can move, as the schema describes them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from simulator.errors import ScenarioError, TeamsimError, unknown_name
from simulator.scenario import REGISTRIES, Scenario, scenario_json_schema
from simulator.scenario.source import Source

DRAWN_AGAINST = "team.size"

LEFT_OUT = frozenset(
    {
        "name", "question", "answer", "assumptions", "sweep", "baseline", "figure", "expect",
        "precision", "replications", DRAWN_AGAINST,
    }
)  # fmt: skip
"""Fields of the experiment rather than of the team, and that which the curves are drawn against."""

_FAMILIES = {each.definition: each for each in REGISTRIES}

_UNITS = {
    "_per_mtok": "US dollars for a million tokens",
    "_usd": "US dollars",
    "_tokens": "tokens",
    "_s": "seconds",
}
"""Units, by the ends of names."""

_IN_UNITS_OF_DRAWS = frozenset(
    {
        "value",
        "median",
        "mean",
        "high",
        "low",
        "minimum",
        "scale",
        "sd",
        "shift",
        "at_least",
        "at_most",
    }
)
"""Parameters of distributions that have the unit of what is drawn."""

_MOST_ABSENT = 1
"""How many mappings that a scenario leaves out a field may be within."""

_LONGEST_TEXT = 2_000


@dataclass(frozen=True)
class Field:
    """A field that can be moved.

    Attributes
    ----------
    path : str
        Its dotted path.
    description : str
        What it means.
    form : {'number', 'yes or no', 'choice', 'text'}
        What is asked for; a text is YAML, as ``--set`` takes it.
    now : object
        Its value in the scenario that is explored.
    choices : tuple of str
        The names of which a choice is one.
    low, high : float
        Ends of a number, infinite where there is none.
    is_open : bool
        Whether the lower end itself is not allowed.
    is_whole : bool
        Whether the number is a whole one.
    is_optional : bool
        Whether it may be left out (null).
    """

    path: str
    description: str
    form: Literal["number", "yes or no", "choice", "text"]
    now: Any
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    is_open: bool = False
    is_whole: bool = False
    is_optional: bool = False

    @property
    def unit(self) -> str:
        """The unit, by the field's name; empty where it has none."""
        name = self.path.rpartition(".")[2]
        named = next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")
        if not named and name in _IN_UNITS_OF_DRAWS:
            above = self.path.rpartition(".")[0].rpartition(".")[2]
            named = next((unit for end, unit in _UNITS.items() if above.endswith(end)), "")
        return named

    @property
    def allowed(self) -> str:
        """What it may be, in words."""
        none = " or none" if self.is_optional else ""
        if self.form == "choice":
            return f"one of {', '.join(self.choices)}{none}"
        if self.form == "yes or no":
            return f"yes or no{none}"
        if self.form == "text":
            return "YAML, as in a scenario file"
        kind = "a whole number" if self.is_whole else "a number"
        low, high = f"{self.low:,.12g}", f"{self.high:,.12g}"
        if math.isfinite(self.low) and math.isfinite(self.high):
            ends = f" above {low}, up to {high}" if self.is_open else f" from {low} to {high}"
        elif math.isfinite(self.low):
            ends = f" above {low}" if self.is_open else f" of {low} or more"
        else:
            ends = ""
        return f"{kind}{ends}{none}"

    def checked(self, value: Any) -> Any:
        """Return a value that a control holds as one for the scenario.

        Raises
        ------
        TeamsimError
            If it cannot be one. The scenario says what else may be wrong with it.
        """
        if self.form == "text":
            return self._read(value)
        if value in (None, "", "none") and (self.is_optional or self.now is None):
            return None
        if self.form == "number" and _is_number(value):
            is_whole = self.is_whole and float(value).is_integer()
            return int(value) if is_whole else value
        if self.form == "yes or no" and isinstance(value, bool):
            return value
        if self.form == "choice" and isinstance(value, str):
            if value in self.choices:
                return value
            raise TeamsimError(unknown_name(self.path, value[:40], self.choices))
        raise TeamsimError(f"{self.path}: {self.allowed} is expected")

    def _read(self, value: Any) -> Any:
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise TeamsimError(
                f"{self.path}: a text is expected, of at most {_LONGEST_TEXT:,} characters"
            )
        if not value.strip():
            return None
        return read(value, self.path)

    def shown(self, value: Any) -> Any:
        """Return a value as a control holds it."""
        if self.form == "text":
            return written(value)
        return "none" if value is None and self.form == "choice" else value


def written(value: Any) -> str:
    """Return a value as YAML in one line."""
    said = yaml.safe_dump(value, default_flow_style=True, width=math.inf, sort_keys=False)
    return str(said).removesuffix("\n").removesuffix("\n...")


def read(text: str, path: str) -> Any:
    """Return the value that a text in YAML stands for.

    Raises
    ------
    TeamsimError
        If it is no YAML, or beyond the limits of what a file may hold.
    """
    try:
        return Source.parse(text, path).data
    except ScenarioError as error:
        raise TeamsimError(f"{path}: {error.problems[0].message}") from None


def fields_of(scenario: Scenario) -> dict[str, Field]:
    """Return the fields that can be moved in a scenario, by their paths, in the order of a file.

    These are those that it has, those that it leaves out, and the parts of what it names: tools,
    stations, plugins, distributions.
    """
    schema = scenario_json_schema()
    said = scenario.model_dump(mode="json", by_alias=True)
    found = _Walk(schema["$defs"]).within("", schema, said, 0)
    return {field.path: field for field in found if field.path not in LEFT_OUT}


def found_by(words: str, fields: Mapping[str, Field], most: int) -> list[Field]:
    """Return the fields whose path or description has all of some words, best first.

    Those come first that have the words in the last part of their path, then anywhere in it.
    """
    asked = words.lower().split()
    ranked = []
    for place, field in enumerate(fields.values()):
        path = field.path.lower()
        last = path.rpartition(".")[2]
        if asked and all(each in path or each in field.description.lower() for each in asked):
            misses = sum(2 * (each not in path) + (each not in last) for each in asked)
            ranked.append((misses, path.count("."), place, field))
    return [field for *_, field in sorted(ranked, key=lambda each: each[:3])][:most]


def nearest_to(path: str, fields: Mapping[str, Field]) -> list[str]:
    """Return the paths that are most alike to one that there is not."""
    return difflib.get_close_matches(path, list(fields), n=5, cutoff=0.3)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


@dataclass(frozen=True)
class _Walk:
    """Walks schema and scenario side by side; `definitions` are those of the schema."""

    definitions: Mapping[str, Any]

    def within(
        self, path: str, mapping: Mapping[str, Any], said: Any, absent: int
    ) -> Iterator[Field]:
        """Yield the fields of a mapping; `absent` counts the mappings around it that are not."""
        for name, node in mapping["properties"].items():
            where = f"{path}.{name}" if path else name
            if "const" in node or node.get("deprecated") or where in LEFT_OUT:
                continue
            now = said.get(name) if isinstance(said, dict) else node.get("default")
            text = node.get("description") or self._description(node)
            yield from self.of(where, node, now, " ".join(text.split()), absent)

    def of(self, path: str, node: Any, now: Any, text: str, absent: int) -> Iterator[Field]:
        """Yield a field, and those within it."""
        kinds = list(self._kinds(node))
        is_optional = any(kind.get("type") == "null" for kind in kinds)
        family = next((each for each in self._names(node) if each in _FAMILIES), None)
        mappings = [kind for kind in kinds if "properties" in kind]
        others = [kind for kind in kinds if "properties" not in kind and kind.get("type") != "null"]
        if family is not None and not _FAMILIES[family].takes_numbers:
            names = tuple(_FAMILIES[family].names())
            named = now["kind"] if isinstance(now, dict) else now
            yield Field(path, text, "choice", named, names, is_optional=is_optional)
        elif mappings:
            is_short = len(written(now)) <= _LONGEST_TEXT
            if (is_optional or others) and is_short:
                yield Field(path, text, "text", now, is_optional=is_optional)
        else:
            yield self._plain(path, text, others, now, is_optional)
        if mappings:
            below = absent + (now is None)
            is_there = isinstance(now, dict) and not absent
            if is_there if family else below <= _MOST_ABSENT:
                yield from self.within(path, _suiting(mappings, now), now, below)
            return
        for kind in others:
            yield from self._items(path, kind, now, text, absent)

    def _items(self, path: str, kind: Any, now: Any, text: str, absent: int) -> Iterator[Field]:
        """Yield the fields of what is in a list, or has a name."""
        inner = kind.get("additionalProperties") or kind.get("items")
        if not isinstance(inner, dict):
            return
        each = now.items() if isinstance(now, dict) else enumerate(now or ())
        for name, value in each:
            if isinstance(value, dict) and "." not in str(name):
                yield from self.of(f"{path}.{name}", inner, value, text, absent)

    def _plain(
        self, path: str, text: str, kinds: Sequence[Any], now: Any, is_optional: bool
    ) -> Field:
        """Return a field that has none within it."""
        if len(kinds) == 1:
            (kind,) = kinds
            if "enum" in kind:
                names = tuple(str(name) for name in kind["enum"])
                return Field(path, text, "choice", now, names, is_optional=is_optional)
            if kind.get("type") == "boolean":
                return Field(path, text, "yes or no", now, is_optional=is_optional)
            if kind.get("type") in ("number", "integer"):
                is_open = "exclusiveMinimum" in kind
                return Field(
                    path, text, "number", now,
                    low=kind.get("minimum", kind.get("exclusiveMinimum", -math.inf)),
                    high=kind.get("maximum", kind.get("exclusiveMaximum", math.inf)),
                    is_open=is_open,
                    is_whole=kind["type"] == "integer",
                    is_optional=is_optional,
                )  # fmt: skip
        return Field(path, text, "text", now, is_optional=is_optional)

    def _kinds(self, node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield what a field may be, references and alternatives resolved."""
        if "$ref" in node:
            yield from self._kinds(self.definitions[node["$ref"].rpartition("/")[2]])
        elif "anyOf" in node or "oneOf" in node:
            for each in (*node.get("anyOf", ()), *node.get("oneOf", ())):
                yield from self._kinds(each)
        else:
            yield node

    def _names(self, node: Mapping[str, Any]) -> Iterator[str]:
        """Yield the names of the definitions that a field refers to."""
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for each in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            yield from self._names(each)

    def _description(self, node: Mapping[str, Any]) -> str:
        """Return what is said of the kind of a field that says nothing of itself."""
        texts = (self.definitions[name].get("description", "") for name in self._names(node))
        return next(filter(None, texts), "").split("\n\n")[0]


def _suiting(mappings: Sequence[Mapping[str, Any]], now: Any) -> Mapping[str, Any]:
    """Return the kind of mapping that a value is: of its ``kind``, or with all of its fields."""
    if isinstance(now, dict):
        for each in mappings:
            properties = each["properties"]
            kind = properties.get("kind", {}).get("const")
            if now.get("kind") == kind and now.keys() <= properties.keys():
                return each
    return mappings[0]
