"""What authors of plugins derive from and use: the one module that their packages import.

Each name is imported when it is first used, so that importing this module is quick. The tests of a
plugin import their checks from `simulator.testing`.

``Topology``, ``Channel``, ``NO_MANAGER``
    Who hears whom, and who reports to whom.
``Protocol``, ``Dispatcher``, ``Hands``, ``Setting``, ``SOMEONE``, ``EVERYONE``, ``preferably``
    How work reaches agents. `Hands` is the dispatcher of protocols that deal tasks out.
``Workload``, ``TaskGraph``, ``Task``
    Which tasks there are.
``Workspace``, ``WorkspaceState``, ``Desk``
    What keeps the writes of agents consistent, and what it costs.
``LatencyModel``
    How long a call takes.
``Distribution``, ``DistributionSpec``, ``NonNegativeDistribution``, ``SharedDistribution``
    A random variable, and fields that hold any, one of durations or counts, or one that no agent
    draws.
``Board``, ``Streams``, ``Entity``, ``Purpose``, ``purpose_of``
    The state of the tasks, and random streams: draws of a plugin of your own have a purpose of
    their own, by name.
``Spec``, ``Positive``, ``NonNegative``, ``Fraction``
    Parts of what YAML says: models that refuse unknown keys, and numbers within limits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.handed_on import handed_on

if TYPE_CHECKING:
    from simulator.distributions import (
        Distribution,
        DistributionSpec,
        NonNegativeDistribution,
        SharedDistribution,
    )
    from simulator.model.board import Board
    from simulator.model.latency._latency import LatencyModel
    from simulator.model.protocols._hands import Hands
    from simulator.model.protocols._protocol import (
        EVERYONE,
        SOMEONE,
        Dispatcher,
        Protocol,
        Setting,
        preferably,
    )
    from simulator.model.stream_numbers import purpose_of
    from simulator.model.streams import Entity, Purpose, Streams
    from simulator.model.tasks import Task, TaskGraph
    from simulator.model.topologies import NO_MANAGER, Channel, Topology
    from simulator.model.workloads._workload import Workload
    from simulator.model.workspaces._workspace import Desk, Workspace, WorkspaceState
    from simulator.spec import Fraction, NonNegative, Positive, Spec

_HOMES = {
    **dict.fromkeys(
        ("Distribution", "DistributionSpec", "NonNegativeDistribution", "SharedDistribution"),
        "simulator.distributions",
    ),
    "Board": "simulator.model.board",
    "LatencyModel": "simulator.model.latency._latency",
    "Hands": "simulator.model.protocols._hands",
    **dict.fromkeys(
        ("EVERYONE", "SOMEONE", "Dispatcher", "Protocol", "Setting", "preferably"),
        "simulator.model.protocols._protocol",
    ),
    "purpose_of": "simulator.model.stream_numbers",
    **dict.fromkeys(("Entity", "Purpose", "Streams"), "simulator.model.streams"),
    **dict.fromkeys(("Task", "TaskGraph"), "simulator.model.tasks"),
    **dict.fromkeys(("NO_MANAGER", "Channel", "Topology"), "simulator.model.topologies"),
    "Workload": "simulator.model.workloads._workload",
    **dict.fromkeys(
        ("Desk", "Workspace", "WorkspaceState"), "simulator.model.workspaces._workspace"
    ),
    **dict.fromkeys(("Fraction", "NonNegative", "Positive", "Spec"), "simulator.spec"),
}

__all__ = [
    "EVERYONE",
    "NO_MANAGER",
    "SOMEONE",
    "Board",
    "Channel",
    "Desk",
    "Dispatcher",
    "Distribution",
    "DistributionSpec",
    "Entity",
    "Fraction",
    "Hands",
    "LatencyModel",
    "NonNegative",
    "NonNegativeDistribution",
    "Positive",
    "Protocol",
    "Purpose",
    "Setting",
    "SharedDistribution",
    "Spec",
    "Streams",
    "Task",
    "TaskGraph",
    "Topology",
    "Workload",
    "Workspace",
    "WorkspaceState",
    "preferably",
    "purpose_of",
]


__getattr__, __dir__ = handed_on(__name__, _HOMES)
