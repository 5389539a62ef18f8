"""Patterns and faults are found, and only the methods that they override are called."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from simulator.model.agents.agent import COORDINATOR, AgentState
from simulator.model.calls.breakers import Breakers
from simulator.model.calls.caller import Caller
from simulator.model.calls.given_up import GivenUp
from simulator.model.model import Model
from simulator.model.resilience._pattern import AGENT_FAULTS, PATTERNS, FailureSetting, Pattern
from simulator.model.resilience.failures import Failures
from simulator.model.resilience.faults.byzantine import ByzantineAgents
from simulator.model.resilience.faults.crash import Crashes
from simulator.model.resilience.patterns.degraded import DegradedMode
from simulator.model.resilience.patterns.simpler_protocol import Simplification
from simulator.model.resilience.script import Script
from simulator.model.trace import Event
from simulator.model.why import Why
from simulator.scenario.faults import AgentFaults, Byzantine, Crash, ScriptedFault
from simulator.scenario.resilience import (
    BreakerSpec,
    Degraded,
    Fallback,
    Resilience,
    SimplerProtocol,
)
from simulator.spec import Spec
from tests.conftest import agent, scenario
from tests.model.parts import Clock, Crew, bag


def failures(**fields: Any) -> Failures:
    """Return the faults and patterns of a scenario."""
    run = Model(scenario(**fields)).replicate(0, Clock(), None)
    assert run.failures is not None
    return run.failures


ALL: dict[str, Any] = {
    **{name: {} for name in reversed(PATTERNS.names())},
    "simpler_protocol": {"protocol": {"kind": "self_claim"}},
    "fallback": {"partial": True},
    "timeout": {"seconds": 9},
}


def test_patterns_are_found_in_the_order_of_the_fields_and_faults_after_them() -> None:
    faults = {**{name: {} for name in AGENT_FAULTS.names()}, "crash": {"up_s": 5}, "stall": 0.1}
    worker = agent(faults=faults)
    kinds = [part.kind for part in failures(resilience=ALL, team__agent=worker).parts]
    patterns = [name for name in Resilience.model_fields if name in PATTERNS.names()]
    assert kinds == patterns + [n for n in AgentFaults.model_fields if n in AGENT_FAULTS.names()]
    assert len(patterns) >= 7


def test_what_is_not_asked_for_is_not_made() -> None:
    assert failures(resilience={"timeout": {"seconds": 9}}).parts == []
    assert failures(team__agent=agent(faults={"malformed": 0.1})).parts == []


@pytest.mark.parametrize(
    ("registry", "spec"), [(PATTERNS, Resilience), (AGENT_FAULTS, AgentFaults)]
)
def test_a_file_serves_the_field_of_its_name(registry: Any, spec: type[Spec]) -> None:
    assert registry.names()
    for name in registry.names():
        assert registry.get(name).kind == name
        assert name in spec.model_fields


class Eager(Pattern):
    """Answers all it is asked, and notes what it is told; `says` are the tasks it names."""

    kind: ClassVar[str] = "degraded"
    told: ClassVar[list[str]] = []
    says: ClassVar[list[int]] = []

    def call_begins(self, agent: AgentState) -> None:
        self.told.append("begins")

    def task_done(self, agent: AgentState, task: int, is_of_use: bool) -> None:
        self.told.append(f"done {task} {is_of_use}")

    def skips(self, what: str) -> bool:
        return what == "reviews"

    def backups_for(self, agent: AgentState) -> list[int]:
        return self.says

    def hopeless(self, agent: AgentState) -> list[int]:
        return self.says


class Idle(Pattern):
    """Does nothing about anything: nobody calls it."""

    kind: ClassVar[str] = "backup"


def test_only_who_overrides_a_method_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = {"degraded": Eager, "backup": Idle}
    monkeypatch.setattr(PATTERNS, "get", patterns.__getitem__)
    made = failures(resilience={"degraded": {}, "backup": {}})
    assert [type(part) for part in made.parts] == [Idle, Eager]
    told = [made._on_begin, made._on_end, made._on_done, made._on_skip, made._on_backup]
    assert [len(each) for each in told] == [1, 0, 1, 1, 1]
    assert made.health.on_loss == made.health.on_return == made.health.on_found == []


def test_the_answers_of_patterns_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    class First(Eager):
        says: ClassVar[list[int]] = []

    class Second(Eager):
        says: ClassVar[list[int]] = [3]

    patterns = {"backup": First, "degraded": Second, "detector": Second}
    monkeypatch.setattr(PATTERNS, "get", patterns.__getitem__)
    monkeypatch.setattr(Eager, "told", told := [])
    made = failures(resilience={name: {} for name in patterns})
    worker: Any = None
    assert made.backups_for(worker) == [3]
    assert made.hopeless(worker) == [3, 3]
    assert (made.skips("reviews"), made.skips("messages")) == (True, False)
    assert not made.is_elsewhere(worker, 0)
    made.call_begins(worker)
    made.task_done(worker, 2, True)
    assert told == ["begins"] * 3 + ["done 2 True"] * 3


def test_degraded_mode_needs_a_share_of_the_workers_down_or_an_open_breaker() -> None:
    crew = Crew(bag(4), workers=4)
    breakers = Breakers(BreakerSpec(minimum=1), crew.clock, crew.journal, crew.phases)
    setting = crew.failure_setting(breakers=breakers)
    mode = DegradedMode(Degraded(when_down=0.5, skip=("messages",)), setting)
    said = []
    for worker in crew.workers[:2]:
        said.append(mode.skips("messages"))
        setting.health.crash(worker, None)
    assert [*said, mode.skips("messages"), mode.skips("reviews")] == [False, False, True, False]
    setting.health.workers_down = 0
    breakers.admit(crew.workers[2])
    assert not mode.skips("messages")
    breakers.record(crew.workers[2], Why.ERROR)
    assert mode.skips("messages")


def test_a_task_is_hopeless_after_so_many_calls_that_have_failed_for_good() -> None:
    crew = Crew(bag(3))
    first, second = crew.workers
    answers = GivenUp(Fallback(partial=True, partial_after=2))

    def fails(agent: AgentState, *picks: int, why: Why = Why.TIMEOUT) -> list[int]:
        agent.call.picks, agent.call.lost_to = list(picks), why
        return answers.after_failure(agent)

    assert fails(first, 0, 1) == []
    assert fails(second, 0, why=Why.CRASH) == []  # not for good
    assert fails(second, 0, 2) == [0]
    assert fails(first, 1) == [1]
    for spec in (None, Fallback(partial=False, model=crew.agents[0].spec)):
        without = GivenUp(spec)
        assert [without.after_failure(first) for _ in range(3)] == [[]] * 3
        assert not without.would_leave_all(first)


def test_a_call_would_leave_all_its_tasks_where_calls_have_failed_enough_at_each() -> None:
    crew = Crew(bag(4))
    first, second = crew.workers
    answers = GivenUp(Fallback(partial=True, partial_after=2))

    def would(*picks: int) -> bool:
        first.call.picks = list(picks)
        return answers.would_leave_all(first)

    assert not would(0)
    second.call.picks, second.call.lost_to = [0, 1], Why.TIMEOUT
    answers.after_failure(second)
    assert [would(0), would(2), would(0, 2), would()] == [True, False, False, False]
    assert [would(1), would(0, 1)] == [False, False]  # 1 is another's
    first.board.complete(1, second.index, 0.0)
    assert [would(1), would(0, 1)] == [True, True]
    first.call.be_backup()
    assert not would(0)


def crashing(crew: Crew, **fields: Any) -> FailureSetting:
    """Return a setting in which the first worker crashes and comes back, again and again."""
    setting = crew.failure_setting()
    crashes = Crashes({crew.workers[0]: Crash.model_validate(fields)}, setting)
    setting.health.tell(on_return=[crashes.back])
    crashes.start()
    return setting


@pytest.mark.parametrize(("up_s", "repair_s"), [(10.0, 2.0), (0.25, 0.5), (0.5, 0.25)])
def test_crashes_and_repairs_alternate_and_only_with_whom_they_belong_to(
    up_s: float, repair_s: float
) -> None:
    crew = Crew(bag(1))
    crashing(crew, up_s=up_s, repair_s=repair_s)
    crew.clock.at(3 * (up_s + repair_s) + up_s / 2, lambda: crew.clock.stop("deadline", ""))
    crew.run()
    rows = [(row.time_s, row.agent) for row in crew.rows(Event.FAULT)]
    assert rows == [(up_s + k * (up_s + repair_s), 0) for k in range(3)]
    assert [row.duration_s for row in crew.rows(Event.DOWN)] == [repair_s] * 3
    assert crew.metrics.crashes == 3


def test_a_crash_without_a_repair_is_the_last() -> None:
    crew = Crew(bag(1))
    setting = crashing(crew, up_s=10)
    crew.run()
    assert (crew.metrics.crashes, setting.health.workers_down) == (1, 1)


@pytest.mark.parametrize(("probability", "manner"), [(1.0, "silent"), (0.0, "")])
def test_who_is_byzantine_is_drawn_at_the_start(probability: float, manner: str) -> None:
    crew = Crew(bag(1), workers=3)
    spec = Byzantine(probability=probability, manner="silent")
    ByzantineAgents(dict.fromkeys(crew.workers[:2], spec), crew.failure_setting())
    assert [worker.byzantine for worker in crew.workers] == [manner, manner, ""]


def test_a_scripted_fault_ends_with_what_the_agent_was_before() -> None:
    crew = Crew(bag(1))
    crew.workers[0].misbehave("silent")
    fault = {"kind": "wrong", "agent": [0, 1], "at_s": 5, "for_s": 3}
    health = crew.failure_setting().health
    script = [ScriptedFault.model_validate(fault)]
    Script(script, crew.agents, crew.clock, health, [None, None]).start()
    seen = []
    for time_s in (4.0, 6.0, 9.0):
        crew.clock.at(time_s, lambda: seen.append([each.byzantine for each in crew.workers]))
    crew.run()
    assert seen == [["silent", ""], ["wrong", "wrong"], ["silent", ""]]


def test_the_loss_of_a_coordinator_changes_the_protocol_once_unless_it_is_back_in_time() -> None:
    crew = Crew(bag(2))
    lead = crew.join(COORDINATOR)
    lead.work_on(crew.sides.board, crew.sides.dispatcher)
    changes: list[tuple[float, str]] = []

    def change(protocol: Any) -> list[int]:
        changes.append((crew.clock.now, protocol.kind))
        return []

    setting = crew.failure_setting(change_protocol=change)
    spec = SimplerProtocol.model_validate({"protocol": "work_stealing", "after_s": 5})
    health = setting.health
    health.tell(on_loss=[Simplification(spec, setting).lost])
    crew.clock.at(1.0, lambda: health.crash(crew.workers[0], None))
    crew.clock.at(10.0, lambda: health.crash(lead, 4.0))
    crew.clock.at(20.0, lambda: health.crash(lead, 9.0))
    crew.clock.at(40.0, lambda: health.crash(lead, 9.0))
    crew.run()
    assert changes == [(25.0, "work_stealing")]
    assert (lead.is_retired, crew.workers[1].is_retired) == (True, False)


@pytest.mark.parametrize(("second_s", "changed_s"), [(7.0, []), (4.0, [11.0])])
def test_workers_must_be_down_without_a_break_for_the_protocol_to_change(
    second_s: float, changed_s: list[float]
) -> None:
    """Down from 1 to 6 s, and for 9 s from a second crash of another on: with or without a gap."""
    crew = Crew(bag(2), workers=2)
    changes: list[float] = []

    def note(_: object) -> list[int]:
        changes.append(crew.clock.now)
        return []

    setting = crew.failure_setting(change_protocol=note)
    fields = {"protocol": "work_stealing", "when_lost": "workers", "share": 0.5, "after_s": 10}
    change = Simplification(SimplerProtocol.model_validate(fields), setting)
    health = setting.health
    health.tell(on_loss=[change.lost], on_return=[change.back])
    crew.clock.at(1.0, lambda: health.crash(crew.workers[0], 5.0))
    crew.clock.at(second_s, lambda: health.crash(crew.workers[1], 9.0))
    crew.run()
    assert changes == changed_s


def test_an_agent_that_is_slow_twice_over_is_slower_by_the_product() -> None:
    crew = Crew(bag(1))
    callers = [Caller(worker, None, None, crew.streams) for worker in crew.workers]
    faults = ({"at_s": 0, "for_s": 10, "factor": 2}, {"at_s": 5, "for_s": 15, "factor": 3})
    script = [
        ScriptedFault.model_validate({"kind": "slow", "agent": 0, **fault}) for fault in faults
    ]
    Script(script, crew.agents, crew.clock, crew.failure_setting().health, callers).start()
    seen = []
    for time_s in (1.0, 6.0, 12.0, 21.0):
        crew.clock.at(time_s, lambda: seen.append([each.slowed for each in callers]))
    crew.run()
    assert seen == [[2, 1], [6, 1], [3, 1], [1, 1]]


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        (("stall", "stall"), [(True, ""), (True, ""), (True, ""), (False, "")]),
        (("wrong", "wrong"), [(False, "wrong"), (False, "wrong"), (False, "wrong"), (False, "")]),
        (
            ("wrong", "silent"),
            [(False, "wrong"), (False, "silent"), (False, "silent"), (False, "")],
        ),
        (("stall", "wrong"), [(True, ""), (True, "wrong"), (False, "wrong"), (False, "")]),
    ],
)
def test_a_fault_that_ends_leaves_those_that_last(
    kinds: tuple[str, str], found: list[tuple[bool, str]]
) -> None:
    crew = Crew(bag(1))
    callers = [Caller(worker, None, None, crew.streams) for worker in crew.workers]
    times = ({"at_s": 0, "for_s": 10}, {"at_s": 5, "for_s": 15})
    script = [
        ScriptedFault.model_validate({"kind": kind, "agent": 0, **time})
        for kind, time in zip(kinds, times, strict=True)
    ]
    Script(script, crew.agents, crew.clock, crew.failure_setting().health, callers).start()
    seen = []
    for time_s in (1.0, 6.0, 12.0, 21.0):
        crew.clock.at(time_s, lambda: seen.append((callers[0].is_stuck, crew.workers[0].byzantine)))
    crew.run()
    assert seen == found


def test_of_two_faults_the_first_may_last_longer() -> None:
    crew = Crew(bag(1))
    callers = [Caller(worker, None, None, crew.streams) for worker in crew.workers]
    times = {"wrong": {"at_s": 0}, "silent": {"at_s": 5, "for_s": 5}}
    script = [
        ScriptedFault.model_validate({"kind": kind, "agent": 0, **time})
        for kind, time in times.items()
    ]
    Script(script, crew.agents, crew.clock, crew.failure_setting().health, callers).start()
    seen = []
    for time_s in (1.0, 6.0, 12.0):
        crew.clock.at(time_s, lambda: seen.append(crew.workers[0].byzantine))
    crew.run()
    assert seen == ["wrong", "silent", "wrong"]


@pytest.mark.parametrize("keeps_context", [False, True])
def test_what_crashes_remembers_what_it_knew_if_that_survives(keeps_context: bool) -> None:
    crew = Crew(bag(1))
    crew.workers[0].memory.context_tokens = 500
    crashing(crew, up_s=10, keeps_context=keeps_context)
    crew.run()
    assert crew.workers[0].memory.context_tokens == 500 * keeps_context
