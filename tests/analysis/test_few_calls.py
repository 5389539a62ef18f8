"""Few, odd and incomplete calls: all that can be fitted is fitted, and the rest is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from analysis.calibration.cache_life import fit_cache_life
from analysis.calibration.call_agents import AgentFit, fit_agents
from analysis.calibration.calls import CallFit
from analysis.calibration.gaps import Gap, reference
from analysis.calibration.marginal import MarginalFit
from analysis.calibration.profiles import call_profile, reference_of, write_session
from analysis.traces.reading import read_traces
from simulator import Simulation
from simulator.cli.main import app
from simulator.scenario import load_study
from tests.analysis.trace_samples import SAMPLES
from tests.conftest import first_in_ci

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "traces"


def calls_of(tmp_path: Path, rows: list[dict[str, Any]]) -> pd.DataFrame:
    path = tmp_path / "calls.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return read_traces([path]).calls


def row(session: int, seconds: float, read: int | None, wrote: int | None, **said: Any) -> Any:
    return {"session": f"s{session}", "model": "m", "duration_s": seconds, "input_tokens": read,
            "output_tokens": wrote, **said}  # fmt: skip


def made(sessions: int, length: int, **known: bool) -> list[dict[str, Any]]:
    """Return calls of 1 s and 20 s per 1,000 output tokens, times a spread."""
    rng = np.random.default_rng(5)
    rows = []
    for session in range(sessions):
        for i in range(length):
            wrote = int(rng.lognormal(5.5, 0.6)) + 1
            seconds = (1.0 + 0.02 * wrote) * float(np.exp(0.1 * rng.logistic()))
            rows.append(row(session, seconds, 1000 + 300 * i, wrote))
    for each in rows:
        if known.get("outputs") is False:
            each["output_tokens"] = None
        if known.get("inputs") is False:
            each["input_tokens"] = None
    return rows


def only(fits: list[AgentFit]) -> AgentFit:
    assert len(fits) == 1
    return fits[0]


def runs(fit: AgentFit, directory: Path, times: int = 3) -> list[float]:
    """Write a fit as `calibrate` does, read it again, and run it."""
    call_profile(fit, directory / "m.yaml", "a test")
    write_session(fit, directory / "m.session.yaml", "m.yaml")
    simulation = Simulation(load_study(directory / "m.session.yaml").base)
    found = [simulation.run(i) for i in range(times)]
    assert all(np.isfinite(each.makespan_s) and each.makespan_s > 0 for each in found)
    return [each.makespan_s for each in found]


@pytest.mark.parametrize(
    ("starts", "share"),
    [
        ((0, 5, 15.5), None),  # two at once, and 0.5 of 25.5 s
        ((0, 20, 40), "40 %"),  # 20 of 50 s
    ],
)
def test_time_between_calls_is_said_not_to_be_in_a_session(
    starts: tuple[float, ...], share: str | None, tmp_path: Path
) -> None:
    rows = [row(session, 10.0, 500, 50, start_s=at) for session in range(2) for at in starts]
    calls_of(tmp_path, rows)
    done = CliRunner().invoke(
        app, ["calibrate", str(tmp_path / "calls.jsonl"), "--out", str(tmp_path / "out")]
    )
    said = (tmp_path / "out" / "m.session.yaml").read_text()
    for text in (done.stderr, said):
        assert ("time between calls: not estimated" in text) == (share is not None)
        assert share is None or f"was not seen: {share} of their sessions" in text


@pytest.mark.parametrize(
    ("seconds", "why"),
    [
        (10.0, "calls of other models or of tools"),
        (5.0, "some of it calls of other models or of tools, and what the rest is was not seen"),
        (0.0, "what it is was not seen"),
    ],
)
def test_time_between_calls_of_a_model_may_be_calls_of_others(
    seconds: float, why: str, tmp_path: Path
) -> None:
    rows = []
    for session in range(2):
        rows += [row(session, 10.0, 500, 50, start_s=at) for at in (0, 20, 40)]
        if seconds:
            rows += [row(session, seconds, 9, 5, start_s=at, model="other") for at in (10, 30)]
    calls_of(tmp_path, rows)
    done = CliRunner().invoke(
        app, ["calibrate", str(tmp_path / "calls.jsonl"), "--out", str(tmp_path / "out")]
    )
    said = next(line for line in done.stderr.splitlines() if "m: time between calls" in line)
    assert f"({why}: 40 % of their sessions)" in said


def check_errors(fit: AgentFit) -> None:
    """Check that no parameter without data has a standard error of 0."""
    for name, estimate in fit.parameters.items():
        assert not estimate.error <= 0.0, name
    text = " ".join(str(gap) for gap in fit.gaps)
    assert all(gap.why and gap.instead for gap in fit.gaps), text


def test_one_session() -> None:
    fit = only(fit_agents(frame(made(1, 40)), reference_of))
    check_errors(fit)
    assert isinstance(fit.fit, CallFit)
    assert np.isnan(fit.parameters["output_session"].error)
    assert np.isnan(fit.parameters["cached_s_per_1k"].error)
    assert np.isnan(fit.parameters["start_tokens"].error)
    named = {gap.what for gap in fit.gaps}
    assert {"cached_s_per_1k", "effects of sessions on output tokens"} <= named
    slope = fit.parameters["output_s_per_1k"]
    assert abs(slope.at - np.log(20.0)) < 4 * slope.error < 1.0


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        return calls_of(Path(directory), rows)


@pytest.mark.parametrize("n", [1, 2, 5, 29])
def test_fewer_calls_than_a_fit_needs_scale_a_profile(n: int, tmp_path: Path) -> None:
    fit = only(fit_agents(calls_of(tmp_path, made(1, n)), reference_of))
    check_errors(fit)
    assert fit.fit is None
    speed = fit.parameters["speed_of_calls"]
    assert 0.02 < speed.error < 0.6
    assert any("of another model" in gap.instead for gap in fit.gaps)
    latency, profile = fit.agent["latency"], reference("m").agent["latency"]
    ratio = latency["output_s_per_1k"] / profile["output_s_per_1k"]
    assert ratio == pytest.approx(speed.value, rel=0.01)
    assert ratio == pytest.approx(20.0 / 16.0, rel=0.4)
    runs(fit, tmp_path)


def test_two_calls_of_a_model_beside_many_of_another(tmp_path: Path) -> None:
    rare = [row(9, 3.0, 500, 60, model="rare"), row(9, 4.0, 900, 90, model="rare")]
    rows = [*made(4, 20), *rare]
    fits = {fit.model: fit for fit in fit_agents(calls_of(tmp_path, rows), reference_of)}
    assert list(fits) == ["m", "rare"]
    assert isinstance(fits["m"].fit, CallFit)
    assert fits["rare"].calls == 2
    check_errors(fits["rare"])


@pytest.mark.thorough
def test_the_error_of_a_scaled_profile_holds_what_it_says() -> None:
    # The profile's own law, at 1.3 times its times: 300 times five calls of one session. Of 80 %
    # intervals 240 are expected to hold the truth; a binomial law has 221 to 258 in 99 %.
    profile, rng, held = reference("m"), np.random.default_rng(3), 0
    said = profile.agent["latency"]["residual"]
    for _ in range(300):
        wrote = rng.choice(profile.outputs, 5)
        own = said["agent_sigma"] * rng.standard_normal()
        phases = said.get("phase_sigma", 0.0) * rng.standard_normal(5)
        noise = own + phases + rng.logistic(scale=1 / said["shape"], size=5)
        seconds = 1.3 * profile.expected(np.zeros(5), np.zeros(5), wrote) * np.exp(noise)
        calls = pd.DataFrame(
            {"run_id": "r", "agent_id": None, "operation_name": "chat", "response_model": "m",
             "request_model": None, "start_ns": 0, "end_ns": (seconds * 1e9).astype("int64"),
             "input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": wrote,
             "status": "ok", "quality_tokens": "exact"}
        )  # fmt: skip
        low, high = only(fit_agents(calls, reference_of)).parameters["speed_of_calls"].interval(0.8)
        held += low < 1.3 < high
    assert 221 <= held <= 258


@pytest.mark.parametrize("n", [3, 90])
def test_equal_durations(n: int, tmp_path: Path) -> None:
    rows = [row(i % 3, 4.0, None, None) for i in range(n)]
    fit = only(fit_agents(calls_of(tmp_path, rows), reference_of))
    check_errors(fit)
    assert np.median(runs(fit, tmp_path)) == pytest.approx(4.0 * fit.session_calls, rel=0.5)
    if n == 90:
        assert fit.agent["latency"]["base"] == {"kind": "deterministic", "value": 4.0}
        assert any(gap.what == "spread of durations" for gap in fit.gaps)


def test_equal_durations_with_tokens(tmp_path: Path) -> None:
    rows = [row(i % 4, 4.0, 1000, 100) for i in range(60)]
    fit = only(fit_agents(calls_of(tmp_path, rows), reference_of))
    check_errors(fit)
    assert np.isnan(fit.parameters["output_s_per_1k"].error)
    assert np.median(runs(fit, tmp_path)) == pytest.approx(4.0 * 15, rel=0.05)


@pytest.mark.parametrize("n", [4, 60])
def test_without_output_counts_the_input_stays(n: int, tmp_path: Path) -> None:
    fit = only(fit_agents(calls_of(tmp_path, made(2, n // 2, outputs=False)), reference_of))
    check_errors(fit)
    assert fit.agent["context"]["system_tokens"] == 1000
    assert fit.agent["tokens"]["output"] == reference("m").output
    gap = next(gap for gap in fit.gaps if gap.what.startswith("output tokens"))
    assert "costs" in gap.what
    assert "profile" in gap.instead
    assert isinstance(fit.fit, MarginalFit if n == 60 else type(None))
    runs(fit, tmp_path)


def test_without_any_counts(tmp_path: Path) -> None:
    rows = made(6, 10, outputs=False, inputs=False)
    fit = only(fit_agents(calls_of(tmp_path, rows), reference_of))
    check_errors(fit)
    assert fit.agent["context"] == reference("m").context
    assert {"output tokens, and with them costs", "input tokens, and with them costs"} <= {
        gap.what for gap in fit.gaps
    }
    runs(fit, tmp_path)


def test_errors_only(tmp_path: Path) -> None:
    rows = [row(0, 9.0, None, None, status="error", error="overloaded") for _ in range(7)]
    fit = only(fit_agents(calls_of(tmp_path, rows), reference_of))
    check_errors(fit)
    assert fit.calls == 0
    assert fit.failed.value == pytest.approx(7.5 / 8)
    assert fit.agent["latency"] == reference("m").latency()
    assert any(gap.what == "durations" for gap in fit.gaps)
    assert "provider" not in fit.session("m.yaml")  # nothing would ever end
    runs(fit, tmp_path)


def test_failures_are_a_rate_of_the_provider(tmp_path: Path) -> None:
    rows = made(3, 30) + [row(0, 1.0, None, None, status="error") for _ in range(10)]
    fit = only(fit_agents(calls_of(tmp_path, rows), reference_of))
    assert fit.failed.value == pytest.approx(10.5 / 101)
    assert fit.failed.error == pytest.approx(np.sqrt(0.1 * 0.9 / 100), rel=0.1)
    assert fit.session("m")["provider"] == {"errors": {"probability": 0.104}}


@pytest.mark.slow
def test_many_short_sessions(tmp_path: Path) -> None:
    for length in (1, 2):
        fit = only(fit_agents(calls_of(tmp_path, made(80, length)), reference_of))
        check_errors(fit)
        assert any("growth of the input" in gap.what for gap in fit.gaps)
        assert fit.session_calls == length
        runs(fit, tmp_path)


def test_sessions_of_very_unequal_length(tmp_path: Path) -> None:
    rows = [*made(1, 40), row(7, 2.0, 1000, 50)]
    fit = only(fit_agents(calls_of(tmp_path, rows), reference_of))
    check_errors(fit)
    assert any(gap.what.startswith("effects of sessions") for gap in fit.gaps)
    runs(fit, tmp_path)


@pytest.mark.parametrize("name", first_in_ci(10, SAMPLES))
def test_every_format_gives_an_agent_that_runs(name: str, tmp_path: Path) -> None:
    fits = fit_agents(read_traces([SAMPLES[name](tmp_path)]).calls, reference_of)
    assert fits
    for fit in fits:
        check_errors(fit)
        runs(fit, tmp_path, 1)


@pytest.mark.end_to_end
@pytest.mark.parametrize("name", ["claude_code", "langfuse_csv"])
def test_calibrate_then_run_as_a_user_types_it(name: str, tmp_path: Path) -> None:
    traces, out = SAMPLES[name](tmp_path), tmp_path / "fits"
    done = CliRunner().invoke(app, ["calibrate", str(traces), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "not estimated" in done.output
    assert "\nread " in done.stdout
    session = next(iter(sorted(out.glob("*.session.yaml"))))
    assert yaml.safe_load(session.read_text())["team"]["size"] == 1
    ran = CliRunner().invoke(app, ["run", str(session), "-r", "5"])
    assert ran.exit_code == 0, ran.output
    predicted = CliRunner().invoke(app, ["predict", str(out), "--out", str(tmp_path / "p.parquet")])
    assert predicted.exit_code != 0
    assert "teamsim run" in str(predicted.exception)


@pytest.mark.end_to_end
def test_strict_refuses_what_is_not_whole(tmp_path: Path) -> None:
    path = SAMPLES["open_inference"](tmp_path)
    command = ["calibrate", str(path), "--out", str(tmp_path / "fits"), "--strict"]
    assert CliRunner().invoke(app, command).exit_code == 0
    path.write_text(path.read_text() + "{broken\n")
    refused = CliRunner().invoke(app, command)
    assert "left out: 1 rows or values with errors, the first: " in str(refused.exception)


@pytest.mark.parametrize("file", sorted(p.name for p in CASES.glob("*.csv")) or ["none"])
def test_tables_of_the_cases_are_fitted(file: str, tmp_path: Path) -> None:
    if not CASES.is_dir():
        pytest.skip(f"needs the case files in {CASES}")
    for fit in fit_agents(read_traces([CASES / file]).calls, reference_of):
        check_errors(fit)
        runs(fit, tmp_path, 1)


def test_prompts_that_were_all_idle_alike_tell_no_life_of_a_cache() -> None:
    turns = pd.DataFrame(
        {"session": 0, "agent": 0, "model": "m", "input": np.arange(1000.0, 1200.0),
         "cached": 900.0, "idle_s": 0.0}
    )  # fmt: skip
    found = fit_cache_life(turns)
    assert isinstance(found, Gap)
    assert "199 of 199" in found.why


@pytest.mark.parametrize("length", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_where_no_call_says_what_was_cached_nothing_is(length: int, tmp_path: Path) -> None:
    rows = [
        row(session, 2.0 + 0.1 * i + 0.01 * session, 1000 + 200 * i, 50 + i)
        for session in range(6)
        for i in range(length)
    ]
    (fit,) = fit_agents(calls_of(tmp_path, rows), reference_of)
    assert fit.agent["context"]["cache"] is False
    assert "cache_miss" not in fit.agent["context"]
    assert "cached tokens" in [gap.what for gap in fit.gaps]
    said = [{**each, "cached_input_tokens": 900} for each in rows]
    (known,) = fit_agents(calls_of(tmp_path, said), reference_of)
    assert known.agent["context"]["cache"] == {"warm_tokens": 900}
