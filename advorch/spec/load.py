"""A pipeline file as a checked specification, or every problem that it has."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from advorch.errors import InvalidPipeline, Problem
from advorch.spec import expression
from advorch.spec.build import data_specs, stage_specs, tracking_spec
from advorch.spec.check import check
from advorch.spec.codes import MOST_PROBLEMS, Code
from advorch.spec.expression import Lookup, UnknownName
from advorch.spec.files import Files
from advorch.spec.merge import merge
from advorch.spec.nodes import MapNode, Node, Scalar
from advorch.spec.overlay import overrides as override_layers
from advorch.spec.overlay import profile as profile_layer
from advorch.spec.parameters import Parameters
from advorch.spec.pins import pins_of
from advorch.spec.pipeline import PipelineSpec
from advorch.spec.reader import Reader, scalars
from advorch.spec.rules import check_rules, entries
from advorch.spec.shape import ROOT


def load_pipeline(
    path: Path,
    *,
    profile: str = "",
    overrides: Sequence[str] = (),
    text: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> PipelineSpec:
    """Read, merge and check a pipeline; raises InvalidPipeline with all problems, in the order of the files.

    `text` stands in for the content of the file; `environ` for the environment, of which only what is declared
    under `env:` can be read.
    """
    problems: list[Problem] = []
    files = Files(problems)
    root = files.entry(path, text)
    if root is None:
        raise InvalidPipeline(_ordered(problems, files.sources))
    root = _layered(root, profile, overrides, problems)
    parameters = Parameters(_params(root), problems)
    lookup = _early(parameters, root, os.environ if environ is None else environ)
    check(root, ROOT, lookup, problems)
    check_rules(root, problems)
    if problems:
        raise InvalidPipeline(_ordered(problems, files.sources))
    spec = _spec(path, profile, root, parameters, lookup)
    sources = tuple(dict.fromkeys(Path(name) for name in files.sources))
    return replace(spec, sources=sources, pins=pins_of(path, profile))


def _layered(root: MapNode, profile: str, overrides: Sequence[str], problems: list[Problem]) -> MapNode:
    chosen = profile_layer(profile, root, problems)
    layered = merge(root, chosen) if chosen else root
    for layer in override_layers(overrides, layered, problems):
        layered = merge(layered, layer)
    return layered


def _params(root: MapNode) -> MapNode:
    node = root.get("params")
    return MapNode(dict(entries(node)), node.mark if node else root.mark)


def _early(parameters: Parameters, root: MapNode, environ: Mapping[str, str]) -> Lookup:
    """What may be read while a file is loaded: its parameters, and the declared part of the environment."""
    declared = [str(item.value) for item in scalars(root.get("env")) if item.value is not None]

    def lookup(name: expression.Path) -> object:
        if name[0] != "env":
            return parameters(name)
        variable = ".".join(name[1:])
        if variable not in declared:
            raise UnknownName(name, [f"env.{item}" for item in declared], "a variable is declared under env:")
        if variable not in environ:
            raise UnknownName(name, advice=f"{variable} is declared, but not set in the environment")
        return environ[variable]

    return lookup


def _spec(path: Path, profile: str, root: MapNode, parameters: Parameters, lookup: Lookup) -> PipelineSpec:
    reader = Reader(root, ROOT, lookup)
    limits = reader.section("limits")
    defaults = root.get("defaults")
    return PipelineSpec(
        path=path,
        name=reader.get("name", path.stem),
        seed=reader.get("seed", 0),
        params=parameters.nodes(),
        data=data_specs(root),
        stages=stage_specs(root.get("stages"), defaults if isinstance(defaults, MapNode) else None, lookup),
        tracking=tracking_spec(root, lookup),
        limits={key: limits.get(key) for key, entry in entries(limits.node) if _given(entry.node)},
        env=tuple(str(item.value) for item in scalars(root.get("env")) if item.value is not None),
        address=reader.get("address", ""),
        dashboard=reader.get("dashboard", ""),
        storage=reader.get("storage", ""),
        deadline=reader.get("deadline"),
        profile=profile,
        root=root,
    )


def _given(node: Node) -> bool:
    return not (isinstance(node, Scalar) and node.value is None)


def _ordered(problems: list[Problem], sources: list[str]) -> list[Problem]:
    """Each problem once: files in the order in which they are read, then the command line."""
    order = {name: index for index, name in enumerate(dict.fromkeys(sources))}

    def position(problem: Problem) -> tuple[int, int, int]:
        place = problem.place
        return (order.get(place.source, len(order)), place.line, place.column) if place else (-1, 0, 0)

    told = sorted(dict.fromkeys(problems), key=position)
    if len(told) <= 2 * MOST_PROBLEMS:
        return told
    rest = Problem(code=Code.TOO_LARGE.value, message=f"{len(told) - MOST_PROBLEMS:,} more problems are not shown")
    return [*told[:MOST_PROBLEMS], rest]
