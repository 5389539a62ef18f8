"""Replaces names in traces by neutral ones."""

from __future__ import annotations

import pandas as pd

from analysis.observation.costs import priced_as
from analysis.observation.roles import role_name, roles_by_agent, roles_of
from analysis.traces.canonical import Traces, model_of
from simulator.scenario.prices import list_prices

_NAMED = {
    "run-": ("run_id",),
    "session-": ("session_id",),
    "agent-": ("agent_id", "parent_agent_id", "src_agent_id", "dst_agent_id"),
    "tool-": ("tool_name",),
    "model-": ("response_model", "request_model", "model"),
    "task-": ("task_id", "needs"),
    "trace-": ("trace_id",),
    "span-": ("span_id", "parent_span_id"),
}
"""Columns whose names are replaced, with the prefix of the neutral names."""

_DROPPED = ("source", "call_id", "provider_name", "error_type", "msg_id", "parent_msg_id",
            "task_family", "team_topology")  # fmt: skip


def anonymised(traces: Traces) -> Traces:
    """Return traces whose names of runs, agents, roles, tools and models are neutral.

    Agents are numbered in each run in the order of their first call; those of the same name have
    the same role (``role-a``, ...), and so have those whose role only their ids tell. List
    prices of models are kept as numbers.
    """
    names: dict[str, dict[str, str]] = {prefix: {} for prefix in (*_NAMED, "role-")}

    def neutral(prefix: str, name: object) -> object:
        if pd.isna(name):  # type: ignore[call-overload]
            return pd.NA
        known = names[prefix]
        # A number at the end would be taken for that of an agent of one role.
        end = _letters(len(known)) if prefix == "role-" else str(len(known) + 1)
        return known.setdefault(str(name), f"{prefix}{end}")

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        said = {}
        for prefix, columns in _NAMED.items():
            for column in columns:
                if column in table:
                    said[column] = [neutral(prefix, each) for each in table[column]]
        for column in ("agent_name", "agent_role", "name", "role"):
            if column in table:
                said[column] = [neutral("role-", _kind(each)) for each in table[column]]
        said |= {column: [pd.NA] * len(table) for column in _DROPPED if column in table}
        return table.assign(
            **{name: pd.Series(v, dtype="string", index=table.index) for name, v in said.items()}
        )

    role = roles_by_agent(roles_of(traces.calls, traces.agents))
    keys = zip(traces.agents["run_id"], traces.agents["agent_id"], strict=True)
    roles = [role.get((str(run), str(agent)), pd.NA) for run, agent in keys]
    agents = traces.agents.assign(
        role=pd.Series(roles, dtype="string", index=traces.agents.index).fillna(
            traces.agents["role"]
        )
    )
    calls = renamed(traces.calls)
    models = set(model_of(traces.calls).dropna())
    prices = {
        hidden: list_prices(listed)
        for name, hidden in names["model-"].items()
        if name in models and (listed := priced_as(name)) is not None
    }
    return Traces(
        calls,
        renamed(traces.messages),
        renamed(traces.runs),
        renamed(agents),
        report=traces.report.without_places(),
        tasks=renamed(traces.tasks),
        prices=prices,
    )


def _kind(name: object) -> object:
    return name if pd.isna(name) else role_name(str(name))  # type: ignore[call-overload]


def _letters(n: int) -> str:
    """Return the letters of a number: a to z, then ba, bb, ..."""
    before = _letters(n // 26) if n >= 26 else ""
    return before + "abcdefghijklmnopqrstuvwxyz"[n % 26]
