"""A scenario may be a mapping of a program's own values; what is wrong is said by its path."""

from __future__ import annotations

import copy
import decimal
import json
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import simulator as ts
from simulator.scenario import parse_study
from tests.test_api import SAID


def changed(path: str, value: object) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(dict(SAID))
    node: Any = document
    *parents, last = path.split(".")
    for key in parents:
        node = node.setdefault(key, {})
    node[last] = value
    return document


def empirical(values: object) -> dict[str, object]:
    return {"kind": "empirical", "values": values}


@pytest.mark.parametrize(
    ("path", "given", "said"),
    [
        ("team.size", np.int64(2), 2),
        ("team.size", np.uint8(2), 2),
        ("team.size", np.array(2), 2),
        ("team.size", pd.Series([2]).iloc[0], 2),
        ("seed", np.uint64(2**63 - 1), 2**63 - 1),
        ("team.agent.latency.base", np.float64(2.5), 2.5),
        ("team.agent.latency.base", np.float32(2.5), 2.5),
        ("team.agent.context.cache", np.bool_(False), False),
        ("team.agent.latency.base", empirical(np.array([1.0, 2.0])), empirical([1.0, 2.0])),
        ("team.agent.latency.base", empirical(pd.Series([1.0, 2.0])), empirical([1.0, 2.0])),
        ("team.agent.latency.base", empirical(pd.Index([1.0, 2.0])), empirical([1.0, 2.0])),
        ("team.agent.latency.base", empirical([np.float16(1.0), 2]), empirical([1.0, 2])),
        ("team.agent.latency.base", empirical(range(1, 3)), empirical([1, 2])),
        ("team.agent.latency.base", empirical((1, 2)), empirical([1, 2])),
        ("team.agent.context", types.MappingProxyType({"cache": False}), {"cache": False}),
        ("team.agent.context", OrderedDict(cache=False), {"cache": False}),
        ("question", np.str_("Why?"), "Why?"),
    ],
    ids=repr,
)
def test_values_of_numpy_and_pandas_are_what_they_stand_for(
    path: str, given: object, said: object
) -> None:
    wanted = ts.load(changed(path, said)).base.model_dump_json()
    assert ts.load(changed(path, given)).base.model_dump_json() == wanted
    assert ts.load(SAID, {path: given}).base.model_dump_json() == wanted


def test_axes_of_a_sweep_may_be_arrays() -> None:
    swept = {**SAID, "sweep": {"team.size": np.arange(1, 4)}}
    assert [point.overrides["team.size"] for point in ts.load(swept).points] == [1, 2, 3]


def test_files_are_named_by_paths(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text('[{"id": "a"}, {"id": "b"}]')
    study = ts.load(changed("workload", {"kind": "dag", "path": tmp_path / "tasks.json"}))
    assert study.base.workload.task_count == 2


@pytest.mark.parametrize(
    "wrong",
    [pd.NA, pd.NaT, pd.Timestamp("2026-01-01"), np.datetime64("2026"), object(), {1, 2}, b"2",
     decimal.Decimal(2), 2 + 3j, len, np.array([{1}], dtype=object)],
)  # fmt: skip
def test_what_yaml_cannot_say_is_refused_by_its_path(wrong: object) -> None:
    said = r"team\.size(\.0)?: a scenario has numbers, texts, lists, .*; found "
    with pytest.raises(ts.ScenarioError, match=f"^scenario: {said}"):
        ts.run(changed("team.size", wrong))
    with pytest.raises(ts.ScenarioError, match=f"^settings: {said}"):
        ts.load(SAID, {"team.size": wrong})


@pytest.mark.parametrize(
    ("path", "wrong", "said"),
    [
        ("team.size", 0, "team.size: should be greater than or equal to 1; found 0"),
        ("team.sise", 2, "team.sise: unknown key 'sise'; did you mean 'size'?"),
        ("team.size", np.array([1, 2]), "team.size: should be a valid integer; found a list"),
        ("team.size", np.nan, "team.size: should be a finite number"),
        ("team.size", 10**400, "team.size: a number is too large"),
        ("team.agent.speed", 1e300, "team.agent.speed: 1e+300 is too large"),
        ("question", "\ud800", "question: half a surrogate pair"),
        ("sweep", {"team.size": [0]}, "team.size: should be greater than or equal to 1; found 0"),
        ("sweep", {"team.size": 3}, "sweep.team.size: an axis is a list of values"),
    ],
)
def test_errors_name_the_path_and_no_line(path: str, wrong: object, said: str) -> None:
    with pytest.raises(ts.ScenarioError) as caught:
        ts.sweep(changed(path, wrong))
    assert str(caught.value).startswith(f"scenario: {said}")


def test_mappings_that_contain_themselves_or_a_key_twice_are_refused() -> None:
    document = copy.deepcopy(dict(SAID))
    document["team"] = {"size": 1, "agent": document}
    with pytest.raises(ts.ScenarioError, match="within each other"):
        ts.load(document)
    with pytest.raises(ts.ScenarioError, match="1: this key is given twice"):
        ts.load({1: 2, "1": 3})
    with pytest.raises(ts.ScenarioError, match="a key must be a text; found None"):
        ts.load({None: 2})
    with pytest.raises(ts.ScenarioError, match="more than 200,000 values"):
        ts.load({"name": np.zeros(300_000)})


def test_a_mapping_is_read_as_its_text_is() -> None:
    text = parse_study(json.dumps(dict(SAID))).base
    assert ts.load(SAID).base.model_dump_json() == text.model_dump_json()


@pytest.mark.parametrize("name", ["", " ", "\x00", "a" * 5000, "nope", ".", None, 3, b"x", []])
def test_names_of_no_scenario_are_refused(name: Any) -> None:
    for called in (ts.load, ts.run, ts.sweep):
        with pytest.raises(ts.TeamsimError, match=r"no such file|is empty|is a file|directory"):
            called(name)


@pytest.mark.parametrize("name", ["", " ", [""], [], "\x00", "a" * 5000, "nope", None, 3, {"a": 1}])
def test_names_of_no_traces_are_refused(name: Any) -> None:
    with pytest.raises(ts.TeamsimError, match=r"no such file|is empty|traces are|no trace files"):
        ts.observe(name)
