"""What each command's JSON holds: the manual's page and the tests are made from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """The form of a command's JSON.

    Attributes
    ----------
    version : int
        Rises when a field is removed or changes its meaning.
    fields : mapping of str to str
        What each field holds beside those of `ENVELOPE`, for the manual.
    """

    version: int
    fields: Mapping[str, str]


ENVELOPE = {
    "schema": "the command and the version of its form, for example `teamsim/run/1`",
    "command": "the command, for example `run`",
    "teamsim": "version of the program",
    "notes": "sentences on what is to be known of the results, such as how to give a price",
}
"""Fields that all have."""

_SCENARIO = {"scenario": "its name", "seed": "root of all random numbers"}
_REPLICATIONS = {"replications": "runs, of each point or candidate where there are several"}
_SENTENCES = {"sentences": "what was found in words, the verdict first"}

FORMS = {
    "check": Form(
        1,
        {
            "ok": "whether nothing is wrong with any file",
            "files": "`file`, `ok`, `errors` (`where`, `field`, `message`), and of a right one "
            "`name`, `points`, `replications`, `notes`, `deprecated` (as `errors`)",
        },
    ),
    "run": Form(
        1,
        {
            **_SCENARIO,
            **_REPLICATIONS,
            "finished": "runs that did all tasks",
            "outcomes": "how many runs ended how",
            "metrics": "by name: `mean`, `low`, `high`, `sd`, and `p5`, `p50`, `p95`, `p99`, each "
            "with `_low` and `_high`",
            "expectations": "`text`, `verdict` (`met`, `failed`, `not resolved`), `estimate`, "
            "`low`, `high`, `bound`, `beyond` (above 0 on the wrong side), `needed` (replications)",
        },
    ),
    "compare": Form(
        2,
        {
            "seed": _SCENARIO["seed"],
            **_SENTENCES,
            "reference": "the team that the others are compared with",
            "finished": "runs of the reference that did all tasks",
            "other_seed": "teams whose runs are not paired",
            "systems": "`system`, `replications`, `finished`, and `metrics` by name: `value`, "
            "`reference`, `change` (a share of the reference, or a difference of shares), "
            "`verdict` (`less`, `more`, `not resolved`, `same`, `unknown`), `needed`",
        },
    ),
    "advise": Form(
        2,
        {
            **_SCENARIO,
            "replications": "most runs of a candidate",
            **_SENTENCES,
            "verdict": "`team`, `alone`, `open` or `neither`",
            "best": "the advised system",
            "p_best": "probability, at least, that none of the others that fulfil the conditions "
            "is better by more than `--indifference`; null where nothing is known",
            "as_good": "others that are known to be as good",
            "not_excluded": "others that may be the best",
            "best_team": "the best team, where one agent is best",
            "gain": "what the best team saves over one agent, a share",
            "unsure": "conditions that `best` is not known to fulfil",
            "break_even": "value of an hour from which the best team pays",
            "is_settled": "whether more replications are not needed",
            "thresholds": "changes of a parameter that change the verdict",
            "moves": "changes beside the number of agents that save something",
            "same_as_own": "the structure with the same results as the scenario's own",
            "rows": "of the table",
        },
    ),
    "stack": Form(1, {**_SCENARIO, **_REPLICATIONS, "rows": "of speedup_stack.csv"}),
    "sensitivity": Form(
        1,
        {
            **_SCENARIO,
            **_REPLICATIONS,
            "finished": "runs that did all tasks",
            "metric": "what is explained",
            "method": "`morris` or `sobol`",
            "runs": "of all points of the design",
            "rows": "of sensitivity.csv",
        },
    ),
    "chaos": Form(1, {**_SCENARIO, **_REPLICATIONS, "rows": "of the table"}),
    "validate": Form(
        1,
        {
            "of": "`teams`, `requests` or `runs` (of a table of runs)",
            "rows": "mean scores of teams, scores of requests, or scores of each team of a table",
            "in_sample": "of teams: whether their sizes were in the pilot; else null",
            "requests": "of requests: how many were scored; else null",
            "sums": "of requests: scores of their sums; else null",
            "means": "of a table of runs: mean scores; else null",
        },
    ),
}
"""By command; `observe` is described in docs/traces.md."""

OBSERVE = 1
"""Version of the form of `observe`."""


def version_of(command: str) -> int:
    """Return the version of the form of a command's JSON."""
    return OBSERVE if command == "observe" else FORMS[command].version
