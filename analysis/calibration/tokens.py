"""Fits what replies read and write to the token totals of runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize

from analysis.calibration.rounding import four_digits
from simulator.distributions import Floats


@dataclass(frozen=True, slots=True)
class TokenFit:
    """Tokens of a call: what it reads before anything was said, keeps, and writes."""

    system: float
    """Input tokens of an agent's first call."""
    retention: float
    """Share of what was read and written that the next call reads again."""
    message: float
    """Tokens of a message to the others."""
    output: float
    """Median output tokens of a reply, tasks and message apart."""
    per_task: float
    """Output tokens for each task attempted."""
    run_sigma: float
    """Standard deviation between runs of the log of `output`."""
    input_error: float
    """Standard deviation of the log of a run's input tokens around the fit."""

    def spec(self) -> dict[str, Any]:
        """Return ``tokens`` and ``context`` as a scenario says them."""
        output: dict[str, Any] = {"kind": "deterministic", "value": four_digits(self.output)}
        if self.run_sigma > 0.005:
            output["run_sigma"] = four_digits(self.run_sigma)
        return {
            "tokens": {
                "output": output,
                "per_work_unit": four_digits(self.per_task),
                "message": four_digits(self.message),
            },
            "context": {
                "system_tokens": four_digits(self.system),
                "board_tokens_per_task": 0,
                "retention": four_digits(self.retention),
            },
        }


def fit_tokens(runs: pd.DataFrame, attempts: pd.Series) -> TokenFit:
    """Fit the token model of `simulator.model.agent` to run totals.

    A call reads ``system + kept + (n - 1) message`` tokens, and keeps the share `retention` of
    what it had kept, heard and written. Least squares on the logarithm of the totals with a
    soft-L1 loss.

    Parameters
    ----------
    runs : DataFrame
        Columns ``run_dir, n_teammates, calls, total_input_tokens, total_output_tokens``.
    attempts : Series
        Tasks attempted in each run, by ``run_dir``.
    """
    n = runs["n_teammates"].to_numpy(dtype=np.int64)
    calls = runs["calls"].to_numpy(dtype=float)
    inputs = np.maximum(runs["total_input_tokens"].to_numpy(dtype=float), 1.0)
    outputs = np.maximum(runs["total_output_tokens"].to_numpy(dtype=float), 1.0)
    tried = attempts.reindex(runs["run_dir"]).to_numpy(dtype=float)

    def misread(parameters: Floats) -> Floats:
        system, retention, message = parameters
        totals = _input_totals(system, retention, message, n, calls, outputs / calls)
        return np.asarray(np.log(totals) - np.log(inputs))

    start = np.asarray([1000.0, 0.8, 50.0])
    bounds = ([10.0, 0.0, 0.0], [1e5, 0.999, float((outputs / calls).min())])
    start[2] = min(start[2], 0.5 * bounds[1][2])
    read = optimize.least_squares(
        misread, start, bounds=bounds, x_scale=[1e3, 1, 1e2], loss="soft_l1", f_scale=0.3
    )
    system, retention, message = (float(x) for x in read.x)
    spoken = np.where(n > 1, message, 0.0) * calls

    def miswritten(parameters: Floats) -> Floats:
        totals = parameters[0] * calls + parameters[1] * tried + spoken
        return np.asarray(np.log(totals) - np.log(outputs))

    typical = float(np.median(outputs / calls))
    write = optimize.least_squares(
        miswritten,
        np.asarray([0.5 * typical, 0.1 * typical]),
        bounds=([1.0, 0.0], [np.inf, np.inf]),
        loss="soft_l1",
        f_scale=0.3,
    )
    return TokenFit(
        system=system,
        retention=retention,
        message=message,
        output=float(write.x[0]),
        per_task=float(write.x[1]),
        run_sigma=_spread(miswritten(write.x)),
        input_error=_spread(misread(read.x)),
    )


def _input_totals(
    system: float,
    retention: float,
    message: float,
    n: npt.NDArray[np.int64],
    calls: Floats,
    output: Floats,
) -> Floats:
    """Return the input tokens of whole runs in which every agent makes its share of the calls."""
    rounds = np.maximum(1, np.round(calls / n)).astype(int)
    heard = (n - 1) * message
    kept, total = np.zeros_like(calls), np.zeros_like(calls)
    for i in range(int(rounds.max())):
        unread = heard if i else 0.0 * heard
        going_on = rounds > i
        total += np.where(going_on, system + kept + unread, 0.0)
        kept = retention * (kept + unread + output)
    return n * total


def _spread(residuals: Floats) -> float:
    """Return a robust standard deviation (Rousseeuw & Croux 1993: 1.4826 MAD)."""
    return float(1.4826 * np.median(np.abs(residuals - np.median(residuals))))
