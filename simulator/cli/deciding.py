"""The commands that help to decide: advice, causes, sensitivity, faults, pictures of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from analysis.breakdown.causes import CAUSES
from analysis.breakdown.speedup_stack import speedup_stacks
from analysis.statistics.completion import runs_finished
from analysis.statistics.curves import TIMES
from simulator.cli.chaos_table import notes_on_alike, print_chaos, span
from simulator.cli.harmless import complain, say_words
from simulator.cli.json_output import print_json
from simulator.cli.options import NAMED_BY_SCENARIO
from simulator.cli.quiet import tell
from simulator.cli.sensitivity_words import COLUMNS, notes_on
from simulator.cli.terminal import (
    check_page_writable,
    check_table_writable,
    directory_for,
    print_frame,
    print_table,
    progress_bar,
)
from simulator.engine import Simulation
from simulator.errors import TeamsimError
from simulator.experiment.estimate import check_memory
from simulator.experiment.pool import default_workers
from simulator.experiment.table_files import write_table
from simulator.model.trace import Trace
from simulator.scenario import Scenario, Study
from simulator.scenario.costs import HOW_TO_PRICE, MONEY, cost_notes, is_cost_known
from simulator.words import four_figures, percent

if TYPE_CHECKING:
    from analysis.decisions.advice import Advice, Wish

_MOST_SHOWN = 12
"""Systems in the table of an advice, beside one agent."""


@dataclass(frozen=True)
class AdviceWishes:
    """What the user wants of `advise`."""

    wish: Wish
    sizes: Sequence[int]
    replications: int
    out: Path | None = None
    write: Path | None = None
    as_json: bool = False


def advise(study: Study, wanted: AdviceWishes, workers: int) -> int:
    """Compare one agent with teams, and print what to do and how sure that is.

    Returns
    -------
    int
        The exit code: 1 if a scenario was to be written, and nothing fulfils the conditions.
    """
    from simulator.api.deciding import advise as give_advice
    from simulator.cli.advised import check_target, write_advised

    scenario, wish = study.base, wanted.wish
    if wanted.out is not None:
        check_table_writable(wanted.out)
    if wanted.write is not None:
        check_target(wanted.write)
    workers = workers or default_workers()
    with progress_bar("replications") as progress:
        given = give_advice(scenario, wish, wanted.sizes, wanted.replications, workers, progress)
    advice, table, words = given.advice, given.table, given.sentences
    if wanted.as_json:
        said = {"replications": wanted.replications, **_fields_of(advice), "sentences": words}
        notes = cost_notes(scenario)
        print_json("advise", {**said, "rows": table, "notes": notes}, scenario)
    else:
        for line in words:
            say_words(line)
        shown = table[(np.arange(len(table)) < _MOST_SHOWN) | (table["n"] == 1)]
        _print_advice(shown, wish)
        if len(shown) < len(table):
            say_words(f"{len(table) - len(shown)} further systems are not shown (--out has them)")
        for note in given.notes:
            say_words(note)
    tells = _silent if wanted.as_json else tell
    if wanted.out is not None:
        write_table(table, wanted.out)
        tells(f"{len(table)} rows in {wanted.out}")
    if wanted.write is None:
        return 0
    if not advice.best:
        complain(f"{wanted.write} is not written, as nothing fulfils the conditions")
        return 1
    write_advised(study, advice, words, wanted.write)
    tells(f"{wanted.write}: {advice.best}; teamsim run {wanted.write}")
    return 0


def _silent(text: object) -> None:
    """Print nothing, where standard output is for JSON."""


def _fields_of(advice: Advice) -> dict[str, object]:
    fields = (field.name for field in dataclasses.fields(advice) if field.name != "table")
    return {name: getattr(advice, name) for name in fields}


def _print_advice(table: pd.DataFrame, wish: Wish) -> None:
    """Print the systems, with the share by which each is behind the best."""
    takes = [] if wish.usd_per_hour is None else ["USD in all"]
    heads = ["system", *takes, "time s", "cost USD", "quality", "finished", "fulfils", "behind"]
    has_p = bool(table["p_best"].gt(0.0).any())
    rows = []
    for row in table.to_dict("records"):
        known = "behind" in row
        cells = [
            row["system"],
            *([four_figures(row["objective"]) if row["finished"] else "unknown"] if takes else []),
            four_figures(row["time_to_success_s"]) if row["finished"] else "unknown",
            four_figures(row["cost_usd"]) if math.isfinite(row["cost_usd"]) else "unknown",
            percent(row["quality"], 1),
            f"{row['finished']:,}/{row['replications']:,}",
            row["fulfils"],
            percent(row["behind"], 1) if known and math.isfinite(row["behind"]) else "",
            *([percent(row["p_best"]) if row["p_best"] > 0.0 else ""] if has_p else []),
        ]
        rows.append(cells)
    print_table([*heads, *(["p best"] if has_p else [])], rows)


def stack(
    study: Study, replications: int, out: Path | None, workers: int, as_json: bool = False
) -> None:
    """Compute the speed-up stacks of a sweep, print them and, in a directory, draw them."""
    with directory_for(out), progress_bar("points") as progress:
        stacks = speedup_stacks(study.points, replications, progress, workers or default_workers())
        if stacks.empty:
            raise TeamsimError(
                "there is no single agent to compare a team with: sweep team.size from 1 on, or "
                "name a 'baseline'"
            )
    paths = [] if out is None else _write_stack(stacks, study.base.question, out)
    if as_json:
        print_json("stack", {"replications": replications, "rows": stacks}, study.base)
        return
    ends = stacks[["speed-up_low", "speed-up_high"]].to_numpy()
    stacks["95 %"] = [span(low, high, "{:.3g}") for low, high in ends]
    columns = ["name", "n", "speed-up", "95 %"]
    columns += [name for name in CAUSES if stacks[name].abs().max() > 0]
    if (stacks["finished"] < stacks["runs"]).any():
        columns.insert(2, "finished")
    print_frame(stacks[columns].round(3), columns)
    say_words(
        "speed-up: times as fast as the single agent; beside it, what each cause takes of the "
        "ideal n (below 0: the team spends less on it than one agent), so that a row adds up to n"
    )
    if "finished" in columns:
        say_words(
            f"finished: pairs of runs, of {replications}, in which both the team and the single "
            "agent did all tasks; the speed-up and its stack are of these"
        )
    if paths:
        tell("95 % intervals of all parts are in speedup_stack.csv")
    for path in paths:
        tell(path)


def _write_stack(stacks: pd.DataFrame, question: str, out: Path) -> list[Path]:
    from analysis.plots import save, stack_figure

    stacks.to_csv(out / "speedup_stack.csv", index=False)
    return list(save(stack_figure(stacks, question), out / "speedup_stack"))


def sensitivity(
    scenario: Scenario,
    bounds: dict[str, tuple[float, float]],
    metric: str,
    method: Literal["morris", "sobol"],
    samples: int,
    replications: int,
    out: Path | None,
    workers: int,
    as_json: bool = False,
) -> None:
    """Vary parameters, print how much each matters and, in a directory, draw it."""
    if metric in MONEY and not is_cost_known(scenario):
        raise TeamsimError(f"--metric {metric}: what a run costs is not known; {HOW_TO_PRICE}")
    from analysis.decisions.sensitivity import sensitivity as analyse

    with directory_for(out), progress_bar("replications") as progress:
        table = analyse(
            scenario,
            bounds,
            metric,
            method,
            samples,
            replications,
            workers=workers or default_workers(),
            progress=progress,
        )
    finished, runs = (int(table[name].iloc[0]) for name in ("finished", "runs"))
    paths = [] if out is None else _write_sensitivity(table, metric, out)
    if as_json:
        said: dict[str, object] = {"metric": metric, "method": method, "replications": replications}
        said |= {"finished": finished, "runs": runs, "notes": notes_on(table, method)}
        print_json("sensitivity", {**said, "rows": table}, scenario)
        return
    shown = [name for name in table.columns if name not in ("finished", "runs")]
    print_frame(table[shown], shown)
    say_words(f"{metric}: {COLUMNS[method]}")
    for note in notes_on(table, method):
        say_words(note)
    say_words(f"{runs_finished(finished, runs)}{_of_what(metric) if finished < runs else ''}")
    for path in paths:
        tell(path)


def _write_sensitivity(table: pd.DataFrame, metric: str, out: Path) -> list[Path]:
    from analysis.plots import plot_sensitivity, save

    table.to_csv(out / "sensitivity.csv", index=False)
    figure = plot_sensitivity(table, metric).get_figure(root=True)
    assert figure is not None
    return list(save(figure, out / "sensitivity"))


def _of_what(metric: str) -> str:
    if metric in TIMES:
        return f": {metric} is until success, failed runs started again"
    return f": {metric} is that of runs as they ended"


def chaos(
    scenario: Scenario, replications: int, out: Path | None, workers: int, as_json: bool = False
) -> None:
    """Run the battery of faults, and print what was lost, for how long, and what it cost."""
    from analysis.decisions.chaos import chaos as run_chaos

    if out is not None:
        check_table_writable(out)
    with progress_bar("replications") as progress:
        table = run_chaos(scenario, replications, workers or default_workers(), progress)
    if out is not None:
        write_table(table, out)
    priced = is_cost_known(scenario)
    notes = [*cost_notes(scenario), *notes_on_alike(table, replications)]
    if as_json:
        unknown = [] if priced else [name for name in table.columns if name.endswith("_usd")]
        table = table.assign(**dict.fromkeys(unknown, None))
        said = {"replications": replications, "rows": table, "notes": notes}
        print_json("chaos", said, scenario)
        return
    print_chaos(table, priced)
    for note in notes:
        say_words(note)
    if table["patterns"].nunique() == 1:
        say_words("the scenario has no patterns under 'resilience' that could be left out")
    say_words(
        f"means of {replications} replications; time and what is spent more, each with a 95 % "
        "interval: until success, where runs that are not completed are started again"
    )
    if (table["completed"] < 1.0).any():
        say_words("?: not known, too few runs were completed; recovery >: some runs ended before")
    if out is not None:
        tell(f"{len(table)} rows in {out}")


def timeline(
    scenario: Scenario, replication: int, messages: bool, out: Path | None, html: Path | None
) -> None:
    """Run one replication; draw and export what every agent did when, or write its live view."""
    if out is None and html is None:
        raise TeamsimError("give --out DIRECTORY, --html FILE, or both: where to write to")
    if html == NAMED_BY_SCENARIO:
        html = Path(f"{scenario.name}-timeline.html")
    if html is not None:
        check_page_writable(html)
    check_memory(scenario)
    trace = Trace(replication)
    with directory_for(out), progress_bar("replication") as progress:
        metrics = Simulation(scenario).run(replication, trace, lambda share: progress(share, 1))
    if out is not None:
        title = f"{scenario.name}, replication {replication}: {metrics.outcome}"
        _write_timeline(scenario, trace, messages, title, out)
    if html is not None:
        from analysis.live import Run, write_live

        write_live(html, Run(scenario, replication, trace, metrics))
        tell(f"{html} (open it in a browser)")


def _write_timeline(
    scenario: Scenario, trace: Trace, messages: bool, title: str, out: Path
) -> None:
    from analysis.breakdown.otlp import write_otlp
    from analysis.breakdown.perfetto import write_chrome_trace
    from analysis.plots import gantt_figure, save

    for path in save(gantt_figure(trace.rows, scenario, messages, title), out / "timeline"):
        tell(path)
    write_chrome_trace(out / "perfetto.json", trace.rows, scenario)
    tell(f"{out / 'perfetto.json'} (open it at ui.perfetto.dev or chrome://tracing)")
    write_otlp(out / "otlp.jsonl", trace.rows, scenario, trace.replication)
    tell(out / "otlp.jsonl")


def report(directory: Path, out: Path | None, stack_replications: int, workers: int) -> None:
    """Write the report of a sweep, beside its results when `out` is absent."""
    from analysis.report import write_report

    if out is not None:
        check_page_writable(out)
    out = out or directory / "report.html"
    with progress_bar("speed-up stacks") as progress:
        write_report(directory, out, stack_replications, progress, workers or default_workers())
    tell(out)
