"""PyYAML's safe loaders, within limits, with numbers and dates as in YAML 1.2."""

from __future__ import annotations

import re

import yaml

from simulator.documents import MOST_DEPTH, too_deep


class Loader(yaml.SafeLoader):
    """The safe loader in Python, which tells best what is wrong where."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Return the next node, unless it is nested too deeply."""
        self._depth += 1
        if self._depth > MOST_DEPTH + 1:
            raise too_deep()
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _as_in_yaml_1_2(loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader]) -> None:
    """Let a loader take ``1e-3`` as a number and ``2024-01-01`` as a string."""
    loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in loader.yaml_implicit_resolvers.items()
    }
    loader.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )


_as_in_yaml_1_2(Loader)

QUICK_LOADER: type[yaml.CSafeLoader] | None = None
if yaml.__with_libyaml__:

    class _QuickLoader(yaml.CSafeLoader):
        """The same in C, which is ten times as fast."""

    _as_in_yaml_1_2(_QuickLoader)
    QUICK_LOADER = _QuickLoader


def is_shallow(root: yaml.Node) -> bool:
    """Return whether nothing is nested too deeply, each node taken where it first stands."""
    seen: set[int] = set()
    left = [(root, 1)]
    while left:
        node, depth = left.pop()
        if id(node) in seen:
            continue
        if depth > MOST_DEPTH + 1:
            return False
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            parts = list(node.value)
        elif isinstance(node, yaml.MappingNode):
            parts = [each for pair in node.value for each in pair]
        else:
            continue
        left += [(each, depth + 1) for each in reversed(parts)]
    return True
