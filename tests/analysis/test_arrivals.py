"""Independent agents that begin at different times, and pause: so do their twins."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.observation.arrivals import arriving_workload
from analysis.observation.observe import observe
from analysis.observation.roles import roles_by_agent, roles_of
from analysis.observation.runs import runs_of
from analysis.observation.structure import INDEPENDENT, find_structure
from analysis.observation.units import units_of
from analysis.observation.workload import Work
from analysis.traces.canonical import Traces
from tests.analysis.test_observation import Row, together, traces


def paused(
    run: str = "r", reason: str = "end_turn", slower: float = 1.0, later: float = 1.0
) -> Traces:
    """Return a run of three agents that begin at 0, 17 and 31 s, and pause between their calls."""
    begins = {
        "anna": (0.0, 8.5, 16.0, 33.0, 46.0),
        "bert": (17.0, 21.2, 39.0, 47.5),
        "carl": (31.0, 52.0, 56.2, 80.0),
    }
    rows: list[Row] = [
        (agent, "chat", later * at_s, later * at_s + 4.0 * slower, reason)
        for agent, starts in begins.items()
        for at_s in starts
    ]
    return traces(*rows, run=run)


def work(*found: Traces) -> Work | None:
    """Return the work of the agents of some traces, as one that arrives."""
    all_of = together(*found)
    runs, roles = runs_of(all_of.calls), roles_of(all_of.calls, all_of.agents)
    units = {run.name: units_of(run.operations, by_call=True) for run in runs}
    structure = find_structure(runs, roles, all_of.messages)
    assert structure.kind == INDEPENDENT
    return arriving_workload(structure, runs, units, roles_by_agent(roles))


def test_work_arrives_when_an_agent_began_it_after_a_pause() -> None:
    found = work(paused())
    assert found is not None
    assert found.is_dealt
    tasks = [(t["family"], t["worker"], t.get("arrival_s")) for t in found.spec["tasks"]]
    assert [at for who, _, at in tasks if who == "anna"] == [None, 8.5, 16.0, 33.0, 46.0]
    # Two calls follow at once: 21.2 s is 0.2 s after the end of the call before.
    assert [at for who, _, at in tasks if who == "bert"] == [17.0, 17.0, 39.0, 47.5]
    assert [at for who, _, at in tasks if who == "carl"] == [31.0, 52.0, 52.0, 80.0]
    assert {number for _, number, _ in tasks} == {1}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_the_run_of_median_length_is_taken_or_the_shorter_of_the_two_in_the_middle(
    count: int,
) -> None:
    found = work(*(paused(f"r{i}", later=1.0 + 0.01 * i) for i in range(count)))
    assert found is not None
    first = next(t["arrival_s"] for t in found.spec["tasks"] if "arrival_s" in t)
    assert first == pytest.approx(8.5 * (1.0 + 0.01 * ((count - 1) // 2)), rel=1e-3)


def test_an_agent_takes_over_the_number_of_one_of_its_role_that_has_ended() -> None:
    starts = {"w 1": (0.0, 6.0), "w 2": (3.0, 20.0), "w 3": (15.0, 30.0), "w 4": (31.0, 37.0)}
    rows: list[Row] = [
        (agent, "chat", at_s, at_s + 4.0, "stop") for agent, both in starts.items() for at_s in both
    ]
    found = work(traces(*rows))
    assert found is not None
    # At most two at a time: 3 begins at 15 s, when 1 has ended (10 s); 4 at 31 s, after 2 (24 s).
    assert [task["worker"] for task in found.spec["tasks"]] == [1, 2, 1, 1, 2, 1, 2, 2]


def test_agents_that_begin_as_another_ends_wait_for_its_work() -> None:
    # Each of the later calls begins 0.3 s after an end of the other agent's, or its own.
    rows: list[Row] = [("b", "chat", 0.0, 9.0, "stop"), ("a", "chat", 0.0, 5.0, "stop"),
                 ("a", "chat", 9.3, 19.0, "stop"), ("b", "chat", 9.3, 15.0, "stop"),
                 ("b", "chat", 19.3, 29.0, "stop"), ("a", "chat", 19.3, 24.0, "stop"),
                 ("a", "chat", 29.3, 39.0, "stop"), ("b", "chat", 29.5, 33.0, "stop")]  # fmt: skip
    assert work(traces(*rows)) is None


@pytest.mark.parametrize("gap_s", [0.0, 0.3])
def test_without_pauses_no_work_arrives(gap_s: float) -> None:
    rows: list[Row] = [
        (agent, "chat", i * (lasts + gap_s), i * (lasts + gap_s) + lasts, "stop")
        for agent, lasts in (("a", 5.0), ("b", 4.0))
        for i in range(6)
    ]
    assert work(traces(*rows)) is None


def test_pauses_that_end_with_others_work_by_chance_are_pauses() -> None:
    # Ten agents: in any second, one of nine others ends with a probability of about 0.6.
    rng = np.random.default_rng(1)
    rows: list[Row] = []
    for agent in range(10):
        at_s = float(rng.uniform(0.0, 10.0))
        for _ in range(20):
            lasts = float(rng.uniform(2.0, 6.0))
            rows.append((f"agent {chr(97 + agent)}", "chat", at_s, at_s + lasts, "stop"))
            at_s += lasts + float(rng.exponential(6.0))
    assert work(traces(*rows)) is not None


@pytest.mark.thorough
@pytest.mark.parametrize("reason", ["end_turn", ""])
def test_a_twin_of_agents_that_pause_is_as_long_and_as_idle(reason: str) -> None:
    runs = [paused(f"r{i}", reason, 1.0 + 0.02 * i) for i in range(6)]
    found = observe(together(*runs), "observed", 60)
    assert found.structure.kind == INDEPENDENT
    # Without pauses, a run would take 20 s, and its agents were in the model for all of it.
    for measure, most in (("makespan_s", 0.05), ("share: model", 0.15), ("calls", 0.01)):
        real, made = (each[measure].median() for each in (found.table, found.simulated))
        assert made == pytest.approx(real, rel=most), measure
