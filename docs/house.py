"""Draws who imports whom, folder by folder: ``make house`` writes docs/house.svg.

Read from the syntax trees, imports for types and within functions included. A folder stands above
all that it imports; of its arrows those are left out that follow from others.
"""

from __future__ import annotations

import ast
from pathlib import Path

import matplotlib as mpl
import networkx as nx

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("simulator", "analysis")
MODEL = "simulator.model"


def room(module: str) -> str:
    """Return the folder of a module; a file that stands in the model itself is its own."""
    parts = module.split(".")
    depth = 3 if module.startswith(MODEL) and len(parts) > 3 else 2
    name = ".".join(parts[:depth])
    return ".".join(parts[:3]) if name == MODEL and len(parts) == 3 else name


def modules() -> dict[str, Path]:
    """Return the file of every module, by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports() -> nx.DiGraph:
    """Return the graph of folders: an edge to each that one imports."""
    files, graph = modules(), nx.DiGraph()
    for module, path in files.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            for alias in node.names:
                target = f"{node.module}.{alias.name}"
                target = target if target in files else node.module
                if target in files and room(target) != room(module):
                    graph.add_edge(room(module), room(target))
    graph.remove_nodes_from([name for name in PACKAGES if name in graph])
    return graph


def draw(graph: nx.DiGraph, path: Path) -> None:
    """Draw the graph in layers, the lowest at the bottom."""
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "house"
    layer: dict[str, int] = {}
    for name in reversed(list(nx.topological_sort(graph))):
        layer[name] = 1 + max((layer[below] for below in graph[name]), default=-1)
    rows: dict[int, list[str]] = {}
    for name in sorted(layer):
        rows.setdefault(layer[name], []).append(name)
    place = {
        name: ((i + 0.5) / len(row), y) for y, row in rows.items() for i, name in enumerate(row)
    }
    figure, ax = plt.subplots(figsize=(11.0, 0.62 * len(rows)), layout="constrained")
    for above, below in nx.transitive_reduction(graph).edges:
        (x0, y0), (x1, y1) = place[above], place[below]
        arrow = {"arrowstyle": "-|>", "color": "#9a9a9a", "lw": 0.7, "shrinkA": 9, "shrinkB": 9}
        ax.annotate("", (x1, y1), (x0, y0), arrowprops=arrow, zorder=1)
    colours = {"analysis": "#cfe3f3", MODEL: "#fde3b8", "simulator": "#e4e4e4"}
    for name, (x, y) in place.items():
        kind = MODEL if name.startswith(MODEL) else name.split(".")[0]
        box = {"boxstyle": "round,pad=0.25", "facecolor": colours[kind], "edgecolor": "none"}
        short = name.removeprefix(f"{MODEL}.").removeprefix("simulator.")
        ax.text(x, y, short, ha="center", va="center", fontsize=8.5, bbox=box, zorder=2)
    ax.set(xlim=(0, 1), ylim=(-0.6, len(rows) - 0.4))
    ax.axis("off")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(imports(), ROOT / "docs" / "house.svg")
