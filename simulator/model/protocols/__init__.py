"""Coordination protocols: how work reaches agents. A file a kind, named as in YAML."""

from simulator.model.protocols._protocol import (
    EVERYONE,
    SOMEONE,
    Dispatcher,
    Protocol,
    Setting,
    preferably,
    preferred,
)

__all__ = ["EVERYONE", "SOMEONE", "Dispatcher", "Protocol", "Setting", "preferably", "preferred"]
