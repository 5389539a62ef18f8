"""Parameters of team runs that are estimated from calls are recovered from calls made with them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.calibration.estimates import BetaEstimate, Estimate
from analysis.calibration.habit_fits import fit_habits
from analysis.calibration.habits import vague
from analysis.calibration.hyperpriors import shipped
from analysis.calibration.latency import HUNG, between_rounds, fit_latencies, hung
from analysis.calibration.observations import observe
from analysis.calibration.redo import fit_redo
from analysis.calibration.shares import Share, pool_shares
from analysis.calibration.tokens import NAMES, fit_tokens, log_of, totals
from analysis.calibration.trends import trends
from analysis.traces.team_runs import CELL
from simulator.distributions import Floats
from tests.analysis.harness import CLAIMING, logged_run, team_runs
from tests.analysis.made_up_habits import made_up

TRUTHS = 200


def least(held: float) -> float:
    """Return the least share of so many truths where intervals hold `held`: four errors below."""
    return float(held - 4 * np.sqrt(held * (1 - held) / TRUTHS))


LEAST = least(0.95)


def rank(estimate: Estimate | BetaEstimate, truth: float) -> float:
    """Return the probability, by the estimate, of a parameter below the truth."""
    if isinstance(estimate, BetaEstimate):
        return float(stats.beta.cdf(truth, estimate.hits, estimate.misses))
    link: dict[str, Callable[[float], float]] = {"log": np.log, "square": np.square}
    at = link.get(estimate.link, float)(truth)
    return float(stats.norm.cdf((at - estimate.at) / estimate.error))


def held(ranks: list[float]) -> float:
    """Return the share of truths that are within the 95 % interval."""
    return float(np.mean([0.025 < each < 0.975 for each in ranks]))


def drafts(
    rng: np.random.Generator, runs: int, rewrites: float, hand_in: float, name: str
) -> pd.DataFrame:
    """Return the calls of agents whose attempts often fail; later ones write files again or not."""
    rows = []
    for run in range(runs):
        new, again, slow = 20, 0, 0.2 * rng.standard_normal()
        while new or again:
            size = int(rng.choice([1, 3, 5, 10]))
            later = min(again, size)
            first = min(new, size - later)
            edited = first + int(rng.binomial(later, rewrites))
            other = first + later - edited
            seconds = (5.0 + 3.0 * (edited + hand_in * other)) * np.exp(
                slow + 0.4 * rng.standard_normal()
            )
            rows.append((f"{name}-{run}", first + later, first, edited, other, seconds))
            new -= first
            again += int(rng.binomial(first + later, 0.35)) - later
    columns = ["run_dir", "attempts", "fresh", "edited", "other", "latency_s"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.thorough
@pytest.mark.theory
@pytest.mark.parametrize("cells", [1, pytest.param(4, marks=pytest.mark.thorough)])
def test_intervals_of_the_work_of_later_attempts_hold_the_truth(cells: int) -> None:
    """Of attempts that write files again, and of others that are as much work as handing in.

    Its error has that of the work of handing in: without it, intervals would hold 0.6 to 0.73. They
    are at most as wide as would tell a draft of no worth from half of the work.
    """
    redo, hand_in, errors = [], [], []
    for draw in range(TRUTHS):
        rng = np.random.default_rng([41, cells, draw])
        rewrites = float(rng.beta(2, 2))
        work = min(1.0, float(np.exp(rng.normal(np.log(0.2), 1.0))))
        working = [drafts(rng, 20, rewrites, work, str(i)) for i in range(cells)]
        latencies = fit_latencies(working)
        found = fit_redo(working, latencies)[0]
        redo.append(rank(found, rewrites + work * (1.0 - rewrites)))
        hand_in.append(rank(latencies[0].estimate(2, "log"), work))
        errors.append(found.error)
    assert held(redo) > LEAST
    assert held(hand_in) > LEAST
    assert np.mean(errors) < 0.1


def drifting(
    rng: np.random.Generator, runs: int, error: float, idle: float, slower: float
) -> tuple[pd.DataFrame, np.ndarray[Any, np.dtype[np.float64]]]:
    """Return calls of agents with trends, who end when their tasks are done, and log durations.

    Agents differ in how often they fail and in how slow they are; who has idled idles more often.
    They make 30 calls at most: in twice as many, a chance that grows may reach 1, which no line
    goes on beyond.
    """
    rows, logs = [], []
    for run in range(runs):
        size = run % 3 + 1
        for agent in range(size):
            fails, slow = float(rng.beta(3.0, 7.0)), rng.standard_normal()
            left, idled = 12 // size + int(rng.integers(0, 4)), False
            for call in range(30):
                likely = (0.5 if idled else 0.15) + idle * call
                before, idled = idled, bool(rng.random() < likely)
                tried = 0 if idled else min(left, int(rng.choice([1, 2, 4])))
                failed = int(rng.binomial(tried, np.clip(fails + error * call, 0.0, 1.0)))
                rows.append((f"{run}", f"{agent}", size, tried, tried - failed, idled, before))
                seconds = slow + slower * call + 0.4 * rng.standard_normal()
                logs.append(np.nan if idled else seconds)
                left -= tried - failed
                if not left:
                    break
    names = ["run_dir", "agent", "n_teammates", "tried", "completed", "is_idle", "was_idle"]
    calls = pd.DataFrame(rows, columns=names).assign(could_work=True)
    return calls.assign(**dict.fromkeys(CELL, "x")), np.asarray(logs)


@pytest.mark.theory
@pytest.mark.thorough
def test_intervals_of_trends_hold_the_truth_though_who_fails_goes_on() -> None:
    """Trends of some parts in a thousand a call, in runs that end when all is done.

    An effect of each agent would make errors fall by three standard errors where they do not.
    """
    ranks: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {}
    for draw in range(TRUTHS):
        rng = np.random.default_rng([42, draw])
        error, idle, slower = rng.normal(0.0, [0.005, 0.003, 0.02])
        truth = {"latency_trend": slower, "error_trend": error, "idle_trend": idle}
        for name, estimate in trends(*drifting(rng, 90, error, idle, slower), 0.0).items():
            ranks.setdefault(name, []).append(rank(estimate, truth[name]))
            errors.setdefault(name, []).append(estimate.error)
    for name, each in ranks.items():
        assert held(each) > LEAST, name
        assert np.mean(errors[name]) < 0.01, name


def what_calls_say(rng: np.random.Generator) -> Floats:
    """Return the tokens of a made-up agent's calls (links as `NAMES`); agents differ in output."""
    return np.asarray([*np.log([1100.0, 1500.0]), 2.0, np.log(23.0), *rng.normal([5.5, 5.0], 0.5)])


def written(
    rng: np.random.Generator, sigma: float, runs: int, name: str, at: Floats
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs and calls of a cell, whose runs write more and less than their calls' work."""
    calls = []
    for run, agent in product(range(runs), "ab"):
        length = int(rng.integers(1, 13))
        for i in range(length):
            work = float(rng.integers(0, 5))
            calls.append((f"{name}-{run}", agent, 20.0 * i / length, work))
    frame = pd.DataFrame(calls, columns=["run_dir", "agent", "written", "work"])
    table = pd.DataFrame({"run_dir": frame["run_dir"].unique()})
    table = table.assign(total_input_tokens=1.0, total_output_tokens=1.0)
    (read,), (wrote,) = totals(at[None], log_of(table, frame))
    reads, writes = np.exp(rng.standard_normal((2, runs)) * [[0.05], [sigma]])
    return table.assign(total_input_tokens=read * reads, total_output_tokens=wrote * writes), frame


@pytest.mark.theory
@pytest.mark.slow
@pytest.mark.each
@pytest.mark.parametrize("runs", [10, 25])
def test_intervals_of_the_tokens_of_a_single_cell_hold_agents_of_the_prior(runs: int) -> None:
    """With a prior around a first fit of these runs they held 71 % of outputs, 76 % of artifacts.

    Those of outputs and system prompts hold 85 to 94 %: where a prompt is small beside the
    artifacts, or a call's output beside that of its tasks, what is known of it is not normal.
    """
    shares = tokens_held(runs, 1)
    assert min(shares.pop("output"), shares.pop("system")) > least(0.88)
    assert min(shares.values()) > LEAST, shares


@pytest.mark.theory
@pytest.mark.slow
@pytest.mark.each
@pytest.mark.parametrize("cells", [2, 4])
def test_intervals_of_the_tokens_of_several_cells_hold_agents_of_the_prior(cells: int) -> None:
    """They held 77 to 80 % of artifacts and 69 to 71 % of outputs, as a cell's runs counted twice.

    Once in its prior, and once in its likelihood. Outputs and system prompts hold 84 to 91 %, for
    the same reason as of a single cell.
    """
    shares = tokens_held(10, cells)
    assert min(shares.pop("output"), shares.pop("system")) > least(0.84)
    assert min(shares.values()) > LEAST, shares


def tokens_held(runs: int, cells: int) -> dict[str, float]:
    """Return the shares of 95 % intervals that hold the truth, over agents of the prior.

    Their cells differ by up to all that the prior leaves open, as all that is thought of it.
    """
    prior, within = shipped().priors["tokens"], []
    for draw in range(TRUTHS):
        rng = np.random.default_rng([66, runs, cells, draw])
        sigma = float(np.exp(rng.normal(-1.7, 0.4)))
        between = prior.sd * rng.random(len(NAMES))
        agent = rng.normal(prior.mean, np.sqrt(prior.sd**2 - between**2))
        truths = rng.normal(agent, between, (cells, len(NAMES)))
        made = [written(rng, sigma, runs, str(i), each) for i, each in enumerate(truths)]
        for found, truth in zip(fit_tokens(made), truths, strict=True):
            errors = np.sqrt(np.diag(found.fit.covariance))
            within.append(np.abs(found.fit.at - truth) < 1.96 * errors)
    return dict(zip(NAMES, np.mean(within, axis=0).tolist(), strict=True))


@pytest.mark.theory
@pytest.mark.thorough
@pytest.mark.parametrize(("runs", "cells"), [(10, 1), (25, 1), (10, 4)])
def test_intervals_of_what_runs_write_more_or_less_hold_the_truth(runs: int, cells: int) -> None:
    """The spread between runs of the logarithm of all that their calls write.

    A standard deviation known from n values by their MAD has an error of 1.166 / sqrt(n), relative.
    """
    ranks, errors, off = [], [], []
    for draw in range(TRUTHS):
        rng = np.random.default_rng([43, runs, cells, draw])
        sigma = float(np.exp(rng.normal(-1.7, 0.4)))
        made = [written(rng, sigma, runs, str(i), what_calls_say(rng)) for i in range(cells)]
        found = fit_tokens(made)[0].run_sigma
        ranks.append(rank(found, sigma))
        errors.append(found.error)
        off.append(found.at - np.log(sigma))
    assert held(ranks) > LEAST
    assert np.mean(errors) < 1.17 / np.sqrt(runs - 2)  # two parameters were fitted
    assert abs(np.mean(off)) < 0.5 * np.mean(errors)


@pytest.mark.thorough
@pytest.mark.theory
@pytest.mark.parametrize(
    ("runs", "cells"),
    [(10, 1), *(pytest.param(*each, marks=pytest.mark.thorough) for each in ((25, 1), (10, 4)))],
)
def test_intervals_of_what_calls_read_and_write_hold_the_truth(runs: int, cells: int) -> None:
    """The tokens of a call apart from its work, and of the prompt that no call adds to.

    A run that decides a parameter alone leaves no residual: by residuals alone, errors of the
    system prompt would be too small by 1.9 to 2.8. The error of output is less than the prior's of
    agents, 2.39, and less again where other cells tell of it.
    """
    ranks: dict[str, list[float]] = {"system": [], "output": []}
    errors, alone = [], []
    for draw in range(TRUTHS):
        rng = np.random.default_rng([43, runs, cells, draw])
        sigma = float(np.exp(rng.normal(-1.7, 0.4)))
        made, truths = [], []
        for i in range(cells):
            truths.append(what_calls_say(rng))
            made.append(written(rng, sigma, runs, str(i), truths[-1]))
        found = fit_tokens(made)[0]
        for name, each in ranks.items():
            each.append(rank(found.estimate(name), float(np.exp(truths[0][NAMES.index(name)]))))
        errors.append(found.estimate("output").error)
        alone.append(fit_tokens(made[:1])[0].estimate("output").error)
    for name, each in ranks.items():
        assert 0.91 <= held(each) <= (0.98 if name == "output" and cells > 1 else 1.0), name
    assert np.mean(alone) < 1.0
    assert cells == 1 or np.mean(errors) < 0.9 * np.mean(alone)


@pytest.mark.theory
@pytest.mark.thorough
def test_intervals_of_the_spread_between_rounds_hold_the_truth() -> None:
    """Of runs of three to eight rounds, which their own mean takes much of the spread out of."""
    ranks, off, errors = [], [], []
    for draw in range(TRUTHS):
        rng = np.random.default_rng([44, draw])
        sigma = float(rng.uniform(0.05, 0.4))
        rows = [
            (run, number, slow)
            for run in range(40)
            for number, slow in enumerate(sigma * rng.standard_normal(int(rng.integers(3, 9))))
            for _ in range(run % 3 + 1)
        ]
        calls = pd.DataFrame(rows, columns=["run_dir", "round", "slow"])
        of_run = rng.standard_normal(40)[calls["run_dir"]]
        logs = calls["slow"].to_numpy() + of_run + 0.4 * rng.standard_normal(len(calls))
        found = between_rounds(logs, calls)
        ranks.append(rank(found, sigma))
        off.append(found.at - sigma**2)
        errors.append(found.error)
    assert held(ranks) > LEAST
    assert abs(np.mean(off)) < 4 * np.std(off) / np.sqrt(TRUTHS)
    assert np.mean(errors) < 0.02  # of a variance of 0.06


@pytest.mark.theory
def test_intervals_of_how_often_calls_hang_hold_the_truth() -> None:
    """Hung calls take from eight times their length on; whole runs of them are rare."""
    ranks, errors = [], []
    for draw in range(TRUTHS):
        rng = np.random.default_rng([45, draw])
        share = float(rng.beta(2, 150))
        runs = pd.Series(np.repeat(np.arange(60), 15))
        logs = 0.4 * rng.standard_normal(len(runs))
        hangs = rng.random(len(runs)) < share
        logs[hangs] = np.log(HUNG) + rng.exponential(0.7, int(hangs.sum())) + 0.05
        (found,) = pool_shares([hung(logs, runs)])
        ranks.append(rank(found, share))
        errors.append(found.error)
    assert held(ranks) > LEAST
    assert np.mean(errors) < 0.006  # 900 calls of which one or two in a hundred hang


@pytest.mark.slow
@pytest.mark.theory
def test_intervals_of_how_often_first_calls_idle_hold_the_truth() -> None:
    """Of 20 to 40 agents of each of three cells, a first call each.

    Cells that are too few to tell how far they differ must not be taken for alike: as if they
    were, intervals would hold 65 %.
    """
    ranks, errors = [], []
    for draw in range(TRUTHS):
        rng = np.random.default_rng([46, draw])
        common = float(rng.beta(3, 17))
        shares = rng.beta(20 * common + 0.1, 20 * (1 - common) + 0.1, 3)
        cells = []
        for share in shares:
            runs = pd.Series(np.repeat(np.arange(10), rng.integers(2, 5)))
            idles = pd.Series(rng.random(len(runs)) < share)
            cells.append(Share.of(idles, runs))
        found = pool_shares(cells)[0]
        ranks.append(rank(found, float(shares[0])))
        errors.append(found.error)
    assert held(ranks) > LEAST
    assert np.mean(errors) < 0.065  # that of 30 calls of one cell alone


@pytest.mark.thorough
@pytest.mark.theory
def test_intervals_of_how_often_calls_are_blind_hold_the_truth(tmp_path: Path) -> None:
    """And those of how often a habit is kept, which is a little too low where attempts fail."""
    ranks: dict[str, list[float]] = {"blind_calls": [], "batch_persistence": []}
    for i in range(TRUTHS):
        rng = np.random.default_rng([9, i])
        world = made_up(rng, float(rng.uniform(0.0, 0.2)))
        sizes = [(1, 2, 3), (2, 4), (5,)][int(rng.integers(3))]
        runs = int(rng.integers(4, 13))
        logs = [
            logged_run(world.team(n), CLAIMING, 100 * n + j) for n in sizes for j in range(runs)
        ]
        (tmp_path / str(i)).mkdir()
        calls = observe(team_runs(tmp_path / str(i), logs, world.tasks))
        found = fit_habits(calls[~calls["is_idle"]], vague(20))
        behaviour = world.agent["behaviour"]
        ranks["blind_calls"].append(rank(BetaEstimate(*found.blind), behaviour["blind_calls"]))
        stays = world.agent["batch_persistence"]
        ranks["batch_persistence"].append(rank(BetaEstimate(*found.persistence), stays))
    for name, each in ranks.items():
        assert held(each) > LEAST, name
    middle = np.mean(ranks["blind_calls"])
    assert middle == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / TRUTHS))
