"""Profiles and `-S`: layers that may only set what the file declares or the format knows."""

from collections.abc import Sequence

from advorch.errors import Problem
from advorch.spec.check import dotted
from advorch.spec.codes import MOST_PROBLEMS, Code, problem
from advorch.spec.compose import compose
from advorch.spec.nodes import Entry, ListNode, MapNode, Mark, Node, Scalar, Source
from advorch.spec.shape import ROOT, Either, Free, Section, Shape, is_private, settle
from advorch.spec.suggest import hint

_FIXED = frozenset({"version", "include", "profiles"})
Keys = tuple[str, ...]


def accepted(over: MapNode, root: MapNode, who: str, problems: list[Problem]) -> MapNode:
    """What of a layer may be set; complains of keys that neither the file declares nor the format knows."""
    for key, entry in over.entries.items():
        if key in _FIXED:
            problems.append(problem(Code.UNDECLARED, f"{who} cannot set '{key}'", entry.key, "change it in the file"))
    rest = MapNode({key: entry for key, entry in over.entries.items() if key not in _FIXED}, over.mark)
    return _compare(rest, root, ROOT, (), (who, problems))


def _compare(over: MapNode, base: Node | None, shape: Shape, keys: Keys, said: tuple[str, list[Problem]]) -> MapNode:
    declared = dict(base.entries) if isinstance(base, MapNode) else {}
    entries: dict[str, Entry] = {}
    for key, entry in over.entries.items():
        below = inner(shape, key)
        if key not in declared and (below is None or not _known(shape, key)):
            if len(said[1]) >= MOST_PROBLEMS:
                continue
            whole = "a list is replaced as a whole" if isinstance(base, ListNode) else ""
            _complain(key, entry, whole or hint(key, sorted_names(shape, declared)), keys, said)
        elif isinstance(entry.node, MapNode) and below is not None and not _is_component(below):
            under = declared[key].node if key in declared else None
            node = _compare(entry.node, under, below, (*keys, key), said)
            if node.entries or not entry.node.entries:
                entries[key] = Entry(entry.key, node)
        else:
            entries[key] = entry
    return MapNode(entries, over.mark)


def _complain(key: str, entry: Entry, advice: str, keys: Keys, said: tuple[str, list[Problem]]) -> None:
    who, problems = said
    where = f" in {dotted(keys)}" if keys else ""
    message = f"{who} sets '{key[:60]}', which does not exist{where}"
    problems.append(problem(Code.UNDECLARED, message, entry.key, advice))


def sorted_names(shape: Shape, declared: dict[str, Entry]) -> list[str]:
    """What may be set there: first what the file has, then what it could have."""
    kind = _as_section(shape)
    known = kind.fields if kind else ()
    names = dict.fromkeys([*declared, *known])
    return [name for name in names if not is_private(name) and name not in _FIXED]


def inner(shape: Shape, key: str) -> Shape | None:
    """The shape under a key, or None where there can be none."""
    kind = settle(shape)
    if isinstance(kind, Free):
        return kind
    section = _as_section(shape)
    return (section.fields.get(key) or section.rest) if section else None


def _known(shape: Shape, key: str) -> bool:
    """Whether a key that the file does not declare may be set all the same."""
    if _is_component(settle(shape)):
        return True
    section = _as_section(shape)
    return section is not None and (key in section.fields or section.extensible)


def _is_component(shape: Shape) -> bool:
    kind = settle(shape)
    return isinstance(kind, Free) and kind.component


def _as_section(shape: Shape) -> Section | None:
    kind = settle(shape)
    if isinstance(kind, Either) and kind.map is not None:
        kind = settle(kind.map)
    return kind if isinstance(kind, Section) else None


def overrides(texts: Sequence[str], root: MapNode, problems: list[Problem]) -> list[MapNode]:
    """Each `key=value` as a layer of its own."""
    layers = [_override(text, root, problems) for text in texts]
    return [layer for layer in layers if layer is not None]


def _override(text: str, root: MapNode, problems: list[Problem]) -> MapNode | None:
    source = Source(f"-S {text}", tuple(text.splitlines()) or ("",))
    key, equals, _ = text.partition("=")
    if not equals or not key.strip() or not key.isprintable():
        mark = Mark(source, 1, 1, max(1, len(key)))
        problems.append(problem(Code.OVERRIDE, "-S takes key=value", mark, "for example -S params.epsilon=0.1"))
        return None
    value = _value(text, len(key) + 1, source, problems)
    if value is None:
        return None
    keys = _full(tuple(key.strip().split(".")), root, Mark(source, 1, 1, len(key)), problems)
    if not keys:
        return None
    return accepted(_layer(_joined(keys, root), key, value, source), root, "-S", problems)


def _value(text: str, start: int, source: Source, problems: list[Problem]) -> Node | None:
    """What is behind the equals sign; blanks stand for what is before it, so that columns stay true."""
    before = len(problems)
    node = compose(" " * start + text[start:], source, problems)
    if len(problems) > before:
        return None
    if node is None:
        return Scalar(None, "", Mark(source, 1, start + 1, 1))
    flow = isinstance(node, Scalar) or source.lines[node.mark.line - 1][node.mark.column - 1] in "[{"
    if flow:
        return node
    problems.append(
        problem(Code.OVERRIDE, "-S takes a value, [...] or {...}", node.mark, "quote a text that holds ': '")
    )
    return None


def _full(keys: Keys, root: MapNode, mark: Mark, problems: list[Problem]) -> Keys:
    """The path from the root: `stages` and `params` may be left out where there is no doubt."""
    if keys[0] in root.entries or keys[0] in ROOT.fields:
        return keys
    homes = [home for home in ("stages", "params") if keys[0] in _names(root, home)]
    if len(homes) == 1:
        return (homes[0], *keys)
    if homes:
        message = f"'{keys[0]}' is a stage and a parameter"
        problems.append(problem(Code.OVERRIDE, message, mark, f"write stages.{keys[0]} or params.{keys[0]}"))
        return ()
    allowed = [*_names(root, "params"), *_names(root, "stages"), *sorted_names(ROOT, {})]
    message = f"-S sets '{keys[0][:60]}', which does not exist"
    at = Mark(mark.source, 1, 1, len(keys[0]))
    problems.append(problem(Code.UNDECLARED, message, at, hint(keys[0], allowed)))
    return ()


def _names(root: MapNode, key: str) -> list[str]:
    node = root.get(key)
    return [name for name in node.entries if not is_private(name)] if isinstance(node, MapNode) else []


def _joined(keys: Keys, root: Node) -> Keys:
    """Keys that themselves hold dots, put together again where the file declares them."""
    node: Node | None = root
    found: list[str] = []
    while keys:
        entries = node.entries if isinstance(node, MapNode) else {}
        length = next((n for n in range(len(keys), 1, -1) if ".".join(keys[:n]) in entries), 1)
        found.append(".".join(keys[:length]))
        node = node.get(found[-1]) if isinstance(node, MapNode) else None
        keys = keys[length:]
    return tuple(found)


def _layer(keys: Keys, written: str, value: Node, source: Source) -> MapNode:
    """The value under its keys, each key marked where it was written; implied ones share the first place."""
    ends = len(written)
    node = value
    for key in reversed(keys):
        start = written.rfind(key, 0, ends)
        mark = Mark(source, 1, max(start, 0) + 1, len(key) if start >= 0 else 1)
        node = MapNode({key: Entry(mark, node)}, mark)
        ends = max(start, 0)
    if not isinstance(node, MapNode):
        raise TypeError("a layer has at least one key")
    return node


def profile(name: str, root: MapNode, problems: list[Problem]) -> MapNode | None:
    """The layer of a profile; all profiles are compared with the file, used or not."""
    profiles = root.get("profiles")
    known = profiles.entries if isinstance(profiles, MapNode) else {}
    layers: dict[str, MapNode] = {}
    for key, entry in known.items():
        if isinstance(entry.node, MapNode) and not is_private(key):
            layers[key] = accepted(entry.node, root, f"profile '{key}'", problems)
        elif not is_private(key) and not (isinstance(entry.node, Scalar) and entry.node.value is None):
            problems.append(problem(Code.TYPE, f"profile '{key}' takes a map of settings", entry.node.mark))
    if not name:
        return None
    if name not in known or is_private(name):
        mark = Mark(Source(f"--profile {name}", (name,)), 1, 1, max(1, len(name)))
        allowed = [key for key in known if not is_private(key)]
        missing = hint(name, allowed) or "the file declares no profiles"
        problems.append(problem(Code.PROFILE, f"there is no profile '{name[:60]}'", mark, missing))
        return None
    return layers.get(name)
