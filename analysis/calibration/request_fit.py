"""Fits the laws of the turns of requests, all models together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.calibration.request_model import (
    EFFECTS,
    FEWEST,
    FILL,
    RequestModel,
    of_context,
    of_length,
    small,
)
from analysis.calibration.requests import Requests, clusters
from analysis.calibration.seen_times import SHORTEST_S
from analysis.calibration.tool_times import fit_tool_times
from analysis.calibration.turn_counts import fit_turns
from analysis.calibration.turn_laws import ChanceLaw, Design, TurnLaw, fit_chance, fit_turn_law
from analysis.statistics.covariances import principal_root
from simulator.distributions import Floats

_SEVERAL = 6
"""Fewest turns of the requests from which the correlation of the effects is estimated."""

_CUT = 0.3
"""A context that loses more than this share was cut: compacted, or replaced by another."""

_COLD = 0.5
"""A request begins cold if the cache holds less than this share of its first input."""

_NEW = 0.9
"""The cache has failed if it holds less than this share of what the turn before has read."""


def fit_request_model(requests: Requests, latency: Mapping[str, Floats]) -> RequestModel | None:
    """Fit the laws of turns; None if there are too few requests.

    Parameters
    ----------
    requests : Requests
    latency : mapping of str to ndarray, shape (4,)
        Coefficients of each model's call durations; only requests of these models are fitted.
    """
    turns = _known(requests, latency)
    asks = turns[~turns["is_last"]]
    if asks["request"].nunique() < FEWEST:
        return None
    names = tuple(sorted(latency))
    fit = _Fit(turns, names)
    fit.writing()
    fit.waiting(asks)
    fit.answering(latency)
    fit.growing(asks)
    cold, warm = fit.beginning()
    again = turns[(turns["turn"] > 0) & (turns["input"] >= turns["before"])]
    held = (again["cached"] / again["before"]).to_numpy()
    held = held[held < _NEW]
    grown = asks[asks["growth"].notna()]
    first = turns[turns["turn"] == 0]
    limit = _limits(turns, names)
    is_cut = (grown["growth"] < -_CUT * grown["input"]).to_numpy(dtype=bool)
    fill = np.digitize(grown["input"] / grown["model"].map(limit), FILL) - 1
    hits = np.bincount(fill, is_cut, minlength=len(FILL))
    kept = (1.0 + grown["growth"] / grown["input"])[is_cut].clip(lower=0.01).to_numpy()
    seen = np.bincount(fill, minlength=len(FILL))
    cut = (hits + 0.5) / (seen + 1.0) if len(kept) else np.zeros(len(FILL))
    return RequestModel(
        models=names,
        requests={name: int((first["model"] == name).sum()) for name in names},
        latency={name: np.asarray(latency[name], dtype=float) for name in names},
        laws=fit.laws,
        chances=fit.chances,
        together=fit.together(),
        cut=cut,
        kept=kept if len(kept) else np.ones(1),
        limit=limit,
        cold=cold,
        warm=warm,
        missed=len(held) / max(1, len(again)),
        held=held if len(held) else np.zeros(1),
        system=float(first["input"].quantile(0.05)),
        turns=_turn_counts(requests, names),
    )


def _known(requests: Requests, latency: Mapping[str, Floats]) -> pd.DataFrame:
    """Return the turns of whole requests whose tokens are known, with their covariates."""
    turns = requests.turns
    counted = turns[["input", "output"]].notna().all(axis=1) & (turns["seconds"] > 0.0)
    usable = turns["is_whole"] & counted.groupby(turns["request"]).transform("all")
    model = turns.groupby("request")["model"].transform("first")
    turns = turns[usable & model.isin(list(latency)) & turns["model"].isin(list(latency))]
    turns = turns[turns.groupby("request")["turn"].transform("min") == 0]
    each = turns.groupby("request")
    return turns.assign(
        size=each["turn"].transform("size"),
        length=of_length(each["turn"].transform("size").to_numpy(dtype=float)),
        opening=of_context(each["input"].transform("first").to_numpy()),
        before=each["input"].shift(),
        number=clusters(turns["session"]),
    ).reset_index(drop=True)


class _Fit:
    """Fits one law after another, and keeps the residuals, which show each request's effects."""

    def __init__(self, turns: pd.DataFrame, names: tuple[str, ...]) -> None:
        self._turns = turns
        self._names = names
        self._residuals: dict[str, pd.Series] = {}
        self.laws: dict[str, TurnLaw] = {}
        self.chances: dict[str, ChanceLaw] = {}

    def writing(self) -> None:
        """Fit the output tokens of turns."""
        turns = self._turns
        asks = turns[~turns["is_last"]]
        self._law("output", asks, "output", ["length", "opening"], turns, sums=True)
        is_alone = turns["size"] == 1
        answers = turns[turns["is_last"] & ~is_alone]
        self._law("answer", answers, "output", ["length", "opening"], turns)
        self._share_effect("output", "answer")
        alone = turns[is_alone] if is_alone.sum() >= FEWEST else turns[turns["is_last"]]
        self._law("alone", alone, "output", ["opening"], turns)

    def waiting(self, asks: pd.DataFrame) -> None:
        """Fit the seconds of tools, and the pauses of people."""
        seconds = asks["gap_s"].clip(lower=SHORTEST_S)
        times = fit_tool_times(seconds.to_numpy(), asks["number"].to_numpy())
        edge = times.tail_from_s if times.has_tail else float(seconds.quantile(0.9))
        asks = asks.assign(gap_s=seconds, waits=(seconds > edge))
        self._law("tool", asks[~asks["waits"]], "gap_s", ["length", "opening"], asks)
        self._law("pause", asks[asks["waits"]], "gap_s", ["length", "opening"], asks)
        self._chance("pauses", asks, "waits", ["length", "opening"])
        share = asks.groupby("request")["waits"].agg(["sum", "size"])
        odds = (share["sum"] + 0.5) / (share["size"] - share["sum"] + 0.5)
        self._residuals["pauses"] = pd.Series(np.log(odds.to_numpy()), index=share.index)

    def answering(self, latency: Mapping[str, Floats]) -> None:
        """Fit the durations of calls relative to those expected from their tokens."""
        turns = self._turns
        rates = np.stack([latency[model] for model in turns["model"]])
        tokens = turns[["uncached", "cached", "output"]].to_numpy() / 1000.0
        expected = rates[:, 0] + (rates[:, 1:] * tokens).sum(axis=1)
        turns = turns.assign(ratio=turns["seconds"] / expected, single=(turns["size"] == 1) * 1.0)
        self._law("latency", turns, "ratio", ["length", "single", "opening"], turns)

    def growing(self, asks: pd.DataFrame) -> None:
        """Fit the tokens that turns add to the context: mostly few, and sometimes a bulk.

        Bulks are the largest additions, which together make up half of all added tokens.
        """
        grown = asks[asks["growth"].notna() & (asks["growth"] >= -_CUT * asks["input"])]
        if grown.empty:  # every context was cut
            grown = asks.assign(growth=0.0)
        added = (grown["growth"] + grown["output"]).clip(lower=1.0)
        ordered = np.sort(added.to_numpy())
        half = ordered[np.searchsorted(np.cumsum(ordered), 0.5 * ordered.sum())]
        context = of_context(grown["input"].to_numpy())
        grown = grown.assign(
            added=added,
            context=context,
            little=small(context),
            opens=(grown["turn"] == 0) * 1.0,
            is_bulk=added > half,
        )
        little, bulk = grown[~grown["is_bulk"]], grown[grown["is_bulk"]]
        self._law("result", little, "added", ["length", "context", "opens"], grown)
        self._law("bulk", bulk, "added", ["length", "context"], grown)
        self._chance("bulks", grown, "is_bulk", ["length", "context", "little", "opens"])

    def beginning(self) -> tuple[Floats, Floats]:
        """Fit which requests begin cold; return the cached shares of these, and of all others."""
        first = self._turns[self._turns["turn"] == 0]
        share = (first["cached"] / first["input"]).clip(upper=1.0)
        first = first.assign(curve=first["opening"] ** 2, is_cold=share < _COLD)
        self._chance("cold", first, "is_cold", ["length", "opening", "curve"])
        grid = (np.arange(100) + 0.5) / 100
        parts = (share[first["is_cold"]], share[~first["is_cold"]])
        cold, warm = (np.quantile(part if len(part) else share, grid) for part in parts)
        return cold, warm

    def together(self) -> Floats:
        """Return the square root of the correlation of the effects of requests.

        It is estimated from the mean residuals of requests of `_SEVERAL` turns or more.
        """
        many = self._turns.loc[self._turns["size"] > _SEVERAL, "request"].unique()
        table = pd.DataFrame(self._residuals)[list(EFFECTS)].reindex(many)
        correlation = table.corr(min_periods=FEWEST).fillna(0.0).to_numpy(copy=True)
        np.fill_diagonal(correlation, 1.0)
        return principal_root(correlation)

    def _design(self, rows: pd.DataFrame, covariates: list[str]) -> Design:
        return Design(
            rows["model"].to_numpy(dtype=str),
            rows[covariates].to_numpy(dtype=float),
            rows["request"].to_numpy(),
            rows["number"].to_numpy(),
        )

    def _law(
        self,
        name: str,
        rows: pd.DataFrame,
        column: str,
        covariates: list[str],
        everything: pd.DataFrame,
        sums: bool = False,
    ) -> None:
        """Fit a law to some rows; to all of them where there are none, and so none is drawn."""
        rows = rows if len(rows) else everything
        values = np.maximum(rows[column].to_numpy(dtype=float), 1e-3)
        self.laws[name], residual = fit_turn_law(
            values, self._design(rows, covariates), self._names, sums
        )
        self._residuals[name] = pd.Series(residual).groupby(rows["request"].to_numpy()).mean()

    def _share_effect(self, name: str, other: str) -> None:
        """Let a law of one turn a request have as much of another's request effect as it shows.

        The covariance of the residuals of both, over requests, is the product of their loads.
        """
        shared = self.laws[name].request
        if shared > 0.0:
            pairs = pd.DataFrame({0: self._residuals[other], 1: self._residuals[name]}).dropna()
            mine, others = (pairs[i].to_numpy() for i in (0, 1))
            covariance = float(np.cov(mine, others)[0, 1]) if len(pairs) >= FEWEST else 0.0
            self.laws[other] = self.laws[other].sharing(max(0.0, covariance) / shared)

    def _chance(self, name: str, rows: pd.DataFrame, column: str, covariates: list[str]) -> None:
        happened = rows[column].to_numpy(dtype=bool)
        self.chances[name] = fit_chance(happened, self._design(rows, covariates), self._names)


def _limits(turns: pd.DataFrame, names: tuple[str, ...]) -> dict[str, float]:
    """Return the largest usual context of each model."""
    everyone = float(turns["input"].quantile(0.99))
    own = turns.groupby("model")["input"].quantile(0.99)
    return {name: float(own.get(name, everyone)) for name in names}


def _turn_counts(requests: Requests, names: tuple[str, ...]) -> dict[str, Floats]:
    """Return the probabilities of the numbers of turns; models with few requests have all's."""
    table = requests.table[requests.table["model"].isin(names)]
    found: dict[str, Floats] = {}
    everyone = _probabilities(table)
    for name in names:
        mine = table[table["model"] == name]
        found[name] = _probabilities(mine) if mine["is_whole"].sum() >= FEWEST else everyone
    return found


def _probabilities(table: pd.DataFrame) -> Floats:
    counts = fit_turns(
        table["turns"].to_numpy(),
        table["is_whole"].to_numpy(dtype=bool),
        clusters(table["session"]),
    )
    more = counts.survival(np.arange(counts.most + 1))
    more[0], more[-1] = 1.0, 0.0
    return -np.diff(more)
