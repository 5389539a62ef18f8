"""What a fit could not estimate, why, and what is used in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import yaml

from simulator.distributions import DISTRIBUTIONS, Floats
from simulator.scenario import profile_names
from simulator.scenario.inheritance import profile_text

COEFFICIENTS = ("base_s", "uncached_s_per_1k", "cached_s_per_1k", "output_s_per_1k")
"""The parts of a call's duration, given its tokens."""

_OF_SINGLE_CALLS = "tokens"
"""Latency of the profiles that were fitted to single calls: duration given tokens."""

_ANY = "claude-opus-4-5"
"""Of the profiles that ship, the one fitted to most calls."""

_GRID = (np.arange(400) + 0.5) / 400


@dataclass(frozen=True)
class Gap:
    """Something that was not estimated."""

    what: str
    why: str
    instead: str

    def __str__(self) -> str:
        return f"{self.what}: not estimated ({self.why}); in its place: {self.instead}"


@dataclass(frozen=True)
class Reference:
    """A profile that ships with the simulator and supplies what a model's calls do not tell.

    Attributes
    ----------
    name : str
    is_same : bool
        Whether it is of the same model.
    agent : mapping
        Its fields.
    is_hidden : bool
        Whether its name would tell that of a model, which is replaced by a neutral one.
    """

    name: str
    is_same: bool
    agent: Mapping[str, Any]
    is_hidden: bool = False

    @property
    def said(self) -> str:
        """The profile's name in messages and reports."""
        if self.is_hidden:
            return "the profile of a model whose name is replaced"
        source = str(self.agent.get("source", "")).partition(";")[0]
        other = "" if self.is_same else ", of another model"
        return f"the profile {self.name}{other} ({source})"

    @property
    def output(self) -> dict[str, Any]:
        """Output tokens of a call."""
        return dict(self.agent["tokens"]["output"])

    @property
    def context(self) -> dict[str, Any]:
        """What calls read."""
        return dict(self.agent["context"])

    def latency(self, scale: float = 1.0) -> dict[str, Any]:
        """Return its durations given tokens, with all times multiplied by a factor."""
        said = dict(self.agent["latency"])
        return {
            name: float(f"{value * scale:.4g}") if name in COEFFICIENTS else value
            for name, value in said.items()
        }

    def expected(self, uncached: Floats, cached: Floats, output: Floats) -> Floats:
        """Return the median durations of calls with given tokens, in seconds."""
        said = self.agent["latency"]
        base, *rates = (float(said[name]) for name in COEFFICIENTS)
        parts = zip(rates, (uncached, cached, output), strict=True)
        terms = [rate * tokens / 1000.0 for rate, tokens in parts]
        return np.asarray(np.sum([np.full(len(output), base), *terms], axis=0), dtype=float)

    @property
    def residual_variances(self) -> tuple[float, float]:
        """Variances of the logarithm of durations given tokens: within and between sessions.

        Within sessions it is that of the log-logistic residual and of the phases, between sessions
        that of the agent's speed.
        """
        said = self.agent["latency"]["residual"]
        own = float(np.pi**2 / 3.0 / float(said["shape"]) ** 2)
        return own + float(said.get("phase_sigma", 0.0)) ** 2, _shared(said)

    @property
    def output_variances(self) -> tuple[float, float]:
        """Variances of the logarithm of output tokens: within and between sessions."""
        said = self.output
        own = float(np.log(self.outputs).var())
        return own + float(said.get("phase_sigma", 0.0)) ** 2, _shared(said)

    @cached_property
    def outputs(self) -> Floats:
        """Output tokens at evenly spaced probabilities."""
        said = {k: v for k, v in self.output.items() if not k.startswith(("agent_", "phase_"))}
        law = DISTRIBUTIONS.get(said["kind"]).model_validate(said)
        tokens: Floats = np.maximum(np.asarray(law.transform(_GRID), dtype=float), 1.0)
        return tokens

    @property
    def duration_variances(self) -> tuple[float, float]:
        """Variances of the logarithm of durations, if tokens are not given."""
        none = np.zeros_like(self.outputs)
        expected = np.log(self.expected(none, none, self.outputs))
        own, shared = self.residual_variances
        # Sessions that write more take longer, in proportion to the share of time spent writing.
        slope = float(np.polyfit(np.log(self.outputs), expected, 1)[0])
        return float(expected.var()) + own, slope**2 * self.output_variances[1] + shared


@cache
def _profiles() -> dict[str, dict[str, Any]]:
    """Return the profiles that were fitted to single calls."""
    found = {name: yaml.safe_load(profile_text(name)) for name in profile_names()}
    return {
        name: agent
        for name, agent in found.items()
        if agent["latency"]["kind"] == _OF_SINGLE_CALLS
        and "output" in agent.get("tokens", {})
        and "loop" not in agent
    }


def _shared(said: Mapping[str, Any]) -> float:
    return float(said.get("agent_sigma", 0.0)) ** 2


@cache
def reference(model: str) -> Reference:
    """Return the profile that supplies what is not known of a model.

    It is the model's own if one ships, else one of the same family of models, else the one that
    was fitted to most calls.

    Parameters
    ----------
    model : str
        A short name, as profiles have it.
    """
    known = _profiles()
    family = model.rpartition("-")[0]
    alike = [name for name in known if family and name.startswith(family)]
    name = model if model in known else max(alike) if alike else _ANY
    return Reference(name, name == model, known[name])
