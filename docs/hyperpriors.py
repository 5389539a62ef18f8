"""Fits the hyperpriors that ship anew: ``python -m docs.hyperpriors RUNS`` (`make hyperpriors`).

Runs of one and of two agents are fitted, so that none of them is among those of three that the
guide's scores are of. ``--list NAME`` fits those of one task list alone, and ``--out DIR`` is where
to write them.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from analysis.calibration import hyperpriors
from analysis.calibration.hyperprior_fits import fit_priors
from analysis.calibration.hyperpriors import Hyperpriors, text_of
from analysis.traces.readers.llm_teams import read_team_runs
from analysis.traces.team_runs import AGENT, TeamRuns

SIZES = [1, 2]
SOURCE = "runs published with arXiv 2603.12229 (Mieczkowski et al.; MIT)"


def fit(team: TeamRuns) -> Hyperpriors:
    """Return the hyperpriors of runs of one and of two agents."""
    made = {
        "source": SOURCE,
        "runs": len(team.runs),
        "team_sizes": SIZES,
        "agents": len(team.runs[AGENT].drop_duplicates()),
        "models": sorted(team.runs["model_dir"].unique()),
        "task_lists": sorted(team.runs["task_type"].unique()),
        "command": "python -m docs.hyperpriors RUNS",
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }
    return Hyperpriors(made, fit_priors(team))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path)
    parser.add_argument("--list")
    parser.add_argument("--out", type=Path, default=Path(hyperpriors.__file__).parent)
    asked = parser.parse_args()
    team = read_team_runs(asked.runs).of_sizes(SIZES)
    found = fit(team.on_list(asked.list) if asked.list else team)
    into = asked.out / hyperpriors.FILE
    into.write_text(text_of(found), encoding="utf-8")
    print(into)
