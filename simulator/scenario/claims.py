"""What a scenario must not say about claims, because it would mean nothing."""

from __future__ import annotations

from simulator.scenario.coordination import CoordinationSpec
from simulator.scenario.resilience import Resilience
from simulator.scenario.team import Team


def problem_in_claims(
    team: Team, coordination: CoordinationSpec, resilience: Resilience
) -> str | None:
    """Return what is wrong with what a scenario says about claims, or None."""
    simpler = resilience.simpler_protocol
    protocols, timing = {"coordination.protocol": coordination.protocol}, coordination.timing
    if simpler is not None:
        protocols["resilience.simpler_protocol.protocol"] = simpler.protocol
    forgetful = team.forgetful
    for path, each in protocols.items():
        if each.counts_rounds and timing != "rounds":
            return f"{path}.lease_rounds: there are no rounds with timing {timing!r}; use 'lease_s'"
        if forgetful is not None and not each.has_claims:
            there = "" if path == "coordination.protocol" else ", to which the team may change,"
            return (
                f"{forgetful}.forgetting: with protocol {each.kind!r}{there} there are no claims "
                "that could stay open (use self_claim)"
            )
    return None
