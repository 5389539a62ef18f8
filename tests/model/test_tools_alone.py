"""Tools and stations alone: a clock, agents, and what they call."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.model.agents.agent import AgentState
from simulator.model.agents.cache_life import CacheLife
from simulator.model.agents.draws import OwnDraws
from simulator.model.agents.held import Held
from simulator.model.agents.loop import Loop
from simulator.model.agents.toolkit import Tool, ToolCall, Toolkit
from simulator.model.answers import Difficulty
from simulator.model.calls.phases import Step
from simulator.model.calls.runs import CallGroup, OwnRuns, Run, Server
from simulator.model.calls.stations import Station
from simulator.model.calls.subagents import SubagentPool
from simulator.model.calls.tools import Tools
from simulator.model.streams import Entity, Streams
from simulator.model.trace import Event
from simulator.scenario.agent import Price
from simulator.scenario.context import PromptCache
from simulator.scenario.loop import LoopSpec
from simulator.scenario.tools import StationSpec, ToolSpec, WeekTime
from tests.conftest import scenario
from tests.model.parts import Bench

HOUR, DAY = 3600.0, 86_400.0


def draws(number: int = 0, seed: int = 0) -> OwnDraws:
    return OwnDraws(Streams(seed, 0), Entity.AGENT, number)


def calling(seconds: float, fails: bool = False, **fields: Any) -> ToolCall:
    spec = ToolSpec.model_validate(fields)
    return ToolCall(Tool("ci", spec, draws()), seconds, fails, 10)


def loop(**fields: Any) -> Loop:
    return Loop(LoopSpec.model_validate(fields), {}, draws())


class Site(Server):
    """A station on a clock, and when runs began that were asked for at some times."""

    def __init__(self, starts_at: dict[str, Any] | None = None, **fields: Any) -> None:
        self.bench = Bench()
        self.runs = OwnRuns(self.bench.agents[0])
        self.begun: list[tuple[str, float]] = []
        self.struck: list[bool] = []
        self._names: dict[Run, str] = {}
        spec = StationSpec.model_validate(fields)
        week = WeekTime.model_validate(starts_at or {})
        clock = self.bench.clock
        self.station = Station("ci", spec, week, Streams(1, 0), clock, self)

    def serve(self, run: Run, seconds: float, is_struck: bool) -> None:
        clock = self.bench.clock
        self.begun.append((self._names[run], clock.now))
        self.struck.append(is_struck)
        run.begin(clock.now, "done")
        clock.set_timer(clock.now + seconds, run)

    def end(self, run: Run, how: str = "done") -> None:
        if not run.is_over:
            run.own.end(run, is_heard=True, has_failed=False)
            self.station.leave(run)

    def ask(
        self,
        name: str,
        at_s: float,
        seconds: float,
        priority: int = 0,
        group: CallGroup | None = None,
        comes_last: bool = False,
    ) -> Run:
        """Ask for a run, first of all that happens then or after what is known a second before."""
        call = calling(seconds, station="ci", priority=priority)
        run, clock = Run(call, self.runs, at_s, self, group), self.bench.clock
        self.runs.add(run)
        self._names[run] = name
        if comes_last:
            clock.at(at_s - 1.0, lambda: clock.at(at_s, lambda: self.station.ask(run)))
        else:
            clock.at(at_s, lambda: self.station.ask(run))
        return run

    def run(self) -> list[tuple[str, float]]:
        while self.bench.clock.happens():
            assert self.station.busy <= self.station.spec.concurrency
        assert self.station.busy == 0
        return self.begun


def test_a_station_serves_who_came_first() -> None:
    site = Site(concurrency=2)
    for name, at_s, seconds in (("a", 0, 5), ("b", 1, 9), ("c", 2, 1), ("d", 3, 1)):
        site.ask(name, at_s, seconds)
    assert site.run() == [("a", 0), ("b", 1), ("c", 5), ("d", 6)]


@settings(deadline=None)
@given(
    places=st.integers(1, 3),
    asked=st.lists(
        st.tuples(st.integers(1, 12), st.booleans(), st.integers(1, 6), st.booleans()), max_size=10
    ),
)
def test_who_could_be_cancelled_with_others_is_served_in_turn_if_it_is_not(
    places: int, asked: list[tuple[int, bool, int, bool]]
) -> None:
    asked.sort(key=lambda each: each[:2])
    site = Site(concurrency=places)
    free, expected = [0.0] * places, {}
    for number, (at_s, comes_last, seconds, is_grouped) in enumerate(asked):
        group = CallGroup(9, 9) if is_grouped else None
        site.ask(str(number), at_s, seconds, group=group, comes_last=comes_last)
        begins_s = max(float(at_s), heappop(free))
        heappush(free, begins_s + seconds)
        expected[str(number)] = begins_s
    assert dict(site.run()) == expected


def test_a_station_serves_the_urgent_first_and_interrupts_nobody() -> None:
    site = Site(order="priority")
    for name, priority in (("a", 0), ("b", 1), ("c", 5), ("d", 1)):
        site.ask(name, 0.0 if name == "a" else 1.0, 10, priority)
    assert site.run() == [("a", 0), ("c", 10), ("b", 20), ("d", 30)]


def test_who_has_left_the_queue_is_not_served_and_who_leaves_service_frees_it() -> None:
    site = Site()
    first, second = site.ask("a", 0, 100), site.ask("b", 1, 5)
    site.ask("c", 2, 5)
    site.bench.clock.at(3.0, lambda: site.end(second))
    site.bench.clock.at(8.0, lambda: site.end(first))
    assert site.run() == [("a", 0), ("c", 8)]


@pytest.mark.parametrize(
    ("at_s", "begins_s"),
    [
        (0.0, 0.0),
        (8 * HOUR, DAY),  # at five in the afternoon they go
        (DAY - 1.0, DAY),
        (4 * DAY + 7.9 * HOUR, 4 * DAY + 7.9 * HOUR),
        (4 * DAY + 8.1 * HOUR, 7 * DAY),  # over the weekend
    ],
)
def test_a_person_serves_at_hours_of_weekdays(at_s: float, begins_s: float) -> None:
    site = Site(available={})
    site.ask("a", at_s, 60)
    assert site.run() == [("a", pytest.approx(begins_s, abs=1e-3))]


def test_all_who_have_waited_for_the_morning_are_served_then_one_after_another() -> None:
    site = Site({"day": "sat", "hour": 12}, available={"from": 8, "to": 9})
    for name in "abc":
        site.ask(name, 5.0, 100)
    monday = 44 * HOUR
    assert site.run() == [("a", monday), ("b", monday + 100), ("c", monday + 200)]


def test_what_is_asked_for_in_an_outage_waits_and_what_runs_into_one_is_struck() -> None:
    site = Site(outages={"up_s": 10, "down_s": 5})
    for name, at_s, seconds in (("a", 0, 4), ("b", 8, 6), ("c", 9, 2)):
        site.ask(name, at_s, seconds)
    assert site.run() == [("a", 0), ("b", 8), ("c", 15)]
    assert site.struck == [False, True, False]


class Workshop:
    """Agents that call tools at some time, on a clock."""

    def __init__(self, workers: int = 1, **stations: Any) -> None:
        names = {"ci": {"seconds": 1}}
        who = {"latency": {"kind": "seconds", "base": 1}, "loop": {"turns": 2}, "tools": names}
        each = scenario(team__agent=who, stations=stations)
        self.bench = bench = Bench(workers, is_traced=True)
        parts = (bench.streams, bench.clock, bench.journal, bench.phases)
        difficulty = Difficulty(bench.graph, 0.0, bench.streams)
        self.pool = SubagentPool(None, difficulty, *parts, workers)
        kinds = (each.tool_names, each.stations, each.starts_at)
        self.tools = Tools(*kinds, *parts, self.pool)
        self.results: dict[int, tuple[int, bool]] = {}

    def call(self, worker: int, at_s: float, *calls: ToolCall) -> None:
        agent = self.bench.agents[worker]
        self.bench.begin(at_s, agent, self._steps(agent, calls))

    def _steps(self, agent: AgentState, calls: tuple[ToolCall, ...]) -> Iterator[Step]:
        own = self.tools.of(agent)
        yield from self.tools.call(own, calls)
        self.results[agent.index] = own.take()

    @property
    def outcomes(self) -> list[str | None]:
        return [row.outcome for row in self.bench.rows(Event.TOOL)]


def test_an_agent_goes_on_when_the_last_of_its_tools_has_ended() -> None:
    shop = Workshop()
    shop.call(0, 2.0, calling(3), calling(7), calling(5, fails=True))
    assert shop.bench.run() == {0: 9.0}
    assert shop.results == {0: (30, True)}
    assert shop.outcomes == ["done", "error", "done"]
    metrics = shop.bench.metrics
    assert (metrics.tool_calls, metrics.tool_errors, metrics.tool_s) == (3, 1, 15.0)
    assert metrics.on_tools_s == 7.0


def test_who_calls_nothing_or_in_the_background_does_not_wait() -> None:
    shop = Workshop(2)
    shop.call(0, 2.0)
    shop.call(1, 2.0, calling(5, background=True))
    assert shop.bench.run() == {0: 2.0, 1: 2.0}
    assert shop.results == {0: (0, False), 1: (0, False)}
    assert shop.tools.of(shop.bench.agents[1]).take() == (10, False)


def test_two_agents_share_a_station() -> None:
    shop = Workshop(2, ci={})
    shop.call(0, 0.0, calling(6, station="ci"))
    shop.call(1, 1.0, calling(6, station="ci"))
    assert shop.bench.run() == {0: 6.0, 1: 12.0}
    assert [row.duration_s for row in shop.bench.rows(Event.TOOL_WAIT)] == [5.0]
    assert shop.bench.metrics.tool_wait_s == 5.0


@pytest.mark.parametrize(
    ("fields", "patience", "ends_s", "how"),
    [
        ({"timeout_s": 4}, {}, 5.0, "timeout"),  # in the queue
        ({"timeout_s": 11}, {}, 12.0, "timeout"),  # in service
        ({"timeout_s": 15}, {}, 16.0, "done"),  # at the very moment at which it is done
        ({}, {"patience_s": 8}, 9.0, "impatient"),
        ({"timeout_s": 12}, {"patience_s": 10}, 13.0, "timeout"),
    ],
)
def test_a_tool_ends_when_its_time_is_over(
    fields: dict[str, Any], patience: dict[str, Any], ends_s: float, how: str
) -> None:
    shop = Workshop(2, ci=patience)
    shop.call(0, 0.0, calling(10, station="ci"))
    shop.call(1, 1.0, calling(6, station="ci", **fields))
    assert shop.bench.run() == {0: 10.0, 1: ends_s}
    assert shop.outcomes.count(how) == (2 if how == "done" else 1)
    assert shop.tools.stations["ci"].busy == 0


def test_what_is_cancelled_frees_its_station_and_wakes_nobody() -> None:
    shop = Workshop(2, ci={})
    first = shop.bench.agents[0]
    shop.call(0, 0.0, calling(100, station="ci"), calling(3))
    shop.call(1, 1.0, calling(6, station="ci"))
    shop.bench.clock.at(10.0, lambda: shop.tools.cancel(first))
    assert shop.bench.run() == {1: 16.0}
    assert shop.outcomes == ["done", "cancelled", "done"]
    assert shop.tools.of(first).take() == (0, False)


def test_each_tool_has_draws_of_its_own() -> None:
    spec = ToolSpec.model_validate({"seconds": {"kind": "exponential", "mean": 1}})
    alone = Toolkit({"a": spec}, draws())
    both = Toolkit({"b": spec, "a": spec}, draws())
    first = [alone.calls()[0].seconds for _ in range(5)]
    calls = [both.calls() for _ in range(5)]
    assert [next(c.seconds for c in each if c.tool.name == "a") for each in calls] == first
    assert all(each[0].seconds != each[1].seconds for each in calls)


def test_a_loop_counts_its_turns() -> None:
    each = loop(turns=3)
    each.begin(6.0, False, True)
    found = []
    while not each.is_last:
        found.append(each.turn)
        each.next_turn()
    assert found == [1, 2]
    assert (each.turn, each.work, each.is_at_limit) == (3, 2.0, False)


@pytest.mark.parametrize(("work", "is_whole"), [(0.0, False), (6.0, True)])
def test_an_idle_call_and_a_merge_are_one_turn(work: float, is_whole: bool) -> None:
    each = loop(turns=3)
    each.begin(work, is_whole, False)
    assert each.is_last
    assert each.work == work


def test_a_loop_is_at_its_limit_when_a_tool_fails_in_its_last_turn_but_one() -> None:
    each = loop(turns=2, max_turns=2)
    each.begin(1.0, False, False)
    each.take_one_more()
    each.next_turn()
    assert each.is_last
    assert each.is_at_limit


def test_a_first_turn_in_parts_is_served_with_the_last_of_them() -> None:
    each = loop(turns=2)
    each.begin(1.0, False, False)
    assert [each.serve(1 / 3) for _ in range(3)] == [False, False, True]


def test_a_cache_lives_from_when_it_was_used_last() -> None:
    life = CacheLife(PromptCache(life_s=10, min_tokens=100, write_price_factor=1.5))
    life.use(5.0)
    assert life.keeps(15.0, 100)
    assert not life.keeps(15.0, 99)  # too short, not too old
    assert life.take_expired() == 0
    assert not life.keeps(15.1, 300)
    assert (life.take_expired(), life.take_expired()) == (300, 0)
    assert (life.written(40, 59), life.written(40, 60)) == (0, 40)
    assert CacheLife.of(PromptCache()) is None
    assert CacheLife.of(None) is None


@pytest.mark.parametrize(
    ("dropped", "overflow", "left"),
    [
        (0, "truncate", (100, 40)),
        (60, "truncate", (40, 40)),
        (110, "truncate", (0, 30)),
        (500, "truncate", (0, 0)),
        (60, "compact", (0, 0)),
        (0, "compact", (100, 40)),
    ],
)
def test_what_a_loop_holds_is_lost_from_the_front(
    dropped: int, overflow: str, left: tuple[int, int]
) -> None:
    held = Held(0)
    held.end_turn(100, 40, 0, overflow)
    held.lose(dropped, overflow)
    assert (held.begins, held.tokens) == left


@pytest.mark.parametrize(("needed", "ends_s"), [(1, 2.0), (2, 5.0), (3, 9.0)])
def test_what_is_not_needed_any_more_is_cancelled(needed: int, ends_s: float) -> None:
    shop = Workshop()
    shop.call(0, 0.0, *(calling(seconds, wait_for=needed) for seconds in (9, 2, 5)))
    assert shop.bench.run() == {0: ends_s}
    assert shop.outcomes == ["done"] * needed + ["cancelled"] * (3 - needed)
    assert shop.results == {0: (10 * needed, False)}


@pytest.mark.parametrize(("failed", "has_failed"), [(1, False), (2, True), (3, True)])
def test_calls_have_failed_together_if_too_many_have(failed: int, has_failed: bool) -> None:
    shop = Workshop()
    fate = [True] * failed + [False] * (3 - failed)
    calls = [calling(1 + i, fails=fails, wait_for=2) for i, fails in enumerate(fate)]
    shop.call(0, 0.0, *calls)
    assert shop.bench.run() == {0: 3.0}
    assert shop.results[0][1] == has_failed


@pytest.mark.parametrize(
    ("cache", "price", "per_mtok"),
    [
        ({"life_s": 300}, {}, 0),
        ({"life_s": 300}, {"cache_write_per_mtok": 5}, 1),
        ({"life_s": 300, "write_price_factor": 1.5}, {"cache_write_per_mtok": 5}, 2),
        ({"life_s": 300, "write_price_factor": 1}, {"cache_write_per_mtok": 5}, 0),
        ({"life_s": 300}, {"cache_write_per_mtok": 5, "cache_write_1h_per_mtok": 8}, 1),
        ({"life_s": 3600}, {"cache_write_per_mtok": 5, "cache_write_1h_per_mtok": 8}, 4),
        ({"life_s": 3600}, {"cache_write_per_mtok": 5}, 1),
        ({"min_tokens": 9}, {"cache_write_per_mtok": 5, "cache_write_1h_per_mtok": 8}, 1),
    ],
)
def test_writing_to_a_cache_costs_what_the_scenario_or_the_list_says(
    cache: dict[str, Any], price: dict[str, Any], per_mtok: float
) -> None:
    life = CacheLife(PromptCache.model_validate(cache))
    price = {"input_per_mtok": 4, "output_per_mtok": 9, **price}
    assert life.surcharge_usd(10**6, Price.model_validate(price)) == pytest.approx(per_mtok)


def test_a_group_counts_what_may_fail_and_what_must_succeed() -> None:
    group = CallGroup(5, 3)
    assert [group.fail(), group.fail(), group.fail()] == [False, False, True]
    group = CallGroup(5, 3)
    assert [group.succeed(), group.succeed(), group.succeed()] == [False, False, True]
