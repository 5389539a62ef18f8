"""What the names of Claude Code's files tell: of which session and sub-agent they are."""

from __future__ import annotations

from pathlib import Path

from analysis.traces.archives import stem_of
from analysis.traces.source import COMPRESSIONS, Source
from analysis.traces.values import pick, text
from simulator.errors import TeamsimError

_AGENT = "agent-"
_ENDS = ("", *COMPRESSIONS)


def session_of(path: Path) -> str:
    """Return the session of a file whose lines do not name it."""
    return path.parent.parent.name if path.parent.name == "subagents" else stem_of(path)


def agent_of(path: Path) -> str | None:
    """Return the sub-agent of a file; None of a session's own."""
    stem = stem_of(path)
    return stem.removeprefix(_AGENT) if stem.startswith(_AGENT) else None


def files_of_agents(directory: Path, inside: bool) -> list[Path]:
    """Return the files of sub-agents in a directory, or also in those `inside` it."""
    search = directory.rglob if inside else directory.glob
    return sorted(each for end in _ENDS for each in search(f"{_AGENT}*.jsonl{end}"))


def role_beside(path: Path) -> dict[str, str]:
    """Return the type of a sub-agent from the small file beside its own."""
    agent = agent_of(path)
    beside = (path.with_name(f"{stem_of(path)}.meta.json{end}") for end in _ENDS)
    found = next((each for each in beside if each.is_file()), None)
    if agent is None or found is None:
        return {}
    try:
        rows = Source(found, str(found)).head.rows
    except TeamsimError:
        return {}
    role = text(pick(next(iter(rows), {}), "agentType", "name"))
    return {} if role is None else {agent: role}
