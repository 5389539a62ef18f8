"""Finds agents that do the same job, by their names without numbers and ids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.calibration.cell import safe_name
from analysis.traces.canonical import CHATS

MAIN, SUB, AGENT = "main", "sub-agent", "agent"
"""Roles of agents without a meaningful name: top agents, sub-agents, and an agent alone."""

_MOST_ROLES = 8
"""With more names than this, roles are found by who started whom."""

_ID = re.compile(r"[0-9a-f]{6,}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER = re.compile(r"[\s_\-#.:/]*\d+$")


def role_name(name: str) -> str:
    """Return the role in an agent's name: ``worker`` for ``worker 3``; empty for an id."""
    short = name.strip().lower()
    if _ID.fullmatch(short.removeprefix("agent-")) and any(c.isdigit() for c in short):
        return ""
    before = None
    while before != short:
        before, short = short, _NUMBER.sub("", short)
    return safe_name(short).strip("-_.") if short else ""


def roles_of(calls: pd.DataFrame, agents: pd.DataFrame) -> pd.DataFrame:
    """Return the agents that made calls, with their roles.

    Parameters
    ----------
    calls, agents : DataFrame
        Canonical tables.

    Returns
    -------
    DataFrame
        A row an agent of a run: ``run_id, agent_id, name, parent, depth, role``. An agent that
        has no id is called ``agent``.
    """
    chats = calls[calls["operation_name"].isin(CHATS)]
    found = pd.DataFrame(
        {"run_id": chats["run_id"].astype(str), "agent_id": named_agents(chats["agent_id"])}
    ).drop_duplicates(ignore_index=True)
    known = agents.assign(
        run_id=agents["run_id"].astype(str), agent_id=agents["agent_id"].astype(str)
    )
    columns = ["run_id", "agent_id", "name", "role", "parent_agent_id", "depth"]
    found = found.merge(
        known[columns].drop_duplicates(["run_id", "agent_id"]),
        how="left",
        on=["run_id", "agent_id"],
    )
    named = found["role"].fillna(found["name"]).fillna(found["agent_id"]).astype(str)
    roles = [role_name(each) for each in named]
    is_below = found["parent_agent_id"].notna().to_numpy(dtype=bool)
    if len(set(roles)) > _MOST_ROLES:
        roles = [SUB if below else MAIN for below in is_below]
    fallback = [SUB if below else MAIN for below in is_below]
    roles = [role or other for role, other in zip(roles, fallback, strict=True)]
    return pd.DataFrame(
        {
            "run_id": found["run_id"],
            "agent_id": found["agent_id"],
            "name": found["name"].fillna(found["agent_id"]).astype(str),
            "parent": found["parent_agent_id"].astype("string"),
            "depth": found["depth"].fillna(0).astype(int),
            "role": roles,
        }
    )


def named_agents(agents: pd.Series) -> pd.Series:
    """Return ids of agents; ``agent`` where there is none."""
    return agents.astype("string").fillna(AGENT).astype(str)


def roles_by_agent(roles: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the role of each agent of `roles_of`, by run and agent."""
    keys = zip(roles["run_id"], roles["agent_id"], strict=True)
    return dict(zip(keys, roles["role"], strict=True))


def named_roles(
    runs: pd.Series, agents: pd.Series, roles: Mapping[tuple[str, str], str]
) -> list[str]:
    """Return the role of the agent of each row; empty where it has none.

    Parameters
    ----------
    runs, agents : Series, shape (n,)
        Ids; an agent that has no id is called ``agent``.
    roles : mapping
        From `roles_by_agent`.
    """
    keys = zip(runs.astype(str), named_agents(agents), strict=True)
    return [roles.get(key, "") for key in keys]


def typical(values: Sequence[float] | pd.Series) -> int:
    """Return the median of some counts, at least 1."""
    return max(1, round(float(np.median(np.asarray(values, dtype=float))))) if len(values) else 1
