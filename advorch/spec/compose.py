"""YAML text to nodes, from libyaml's events: its own composer crashes on deep nesting and keeps no limits."""

import re
from typing import cast

import yaml

from advorch.errors import Problem
from advorch.spec.codes import MOST_PROBLEMS, Code, problem
from advorch.spec.nodes import Entry, ListNode, MapNode, Mark, Node, Scalar, Source
from advorch.spec.scalars import resolve, shown
from advorch.spec.syntax import explain
from advorch.spec.yaml_events import ALIAS, LIST, LIST_END, MAP_END, SCALAR, STREAM_END, Event, events_of

DEEPEST = 64
MOST_NODES = 100_000
_BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def source_of(name: str, text: str) -> Source:
    """A text cut into lines as YAML cuts it."""
    return Source(name, tuple(_BREAKS.split(text)))


def position(source: Source, text: str, offset: int) -> Mark:
    """The mark of an offset into the text of a source."""
    breaks = list(_BREAKS.finditer(text, 0, offset))
    return Mark(source, len(breaks) + 1, offset - (breaks[-1].end() if breaks else 0) + 1, 1)


def compose(text: str, source: Source, problems: list[Problem]) -> Node | None:
    """The document in a text, or None if there is none to go on with; what is wrong is added to the problems."""
    control = _CONTROL.search(text)
    if control:
        problems.append(_no_text(text, source, control.start()))
        return None
    try:
        return _Composer(text, source, problems).document()
    except _Fatal as fatal:
        problems.append(fatal.problem)
    except yaml.YAMLError as error:
        problems.append(explain(error, source))
    return None


def _no_text(text: str, source: Source, offset: int) -> Problem:
    mark = position(source, text, offset)
    if text[offset] == "\ufeff":
        return problem(Code.ENCODING, "the text has a byte order mark", mark, "save it as UTF-8 without a BOM")
    message = f"the character U+{ord(text[offset]):04X} is not allowed"
    return problem(Code.ENCODING, message, mark, 'write it as an escape inside double quotes, for example "\\u0007"')


class _Fatal(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Anchored:
    """A finished node under an anchor, with what it costs to repeat it; unfinished while `node` is None."""

    __slots__ = ("height", "node", "size")

    def __init__(self) -> None:
        self.node: Node | None = None
        self.size = 0
        self.height = 0


class _Composer:
    def __init__(self, text: str, source: Source, problems: list[Problem]) -> None:
        self._next = events_of(text)
        self._source = source
        self._problems = problems
        self._anchors: dict[str, _Anchored] = {}
        self._count = 0
        self._deepest = 0

    def document(self) -> Node | None:
        self._next()  # the start of the stream
        event = self._next()
        if type(event) is STREAM_END:
            return None
        root = self._node(self._next(), 1)
        self._next()  # the end of the document
        event = self._next()
        if type(event) is not STREAM_END:
            hint = "keep one document a file; `include:` joins files"
            self._add(Code.DOCUMENTS, "a second YAML document begins here", self._mark(event), hint)
        return root

    def _mark(self, event: Event) -> Mark:
        start, end = event.start_mark, event.end_mark
        line, column = start.line, start.column
        if end.line == line:
            return Mark(self._source, line + 1, column + 1, end.column - column or 1)
        return Mark(self._source, line + 1, column + 1, max(1, len(self._source.lines[line].rstrip()) - column))

    def _add(self, code: Code, message: str, mark: Mark, hint: str = "") -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(problem(code, message, mark, hint))

    def _grow(self, nodes: int, depth: int, event: Event) -> None:
        self._count += nodes
        if self._count > MOST_NODES:
            message = f"more than {MOST_NODES:,} values, aliases counted as often as they stand"
            raise _Fatal(problem(Code.TOO_LARGE, message, self._mark(event)))
        if depth > self._deepest:
            self._deepest = depth
            if depth > DEEPEST:
                raise _Fatal(problem(Code.TOO_LARGE, f"nested deeper than {DEEPEST} levels", self._mark(event)))

    def _node(self, event: Event, depth: int) -> Node:
        if type(event) is ALIAS:
            return self._alias(event, depth)
        self._grow(1, depth, event)
        if not event.anchor:
            return self._plain(event, depth)
        return self._anchor(event, depth)

    def _plain(self, event: Event, depth: int) -> Node:
        if type(event) is SCALAR:
            return self._scalar(event)
        if event.tag is not None:
            self._tag(event)
        if type(event) is LIST:
            return self._list(event, depth)
        return self._map(event, depth)

    def _anchor(self, event: Event, depth: int) -> Node:
        """Compose a node that aliases may repeat, and measure it."""
        anchored = self._anchors[event.anchor] = _Anchored()
        deepest, count = self._deepest, self._count
        self._deepest = depth
        node = self._plain(event, depth)
        anchored.node, anchored.size, anchored.height = node, self._count - count + 1, self._deepest - depth
        self._deepest = max(deepest, self._deepest)
        return node

    def _alias(self, event: Event, depth: int) -> Node:
        anchored, mark = self._anchors.get(event.anchor), self._mark(event)
        if anchored is None or anchored.node is None:
            self._grow(1, depth, event)
            message = f"the alias '*{event.anchor}' has no anchor before it"
            if anchored is not None:
                message = f"the alias '*{event.anchor}' stands inside what it repeats"
            self._add(Code.ALIAS, message, mark, 'quote it if text was meant: "*..."')
            return Scalar(None, "", mark)
        self._grow(anchored.size, depth + anchored.height, event)
        return anchored.node

    def _tag(self, event: Event) -> None:
        tag = (event.tag or "").replace("tag:yaml.org,2002:", "!!")
        self._add(
            Code.TAG, f"the tag '{tag[:60]}' is not allowed", self._mark(event), "write a plain value, or quote it"
        )

    def _scalar(self, event: Event) -> Scalar:
        text, mark = event.value, self._mark(event)
        if event.tag is not None:
            self._tag(event)
        elif event.implicit[0]:
            try:
                return Scalar(resolve(text), text, mark)
            except ValueError as error:
                self._add(Code.TOO_LARGE, f"{error}", mark, "quote it if text was meant")
        return Scalar(text, text, mark)

    def _list(self, event: Event, depth: int) -> ListNode:
        mark = self._opening(event)
        items = []
        while type(item := self._next()) is not LIST_END:
            items.append(self._node(item, depth + 1))
        return ListNode(tuple(items), mark)

    def _opening(self, event: Event) -> Mark:
        start = event.start_mark
        return Mark(self._source, start.line + 1, start.column + 1, 1)

    def _map(self, event: Event, depth: int) -> MapNode:
        mark = self._opening(event)
        entries: dict[str, Entry] = {}
        merged: list[MapNode] = []
        while type(key := self._next()) is not MAP_END:
            if type(key) is SCALAR and key.value == "<<" and key.implicit[0]:
                merged += self._merged(key, depth, again=bool(merged))
                continue
            name, at = self._key(key, depth)
            value = self._next()
            node = self._node(value, depth + 1)
            if event.flow_style and type(value) is SCALAR and value.value == "" and value.implicit[0]:
                self._no_value(key, at)
            if name is not None:
                self._enter(entries, name, Entry(at, node))
        return MapNode(_under(merged, entries) if merged else entries, mark)

    def _enter(self, entries: dict[str, Entry], name: str, entry: Entry) -> None:
        earlier = entries.get(name)
        if earlier is None:
            entries[name] = entry
            return
        place = f"line {earlier.key.line}" if earlier.key.line != entry.key.line else f"column {earlier.key.column}"
        self._add(Code.DUPLICATE_KEY, f"the key '{name[:60]}' stands here twice", entry.key, f"the first is at {place}")

    def _key(self, event: Event, depth: int) -> tuple[str | None, Mark]:
        """The text of a key, or None and a problem."""
        node = self._node(event, depth + 1)
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value, self._mark(event) if type(event) is ALIAS else node.mark
        if isinstance(node, Scalar):
            hint = f'quote it: "{node.text}"' if node.text else "write a name before the colon"
            self._add(Code.KEY_TYPE, f"a key must be text, not {shown(node.value)}", self._mark(event), hint)
        else:
            hint = 'quote it: "${...}"' if "${" in self._source.lines[node.mark.line - 1] else "write a name"
            self._add(Code.KEY_TYPE, "a key must be text, not a list or a map", node.mark, hint)
        return None, node.mark

    def _no_value(self, key: Event, at: Mark) -> None:
        """`{epsilon}` was meant as something else; a bare `$` before a brace is libyaml's to refuse."""
        text = key.value if type(key) is SCALAR else ""
        if text.endswith("$"):
            return
        message = f"'{text[:60]}' is read as a key without a value"
        hint = f'quote it: "{{{text}}}" if text was meant, "${{{text}}}" for an expression; or give the key a value'
        self._add(Code.QUOTE, message, at, hint)

    def _merged(self, key: Event, depth: int, *, again: bool) -> list[MapNode]:
        """The maps that `<<` names; earlier ones win, and the map's own keys over all."""
        if again:
            self._add(Code.DUPLICATE_KEY, "the key '<<' stands here twice", self._mark(key), "write <<: [*a, *b]")
        self._grow(1, depth + 1, key)
        node = self._node(self._next(), depth + 1)
        maps = node.items if isinstance(node, ListNode) else (node,)
        if not all(isinstance(item, MapNode) for item in maps):
            self._add(Code.ALIAS, "'<<' merges maps only", self._mark(key), "write <<: *anchor of a map")
            return []
        return cast("list[MapNode]", list(maps))


def _under(merged: list[MapNode], own: dict[str, Entry]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for base in reversed(merged):
        entries.update(base.entries)
    return {**entries, **own}
