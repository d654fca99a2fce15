"""Whether the threat models in a plan can be meant: norms, goals, access to the model, the data's range."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from advorch.artifacts import ArtifactType, DataInput
from advorch.components import Attack, Dataset, Model, Objective
from advorch.plan.cells import Cell, PortSource
from advorch.plan.complaints import Complaint, Path
from advorch.plan.parameters import Checked, Report
from advorch.registry.registry import Registry
from advorch.settings import ThreatSettings, TrainingSettings
from advorch.threat import Access, Box, Norm, span

T = TypeVar("T")

_DATASETS = (ArtifactType.DATASET, ArtifactType.ADVERSARIAL, ArtifactType.SAMPLES)


Granted = tuple[str, Access]


class ThreatCheck:
    """Carries models and ranges along the cells of one plan, which come to it in topological order."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._models: dict[str, frozenset[Granted]] = {}
        self._boxes: dict[str, frozenset[Box]] = {}

    def follow(self, cell: Cell, checked: Checked | None) -> None:
        """Remember what passes through a cell; parameters that are still open tell nothing of its model."""
        self._models[cell.address] = _own_models(checked) or _carried(cell, (ArtifactType.MODEL,), self._models)
        self._boxes[cell.address] = _carried(cell, _DATASETS, self._boxes) | self._declared(cell)

    def branch(self) -> "ThreatCheck":
        """What is known so far, to go on with apart from the rest: inside a sweep."""
        other = ThreatCheck(self._registry)
        other._models, other._boxes = dict(self._models), dict(self._boxes)
        return other

    def take_over(self, cell: Cell, inside: "ThreatCheck", inner: Iterable[str]) -> None:
        """A sweep hands on what the cells inside it do."""
        self._models[cell.address] = frozenset(item for name in inner for item in inside._models.get(name, ()))
        self._boxes[cell.address] = frozenset(item for name in inner for item in inside._boxes.get(name, ()))

    def check(self, cell: Cell, checked: Checked, report: Report) -> None:
        """Everything that is wrong with one cell that was followed and whose parameters are known."""
        _check_model_given(cell, checked, report)
        for path, item in checked.everything():
            if isinstance(item.component, Attack) and isinstance(item.model, ThreatSettings):
                _check_claims(item.component, item.model, path, report)
                _check_place(item.component, path, report)
                _check_access(item.component, self._models[cell.address], path, report)
                _check_scale(item.model, self._boxes[cell.address], path, report)

    def _declared(self, cell: Cell) -> frozenset[Box]:
        """The ranges of the declared data that a cell reads."""
        data = [source for source in _sources(cell, _DATASETS) if isinstance(source, DataInput)]
        found = [self._registry.find(f"{Dataset.family}/{source.uses}") for source in data]
        return frozenset(item.box for item in found if isinstance(item, Dataset) and item.box)


def _own_models(checked: Checked | None) -> frozenset[Granted]:
    """The models named in a cell's parameters, with what they grant."""
    found = [(item.component, item.model) for _, item in checked.everything()] if checked else []
    return frozenset((model.id, model.grants(params)) for model, params in found if isinstance(model, Model))


def _carried(cell: Cell, types: tuple[ArtifactType, ...], known: Mapping[str, frozenset[T]]) -> frozenset[T]:
    """What is known of the cells that feed the ports of some types."""
    producers = [source.cell for source in _sources(cell, types) if isinstance(source, PortSource)]
    return frozenset(item for producer in producers for item in known.get(producer, ()))


def _check_access(attack: Attack[Any], models: frozenset[Granted], path: Path, report: Report) -> None:
    for model, granted in sorted(models):
        if not granted.allows(attack.threat.access):
            message = f"{attack.id} needs the model's {attack.threat.access.value}, but {model} grants {_seen(granted)}"
            hint = "use an attack that needs less access, or another model"
            report("E314", Complaint(path, message, hint, on_component=True))


def _check_scale(threat: ThreatSettings, boxes: frozenset[Box], path: Path, report: Report) -> None:
    if threat.norm is not Norm.LINF or not boxes:
        return
    low, high = max((span(box) for box in boxes), key=lambda box: (box[1] - box[0], box))
    if threat.epsilon > high - low:
        message = f"epsilon {threat.epsilon:g} is larger than the whole range of the data, [{low:g}, {high:g}]"
        shrunk = threat.epsilon / 255 <= high - low
        hint = f"did you mean {threat.epsilon:g}/255?" if shrunk else "epsilon is in the data's own units"
        report("E315", Complaint((*path, "epsilon"), message, hint))


def _check_claims(attack: Attack[Any], threat: ThreatSettings, path: Path, report: Report) -> None:
    """What the attack says of itself against what is asked of it."""
    if threat.norm not in attack.threat.norms:
        norms = ", ".join(norm.value for norm in Norm if norm in attack.threat.norms)
        message = f"{attack.id} does not support the norm {threat.norm.value}"
        report("E313", Complaint((*path, "norm"), message, f"its norms: {norms}"))
    goals = {goal.value for goal in attack.threat.goals}
    wanted = "targeted" if threat.targeted else "untargeted"
    if wanted not in goals:
        message = f"{attack.id} has no {wanted} form"
        hint = f"set targeted: {'false' if threat.targeted else 'true'}"
        report("E313", Complaint((*path, "targeted"), message, hint))


def _check_place(attack: Attack[Any], path: Path, report: Report) -> None:
    """An attack inside another component has no ports of its own."""
    if attack.surrogates and path:
        message = f"{attack.id} works on surrogates, and nothing can be connected to it here"
        hint = "use it as a stage of its own, with `in: {surrogates: [...]}`"
        report("E314", Complaint(path, message, hint, on_component=True))
    if attack.perturbation and path:
        message = f"{attack.id} needs what a stage fitted, and nothing can be connected to it here"
        hint = "use it as a stage of its own, with `in: {perturbation: STAGE.perturbation}`"
        report("E314", Complaint(path, message, hint, on_component=True))


def _check_model_given(cell: Cell, checked: Checked, report: Report) -> None:
    settings = checked.model
    if not isinstance(cell.component, Objective) or not isinstance(settings, TrainingSettings):
        return
    if settings.model is None and not cell.inputs.get("model"):
        message = f"{cell.component.id} has no model to train"
        hint = "add `model: {uses: NAME}` under `with:`, or connect a model to `in: {model: STAGE.model}`"
        report("E316", Complaint((), message, hint))


def _sources(cell: Cell, types: tuple[ArtifactType, ...]) -> Iterator[PortSource | DataInput]:
    for name, port in cell.component.inputs().items():
        if port.type in types:
            yield from cell.inputs.get(name, ())


def _seen(access: Access) -> str:
    return "nothing" if access is Access.NOTHING else f"its {access.value} alone"
