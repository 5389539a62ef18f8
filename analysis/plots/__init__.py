"""Plots: data in, axes out; uncertainty is always drawn."""

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
