"""Who copies, finds and restarts whom, part by part: no team, no engine."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from simulator.model.agents.agent import VERIFIER, AgentState
from simulator.model.protocols import EVERYONE, SOMEONE
from simulator.model.resilience.backups import Backups
from simulator.model.resilience.copies import Copies
from simulator.model.resilience.detector import Detector
from simulator.model.resilience.supervisor import Supervisor
from simulator.model.trace import Event
from simulator.scenario.resilience import Backup, DetectorSpec, SupervisorSpec
from tests.model.parts import Crew, bag, hands


class Requests:
    """What copies use of the requests: who takes as long as whom."""

    def __init__(self) -> None:
        self.alike: list[tuple[int, int]] = []

    def take_as_long(self, agent: AgentState, other: AgentState) -> None:
        self.alike.append((agent.index, other.index))


class Faults:
    """What detector and supervisor use of the faults: who is lost, who is to come back."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.lives = [0] * len(crew.agents)
        self.on_loss: list[Any] = []
        self.returns: list[tuple[int, float]] = []
        self.gone_down: list[tuple[int, str]] = []

    def lose(self, agent: AgentState) -> None:
        """Let an agent go down now."""
        self.lives[agent.index] += 1
        agent.is_down, agent.down_since_s = True, self.crew.clock.now
        for react in self.on_loss:
            react(agent)

    def come_back(self, agent: AgentState) -> None:
        self.lives[agent.index] += 1
        agent.is_down = False

    def go_down(self, agent: AgentState, why: str) -> None:
        self.gone_down.append((agent.index, why))

    def return_after(self, agent: AgentState, seconds: float) -> None:
        self.returns.append((agent.index, seconds))


def begin(copies: Copies, agent: AgentState, *picks: int, started_s: float = 0.0) -> None:
    """Let a call begin that attempts tasks."""
    agent.call.picks, agent.time.started_s, agent.time.in_call = list(picks), started_s, True
    copies.begun(agent)


def end(copies: Copies, agent: AgentState) -> None:
    agent.time.in_call = False
    copies.over(agent)


def copies(crew: Crew, correlation: float = 0.0) -> tuple[Copies, Requests]:
    """Return who is at work on what, and what it asks of the requests."""
    requests: Any = Requests()
    return Copies(crew.workers, crew.streams, crew.clock, requests, correlation), requests


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
    at_work.task_done(winner, 0)
    assert crew.clock.interrupted == {rival.index: "backup"}


@pytest.mark.parametrize("correlation", [0, 1])
def test_a_copy_takes_as_long_as_the_first_only_where_the_task_is_what_is_slow(
    correlation: int,
) -> None:
    crew = Crew(bag(2), workers=3)
    at_work, requests = copies(crew, correlation)
    for agent in crew.workers:
        begin(at_work, agent, 0)
    assert requests.alike == [(1, 0), (2, 0)] * correlation


def backups(crew: Crew, **fields: float) -> Backups:
    """Return who backs up what, from the last half of the tasks on."""
    spec, requests = Backup.model_validate({"when_left": 0.5, **fields}), Requests()
    who: Any = (crew.workers, crew.streams, crew.clock, crew.metrics, requests, crew.sides.board)
    return Backups(spec, *who)


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
    assert safe.copy_for(crew.agents[1]) == []
    crew.do(1, 2)
    assert safe.copy_for(crew.agents[1]) == [0]
    assert (crew.agents[1].call.is_backup, crew.metrics.backups) == (True, 1)
    end(safe, crew.agents[1])
    assert not crew.agents[1].call.is_backup


def test_everybody_is_called_once_when_the_end_comes_near() -> None:
    crew = Crew(bag(4))
    safe, called = backups(crew), []
    for worker, task in ((0, 0), (1, 1), (0, 2), (1, 3)):
        crew.do(worker, task)
        crew.clock.woken.clear()
        safe.task_done(crew.agents[worker], task)
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
        picks = safe.copy_for(agent)
        begin(safe, agent, *picks, started_s=5.0)
        given.append(picks)
    assert given == [[1], [2], [0]] * 2
    assert safe.copy_for(crew.agents[3]) == []  # each has its two
    end(safe, crew.agents[4])
    assert safe.copy_for(crew.agents[4]) == [2]


def test_nobody_backs_up_itself_what_is_done_or_the_other_side() -> None:
    crew = Crew(bag(6), workers=4)
    near_the_end(crew)
    safe = backups(crew)
    for task in (0, 1):
        begin(safe, crew.agents[task], task)
    crew.do(1, 1)  # done, though its call is not over
    assert safe.copy_for(crew.agents[0]) == []
    crew.sides.cut(crew.agents[3:])
    assert safe.copy_for(crew.agents[3]) == []
    assert safe.copy_for(crew.agents[2]) == [0]


def detector(
    crew: Crew, faults: Faults, supervisor: Supervisor | None = None, **fields: Any
) -> Detector:
    """Return what watches a crew: a heartbeat every five seconds, missed for fifteen."""
    spec = DetectorSpec.model_validate(fields)
    roster: Any = SimpleNamespace(agents=crew.agents)
    lost: Any = faults
    who = (roster, crew.streams, crew.clock, crew.journal, crew.sides, lost, supervisor)
    return Detector(spec, *who)


def found(crew: Crew) -> list[tuple[float, int | None, str | None]]:
    """Return when the trace says that whom was found how."""
    return [(row.time_s, row.agent, row.outcome) for row in crew.rows(Event.DETECTED)]


@pytest.mark.parametrize("lost_s", [10.0, 12.0, 14.9, 15.0])
def test_a_missing_heartbeat_is_noticed_a_time_out_after_the_last_one(lost_s: float) -> None:
    crew = Crew(bag(4))
    faults = Faults(crew)
    detector(crew, faults)
    crew.clock.at(lost_s, lambda: faults.lose(crew.agents[1]))
    crew.run()
    found_s = 5.0 * math.floor(lost_s / 5.0) + 15.0
    assert found(crew) == [(found_s, 1, "dead")]
    assert crew.metrics.detection_s == pytest.approx(found_s - lost_s)
    assert (crew.metrics.reassigned, hands(crew)[0]) == (2, [0, 1, 2, 3])


def test_who_is_back_in_time_was_never_missed() -> None:
    crew = Crew(bag(4))
    faults = Faults(crew)
    detector(crew, faults)
    crew.clock.at(10.0, lambda: faults.lose(crew.agents[1]))
    crew.clock.at(24.0, lambda: faults.come_back(crew.agents[1]))
    crew.run()
    assert (found(crew), crew.metrics.reassigned) == ([], 0)


def test_the_time_to_detect_is_the_mean_over_those_found() -> None:
    crew = Crew(bag(3), workers=3)
    faults = Faults(crew)
    detector(crew, faults, reassign=False)
    for index, lost_s in enumerate((0.0, 1.0, 4.0)):
        crew.clock.at(lost_s, lambda index=index: faults.lose(crew.agents[index]))
    crew.run()
    assert crew.metrics.detection_s == pytest.approx((15.0 + 14.0 + 11.0) / 3)
    assert (crew.metrics.detections, crew.metrics.reassigned) == (3, 0)


def test_of_two_agents_one_probes_the_other_in_every_period() -> None:
    crew = Crew(bag(4))
    faults = Faults(crew)
    detector(crew, faults, kind="swim", period_s=4)
    crew.clock.at(5.0, lambda: faults.lose(crew.agents[1]))
    crew.run()
    assert found(crew) == [(8.0, 1, "dead")]


def test_a_call_is_suspected_when_it_has_taken_too_long_and_each_from_its_own_beginning() -> None:
    crew = Crew(bag(4))
    agent = crew.agents[1]
    eye = detector(crew, Faults(crew), progress_s=10)

    def call() -> None:
        agent.time.in_call = True
        eye.watch(agent)

    crew.clock.at(0.0, call)
    crew.clock.at(9.0, lambda: setattr(agent.time, "in_call", False))
    crew.clock.at(9.5, call)
    crew.run()
    assert found(crew) == [(pytest.approx(19.5), 1, "stuck")]
    assert crew.clock.interrupted == {1: "stuck"}


def test_who_was_stuck_gives_its_tasks_away_and_is_given_others() -> None:
    crew = Crew(bag(4))
    verifier = crew.join(VERIFIER)
    eye = detector(crew, Faults(crew))
    eye.was_stuck(crew.agents[1])
    assert hands(crew) == [[0, 1, 2, 3], []]
    assert (crew.metrics.reassigned, crew.sides.dispatcher.here) == (2, [0, 1])
    eye.was_stuck(verifier)
    assert crew.metrics.reassigned == 2


def supervisor(crew: Crew, faults: Faults, **fields: Any) -> Supervisor:
    """Return a supervisor, whose restarts take three seconds."""
    spec = SupervisorSpec.model_validate({"restart_s": 3, **fields})
    lost: Any = faults
    return Supervisor(spec, crew.streams, crew.clock, crew.metrics, lost)


def test_who_is_found_dead_is_restarted_and_who_is_stuck_goes_down_first() -> None:
    crew = Crew(bag(4))
    faults = Faults(crew)
    eye = detector(crew, faults, supervisor(crew, faults), reassign=False)
    crew.clock.at(0.0, lambda: faults.lose(crew.agents[0]))
    crew.run()
    assert (faults.returns, faults.gone_down) == ([(0, 3.0)], [])
    eye.was_stuck(crew.agents[1])
    assert (faults.returns, faults.gone_down) == ([(0, 3.0), (1, 3.0)], [(1, "restart")])
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
    faults = Faults(crew)
    boss = supervisor(crew, faults, max_restarts=2, within_s=10)
    for now in times:
        crew.clock.reach(now)
        boss.restart(crew.agents[0])
    assert crew.metrics.restarts == len(faults.returns) == restarts


def test_a_supervisor_without_a_limit_never_gives_up() -> None:
    crew = Crew(bag(1))
    faults = Faults(crew)
    boss = supervisor(crew, faults)
    for _ in range(100):
        boss.replace(crew.agents[0])
    assert len(faults.returns) == len(faults.gone_down) == 100
