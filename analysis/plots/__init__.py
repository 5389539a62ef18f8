"""Plots: data in, axes out; uncertainty is always drawn.

Each name is imported when it is first used: a command that draws one figure waits for no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.handed_on import handed_on

if TYPE_CHECKING:
    from analysis.plots.gantt import gantt_figure, plot_gantt
    from analysis.plots.scaling import (
        plot_power_law,
        plot_scaling,
        plot_speedup,
        scaling_figure,
    )
    from analysis.plots.sensitivity import plot_sensitivity
    from analysis.plots.stack import plot_stack, stack_figure
    from analysis.plots.style import paper_style, save
    from analysis.plots.sweep import plot_against, plot_rows, sweep_figure

_HOMES = {
    "gantt_figure": "analysis.plots.gantt",
    "paper_style": "analysis.plots.style",
    "plot_against": "analysis.plots.sweep",
    "plot_gantt": "analysis.plots.gantt",
    "plot_power_law": "analysis.plots.scaling",
    "plot_rows": "analysis.plots.sweep",
    "plot_scaling": "analysis.plots.scaling",
    "plot_sensitivity": "analysis.plots.sensitivity",
    "plot_speedup": "analysis.plots.scaling",
    "plot_stack": "analysis.plots.stack",
    "save": "analysis.plots.style",
    "scaling_figure": "analysis.plots.scaling",
    "stack_figure": "analysis.plots.stack",
    "sweep_figure": "analysis.plots.sweep",
}

__all__ = [
    "gantt_figure",
    "paper_style",
    "plot_against",
    "plot_gantt",
    "plot_power_law",
    "plot_rows",
    "plot_scaling",
    "plot_sensitivity",
    "plot_speedup",
    "plot_stack",
    "save",
    "scaling_figure",
    "stack_figure",
    "sweep_figure",
]

__getattr__, __dir__ = handed_on(__name__, _HOMES)
