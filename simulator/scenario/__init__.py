"""What YAML may say: schema, defaults, and errors with file, line and path."""

from simulator.scenario.agent import Agent
from simulator.scenario.families import REGISTRIES
from simulator.scenario.inheritance import profile_names
from simulator.scenario.schema import Scenario, scenario_json_schema
from simulator.scenario.study import Point, Study, load_study, parse_study

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
]
