"""Scores predicted requests against real ones, beside simple baselines.

Scores are continuous ranked probability scores of logarithms, so that a prediction of twice the
true time counts the same as one of half of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.calibration.seen_times import SHORTEST_S
from analysis.statistics.clusters import clustered_share_interval
from analysis.statistics.intervals import Interval, ratio_of_means_interval
from analysis.validation.scores import fair_crps
from simulator.distributions import Floats
from simulator.errors import TeamsimError

SCORED = ("seconds", "llm_s", "input_tokens", "output_tokens")
"""The quantities of a request that are scored."""

SUMMED = ("input_tokens", "uncached_tokens", "output_tokens", "seconds")
"""The quantities that are summed over the requests of a session."""

_LEAST = {"seconds": SHORTEST_S, "llm_s": SHORTEST_S, "input_tokens": 1.0, "output_tokens": 1.0}
"""Smaller values have the logarithm of these."""

_NEIGHBOURS = 50
"""Number of nearest requests that a baseline uses."""

_LEVEL = 0.8

Strings = npt.NDArray[np.str_]


@dataclass(frozen=True)
class RequestScores:
    """How well requests were predicted.

    Attributes
    ----------
    requests : int
        Number of predicted requests whose true values are known.
    table : DataFrame
        A row a quantity of which some request's real value is known: ``quantity``, ``requests``
        (how many of them), ``simulated`` and a column a baseline (mean CRPS), and
        ``coverage`` of the 80 % intervals, with its own 95 % interval, ``coverage_low`` and
        ``coverage_high``: requests of a session are predicted well or badly together (those of
        which no session is known count as independent).
    sums : DataFrame
        A row a quantity: predicted and real mean over sessions of their sums, of requests of which
        the real value is known, and their ratio, with its 95 % interval over sessions,
        ``ratio_low`` and ``ratio_high``.
    """

    requests: int
    table: pd.DataFrame
    sums: pd.DataFrame


def score_requests(
    draws: pd.DataFrame, asked: pd.DataFrame, pilot: pd.DataFrame | None, truth: pd.DataFrame
) -> RequestScores:
    """Score draws of requests.

    Parameters
    ----------
    draws : DataFrame
        As `teamsim predict --requests` writes them.
    asked : DataFrame
        The requests to predict: ``request, context_tokens, turns``.
    pilot : DataFrame or None
        Requests from which baselines are made; None for no baselines.
    truth : DataFrame
        ``request``, ``session`` if it is known, and `SCORED`.

    Raises
    ------
    TeamsimError
        If no request is in both.
    """
    truth = truth.assign(request=truth["request"].astype(str)).drop_duplicates("request")
    asked = asked.assign(request=asked["request"].astype(str))
    known = asked[["request", "context_tokens", "turns"]].merge(
        truth.drop(columns=["context_tokens", "turns", "model"], errors="ignore"), on="request"
    )
    if known.empty:
        raise TeamsimError(
            f"no predicted request is among the real ones: the prediction has "
            f"{asked['request'].iloc[0]!r}, the calls have "
            f"{truth['request'].iloc[0] if len(truth) else 'none'!r} (session/agent/number)"
        )
    draws = draws[draws["request"].astype(str).isin(known["request"])]
    n = int(draws.groupby("request", sort=False).size().iloc[0])
    order = draws["request"].astype(str).drop_duplicates().tolist()
    known = known.set_index("request").reindex(order).reset_index()
    sessions = _sessions(known)
    rows = []
    for name in SCORED:
        there = known[name].notna().to_numpy()
        if not there.any():
            continue
        least = _LEAST[name]
        wanted = _logs(known[name][there], least)
        ensembles = _logs(draws[name], least).reshape(-1, n)[there]
        row: dict[str, object] = {
            "quantity": name,
            "requests": len(wanted),
            "simulated": _mean(ensembles, wanted),
        }
        if pilot is not None:
            for label, others in _baselines(pilot, known[there], name).items():
                row[label] = _mean(others, wanted)
        tails = ((1.0 - _LEVEL) / 2, (1.0 + _LEVEL) / 2)
        low, high = np.quantile(ensembles, tails, axis=1)
        inside = clustered_share_interval((wanted >= low) & (wanted <= high), sessions[there])
        row |= {
            "coverage": inside.estimate,
            "coverage_low": inside.low,
            "coverage_high": inside.high,
        }
        rows.append(row)
    return RequestScores(len(known), pd.DataFrame(rows), _sums(draws, known, sessions, n))


def _sessions(known: pd.DataFrame) -> Strings:
    """Return the session of each request; where it is not known, the request's own name."""
    request = known["request"].astype(str)
    if "session" not in known:
        return request.to_numpy(dtype=str)
    session = known["session"].fillna("").astype(str)
    return session.where(session != "", request).to_numpy(dtype=str)


def _logs(values: pd.Series, least: float = 1.0) -> Floats:
    return np.asarray(np.log(np.maximum(values.to_numpy(dtype=float), least)))


def _mean(ensembles: Floats, wanted: Floats) -> float:
    scores = [fair_crps(each, float(y)) for each, y in zip(ensembles, wanted, strict=True)]
    return float(np.mean(scores))


def _baselines(pilot: pd.DataFrame, known: pd.DataFrame, name: str) -> dict[str, Floats]:
    """Return the predictions of baselines, without a simulator, each of shape (requests, k).

    Each uses `_NEIGHBOURS` requests of the pilot: those nearest in length, as they are or scaled
    by turns; those nearest in length and context, as they are or, for input, scaled by context
    times turns. A request whose turns are not known is given the median turns of the pilot, and
    requests of the pilot of which the value is not known are none of its neighbours.
    """
    pilot = pilot[pilot[name].notna()]
    if pilot.empty:
        return {}
    seen = _logs(pilot[name], _LEAST[name])
    length, context = _logs(pilot["turns"]), _logs(pilot["context_tokens"])
    turns = known["turns"].astype(float).fillna(float(pilot["turns"].median()))
    wanted_length, wanted_context = _logs(turns), _logs(known["context_tokens"])
    k = min(_NEIGHBOURS, len(pilot))
    apart = np.abs(length - wanted_length[:, None])
    alike = np.argsort(apart, axis=1, kind="stable")[:, :k]
    both = apart + np.abs(context - wanted_context[:, None])
    near = np.argsort(both, axis=1, kind="stable")[:, :k]
    found = {
        "like length": seen[alike],
        "scaled by turns": seen[alike] + wanted_length[:, None] - length[alike],
        "like length, context": seen[near],
    }
    if name == "input_tokens":
        per = seen - length - context
        found["context x turns"] = per[near] + (wanted_length + wanted_context)[:, None]
    return found


def _sums(draws: pd.DataFrame, known: pd.DataFrame, session: Strings, n: int) -> pd.DataFrame:
    """Compare mean sums of sessions (of requests, where no session is known).

    Requests of which the real value is not known are left out, of the prediction as well.
    """
    rows = []
    for name in SUMMED:
        there = known[name].notna().to_numpy() if name in known else np.zeros(len(known), bool)
        if not there.any():
            continue
        means = draws[name].to_numpy(dtype=float).reshape(-1, n).mean(axis=1)
        values = known[name].to_numpy(dtype=float)
        predicted, real = (
            pd.Series(each[there]).groupby(session[there]).sum() for each in (means, values)
        )
        if real.sum() > 0.0:
            ratio = ratio_of_means_interval(predicted, real)
        else:
            ratio = Interval(math.nan, math.nan, math.nan)
        rows.append(
            {
                "session sum": name,
                "predicted": float(predicted.mean()),
                "real": float(real.mean()),
                "ratio": ratio.estimate,
                "ratio_low": ratio.low,
                "ratio_high": ratio.high,
            }
        )
    return pd.DataFrame(rows)
