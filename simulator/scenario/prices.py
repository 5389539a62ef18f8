"""List prices of models, from the dated table that the package genai-prices carries."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from simulator.late import part_of

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import TieredPrices


@lru_cache(maxsize=256)
def list_prices(model: str, provider: str | None = None) -> dict[str, float]:
    """Return a model's list prices in US dollars for a million tokens.

    Parameters
    ----------
    model : str
        For example ``claude-sonnet-4-6`` or ``gpt-5.2``.
    provider : str, optional
        For example ``anthropic``, where several providers serve the model.

    Returns
    -------
    dict
        ``input_per_mtok``, ``cached_input_per_mtok``, ``output_per_mtok``, and for writing to a
        cache ``cache_write_per_mtok`` and ``cache_write_1h_per_mtok``. Where prices depend on
        the length of the request, those of short requests; where they have changed, today's.
        Of caches there is what the table has.

    Raises
    ------
    ValueError
        If the table has no such model, or no price for its tokens.
    """
    from datetime import UTC, datetime
    from importlib.metadata import version as version_of

    version = version_of("genai-prices")
    try:
        _, found = _table().find_provider_model(model, None, provider, None)
    except LookupError:
        by = f" of {provider!r}" if provider else ""
        raise ValueError(
            f"no model {model!r}{by} in the price table of genai-prices {version}; "
            "give input_per_mtok, cached_input_per_mtok and output_per_mtok instead"
        ) from None
    prices = found.get_prices(datetime.now(UTC))
    if prices.input_mtok is None or prices.output_mtok is None:
        raise ValueError(f"genai-prices {version} has no token prices for {model!r}")
    named = {
        "input_per_mtok": prices.input_mtok,
        "cached_input_per_mtok": prices.cache_read_mtok,
        "cache_write_per_mtok": prices.cache_write_mtok,
        "cache_write_1h_per_mtok": prices.cache_write_1h_mtok,
        "output_per_mtok": prices.output_mtok,
    }
    return {name: _base(price) for name, price in named.items() if price is not None}


def _table() -> DataSnapshot:
    """Return the table without what would fetch a newer one: half of a command's imports."""
    snapshots = part_of("genai_prices", "types", "data_snapshot")
    found: DataSnapshot = snapshots.get_snapshot()
    return found


def _base(price: Decimal | TieredPrices) -> float:
    return float(price if isinstance(price, Decimal) else price.base)
