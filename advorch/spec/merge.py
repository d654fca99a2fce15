"""Layers of one file over another: maps merge, everything else replaces."""

from advorch.spec.nodes import Entry, MapNode, Node


def merge(base: MapNode, over: MapNode) -> MapNode:
    """Both maps in one; what is over wins, a map that both have keeps its first place."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = entries.get(key)
        entries[key] = Entry(below.key, merged(below.node, entry.node)) if below and _maps(below, entry) else entry
    return MapNode(entries, base.mark)


def merged(base: Node, over: Node) -> Node:
    """One value over another."""
    return merge(base, over) if isinstance(base, MapNode) and isinstance(over, MapNode) else over


def _maps(below: Entry, above: Entry) -> bool:
    return isinstance(below.node, MapNode) and isinstance(above.node, MapNode)
