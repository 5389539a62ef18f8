"""What the public functions return: a table, and what it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from simulator.api.arguments import path_in
from simulator.api.coordinates import coordinates_of
from simulator.errors import TeamsimError, what_is
from simulator.experiment.table_files import write_table
from simulator.model.metrics import METRIC_NAMES
from simulator.scenario import Scenario
from simulator.scenario.costs import cost_notes_of
from simulator.version import __version__

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from analysis.decisions.advice import Advice
    from analysis.decisions.side_by_side import SideBySide
    from analysis.observation.observe import Observation
    from analysis.statistics.expectations import Finding

_SHOWN = ("makespan_s", "success", "quality", "cost_usd")
"""Metrics that notebooks and consoles show of a sweep."""


def with_origin(table: pd.DataFrame, scenario: str, seed: int | None) -> pd.DataFrame:
    """Return a table whose ``attrs`` say what it was made from."""
    table.attrs = {"scenario": scenario, "seed": seed, "teamsim": __version__}
    return table


def _paragraphs(sentences: Sequence[str]) -> str:
    from html import escape

    return "".join(f"<p>{escape(each)}</p>" for each in sentences)


@dataclass(frozen=True)
class Result:
    """A table with its origin.

    Attributes
    ----------
    table : DataFrame
        Its ``attrs`` have the ``scenario``, the ``seed`` (None if there are several, or none) and
        the version of ``teamsim``. DuckDB and Polars read it as it is.
    """

    table: pd.DataFrame

    def save(self, path: str | Path) -> None:
        """Write the table as CSV, JSON or Parquet, as the ending of the name says.

        Raises
        ------
        TeamsimError
            If the ending is another one, or the file cannot be written there.
        """
        file = path_in("path is the name of a file", path)
        if not file.parent.is_dir():
            raise TeamsimError(f"{path}: there is no directory {file.parent}")
        try:
            write_table(self.table, file)
        except OSError as error:
            raise TeamsimError(f"{path} cannot be written: {error.strerror or error}") from None

    @property
    def _heading(self) -> str:
        said = self.table.attrs
        seed = "" if said["seed"] is None else f", seed {said['seed']}"
        return f"{said['scenario']}{seed}, teamsim {said['teamsim']}"

    def _shown(self) -> pd.DataFrame:
        return self.table

    @property
    def _verdict(self) -> Sequence[str]:
        """What was found in sentences, before the table."""
        return ()

    @property
    def _notes(self) -> Sequence[str]:
        """What is to be known of the table, after it."""
        return ()

    def __repr__(self) -> str:
        table = f"{type(self).__name__}: {self._heading}\n{self._shown()}"
        return "\n".join([*self._verdict, table, *self._notes])

    def _repr_html_(self) -> str:
        from html import escape

        table = f"<p>{escape(self._heading)}</p>{self._shown().to_html(max_rows=20)}"
        return _paragraphs(self._verdict) + table + _paragraphs(self._notes)


@dataclass(frozen=True, repr=False)
class SweepResult(Result):
    """Replications of one scenario, or of every point of a sweep: a row a replication.

    Attributes
    ----------
    manifest : dict
        What was run: the points with their scenarios, axes and versions.
    """

    manifest: dict[str, Any]

    def summary(self) -> pd.DataFrame:
        """Return mean, 95 % interval, spread and quantiles of each metric of each point.

        What a point costs is missing where its scenario says no prices.

        Returns
        -------
        DataFrame, index (point_name, metric)
        """
        from simulator.model.metrics import NUMERIC_METRICS

        return self._summary(NUMERIC_METRICS)

    def _summary(self, metrics: Sequence[str]) -> pd.DataFrame:
        from analysis.statistics.completion import with_time_to_success
        from analysis.statistics.summaries import summary

        parts = {
            name: with_time_to_success(summary(rows, list(metrics)), rows)
            for name, rows in self.table.groupby("point_name", sort=False)
        }
        return pd.concat(parts, names=["point_name", "metric"])

    def _shown(self) -> pd.DataFrame:
        return self._summary(_SHOWN)[["mean", "low", "high"]]

    @property
    def _notes(self) -> Sequence[str]:
        return cost_notes_of([scenario for _, scenario in self._scenarios()])

    def findings(self, *expected: str) -> pd.DataFrame:
        """Hold each point against what is expected of it, here and in its scenario.

        Parameters
        ----------
        *expected : str
            As for ``teamsim run --expect``, such as ``"makespan_s.p95 < 600"``.

        Returns
        -------
        DataFrame
            A row an expectation of a point: ``point_name``, ``expected``, ``found`` with ``low``
            and ``high`` (95 %), ``verdict`` (met, failed or not resolved), ``beyond`` (how far the
            estimate is from the bound, above 0 on the wrong side), ``needed`` (replications that
            would resolve it) and ``replications``.

        Raises
        ------
        TeamsimError
            If an expectation cannot be read or looked at, or there is none.
        """
        from simulator.api.expecting import table_of

        return table_of(self._found(expected))

    def expect(self, *expected: str, strict: bool = False) -> pd.DataFrame:
        """Return the findings, if what is expected of each point does not fail.

        Parameters
        ----------
        *expected : str
            As for `findings`.
        strict : bool
            Whether an expectation must be met, and not only not fail.

        Raises
        ------
        UnmetExpectation
            If the 95 % interval of one lies wholly on the wrong side of its bound or, if `strict`,
            on both sides.
        TeamsimError
            As for `findings`.
        """
        from simulator.api.expecting import check

        return check(self._found(expected), strict)

    def _found(self, expected: Sequence[str]) -> list[tuple[str, Finding]]:
        from simulator.api.expecting import findings_of

        for each in expected:
            if not isinstance(each, str):
                raise TeamsimError(
                    f"an expectation is a text, as 'makespan_s.p95 < 600'; found {what_is(each)}"
                )
        return findings_of(self.table, self._scenarios(), expected)

    def _scenarios(self) -> list[tuple[str, Scenario]]:
        from simulator.experiment.manifest import scenario_of

        return [(point["name"], scenario_of(point)) for point in self.manifest["points"]]

    def plot(
        self, x: str = "", y: str | Sequence[str] = (), series: str | Sequence[str] = ()
    ) -> Figure:
        """Draw what is asked for, else what the scenario asks for, else curves over team size.

        Of one team, draw how its runs spread: makespan, cost, quality and tokens, or `y`.

        Parameters
        ----------
        x : str
            Swept field.
        y : str or sequence of str
            Metrics, a panel each.
        series : str or sequence of str
            Swept fields that name the lines.

        Raises
        ------
        TeamsimError
            If there is no such field or metric.
        """
        from simulator.api.arguments import names_in
        from simulator.api.pictures import picture

        fields = names_in("x", x)
        if len(fields) != 1:
            raise TeamsimError(f"x is one swept field; found {what_is(x)}")
        metrics, lines = names_in("y", y), names_in("series", series)
        return picture(self.table, self.manifest, fields[0], metrics, lines)[1]

    def to_xarray(self) -> xarray.Dataset:
        """Return the metrics as arrays of shape (points, replications).

        Points that have fewer replications than others are filled up with missing values. The
        coordinates of a point are what its scenario says, swept or not.

        Raises
        ------
        TeamsimError
            If xarray is not installed.
        """
        try:
            import xarray
        except ModuleNotFoundError:
            raise TeamsimError(
                "to_xarray needs xarray: pip install 'llm-teamsim[xarray]'"
            ) from None
        metrics = self.table.set_index(["point", "replication"])[list(METRIC_NAMES)]
        data = xarray.Dataset.from_dataframe(metrics)
        known = coordinates_of(self.table, self.manifest)
        coordinates = {name: ("point", known[name].to_numpy()) for name in known}
        return data.assign_coords(coordinates).assign_attrs(self.table.attrs)


@dataclass(frozen=True, repr=False)
class AdviceResult(Result):
    """The systems that were compared, the best first, and what to do.

    Attributes
    ----------
    advice : Advice
    sentences : list of str
        The advice in words, the verdict first.
    notes : list of str
        What the columns of the table mean, and how to give a price where none is said.
    """

    advice: Advice
    sentences: list[str]
    notes: list[str] = field(default_factory=list)

    @property
    def _verdict(self) -> Sequence[str]:
        return [self.sentences[0]]

    @property
    def _notes(self) -> Sequence[str]:
        return [*self.sentences[1:], *self.notes]

    def plot(self) -> Figure:
        """Draw what each system takes beside the best, with joint bounds, its time and its cost."""
        from analysis.plots.advised import advice_figure

        return advice_figure(self.advice, self.table, self.sentences[0])


@dataclass(frozen=True, repr=False)
class ComparisonResult(Result):
    """Teams beside the first of them: a row a metric of a team.

    Attributes
    ----------
    comparison : SideBySide
    sentences : list of str
        The verdict on each other team in words, and how to give a price where none is said.
    """

    comparison: SideBySide
    sentences: list[str]

    @property
    def _verdict(self) -> Sequence[str]:
        return self.sentences[: len(self.comparison.comparisons)]

    @property
    def _notes(self) -> Sequence[str]:
        return self.sentences[len(self.comparison.comparisons) :]

    def plot(self) -> Figure:
        """Draw the changes with their intervals."""
        from analysis.plots.side_by_side import comparison_figure

        return comparison_figure(self.comparison, "")


@dataclass(frozen=True, repr=False)
class ObservationResult(Result):
    """What happened in real runs, a row a run, and the twin of the team.

    Attributes
    ----------
    observation : Observation
    """

    observation: Observation

    @property
    def _notes(self) -> Sequence[str]:
        return [f"costs: {self.observation.costs}"]

    def plot(self) -> Figure:
        """Draw what happened."""
        from analysis.plots.observed import observed_figure, observed_title

        title = observed_title(self.observation, self.table.attrs["scenario"])
        return observed_figure(self.observation, title)
