"""Tasks with dependencies, listed in the scenario or in a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import ValidationInfo, model_validator

from simulator.documents import DocumentError, parse_json, read_text
from simulator.errors import ScenarioError
from simulator.model.streams import Streams
from simulator.model.tasks import Task, TaskGraph
from simulator.model.workloads._workload import Workload
from simulator.scenario.source import Source


class Dag(Workload):
    """A directed acyclic graph of tasks, from `tasks` or from the file at `path`."""

    kind: Literal["dag"] = "dag"
    path: str | None = None
    """JSON or YAML list of tasks, relative to the scenario file; read when it is loaded."""
    tasks: tuple[Task, ...] = ()
    """The tasks, in the order in which agents see them."""

    @model_validator(mode="before")
    @classmethod
    def _read_file(cls, data: dict[str, object], info: ValidationInfo) -> dict[str, object]:
        path = data.get("path")
        if not isinstance(path, str) or data.get("tasks"):
            return data
        directory = (info.context or {}).get("directory", Path())
        return {**data, "tasks": _read_tasks(Path(directory) / path)}

    @model_validator(mode="after")
    def _is_a_graph(self) -> Self:
        if not self.tasks:
            raise ValueError("a dag needs 'tasks', or the 'path' of a file that lists them")
        TaskGraph.of(self.tasks)
        return self

    @property
    def task_count(self) -> int:
        """Number of tasks."""
        return len(self.tasks)

    @cached_property
    def _graph(self) -> TaskGraph:
        return TaskGraph.of(self.tasks)

    def graph(self, streams: Streams) -> TaskGraph:
        """Return the tasks listed."""
        return self._graph


def _read_tasks(path: Path) -> Sequence[object]:
    try:
        found = parse_json(read_text(path)) if path.suffix == ".json" else Source.read(path).data
    except DocumentError as error:
        raise ValueError(f"{path}: {error}") from None
    except ScenarioError as error:
        raise ValueError(str(error)) from None
    if not isinstance(found, list) or not found:
        raise ValueError(f"{path} must hold a list of tasks")
    return found
