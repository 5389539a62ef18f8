"""The shipped scenarios are complete, and the claims in their answers still hold.

Each claim is checked on a sweep with the scenario's own seed and fewer replications than it
ships with; margins are several standard errors of that smaller sweep.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.crossings import crossing
from analysis.statistics.curves import RATIOS, check_figure, curves_against, with_derived
from simulator.engine import Simulation
from simulator.experiment import run_sweep
from simulator.model.trace import Event, Row, Trace
from simulator.scenario import load_study

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
FILES = sorted(SCENARIOS.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_asks_answers_and_shows(path: Path) -> None:
    study = load_study(path)
    assert study.base.name == path.stem
    assert study.base.question.endswith("?")
    assert len(study.base.answer) > 100
    assert len(study.points) >= 5
    check_figure(study)
    if study.base.figure is not None:
        assert (SCENARIOS / "pictures" / f"{path.stem}.png").exists()
        assert study.base.figure.x in {*study.axes, "series"}


class Curves:
    """Means of a scenario's sweep, by series and x."""

    def __init__(self, name: str, replications: int) -> None:
        study = load_study(SCENARIOS / f"{name}.yaml", [f"replications={replications}"])
        self.results = with_derived(run_sweep(study).to_pandas())
        assert study.base.figure is not None
        self.figure = study.base.figure

    def __call__(self, metric: str) -> dict[str, pd.Series[float]]:
        metrics = [] if metric in RATIOS else [metric]
        curves = curves_against(self.results, metrics, self.figure.x)
        return {
            str(name): line.set_index("x")[metric].astype(float)
            for name, line in curves.groupby("series", sort=False)
        }

    def crossing(self, first: str, second: str) -> float:
        """Return where the first panel's curves of two series cross."""
        metric = self.figure.y[0]
        curves = curves_against(self.results, [metric], self.figure.x)
        lines = (curves[curves["series"] == name] for name in (first, second))
        found = crossing(*lines, metric, self.figure.log_x)
        assert found is not None
        return found


def architectures(of: Curves) -> None:
    order = ["single agent", "independent", "decentralised", "centralised", "hybrid"]
    calls = [float(of("calls")[name].iloc[0]) for name in order]
    quality = [float(of("quality")[name].iloc[0]) for name in order]
    amplification = {name: float(of("error_amplification")[name].iloc[0]) for name in order}
    assert calls == sorted(calls)
    overhead = [each / calls[0] - 1 for each in calls]
    assert overhead == sorted(overhead)
    assert overhead[-1] > 4
    # E_c = S / (T / T_SAS) (arXiv 2512.08296, section 2.2)
    efficiency = [q / (c / calls[0]) for q, c in zip(quality, calls, strict=True)]
    assert efficiency == sorted(efficiency, reverse=True)
    assert (
        amplification["independent"]
        > amplification["decentralised"]
        > max(amplification["hybrid"], amplification["centralised"])
    )


def single_agent_threshold(of: Curves) -> None:
    alone, team = of("quality")["one agent"], of("quality")["a team of two with a verifier"]
    gain = (team - alone).sort_index(ascending=False)
    success = alone.sort_index(ascending=False)
    # The gain falls through 0 where one agent gets about half right.
    crossing = float(np.interp(0.0, gain.to_numpy()[::-1], success.to_numpy()[::-1]))
    assert gain.iloc[0] > 0.02 > -0.02 > gain.iloc[-1]
    assert 0.40 < crossing < 0.55


def batching(of: Curves) -> None:
    spans = of("makespan_s")
    large, small = spans["dealt out, 12 tasks a call"], spans["claimed, 2 tasks a call"]
    assert small[1] > 1.5 * large[1]  # before any coordination
    share_at_one = np.log(small[1] / large[1]) / np.log(small[5] / large[5])
    assert share_at_one > 0.5
    assert of("speedup")["claimed, 2 tasks a call"].max() < 1


def stale_claims(of: Curves) -> None:
    speedup, duplicates = of("speedup"), of("duplicate_attempts")
    stale, dealt = "claimed from a stale list", "dealt out"
    assert (speedup[stale].loc[2:] < 1).all()
    assert (speedup[dealt].loc[2:] > 1.1).all()
    assert duplicates[stale].is_monotonic_increasing
    assert duplicates[dealt].max() < 1
    writes = of("concurrent_writes")[stale]
    assert writes[1] == 0
    assert writes[2] > 0.7 * writes[5]  # jumps, then saturates
    gap = of("straggler_gap_s")
    assert (gap[stale].loc[2:] < gap[dealt].loc[2:]).all()


def message_errors(of: Curves) -> None:
    quality = of("quality")
    chain = quality["a chain of agents"]
    ratios = chain.to_numpy()[1:] / chain.to_numpy()[:-1]
    assert (ratios < 0.8).all()
    assert quality["a hierarchy that judges"].min() > 0.85


def partition(of: Curves) -> None:
    overhead, waiting = of("overhead_s"), of("waiting_s")
    assert waiting["consistent"].is_monotonic_increasing
    assert waiting["available"].max() < 60
    assert of("wasted_s")["available"].is_monotonic_increasing
    assert of("wasted_s")["consistent"].max() == 0
    assert overhead["available"][80] < 0.85 * overhead["consistent"][80]


def orchestrator_bottleneck(of: Curves) -> None:
    speedup = of("speedup")
    assert speedup["one orchestrator answers one by one"].max() < 9.5
    assert speedup["a tree with four below each manager"][32] > 20


def drift(of: Curves) -> None:
    deliveries = of("deliveries")

    def exponent(name: str) -> float:
        line = deliveries[name]
        n = np.log(line.index.to_numpy(dtype=float))
        return float(np.polyfit(n, np.log(line.to_numpy()), 1)[0])

    assert exponent("no drift") == pytest.approx(2.17, abs=0.05)
    assert exponent("drift with what is read") > 2.3


def idempotency(of: Curves) -> None:
    effects = of("duplicate_effects")
    assert effects["every effect has a key"].max() == 0
    for loss, found in effects["no keys"].items():
        assert found == pytest.approx(60 * loss / (1 - loss), rel=0.2)


def mixed_team(of: Curves) -> None:
    cost, quality = of("cost_usd"), of("quality")
    small, large = "five small led by a small one", "one large"
    assert cost[small].iloc[0] < 0.5 * cost[large].iloc[0]
    assert quality[small].iloc[0] > quality[large].iloc[0] - 0.01


def rate_limit(of: Curves) -> None:
    speedup = of("speedup")
    assert speedup["50 requests a minute"][32] == pytest.approx(9.0, abs=0.5)
    assert speedup["no limit"][32] > 25


def debate(of: Curves) -> None:
    quality, tokens = of("quality"), of("input_tokens")
    assert quality["following a random peer"][6] < quality["following a random peer"][0]
    helped = quality["a tenth of the wrong see the light each round"]
    assert helped[6] > helped[0] + 0.05
    assert tokens["following the majority"][6] > 30 * tokens["following the majority"][0]


def stalled_worker(of: Curves) -> None:
    dealt, mesh = "dealt out by a coordinator", "claimed in a mesh"
    spans, deliveries = of("makespan_s"), of("deliveries")
    assert spans[dealt][0.0] < 0.75 * spans[mesh][0.0]
    assert spans[mesh][0.08] < 0.6 * spans[dealt][0.08]
    assert 0.006 < of.crossing(dealt, mesh) < 0.02
    assert (deliveries[mesh] > 1.1 * deliveries[dealt]).all()


def lost_orchestrator(of: Curves) -> None:
    done = {name: float(line.iloc[0]) for name, line in of("tasks_done").items()}
    assert {name for name, count in done.items() if count < 90} == {"no plan"}
    assert done["no plan"] < 40
    spans = {name: float(line.iloc[0]) for name, line in of("makespan_s").items()}
    assert spans["nothing is lost"] < spans["supervisor"] < spans["election"] < 450
    recovery = {name: float(line.iloc[0]) for name, line in of("recovery_s").items()}
    assert recovery["claim instead"] < recovery["election"] < recovery["supervisor"] < 60


def retry_storm(of: Curves) -> None:
    recovery, goodput = of("recovery_s"), of("goodput")
    assert recovery["three retries"][2.5] > 790
    assert recovery["three retries"][10.0] < 200
    for name in ("and a breaker", "and a budget of a tenth", "no retries"):
        assert recovery[name].max() < 300
        assert goodput[name][2.5] > 3 * goodput["three retries"][2.5]


def hedging(of: Curves) -> None:
    spans, cost = of("makespan_s"), of("cost_usd")
    free, alike = "independent answers", "half of them equally slow"
    assert spans[free][0.95] < 0.55 * spans[alike][0.95]
    assert spans[free][0.5] < spans[free][0.95] < 0.8 * spans[free][0.999]
    assert cost[free][0.95] < 1.06 * cost[free][0.999] < cost[free][0.5] / 1.3


def byzantine_minority(of: Curves) -> None:
    quality = of("quality")
    once, seven = quality["each task done once"], quality["seven votes on each task"]
    debate = quality["two rounds of debate and a vote"]
    assert seven[0.2] > 0.9
    assert once[0.2] < 0.8
    assert abs(seven[0.5] - once[0.5]) < 0.1
    assert (debate.loc[0.2:] < seven.loc[0.2:]).all()


def provider_outage(of: Curves) -> None:
    spans, quality = of("makespan_s"), of("quality")
    assert spans["wait for it"][480] > 1.6 * spans["another model"][480]
    assert quality["wait for it"][480] > quality["another model"][480] > 0.85
    assert quality["hand in what there is"][480] < 0.4


def coding_loop(of: Curves) -> None:
    speedup, cost = of("speedup"), of("cost_usd")
    everybody, queue = "tests for everybody", "one runs tests at a time"
    assert speedup[everybody][8] > 1.2 * speedup[everybody][4] > 2.5
    assert speedup[queue].max() < 2.2
    assert cost[queue][8] > 1.3 * cost[everybody][8]
    own = cost["one conversation for all issues"]
    assert own[1] > 2 * own[4] > 2 * cost[everybody][4]
    assert of("tool_wait_s")[everybody].max() == 0


def one_ci(of: Curves) -> None:
    speedup = of("speedup")
    steady, exponential = speedup["steady times"], speedup["exponential times"]
    assert steady.loc[2:3].max() == pytest.approx(steady[8])

    def repairman(n: int) -> float:
        """Return its throughput over that of one agent (Z = 66 s between builds, S = 60 s)."""
        weights = [math.perm(n, k) * (60 / 66) ** k for k in range(n + 1)]
        return (1 - 1 / sum(weights)) * (60 + 66) / 60

    for n, found in exponential.items():
        assert found == pytest.approx(repairman(int(n)), rel=0.06)
    assert speedup["exponential times, two at a time"][8] > 1.8 * exponential[8]


def approvals(of: Curves) -> None:
    spans, cost = of("makespan_s"), of("cost_usd")
    always, office = "somebody is always there", "weekdays 9 to 17"
    assert spans[always][0.2] < 1.35 * spans[always][0]
    assert spans[office][0.1] > 2.4 * spans[always][0.1]
    assert spans["weekdays 9 to 17, begun on Friday"][0.1] > 2.6 * spans[office][0.1]
    hour = cost["weekdays 9 to 17, cache of an hour"]
    assert (hour.loc[:0.05] > cost[office].loc[:0.05]).all()
    assert cost[office][0.2] > 1.2 * cost[office][0]


def cache_life(of: Curves) -> None:
    cost = of("cost_usd")
    assert 12 < of.crossing("five minutes", "an hour") < 28
    assert cost["an hour"][1000] < 0.7 * cost["no cache"][1000]
    assert cost["five minutes"][300] < cost["no cache"][300]
    assert cost["five minutes"][1000] > 0.97 * cost["no cache"][1000]


def research_fan_out(of: Curves) -> None:
    spans, tokens = of("makespan_s"), of("tokens")
    divided, alone = "30 searches, divided among k", "one agent, 30 searches"
    assert spans[divided].is_monotonic_decreasing
    assert tokens[divided].is_monotonic_decreasing
    assert spans[divided][3] < 0.5 * spans[alone][3]
    # Three times the searches of one agent are almost nine times the tokens, less what is constant.
    assert tokens[alone][3] > 6 * tokens["one agent, 10 searches"][3]
    assert tokens["10 searches by each of k"][10] > 9 * tokens["one agent, 10 searches"][10]


def rate_limited_fleet(of: Curves) -> None:
    speedup = of("speedup")
    reserved = speedup["8,000 output tokens a minute, reserved"]
    given_back = speedup["8,000 output tokens a minute, the rest given back"]
    requests, inputs = speedup["50 requests a minute"], speedup["30,000 input tokens a minute"]
    assert reserved.max() < 0.75
    assert 2.5 < given_back.max() < 3.5
    assert 3.5 < inputs.max() < 5
    assert inputs[32] < 0.9 * inputs[8]
    assert requests[16] == pytest.approx(speedup["no limit"][16], rel=0.01)
    assert requests[32] < 0.9 * speedup["no limit"][32]


def orphaned_claims(of: Curves) -> None:
    success, rounds, cost = of("success"), of("rounds"), of("cost_usd")
    never, on_exit = "nothing is released", "released when an agent crashes"
    anyone, both, lease = "anyone may hand it in", "both of these", "a lease of 5 rounds"
    assert success[never].is_monotonic_decreasing
    assert success[never][0.05] < 0.84 < success[anyone][0.05]
    assert success[never][0.05] < 0.84 < success[on_exit][0.05]
    assert success[on_exit][0] == success[both][0.05] == success[lease].min() == 1
    assert cost[lease][0.05] < cost[both][0.05] * 1.1 < 0.6 * cost[never][0.05]
    assert cost[anyone][0.05] < 0.75 * cost[on_exit][0.05]
    # A lease has finished work done again: most of its orphaned claims are not recovered.
    assert of("recovered_claims")[lease][0.05] < 0.3 * of("orphaned_claims")[lease][0.05]
    assert rounds[on_exit][0] < 0.8 * rounds[lease][0.05]
    stalled = of("stalled_tasks")
    assert stalled[never][0.05] > 3 * stalled[on_exit][0.05] > 3 * stalled[lease][0.05]


CLAIMS: dict[Callable[[Curves], None], int] = {
    architectures: 400,
    single_agent_threshold: 300,
    batching: 100,
    stale_claims: 60,
    message_errors: 150,
    partition: 60,
    orchestrator_bottleneck: 6,
    drift: 60,
    idempotency: 30,
    mixed_team: 60,
    rate_limit: 10,
    debate: 60,
    stalled_worker: 40,
    lost_orchestrator: 40,
    retry_storm: 4,
    hedging: 60,
    byzantine_minority: 60,
    provider_outage: 20,
    coding_loop: 20,
    one_ci: 8,
    approvals: 20,
    cache_life: 60,
    research_fan_out: 20,
    rate_limited_fleet: 2,
    orphaned_claims: 120,
}


IN_CI = provider_outage, lost_orchestrator, coding_loop, drift, message_errors, idempotency
"""Those whose numbers take longer: CI has the numbers of nearly all others."""


@pytest.mark.each
@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(
            claim,
            id=claim.__name__,
            marks=pytest.mark.slow if claim in IN_CI else pytest.mark.thorough,
        )
        for claim in CLAIMS
    ],
)
def test_what_the_answer_claims_comes_out(claim: Callable[[Curves], None]) -> None:
    claim(Curves(claim.__name__, CLAIMS[claim]))


def rounds_of_work(rows: list[Row]) -> int:
    """Return in how many rounds something was attempted; the others wait for orphaned claims."""
    working, waiting = set[int | None](), set[int | None]()
    orphaned = set[int | None]()
    for row in rows:
        if row.event is Event.ORPHANED:
            orphaned.add(row.peer)
        elif row.event is Event.CLAIM_END and row.outcome != "open":
            orphaned.discard(row.peer)
        elif row.event is Event.ATTEMPT:
            working.add(row.round)
        if orphaned:
            waiting.add(row.round)
    rounds = {row.round for row in rows if row.event is Event.ROUND_START}
    assert rounds <= working | waiting
    return len(working)


@pytest.mark.slow
def test_every_team_that_fails_with_orphaned_claims_has_waited_for_them() -> None:
    study = load_study(SCENARIOS / "orphaned_claims.yaml")
    forgets = "team.agent.forgetting.probability"
    never, lease = (
        Simulation(point.scenario)
        for point in study.points
        if point.overrides[forgets] == 0.05
        and point.series in ("nothing is released", "a lease of 5 rounds")
    )
    failed = 0
    for replication in range(200):
        trace = Trace()
        metrics = never.run(replication, trace)
        if not metrics.success:
            failed += 1
            assert metrics.outcome == "max_rounds"
            assert metrics.orphaned_claims > 0
            assert rounds_of_work(trace.rows) < metrics.rounds / 2
            assert lease.run(replication).success  # by the same random numbers
    assert failed > 20
