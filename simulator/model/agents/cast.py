"""The cast of a scenario: which agents every replication has, and who can hear whom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.model.agents.kind import Kind
from simulator.model.topologies import Channel, Topology
from simulator.model.topologies._topology import links_of, managers_of
from simulator.scenario.network import Network
from simulator.scenario.subagents import Subagents
from simulator.scenario.team import Team

_UNUSED = np.random.default_rng(0)
"""Shared by topologies that draw nothing: to make one for each is a tenth of the set-up time."""


class SubagentCast:
    """Which sub-agents may be started.

    Parameters
    ----------
    spec : Subagents

    Attributes
    ----------
    kinds, last_kinds : dict of str to Kind
        By their names; and those on the lowest level.
    max_depth, max_total : int or None
    """

    __slots__ = ("kinds", "last_kinds", "max_depth", "max_total")

    def __init__(self, spec: Subagents) -> None:
        self.kinds = {name: Kind(kind) for name, kind in spec.kinds.items()}
        self.last_kinds = {name: Kind(kind) for name, kind in spec.last_kinds.items()}
        self.max_depth, self.max_total = spec.max_depth, spec.max_total


class Cast:
    """Who is in the team: found out once, for all replications of a scenario.

    Parameters
    ----------
    team : Team
    verifiers : int
    topology : Topology
    network : Network

    Attributes
    ----------
    workers : list of Kind, shape (workers,)
    lead, checker : Kind
        Those of coordinators and of verifiers.
    coordinators : int
        How many there are.
    managers : sequence of int, shape (workers + coordinators,)
        The coordinator that each reports to, or `NO_MANAGER`.
    subagents : SubagentCast or None
        None where there are none.
    channels : list of Channel or None
        Who hears whom; None where that is drawn for each replication.
    has_mail : bool
        Whether messages are delayed or lost, or their receivers are drawn.
    drifts : bool
        Whether anybody drifts.
    has_notes : bool
        Whether agents write notes for each other.
    has_loops : bool
        Whether anybody's call is a loop of turns.
    hands_off : bool
        Whether workers may misunderstand what others have done.
    """

    __slots__ = (
        "aggregates",
        "channels",
        "checker",
        "coordinators",
        "drifts",
        "hands_off",
        "has_loops",
        "has_mail",
        "has_notes",
        "lead",
        "managers",
        "network",
        "similarity",
        "subagents",
        "topology",
        "verifiers",
        "workers",
    )

    def __init__(self, team: Team, verifiers: int, topology: Topology, network: Network) -> None:
        specs = team.workers
        kinds = {id(spec): Kind(spec) for spec in team.kinds}
        self.workers = [kinds[id(spec)] for spec in specs]
        default = self.workers[0]
        if team.agent is not None:
            default = kinds.get(id(team.agent)) or Kind(team.agent)
        self.lead = default if team.coordinator is None else Kind(team.coordinator)
        self.checker = default if team.verifier is None else Kind(team.verifier)
        self.managers = managers_of(topology, len(specs))
        self.coordinators = len(self.managers) - len(specs)
        self.verifiers = verifiers
        self.aggregates = topology.aggregates and self.coordinators > 0
        self.topology, self.network = topology, network
        self.channels: Sequence[Channel] | None = None
        if not topology.is_random:
            self.channels = links_of(topology, len(specs), len(self.managers), _UNUSED)
        self.has_mail = not network.is_plain or topology.peers_per_message is not None
        some = list({id(kind): kind for kind in self.workers}.values())
        self.hands_off = any(kind.erring.hand_off for kind in some)
        some += [self.lead] * bool(self.coordinators) + [self.checker] * bool(verifiers)
        self.has_loops = any(kind.loop is not None for kind in some)
        self.drifts = any(kind.drifts for kind in some)
        self.has_notes = topology.has_notes and len(self.managers) > 1  # else for nobody
        self.similarity = team.family_similarity
        self.subagents: SubagentCast | None = None
        if team.subagents is not None:
            self.subagents = SubagentCast(team.subagents)

    def beginning_with(self, tokens: float) -> list[Kind]:
        """Return the workers, whose contexts begin with so many tokens."""
        begun: dict[int, Kind] = {}
        for kind in self.workers:
            if id(kind) not in begun:
                begun[id(kind)] = kind.beginning_with(tokens)
        return [begun[id(kind)] for kind in self.workers]
