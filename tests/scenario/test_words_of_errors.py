"""Whatever is wrong in any field of the schema is said in plain words, and never in pydantic's."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from inspect import isabstract
from typing import Any

import pytest
from pydantic import ValidationError

from simulator.errors import ScenarioError
from simulator.model.workloads.resampled import SeenRun
from simulator.scenario import REGISTRIES, parse_study
from simulator.scenario.problems import problems_in
from simulator.scenario.source import Source
from simulator.spec import Spec, fields_by_key

WRONG: list[Any] = [
    None, True, 0.5, 1e16, math.nan, "a b", [], ["x"], [[-1, None]], {"a": {"b": 1}},
]  # fmt: skip
PYDANTIC = re.compile(
    r"\b(Input|Tuple|List|Dictionary|String|Value error|Extra inputs|Field required|Assertion)\b"
    r"|valid (string|boolean|list|dictionary|tuple|path)|after validation|unable to|fractional part"
    r"|instance of|NoneType"
)
WORKLOAD = "workload: {kind: resampled, runs: %s}"
TEAM = """\
name: a
team: {size: 1, agent: {latency: {kind: seconds, base: 3}}}
topology: single
coordination: {protocol: self_claim}
"""


def specifications() -> Iterator[type[Spec]]:
    for registry in REGISTRIES:
        for name in registry.names():
            registry.get(name)
    left: list[type[Spec]] = [Spec]
    while left:
        left += (below := left.pop().__subclasses__())
        yield from (
            each
            for each in below
            if each.__module__.startswith("simulator.") and not isabstract(each)
        )


def test_no_sentence_is_pydantics_own() -> None:
    raw, fields = set[str](), 0
    for each in specifications():
        for key in fields_by_key(each):
            fields += 1
            for value in WRONG:
                try:
                    each.model_validate({key: value})
                except ValidationError as error:
                    problems = problems_in(error, Source({key: value}, {(): "file.yaml:1"}))
                    raw |= {str(p) for p in problems if PYDANTIC.search(p.message)}
    assert fields > 400
    assert not raw, "\n".join(sorted(raw)[:20])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            WORKLOAD % "[{sizes: [1], weight: -1}]",
            ["file.yaml:5: workload.runs.0.weight: should be greater than 0; found -1"],
        ),
        (
            WORKLOAD % "[{sizes: [0, x]}, {sizes: 3}]",
            [
                "file.yaml:5: workload.runs.0.sizes.0: should be greater than 0; found 0",
                "file.yaml:5: workload.runs.0.sizes.1: should be a valid number; found x",
                "file.yaml:5: workload.runs.1.sizes: should be a list; found 3",
            ],
        ),
        (
            WORKLOAD % "[]",
            ["file.yaml:5: workload.runs: should have at least 1 item; found 0"],
        ),
        (
            WORKLOAD % "[{sizes: [], weight: true}]",
            [
                "file.yaml:5: workload.runs.0.weight: should be a valid number; found true",
                "file.yaml:5: workload.runs.0.sizes: should have at least 1 item; found 0",
            ],
        ),
        (
            WORKLOAD % "{a: 1}",
            ["file.yaml:5: workload.runs: should be a list; found a mapping"],
        ),
        (
            WORKLOAD % "[{sizes: [1], weihgt: 2}]",
            [
                "file.yaml:5: workload.runs.0.weihgt: unknown key 'weihgt'; did you mean "
                "'weight'? (allowed: arrivals_s, families, sizes, stages, start_tokens, weight)"
            ],
        ),
        (
            "workload: {kind: dag, path: [1]}",
            ["file.yaml:5: workload.path: should be a text; found a list"],
        ),
        (
            WORKLOAD % "[{sizes: [1]}]" + "\nfaults: [{at_s: 1, kind: kill, agent: boss}]",
            [
                "file.yaml:6: faults.0.agent: should be a valid integer or 'coordinator' or "
                "'verifier' or a list; found boss"
            ],
        ),
        (
            WORKLOAD % "[{sizes: [1]}]" + "\nsweep: {team.size: {from: 3, to: 1}}",
            ["file.yaml:6: sweep.team.size: 'to' (1.0) is below 'from' (3.0)"],
        ),
        (
            WORKLOAD % "[{sizes: [1]}]" + "\nsweep: {team.size: {from: 1}}",
            ["file.yaml:6: sweep.team.size.to: this field is required and missing; add it"],
        ),
    ],
)
def test_each_fault_is_one_line(text: str, said: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        _ = parse_study(TEAM + text, "file.yaml").points
    assert str(caught.value).split("\n") == said


def test_a_list_of_too_many_is_counted() -> None:
    with pytest.raises(ValidationError) as caught:
        SeenRun(sizes=(1.0,) * 100_001)
    (problem,) = problems_in(caught.value, Source({}, {}))
    assert problem.message == "should have at most 100,000 items; found 100,001"
