"""What happened in the traces of a team: who did what when, where the time went, who told whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.observation.activity import IDLE, MODEL, PEOPLE, TOOL, WAITING
from analysis.observation.findings import path_shares, short_cause, told
from analysis.observation.observe import Observation, middle_run
from analysis.observation.runs import Run
from analysis.plots.colours import REFERENCE
from analysis.plots.style import PAGE_IN, headline, new_axes, paper_style
from simulator.words import percent

_OTHERS = "other tools"
_LOOK = {
    MODEL: ("#0072B2", ""),
    WAITING: ("#F0E442", ""),
    PEOPLE: ("#CC79A7", ".."),
    IDLE: ("#DDDDDD", ""),
    _OTHERS: ("#882255", "xx"),
}
_TOOL_LOOKS = (("#E69F00", "//"), ("#009E73", "\\\\"), ("#D55E00", "--"), ("#56B4E9", "++"))
_MOST_AGENTS = 16
_MOST_STRETCHES = 400
_MOST_TIED = 8


def looks(shares: Mapping[str, float]) -> dict[str, tuple[str, str]]:
    """Return colour and hatch of each cause; tools beyond the four longest share theirs."""
    tools = [cause for cause in shares if cause.startswith(TOOL)]
    found = {cause: look for cause, look in _LOOK.items() if cause != _OTHERS}
    found |= dict(zip(tools, _TOOL_LOOKS, strict=False))
    found |= dict.fromkeys(tools[len(_TOOL_LOOKS) :], _LOOK[_OTHERS])
    return found


def plot_activity(
    run: Run, names: Sequence[str], look: Mapping[str, tuple[str, str]], ax: Axes | None = None
) -> Axes:
    """Draw what every agent of a run did when, the first on top.

    Parameters
    ----------
    run : Run
    names : sequence of str
        Of its agents.
    look : mapping
        From `looks`.
    ax : Axes, optional
        Where to draw; a new figure when absent.
    """
    ax = new_axes(ax)
    scale, unit = time_unit(run.operations.makespan_s)
    shown = min(len(names), _MOST_AGENTS)
    edges, states = run.activity.edges / scale, run.activity.states
    for agent in range(shown):
        row = states[agent]
        changes = np.flatnonzero(np.diff(row, prepend=-2))
        ends = np.append(changes[1:], len(row))[: len(changes)]
        for k, cause in enumerate(run.activity.causes):
            bars = [
                (edges[a], edges[b] - edges[a])
                for a, b in zip(changes, ends, strict=True)
                if row[a] == k
            ]
            if bars:
                colour, hatch = look.get(cause, _LOOK[IDLE])
                fine = len(changes) > _MOST_STRETCHES
                ax.broken_barh(
                    bars, (agent - 0.38, 0.76), facecolors=colour, edgecolor="white",
                    linewidth=0.0 if fine else 0.2, hatch=None if fine else hatch or None,
                )  # fmt: skip
    ax.set_yticks(range(shown), [_cut(name, 22) for name in names[:shown]])
    ax.set(ylim=(shown - 0.4, -0.6), xlabel=unit)
    ax.set_xlim(0.0, float(edges[-1]) if len(edges) > 1 else 1.0)
    ax.grid(visible=False, axis="y")
    if len(names) > shown:
        ax.set_ylabel(f"{shown} of {len(names)} agents")
    return ax


def plot_concurrency(run: Run, ax: Axes | None = None) -> Axes:
    """Draw how many agents of a run were in the model or in a tool over time."""
    ax = new_axes(ax)
    scale, unit = time_unit(run.operations.makespan_s)
    at_work = run.activity.at_work()
    if len(at_work):
        ax.stairs(at_work, run.activity.edges / scale, fill=True, color="#56B4E9", linewidth=0)
        ax.set_xlim(0.0, float(run.activity.edges[-1]) / scale)
    ax.set(ylim=(0.0, max(1.0, float(at_work.max(initial=1.0))) * 1.08), xlabel=unit)
    ax.set_ylabel("agents at work")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def plot_shares(
    shares: Sequence[tuple[str, float]], colours: Sequence[tuple[str, str]], ax: Axes | None = None
) -> Axes:
    """Draw shares as bars, the largest on top, each with its percentage."""
    ax = new_axes(ax)
    places = np.arange(len(shares))
    for place, (_, share), (colour, hatch) in zip(places, shares, colours, strict=True):
        ax.barh(place, share, color=colour, hatch=hatch or None, edgecolor="white", linewidth=0.3)
        ax.annotate(percent(share) if share >= 0.01 else percent(share, 1), (share, place),
                    xytext=(3, 0), textcoords="offset points", va="center", fontsize=7)  # fmt: skip
    ax.set_yticks(places, [_cut(name, 26) for name, _ in shares])
    ax.invert_yaxis()
    ax.set_xlim(0.0, 1.18 * max([share for _, share in shares] or [1.0]))
    ax.xaxis.set_major_formatter(lambda value, _: percent(value))
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.set_axisbelow(True)
    return ax


def plot_ties(
    pairs: pd.DataFrame, roles: Mapping[str, int], what: str, ax: Axes | None = None
) -> Axes:
    """Draw who started or told whom, by role.

    Parameters
    ----------
    pairs : DataFrame
        ``from, to, times``.
    roles : mapping of str to int
        Agents of each role.
    what : str
        What the arrows are.
    ax : Axes, optional
        Where to draw; a new figure when absent.
    """
    ax = new_axes(ax)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(roles)
    graph.add_edges_from((row["from"], row["to"]) for row in pairs.to_dict("records"))
    n = graph.number_of_nodes()
    angles = {node: np.pi * (0.5 + 2.0 * i / n) for i, node in enumerate(graph)}
    place = {
        node: (float(np.cos(angle)), float(np.sin(angle))) if n > 1 else (0.0, 0.0)
        for node, angle in angles.items()
    }
    most = max([*pairs["times"], 1])
    for row in pairs.to_dict("records"):
        a, b = place[row["from"]], place[row["to"]]
        if row["from"] == row["to"]:
            ax.annotate("among themselves", a, xytext=(0, -20), textcoords="offset points",
                        ha="center", fontsize=6.5, color=REFERENCE)  # fmt: skip
            continue
        ax.annotate(
            "", b, a,
            arrowprops={"arrowstyle": "-|>", "linewidth": 0.6 + 1.8 * row["times"] / most,
                        "shrinkA": 16, "shrinkB": 16, "color": "#0072B2",
                        "connectionstyle": "arc3,rad=0.16"},
        )  # fmt: skip
    for node, at in place.items():
        count = roles.get(node, 0)
        said = _cut(str(node), 18)
        if count:
            said += f"\n{count:,} agent{'s' if count != 1 else ''}"
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "#999999"}
        ax.annotate(said, at, ha="center", va="center", fontsize=7, bbox=box)
    ax.set(xlim=(-1.45, 1.45), ylim=(-1.3, 1.3))
    ax.set_axis_off()
    ax.set_title(what)
    return ax


def observed_figure(observation: Observation, title: str = "") -> Figure:
    """Return the picture of what happened: the median run, and all runs' time and ties."""
    from analysis.observation.findings import time_shares

    shares = time_shares(observation)
    look = looks(shares)
    name = middle_run(observation)
    run = next(each for each in observation.runs if each.name == name)
    table = observation.roles
    names = _names(run, table)
    rows = min(len(names), _MOST_AGENTS)
    with paper_style():
        tall = 0.7 + 0.24 * rows
        figure = Figure(figsize=(PAGE_IN, 1.2 + tall + 1.2 + 2.3), layout="constrained")
        grid = figure.add_gridspec(
            3, 3, height_ratios=[tall, 1.0, 2.0], width_ratios=[1.0, 1.0, 1.35]
        )
        ax = plot_activity(run, names, look, figure.add_subplot(grid[0, :]))
        ax.set_title("what each agent did: the run of middle length")
        ax.set_xlabel("")
        ax = plot_concurrency(run, figure.add_subplot(grid[1, :], sharex=ax))
        largest = list(shares.items())[:7]
        where = plot_shares(
            [(short_cause(cause), share) for cause, share in largest],
            [look.get(cause, _LOOK[_OTHERS]) for cause, _ in largest],
            figure.add_subplot(grid[2, 0]),
        )
        where.set_title("agents' time, all runs")
        critical = path_shares(observation).head(7).to_dict("records")
        several = table["role"].nunique() > 1
        on_path = plot_shares(
            [
                (f"{row['role']}: {short_cause(row['what'])}" if several
                 else short_cause(row["what"]), row["share"])
                for row in critical
            ],
            [look.get(row["what"], _LOOK[IDLE]) for row in critical],
            figure.add_subplot(grid[2, 1]),
        )  # fmt: skip
        on_path.set_title("critical path, all runs")
        pairs, counts, what = _ties(observation, run, names)
        plot_ties(pairs, counts, what, figure.add_subplot(grid[2, 2]))
        there = [cause for cause in look if shares.get(cause, 0.0) > 0.0]
        handles = {
            (short_cause(c) if look[c] != _LOOK[_OTHERS] else _OTHERS): Patch(
                facecolor=look[c][0], edgecolor="white", hatch=look[c][1] or None
            )
            for c in there
        }
        figure.legend(
            list(handles.values()), [_cut(each, 24) for each in handles],
            loc="outside lower center", ncols=min(5, len(handles)),
        )  # fmt: skip
        headline(figure, title)
    return figure


def observed_title(observation: Observation, source: str) -> str:
    """Return ``What 2 to 5 agents did when in 12 runs, and what took their time (traces.jsonl)``.

    Parameters
    ----------
    observation : Observation
    source : str
        Where the traces come from, the name of a file for example.
    """
    counts = observation.roles.groupby("run_id").size()
    least, most = int(counts.min()), int(counts.max())
    agents = "an agent" if most == 1 else f"{most} agents"
    if least < most:
        agents = f"{least} to {most} agents"
    runs = len(observation.runs)
    said = "one run" if runs == 1 else f"{runs:,} runs"
    whose = "its" if agents == "an agent" else "their"
    return f"What {agents} did when in {said}, and what took {whose} time ({source})"


def _ties(
    observation: Observation, run: Run, names: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, int], str]:
    """Return who told or started whom: agents of the median run if they are few, else roles."""
    if len(names) > _MOST_TIED or len(set(names)) < len(names):
        roles = observation.roles["role"].value_counts().head(_MOST_TIED)
        counts = {str(role): int(n) for role, n in roles.items()}
        pairs = told(observation)
        what = "who told whom, by role"
    else:
        name = dict(zip(run.operations.agents, names, strict=True))
        counts = dict.fromkeys(names, 0)
        said = observation.traces.messages
        said = said[said["run_id"].astype(str) == run.name]
        known = [
            (name.get(a, a), name.get(b, b))
            for a, b in zip(said["src_agent_id"], said["dst_agent_id"], strict=True)
        ]
        what = "who told whom" if known else "who started whom"
        known = known or [
            (names[parent], names[child]) for child, parent in run.operations.parents.items()
        ]
        pairs = pd.DataFrame(known, columns=["from", "to"])
        pairs = pairs.groupby(["from", "to"]).size().rename("times").reset_index()
    pairs = pairs[pairs["from"].isin(counts.keys()) & pairs["to"].isin(counts.keys())]
    return pairs, counts, what if len(pairs) else "agents"


def _names(run: Run, roles: pd.DataFrame) -> list[str]:
    mine = roles[roles["run_id"] == run.name]
    name = dict(zip(mine["agent_id"], mine["name"], strict=True))
    return [str(name.get(agent, agent)) for agent in run.operations.agents]


def time_unit(seconds: float) -> tuple[float, str]:
    """Return the seconds of the unit in which so long a time is easily read, and its name."""
    for length, unit in ((86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 3.0 * length:
            return length, unit
    return 1.0, "seconds"


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
