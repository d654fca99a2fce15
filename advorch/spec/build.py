"""From a checked tree to the typed specification."""

from collections.abc import Mapping

from advorch.spec.expression import Lookup
from advorch.spec.kinds import Flag
from advorch.spec.merge import merged
from advorch.spec.nodes import Entry, ListNode, MapNode, Node, Scalar
from advorch.spec.pipeline import (
    DataSpec,
    MatrixSpec,
    ResourceSpec,
    RetrySpec,
    StageSpec,
    TrackingSpec,
    TuneSpec,
)
from advorch.spec.reader import Reader, maps, read, scalars
from advorch.spec.rules import entries, given
from advorch.spec.shape import SECTIONS

_INHERITED = ("resources", "timeout", "retry", "on_failure")


def data_specs(root: MapNode) -> Mapping[str, DataSpec]:
    """`data:`."""
    return {name: _data(name, entry) for name, entry in entries(root.get("data")) if isinstance(entry.node, MapNode)}


def _data(name: str, entry: Entry) -> DataSpec:
    node = _map(entry.node)
    return DataSpec(
        name=name,
        mark=entry.key,
        uses=scalars(node.get("uses"))[0],
        with_=_map_or_none(node, "with"),
        splits=_scalars_by_name(node.get("splits")),
    )


def tracking_spec(root: MapNode, lookup: Lookup) -> TrackingSpec:
    """`tracking:`; `mlflow: false` switches it off."""
    tracking = _map_or_none(root, "tracking")
    node = given(tracking, "mlflow") if tracking else None
    if isinstance(node, Scalar):
        return TrackingSpec(enabled=read(node, Flag(), lookup))
    mlflow = Reader(node if isinstance(node, MapNode) else None, SECTIONS["mlflow"], lookup)
    models = given(mlflow.node, "models") if mlflow.node else None
    return TrackingSpec(
        enabled=mlflow.get("enabled", True),
        experiment=mlflow.get("experiment", ""),
        uri=mlflow.get("uri", ""),
        models=None if models is None else scalars(models),
        log_samples=mlflow.get("log_samples", False),
    )


def stage_specs(node: Node | None, defaults: MapNode | None, lookup: Lookup) -> Mapping[str, StageSpec]:
    """`stages:`, of the file or of a sweep."""
    return {
        name: _stage(name, entry, defaults, lookup) for name, entry in entries(node) if isinstance(entry.node, MapNode)
    }


def _stage(name: str, entry: Entry, defaults: MapNode | None, lookup: Lookup) -> StageSpec:
    own = _map(entry.node)
    ports = {port: item.node for port, item in entries(own.get("in")) if not _is_null(item.node)}
    reader = Reader(_with_defaults(own, defaults), SECTIONS["stage"], lookup)
    return StageSpec(
        name=name,
        mark=entry.key,
        uses=_scalar(own, "uses"),
        inputs={port: scalars(item) for port, item in ports.items()},
        many=frozenset(port for port, item in ports.items() if isinstance(item, ListNode)),
        with_=_map_or_none(own, "with"),
        matrix=_matrix(_map_or_none(own, "matrix")),
        when=_scalar(own, "when"),
        needs=scalars(given(own, "needs")),
        on_failure=reader.get("on_failure", "stop"),
        retry=_retry(reader.section("retry")),
        timeout=reader.get("timeout"),
        limits=_scalars_by_name(own.get("limits")),
        resources=_resources(reader.section("resources")),
        seed=_scalar(own, "seed"),
        tune=_tune(own),
        stages=stage_specs(own.get("stages"), defaults, lookup),
        out=_scalars_by_name(own.get("out")),
    )


def _with_defaults(stage: MapNode, defaults: MapNode | None) -> MapNode:
    """What a stage inherits; a sweep's inner stages inherit, the sweep around them has no timeout of its own."""
    if defaults is None:
        return stage
    skipped = ("timeout",) if stage.get("stages") else ()
    inherited = {key: entry for key, entry in defaults.entries.items() if key in _INHERITED and key not in skipped}
    own = {
        key: Entry(entry.key, merged(inherited[key].node, entry.node)) if key in inherited else entry
        for key, entry in stage.entries.items()
    }
    return MapNode({**inherited, **own}, stage.mark)


def _retry(reader: Reader) -> RetrySpec:
    default = RetrySpec()
    return RetrySpec(
        max=reader.get("max", default.max),
        on=reader.list("on", default.on),
        delay=reader.get("delay", default.delay),
        factor=reader.get("factor", default.factor),
        longest=reader.get("longest", default.longest),
    )


def _resources(reader: Reader) -> ResourceSpec:
    default = ResourceSpec()
    return ResourceSpec(
        cpus=reader.get("cpus", default.cpus),
        gpus=reader.get("gpus", default.gpus),
        memory=reader.get("memory", default.memory),
        workers=reader.get("workers", default.workers),
        placement=reader.get("placement", default.placement),
    )


def _matrix(node: MapNode | None) -> MatrixSpec | None:
    if node is None:
        return None
    axes = {key: entry.node for key, entry in entries(node) if key != "exclude" and not _is_null(entry.node)}
    return MatrixSpec(
        axes={key: axis for key, axis in axes.items() if not isinstance(axis, MapNode)},
        exclude=maps(node.get("exclude")),
    )


def _tune(stage: MapNode) -> TuneSpec | None:
    node = _map_or_none(stage, "tune")
    if node is None:
        return None
    return TuneSpec(
        mark=stage.entries["tune"].key,
        space={name: entry.node for name, entry in entries(node.get("space"))},
        objectives=maps(node.get("objective")),
        constraints=scalars(given(node, "constraints")),
        search=_map_or_none(node, "search"),
        scheduler=_map_or_none(node, "scheduler"),
        budget=_map_or_none(node, "budget"),
        promote=_map_or_none(node, "promote"),
    )


def _map(node: Node) -> MapNode:
    if not isinstance(node, MapNode):
        raise TypeError("the shape was checked: this is a map")
    return node


def _map_or_none(node: MapNode, key: str) -> MapNode | None:
    found = node.get(key)
    return found if isinstance(found, MapNode) else None


def _scalar(node: MapNode, key: str) -> Scalar | None:
    found = given(node, key)
    return found if isinstance(found, Scalar) else None


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _scalars_by_name(node: Node | None) -> dict[str, Scalar]:
    return {
        name: entry.node
        for name, entry in entries(node)
        if isinstance(entry.node, Scalar) and entry.node.value is not None
    }
