"""Predicted requests: their times and tokens, refused input, and scores."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.calibration.request_draws import RequestDraws
from analysis.calibration.request_fit import fit_request_model
from analysis.calibration.request_model import RequestModel
from analysis.calibration.requests import Requests, find_requests
from analysis.calibration.turn_laws import ChanceLaw, Location, TurnLaw
from simulator.cli.main import main
from simulator.engine import Simulation
from simulator.experiment import replicate
from simulator.scenario import Scenario, load_study
from tests.analysis.made_up_requests import (
    MODEL,
    as_canonical,
    canonical,
    chat,
    made_requests,
    write_calls,
)

LATENCY = {MODEL: np.asarray([1.2, 1e-6, 1e-6, 16.0])}

NO_PRICE = "house-model-7"


@pytest.fixture(scope="session")
def requests() -> Requests:
    return find_requests(as_canonical(made_requests(80, seed=1)))


@pytest.fixture(scope="session")
def model(requests: Requests) -> RequestModel:
    found = fit_request_model(requests, LATENCY)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what `teamsim calibrate` wrote, of two models."""
    where = tmp_path_factory.mktemp("requests")
    calls = [made_requests(40, seed=2), made_requests(40, seed=3, model=NO_PRICE)]
    calls[1]["session"] = "t" + calls[1]["session"]
    path = write_calls(pd.concat(calls), where / "calls.csv")
    with pytest.MonkeyPatch.context() as patch:
        # Nobody looks at these, but that they are there. It counts if nothing has imported it yet.
        patch.setattr("analysis.plots.save", lambda _, path: Path(f"{path}.png").touch())
        code, said = typed(["calibrate", path, "--out", where / "fit", "--holdout", 0])
    assert code == 0, said
    return where / "fit"


def typed(arguments: list[object]) -> tuple[int, str]:
    """Return exit code and standard error of a command, run in this process."""
    patch = pytest.MonkeyPatch()
    patch.setattr(sys, "argv", ["teamsim", *map(str, arguments)])
    out, error = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    patch.undo()
    assert isinstance(ended.value.code, int)
    return ended.value.code, error.getvalue()


def asked(path: Path, **columns: object) -> Path:
    """Write a table of one request, columns changed."""
    table = {"request": ["a"], "model": [MODEL], "context_tokens": [30_000], "turns": [4]}
    pd.DataFrame({**table, **columns}).to_csv(path, index=False)
    return path


def test_draws_are_of_the_laws_that_were_fitted(requests: Requests, model: RequestModel) -> None:
    """Means of output and tool seconds a turn, over requests, within four standard errors."""
    whole = requests.whole
    draws = RequestDraws(model, 100, np.random.default_rng(0))
    each = [
        draws.of(MODEL, context, int(turns), np.random.default_rng(i))
        for i, (context, turns) in enumerate(
            zip(whole["context_tokens"], whole["turns"], strict=True)
        )
    ]
    for name in ("output_tokens", "llm_s", "tool_s", "input_tokens"):
        drawn = np.asarray([one[name].mean() for one in each])
        seen = whole[name].to_numpy()
        error = (drawn - seen).std(ddof=1) / np.sqrt(len(seen))
        assert abs(drawn.mean() - seen.mean()) < 4 * error + 0.02 * seen.mean(), name


def test_sums_of_a_draw_add_up(model: RequestModel) -> None:
    drawn = RequestDraws(model, 50, np.random.default_rng(1)).of(
        MODEL, 25_000, 6, np.random.default_rng(2)
    )
    assert drawn["seconds"] == pytest.approx(drawn["llm_s"] + drawn["tool_s"])
    assert (drawn["uncached_tokens"] <= drawn["input_tokens"]).all()
    assert (drawn["input_tokens"] >= 25_000).all()
    assert (drawn["turns"] == 6).all()
    one = RequestDraws(model, 50, np.random.default_rng(1)).of(
        MODEL, 25_000, 1, np.random.default_rng(2)
    )
    assert (one["input_tokens"] == 25_000).all()
    assert (one["tool_s"] == 0).all()


def test_turns_that_are_not_given_are_drawn(model: RequestModel) -> None:
    """Geometric with mean 5: within four standard errors of draws and fit."""
    drawn = RequestDraws(model, 4000, np.random.default_rng(1)).of(
        MODEL, 25_000, None, np.random.default_rng(2)
    )
    error = np.hypot(np.sqrt(20 / 4000), np.sqrt(20 / 400))
    assert abs(drawn["turns"].mean() - 5.0) < 4 * error


def test_a_model_of_requests_is_read_as_it_was_written(model: RequestModel, tmp_path: Path) -> None:
    model.write(tmp_path / "requests.json")
    again = RequestModel.read(tmp_path)
    one, other = (
        RequestDraws(each, 20, np.random.default_rng(1)).of(
            MODEL, 30_000, 9, np.random.default_rng(2)
        )
        for each in (model, again)
    )
    for name, values in one.items():
        assert np.array_equal(values, other[name]), name


@pytest.mark.slow
def test_predict_writes_a_row_a_draw(fit: Path, tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "request": [7, 8, 9],
            "model": [MODEL, NO_PRICE, "claude-opus-4-5"],
            "context_tokens": [30_000, 30_000, 50_000],
            "turns": [3, None, 1],
        }
    )
    for name in ("asked.csv", "asked.parquet"):
        path, out = tmp_path / name, tmp_path / f"{name}.predicted.parquet"
        table.to_csv(path, index=False) if name.endswith("csv") else table.to_parquet(path)
        code, said = typed(["predict", fit, "--requests", path, "--out", out, "--draws", 50])
        assert code == 0, said
        assert f"no price is known of {NO_PRICE}" in said
        drawn = pd.read_parquet(out)
        assert list(drawn.columns) == [
            "request", "draw", "seconds", "llm_s", "tool_s", "input_tokens", "uncached_tokens",
            "output_tokens", "usd",
        ]  # fmt: skip
        assert drawn["request"].tolist() == np.repeat([7, 8, 9], 50).tolist()
        assert drawn["usd"].isna().groupby(drawn["request"]).mean().tolist() == [0, 1, 0]
        first = drawn[drawn["request"] == 7].iloc[0]
        cached = first["input_tokens"] - first["uncached_tokens"]
        # Opus 4.5: 5 dollars a million of input, 0.5 cached, 25 of output.
        usd = (first["uncached_tokens"] * 5 + cached * 0.5 + first["output_tokens"] * 25) / 1e6
        assert first["usd"] == pytest.approx(usd)
    other = tmp_path / "other.parquet"
    again = ["predict", fit, "--requests", path, "--out", other, "--draws", 50, "--seed"]
    for seed, is_same in ((0, True), (3, False)):
        assert typed([*again, seed])[0] == 0
        assert (pd.read_parquet(other)["seconds"] == drawn["seconds"]).all() == is_same
    drawn = [pd.read_parquet(path) for path in sorted(tmp_path.glob("*.predicted.parquet"))]
    pd.testing.assert_frame_equal(*drawn)


@pytest.mark.slow
def test_what_is_drawn_of_a_request_does_not_depend_on_the_others(
    fit: Path, tmp_path: Path
) -> None:
    both = asked(tmp_path / "both.csv", request=["b", "a"], model=[MODEL] * 2,
                 context_tokens=[9000, 30_000], turns=[8, 4])  # fmt: skip
    drawn = []
    for path in (both, asked(tmp_path / "one.csv")):
        out = tmp_path / f"{path.stem}.parquet"
        assert typed(["predict", fit, "--requests", path, "--out", out, "--draws", 20])[0] == 0
        table = pd.read_parquet(out)
        drawn.append(table[table["request"] == "a"].reset_index(drop=True))
    pd.testing.assert_frame_equal(*drawn)


def empty(path: Path) -> None:
    path.write_text("")


def heads_only(path: Path) -> None:
    path.write_text("request,model,context_tokens\n")


def no_model(path: Path) -> None:
    path.write_text("request,context_tokens\na,10\n")


def damaged(path: Path) -> None:
    path.write_bytes(b"PAR1" + bytes(50))


def binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def directory(path: Path) -> None:
    path.mkdir()


def nothing(path: Path) -> None:
    pass


@pytest.mark.each
@pytest.mark.slow
@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("write", "said"),
    [
        (empty, "is empty"),
        (heads_only, "has no rows"),
        (no_model, "lacks the column 'model' (it has request, context_tokens)"),
        (damaged, "cannot be read as Parquet"),
        (binary, "cannot be read as CSV"),
        (directory, "is a directory"),
        (nothing, "no such file"),
        (lambda p: asked(p, model=["claude-opus-4-6x"]), "did you mean"),
        (lambda p: asked(p, model=[None]), "unknown model ''"),
        (lambda p: asked(p, context_tokens=[-5]), "row 1: 'context_tokens' is '-5', not a whole"),
        (lambda p: asked(p, context_tokens=[None]), "'context_tokens' is nothing"),
        (lambda p: asked(p, context_tokens=["many"]), "'context_tokens' is 'many'"),
        (lambda p: asked(p, context_tokens=["inf"]), "'context_tokens' is 'inf'"),
        (lambda p: asked(p, turns=[0]), "'turns' is '0'"),
        (lambda p: asked(p, turns=[2.5]), "'turns' is '2.5'"),
        (lambda p: asked(p, turns=[10**7]), "a whole number from 1 to 10,000, or nothing"),
        (lambda p: asked(p, request=[None]), "row 1: no 'request'"),
        (
            lambda p: asked(p, request=["a", "a"], model=[MODEL] * 2, context_tokens=[1, 1],
                            turns=[1, 1]),
            "row 2: request a is there already",
        ),
    ],
)  # fmt: skip
def test_bad_tables_are_refused_in_one_clear_message(
    write: Callable[[Path], object], said: str, fit: Path, tmp_path: Path
) -> None:
    path = tmp_path / "asked.csv"
    write(path)
    code, error = typed(["predict", fit, "--requests", path, "--out", tmp_path / "p.parquet"])
    assert code == 2
    assert said in " ".join(error.split()).replace("│ ", "")
    assert "Traceback" not in error
    assert not (tmp_path / "p.parquet").exists()


@pytest.mark.slow
@pytest.mark.end_to_end
def test_sessions_that_calibrate_writes_are_loops_and_run(fit: Path) -> None:
    """Five requests of geometric turns, mean 5, in the mean: within four standard errors."""
    session = fit / "claude-opus-4-5.session.yaml"
    assert typed(["check", session])[0] == 0
    base = load_study(session).base
    assert base.team.agent.loop is not None
    assert set(base.team.agent.tools) == {"tool", "pause"}
    assert "tasks: 5" in session.read_text()
    turns = np.asarray([run.turns / 5 for run in replicate(base)])
    error = np.hypot(turns.std(ddof=1) / np.sqrt(len(turns)), np.sqrt(20 / 200))
    assert abs(turns.mean() - 5.0) < 4 * error
    report = pd.read_csv(fit / "fit_report.csv").set_index("model")
    assert report.loc[MODEL, "requests"] == 200
    assert report.loc[MODEL, "turns_ks"] < 0.1
    assert (fit / "requests.png").is_file()


@pytest.mark.slow
@pytest.mark.end_to_end
def test_no_draws_and_no_calibration_are_refused(fit: Path, tmp_path: Path) -> None:
    path = asked(tmp_path / "asked.csv")
    command: list[object] = ["predict", fit, "--requests", path, "--out", tmp_path / "p.parquet"]
    assert typed([*command, "--draws", 0])[0] == 2
    code, error = typed(["predict", tmp_path, *command[2:]])
    assert code == 2
    assert "requests.json" in error
    (tmp_path / "requests.json").write_text('{"requests": {"m": 1}}')
    code, error = typed(["predict", tmp_path, *command[2:]])
    assert code == 2
    assert "is damaged" in error


@pytest.mark.slow
@pytest.mark.end_to_end
def test_predictions_are_scored_against_later_calls(fit: Path, tmp_path: Path) -> None:
    """Of the same laws: 80 % intervals of 200 requests hold 70 to 90 % (4 standard errors)."""
    later = write_calls(made_requests(40, seed=9), tmp_path / "later.csv")
    truth = find_requests(as_canonical(pd.read_csv(later))).named()
    table = truth[["request", "model", "context_tokens", "turns"]]
    table.astype({"context_tokens": int}).to_csv(tmp_path / "asked.csv", index=False)
    out = tmp_path / "p.parquet"
    predicted = typed(["predict", fit, "--requests", tmp_path / "asked.csv", "--out", out])
    assert predicted[0] == 0, predicted[1]
    code, error = typed(["validate", out, later])
    assert code == 0, error
    scores = pd.read_csv(tmp_path / "requests_validation.csv").set_index("quantity")
    assert scores["coverage"].between(0.68, 0.92).all()
    best = scores[["like length", "scaled by turns", "like length, context"]].min(axis=1)
    assert (scores["simulated"] < 1.05 * best).all()
    others = write_calls(made_requests(2, seed=9).assign(session="other"), tmp_path / "o.csv")
    code, error = typed(["validate", out, others])
    assert code == 2
    assert "no predicted request is among the real ones" in " ".join(error.split())


def always(value: float, covariates: int) -> TurnLaw:
    """Return a law that gives one value."""
    log = float(np.log(value))
    where = Location(
        ("m",),
        np.asarray([log, *[0.0] * (1 + covariates)]),
        np.zeros((covariates + 2, covariates + 2)),
    )
    return TurnLaw(where, 0.0, 0.0, 1.0, np.zeros(1), log, log)


def chance(logit: float, covariates: int) -> ChanceLaw:
    return ChanceLaw(
        Location(
            ("m",),
            np.asarray([logit, *[0.0] * (1 + covariates)]),
            np.zeros((covariates + 2, covariates + 2)),
        ),
        0.0,
    )


@pytest.mark.theory
@pytest.mark.parametrize("turns", [1, 2, 7])
def test_draws_are_what_the_engine_makes_of_the_same_loop(turns: int) -> None:
    """For laws without randomness, it is exact to the token and to a nanosecond in each turn."""
    laws = {
        "output": always(300, 2), "answer": always(300, 2), "alone": always(300, 1),
        "tool": always(9, 2), "pause": always(9, 2), "latency": always(1, 3),
        "result": always(300 + 800, 3), "bulk": always(300 + 800, 2),
    }  # fmt: skip
    model = RequestModel(
        models=("m",), requests={"m": 1}, latency={"m": np.asarray([1.5, 0.03, 0.01, 16.0])},
        laws=laws,
        chances={"pauses": chance(-60, 2), "bulks": chance(-60, 4), "cold": chance(60, 3)},
        together=np.eye(6), cut=np.zeros(6), kept=np.ones(1), limit={"m": 1e6},
        cold=np.zeros(1), warm=np.ones(1), missed=0.0, held=np.ones(1), system=0.0,
        turns={"m": np.ones(1)},
    )  # fmt: skip
    rng = np.random.default_rng(0)
    drawn = RequestDraws(model, 2, rng).of("m", 20_000, turns, rng)
    agent = {
        "latency": {
            "kind": "tokens", "base_s": 1.5, "uncached_s_per_1k": 0.03, "cached_s_per_1k": 0.01,
            "output_s_per_1k": 16,
        },
        "tokens": {"output": 300},
        "behaviour": {"talk": 0},
        "context": {"system_tokens": 0, "board_tokens_per_task": 0, "start_tokens": 20_000},
        "loop": {"turns": turns},
        "tools": {"tool": {"seconds": 9, "result_tokens": 800}},
    }  # fmt: skip
    scenario = {
        "name": "request",
        "team": {"size": 1, "agent": agent},
        "topology": "single",
        "coordination": {"protocol": "self_claim", "timing": "asynchronous"},
        "workload": {"kind": "parallel_fraction", "tasks": 1, "parallel_fraction": 1},
    }
    run = Simulation(Scenario.model_validate(scenario)).run(0)
    assert drawn["input_tokens"][0] == run.input_tokens
    assert drawn["output_tokens"][0] == run.output_tokens
    assert drawn["uncached_tokens"][0] == run.input_tokens - run.cached_tokens
    assert drawn["seconds"][0] == pytest.approx(run.makespan_s, abs=1e-6)
    assert drawn["tool_s"][0] == pytest.approx(9 * (turns - 1))


@pytest.mark.parametrize("shape", ["equal", "shrinking", "two turns each", "one request long"])
def test_requests_that_hardly_differ_are_fitted_and_predicted(shape: str) -> None:
    rows, now = [], 0.0
    for request in range(40):
        turns = {"two turns each": 2, "one request long": 40 if request == 0 else 2}.get(shape, 3)
        for turn in range(turns):
            last = turn + 1 == turns
            read = 90_000 // 3**turn if shape == "shrinking" else 1000 + 60 * turn
            rows.append(
                chat(now, 2.0, "end_turn" if last else "tool_use", input_tokens=read,
                     output_tokens=10, cache_read_input_tokens=0, run_id=f"s{request % 10}")
            )  # fmt: skip
            now += 7.1
    model = fit_request_model(find_requests(canonical(rows)), LATENCY)
    assert model is not None
    rng = np.random.default_rng(1)
    draw = RequestDraws(model, 50, rng).of(MODEL, 1000.0, 3, rng)
    for name in ("seconds", "llm_s", "tool_s", "input_tokens", "output_tokens"):
        assert np.isfinite(draw[name]).all()
        assert (draw[name] >= 0.0).all()
    if shape == "equal":
        assert np.median(draw["tool_s"]) == pytest.approx(2 * 5.1, rel=0.01)
        assert np.median(draw["output_tokens"]) == pytest.approx(30.0, rel=0.01)
