"""What ``sensitivity`` says of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "morris": "by how much it changes over a parameter's whole range. mu: mean, mu_star: mean "
    "without its sign (mu_star_conf: half of its 95 % interval), sigma: how much that depends on "
    "the other parameters, chance: as large a mu_star noise alone may make",
    "sobol": "the share of its variance that a parameter explains. S1: alone, ST: with what it "
    "does together with others (_conf: half of a 95 % interval), chance: as large an ST noise "
    "alone may make",
}
"""What the columns of a table say, by method."""


def notes_on(table: pd.DataFrame, method: str) -> list[str]:
    """Return which effects are not told from noise, or that one replication does not show it.

    Parameters
    ----------
    table : DataFrame
        From `analysis.decisions.sensitivity.sensitivity`.
    method : str
        A key of `COLUMNS`.
    """
    if table["chance"].isna().all():
        return [
            "One replication does not show what noise does to these effects: their intervals leave "
            "it out. They hold where nothing is random; else make several (-r)."
        ]
    noise = table[table["mu_star" if method == "morris" else "ST"] <= table["chance"]]
    if noise.empty:
        return []
    return [
        f"Not told from no effect: {', '.join(noise['parameter'])}. Noise may make the effect of "
        "each as large (column chance, 95 % for all together); more replications (-r) make it "
        "smaller."
    ]
