"""What ``predict --requests`` does and prints, and ``validate`` for predicted requests."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.calibration.request_model import RequestModel
from analysis.calibration.requests import find_requests
from analysis.traces.named_tables import read_csv, read_parquet, with_numbers
from analysis.validation.request_prediction import (
    PILOT,
    is_request_prediction,
    predict_requests,
    read_request_predictions,
    read_requests,
)
from analysis.validation.request_scores import SCORED, SUMMED, score_requests
from simulator.cli.harmless import complain, say_words
from simulator.cli.json_output import print_validated
from simulator.cli.reading import traces_of
from simulator.cli.terminal import check_parquet_writable, make_directory, print_frame, progress_bar
from simulator.errors import TeamsimError

_SHOWN = 10
"""Most requests in the printed table."""


def predict(directory: Path, requests: Path, out: Path, draws: int, seed: int) -> None:
    """Simulate requests and write a row a draw."""
    check_parquet_writable(out)
    model = RequestModel.read(directory)
    asked = read_requests(requests, model)
    pilot = None
    if (directory / PILOT).is_file():
        numbers = ["turns", "context_tokens", *SCORED]
        pilot = read_parquet(directory / PILOT, ["request", *numbers], numbers)
    with progress_bar("requests") as progress:
        table = predict_requests(model, asked, draws, pilot, out, progress, seed)
    shown = pd.DataFrame({"request": table["request"].astype(str)})
    for name in ("seconds", "llm_s", "input_tokens", "output_tokens", "usd"):
        digits = 3 if name == "usd" else 0
        shown[name] = [
            "no price"
            if pd.isna(middle)
            else f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"
            for low, middle, high in zip(
                table[f"{name}_10"], table[f"{name}_50"], table[f"{name}_90"], strict=True
            )
        ]
    print_frame(shown.head(_SHOWN), list(shown.columns))
    if len(shown) > _SHOWN:
        say_words(f"... and {len(shown) - _SHOWN} more")
    unpriced = sorted(set(asked.loc[table["usd_50"].isna().to_numpy(), "model"]))
    if unpriced:
        complain(f"note: no price is known of {', '.join(unpriced)}: usd is missing there")
    say_words(f"medians and 80 % intervals; {draws} draws of {len(asked)} requests in {out}")


def is_of_requests(path: Path) -> bool:
    """Return whether a file has predicted requests."""
    return is_request_prediction(path)


def validate(predictions: Path, calls: Path, out: Path | None, as_json: bool = False) -> None:
    """Score predicted requests, print the table and write it."""
    draws, asked, pilot = read_request_predictions(predictions)
    scores = score_requests(draws, asked, pilot, _truth(calls))
    where = out or predictions.parent
    path = where / "requests_validation.csv"
    make_directory(where)
    try:
        scores.table.to_csv(path, index=False)
    except OSError as error:
        raise TeamsimError(f"{path} cannot be written: {error.strerror}") from None
    if as_json:
        print_validated("requests", scores.table, requests=scores.requests, sums=scores.sums)
        return
    print_frame(scores.table, list(scores.table.columns))
    print_frame(scores.sums, list(scores.sums.columns))
    say_words(
        f"{scores.requests} of {len(asked)} requests: mean CRPS of logarithms (less is better) and "
        f"coverage of 80 % intervals, in {path}; 95 % intervals of coverage and ratios are over "
        "sessions"
    )


def _truth(path: Path) -> pd.DataFrame:
    """Return the requests in a table of requests, or found in traces."""
    if path.suffix in (".csv", ".parquet") and path.is_file():
        table = _table(path)
        if table is not None:
            return table
    with traces_of([path], "auto", {}, strict=False) as traces:
        return find_requests(traces.calls).named()


def _table(path: Path) -> pd.DataFrame | None:
    """Return a file that is a table of requests, else None."""
    table = read_csv(path) if path.suffix == ".csv" else read_parquet(path, [])
    if not {"request", *SCORED} <= set(table.columns):
        return None
    table = with_numbers(table, path, SCORED, may_miss=False)
    return with_numbers(table, path, SUMMED)
