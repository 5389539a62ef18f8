"""Copies, detectors and supervisors, part by part: no team, no engine."""

from __future__ import annotations

import math
from typing import Any

import pytest

from simulator.model.agents.agent import VERIFIER, AgentState
from simulator.model.protocols import EVERYONE, SOMEONE
from simulator.model.resilience.copies import Copies
from simulator.model.resilience.health import Health
from simulator.model.resilience.patterns.backup import Backups
from simulator.model.resilience.patterns.detector import Detector
from simulator.model.resilience.patterns.supervisor import Supervisor
from simulator.model.trace import Event
from simulator.model.why import Why
from simulator.scenario.resilience import Backup, DetectorSpec, SupervisorSpec
from tests.model.parts import Crew, bag, hands


class Caller:
    """What copies use of an agent as a client: it takes as long as another."""

    def __init__(self, index: int, alike: list[tuple[int, int]]) -> None:
        self.index, self._alike = index, alike

    def take_as_long(self, other: Caller) -> None:
        self._alike.append((self.index, other.index))


class Ward(Health):
    """Who is up and who is down; it notes who is sent down, and who is to come back when."""

    def __init__(self, crew: Crew) -> None:
        super().__init__(crew.agents, crew.clock, crew.journal, crew.sides)
        self.returns: list[tuple[int, float]] = []
        self.gone_down: list[tuple[int, str]] = []

    def go_down(self, agent: AgentState, why: Why, keeps_context: bool = False) -> None:
        super().go_down(agent, why, keeps_context)
        if why is not Why.CRASH:
            self.gone_down.append((agent.index, why))

    def return_after(self, agent: AgentState, seconds: float) -> None:
        self.returns.append((agent.index, seconds))

    def come_back(self, agent: AgentState) -> None:
        super().return_after(agent, 0.0)


def begin(copies: Copies, agent: AgentState, *picks: int, started_s: float = 0.0) -> None:
    """Let a call begin that attempts tasks."""
    agent.call.picks, agent.time.started_s, agent.time.in_call = list(picks), started_s, True
    copies.call_begins(agent)


def end(copies: Copies, agent: AgentState) -> None:
    agent.time.in_call = False
    copies.call_ended(agent)


def copies(crew: Crew, correlation: float = 0.0) -> tuple[Copies, list[tuple[int, int]]]:
    """Return who is at work on what, and who takes as long as whom."""
    alike: list[tuple[int, int]] = []
    callers = [Caller(agent.index, alike) for agent in crew.agents]
    return Copies(correlation, crew.failure_setting(callers=callers)), alike


def test_a_task_is_elsewhere_while_another_agent_is_at_it() -> None:
    crew = Crew(bag(2))
    at_work, _ = copies(crew)
    first, second = crew.workers
    begin(at_work, first, 0)
    assert not at_work.is_elsewhere(first, 0)
    assert at_work.is_elsewhere(second, 0)
    begin(at_work, second, 0, 1)
    assert at_work.is_elsewhere(first, 0)
    end(at_work, first)
    assert not at_work.is_elsewhere(second, 0)


def test_who_does_a_task_first_cancels_those_who_are_at_nothing_else_on_its_board() -> None:
    crew = Crew(bag(3), workers=5)
    at_work, _ = copies(crew)
    winner, rival, busy, ended, cut_off = crew.workers
    for agent in (winner, rival, ended, cut_off):
        begin(at_work, agent, 0)
    begin(at_work, busy, 0, 1)
    ended.time.in_call = False
    crew.sides.cut([cut_off])
    at_work.task_done(winner, 0, True)
    assert crew.clock.interrupted == {rival.index: "backup"}


@pytest.mark.parametrize("correlation", [0, 1])
def test_a_copy_takes_as_long_as_the_first_only_where_the_task_is_what_is_slow(
    correlation: int,
) -> None:
    crew = Crew(bag(2), workers=3)
    at_work, alike = copies(crew, correlation)
    for agent in crew.workers:
        begin(at_work, agent, 0)
    assert alike == [(1, 0), (2, 0)] * correlation


def backups(crew: Crew, **fields: float) -> Backups:
    """Return who backs up what, from the last half of the tasks on."""
    spec = Backup.model_validate({"when_left": 0.5, **fields})
    return Backups(spec, crew.failure_setting())


def near_the_end(crew: Crew) -> None:
    """Let all but half of the tasks be done, the last ones."""
    n = len(crew.graph)
    for task in range(n - n // 2, n):
        crew.do(task % len(crew.workers), task)


def test_nothing_is_backed_up_before_the_end_is_near() -> None:
    crew = Crew(bag(4))
    safe = backups(crew)
    begin(safe, crew.agents[0], 0)
    crew.do(1, 3)
    assert safe.backups_for(crew.agents[1]) == []
    crew.do(1, 2)
    assert safe.backups_for(crew.agents[1]) == [0]
    assert (crew.agents[1].call.is_backup, crew.metrics.backups) == (True, 1)
    end(safe, crew.agents[1])
    assert not crew.agents[1].call.is_backup


def test_everybody_is_called_once_when_the_end_comes_near() -> None:
    crew = Crew(bag(4))
    safe, called = backups(crew), []
    for worker, task in ((0, 0), (1, 1), (0, 2), (1, 3)):
        crew.do(worker, task)
        crew.clock.woken.clear()
        safe.task_done(crew.agents[worker], task, True)
        called.append(EVERYONE in crew.clock.woken)
    assert called == [False, True, False, False]


def test_what_begins_near_the_end_calls_as_many_as_may_back_it_up() -> None:
    crew = Crew(bag(4))
    safe = backups(crew, copies=3)
    crew.clock.woken.clear()
    begin(safe, crew.agents[0], 0)
    assert crew.clock.woken == []
    near_the_end(crew)
    begin(safe, crew.agents[1], 1)
    assert crew.clock.woken == [SOMEONE] * 3


def test_backups_go_to_what_has_fewest_and_is_longest_in_progress() -> None:
    crew = Crew(bag(8), workers=9)
    near_the_end(crew)
    safe = backups(crew, copies=2)
    for task, started_s in ((0, 3.0), (1, 1.0), (2, 2.0)):
        begin(safe, crew.agents[task], task, started_s=started_s)
    given = []
    for agent in crew.agents[3:]:
        picks = safe.backups_for(agent)
        begin(safe, agent, *picks, started_s=5.0)
        given.append(picks)
    assert given == [[1], [2], [0]] * 2
    assert safe.backups_for(crew.agents[3]) == []  # each has its two
    end(safe, crew.agents[4])
    assert safe.backups_for(crew.agents[4]) == [2]


def test_nobody_backs_up_itself_what_is_done_or_the_other_side() -> None:
    crew = Crew(bag(6), workers=4)
    near_the_end(crew)
    safe = backups(crew)
    for task in (0, 1):
        begin(safe, crew.agents[task], task)
    crew.do(1, 1)  # done, though its call is not over
    assert safe.backups_for(crew.agents[0]) == []
    crew.sides.cut(crew.agents[3:])
    assert safe.backups_for(crew.agents[3]) == []
    assert safe.backups_for(crew.agents[2]) == [0]


def detector(crew: Crew, ward: Ward, **fields: Any) -> Detector:
    """Return what watches a crew: a heartbeat every five seconds, missed for fifteen."""
    eye = Detector(DetectorSpec.model_validate(fields), crew.failure_setting(ward))
    ward.tell(on_loss=[eye.lost])
    return eye


def is_stuck(eye: Detector, agent: AgentState) -> None:
    """Let a call end that was cancelled because its agent was taken for stuck."""
    agent.call.lost_to = Why.STUCK
    eye.call_ended(agent)


def found(crew: Crew) -> list[tuple[float, int | None, str | None]]:
    """Return when the trace says that whom was found how."""
    return [(row.time_s, row.agent, row.outcome) for row in crew.rows(Event.DETECTED)]


@pytest.mark.parametrize("lost_s", [10.0, 12.0, 14.9, 15.0])
def test_a_missing_heartbeat_is_noticed_a_time_out_after_the_last_one(lost_s: float) -> None:
    crew = Crew(bag(4))
    ward = Ward(crew)
    detector(crew, ward)
    crew.clock.at(lost_s, lambda: ward.crash(crew.agents[1], None))
    crew.run()
    found_s = 5.0 * math.floor(lost_s / 5.0) + 15.0
    assert found(crew) == [(found_s, 1, "dead")]
    assert crew.metrics.detection_s == pytest.approx(found_s - lost_s)
    assert (crew.metrics.reassigned, hands(crew)[0]) == (2, [0, 1, 2, 3])


def test_who_is_back_in_time_was_never_missed() -> None:
    crew = Crew(bag(4))
    ward = Ward(crew)
    detector(crew, ward)
    crew.clock.at(10.0, lambda: ward.crash(crew.agents[1], None))
    crew.clock.at(24.0, lambda: ward.come_back(crew.agents[1]))
    crew.run()
    assert (found(crew), crew.metrics.reassigned) == ([], 0)


def test_the_time_to_detect_is_the_mean_over_those_found() -> None:
    crew = Crew(bag(3), workers=3)
    ward = Ward(crew)
    detector(crew, ward, reassign=False)
    for index, lost_s in enumerate((0.0, 1.0, 4.0)):
        crew.clock.at(lost_s, lambda index=index: ward.crash(crew.agents[index], None))
    crew.run()
    assert crew.metrics.detection_s == pytest.approx((15.0 + 14.0 + 11.0) / 3)
    assert (crew.metrics.detections, crew.metrics.reassigned) == (3, 0)


def test_of_two_agents_one_probes_the_other_in_every_period() -> None:
    crew = Crew(bag(4))
    ward = Ward(crew)
    detector(crew, ward, kind="swim", period_s=4)
    crew.clock.at(5.0, lambda: ward.crash(crew.agents[1], None))
    crew.run()
    assert found(crew) == [(8.0, 1, "dead")]


def test_an_agent_probes_one_other_a_period_however_many_are_lost() -> None:
    """Two dead, one prober: it cannot find both in the same period (it drew once for each)."""
    crew = Crew(bag(1), workers=4)
    ward = Ward(crew)
    eye = detector(crew, ward, kind="swim", period_s=4)
    draws = iter([0.5 / 3, 1.5 / 3, 0.5 / 3, 2.5 / 3])  # agents 1, 2, 1 again, 3
    eye._targets[0] = lambda: next(draws)
    for index in (1, 2, 3):
        crew.clock.at(5.0, lambda index=index: ward.crash(crew.agents[index], None))
    crew.run()
    assert found(crew) == [(8.0, 1, "dead"), (12.0, 2, "dead"), (20.0, 3, "dead")]


def test_who_is_lost_later_is_probed_with_those_lost_before() -> None:
    crew = Crew(bag(1), workers=3)
    ward = Ward(crew)
    eye = detector(crew, ward, kind="swim", period_s=4)
    draws = iter([0.75, 0.25, 0.75])  # agents 2, which is up, 1 and 2
    eye._targets[0] = lambda: next(draws)
    eye._targets[2] = lambda: 0.0  # agent 0, as long as it is up
    for index, lost_s in ((1, 1.0), (2, 4.5)):
        crew.clock.at(lost_s, lambda index=index: ward.crash(crew.agents[index], None))
    crew.run()
    assert found(crew) == [(8.0, 1, "dead"), (12.0, 2, "dead")]


@pytest.mark.parametrize("n", [2, 3, 6])
def test_an_agent_probes_all_others_alike_and_never_itself(n: int) -> None:
    for prober in range(n):
        found_in = []
        for lost in set(range(n)) - {prober}:
            crew = Crew(bag(1), workers=n)
            ward = Ward(crew)
            eye = detector(crew, ward, kind="swim", period_s=4)
            # A draw a period, one from each of n - 1 equal parts: each of the others comes up once.
            draws = iter([(k + 0.5) / (n - 1) for k in range(n - 1)])
            eye._targets[prober] = lambda draws=draws: next(draws)
            for other in set(range(n)) - {prober}:
                crew.agents[other].is_down = True
            eye.lost(crew.agents[lost])
            crew.run()
            found_in += [row.time_s / 4 for row in crew.rows(Event.DETECTED)]
        assert sorted(found_in) == list(range(1, n))


def test_a_call_is_suspected_when_it_has_taken_too_long_and_each_from_its_own_beginning() -> None:
    crew = Crew(bag(4))
    agent = crew.agents[1]
    eye = detector(crew, Ward(crew), progress_s=10)

    def call() -> None:
        agent.time.in_call = True
        eye.call_begins(agent)

    crew.clock.at(0.0, call)
    crew.clock.at(9.0, lambda: setattr(agent.time, "in_call", False))
    crew.clock.at(9.5, call)
    crew.run()
    assert found(crew) == [(pytest.approx(19.5), 1, "stuck")]
    assert crew.clock.interrupted == {1: "stuck"}


def test_who_was_stuck_gives_its_tasks_away_and_is_given_others() -> None:
    crew = Crew(bag(4))
    verifier = crew.join(VERIFIER)
    eye = detector(crew, Ward(crew))
    is_stuck(eye, crew.agents[1])
    assert hands(crew) == [[0, 1, 2, 3], []]
    assert (crew.metrics.reassigned, crew.sides.dispatcher.here) == (2, [0, 1])
    is_stuck(eye, verifier)
    assert crew.metrics.reassigned == 2


def supervisor(crew: Crew, ward: Ward, **fields: Any) -> Supervisor:
    """Return a supervisor, whose restarts take three seconds."""
    spec = SupervisorSpec.model_validate({"restart_s": 3, **fields})
    boss = Supervisor(spec, crew.failure_setting(ward))
    ward.tell(on_found=[boss.found])
    return boss


def test_who_is_found_dead_is_restarted_and_who_is_stuck_goes_down_first() -> None:
    crew = Crew(bag(4))
    ward = Ward(crew)
    supervisor(crew, ward)
    eye = detector(crew, ward, reassign=False)
    crew.clock.at(0.0, lambda: ward.crash(crew.agents[0], None))
    crew.run()
    assert (ward.returns, ward.gone_down) == ([(0, 3.0)], [])
    is_stuck(eye, crew.agents[1])
    assert (ward.returns, ward.gone_down) == ([(0, 3.0), (1, 3.0)], [(1, "restart")])
    assert crew.metrics.restarts == 2


@pytest.mark.parametrize(
    ("times", "restarts"),
    [
        ((0.0, 1.0, 10.0, 11.0), 4),  # never more than two within ten seconds
        ((0.0, 1.0, 9.9, 50.0), 2),  # the third in ten seconds, and nobody is restarted again
    ],
)
def test_a_supervisor_gives_up_for_good_beyond_its_intensity(
    times: tuple[float, ...], restarts: int
) -> None:
    crew = Crew(bag(1))
    ward = Ward(crew)
    boss = supervisor(crew, ward, max_restarts=2, within_s=10)
    for now in times:
        crew.clock.reach(now)
        boss.found(crew.agents[0], is_stuck=False)
    assert crew.metrics.restarts == len(ward.returns) == restarts


def test_a_supervisor_without_a_limit_never_gives_up() -> None:
    crew = Crew(bag(1))
    ward = Ward(crew)
    boss = supervisor(crew, ward)
    for _ in range(100):
        boss.found(crew.agents[0], is_stuck=True)
    assert len(ward.returns) == len(ward.gone_down) == 100
