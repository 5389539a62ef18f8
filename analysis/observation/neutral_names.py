"""Replaces names in traces by neutral ones, so that the twin stays what it is.

A twin depends on names in few ways: on their order in the alphabet, on the roles that names of
agents have in common, on words that leads are called by, and on what names of models have in
common. Neutral names keep these, and nothing else. The twin's random numbers depend on the names
themselves: what the neutral ones stand for stays in memory, for its runs (`TrueNames`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pandas as pd

from analysis.calibration.between_turns import BETWEEN_TURNS
from analysis.calibration.loops import PAUSE
from analysis.calibration.profile_names import profile_name
from analysis.calibration.requests import UNNAMED
from analysis.observation.costs import priced_as
from analysis.observation.roles import role_name
from analysis.observation.structure import is_leads
from analysis.traces.canonical import Traces, model_of
from simulator.scenario.prices import list_prices

Names = Mapping[str, str]
"""Neutral names, by the names that they replace."""

_NUMBERED = {
    "run-": ("run_id",),
    "session-": ("session_id",),
    "tool-": ("tool_name",),
    "task-": ("task_id", "needs"),
    "trace-": ("trace_id",),
    "span-": ("span_id", "parent_span_id"),
}
"""Columns whose names are replaced by numbers, with the prefix of the neutral names."""

_AGENTS = ("agent_id", "parent_agent_id", "src_agent_id", "dst_agent_id")
_ROLES = ("agent_name", "agent_role", "name", "role")
_MODELS = ("response_model", "request_model", "model")

_NEUTRAL_TOOLS = (UNNAMED, PAUSE, BETWEEN_TURNS)
"""Names that a twin gives to what stands for tools: they mean the same in traces of its runs."""

_ID_DIGITS = 6
"""Digits of an agent's neutral name: so many that it is an id, which tells no role."""

_DROPPED = ("source", "call_id", "provider_name", "error_type", "msg_id", "parent_msg_id",
            "task_family", "team_topology")  # fmt: skip


def anonymised(traces: Traces) -> Traces:
    """Return traces whose names of runs, agents, roles, tools, tasks and models are neutral.

    Names are numbered in the order of the alphabet. Agents of one role keep one (``role-a``, ...),
    also where only their ids tell it; what leads are called by ends in ``-lead``. List prices of
    models are kept as numbers.
    """
    agents = traces.agents.assign(role=_told_roles(traces.agents))
    tables = [traces.calls, traces.messages, traces.runs, agents, traces.tasks]
    columns: dict[str, Names] = {}
    for prefix, some in _NUMBERED.items():
        columns |= dict.fromkeys(some, _numbered(_names_in(tables, some), prefix))
    columns["tool_name"] = {**columns["tool_name"], **{name: name for name in _NEUTRAL_TOOLS}}
    columns |= dict.fromkeys(_AGENTS, _numbered(_names_in(tables, _AGENTS), "agent-", _ID_DIGITS))
    columns |= dict.fromkeys(_ROLES, _neutral_roles(_names_in(tables, _ROLES)))
    models = _neutral_models(_names_in(tables, _MODELS))
    columns |= dict.fromkeys(_MODELS, models)
    calls, messages, runs, agents, tasks = (_renamed(table, columns) for table in tables)
    priced = {name: priced_as(name) for name in model_of(traces.calls).dropna().unique()}
    return Traces(
        calls,
        messages,
        runs,
        agents,
        report=traces.report.without_places(),
        tasks=tasks,
        prices={models[name]: list_prices(to) for name, to in priced.items() if to is not None},
        called=_meant(columns),
    )


def _meant(columns: Mapping[str, Names]) -> dict[str, str]:
    """Return what the neutral names that a scenario may have stand for."""
    tools = {neutral: name for name, neutral in columns["tool_name"].items() if neutral != name}
    roles = {neutral: role_name(name) for name, neutral in columns["role"].items()}
    models = {
        profile_name(neutral): profile_name(name) for name, neutral in columns["model"].items()
    }
    families = {_family(neutral): _family(name) for name, neutral in columns["model"].items()}
    return {**tools, **roles, **models, **families}


def _told_roles(agents: pd.DataFrame) -> pd.Series:
    """Return what tells the role of each agent: its role, else its name, else its id."""
    return agents["role"].fillna(agents["name"]).fillna(agents["agent_id"])


def _names_in(tables: Iterable[pd.DataFrame], columns: Sequence[str]) -> list[str]:
    """Return the names in some columns of all tables, in the order of the alphabet."""
    found = [table[column] for table in tables for column in columns if column in table]
    return sorted({str(name) for each in found for name in each.dropna().unique()})


def _renamed(table: pd.DataFrame, columns: Mapping[str, Names]) -> pd.DataFrame:
    said = {
        column: table[column].astype("string").map(names, na_action="ignore").astype("string")
        for column, names in columns.items()
        if column in table
    }
    gone = {column: pd.array([pd.NA] * len(table), "string") for column in _DROPPED
            if column in table}  # fmt: skip
    return table.assign(**said, **gone)


def _numbered(names: Sequence[str], prefix: str, digits: int = 1) -> dict[str, str]:
    """Return names that are numbered in their order, which is that of the alphabet, too."""
    width = max(digits, len(str(len(names))))
    return {name: f"{prefix}{i:0{width}d}" for i, name in enumerate(names, start=1)}


def _lettered(names: Sequence[str], prefix: str) -> dict[str, str]:
    """Return names with letters in their order: a number at the end would be no part of a role."""
    width = len(_letters(max(0, len(names) - 1)))
    return {name: prefix + _letters(i).rjust(width, "a") for i, name in enumerate(names)}


def _letters(n: int) -> str:
    """Return the letters of a number: a to z, then ba, bb, ..."""
    before = _letters(n // 26) if n >= 26 else ""
    return before + "abcdefghijklmnopqrstuvwxyz"[n % 26]


def _neutral_roles(names: Sequence[str]) -> dict[str, str]:
    """Return the neutral role of each name that tells one; ids tell none, and have none."""
    told = {name: role for name in names if (role := role_name(name))}
    lettered = _lettered(sorted(set(told.values())), "role-")
    ends = {role: "-lead" if is_leads(role) else "" for role in lettered}
    return {name: lettered[role] + ends[role] for name, role in told.items()}


def _neutral_models(names: Sequence[str]) -> dict[str, str]:
    """Return the neutral name of each model.

    Models that would give their helpers one role have the same letter, those of one profile the
    same number, too; further ones of the same profile end as a date does.
    """
    families = _lettered(_kinds(names, _family), "model-")
    found: dict[str, str] = {}
    for family, letter in families.items():
        profiles = _kinds([name for name in names if _family(name) == family], profile_name)
        for number, profile in enumerate(profiles, start=1):
            same = [name for name in names if profile_name(name) == profile]
            dates = ["", *(f"-{day:08d}" for day in range(1, len(same)))]
            found |= {n: f"{letter}-{number}{date}" for n, date in zip(same, dates, strict=True)}
    return found


def _family(model: str) -> str:
    return role_name(profile_name(model))


def _kinds(names: Iterable[str], kind: Callable[[str], str]) -> list[str]:
    """Return what some names have in common, in the order of the alphabet."""
    return sorted({kind(name) for name in names})
