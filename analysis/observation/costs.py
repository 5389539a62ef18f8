"""The costs of calls, from the trace or else at list prices, and the prices that explain them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
import pandas as pd
import scipy

from analysis.calibration.profile_names import profile_name
from analysis.calibration.rounding import four_digits
from analysis.traces.canonical import CHATS, model_of
from simulator.scenario.costs import HOW_TO_PRICE
from simulator.scenario.prices import list_prices
from simulator.words import counted, percent

_NEAR = 0.05
"""Largest relative difference of costs from list prices at which list prices are used."""

_FEWEST = 3


@dataclass(frozen=True)
class Prices:
    """Prices of a kind of agent.

    Attributes
    ----------
    spec : str, mapping or None
        The scenario's ``price``; None if not known.
    said : str
        Its source.
    """

    spec: str | Mapping[str, float] | None
    said: str


Told = Mapping[str, Mapping[str, float]]
"""Prices per million tokens of models that are in no table under the names that they have here."""

_NONE: Told = MappingProxyType({})


@cache
def priced_as(model: str) -> str | None:
    """Return a model's name in the table of list prices; None if it is not in it."""
    for name in dict.fromkeys((model, profile_name(model))):
        try:
            list_prices(name)
        except ValueError:
            continue
        return name
    return None


_HOW_TO_SAY = (
    "costs come from the traces (in a table cost_usd; --column cost_usd=NAME if it is called "
    "otherwise), and those of the twin from a price: --set team.agent.price=claude-sonnet-4-6"
)
_NO_COUNTS = f"unknown: neither costs nor counts of tokens; {_HOW_TO_SAY}"


def prices_of(model: str, told: Told = _NONE) -> tuple[str | Mapping[str, float], str] | None:
    """Return a model's price as a scenario says it, and its source; None if it has no list price.

    It is the model's name in the table of list prices, or the prices that are told of it.
    """
    if model in told:
        return told[model], "list price of the model whose name is replaced (genai-prices)"
    name = priced_as(model)
    return None if name is None else (name, f"list price of {name} (genai-prices)")


def with_costs(calls: pd.DataFrame, told: Told = _NONE) -> tuple[pd.DataFrame, str]:
    """Return calls with costs; those that the trace lacks are computed at list prices.

    Parameters
    ----------
    calls : DataFrame
        The canonical table.
    told : mapping
        Prices of models that have neutral names.

    Returns
    -------
    DataFrame, str
        The calls, and the source of their costs.
    """
    chats = calls["operation_name"].isin(CHATS)
    said = chats & calls["cost_usd"].notna()
    # What failed and has read something has written what it says, if only nothing.
    is_cut = (calls["status"] == "error").fillna(False) & calls["input_tokens"].notna()
    unknown = chats & calls["cost_usd"].isna() & (calls["output_tokens"].notna() | is_cut)
    if not unknown.any():
        n = int(said.sum())
        return calls, _said_by(n) if n else _NO_COUNTS
    model, tokens = model_of(calls), token_counts(calls)
    costs = calls["cost_usd"].astype("Float64").astype(float)
    filled, uncached, missing = 0, 0, set[str]()
    tells = calls["cache_read_input_tokens"].notna() | calls["cache_write_input_tokens"].notna()
    for name, where in model[unknown].groupby(model[unknown].fillna("")).groups.items():
        listed = prices_of(str(name), told) if name else None
        if listed is None:
            missing.add(str(name) or "no name")
            continue
        price = _per_token(listed[0])
        costs.loc[where] = tokens.loc[where].fillna(0.0).to_numpy() @ price
        filled += len(where)
        uncached += 0 if tells[where].any() else len(where)
    parts = [_said_by(int(said.sum()))] if said.any() else []
    of_them = "" if uncached == filled else f", {uncached:,} of them"
    guess = f"{of_them} as if nothing was cached (no call says what was)" if uncached else ""
    parts += [f"{counted(filled, 'call')} at list prices{guess}"] if filled else []
    parts += (
        [f"no price is known of {', '.join(sorted(missing))}; {_HOW_TO_SAY}"] if missing else []
    )
    return calls.assign(cost_usd=costs.astype("Float64")), "; ".join(parts)


def _said_by(n: int) -> str:
    return f"{counted(n, 'call')} say{'s' * (n == 1)} it"


def token_counts(calls: pd.DataFrame) -> pd.DataFrame:
    """Return ``uncached, written, for_1h, cached, output`` of calls; unknown inputs count as 0.

    In tokens. What is said to have been written to a cache is not in `uncached`, and what that
    keeps for an hour is not in `written`.
    """
    names = [
        "input_tokens", "cache_read_input_tokens", "cache_write_input_tokens",
        "cache_write_1h_input_tokens", "output_tokens",
    ]  # fmt: skip
    values = calls[names].astype("Float64").astype(float)
    cached = values["cache_read_input_tokens"].fillna(0.0)
    rest = (values["input_tokens"].fillna(0.0) - cached).clip(lower=0.0)
    written = np.minimum(values["cache_write_input_tokens"].fillna(0.0), rest)
    for_1h = np.minimum(values["cache_write_1h_input_tokens"].fillna(0.0), written)
    return pd.DataFrame(
        {
            "uncached": rest - written,
            "written": written - for_1h,
            "for_1h": for_1h,
            "cached": cached,
            "output": values["output_tokens"],
        }
    )


def _per_token(price: str | Mapping[str, float]) -> np.ndarray:
    prices = list_prices(price) if isinstance(price, str) else price
    each = prices["input_per_mtok"]
    written = prices.get("cache_write_per_mtok", each)
    for_1h = prices.get("cache_write_1h_per_mtok", written)
    cached = prices.get("cached_input_per_mtok", each)
    return np.asarray([each, written, for_1h, cached, prices["output_per_mtok"]]) / 1e6


def write_factor(calls: pd.DataFrame, price: str | Mapping[str, float] | None) -> float | None:
    """Return the price of input that no cache had, as a multiple of that of uncached input.

    It depends on how much of it the calls say that they have written to the cache: those that say
    nothing of it have paid for input. None if there is no such price.

    Parameters
    ----------
    calls : DataFrame
        Calls of models.
    price : str, mapping or None
        The scenario's ``price``.
    """
    if price is None:
        return None
    prices = _per_token(price)[:3]
    tokens = token_counts(calls)[["uncached", "written", "for_1h"]].sum()
    if not prices[0] > 0.0 or not tokens.sum() > 0.0:
        return None
    return four_digits(float(tokens.to_numpy() @ prices / (tokens.sum() * prices[0])))


def with_dearer_input(price: str | Mapping[str, float], factor: float) -> dict[str, float]:
    """Return prices, those of uncached input times a factor, as numbers."""
    prices = list_prices(price) if isinstance(price, str) else price
    return {**prices, "input_per_mtok": four_digits(factor * prices["input_per_mtok"])}


def fit_prices(calls: pd.DataFrame, model: str, told: Told = _NONE) -> Prices:
    """Return the prices of one kind of agent.

    They are the list prices of its model, unless the costs of the calls differ from these. Then the
    prices are fitted to the costs by least squares, with none below 0.

    Parameters
    ----------
    calls : DataFrame
        Its calls of models, as the trace has them.
    model : str
    told : mapping
        Prices of models that have neutral names.
    """
    known = calls[calls["cost_usd"].notna() & calls["output_tokens"].notna()]
    listed = prices_of(model, told)
    tokens, costs = token_counts(known), known["cost_usd"].astype(float)
    if listed is not None:
        price, said = listed
        at_list = float((tokens.to_numpy() @ _per_token(price)).sum())
        if not len(known) or abs(at_list - costs.sum()) <= _NEAR * max(float(costs.sum()), 1e-12):
            checked = f"; {len(known):,} calls say the same" if len(known) else ""
            return Prices(price, said + checked)
    if len(known) < _FEWEST or not costs.sum():
        why = "all costs in the trace are 0" if len(known) and not costs.sum() else "unknown"
        return Prices(None, f"no price: {why}; {HOW_TO_PRICE}")
    per_token, _ = scipy.optimize.nnls(tokens.to_numpy(), costs.to_numpy())
    # Least squares alone do not have the sum of the costs.
    per_token *= costs.sum() / (tokens.to_numpy() @ per_token).sum()
    names = (
        "input_per_mtok", "cache_write_per_mtok", "cache_write_1h_per_mtok",
        "cached_input_per_mtok", "output_per_mtok",
    )  # fmt: skip
    spec = {name: four_digits(1e6 * each) for name, each in zip(names, per_token, strict=True)}
    for kind, name in (("written", names[1]), ("for_1h", names[2])):
        if not tokens[kind].any():
            del spec[name]
    off = float(np.abs(tokens.to_numpy() @ per_token - costs).sum() / costs.sum())
    return Prices(spec, f"fitted to the costs of {len(known):,} calls (off by {percent(off, 1)})")
