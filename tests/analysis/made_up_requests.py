"""Calls of agents that work in loops, of known laws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from analysis.traces.canonical import CALLS

MODEL = "claude-opus-4-5-20251101"


def chat(start: float, seconds: float, finish: str | None, **fields: object) -> dict[str, object]:
    """Return a row of the canonical table: a call of a model."""
    return {
        "run_id": "s",
        "agent_id": "main",
        "operation_name": "chat",
        "response_model": MODEL,
        "start_ns": round(start * 1e9),
        "end_ns": round((start + seconds) * 1e9),
        "status": "ok",
        "finish_reason": finish,
        **fields,
    }


def tool(start: float, seconds: float, name: str, **fields: object) -> dict[str, object]:
    """Return a row of the canonical table: a call of a tool."""
    return {**chat(start, seconds, None), "operation_name": "execute_tool", "tool_name": name} | {
        **fields
    }


def canonical(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return a canonical table."""
    columns = {
        name: pd.array([row.get(name) for row in rows], dtype=kind) for name, kind in CALLS.items()
    }
    return pd.DataFrame(columns)


def made_requests(
    sessions: int, seed: int, model: str = MODEL, end: float = 0.2, pauses: float = 0.1
) -> pd.DataFrame:
    """Return the calls of sessions of five requests each, as a plain table of calls.

    Turns are geometric with probability `end`; tools take a lognormal time of median 8 s and sigma
    0.5, and with probability `pauses` there is a pause of median 200 s and sigma 1.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for session in range(sessions):
        now, context = 0.0, 20_000.0
        for _ in range(5):
            turns = rng.geometric(end)
            for turn in range(turns):
                output = max(1, round(200 * np.exp(0.6 * rng.standard_normal())))
                seconds = (1.2 + 0.016 * output) * np.exp(0.15 * rng.standard_normal())
                is_last = turn == turns - 1
                rows.append(
                    {
                        "session": f"s{session}",
                        "agent": "main",
                        "model": model,
                        "start_s": now,
                        "duration_s": seconds,
                        "input_tokens": round(context),
                        "cached_input_tokens": round(0.98 * context) if rows else 0,
                        "output_tokens": output,
                        "stop_reason": "end_turn" if is_last else "tool_use",
                    }
                )
                is_pause = rng.random() < pauses
                law = (200.0, 1.0) if is_pause else (8.0, 0.5)
                now += seconds + law[0] * np.exp(law[1] * rng.standard_normal())
                context += output + 500.0 * np.exp(rng.standard_normal())
    return pd.DataFrame(rows)


def write_calls(calls: pd.DataFrame, path: Path) -> Path:
    """Write a plain table of calls."""
    calls.to_csv(path, index=False)
    return path


def as_canonical(calls: pd.DataFrame) -> pd.DataFrame:
    """Return a plain table of `made_requests` as the canonical one."""
    rows = [
        chat(
            row["start_s"],
            row["duration_s"],
            row["stop_reason"],
            run_id=row["session"],
            response_model=row["model"],
            input_tokens=row["input_tokens"],
            cache_read_input_tokens=row["cached_input_tokens"],
            output_tokens=row["output_tokens"],
        )
        for row in calls.to_dict("records")
    ]
    return canonical(rows)
