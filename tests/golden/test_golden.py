"""The corpus touches every option, and says what differs."""

from __future__ import annotations

from tests.golden import corpus, options

CANNOT_BE_SET = {
    *(
        f"workspace[{kind}].on_partition=available"
        for kind in ("consensus", "locks", "single_writer")
    ),
    "resilience.simpler_protocol.protocol[depth_first]",
    "resilience.simpler_protocol.protocol[lead_assign]",
}
"""Options that every scenario refuses, with what is below them."""


def test_every_option_is_set_in_some_scenario() -> None:
    found = set().union(
        *(options.of_file(path) for path in corpus.files() if path.parent == corpus.WRITTEN)
    )
    wanted = options.of_schema()
    missing = {
        option
        for option in wanted - found
        if not any(option.startswith(impossible) for impossible in CANNOT_BE_SET)
    }
    assert not missing
    assert not [option for option in found if option.startswith(tuple(CANNOT_BE_SET))]
