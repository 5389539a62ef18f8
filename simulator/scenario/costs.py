"""Whether it is known what a team costs."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.scenario.schema import Scenario

MONEY = frozenset({"cost_usd", "wasted_usd"})
"""Metrics in US dollars: not known, rather than 0, where nobody has said a price."""

HOW_TO_PRICE = (
    "give a price, as --set team.agent.price=claude-sonnet-4-6 (a model's name), or in numbers: "
    "--set 'team.agent.price={input_per_mtok: 3, output_per_mtok: 15}'"
)


def is_money(metric: str) -> bool:
    """Return whether a metric is in US dollars, be it a mean, until success or a quantile."""
    return metric.startswith(tuple(MONEY))


def is_cost_known(scenario: Scenario) -> bool:
    """Return whether everybody who may answer a call has a price, if only one of 0."""
    return all(model.price.is_said for model in scenario.models)


def unknown_metrics(scenario: Scenario) -> frozenset[str]:
    """Return the metrics of which a run says nothing."""
    return frozenset() if is_cost_known(scenario) else MONEY


def cost_notes(scenario: Scenario) -> list[str]:
    """Return what is to be said where it is not known what a team costs; nothing where it is."""
    if is_cost_known(scenario):
        return []
    return [f"cost: unknown, since no price is said: {HOW_TO_PRICE}", *budget_notes(scenario)]


def cost_notes_of(scenarios: Sequence[Scenario]) -> list[str]:
    """Return the `cost_notes` of several scenarios, such as the points of a sweep, each once."""
    unpriced = [each for each in scenarios if not is_cost_known(each)]
    notes = list(dict.fromkeys(note for each in unpriced for note in cost_notes(each)))
    if 0 < len(unpriced) < len(scenarios):
        at = f"unknown at {len(unpriced):,} of {len(scenarios):,} points"
        notes[0] = notes[0].replace("unknown", at, 1)
    return notes


def budget_notes(scenario: Scenario) -> list[str]:
    """Return a note on a budget that calls without a price do not use up."""
    if scenario.limits.budget_usd is None or is_cost_known(scenario):
        return []
    return [f"limits.budget_usd: calls without a price use up nothing of it; {HOW_TO_PRICE}"]
