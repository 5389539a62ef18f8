"""Predicts time and tokens of requests from their model, context and perhaps turns."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.calibration.profile_names import profile_name
from analysis.calibration.request_draws import COLUMNS, RequestDraws
from analysis.calibration.request_model import RequestModel
from analysis.traces.named_tables import (
    read_csv,
    read_parquet,
    stored_in,
    with_numbers,
    with_stored,
)
from simulator.distributions import Floats
from simulator.errors import TeamsimError, unknown_name
from simulator.scenario.agent import Price
from simulator.scenario.prices import list_prices

ASKED = ("request", "model", "context_tokens")
"""Columns that a table of requests must have; ``turns`` may be there."""

PILOT = "requests.parquet"
"""Name of the file in which `teamsim calibrate` writes the requests that it has fitted."""

MOST_TURNS = 10_000
"""Most turns of a request that are simulated."""

_MOST_TOKENS = 1e8

_STORED = b"teamsim_requests"

_CHUNK = 500
"""Requests whose draws are written at a time."""

_SEED = 20260


def read_requests(path: Path, model: RequestModel) -> pd.DataFrame:
    """Return the requests to predict: ``request, model, context_tokens, turns`` (NaN: drawn).

    Parameters
    ----------
    path : Path
        CSV or Parquet.
    model : RequestModel
        The calibration, which must know their models.

    Raises
    ------
    TeamsimError
        Naming file, row and value of what is wrong.
    """
    table = _read(path)
    if table.empty:
        raise TeamsimError(f"{path} has no requests: it has no rows")
    if "turns" not in table:
        table = table.assign(turns=np.nan)
    named = table["request"]
    empty = named.isna() | (named.astype(str).str.strip() == "")
    if empty.any():
        raise TeamsimError(f"{path}, row {_row(empty)}: no 'request'")
    twice = named.astype(str).duplicated()
    if twice.any():
        where = int(twice.to_numpy().argmax())
        raise TeamsimError(
            f"{path}, row {where + 1}: request {named.iloc[where]!s} is there already; each needs "
            "a name of its own"
        )
    return pd.DataFrame(
        {
            "request": named,
            "model": _models(table["model"], model, path),
            "context_tokens": _numbers(table["context_tokens"], path, False, _MOST_TOKENS),
            "turns": _numbers(table["turns"], path, True, MOST_TURNS),
        }
    )


def _read(path: Path) -> pd.DataFrame:
    if path.is_dir():
        raise TeamsimError(f"{path} is a directory: a table of requests is a file")
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1" or path.suffix == ".parquet"
    except FileNotFoundError:
        raise TeamsimError(f"{path}: no such file") from None
    except OSError as error:
        raise TeamsimError(f"{path} cannot be read: {error.strerror}") from None
    if is_parquet:
        return read_parquet(path, ASKED)
    return read_csv(path, ASKED)


def _models(found: pd.Series, model: RequestModel, path: Path) -> pd.Series:
    """Return the models under the names of the calibration."""
    known = {profile_name(name): name for name in model.models} | {n: n for n in model.models}
    names = found.where(found.notna(), "").astype(str)
    matched = names.map(lambda name: known.get(name) or known.get(profile_name(name)))
    unknown = matched.isna()
    if unknown.any():
        said = unknown_name("model", names[unknown].iloc[0], model.models)
        raise TeamsimError(f"{path}, row {_row(unknown)}: {said}")
    return matched


def _numbers(found: pd.Series, path: Path, may_miss: bool, most: float) -> pd.Series:
    """Return a column of whole positive numbers."""
    texts = found.astype(str).str.strip()
    is_missing = found.isna() | texts.isin(["", "nan", "None", "<NA>"])
    numbers = pd.to_numeric(texts.where(~is_missing), errors="coerce").astype(float)
    wanted = f"a whole number from 1 to {most:,.0f}"
    if may_miss:
        wanted += ", or nothing"
    is_wrong = ~is_missing & ~(
        np.isfinite(numbers) & (numbers >= 1) & (numbers <= most) & (numbers == numbers.round())
    )
    if not may_miss:
        is_wrong |= is_missing
    if is_wrong.any():
        where = int(is_wrong.to_numpy().argmax())
        value = "nothing" if is_missing.iloc[where] else repr(texts.iloc[where])
        raise TeamsimError(f"{path}, row {where + 1}: {found.name!r} is {value}, not {wanted}")
    return numbers


def _row(wrong: pd.Series) -> int:
    return int(wrong.to_numpy().argmax()) + 1


def predict_requests(
    model: RequestModel,
    asked: pd.DataFrame,
    draws: int,
    pilot: pd.DataFrame | None,
    out: Path,
    progress: Callable[[int, int], None] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate requests and write a row a draw; return medians and intervals of each.

    Parameters
    ----------
    model : RequestModel
    asked : DataFrame
        As `read_requests` returns it.
    draws : int
    pilot : DataFrame or None
        The requests that the model was fitted to; they are written into the file, for baselines.
    out : Path
        Parquet: ``request, draw``, `COLUMNS` and ``usd`` (missing where no price is known).
    progress : callable, optional
        Told ``(done, total)``.
    seed : int
        Root of all random numbers.

    Returns
    -------
    DataFrame
        A row a request: ``request``, and the 10, 50 and 90 % quantiles of each column.
    """
    simulated = RequestDraws(model, draws, np.random.default_rng(_SEED + seed))
    prices = {name: _price(name) for name in asked["model"].unique()}
    stored = {
        "asked": json.loads(asked.to_json(orient="split", index=False)),
        "pilot": None if pilot is None else json.loads(pilot.to_json(orient="split", index=False)),
    }
    summaries: list[pd.DataFrame] = []
    writer: pq.ParquetWriter | None = None
    try:
        for start in range(0, len(asked), _CHUNK):
            some = asked.iloc[start : start + _CHUNK]
            frame = _draw(simulated, some, draws, prices, seed)
            table = pa.Table.from_pandas(frame, preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(out, with_stored(table, _STORED, stored).schema)
            writer.write_table(table.cast(writer.schema))
            summaries.append(_summary(frame))
            if progress is not None:
                progress(min(start + _CHUNK, len(asked)), len(asked))
    except OSError as error:
        raise TeamsimError(f"{out} cannot be written: {error.strerror or error}") from None
    finally:
        if writer is not None:
            writer.close()
    return pd.concat(summaries, ignore_index=True)


def _draw(
    simulated: RequestDraws,
    asked: pd.DataFrame,
    draws: int,
    prices: dict[str, Price | None],
    seed: int,
) -> pd.DataFrame:
    parts = []
    known = zip(*(asked[name] for name in (*ASKED, "turns")), strict=True)
    for request, model, context, turns in known:
        # The draws of a request do not depend on the other requests in the file.
        rng = np.random.default_rng([_SEED + seed, zlib.crc32(str(request).encode())])
        count = None if np.isnan(turns) else int(turns)
        drawn = simulated.of(str(model), float(context), count, rng)
        parts.append({**drawn, "usd": _usd(prices[str(model)], drawn)})
    columns = {name: np.concatenate([part[name] for part in parts]) for name in (*COLUMNS, "usd")}
    tokens = [name for name in COLUMNS if name.endswith("_tokens")]
    frame = pd.DataFrame(columns).astype(dict.fromkeys(tokens, np.int64))
    frame["usd"] = frame["usd"].astype("Float64").mask(frame["usd"].isna())
    request = asked["request"].repeat(draws).reset_index(drop=True)
    frame.insert(0, "request", request)
    frame.insert(1, "draw", np.tile(np.arange(draws), len(asked)))
    return frame


def _usd(price: Price | None, drawn: dict[str, Floats]) -> Floats:
    uncached, output = drawn["uncached_tokens"], drawn["output_tokens"]
    if price is None:
        return np.full_like(output, np.nan)
    # A price is linear in tokens, so the prices of single tokens are enough.
    cached = drawn["input_tokens"] - uncached
    each = [price.usd(*(int(i == kind) for i in range(3))) for kind in range(3)]
    return np.asarray(each[0] * uncached + each[1] * cached + each[2] * output)


def _price(model: str) -> Price | None:
    """Return a model's prices; None if they are not known."""
    try:
        return Price.model_validate(list_prices(profile_name(model), None))
    except ValueError:
        return None


def _summary(frame: pd.DataFrame) -> pd.DataFrame:
    columns = [*COLUMNS, "usd"]
    each = frame.groupby("request", sort=False)[columns]
    parts = [each.quantile(q).add_suffix(f"_{q * 100:.0f}") for q in (0.1, 0.5, 0.9)]
    return pd.concat(parts, axis=1).reset_index()


def is_request_prediction(path: Path) -> bool:
    """Return whether a Parquet file has draws of requests."""
    try:
        return _STORED in (pq.read_schema(path).metadata or {})
    except (OSError, ValueError):
        return False


def read_request_predictions(
    path: Path,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:
    """Return the draws, the requests to predict, and the requests used for the fit.

    Raises
    ------
    TeamsimError
        If the file is damaged.
    """
    draws = with_numbers(
        read_parquet(path, ["request", "draw", *COLUMNS]), path, COLUMNS, may_miss=False
    )
    if draws.groupby("request", sort=False).size().nunique() != 1:
        raise TeamsimError(f"{path} is damaged: its requests have not all as many draws")
    stored = stored_in(path, _STORED) or {}
    asked = pd.DataFrame(stored["asked"]["data"], columns=stored["asked"]["columns"])
    pilot = stored["pilot"]
    return (
        draws,
        asked,
        None if pilot is None else pd.DataFrame(pilot["data"], columns=pilot["columns"]),
    )
