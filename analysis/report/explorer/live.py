"""The explorer's live view: one replication of the setting that is explored, played."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, Response, request

from analysis.live import Run
from analysis.live.write import live_page
from analysis.report.explorer.requests import Turns
from analysis.report.explorer.settings import Offered, in_words
from simulator.engine import Simulation
from simulator.errors import TeamsimError
from simulator.experiment.pool import Progress
from simulator.model.trace import Trace
from simulator.scenario import Scenario

PATH = "/live"
"""Where the live view is, with the setting as its query."""

MOST_ROWS = 400_000
"""Rows of a trace from which on a run is too long to be shown at once."""

_ASKED_BY = frozenset({"same-origin", "none"})
"""What a browser says of who asks: a page of this server, or its user."""

_NOTHING_FROM_ELSEWHERE = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True)
class LiveView:
    """Runs one replication of a setting, and returns its page.

    Attributes
    ----------
    offered : Offered
        What can be set of a scenario.
    turns : Turns
        Limit the time, and end an older request.
    """

    offered: Offered
    turns: Turns

    def serve(self, server: Flask) -> None:
        """Let a server answer at `PATH`."""
        server.add_url_rule(PATH, "live", self.answer)

    def answer(self) -> Response:
        """Return the page of the setting in the request, or what is wrong with it.

        A foreign page may lead here without an Origin, so that its reader's machine works for
        nothing. The header Sec-Fetch-Site shows this.
        """
        if request.headers.get("Sec-Fetch-Site", "none") not in _ASKED_BY:
            return _plain("the live view is opened from the explorer only", 403)
        try:
            page = self.page(request.args.to_dict())
        except TeamsimError as error:
            return _plain(in_words(error), 400)
        headers = {"Content-Security-Policy": _NOTHING_FROM_ELSEWHERE, "Cache-Control": "no-store"}
        return Response(page, headers=headers, mimetype="text/html")

    def page(self, query: dict[str, str]) -> str:
        """Return the live view of the first replication of the largest team.

        Raises
        ------
        TeamsimError
            If the setting is none, its combination is not valid, or its run is too long.
        """
        setting = self.offered.from_query(query)
        scenario = self.offered.study(setting, setting.most, 1).base
        with self.turns.turn() as go_on:
            return live_page(_run(scenario, go_on))


def _run(scenario: Scenario, go_on: Progress) -> Run:
    """Run the first replication, as long as it may go on and is not too long."""
    trace = Trace(0)

    def check(share: float) -> None:
        if len(trace.rows) > MOST_ROWS:
            raise TeamsimError(
                "this run is too long to be shown here: choose a smaller team or fewer tasks, or "
                "write the page with 'teamsim timeline --html'"
            )
        go_on(share, 1)

    metrics = Simulation(scenario).run(0, trace, check)
    check(1.0)
    return Run(scenario, 0, trace, metrics)


def _plain(said: str, status: int) -> Response:
    return Response(f"{said}\n", status=status, mimetype="text/plain")
