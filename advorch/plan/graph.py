"""A plan as a picture: text for Mermaid and Graphviz, or JSON for anything else."""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import groupby

from advorch.artifacts import DataInput
from advorch.plan.cells import Cell, PortSource
from advorch.plan.plan import Plan

Statuses = Mapping[str, str]
Edge = tuple[str, str, str]


class GraphFormat(StrEnum):
    """What `--format` takes."""

    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


def graph(plan: Plan, form: GraphFormat, statuses: Statuses | None = None) -> str:
    """Cells grouped by stage, edges labelled by port; a status, where there is one, stands under its cell."""
    writers = {GraphFormat.MERMAID: mermaid, GraphFormat.DOT: dot, GraphFormat.JSON: as_json}
    return writers[form](plan, statuses or {})


def mermaid(plan: Plan, statuses: Statuses) -> str:
    """A Mermaid flowchart, as GitHub renders it."""
    names = _ids(plan)
    lines = ["flowchart LR"]
    for stage, cells in _by_stage(plan):
        nodes = [f'{names[cell.address]}["{_entities(_label(cell, statuses, "<br/>"))}"]' for cell in cells]
        if len(cells) > 1:
            lines += [f'  subgraph s_{names[cells[0].address]}["{_entities(stage)}"]']
            lines += [*(f"    {node}" for node in nodes), "  end"]
        else:
            lines += [f"  {nodes[0]}"]
    lines += [f'  {names[data]}[("{_entities(data)}")]' for data in _data(plan)]
    lines += [f"  {names[start]} -->|{_entities(port)}| {names[end]}" for start, end, port in _edges(plan)]
    return "\n".join(lines) + "\n"


def dot(plan: Plan, statuses: Statuses) -> str:
    """A Graphviz digraph."""
    lines = ["digraph pipeline {", "  rankdir=LR;", "  node [shape=box];"]
    for index, (stage, cells) in enumerate(_by_stage(plan)):
        nodes = [f"{_quoted(cell.address)} [label={_quoted(_label(cell, statuses, chr(10)))}];" for cell in cells]
        if len(cells) > 1:
            lines += [f"  subgraph cluster_{index} {{", f"    label={_quoted(stage)};"]
            lines += [*(f"    {node}" for node in nodes), "  }"]
        else:
            lines += [f"  {nodes[0]}"]
    lines += [f"  {_quoted(data)} [shape=cylinder];" for data in _data(plan)]
    lines += [f"  {_quoted(start)} -> {_quoted(end)} [label={_quoted(port)}];" for start, end, port in _edges(plan)]
    return "\n".join([*lines, "}"]) + "\n"


def as_json(plan: Plan, statuses: Statuses) -> str:
    """Nodes and edges as they are."""
    nodes = [
        {
            "cell": cell.address,
            "stage": cell.stage,
            "component": cell.component.id,
            "axes": dict(cell.axes),
            **({"status": statuses[cell.address]} if cell.address in statuses else {}),
        }
        for cell in plan.cells.values()
    ]
    edges = [{"from": start, "to": end, "port": port} for start, end, port in _edges(plan)]
    return json.dumps({"format": "graph/1", "nodes": nodes, "data": _data(plan), "edges": edges}, indent=2) + "\n"


def _by_stage(plan: Plan) -> list[tuple[str, list[Cell]]]:
    """Cells of one stage together, stages in the order in which they first come."""
    first: dict[str, int] = {}
    for cell in plan.cells.values():
        first.setdefault(cell.stage, len(first))
    cells = sorted(plan.cells.values(), key=lambda cell: first[cell.stage])
    return [(stage, list(group)) for stage, group in groupby(cells, key=lambda cell: cell.stage)]


def _edges(plan: Plan) -> list[Edge]:
    return [edge for cell in plan.cells.values() for edge in dict.fromkeys(_cell_edges(cell))]


def _cell_edges(cell: Cell) -> Iterator[Edge]:
    """What a cell reads by port, then what it only waits for."""
    read: set[str] = set()
    for port, sources in cell.inputs.items():
        for source in sources:
            start = source.cell if isinstance(source, PortSource) else _data_name(source)
            read.add(start)
            yield start, cell.address, port
    for before in sorted((cell.after | cell.optional_after) - read):
        yield before, cell.address, "after"


def _data(plan: Plan) -> list[str]:
    sources = (source for cell in plan.cells.values() for found in cell.inputs.values() for source in found)
    return list(dict.fromkeys(_data_name(source) for source in sources if isinstance(source, DataInput)))


def _data_name(source: DataInput) -> str:
    return f"{source.uses}:{source.split}"


def _ids(plan: Plan) -> dict[str, str]:
    return {name: f"n{index}" for index, name in enumerate([*plan.cells, *_data(plan)])}


def _label(cell: Cell, statuses: Statuses, newline: str) -> str:
    status = [statuses[cell.address]] if cell.address in statuses else []
    return newline.join([cell.address, cell.component.id, *status])


def _entities(text: str) -> str:
    """Quotes and brackets end a Mermaid label, its own line break does not."""
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("#", "&num;").replace("|", "&#124;")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
