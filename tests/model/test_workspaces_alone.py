"""Each workspace by itself: its state, and calls that go through it, no team, no engine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.agents.channels import Voice
from simulator.model.agents.kind import Kind
from simulator.model.agents.timesheet import WAITING
from simulator.model.answers import Difficulty
from simulator.model.board import CONFLICT, FIRST, REWRITE, Board
from simulator.model.calls.phases import Phases
from simulator.model.calls.provider import ProviderState
from simulator.model.calls.service import PlainService
from simulator.model.journal import Journal
from simulator.model.metrics import Metrics
from simulator.model.streams import Streams
from simulator.model.tasks import Task, TaskGraph
from simulator.model.workspaces import WorkspaceState
from simulator.model.workspaces._workspace import Desk
from simulator.model.workspaces.consensus import ConsensusState
from simulator.scenario.agent import Agent
from simulator.scenario.families import WORKSPACES
from simulator.scenario.provider import Provider
from tests.conftest import z_score
from tests.model.parts import Clock, bag

SPEC = Agent.model_validate({"latency": {"kind": "seconds", "base": 1}})


class Office:
    """Tasks that write the files named, agents with a workspace, and calls through it."""

    def __init__(self, *files: str, agents: int = 3) -> None:
        listed = [Task(id=f"t{i}", files=tuple(f.split())) for i, f in enumerate(files)]
        self.clock, self.metrics = Clock(), Metrics(tasks=len(files))
        graph, streams = TaskGraph.of(listed), Streams(0, 0)
        self._difficulty = Difficulty(graph, 0.0, streams)
        self._streams = streams
        self.agents = [self.made(i) for i in range(agents)]
        phases = Phases(self.clock, Journal(self.clock, self.metrics, None))
        provider = ProviderState(Provider(), (), streams, self.clock, self.metrics, phases)
        service = PlainService(self.clock, phases, provider)
        board = Board(graph)
        self.desk = Desk(board, self.metrics, self.agents, streams, self.clock, phases, service)
        self._calls: dict[int, Iterator[float | None]] = {}
        self._ended_s: list[float | None] = [None] * agents

    def made(self, index: int, role: int = WORKER) -> AgentState:
        """Return a new agent."""
        who = index, role, index
        return AgentState(Kind(SPEC), *who, self._streams, self._difficulty, Voice())

    def open(self, kind: str, **fields: Any) -> WorkspaceState:
        """Put a workspace into the office; return its state."""
        self.state = WORKSPACES.get(kind).model_validate({"kind": kind, **fields}).state(self.desk)
        return self.state

    def begin(self, agent: int, time_s: float, seconds: float, *picks: int) -> None:
        """Let an agent begin a call at a time; its service takes so many seconds."""

        def start() -> None:
            caller = self.agents[agent]
            caller.time.in_call, caller.time.duration_s, caller.call.picks = (
                True,
                seconds,
                list(picks),
            )
            self.desk.phases.enter(caller, WAITING)
            self._calls[agent] = self.state.call(caller)
            self._go_on(agent)

        self.clock.at(time_s, start)

    def _go_on(self, agent: int) -> None:
        pause = next(self._calls[agent], "ended")
        if pause == "ended":
            self._ended_s[agent], self.agents[agent].time.in_call = self.clock.now, False
            self.state.call_ended(self.agents[agent])
        elif pause is not None:
            self.clock.at(self.clock.now + pause, lambda: self._go_on(agent))

    def run(self) -> list[float | None]:
        """Let time pass until nothing is due; return when each agent's last call ended."""
        while self.clock.happens():
            for agent in self.clock.resumed:
                self.clock.at(self.clock.now, lambda agent=agent: self._go_on(agent))
            self.clock.resumed.clear()
        return self._ended_s


@pytest.mark.parametrize("kind", WORKSPACES.names())
def test_a_workspace_has_slots_and_nothing_beside_them(kind: str) -> None:
    assert not hasattr(Office("a").open(kind), "__dict__")


@pytest.mark.parametrize("kind", WORKSPACES.names())
def test_a_call_alone_takes_its_service_where_the_workspace_takes_nothing(kind: str) -> None:
    office = Office("a", "b")
    office.open(kind)
    office.begin(0, 1.0, 5.0, 0)
    assert office.run() == [6.0, None, None]
    assert not office.agents[0].call.rejected


def test_last_writers_wait_for_nobody() -> None:
    office = Office("a", "a")
    assert office.open("last_writer_wins", loss=0.3).spec.overwrites == 0.3
    office.begin(0, 0.0, 5.0, 0)
    office.begin(1, 1.0, 5.0, 1)
    assert office.run() == [5.0, 6.0, None]


def test_a_locked_artifact_is_waited_for_in_order_of_asking() -> None:
    office = Office("a", "a", "a")
    table = office.open("locks")
    for agent in range(3):
        office.begin(agent, 0.1 * agent, 2.0, agent)
    office.clock.at(1.0, lambda: said.extend(table.waits()))
    said: list[str] = []
    assert office.run() == [2.0, 4.0, 6.0]
    assert office.metrics.lock_wait_s == pytest.approx((2.0 - 0.1) + (4.0 - 0.2))
    assert said == [
        "agent 1 waits for artifact 0, locked by agent 0",
        "agent 2 waits for artifact 0, locked by agent 0",
    ]
    assert table.waits() == []


def test_who_gives_up_its_call_leaves_the_queue_for_a_lock() -> None:
    office = Office("a", "a", "a")
    table = office.open("locks")
    for agent in range(3):
        office.begin(agent, 0.1 * agent, 2.0, agent)
    office.clock.at(1.0, lambda: table.abandoned(office.agents[1]))
    assert office.run() == [2.0, None, 4.0]


def crossing(**fields: Any) -> Office:
    """Return an office in which two agents take the same two locks in opposite orders."""
    office = Office("a b", "b a")
    office.open("locks", acquire="one_by_one", **fields)
    office.begin(0, 0.0, 4.0, 0)
    office.begin(1, 1.0, 4.0, 1)
    return office


def test_locks_in_sorted_order_never_close_a_circle() -> None:
    office = crossing(order="sorted")
    assert office.run() == [4.0, 8.0, None]
    assert office.metrics.deadlocks == 0


def test_who_closes_a_circle_of_waiting_gives_up_its_locks_and_its_call() -> None:
    office = crossing(order="listed")
    # 0 has a and wants b at 2; 1 has b and wants a at 3, which closes the circle.
    assert office.run() == [5.0, 3.0, None]
    assert (office.metrics.deadlocks, office.agents[1].call.rejected) == (1, {1})


def test_a_circle_of_waiting_can_end_the_run() -> None:
    office = crossing(order="listed", on_deadlock="stop")
    office.run()
    assert office.clock.ending is not None
    outcome, reason = office.clock.ending
    assert outcome == "deadlock"
    assert "agent 1 waits for artifact 0, locked by agent 0" in reason
    assert "agent 0 waits for artifact 1, locked by agent 1" in reason


def test_what_is_written_after_a_lease_is_refused() -> None:
    office = Office("a", "a")
    office.open("locks", lease_s=3)
    office.begin(0, 0.0, 5.0, 0)
    office.begin(1, 1.0, 2.0, 1)
    assert office.run() == [5.0, 5.0, None]  # 1 has the lock from 3 on
    assert (office.agents[0].call.rejected, office.agents[1].call.rejected) == ({0}, set())
    assert office.metrics.lease_expiries == 1


def test_what_is_written_as_a_lease_ends_is_not_refused() -> None:
    office = Office("a", "a")
    office.open("locks", lease_s=5)
    office.begin(0, 0.0, 5.0, 0)
    office.begin(1, 1.0, 2.0, 1)
    assert office.run() == [5.0, 7.0, None]  # 1 has the lock from 5 on
    assert (office.agents[0].call.rejected, office.agents[1].call.rejected) == (set(), set())


def test_a_refused_commit_is_merged_on_what_has_just_been_read() -> None:
    office = Office("a", "a")
    office.open("optimistic", one_way_s=1, merge_s=10)
    office.begin(0, 0.0, 5.0, 0)
    office.begin(1, 0.0, 6.0, 1)
    # A read and a write are a second there and a second back: agent 1 reads (2), serves (6),
    # writes in vain (2), reads (2), merges (10) and writes (2).
    assert office.run() == [2.0 + 5.0 + 2.0, 2.0 + 6.0 + 2.0 + 2.0 + 10.0 + 2.0, None]
    assert (office.metrics.merges, office.metrics.commit_attempts) == (1, 3)
    assert office.agents[1].time.read_s == 11.0


def test_a_refused_commit_can_be_thrown_away() -> None:
    office = Office("a", "a", "b")
    office.open("optimistic", on_conflict="redo")
    office.begin(0, 0.0, 5.0, 0)
    office.begin(1, 0.0, 6.0, 1, 2)
    assert office.run() == [5.0, 6.0, None]
    assert office.agents[1].call.rejected == {1}  # and not what nobody else has written


def test_sides_of_a_partition_have_versions_of_their_own_until_it_heals() -> None:
    office = Office("a", "a", "a")
    state = office.open("optimistic", on_conflict="redo")
    office.agents[1].side = 1
    office.clock.at(0.0, state.split)
    office.begin(0, 1.0, 5.0, 0)
    office.begin(1, 1.0, 6.0, 1)
    office.begin(2, 1.0, 9.0, 2)
    office.clock.at(8.0, state.heal)
    office.run()
    # Agent 2 read before both wrote.
    assert [agent.call.rejected for agent in office.agents] == [set(), set(), {2}]


@pytest.mark.parametrize(("slow", "seconds"), [(None, 5.0), (1, 5.0), (0, 50.0)])
def test_a_commit_takes_the_leader_and_a_round_trip_to_a_majority(
    slow: int | None, seconds: float
) -> None:
    office = Office("a")
    who = {} if slow is None else {"slow": {"replica": slow, "factor": 10}}
    office.open("consensus", replicas=5, leader_s=2, round_trip_s=3, **who)
    office.begin(0, 0.0, 1.0, 0)
    assert office.run() == [1.0 + seconds, None, None]
    assert office.metrics.replica_messages == 8


def test_a_leader_waits_for_its_only_follower_however_slow() -> None:
    office = Office("a")
    office.open("consensus", replicas=2, round_trip_s=3, slow={"replica": 1, "factor": 10})
    office.begin(0, 0.0, 1.0, 0)
    assert office.run() == [31.0, None, None]


@pytest.mark.theory
@pytest.mark.parametrize("replicas", [1, 2, 3, 4, 5, 6, 8, 9, 100])
def test_an_entry_stands_once_more_than_half_of_the_replicas_have_it(replicas: int) -> None:
    # A majority of N is N // 2 + 1, the leader among them (Ongaro & Ousterhout 2014): an entry
    # waits for the k-th of N - 1 followers, k = N // 2, which takes k / N in the mean if they are
    # uniform. |z| < 4 over 2,000 entries; one follower less or more is 1 / N away, for N = 100
    # nine standard errors, else twenty and more.
    office = Office("a")
    uniform = {"kind": "uniform", "low": 0, "high": 1}
    state = office.open("consensus", replicas=replicas, round_trip_s=uniform)
    assert isinstance(state, ConsensusState)
    seconds = [state.latency_s() for _ in range(2000)]
    if replicas == 1:
        assert set(seconds) == {0.0}
    else:
        assert abs(z_score(seconds, replicas // 2 / replicas)) < 4


def stale_reads(read: int, write: int, count: int) -> int:
    """Let agents write and read the same artifact by turns; return how many read an old one."""
    office = Office(*["a"] * count)
    office.open("quorum", replicas=3, read=read, write=write)
    for call in range(count):
        office.begin(call % 2, float(call), 0.5, call)
    office.run()
    found = [agent.call.outdated for agent in office.agents[:2]]
    assert len(found[0] | found[1]) == office.metrics.stale_reads
    return office.metrics.stale_reads


@pytest.mark.theory
@pytest.mark.parametrize(
    ("replicas", "read", "write"), [(1, 1, 1), (2, 1, 2), (4, 3, 2), (9, 4, 6)]
)
def test_a_quorum_waits_for_as_many_replicas_as_it_says(
    replicas: int, read: int, write: int
) -> None:
    # The k-th of N uniform delays is k / (N + 1) in the mean: |z| < 4 over 1,000 calls, of which
    # one replica more or less is 1 / (N + 1), ten standard errors and more, away.
    office = Office("a", agents=1)
    uniform = {"kind": "uniform", "low": 0, "high": 1}
    state = office.open("quorum", replicas=replicas, read=read, write=write, delay_s=uniform)
    (agent,) = office.agents
    seconds = []
    for _ in range(1000):
        agent.call.picks, agent.time.duration_s = [0], 2.0
        office.desk.phases.enter(agent, WAITING)
        seconds.append(sum(pause or 0.0 for pause in state.call(agent)))
    assert abs(z_score(seconds, 2.0 + (read + write) / (replicas + 1))) < 4


@pytest.mark.theory
def test_quorums_that_do_not_overlap_read_what_is_old() -> None:
    assert stale_reads(2, 2, 200) == 0
    # One of three replicas has the newest version, and one of three is asked: 2/3 of the reads
    # are old but for the first, |z| < 3.3 (99.9 %). At 0.5 or 0.8 the test fails with near
    # certainty: the standard error is 0.011.
    share = stale_reads(1, 1, 2001) / 2000
    assert abs(share - 2 / 3) < 3.3 * math.sqrt(2 / 9 / 2000)


def test_a_quorum_waits_for_its_slowest_answer() -> None:
    office = Office("a")
    office.open("quorum", replicas=5, read=1, write=3, delay_s=2)
    office.begin(0, 0.0, 1.0, 0)
    assert office.run() == [5.0, None, None]
    assert office.metrics.replica_messages == 20


def test_a_change_waits_until_the_owner_has_ended_its_call() -> None:
    office = Office("a", "b", "c")
    office.open("single_writer", apply_s=2)
    office.begin(1, 0.0, 10.0, 1)  # its own artifact
    office.begin(0, 0.0, 4.0, 1)  # of agent 1, in service until 10
    office.begin(2, 0.0, 1.0, 0)  # of agent 0, in service until 4
    assert office.run() == [12.0, 10.0, 4.0 + 8.0 + 2.0]
    # It is applied to what the owner has by then, whatever was read before.
    assert [agent.time.read_s for agent in office.agents] == [10.0, 0.0, 12.0]


def test_a_lost_acknowledgement_is_sent_for_again() -> None:
    # Geometric: p / (1 - p) = 1 more commit a call. 2,000 calls, |z| < 3.3 (99.9 %); the standard
    # error is 0.03.
    office = Office("a", agents=1)
    office.open("last_writer_wins", ack_loss=0.5, ack_timeout_s=3, idempotent=False)
    for call in range(2000):
        office.begin(0, 1000.0 * call, 1.0, 0)
    (ended_s,) = office.run()
    assert ended_s is not None
    retries = office.metrics.retries
    assert abs(retries / 2000 - 1) < 3.3 * math.sqrt(2 / 2000)
    assert office.metrics.duplicate_effects == retries
    assert (ended_s - 1.0) % 3.0 == (1000.0 * 1999) % 3.0


def test_every_file_in_conflict_is_merged() -> None:
    # Agent 1 writes three files, of which agent 0 has written two meanwhile: two merges of 10 s.
    office = Office("a b", "a b c")
    office.open("optimistic", merge_s=10)
    office.begin(0, 0.0, 5.0, 0)
    office.begin(1, 0.0, 6.0, 1)
    assert office.run() == [5.0, 6.0 + 2 * 10.0, None]
    assert (office.metrics.merges, office.metrics.commit_attempts) == (2, 3)


@pytest.mark.parametrize("side", [0, 1])
def test_what_the_other_side_wrote_is_newer_than_what_was_read_on_ones_own(side: int) -> None:
    # Both sides write a once. Agent 2 has read its own side's write as the cut heals.
    office = Office("a", "a", "a")
    state = office.open("optimistic", on_conflict="redo")
    office.agents[1].side = 1
    office.agents[2].side = side
    office.clock.at(0.0, state.split)
    office.begin(0, 1.0, 1.0, 0)
    office.begin(1, 1.0, 1.0, 1)
    office.begin(2, 3.0, 5.0, 2)

    def heal() -> None:
        state.heal()
        for agent in office.agents:
            agent.side = 0

    office.clock.at(4.0, heal)
    assert office.run() == [2.0, 2.0, 8.0]
    assert [agent.call.rejected for agent in office.agents] == [set(), set(), {2}]


@pytest.mark.theory
@pytest.mark.parametrize(("replicas", "read", "write"), [(3, 1, 1), (5, 2, 2)])
def test_few_writes_by_small_quorums_are_read_as_often_as_they_should(
    replicas: int, read: int, write: int
) -> None:
    # Each of ten calls reads and then writes the same file. Whatever was written before, the
    # newest version is with the W replicas of the last write, and R asked at random miss them
    # all with probability C(N - W, R) / C(N, R); the first call finds nothing. |z| < 4 over 300
    # files of nine independent reads.
    missed = math.comb(replicas - write, read) / math.comb(replicas, read)
    office = Office(*(f"f{i // 10}" for i in range(3000)), agents=1)
    office.open("quorum", replicas=replicas, read=read, write=write)
    for call in range(3000):
        office.begin(0, float(call), 0.5, call)
    office.run()
    error = math.sqrt(missed * (1.0 - missed) / 2700)
    assert abs(office.metrics.stale_reads / 2700 - missed) < 4 * error


def test_a_task_is_refused_if_one_of_its_leases_has_run_out() -> None:
    # Agent 0 has a from 0 to 3 and, one by one, b from 2 to 5; it ends at 4.
    office = Office("a b")
    office.open("locks", acquire="one_by_one", lease_s=3)
    office.begin(0, 0.0, 4.0, 0)
    assert office.run() == [4.0, None, None]
    assert office.metrics.lease_expiries == 1
    assert office.agents[0].call.rejected == {0}


def test_only_workers_own_artifacts() -> None:
    # The third of the team is its coordinator, so that artifact 2 is of worker 2 mod 2.
    office = Office("a", "b", "c", agents=2)
    office.agents.append(office.made(2, COORDINATOR))
    office.open("single_writer", apply_s=2)
    office.begin(0, 0.0, 4.0, 2)  # its own
    assert office.run()[0] == 4.0


def test_a_call_sent_again_applies_the_effect_of_each_of_its_tasks_again() -> None:
    office = Office("a", "b", "c", agents=1)
    office.open("last_writer_wins", ack_loss=0.5, idempotent=False)
    for call in range(100):
        office.begin(0, 1000.0 * call, 1.0, 0, 1, 2)
    office.run()
    assert office.metrics.retries > 0
    assert office.metrics.duplicate_effects == 3 * office.metrics.retries


@pytest.mark.parametrize("writers", [1, 2, 3, 5])
def test_a_file_that_several_write_at_once_is_one_concurrent_write(writers: int) -> None:
    board = Board(bag(1))
    said = [[board.write(0, agent, 0, read_s, read_s + 1) for agent in range(writers)]
            for read_s in (0.0, 2.0)]  # fmt: skip
    again = [REWRITE] * (writers - 2)
    assert said == [
        [FIRST, *[CONFLICT] * (writers > 1), *again],
        [REWRITE, *[CONFLICT] * (writers > 1), *again],
    ]
