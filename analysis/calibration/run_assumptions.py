"""What fits to totals of runs, and predictions from them, assume: a sentence each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.calibration.analogues import Analogues
from analysis.calibration.profile_names import profile_name
from analysis.calibration.protocol_names import has_claims
from analysis.calibration.run_fits import SCALED, RunFit


def assumed_of_fits(fits: Sequence[RunFit], analogues: Analogues) -> list[str]:
    """Return what fits assume of agents, tasks, protocols and limits."""
    found = [
        f"how many tasks a call takes on, idling, errors and tasks are those of the agents most "
        f"alike of {analogues.source}; only the speed and the tokens are these runs' own"
    ]
    known = sorted({profile_name(each.model) for each in analogues.found})
    for model in sorted({fit.model for fit in fits if not fit.is_same}):
        said = f"{model!r} is not among them" if model else "the table does not say the model"
        found.append(f"{said}: agents most alike of any model are taken ({', '.join(known)})")
    found += [
        f"{name!r} is taken for the protocol {kind}"
        for name, kind in sorted({(fit.protocol, str(fit.spec["kind"])) for fit in fits})
        if name != kind
    ]
    found += [
        f"the {name} of these runs are not known: predicted are those of the agents most alike"
        for name in SCALED
        if any(name not in fit.errors for fit in fits)
    ]
    if any(fit.max_rounds is None for fit in fits):
        found.append(
            "no limit of rounds is known (a column max_rounds): runs are given up as those of the "
            "agents most alike"
        )
    return found


def assumed_of_predictions(
    pairs: Iterable[tuple[RunFit, str, str]], analogues: Analogues
) -> list[str]:
    """Return what predictions assume.

    Parameters
    ----------
    pairs : iterable of (RunFit, str, str)
        A fit, and the name and the kind of the protocol that is predicted from it.
    analogues : Analogues
    """
    found = []
    for known, claimed, name, kind in dict.fromkeys(
        (fit.protocol, fit.claims, name, kind) for fit, name, kind in pairs
    ):
        if known == name:
            continue
        claims = has_claims({"kind": kind})
        how = "claim their tasks" if claims else "have their tasks dealt out"
        said = f"{name!r} (simulated as {kind}) was not run"
        if claims == claimed:
            found.append(
                f"{said}: its agents are taken to be as fast, and as long, as in {known!r}"
            )
            continue
        shares = " and ".join(
            f"{analogues.carry[claimed].share[measure]:.2f} of the {measure}" for measure in SCALED
        )
        found.append(
            f"{said}: its agents are those most alike, as they are when they {how}; of what they "
            f"take more or less in {known!r}, {shares} is carried over (on the log scale)"
        )
    return found
