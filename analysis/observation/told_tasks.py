"""The work of a run as the trace tells it: its tasks, and which wait for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from analysis.calibration.rounding import four_digits
from analysis.observation.arrivals import LEAST_SHARE, SHORTEST_S
from analysis.observation.runs import Run
from analysis.observation.structure import PIPELINE, Structure
from analysis.observation.units import Unit
from analysis.observation.workload import IN_TURN, Work, is_chain
from analysis.traces.canonical import TASKS
from simulator.words import percent

_MOST = 0.5
"""The tasks are used if the trace tells them of at least this share of the runs."""


Roles = Mapping[tuple[str, str], str]
"""Role of each agent, by run and agent."""

Doers = Mapping[str, Mapping[str, Any]]
"""Who does each task of which that is known: a role, and a number if it has several."""


def told_workload(
    structure: Structure, runs: Sequence[Run], tasks: pd.DataFrame, roles: Roles
) -> Work | None:
    """Return the tasks of a typical run, each with those that it waits for, and who does it.

    Of the graphs with the median number of tasks it is the one that most runs have. None if the
    trace tells of no dependencies in most runs, or if the team is a pipeline, whose stages say
    more than its tasks do.

    Parameters
    ----------
    structure : Structure
    runs : sequence of Run
    tasks : DataFrame
        The canonical table.
    roles : mapping
    """
    graphs = _graphs(tasks, {run.name for run in runs})
    if structure.kind == PIPELINE or len(graphs) < max(1.0, _MOST * len(runs)):
        return None
    middle = float(np.median([len(graph) for graph in graphs]))
    least = min(abs(len(graph) - middle) for graph in graphs)
    near = [graph for graph in graphs if abs(len(graph) - middle) == least]
    shapes = Counter(_shape(graph) for graph in near)
    (shape, alike), *_ = shapes.most_common(1)
    graph = next(each for each in near if _shape(each) == shape)
    said = (
        f"tasks and what they wait for, as the trace tells them of {len(graphs)} of {len(runs)} "
        f"runs; {alike} have this graph"
    )
    by_name = {run.name: run for run in runs}
    doers = _doers(graph, by_name[graph.graph["run"]], roles)
    same = [each for each in near if each is not graph and set(each) == set(graph)]
    doers = _lasting(doers, [_doers(each, by_name[each.graph["run"]], roles) for each in same])
    spec = {"kind": "dag", "tasks": _listed(graph, doers)}
    return Work(spec, said, len(graph), is_certain=True, is_dealt=len(doers) == len(graph))


def _lasting(doers: Doers, others: Sequence[Doers]) -> Doers:
    """Return who does each task, as far as it is the same in other runs of the same tasks.

    Where agents claim tasks, another one has each in every run: these are nobody's. Where only
    the roles last, these are said.

    Parameters
    ----------
    doers : mapping
        Of each task of the run that is used.
    others : sequence of mapping
        The same of other runs with tasks of these names; without any, all is taken to last.
    """

    def last(fields: Sequence[str]) -> bool:
        alike = [
            all(mine.get(name) == each.get(task, {}).get(name) for name in fields)
            for each in others
            for task, mine in doers.items()
        ]
        return float(np.mean(alike)) >= IN_TURN if alike else True

    if last(("family", "worker")):
        return doers
    several = len({mine["family"] for mine in doers.values()}) > 1
    if several and last(("family",)):
        return {task: {"family": mine["family"]} for task, mine in doers.items()}
    return {}


def turn_workload(
    runs: Sequence[Run], units: Mapping[str, Sequence[Unit]], roles: Roles
) -> Work | None:
    """Return the tasks of the median run as a chain, if agents of several roles work in turn.

    If nobody works for a good part of the runs, what is begun after such a pause arrives when it
    was begun: people have given it then. None if in too many runs some work at once.
    """
    known = [run for run in runs if units[run.name]]
    chained = [run for run in known if is_chain(units[run.name])]
    if len(chained) < IN_TURN * len(known) or not chained:
        return None
    chained.sort(key=lambda run: len(units[run.name]))
    count = len(units[chained[(len(chained) - 1) // 2].name])
    alike = [run for run in chained if len(units[run.name]) == count]
    alike.sort(key=lambda run: run.operations.makespan_s)
    middle = alike[(len(alike) - 1) // 2]
    graph: nx.DiGraph[str] = nx.DiGraph(run=middle.name)
    for i, unit in enumerate(sorted(units[middle.name], key=lambda each: each.start_s)):
        graph.add_node(f"{i:09d}", agent=middle.operations.agents[unit.agent])
        graph.add_edges_from([(f"{i - 1:09d}", f"{i:09d}")] if i else [])
    doers = _doers(graph, middle, roles)
    if len({doer["family"] for doer in doers.values()}) < 2:
        return None
    said = (
        f"one after another in {len(chained)} of {len(known)} runs: as in the run with the median "
        "number of units"
    )
    shares = [
        sum(_waits(units[run.name]).values()) / max(run.operations.makespan_s, 1e-9)
        for run in chained
    ]
    listed: dict[str, dict[str, Any]] = {task: dict(doer) for task, doer in doers.items()}
    if float(np.median(shares)) >= LEAST_SHARE:
        begins = [unit.start_s for unit in sorted(units[middle.name], key=lambda u: u.start_s)]
        for i in _waits(units[middle.name]):
            listed.setdefault(f"{i:09d}", {})["arrival_s"] = four_digits(begins[i])
        said += f"; in the median one nobody worked for {percent(float(np.median(shares)))} of it"
    spec = {"kind": "dag", "tasks": _listed(graph, listed)}
    return Work(spec, said, len(graph), is_certain=True, is_dealt=len(doers) == len(graph))


def _waits(units: Sequence[Unit]) -> dict[int, float]:
    """Return for how long nobody had worked before units, by their place, if that is long."""
    found: dict[int, float] = {}
    reached = np.inf
    for i, unit in enumerate(sorted(units, key=lambda each: each.start_s)):
        if unit.start_s - reached >= SHORTEST_S:
            found[i] = unit.start_s - reached
        reached = max(unit.end_s, reached) if i else unit.end_s
    return found


def handed_over(
    messages: pd.DataFrame, runs: Sequence[Run], units: Mapping[str, Sequence[Unit]]
) -> pd.DataFrame:
    """Return tasks as hand-overs tell them: each agent's one piece of work needs those before it.

    Parameters
    ----------
    messages : DataFrame
        The canonical table.
    runs : sequence of Run
    units : mapping
        Units of work of each run's workers. Runs in which an agent has several are left out: which
        of them a message belongs to is not known.

    Returns
    -------
    DataFrame
        As the canonical table of tasks, the agents' ids as those of tasks.
    """
    said = messages[(messages["kind"] == "handoff") & ~messages["inferred"].fillna(False)]
    told = dict(iter(said.groupby("run_id")))
    rows = []
    for run in runs:
        agents = [run.operations.agents[unit.agent] for unit in units[run.name]]
        if run.name not in told or len(set(agents)) < len(agents):
            continue
        pairs = told[run.name][["dst_agent_id", "src_agent_id"]].drop_duplicates()
        edges = [(b, a) for b, a in pairs.itertuples(index=False) if {a, b} <= set(agents)]
        rows += [(run.name, agent, agent, None) for agent in agents]
        rows += [(run.name, after, after, before) for after, before in edges]
    return pd.DataFrame(rows, columns=list(TASKS)).astype(TASKS)


def _graphs(tasks: pd.DataFrame, runs: set[str]) -> list[nx.DiGraph[str]]:
    """Return the graph of each run that has dependencies; none if they go in a circle."""
    found = []
    for run, rows in tasks.groupby("run_id", sort=False):
        graph: nx.DiGraph[str] = nx.DiGraph(run=str(run))
        for task, agent in zip(rows["task_id"], rows["agent_id"], strict=True):
            graph.add_node(task, **({} if pd.isna(agent) else {"agent": str(agent)}))
        known = rows.dropna(subset=["needs"])
        graph.add_edges_from(zip(known["needs"], known["task_id"], strict=True))
        is_one = graph.number_of_edges() > 0 and nx.is_directed_acyclic_graph(graph)
        if str(run) in runs and is_one:
            found.append(graph)
    return found


def _shape(graph: nx.DiGraph[str]) -> tuple[tuple[int, int, int], ...]:
    """Return what is the same for graphs that differ only in the names of tasks.

    For each task: how many are before it in the longest chain, and how many it waits for and holds
    up directly.
    """
    depth: dict[str, int] = {}
    for task in nx.topological_sort(graph):
        depth[task] = max((depth[each] + 1 for each in graph.predecessors(task)), default=0)
    return tuple(sorted((depth[t], graph.in_degree(t), graph.out_degree(t)) for t in graph))


def _doers(graph: nx.DiGraph[str], run: Run, roles: Roles) -> Doers:
    """Return who did each task of which that is known: a role, and a number if it has several."""
    by_role: dict[str, list[str]] = {}
    for agent in run.operations.agents:
        by_role.setdefault(roles.get((run.name, agent), ""), []).append(agent)
    found: dict[str, dict[str, Any]] = {}
    for task in graph:
        doer = graph.nodes[task].get("agent")
        role = roles.get((run.name, str(doer)), "")
        alike = by_role.get(role, [])
        if role and doer in alike:
            number = {"worker": alike.index(doer) + 1} if len(alike) > 1 else {}
            found[task] = {"family": role, **number}
    return found


def _listed(graph: nx.DiGraph[str], doers: Doers) -> list[dict[str, Any]]:
    """Return the tasks under neutral names, and who does them.

    They are in the order in which the trace has them, but for those that are waited for, which come
    before. Agents see them in this order: a chain of tasks that was begun first is begun first.
    """
    order = {task: i for i, task in enumerate(graph)}
    place: dict[str, int] = {}
    found = []
    ordered = nx.lexicographical_topological_sort(graph, key=order.__getitem__)
    for i, task in enumerate(ordered, start=1):
        place[task] = i
        before = sorted(place[each] for each in graph.predecessors(task))
        needs = [f"task-{each}" for each in before]
        waits = {"dependencies": needs} if needs else {}
        found.append({"id": f"task-{i}", **waits, **doers.get(task, {})})
    return found
