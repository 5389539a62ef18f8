"""Finds the structure of a team: by who started or told whom, else by who worked when.

The structure of a run follows from the first of these that its trace has: agents that started
others, messages and hand-overs between agents, the times at which agents worked. The structure of
the team is that of most runs. Its confidence depends on how many runs have it, and on the kind of
evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import networkx as nx
import numpy as np
import pandas as pd

from analysis.observation.activity import Operations
from analysis.observation.roles import roles_by_agent
from analysis.observation.rounds import OVERLAP, in_rounds, turns_of
from analysis.observation.runs import Run
from analysis.observation.starts import starts_of
from analysis.observation.units import follows

SINGLE, LEAD, TREE, SUBAGENTS, PIPELINE, MESH, INDEPENDENT = (
    "single",
    "lead with workers",
    "tree",
    "sub-agents",
    "pipeline",
    "mesh",
    "independent",
)

_LEADS = ("lead", "coordinator", "orchestrator", "supervisor", "manager", "boss", "main", "planner",
          "director", "host", "router", "root", "triage")  # fmt: skip
"""Names of leads."""

STARTED, _TOLD, TIMES = "who started whom", "who told whom", "when agents worked"

_SURE = {STARTED: 0.95, _TOLD: 0.9, TIMES: 0.6}
"""Confidence in the structure of one run, by kind of evidence (a judgement, not an estimate)."""

_WITHIN = 0.8
"""Agents are sub-agents if at least this share of them began and ended within a tool's call."""

_LASTS = 0.8
"""Least share of the runs through a graph that go the same way in a pipeline."""


@dataclass(frozen=True)
class Structure:
    """The structure of a team.

    Attributes
    ----------
    kind : str
        `SINGLE`, `LEAD`, `TREE`, `SUBAGENTS`, `PIPELINE`, `MESH` or `INDEPENDENT`. Sub-agents are
        agents that others start with a tool, and that end before its call does.
    confidence : float
        0 to 1: the share of runs that have it, times how sure the evidence is.
    runs, agreeing : int
        Number of runs, and of those that have it.
    evidence : str
        Kind of evidence in most of these.
    lead : str
        Role of the lead; empty if there is none.
    order : tuple of str
        Roles of a pipeline's stages.
    in_rounds : bool
        Whether agents began their calls at the same moments.
    fan_out, depth : int
        Of agents that started others: most started by one, in the median run, and levels below
        the root.
    kinds : mapping of str to str
        Structure of each run.
    """

    kind: str
    confidence: float
    runs: int
    agreeing: int
    evidence: str
    lead: str = ""
    order: tuple[str, ...] = ()
    in_rounds: bool = False
    fan_out: int = 0
    depth: int = 0
    kinds: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _OfRun:
    kind: str
    evidence: str
    lead: str = ""
    order: tuple[str, ...] = ()
    fan_out: int = 0
    depth: int = 0
    above: frozenset[str] = frozenset()
    """Roles of agents that nobody has started, where some have started others."""


def find_structure(runs: Sequence[Run], roles: pd.DataFrame, messages: pd.DataFrame) -> Structure:
    """Return the structure of most runs.

    Parameters
    ----------
    runs : sequence of Run
    roles : DataFrame
        From `analysis.observation.roles.roles_of`.
    messages : DataFrame
        The canonical table.
    """
    role = roles_by_agent(roles)
    told = _told(messages)
    found, names = [], []
    for run in runs:
        names.append(
            {
                agent: role[run.name, agent]
                for agent in run.operations.agents
                if (run.name, agent) in role
            }
        )
        found.append(_of_run(run.operations, names[-1], told.get(run.name, [])))
    found = _with_none_started(found, [set(each.values()) for each in names])
    found = _with_lasting_leads(found, [set(each.values()) for each in names])
    found = _with_routes(found, [set(each.values()) for each in names])
    votes = Counter(each.kind for each in found)
    seconds = dict.fromkeys(votes, 0.0)
    for run, each in zip(runs, found, strict=True):
        seconds[each.kind] += run.operations.makespan_s
    # Of structures that as many runs have, the one with most of the time.
    kind = max(votes, key=lambda kind: (votes[kind], seconds[kind]), default=SINGLE)
    agreeing = votes[kind]
    same = [each for each in found if each.kind == kind]
    evidence = Counter(each.evidence for each in same).most_common(1)[0][0] if same else TIMES
    sure = float(np.mean([_SURE[each.evidence] for each in same])) if kind != SINGLE else 1.0
    middle = Counter((each.lead, each.order) for each in same).most_common(1)
    lead, order = middle[0][0] if middle else ("", ())
    return Structure(
        kind,
        sure * agreeing / len(found) if found else 0.0,
        len(found),
        agreeing,
        evidence if kind != SINGLE else "one agent made all calls",
        lead,
        order,
        kind != SUBAGENTS and
        in_rounds([run for run, each in zip(runs, found, strict=True) if each.kind == kind], lead,
                   role),
        _typical([each.fan_out for each in same]),
        _typical([each.depth for each in same]),
        {run.name: each.kind for run, each in zip(runs, found, strict=True)},
    )  # fmt: skip


def _typical(counts: Sequence[int]) -> int:
    """Return the median of the counts that are not 0; 0 if all are."""
    some = [count for count in counts if count]
    return int(np.median(some)) if some else 0


def _with_none_started(found: Sequence[_OfRun], roles: Sequence[Collection[str]]) -> list[_OfRun]:
    """Take runs in which agents that may start sub-agents started none for runs with sub-agents."""
    above = {role for each in found if each.kind == SUBAGENTS for role in each.above}
    return [
        replace(each, kind=SUBAGENTS, evidence=STARTED, order=(), lead=min(mine))
        if each.kind in (SINGLE, INDEPENDENT, PIPELINE) and mine and set(mine) <= above
        else each
        for each, mine in zip(found, roles, strict=True)
    ]


def _with_lasting_leads(found: Sequence[_OfRun], roles: Sequence[Collection[str]]) -> list[_OfRun]:
    """Take a lead that messages show for chance, unless it leads most runs that it is in.

    Of few agents that tell each other at random, one often has part in most messages of a run.
    """
    told = [each.evidence == _TOLD and each.kind in (LEAD, MESH) for each in found]
    there = Counter(role for mine, is_told in zip(roles, told, strict=True) if is_told
                    for role in mine)  # fmt: skip
    leads = Counter(each.lead for each, is_told in zip(found, told, strict=True) if is_told)
    return [
        _OfRun(MESH, _TOLD)
        if is_told and each.kind == LEAD and 2 * leads[each.lead] <= there[each.lead]
        else each
        for each, is_told in zip(found, told, strict=True)
    ]


def _with_routes(found: Sequence[_OfRun], roles: Sequence[Collection[str]]) -> list[_OfRun]:
    """Take runs that went one way through a graph with several for runs through this graph.

    Where a reviewer sends work back, or a router chooses who works next, a run in which this did
    not happen looks like a pipeline, or one agent alone. A pipeline has one order that lasts.
    """
    is_graph = [
        each.kind == MESH or (each.kind == LEAD and each.evidence != STARTED) for each in found
    ]
    is_line = [each.kind == PIPELINE for each in found]
    orders = Counter(each.order for each in found if each.kind == PIPELINE)
    if max(orders.values(), default=0) >= _LASTS * (sum(is_graph) + sum(is_line)):
        return list(found)
    some = [i for i in range(len(found)) if is_graph[i] or is_line[i]]
    there = {role for i in some for role in roles[i]}
    ways = Counter((found[i].kind, found[i].lead) for i in some if is_graph[i])
    kind, lead = ways.most_common(1)[0][0] if ways else (MESH, "")
    return [
        replace(each, kind=kind, order=(), lead=lead)
        if lead in ("", *mine)
        and (each.kind == PIPELINE or (each.kind == SINGLE and mine and set(mine) <= there))
        else each
        for each, mine in zip(found, roles, strict=True)
    ]


def _told(messages: pd.DataFrame) -> dict[str, list[tuple[str, str]]]:
    """Return who told whom in each run, without messages only inferred from nesting."""
    said = messages[~messages["inferred"].fillna(False).astype(bool)]
    said = said.dropna(subset=["src_agent_id", "dst_agent_id"])
    found: dict[str, list[tuple[str, str]]] = {}
    for run, source, target in zip(
        said["run_id"], said["src_agent_id"], said["dst_agent_id"], strict=True
    ):
        found.setdefault(str(run), []).append((str(source), str(target)))
    return found


def _of_run(run: Operations, roles: Mapping[str, str], told: Sequence[tuple[str, str]]) -> _OfRun:
    if len(roles) <= 1:
        return _OfRun(SINGLE, TIMES)
    parents = {run.agents[child]: run.agents[parent] for child, parent in run.parents.items()}
    parents = {child: top for child, top in parents.items() if child in roles and top in roles}
    over = _handed_over(run, parents, told)
    parents = {child: top for child, top in parents.items() if child not in over}
    if len(parents) >= (len(roles) - 1) / 2:
        return _by_parents(parents, roles, run)
    edges = [(a, b) for a, b in told if a in roles and b in roles and a != b]
    if edges:
        return _by_messages(edges, roles, run)
    return _by_times(run, roles)


def _handed_over(
    run: Operations, parents: Mapping[str, str], told: Sequence[tuple[str, str]]
) -> set[str]:
    """Return the agents that got the work of those above them, who then did no more."""
    place = {agent: i for i, agent in enumerate(run.agents)}
    rows = {agent: run.agent == i for agent, i in place.items()}
    lives = {
        agent: (float(run.start[mine].min()), float(run.end[mine].max()))
        for agent, mine in rows.items()
    }
    return {
        child
        for child, top in parents.items()
        if (top, child) in told and follows(lives[child][0], lives[top])
    }


def _by_parents(parents: Mapping[str, str], roles: Mapping[str, str], run: Operations) -> _OfRun:
    graph = nx.DiGraph([(parent, child) for child, parent in parents.items()])
    if not nx.is_directed_acyclic_graph(graph):
        return _OfRun(MESH, STARTED)
    depth = int(nx.dag_longest_path_length(graph))
    fan_out = max(graph.out_degree(node) for node in graph)
    top = max(graph, key=lambda node: (graph.out_degree(node), node))
    within = {run.agents[child] for child in starts_of(run)}
    below = {roles[child] for child in parents}
    above = {role for agent, role in roles.items() if agent not in parents}
    if len(within) >= _WITHIN * len(parents) and not below & above:
        kind = SUBAGENTS
    else:
        kind = LEAD if depth == 1 else TREE
    return _OfRun(kind, STARTED, roles[top], (), fan_out, depth, frozenset(above))


def _by_messages(
    edges: Sequence[tuple[str, str]], roles: Mapping[str, str], run: Operations
) -> _OfRun:
    graph = nx.DiGraph(edges)
    n = len(roles)
    hubs = [
        node
        for node in graph
        if sum(node in edge for edge in edges) >= 0.8 * len(edges)
        and graph.in_degree(node) > 0
        and graph.out_degree(node) > 0
    ]
    is_line = all(graph.out_degree(v) <= 1 and graph.in_degree(v) <= 1 for v in graph)
    if is_line and nx.is_directed_acyclic_graph(graph):
        order = [roles[node] for node in nx.topological_sort(graph)]
        return _OfRun(PIPELINE, _TOLD, order=tuple(order))
    leads = [node for node in hubs if is_leads(roles[node])]
    if hubs and (n > 2 or leads):
        lead = (leads or hubs)[0]
        return _OfRun(LEAD, _TOLD, roles[lead], (), graph.out_degree(lead), 1)
    return _OfRun(MESH, _TOLD)


def _by_times(run: Operations, roles: Mapping[str, str]) -> _OfRun:
    spans = []
    for place, agent in enumerate(run.agents):
        mine = np.flatnonzero(run.agent == place)
        if agent in roles and len(mine):
            spans.append((float(run.start[mine].min()), float(run.end[mine].max()), agent))
    spans.sort()
    overlap = sum(max(0.0, before[1] - after[0]) for before, after in pairwise(spans))
    if overlap <= OVERLAP * sum(end - start for start, end, _ in spans):
        return _OfRun(PIPELINE, TIMES, order=tuple(roles[agent] for _, _, agent in spans))
    turns = turns_of(run, roles)
    if turns is None:
        leads = [agent for agent in roles if is_leads(roles[agent])]
        is_led = len(leads) == 1 and _comes_back(leads[0], spans)
    else:
        leads = [agent for agent in roles if all(agent in pair for pair in pairwise(turns))]
        leads = [agent for agent in leads if is_leads(roles[agent])] or leads
        is_led = len(leads) == 1
    if is_led:
        return _OfRun(LEAD, TIMES, roles[leads[0]], (), len(roles) - 1, 1)
    return _OfRun(INDEPENDENT if turns is None else MESH, TIMES)


def _comes_back(lead: str, spans: Sequence[tuple[float, float, str]]) -> bool:
    """Tell whether an agent was still there when another had ended: one that only began is none."""
    until = next(end for _, end, agent in spans if agent == lead)
    return any(end < until for _, end, agent in spans if agent != lead)


def is_leads(role: str) -> bool:
    """Tell whether a role is called as leads are."""
    return any(word in role.replace("_", "-").split("-") for word in _LEADS)
