"""Hold results against what is expected of them, as ``teamsim run --expect`` does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from analysis.statistics.curves import TO_SUCCESS
from analysis.statistics.expectations import Finding, expectations_in, judge
from simulator.errors import TeamsimError
from simulator.scenario import Scenario
from simulator.scenario.costs import HOW_TO_PRICE, MONEY, is_cost_known

if TYPE_CHECKING:
    import pandas as pd

    from simulator.scenario.expectation import Expectation


class UnmetExpectation(TeamsimError):
    """Runs are not as they were expected to be.

    Attributes
    ----------
    findings : DataFrame
        All that was expected, as `SweepResult.findings` returns it.
    """

    def __init__(self, message: str, findings: pd.DataFrame) -> None:
        super().__init__(message)
        self.findings = findings

    def __reduce__(self) -> tuple[type[UnmetExpectation], tuple[str, pd.DataFrame]]:
        return type(self), (str(self), self.findings)


def expected_of(scenario: Scenario, texts: Iterable[str]) -> list[Expectation]:
    """Return what a scenario says of its runs, and what texts expect besides.

    Raises
    ------
    TeamsimError
        If a text is wrong, or it is about costs, and there are no prices.
    """
    expectations = expectations_in([*scenario.expect, *texts])
    for each in expectations:
        if each.metric.removesuffix(TO_SUCCESS) in MONEY and not is_cost_known(scenario):
            raise TeamsimError(
                f"expect: {each.text!r}: what a run costs is not known, since no price is said; "
                f"{HOW_TO_PRICE}"
            )
    return expectations


def findings_of(
    results: pd.DataFrame, points: Iterable[tuple[str, Scenario]], texts: Iterable[str]
) -> list[tuple[str, Finding]]:
    """Return what was found of each point, beside what is expected of it.

    Parameters
    ----------
    results : DataFrame
        A row a replication, with ``point_name``.
    points : iterable of (str, Scenario)
        Names of points, and their scenarios, which may say more.
    texts : iterable of str
        Expected of every point.

    Raises
    ------
    TeamsimError
        If a text is wrong, or nothing is expected of any point.
    """
    wanted, found = list(texts), list[tuple[str, Finding]]()
    for name, scenario in points:
        expectations = expected_of(scenario, wanted)
        if expectations:
            rows = results[results["point_name"] == name]
            found += [(name, each) for each in judge(rows, expectations)]
    if not found:
        raise TeamsimError("nothing is expected: name it, as 'makespan_s.p95 < 600'")
    return found


def table_of(found: Iterable[tuple[str, Finding]]) -> pd.DataFrame:
    """Return findings as a table, a row each."""
    import pandas as pd

    return pd.DataFrame([_row(name, each, pd.NA) for name, each in found])


def _row(name: str, finding: Finding, missing: object) -> dict[str, Any]:
    return {
        "point_name": name,
        "expected": finding.expectation.text,
        "found": finding.found.estimate,
        "low": finding.found.low,
        "high": finding.found.high,
        "verdict": finding.verdict,
        "beyond": finding.beyond,
        "needed": missing if finding.needed is None else finding.needed,
        "replications": finding.replications,
    }


def check(found: list[tuple[str, Finding]], strict: bool) -> pd.DataFrame:
    """Return findings as a table, if none of them is wrong.

    Raises
    ------
    UnmetExpectation
        If one failed or, if `strict`, is not resolved. The message has a line for each of these.
    """
    table = table_of(found)
    wrong = [_said(name, each) for name, each in found if each.is_wrong(strict)]
    if wrong:
        raise UnmetExpectation("\n".join(wrong), table)
    return table


def _said(name: str, finding: Finding) -> str:
    interval = finding.found
    said = (
        f"{name}: {finding.expectation.text}: {finding.verdict}, found {interval.estimate:,.4g} "
        f"({interval.low:,.4g} to {interval.high:,.4g}) in {finding.replications:,} replications"
    )
    return said if finding.needed is None else f"{said}; about {finding.needed:,} would resolve it"
