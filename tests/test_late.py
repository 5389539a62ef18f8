"""Parts of packages are imported without the rest, which is there when it is asked for."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from simulator.late import be_late, part_of

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a package that imports something slow, and counts how often it runs."""
    package = tmp_path / "slowly" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "slowly" / "__init__.py").write_text("RUNS = []\n")
    (package / "__init__.py").write_text(
        "from slowly import RUNS\n"
        "RUNS.append(1)\n"
        "from . import lazy\n"
        "from .quick import VALUE\n"
        "import time\n"
        "time.sleep(0.05)\n"
        "from slowly.inner import VALUE as again\n"
        "__all__ = ['VALUE', 'late']\n"
        "late = VALUE + again\n"
    )
    (package / "quick.py").write_text("VALUE = 21\n")
    (package / "lazy.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "slowly.inner"
    for name in [name for name in sys.modules if name.split(".")[0] == "slowly"]:
        del sys.modules[name]


def _runs() -> int:
    return len(importlib.import_module("slowly").RUNS)


def test_a_part_comes_without_the_package_which_completes_itself_once(slow: str) -> None:
    part = part_of(slow, "quick")
    assert (part.VALUE, _runs()) == (21, 0)
    assert f"{slow}.lazy" not in sys.modules
    package = importlib.import_module(slow)
    assert (package.quick, _runs()) == (part, 0)
    assert (package.late, _runs()) == (42, 1)
    assert type(package) is ModuleType
    assert importlib.import_module("slowly").inner is package
    assert part_of(slow, "lazy", "quick") is part
    with pytest.raises(AttributeError, match=r"'slowly\.inner' has no attribute 'more'"):
        package.more  # noqa: B018
    assert _runs() == 1


@pytest.mark.parametrize("part_first", [False, True])
def test_who_imports_a_part_of_a_late_package_as_usual_has_all_of_it(
    slow: str, part_first: bool
) -> None:
    be_late(slow)
    assert _runs() == 0
    if part_first:
        assert (part_of(slow, "quick").VALUE, _runs()) == (21, 0)
        assert importlib.import_module(slow).late == 42
    assert (importlib.import_module(f"{slow}.lazy").__name__, _runs()) == (f"{slow}.lazy", 1)
    assert (importlib.import_module(slow).late, _runs()) == (42, 1)


def test_a_part_of_a_late_package_that_cannot_be_imported_says_why(
    slow: str, tmp_path: Path
) -> None:
    (tmp_path / "slowly" / "inner" / "__init__.py").write_text("raise OSError('no library')\n")
    be_late(slow)
    for _ in range(2):
        with pytest.raises(OSError, match="no library"):
            importlib.import_module(f"{slow}.quick")


def test_all_names_of_a_late_package_can_be_imported(slow: str) -> None:
    part_of(slow, "quick")
    found: dict[str, object] = {}
    exec(f"from {slow} import *", found)
    assert (found["late"], _runs()) == (42, 1)


def test_who_lists_the_names_of_a_late_package_finds_all(slow: str) -> None:
    be_late(slow)
    package = importlib.import_module(slow)
    assert _runs() == 0
    assert {"VALUE", "late", "quick"} <= set(dir(package))
    assert (dir(package), _runs()) == (sorted(vars(package)), 1)


def test_a_package_that_is_there_stays(slow: str) -> None:
    package = importlib.import_module(slow)
    assert (part_of(slow, "quick"), _runs()) == (package.quick, 1)
    assert sys.modules[slow] is package


def test_threads_that_ask_at_once_find_a_whole_package(slow: str) -> None:
    part_of(slow, "quick")
    package, found = importlib.import_module(slow), []
    threads = [threading.Thread(target=lambda: found.append(package.late)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, _runs()) == ([42] * 4, 1)


def test_what_a_package_raises_is_raised_each_time(slow: str, tmp_path: Path) -> None:
    (tmp_path / "slowly" / "inner" / "__init__.py").write_text("raise OSError('no library')\n")
    part_of(slow, "quick")
    package = importlib.import_module(slow)
    for _ in range(2):
        with pytest.raises(OSError, match="no library"):
            package.late  # noqa: B018


@pytest.mark.parametrize("names", [("slowly.none", "quick"), ("slowly.inner", "none")])
def test_what_is_not_there_is_no_module(slow: str, names: tuple[str, str]) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'slowly\..*none"):
        part_of(*names)


def _in_a_process(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("first", ["simulator.special", "scipy.special"])
def test_special_functions_are_those_of_scipy(first: str) -> None:
    _in_a_process(
        f"import {first}\n"
        "from simulator import special\n"
        "mine = {name: getattr(special, name) for name in special.__all__}\n"
        "import scipy.special, scipy.stats\n"
        "assert all(getattr(scipy.special, name) is each for name, each in mine.items())\n"
        "assert scipy.special.expit(0.0) == 0.5\n"
        "assert scipy.stats.norm.ppf(0.3) == mine['ndtri'](0.3)\n"
    )


PRICES = """
import sys
from datetime import UTC, datetime
from simulator.scenario.prices import list_prices

NAMES = {
    "input_per_mtok": "input_mtok",
    "cached_input_per_mtok": "cache_read_mtok",
    "cache_write_per_mtok": "cache_write_mtok",
    "cache_write_1h_per_mtok": "cache_write_1h_mtok",
    "output_per_mtok": "output_mtok",
}

def said(model, provider):
    try:
        return list_prices(model, provider)
    except ValueError:
        return None

list_prices("claude-sonnet-4-6")
assert not {"asyncio", "genai_prices.update_prices"} & set(sys.modules)
providers = sys.modules["genai_prices.data"].providers
mine = {(m.id, p.id): said(m.id, p.id) for p in providers for m in p.models}

import genai_prices
from genai_prices.data_snapshot import get_snapshot, set_custom_snapshot

assert genai_prices.__version__ and genai_prices.UpdatePrices
for (model, provider), found in mine.items():
    try:
        _, there = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        assert found is None
        continue
    prices = there.get_prices(datetime.now(UTC))
    of = {name: getattr(prices, theirs) for name, theirs in NAMES.items()}
    of = {name: getattr(price, "base", price) for name, price in of.items() if price is not None}
    of = {name: float(price) for name, price in of.items()}
    if not {"input_per_mtok", "output_per_mtok"} <= of.keys():
        of = None
    assert found == of, (model, provider, found, of)
assert sum(found is not None for found in mine.values()) > 500
"""


@pytest.mark.slow
def test_prices_of_all_models_are_those_of_the_whole_package() -> None:
    _in_a_process(PRICES)


def test_optimisers_do_without_the_wrappers_of_special_functions() -> None:
    _in_a_process(
        "import sys; from simulator.special import expit; import scipy.optimize; "
        "assert 'scipy.special._support_alternative_backends' not in sys.modules; "
        "import scipy; import scipy.special._ufuncs as own; scipy.special.softmax; "
        "assert all(getattr(scipy.special, name) is getattr(own, name) for name in own.__all__)"
    )


@pytest.mark.parametrize("first", ["sys", "scipy.optimize"])
def test_optimisers_are_those_of_scipy_without_the_rest_of_it(first: str) -> None:
    _in_a_process(
        f"import sys, {first}\n"
        "from analysis.statistics import optimisers\n"
        "mine = {name: getattr(optimisers, name) for name in optimisers.__all__}\n"
        "assert mine['leastsq'](lambda b: b - 3.0, [1.0])[0] == 3.0\n"
        "assert mine['least_squares'](lambda b: b - 3.0, [1.0], bounds=(0.0, 2.0)).x[0] <= 2.0\n"
        f"assert ('scipy.spatial' in sys.modules) == ({first!r} == 'scipy.optimize')\n"
        "import scipy.optimize\n"
        "assert all(getattr(scipy.optimize, name) is each for name, each in mine.items())\n"
        "assert scipy.optimize.minimize(lambda b: (b[0] - 3.0) ** 2, [1.0]).success\n"
    )


def test_scipy_does_without_what_nobody_asks_of_numpy() -> None:
    _in_a_process(
        "import sys; from simulator.special import expit; import scipy.optimize; "
        "assert not {'numpy.f2py.crackfortran', 'numpy.testing._private'} & sys.modules.keys(); "
        "import numpy.testing; numpy.testing.assert_allclose([1.0], [1.0]); "
        "from numpy import f2py; assert f2py.get_include()"
    )
