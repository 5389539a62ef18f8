"""A Gantt picture of one replication: agents as rows, time to the right."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.breakdown.lives import lives_of
from analysis.breakdown.timeline import KINDS, Instant, Span, agent_names, instants_of, spans_of
from analysis.plots.colours import REFERENCE
from analysis.plots.kinds import HATCHES, KIND_COLOURS
from analysis.plots.style import PAGE_IN, headline, new_axes, paper_style
from simulator.model.trace import Event, Row
from simulator.scenario import Scenario

_SUBAGENT = "#222222"
"""Colour of sub-agents that have no row of their own: thin bars in that of their parent."""

_SUBAGENT_ROWS = 20
"""Most sub-agents that have rows of their own."""


_MOST_ROUNDS = 60
"""Most rounds whose beginnings are drawn."""


def plot_gantt(
    spans: Sequence[Span],
    names: Sequence[str],
    instants: Sequence[Instant] = (),
    ax: Axes | None = None,
) -> Axes:
    """Draw what every agent did when.

    Parameters
    ----------
    spans : sequence of Span
        From `analysis.breakdown.timeline.spans_of`.
    names : sequence of str
        Names of the agents, the first on top.
    instants : sequence of Instant
        Drawn as marks: messages as ticks, faults as triangles, the others as diamonds.
    ax : Axes, optional
        Where to draw; a new figure when absent.

    Returns
    -------
    Axes
    """
    ax = new_axes(ax)
    for kind in KINDS:
        mine = [span for span in spans if span.kind == kind]
        for agent in {span.agent for span in mine}:
            bars = [(s.start_s, s.end_s - s.start_s) for s in mine if s.agent == agent]
            ax.broken_barh(
                bars,
                (agent - 0.38, 0.76),
                facecolors=KIND_COLOURS[kind],
                edgecolor="white",
                linewidth=0.4,
                hatch=HATCHES.get(kind),
            )
    marks = {"message": "|", "fault": "v"}
    for instant in instants:
        place = instant.agent if instant.agent is not None else -0.9
        mark = marks.get(instant.kind, "D")
        ax.plot(instant.time_s, place - 0.45, mark, color="#222222", markersize=4, clip_on=False)
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.4, -1.1), xlabel="simulated s")
    ax.set_xlim(left=0.0)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.set_axisbelow(True)
    return ax


def gantt_figure(
    rows: Sequence[Row], scenario: Scenario, messages: bool = False, title: str = ""
) -> Figure:
    """Return the Gantt picture of a replication, with the rounds as lines.

    Parameters
    ----------
    rows : sequence of Row
        Its trace.
    scenario : Scenario
    messages : bool
        Whether to mark messages.
    title : str
    """
    spans, names, lives = spans_of(rows), agent_names(scenario), lives_of(rows)
    if len(lives) <= _SUBAGENT_ROWS:
        names, lives = [*names, *(life.name for life in lives)], []
    spans = [span for span in spans if span.agent < len(names)]
    shown = [each for each in instants_of(rows) if messages or each.kind != "message"]
    shown = [each for each in shown if each.agent is None or each.agent < len(names)]
    with paper_style():
        figure = Figure(figsize=(PAGE_IN, 1.2 + 0.26 * len(names)), layout="constrained")
        ax = plot_gantt(spans, names, shown, figure.add_subplot())
        starts = [row.time_s for row in rows if row.event is Event.ROUND_START]
        starts = starts if len(starts) <= _MOST_ROUNDS else []
        for start_s in starts:
            ax.axvline(start_s, color=REFERENCE, linewidth=0.5, zorder=0)
        ax.set_xlim(0.0, rows[-1].time_s or 1.0)  # a run may take no time
        there = [kind for kind in KINDS if any(span.kind == kind for span in spans)]
        patches = [
            Patch(facecolor=KIND_COLOURS[k], edgecolor="white", hatch=HATCHES.get(k), label=k)
            for k in there
        ]
        for life in (life for life in lives if life.parent < len(names)):
            bar = [(life.start_s, life.end_s - life.start_s)]
            ax.broken_barh(bar, (life.parent + 0.22, 0.12), facecolors=_SUBAGENT)
        if lives:
            patches.append(Patch(facecolor=_SUBAGENT, label="lives of sub-agents"))
        waits = Patch(facecolor="white", edgecolor="#999999", label="waiting")
        keys: list[Artist] = [*patches, waits]
        if starts:
            keys.append(Line2D([], [], color=REFERENCE, linewidth=0.5, label="a round begins"))
        figure.legend(handles=keys, loc="outside lower center", ncols=6)
        headline(figure, title)
    return figure
