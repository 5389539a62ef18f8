"""What YAML may say: schema, defaults, and errors with file, line and path.

Each name is imported when it is first used: a list of plugins needs no schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.handed_on import handed_on

if TYPE_CHECKING:
    from simulator.scenario.agent import Agent
    from simulator.scenario.families import REGISTRIES
    from simulator.scenario.inheritance import profile_names
    from simulator.scenario.loading import load_study, parse_study, study_of
    from simulator.scenario.schema import Scenario, scenario_json_schema
    from simulator.scenario.study import Point, Study

_HOMES = {
    "REGISTRIES": "simulator.scenario.families",
    "Agent": "simulator.scenario.agent",
    "Point": "simulator.scenario.study",
    "Scenario": "simulator.scenario.schema",
    "Study": "simulator.scenario.study",
    "load_study": "simulator.scenario.loading",
    "parse_study": "simulator.scenario.loading",
    "profile_names": "simulator.scenario.inheritance",
    "scenario_json_schema": "simulator.scenario.schema",
    "study_of": "simulator.scenario.loading",
}

__all__ = [
    "REGISTRIES",
    "Agent",
    "Point",
    "Scenario",
    "Study",
    "load_study",
    "parse_study",
    "profile_names",
    "scenario_json_schema",
    "study_of",
]

__getattr__, __dir__ = handed_on(__name__, _HOMES)
