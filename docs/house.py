"""Draws who imports whom, folder by folder: ``make house`` writes docs/house.svg.

Read from the syntax trees, imports for types and within functions included. A folder stands above
all that it imports; of its arrows those are left out that follow from others.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
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


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Return the file of every module below a root, by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root: Path = ROOT) -> nx.DiGraph:
    """Return the graph of modules: an edge to each that one imports."""
    files, graph = modules(root), nx.DiGraph()
    graph.add_nodes_from(files)
    for module, path in files.items():
        graph.add_edges_from((module, target) for target in imported(path, files))
    return graph


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield a module and the statements in it, which are a tenth of its nodes."""
    todo: list[ast.AST] = [tree]
    for node in todo:
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            todo.extend(getattr(node, name, ()))


def imported(path: Path, files: Container[str]) -> Iterator[str]:
    """Yield those of some modules that a file imports."""
    for node in statements(ast.parse(path.read_text("utf-8"))):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path} has a relative import")
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = [each if each in files else str(node.module) for each in inside]
        yield from (target for target in targets if target in files)


def folders(graph: nx.DiGraph) -> nx.DiGraph:
    """Return the graph of folders of a graph of modules."""
    edges = ((room(above), room(below)) for above, below in graph.edges)
    found = nx.DiGraph((above, below) for above, below in edges if above != below)
    found.remove_nodes_from([name for name in PACKAGES if name in found])
    return found


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
    for above, below in sorted(nx.transitive_reduction(graph).edges):
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
    draw(folders(imports()), ROOT / "docs" / "house.svg")
