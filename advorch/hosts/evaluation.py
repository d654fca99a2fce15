"""The host of evaluations: opens what the ports bring, cuts the samples, writes table and report."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from advorch.artifacts import ArtifactType, Input, Outcome, Output, StoredInput
from advorch.components import AnyStageComponent, Evaluation
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversarial_set import AdversarialSet, read_adversarial
from advorch.kit.adversary.opening import open_generator
from advorch.kit.attack.refusal import refuses
from advorch.kit.data import no_data
from advorch.kit.evaluation.findings import Table
from advorch.kit.evaluation.stored_tables import read_table
from advorch.kit.evaluation.subject import Subject, name_generators, name_models, name_sets
from advorch.kit.evaluation.writing import Page, write_report, write_tables
from advorch.kit.inputs import OpenModel, content_digest, open_data, open_model
from advorch.kit.perturbation.opening import open_perturbations
from advorch.kit.repeatable import same_draws
from advorch.protocols import StageContext
from advorch.seeds import derive

if TYPE_CHECKING:
    from torch import Tensor

    from advorch.kit.data import Data

_MAIN = "data"
_STREAM = "evaluation"


def open_job(context: StageContext, component: AnyStageComponent, settings: Any) -> "EvaluationJob":
    """Load every input once; chunks follow."""
    if not isinstance(component, Evaluation):
        raise TypeError(f"{component.id} is no evaluation")
    return EvaluationJob(context, component, settings, open_subject(context, component))


class EvaluationJob:
    """The samples of one evaluation, any slice of which can be mapped anywhere."""

    def __init__(self, context: StageContext, component: Evaluation[Any], settings: Any, subject: Subject) -> None:
        self._context = context
        self._component = component
        self._settings = settings
        self._subject = subject
        self._evaluation = component.load()
        self.count = len(subject.walked)
        self.chunk: int = settings.chunk

    def map(self, start: int, stop: int) -> "Mapping[str, Tensor]":
        """The rows of one slice, on the CPU; what a random model draws belongs to the slice, whoever maps it."""
        batch = self._subject.walked.take(slice(start, stop)).to(self._subject.device)
        with same_draws(derive(self._subject.seed, "slice", start)):
            rows = self._evaluation.map(self._subject, batch, self._settings)
        return {name: values.detach().cpu() for name, values in rows.items()}

    def so_far(self, rows: "Mapping[str, Tensor]") -> Mapping[str, tuple[int, int]]:
        """Nothing: only all rows together say something."""
        return {}

    def reduce(self, rows: "Mapping[str, Tensor]") -> Outcome:
        """Tables, figures and metrics from all rows; equal rows give equal bytes, also where a model draws."""
        folder = self._context.scratch
        with same_draws(derive(self._subject.seed, "reduce")):
            findings = self._evaluation.reduce(self._subject, rows, self._settings)
            write_tables(folder / "table", findings)
            write_report(folder / "report", self._page(), findings)
        outputs = {
            "table": Output(type=ArtifactType.TABLE, folder=folder / "table"),
            "report": Output(type=ArtifactType.REPORT, folder=folder / "report"),
        }
        return Outcome(outputs=outputs, metrics=findings.metrics)

    def _page(self) -> Page:
        subject = self._subject
        return Page(
            component=self._component.id,
            introduction=[self._component.summary + ".", _what(subject)],
            models={model.label: model.digest for model in subject.models}
            | {generator.label: generator.digest for generator in subject.generators},
        )


def open_subject(context: StageContext, component: Evaluation[Any]) -> Subject:
    """The inputs by the types of their ports."""
    datasets = {port: open_data(context, source) for port, source in _sources(context, component, ArtifactType.DATASET)}
    models = [open_model(context, source) for _, source in _sources(context, component, ArtifactType.MODEL)]
    sets = [_open_set(source) for _, source in _sources(context, component, ArtifactType.ADVERSARIAL)]
    samples = [open_data(context, source) for _, source in _sources(context, component, ArtifactType.SAMPLES)]
    generators = [open_generator(context, source) for _, source in _sources(context, component, ArtifactType.GENERATOR)]
    tables = {port: _open_table(source) for port, source in _sources(context, component, ArtifactType.TABLE)}
    if _MAIN not in datasets and not _is_of_tables(component):
        raise StageFailed(f"{component.id} has no data to walk over", error_class=ErrorClass.USER)
    data = datasets.get(_MAIN) or no_data()
    _check_shapes(data, models, sets)
    _check_refusals(component, models)
    return Subject(
        data=data,
        data_digest=content_digest(context.inputs[_MAIN][0]) if _MAIN in datasets else "",
        models=name_models(models),
        adversarials=name_sets(sets),
        samples=samples[0] if samples else None,
        generators=name_generators(generators),
        datasets=datasets,
        device=context.device,
        perturbations=open_perturbations(context, "perturbations") + open_perturbations(context, "perturbation"),
        tables=tables,
        lookup=context.lookup,
        seed=context.seeds.stream(_STREAM),
    )


def _is_of_tables(component: Evaluation[Any]) -> bool:
    """Whether everything is in tables that others made: then there are no samples to walk over."""
    return {port.type for port in component.inputs().values()} == {ArtifactType.TABLE}


def _sources(context: StageContext, component: Evaluation[Any], kind: ArtifactType) -> list[tuple[str, Input]]:
    ports = [name for name, port in component.inputs().items() if port.type is kind]
    return [(name, source) for name in ports for source in context.inputs.get(name, ())]


def _open_table(source: Input) -> Table:
    if not isinstance(source, StoredInput):
        raise StageFailed("a table port takes an evaluation's output, not declared data", error_class=ErrorClass.USER)
    return read_table(source.folder)


def _open_set(source: Input) -> AdversarialSet:
    if not isinstance(source, StoredInput):
        raise StageFailed(
            "an adversarial port takes an attack's output, not declared data", error_class=ErrorClass.USER
        )
    return read_adversarial(source.folder)


def _check_shapes(data: "Data", models: list[OpenModel], sets: list[AdversarialSet]) -> None:
    shape = data.signature.shape
    found = {model.label: model.signature.shape for model in models}
    found |= {samples.attack: tuple(samples.adversarial.shape[1:]) for samples in sets}
    for name, other in found.items():
        if other != shape:
            raise StageFailed(
                f"{name} is for samples of shape {other}, and the data has {shape}",
                error_class=ErrorClass.USER,
                hint="evaluate on the data that the model was trained for",
            )


def _check_refusals(component: Evaluation[Any], models: list[OpenModel]) -> None:
    """A refusal is neither right nor wrong: only who knows of it may count."""
    for model in models:
        if refuses(model.module) != component.refusals:
            does, hint = (
                ("may refuse", "evaluate/detection") if refuses(model.module) else ("never refuses", "defend/detector")
            )
            raise StageFailed(
                f"{component.id} cannot judge '{model.label}', which {does} to answer",
                error_class=ErrorClass.USER,
                hint=f"see `{hint}`",
            )


def _what(subject: Subject) -> str:
    if not subject.data.classes and subject.tables:
        rows = sum(len(table.rows) for table in subject.tables.values())
        return f"Read from {', '.join(subject.tables)}: {rows:,} rows."
    count, classes = len(subject.data), len(subject.data.classes)
    text = f"{count:,} samples of {classes} classes"
    return f"{len(subject.samples):,} generated samples against {text}." if subject.samples is not None else f"{text}."


__all__ = ["EvaluationJob", "open_job", "open_subject", "write_tables"]
