"""Scenarios that nobody wrote: each is one of the golden corpus with sections of others."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any
from unittest.mock import patch

import yaml

from simulator.errors import TeamsimError
from simulator.scenario import Scenario, parse_study
from tests.golden import corpus

_SECTIONS = (
    "topology",
    "coordination",
    "workload",
    "workspace",
    "resilience",
    "provider",
    "network",
    "stations",
)
_AGENT = ("latency", "context", "tokens", "behaviour", "errors", "loop", "tools", "drift", "batch")
_LIMITS = {"max_rounds": 300, "max_calls": 2_000}
_TRIES = 200


def scenario(number: int) -> Scenario:
    """Return one of the generated scenarios, always the same for a number; see `document`."""
    return parse(document(number))


def document(number: int) -> dict[str, Any]:
    """Return the document of a generated scenario, always the same for a number.

    Raises
    ------
    RuntimeError
        If no combination of sections that was tried makes a valid scenario.
    """
    chance = random.Random(number)
    for _ in range(_TRIES):
        found = {**_mixed(chance), "seed": number}
        try:
            parse(found)
        except TeamsimError:
            continue
        return found
    raise RuntimeError(f"no valid scenario was found for number {number}")


def parse(document: dict[str, Any]) -> Scenario:
    """Return the scenario of a document, with the corpus's prices for all models."""
    with patch("simulator.scenario.agent.list_prices", return_value=corpus.PRICES):
        return parse_study(json.dumps(document)).base


def _mixed(chance: random.Random) -> dict[str, Any]:
    """Return a document of the corpus in which some sections are those of others."""
    parents = _parents()
    found = json.loads(chance.choice(parents))
    for name in chance.sample(_SECTIONS, chance.randint(1, 3)):
        _take(found, json.loads(chance.choice(parents)), name)
    agent, other = (_agent(each) for each in (found, json.loads(chance.choice(parents))))
    for name in chance.sample(_AGENT, chance.randint(0, 3)):
        _take(agent, other, name)
    found["team"]["size"] = chance.choice([1, 2, 3, 5, 8])
    found["limits"] = {**found.get("limits", {}), **_LIMITS}
    return dict(found)


def _agent(document: dict[str, Any]) -> dict[str, Any]:
    agent: dict[str, Any] = document["team"]["agent"]
    return agent


def _take(into: dict[str, Any], other: dict[str, Any], name: str) -> None:
    """Let a section be as in another document, absent too."""
    if name in other:
        into[name] = other[name]
    elif name not in ("topology", "coordination", "workload", "latency"):
        into.pop(name, None)


@cache
def _parents() -> list[str]:
    """Return the written scenarios of the corpus, each a single point, as JSON."""
    texts = []
    for path in sorted(corpus.WRITTEN.glob("*.yaml")):
        document = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
        for name in ("sweep", "baseline", "figure", "precision", "replications"):
            document.pop(name, None)
        if isinstance(document.get("team", {}).get("agent"), dict):
            texts.append(json.dumps(document))
    return texts
