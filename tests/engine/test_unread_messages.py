"""A failed call has read nothing: the next call reads its messages."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.engine import Simulation
from simulator.model.agents.agent import AgentState
from simulator.model.agents.messages import Mailbox
from simulator.model.metrics import Metrics
from simulator.model.trace import Event, Row, Trace
from tests.conftest import agent, run, scenario

SAYS = 100


def talker(**fields: Any) -> dict[str, Any]:
    """Return an agent whose prompts are the messages that it has not read."""
    return agent(
        behaviour={"talk": 1},
        tokens={"output": 0, "message": SAYS},
        context={"system_tokens": 0, "board_tokens_per_task": 0, "retention": 0},
        **fields,
    )


def read_of_sent(**fields: Any) -> tuple[Metrics, int, int]:
    """Return metrics, message tokens delivered, and those that calls which succeeded have read."""
    trace = Trace()
    m = Simulation(scenario(**fields)).run(0, trace)
    return m, m.deliveries * SAYS, sum(row.input_tokens or 0 for row in ends(trace.rows))


def ends(rows: list[Row]) -> list[Row]:
    return [r for r in rows if r.event is Event.CALL_END and r.outcome in ("work", "coordination")]


FAILING: dict[str, dict[str, Any]] = {
    "malformed": {"agent": {"malformed": 0.3}},
    "timeouts": {
        "resilience": {"timeout": {"seconds": 20}},
        "provider": {"retry": {"max_retries": 0}},
    },
    "errors": {"provider": {"errors": {"probability": 0.3}, "retry": {"max_retries": 0}}},
    "crashes": {"agent": {"crash": {"up_s": {"kind": "exponential", "mean": 60}, "repair_s": 9}}},
}

LATENCY = {"kind": "seconds", "base": {"kind": "exponential", "mean": 10}}


@pytest.mark.parametrize("network", [{}, {"delay_s": 0.1}], ids=["logs", "mailboxes"])
@pytest.mark.parametrize("why", FAILING)
def test_every_message_is_read_once_by_a_call_that_succeeds(
    why: str, network: dict[str, Any]
) -> None:
    wrong = dict(FAILING[why])
    m, sent, read = read_of_sent(
        team={"size": 4, "agent": talker(latency=LATENCY, faults=wrong.pop("agent", {}))},
        topology="decentralised",
        coordination={"protocol": "self_claim", "timing": "asynchronous"},
        workload__tasks=200,
        network=network,
        **wrong,
    )
    assert m.failed_calls > 10
    # What is left unread at the end: at most what was said in the last calls of the four.
    assert 0.9 * sent < read <= sent


def test_without_failures_it_is_the_same_share() -> None:
    fields: dict[str, Any] = {
        "topology": "decentralised",
        "coordination__protocol": "pre_assigned",
        "workload__tasks": 200,
    }
    shares = []
    for faults in ({}, {"malformed": 0.3}):
        team = {"size": 4, "agent": talker(faults=faults)}
        _, sent, read = read_of_sent(team=team, **fields)
        shares.append(read / sent)
    # All but what was said in the last round: 12 of 600 deliveries.
    assert shares[0] == pytest.approx(0.98)
    assert shares[1] == pytest.approx(0.98, abs=0.005)


def test_what_a_mailbox_takes_back_is_collected_again_as_if_for_the_first_time() -> None:
    box = Mailbox(0)
    box.put(1.0, 0.5, 7, 10)
    assert box.collect(1.0) == (1, 10)
    box.put(2.0, 0.4, 7, 20)  # overtaken by the first
    box.put(3.0, 0.6, 7, 30)
    box.put(9.0, 8.0, 7, 40)
    for _ in range(3):
        assert box.collect(4.0) == (1, 50)
        assert box.reordered == 1
        box.go_back()
        assert box.reordered == 0
    box.go_back()  # there is nothing more to take back
    assert box.collect(9.0) == (2, 90)
    assert box.collect(9.0) == (0, 0)


def test_a_reader_whose_prompt_was_too_long_has_read_nothing() -> None:
    # Twelve messages of 100 tokens are too many for its window, and no call of its succeeds.
    quiet = talker()
    quiet["context"] = {**quiet["context"], "window_tokens": 250}
    quiet["behaviour"] = {"talk": 0}
    trace = Trace()
    Simulation(
        scenario(
            team={
                "groups": {
                    "talkers": {"size": 4, "agent": talker()},
                    "quiet": {"size": 1, "agent": quiet},
                }
            },
            topology="decentralised",
            coordination__protocol="pre_assigned",
            workload__tasks=20,
            faults=[{"kind": "crash", "agent": 4, "at_s": 2.5, "for_s": 1}],
        )
    ).run(0, trace)
    outcomes = [r.outcome for r in trace.rows if r.event is Event.CALL_END and r.agent == 4]
    assert outcomes == ["work", "prompt_too_long", "prompt_too_long"]


def test_an_aggregator_that_has_to_ask_again_is_handed_the_work_once() -> None:
    def tokens(**faults: float) -> tuple[Metrics, int]:
        m, _, read = read_of_sent(
            team={"size": 5, "agent": talker(), "coordinator": talker(faults=faults)},
            topology="independent",
            workload__tasks=20,
            seed=3,
        )
        return m, read

    (plain, read), (failing, read_again) = tokens(), tokens(malformed=0.8)
    assert failing.failed_calls > 0
    assert (plain.messages, read) == (failing.messages, read_again)


def test_the_news_of_a_call_that_failed_take_drift_away_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Agent 1 speaks once, and has no more to do; agent 0's second call, which hears it, is lost.
    heard: list[tuple[int, float]] = []
    wander = AgentState.wander

    def watched(self: AgentState) -> None:
        wander(self)
        if self.index == 0:
            heard.append((self.memory.unread_messages, self.drift))

    monkeypatch.setattr(AgentState, "wander", watched)
    m = run(
        team={"size": 2, "agent": talker(drift={"step": 1, "sync": 0.5, "error_logit": 0})},
        topology="decentralised",
        coordination={"protocol": "pre_assigned", "idle_agents": "wait"},
        workload__tasks=3,
        faults=[{"kind": "crash", "agent": 0, "at_s": 1.5, "for_s": 0.1, "keeps_context": True}],
    )
    assert (m.outcome, m.failed_calls) == ("completed", 1)
    assert heard == [(0, 1.0), (1, 1.5)]
