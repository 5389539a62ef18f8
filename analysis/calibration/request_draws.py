"""Simulates requests turn by turn, many draws at the same time.

The mechanism is that of a loop in a scenario: in each turn the agent reads its context, writes,
waits for tools, and its context grows. Draws are rows of arrays, so that ten thousand requests with
two hundred draws each take a minute and not hours.
"""

from __future__ import annotations

import numpy as np
import scipy

from analysis.calibration.request_model import (
    EFFECTS,
    FILL,
    RequestModel,
    of_context,
    of_length,
    small,
)
from analysis.calibration.turn_laws import ChanceLaw, Location, TurnLaw
from simulator.distributions import Floats

COLUMNS = (
    "seconds",
    "llm_s",
    "tool_s",
    "input_tokens",
    "uncached_tokens",
    "output_tokens",
)
"""The quantities of a request that are drawn."""


class RequestDraws:
    """Draws the time and the tokens of requests.

    Parameters
    ----------
    model : RequestModel
    draws : int
        Draws of each request. Draw number i has the same coefficients in all requests: they are
        drawn from the uncertainty of the calibration.
    rng : Generator
    """

    def __init__(self, model: RequestModel, draws: int, rng: np.random.Generator) -> None:
        self._model = model
        self._n = draws
        laws: dict[str, TurnLaw | ChanceLaw] = {**model.laws, **model.chances}
        self._locations: dict[str, tuple[Location, Floats]] = {
            name: (law.location, law.location.draws(draws, rng)) for name, law in laws.items()
        }

    def of(
        self, name: str, context: float, turns: int | None, rng: np.random.Generator
    ) -> dict[str, Floats]:
        """Return draws of one request, ``turns`` and each of `COLUMNS`, shape (draws,).

        Parameters
        ----------
        name : str
            Its model.
        context : float
            Input of its first turn, in tokens.
        turns : int or None
            Number of its turns; drawn when None.
        rng : Generator
        """
        return _Request(self._model, self._n, self._locations, rng).draw(name, context, turns)


class _Request:
    """The draws of one request."""

    def __init__(
        self,
        model: RequestModel,
        n: int,
        locations: dict[str, tuple[Location, Floats]],
        rng: np.random.Generator,
    ) -> None:
        self._model = model
        self._n = n
        self._locations = locations
        self._rng = rng

    def draw(self, name: str, context: float, turns: int | None) -> dict[str, Floats]:
        n, rng, model = self._n, self._rng, self._model
        if turns is None:
            chance = model.turns[name]
            count = 1 + np.searchsorted(np.cumsum(chance), rng.random(n) * chance.sum())
            count = np.minimum(count, len(chance))
        else:
            count = np.full(n, turns)
        most = int(count.max())
        length, opening = of_length(count.astype(float)), of_context(np.full(n, context))
        normal = rng.standard_normal((n, len(EFFECTS))) @ model.together.T
        effect = dict(zip(EFFECTS, normal.T, strict=True))
        place = np.arange(most)
        is_last = place == count[:, None] - 1
        under_way = place < count[:, None]
        output = self._output(name, length, opening, effect["output"], count, is_last)
        read = self._read(name, context, length, effect["result"], most)
        uncached = self._uncached(name, read, length, opening)
        rates = model.latency[name]
        expected = (
            rates[0]
            + (rates[1] * uncached + rates[2] * (read - uncached) + rates[3] * output) / 1000.0
        )
        single = (count == 1) * 1.0
        ratio = self._logs("latency", name, [length, single, opening], effect["latency"], most)
        seconds = expected * model.laws["latency"].value(ratio)
        gaps = self._gaps(name, length, opening, effect, most)
        llm_s = (seconds * under_way).sum(axis=1)
        tool_s = (gaps * (under_way & ~is_last)).sum(axis=1)
        return {
            "turns": count.astype(float),
            "seconds": llm_s + tool_s,
            "llm_s": llm_s,
            "tool_s": tool_s,
            "input_tokens": (read * under_way).sum(axis=1),
            "uncached_tokens": (uncached * under_way).sum(axis=1),
            "output_tokens": (output * under_way).sum(axis=1),
        }

    def _location(self, law: str, name: str, covariates: list[Floats]) -> Floats:
        """Return the location of each draw, shape (draws,)."""
        location, coefficients = self._locations[law]
        constant, slopes = location.of(coefficients, name)
        total = constant.copy()
        for i, covariate in enumerate(covariates):
            total += slopes[:, i] * covariate
        return total

    def _logs(
        self, law: str, name: str, covariates: list[Floats], effect: Floats | None, turns: int
    ) -> Floats:
        """Return the logarithm of a quantity in each turn, shape (draws, turns)."""
        known = self._model.laws[law]
        where = self._location(law, name, covariates)
        if effect is None:
            effect = self._rng.standard_normal(self._n)
        varies = known.request * effect[:, None] + known.noise(self._rng, self._n, turns)
        return where[:, None] + known.scale(covariates[0])[:, None] * varies

    def _output(
        self,
        name: str,
        length: Floats,
        opening: Floats,
        effect: Floats,
        count: np.ndarray,
        is_last: np.ndarray,
    ) -> Floats:
        laws, most = self._model.laws, is_last.shape[1]
        answer = laws["answer"].value(self._logs("answer", name, [length, opening], effect, 1))
        alone = laws["alone"].value(self._logs("alone", name, [opening], None, 1))
        final = np.where(count[:, None] == 1, alone, answer)
        if most == 1:
            return np.rint(final)
        asks = laws["output"].value(self._logs("output", name, [length, opening], effect, most))
        return np.rint(np.where(is_last, final, asks))

    def _read(self, name: str, context: float, length: Floats, effect: Floats, most: int) -> Floats:
        """Return what each turn reads, shape (draws, turns)."""
        model, rng, n = self._model, self._rng, self._n
        read = np.full((n, most), float(context))
        if most == 1:
            return read
        nothing = np.zeros(n)
        result = self._logs("result", name, [length, nothing, nothing], effect, most - 1)
        bulk = self._logs("bulk", name, [length, nothing], None, most - 1)
        chance = self._location("bulks", name, [length, nothing, nothing, nothing])
        chance = chance + model.chances["bulks"].request * rng.standard_normal(n)
        slopes = {
            law: self._locations[law][1][:, 1 + len(model.models) :]
            for law in ("result", "bulk", "bulks")
        }
        roll, cuts, kept = rng.random((3, n, most - 1))
        kept_share = model.kept[(kept * len(model.kept)).astype(int)]
        limit = model.limit[name]
        for t in range(most - 1):
            now = of_context(read[:, t])
            logit = chance + slopes["bulks"][:, 1] * now + slopes["bulks"][:, 2] * small(now)
            little = result[:, t] + slopes["result"][:, 1] * now
            if t == 0:
                logit = logit + slopes["bulks"][:, 3]
                little = little + slopes["result"][:, 2]
            is_bulk = roll[:, t] < scipy.special.expit(logit)
            much = model.laws["bulk"].value(bulk[:, t] + slopes["bulk"][:, 1] * now)
            added = np.where(is_bulk, much, model.laws["result"].value(little))
            fill = np.digitize(read[:, t] / limit, FILL) - 1
            is_cut = cuts[:, t] < model.cut[fill]
            read[:, t + 1] = np.where(is_cut, read[:, t] * kept_share[:, t], read[:, t] + added)
        return np.asarray(np.rint(read))

    def _uncached(self, name: str, read: Floats, length: Floats, opening: Floats) -> Floats:
        """Return the tokens of each turn's input that the cache does not hold."""
        model, rng, n = self._model, self._rng, self._n
        chance = self._location("cold", name, [length, opening, opening**2])
        chance = chance + model.chances["cold"].request * rng.standard_normal(n)
        pick = rng.integers(len(model.cold), size=n)
        is_cold = rng.random(n) < scipy.special.expit(chance)
        cached = np.where(is_cold, model.cold[pick], model.warm[pick])
        uncached = np.empty_like(read)
        uncached[:, 0] = read[:, 0] * (1.0 - cached)
        before, after = read[:, :-1], read[:, 1:]
        share = np.where(
            rng.random(before.shape) < model.missed,
            model.held[rng.integers(len(model.held), size=before.shape)],
            1.0,
        )
        held = np.where(after < before, np.minimum(model.system, after), share * before)
        uncached[:, 1:] = after - held
        return np.rint(np.maximum(uncached, 0.0))

    def _gaps(
        self, name: str, length: Floats, opening: Floats, effect: dict[str, Floats], most: int
    ) -> Floats:
        """Return the seconds between each turn and the next, shape (draws, turns)."""
        model, n = self._model, self._n
        covariates = [length, opening]
        chance = self._location("pauses", name, covariates)
        chance = chance + model.chances["pauses"].request * effect["pauses"]
        waits = self._rng.random((n, most)) < scipy.special.expit(chance)[:, None]
        tool = self._logs("tool", name, covariates, effect["tool"], most)
        pause = self._logs("pause", name, covariates, effect["pause"], most)
        return np.where(waits, model.laws["pause"].value(pause), model.laws["tool"].value(tool))
