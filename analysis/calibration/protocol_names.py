"""What the protocols of tables of runs are called, and what the simulator calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.errors import TeamsimError, unknown_name
from simulator.scenario.families import PROTOCOLS, TOPOLOGIES

_ALSO = {
    "dealt": "pre_assigned",
    "assigned": "pre_assigned",
    "preassigned": "pre_assigned",
    "preassign_nolead": "pre_assigned",
    "decentralised": "self_claim",
    "decentralized": "self_claim",
    "claimed": "self_claim",
    "claiming": "self_claim",
    "centralised": "lead_assign",
    "centralized": "lead_assign",
    # In the table of LATTE (arXiv 2605.06320, emieczkowski/latte): a lead plans a graph of tasks,
    # once or all the time, and assigns them; without a graph, agents take up what they like.
    "static": "lead_assign",
    "dynamic": "lead_assign",
    "no_graph": "self_claim",
}
"""Other names of protocols: those of public tables of runs."""


def protocol_called(name: str, meant: Mapping[str, Any]) -> dict[str, Any]:
    """Return the protocol that a name means, as a scenario says it.

    Parameters
    ----------
    name : str
        One of `meant`, a protocol of the simulator, or what public tables call one.
    meant : mapping
        Names that the user has explained, to protocols: kinds, or mappings with a ``kind``.

    Raises
    ------
    TeamsimError
        If it is unknown.
    """
    said = meant.get(name)
    if said is None:
        plain = name.strip().lower().replace("-", "_").replace(" ", "_")
        said = _ALSO.get(plain, plain)
    spec = dict(said) if isinstance(said, Mapping) else {"kind": said}
    if spec.get("kind") not in PROTOCOLS.names():
        known = sorted({*PROTOCOLS.names(), *_ALSO, *meant})
        raise TeamsimError(
            f"{unknown_name('protocol', str(spec.get('kind')), known)}; say what it is: "
            f"--protocol {name}=KIND"
        )
    return spec


def has_claims(protocol: Mapping[str, Any]) -> bool:
    """Return whether agents claim their tasks under a protocol."""
    return PROTOCOLS.get(str(protocol["kind"])).has_claims


def topology_for(protocol: Mapping[str, Any], n: int) -> str:
    """Return the topology of a team: with a lead where the protocol needs one, else without."""
    spec = PROTOCOLS.get(str(protocol["kind"])).model_validate(protocol)
    topology = TOPOLOGIES.get("decentralised").model_validate({"kind": "decentralised"})
    return "decentralised" if spec.problem_in(topology, n) is None else "centralised"
