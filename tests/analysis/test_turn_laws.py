"""Laws of turns: their scale by the length of a request, and how far sums over turns spread."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.calibration.request_fit import fit_request_model
from analysis.calibration.requests import find_requests
from analysis.calibration.turn_laws import Design, TurnLaw, fit_turn_law, to_document, turn_law
from tests.analysis.made_up_requests import MODEL, as_canonical, made_requests

REQUESTS = 700


def lengths(rng: np.random.Generator) -> np.ndarray:
    return np.rint(np.exp(rng.uniform(np.log(2), np.log(60), REQUESTS))).astype(int)


def fitted(logs: list[np.ndarray], sums: bool = False) -> TurnLaw:
    """Fit a law to the logarithms of each request's turns; every request is a session."""
    sizes = np.asarray([len(each) for each in logs])
    request = np.repeat(np.arange(len(logs)), sizes)
    covariates = np.log(sizes[request])[:, None]
    design = Design(np.full(len(request), "m"), covariates, request, request)
    return fit_turn_law(np.exp(np.concatenate(logs)), design, ["m"], sums)[0]


def drawn(law: TurnLaw, turns: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return draws of the quantity, shape (n, turns)."""
    length = np.log(turns)
    constant, slopes = law.location.of(law.location.at[None], "m")
    effect = law.request * rng.standard_normal((n, 1))
    varies = effect + law.noise(rng, n, turns)
    return law.value(constant[0] + slopes[0, 0] * length + law.scale(np.asarray(length)) * varies)


def share_held(law: TurnLaw, logs: list[np.ndarray], rng: np.random.Generator) -> float:
    """Return how often an 80 % interval of a request's sum holds that of a real one."""
    held = []
    for each in logs:
        totals = drawn(law, len(each), 300, rng).sum(axis=1)
        low, high = np.quantile(totals, [0.1, 0.9])
        held.append(low <= np.exp(each).sum() <= high)
    return float(np.mean(held))


def shorter_vary_more(rng: np.random.Generator) -> list[np.ndarray]:
    """Return turns with a standard deviation of 1.2 over the fifth root of the length."""
    return [
        5.0 + 1.2 * size**-0.2 * (0.4 * rng.standard_normal() + 0.9 * rng.standard_normal(size))
        for size in lengths(rng)
    ]


def test_turns_of_short_requests_vary_more_where_they_do() -> None:
    law = fitted(shorter_vary_more(np.random.default_rng(1)))
    assert law.spread == pytest.approx(-0.2, abs=0.03)  # five standard errors
    assert turn_law(to_document(law)).scale(np.ones(1)) == law.scale(np.ones(1))


def test_a_law_of_an_earlier_fit_has_one_scale() -> None:
    said = to_document(fitted(shorter_vary_more(np.random.default_rng(1))))
    del said["spread"], said["middle"]
    assert turn_law(said).scale(np.asarray([0.0, 3.0])).tolist() == [1.0, 1.0]


def test_where_all_vary_alike_the_scale_is_one() -> None:
    rng = np.random.default_rng(2)
    law = fitted([5.0 + 0.8 * rng.standard_normal(size) for size in lengths(rng)])
    assert law.spread == pytest.approx(0.0, abs=0.03)


@pytest.mark.theory
def test_intervals_of_short_requests_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    law, real = fitted(shorter_vary_more(rng)), shorter_vary_more(rng)
    short = [each for each in real if len(each) <= 4]
    long = [each for each in real if len(each) >= 20]
    assert len(short) > 150
    # Three standard errors; with one scale for all, those of short ones hold 0.64.
    assert share_held(law, short, rng) == pytest.approx(0.8, abs=0.09)
    assert share_held(law, long, rng) == pytest.approx(0.8, abs=0.09)


def bursts(rng: np.random.Generator) -> list[np.ndarray]:
    """Return turns of which few are thirty times as large; how many depends on the request."""
    return [
        4.0
        + 0.5 * rng.standard_normal(size)
        + np.log(30.0) * (rng.random(size) < rng.choice([0.0, 0.05, 0.3]))
        for size in lengths(rng)
    ]


@pytest.mark.theory
def test_sums_spread_as_observed_where_large_values_come_together() -> None:
    rng = np.random.default_rng(4)
    seen = bursts(rng)
    of_logs, of_sums = fitted(seen), fitted(seen, sums=True)
    long = [each for each in bursts(rng) if len(each) >= 15]
    assert share_held(of_logs, long, rng) < 0.7
    assert share_held(of_sums, long, rng) > share_held(of_logs, long, rng) + 0.1


def test_the_mean_is_as_observed_where_sums_count() -> None:
    rng = np.random.default_rng(5)
    seen = [each[:4] for each in bursts(rng) if len(each) >= 4]  # of one length: equal weights
    law = fitted(seen, sums=True)
    real = np.exp(np.stack(seen)).mean()
    assert drawn(law, 4, 200_000, rng).mean() == pytest.approx(real, rel=0.02)


def test_what_a_law_shares_with_another_leaves_its_spread_as_it_is() -> None:
    rng = np.random.default_rng(6)
    law = fitted([5.0 + 0.8 * rng.standard_normal(1) for _ in range(REQUESTS)])
    both = law.sharing(0.3)
    assert both.request == 0.3
    assert both.request**2 + both.own.var() == pytest.approx(law.own.var())
    assert law.sharing(9.0).request ** 2 == pytest.approx(0.9 * law.own.var())


@pytest.mark.parametrize(("sigma", "least", "most"), [(0.0, 0.0, 0.12), (0.6, 0.4, 0.8)])
def test_the_answer_is_longer_where_the_other_turns_of_its_request_are(
    sigma: float, least: float, most: float
) -> None:
    calls = made_requests(120, seed=8)
    number = (calls["stop_reason"] == "end_turn").cumsum().shift(fill_value=0)
    effect = np.random.default_rng(9).standard_normal(int(number.max()) + 1)
    calls["output_tokens"] = np.rint(calls["output_tokens"] * np.exp(sigma * effect[number])).clip(
        lower=1
    )
    latency = {MODEL: np.asarray([1.2, 0.0, 0.0, 16.0])}
    model = fit_request_model(find_requests(as_canonical(calls)), latency)
    assert model is not None
    assert least <= model.laws["answer"].request <= most
