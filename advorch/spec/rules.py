"""What keys mean to each other: stages that are sweeps, names that clash, searches that cannot end."""

from collections.abc import Iterator

from advorch.errors import Problem
from advorch.spec.codes import Code, problem
from advorch.spec.forms import RESERVED
from advorch.spec.nodes import Entry, ListNode, MapNode, Mark, Node, Scalar
from advorch.spec.shape import is_private
from advorch.spec.space import check_space
from advorch.spec.suggest import hint

_OUTER_ONLY = ("uses", "in", "with", "resources")
_BOUNDS = ("trials", "wall", "gpu_hours")


def check_rules(root: MapNode, problems: list[Problem]) -> None:
    """Everything that a key says about other keys."""
    data = dict(entries(root.get("data")))
    stages = dict(entries(root.get("stages")))
    for name, entry in [*data.items(), *stages.items()]:
        if name in RESERVED:
            said = ", ".join(sorted(RESERVED))
            problems.append(problem(Code.NAME, f"the name '{name}' is taken", entry.key, f"expressions read {said}"))
    _clashes(stages, data, problems)
    for name, entry in stages.items():
        _check_stage(name, entry, data, problems, frozenset(stages))


def _check_stage(
    name: str, entry: Entry, data: dict[str, Entry], problems: list[Problem], outer: frozenset[str]
) -> None:
    node = entry.node
    if isinstance(node, Scalar) and node.value is None:
        node = MapNode({}, node.mark)
    if isinstance(node, MapNode):
        _Stage(name, entry.key, node, problems, outer).check(data)


def entries(node: Node | None) -> Iterator[tuple[str, Entry]]:
    """The entries of a map that are not the user's own; of anything else none."""
    if isinstance(node, MapNode):
        yield from ((key, entry) for key, entry in node.entries.items() if not is_private(key))


def given(node: MapNode, key: str) -> Node | None:
    """What stands under a key, where something does."""
    found = node.get(key)
    return None if isinstance(found, Scalar) and found.value is None else found


def _clashes(stages: dict[str, Entry], data: dict[str, Entry], problems: list[Problem]) -> None:
    for name in stages.keys() & data.keys():
        mark = stages[name].key
        message = f"'{name}' names a stage and an entry of data"
        problems.append(problem(Code.NAME, message, mark, "references could mean either; rename one"))


class _Stage:
    def __init__(self, name: str, key: Mark, node: MapNode, problems: list[Problem], outer: frozenset[str]) -> None:
        self._name = name
        self._outer = outer
        self._key = key
        self._node = node
        self._problems = problems

    def _add(self, code: Code, message: str, mark: Mark, hint: str = "") -> None:
        self._problems.append(problem(code, message, mark, hint))

    def check(self, data: dict[str, Entry]) -> None:
        node = self._node
        inner = dict(entries(node.get("stages")))
        if given(node, "stages") is not None:
            self._sweep(inner, data)
        else:
            self._single()
        tune = given(node, "tune")
        if isinstance(tune, MapNode):
            _Tune(self._name, tune, node.entries["tune"].key, self._problems).check(inner)

    def _single(self) -> None:
        if given(self._node, "uses") is None:
            message = f"the stage '{self._name}' needs the key 'uses'"
            self._add(Code.MISSING_KEY, message, self._key, "write uses: kind/name, for example uses: attack/pgd")
        if given(self._node, "out") is not None:
            message = f"'out' of '{self._name}' belongs to a sweep with inner stages"
            self._add(Code.CONFLICT, message, self._node.entries["out"].key, "the component says what comes out")

    def _sweep(self, inner: dict[str, Entry], data: dict[str, Entry]) -> None:
        for name in inner.keys() & self._outer:
            message = f"'{name}' names a stage and an inner stage of '{self._name}'"
            self._add(Code.NAME, message, inner[name].key, "references could mean either; rename one")
        if given(self._node, "tune") is None:
            message = f"'{self._name}' has inner stages and no 'tune'"
            self._add(Code.CONFLICT, message, self._node.entries["stages"].key, "inner stages are those of a sweep")
        for key in _OUTER_ONLY:
            if given(self._node, key) is not None:
                message = f"'{key}' cannot stand beside inner stages"
                self._add(Code.CONFLICT, message, self._node.entries[key].key, "give it to the inner stages")
        if given(self._node, "out") is None:
            message = f"the sweep '{self._name}' needs the key 'out'"
            self._add(Code.MISSING_KEY, message, self._key, "name what the winner hands on: out: {model: train.model}")
        self._outputs(inner)
        _clashes(inner, data, self._problems)
        for name, entry in inner.items():
            _check_stage(name, entry, data, self._problems, self._outer | inner.keys())

    def _outputs(self, inner: dict[str, Entry]) -> None:
        for _, entry in entries(self._node.get("out")):
            if isinstance(entry.node, Scalar) and isinstance(entry.node.value, str):
                _inner_name(entry.node, inner, Code.REFERENCE, self._problems)


def _inner_name(scalar: Scalar, inner: dict[str, Entry], code: Code, problems: list[Problem]) -> None:
    name, dot, _ = str(scalar.value).partition(".")
    if not dot:
        message = f"'{name[:60]}' does not say of which inner stage"
        problems.append(problem(code, message, scalar.mark, f"write {next(iter(inner), 'stage')}.{name[:60]}"))
    elif name not in inner:
        problems.append(problem(code, f"there is no inner stage '{name[:60]}'", scalar.mark, hint(name, inner)))


class _Tune:
    def __init__(self, stage: str, node: MapNode, key: Mark, problems: list[Problem]) -> None:
        self._stage = stage
        self._node = node
        self._key = key
        self._problems = problems

    def _add(self, code: Code, message: str, mark: Mark, hint: str = "") -> None:
        self._problems.append(problem(code, message, mark, hint))

    def _section(self, key: str) -> MapNode:
        node = self._node.get(key)
        return node if isinstance(node, MapNode) else MapNode({}, self._key)

    def check(self, inner: dict[str, Entry]) -> None:
        grid = _word(self._section("search"), "algorithm") == "grid"
        for name, entry in entries(self._node.get("space")):
            if isinstance(entry.node, MapNode):
                check_space(name, entry.node, entry.key, self._problems, grid=grid)
        objectives = self._objectives()
        for objective in objectives:
            self._metric(objective, inner)
        self._bounded(grid=grid)
        self._scheduler(len(objectives), inner)

    def _objectives(self) -> list[MapNode]:
        node = self._node.get("objective")
        items = node.items if isinstance(node, ListNode) else (node,)
        return [item for item in items if isinstance(item, MapNode)]

    def _metric(self, node: MapNode, inner: dict[str, Entry]) -> None:
        metric = given(node, "metric")
        if inner and isinstance(metric, Scalar) and isinstance(metric.value, str):
            _inner_name(metric, inner, Code.OBJECTIVE, self._problems)

    def _bounded(self, *, grid: bool) -> None:
        bounds = [given(self._section("search"), "trials"), *(given(self._section("budget"), key) for key in _BOUNDS)]
        if not grid and all(bound is None for bound in bounds):
            message = f"the search of '{self._stage}' has no end"
            self._add(Code.SEARCH, message, self._key, "write search: {trials: 20}, or a budget")

    def _scheduler(self, objectives: int, inner: dict[str, Entry]) -> None:
        node = self._section("scheduler")
        if not node.entries:
            return
        self._metric(node, inner)
        metric, goal = given(node, "metric"), given(node, "goal")
        if (metric is None) != (goal is None):
            missing = "goal" if goal is None else "metric"
            message = f"the scheduler of '{self._stage}' needs the key '{missing}'"
            self._add(Code.SEARCH, message, self._node.entries["scheduler"].key, "metric and goal go together")
        elif metric is None and objectives > 1:
            message = "a scheduler with several objectives must name the metric by which it stops"
            self._add(Code.SEARCH, message, self._node.entries["scheduler"].key, "add metric: and goal:")
        self._rungs(node)

    def _rungs(self, node: MapNode) -> None:
        grace, most = given(node, "grace"), given(node, "max")
        values = [item.value if isinstance(item, Scalar) else None for item in (grace, most)]
        if all(isinstance(value, int) for value in values) and values[0] > values[1]:  # type: ignore[operator]
            self._add(Code.SEARCH, "'grace' is larger than 'max'", node.entries["grace"].node.mark)


def _word(node: MapNode, key: str) -> object:
    found = node.get(key)
    return found.value if isinstance(found, Scalar) else None
