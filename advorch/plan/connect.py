"""Connects the ports of a cell to the cells and data that `in:` and `needs:` name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from advorch.artifacts import ArtifactType
from advorch.components import Port, Shape
from advorch.plan.cells import PortSource, Source
from advorch.plan.datasets import DataCatalog
from advorch.plan.drafts import Expanded
from advorch.plan.picking import parse_or_report, pick
from advorch.plan.problems import Problems
from advorch.plan.references import Reference
from advorch.plan.scope import read
from advorch.plan.work import Draft
from advorch.spec.nodes import MapNode, Mark, Scalar
from advorch.spec.suggest import hint

Path = tuple[str, ...]

_NOUNS = {
    ArtifactType.ADVERSARIAL: "adversarial samples",
    ArtifactType.SAMPLES: "samples",
    ArtifactType.METRICS: "metrics",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What a cell reads, and what must or may have succeeded before it."""

    inputs: Mapping[str, tuple[Source, ...]]
    after: frozenset[str]
    optional_after: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Edge:
    """One input by one reference; through a glob its cell may fail."""

    source: Source
    glob: bool


@dataclass(frozen=True, slots=True)
class _Opening:
    """One port of one cell, while something is connected to it."""

    draft: Draft
    name: str
    port: Port

    @property
    def label(self) -> str:
        return f"port '{self.name}' of {self.draft.component.id}"


class Connector:
    """Knows every stage and every data entry; the stages that are connected stand under `path` in the file."""

    def __init__(
        self, stages: Mapping[str, Expanded], data: DataCatalog, root: MapNode, path: Path, problems: Problems
    ) -> None:
        self._stages = stages
        self._data = data
        self._root = root
        self._path = path
        self._problems = problems

    def connect(self, draft: Draft) -> Links:
        """All ports of a cell; what could not be connected is left out and is among the problems."""
        ports = draft.component.inputs()
        edges: dict[str, list[_Edge]] = {}
        for name in draft.stage.inputs:
            if name in ports:
                edges[name] = list(self._port(_Opening(draft, name, ports[name])))
            else:
                message = f"{draft.component.id} has no input port '{name}'"
                self._problems.add("E305", message, self._port_mark(draft, name), hint(name, ports))
        self._check_required(draft, ports)
        return self._links(draft, edges)

    def _links(self, draft: Draft, edges: Mapping[str, list[_Edge]]) -> Links:
        every = [edge for found in edges.values() for edge in found]
        needed, awaited = self._needs(draft)
        after = needed | {edge.source.cell for edge in every if isinstance(edge.source, PortSource) and not edge.glob}
        optional = awaited | {edge.source.cell for edge in every if isinstance(edge.source, PortSource) and edge.glob}
        return Links(
            inputs={name: tuple(edge.source for edge in found) for name, found in edges.items()},
            after=frozenset(after),
            optional_after=frozenset(optional - after),
        )

    def _check_required(self, draft: Draft, ports: Mapping[str, Port]) -> None:
        for name, port in ports.items():
            if not port.optional and not draft.stage.inputs.get(name):
                message = f"'{draft.stage.name}' does not connect the port '{name}', which {draft.component.id} needs"
                known = self._offers(port.type, draft)
                example = f"in: {{{name}: {known}}}" if known else f"it takes {_noun(port.type)}"
                self._problems.add("E306", message, draft.stage.mark, f"add `{example}`" if known else example)

    def _offers(self, wanted: ArtifactType, asking: Draft) -> str:
        """Something in the pipeline that would fit, as an example for a hint."""
        if wanted is ArtifactType.DATASET and self._data.names():
            return f"{self._data.names()[0]}.SPLIT"
        for name, expanded in self._stages.items():
            for draft in expanded.drafts.values() if name != asking.stage.name else ():
                for port, kind in expanded.outputs(draft).items():
                    if kind is wanted:
                        return f"{draft.address}.{port}"
        return ""

    def _port(self, opening: _Opening) -> Iterator[_Edge]:
        stage = opening.draft.stage
        scalars = stage.inputs[opening.name]
        if not opening.port.many and (opening.name in stage.many or len(scalars) > 1):
            mark = self._port_mark(opening.draft, opening.name)
            message = f"the {opening.label} takes one {opening.port.type.value}, not a list"
            self._problems.add("E307", message, mark, "use a matrix to run the stage once for each")
            return
        for scalar in scalars:
            for text in self._texts(opening, scalar):
                reference = parse_or_report(text, scalar.mark, self._problems)
                if reference:
                    yield from self._resolve(opening, reference, scalar.mark)

    def _texts(self, opening: _Opening, scalar: Scalar) -> list[object]:
        """What a reference says once it is filled in: an expression may stand for a whole list."""
        filled = read(scalar, opening.draft.scope, self._problems)
        if filled is None:
            return []
        return filled.value if isinstance(filled.value, list) and opening.port.many else [filled.value]

    def _resolve(self, opening: _Opening, reference: Reference, mark: Mark) -> Iterator[_Edge]:
        if reference.name in self._data:
            yield from self._from_data(opening, reference, mark)
        elif reference.name in self._stages:
            yield from self._from_stage(opening, reference, mark)
        else:
            message = f"there is neither a stage nor data called '{reference.name}'"
            allowed = [*self._stages, *self._data.names()]
            self._problems.add("E304", message, mark, hint(reference.name, allowed))

    def _from_data(self, opening: _Opening, reference: Reference, mark: Mark) -> Iterator[_Edge]:
        if reference.bracketed:
            self._problems.add("E304", f"the data '{reference.name}' has no cells", mark, "write data.split")
        elif self._fits(opening, reference.text, ArtifactType.DATASET, mark):
            source = self._data.split(reference.name, reference.port, mark, self._problems)
            if source:
                yield _Edge(source, glob=False)

    def _from_stage(self, opening: _Opening, reference: Reference, mark: Mark) -> Iterator[_Edge]:
        if reference.name == opening.draft.stage.name:
            self._problems.add("E309", f"'{reference.name}' reads its own output", mark)
            return
        if reference.glob and not opening.port.many:
            message = (
                f"the {opening.label} takes one {opening.port.type.value}, and '{reference.text}' stands for several"
            )
            self._problems.add("E307", message, mark, "use a matrix to run the stage once for each")
            return
        for draft in pick(reference, self._stages[reference.name], mark, self._problems):
            outputs = self._stages[reference.name].outputs(draft)
            if reference.port not in outputs:
                self._no_output(reference, draft, outputs, mark)
            elif self._fits(opening, f"{draft.address}.{reference.port}", outputs[reference.port], mark):
                every = opening.port.many and draft.component.shape is Shape.SWEEP
                yield _Edge(PortSource(cell=draft.address, port=reference.port, every=every), glob=reference.glob)

    def _no_output(self, reference: Reference, draft: Draft, outputs: Mapping[str, object], mark: Mark) -> None:
        if reference.port:
            message = f"'{draft.stage.name}' ({draft.component.id}) has no output '{reference.port}'"
        else:
            message = f"'{reference.text}' does not say which output of '{draft.stage.name}' is meant"
        self._problems.add("E305", message, mark, hint(reference.port, outputs))

    def _fits(self, opening: _Opening, text: str, found: ArtifactType, mark: Mark) -> bool:
        if found.feeds(opening.port.type):
            return True
        message = f"the {opening.label} takes {_noun(opening.port.type)}, but {text} is {_noun(found)}"
        known = self._offers(opening.port.type, opening.draft)
        self._problems.add("E308", message, mark, f"for example {known}" if known else "")
        return False

    def _needs(self, draft: Draft) -> tuple[frozenset[str], frozenset[str]]:
        """What must have succeeded first, and what must only have ended: a glob forgives."""
        needed: set[str] = set()
        awaited: set[str] = set()
        for scalar in draft.stage.needs:
            filled = read(scalar, draft.scope, self._problems)
            reference = parse_or_report(filled.value, scalar.mark, self._problems) if filled else None
            if reference:
                cells = self._needed(draft, reference, scalar.mark)
                (awaited if reference.glob else needed).update(cells)
        return frozenset(needed), frozenset(awaited)

    def _needed(self, draft: Draft, reference: Reference, mark: Mark) -> list[str]:
        if reference.name not in self._stages:
            message = f"there is no stage called '{reference.name}'"
            self._problems.add("E304", message, mark, hint(reference.name, list(self._stages)))
            return []
        if reference.port:
            self._problems.add("E304", "`needs` takes a stage, not an output", mark, f"write {reference.name}")
            return []
        if reference.name == draft.stage.name:
            self._problems.add("E309", f"'{reference.name}' needs itself", mark)
            return []
        expanded = self._stages[reference.name]
        if not reference.bracketed:
            return list(expanded.drafts)
        return [found.address for found in pick(reference, expanded, mark, self._problems)]

    def _port_mark(self, draft: Draft, name: str) -> Mark:
        """The key under `in:`, wherever it was written."""
        node: object = self._root
        for step in (*self._path, draft.stage.name, "in"):
            node = node.get(step) if isinstance(node, MapNode) else None
        entry = node.entries.get(name) if isinstance(node, MapNode) else None
        return entry.key if entry else draft.stage.mark


def _noun(kind: ArtifactType) -> str:
    return _NOUNS.get(kind, f"a {kind.value}")
