"""What an evaluation promises: rows that do not depend on how the samples were cut, and findings from all of them."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from advorch.artifacts import ArtifactType
from advorch.components import AnyComponent, Evaluation, Port
from advorch.errors import StageFailed
from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Findings
from advorch.kit.evaluation.subject import Subject, SubjectModel, SubjectSet
from advorch.kit.perturbation.fitted import Kind
from advorch.params import Params
from advorch.protocols import EvaluationFn
from advorch.registry.discovery import discover
from advorch.registry.registry import Registry
from advorch.testing.check import Check, ContractBroken, demand
from advorch.testing.coders import stand_in_generator
from advorch.testing.common import small_params, unfit
from advorch.testing.fakes import Hesitant, LinearModel, learnable_data, small_conv, small_mlp, stripes, tiny_sentences
from advorch.testing.trials import few_trials

Rows = dict[str, Tensor]

PNG = b"\x89PNG\r\n\x1a\n"
COUNT = 24
CLASSES = 3
_EPOCHS = ({"loss": 1.5, "clean_accuracy": 0.5}, {"loss": 0.5, "clean_accuracy": 0.75})


@dataclass(frozen=True, slots=True)
class Heard:
    """A subject that the evaluation takes, and what it says of it."""

    subject: Subject
    rows: Rows
    findings: Findings


class Hearing:
    """An evaluation before points and images; what it says of each is asked for once, and looked at by every check."""

    def __init__(self, component: Evaluation[Any]) -> None:
        self.component = component

    @cached_property
    def taken(self) -> list[Heard]:
        """What it does not refuse; an evaluation that refuses everything breaks its contract."""
        heard: list[Heard] = []
        reason = ""
        for subject in (*_offered(self.component), *_offered_words(self.component)):
            if heard and subject.data.vocabulary:  # sentences are for those who refuse everything else
                break
            try:
                heard.append(self.ask(subject))
            except StageFailed as refusal:
                if not unfit(refusal):
                    raise
                reason = refusal.message
        if not heard:
            raise ContractBroken(f"refuses points and images: {reason}")
        return heard

    def ask(self, subject: Subject, *, fresh: int = 0) -> Heard:
        """Rows and findings; `fresh` sets the global random state."""
        with torch.random.fork_rng():
            torch.manual_seed(fresh)
            rows = self.rows(subject, 5)
            return Heard(subject, rows, self.component.load().reduce(subject, rows, small_params(self.component)))

    def rows(self, subject: Subject, size: int) -> Rows:
        """The rows of all samples, mapped so many at once."""
        return rows_of(self.component.load(), subject, small_params(self.component), size)


def rows_of(evaluation: EvaluationFn[Any], subject: Subject, params: Params, size: int) -> Rows:
    """The rows of all samples, mapped so many at once, as a stage does."""
    batches = [subject.walked.take(slice(start, start + size)) for start in range(0, len(subject.walked), size)]
    parts: list[Mapping[str, Tensor]] = [evaluation.map(subject, batch, params) for batch in batches]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def checks(component: AnyComponent) -> list[Check]:
    """The promises of an evaluation, on two models, an adversarial set of each, and samples where it takes some."""
    assert isinstance(component, Evaluation)
    tests: list[Callable[[Hearing], None]] = [
        maps_a_row_for_every_sample, maps_alike_however_samples_are_cut, reduces_to_findings_that_can_be_written,
        finds_the_same_twice, declares_its_metrics,
    ]  # fmt: skip
    hearing = Hearing(component)
    return [Check(test.__name__.replace("_", " "), partial(test, hearing)) for test in tests]


def maps_a_row_for_every_sample(hearing: Hearing) -> None:
    for heard in hearing.taken:
        count = len(heard.subject.walked)
        for name, column in heard.rows.items():
            demand(isinstance(column, Tensor), f"row {name!r} is {type(column).__name__}, not a tensor")
            demand(len(column) == count, f"row {name!r} has {len(column)} of {count} samples")


def maps_alike_however_samples_are_cut(hearing: Hearing) -> None:
    for heard in hearing.taken:
        few, many = heard.rows, hearing.rows(heard.subject, COUNT)
        demand(few.keys() == many.keys(), f"rows differ with the batch: {sorted(few.keys() ^ many.keys())}")
        for name, column in few.items():
            same = torch.allclose(column.double(), many[name].double(), atol=1e-5, equal_nan=True)
            demand(same, f"row {name!r} depends on how the samples are cut into batches")


def reduces_to_findings_that_can_be_written(hearing: Hearing) -> None:
    for findings in (heard.findings for heard in hearing.taken):
        demand(isinstance(findings, Findings), f"reduce returned {type(findings).__name__}, not Findings")
        for name, value in findings.metrics.items():
            demand(isinstance(value, (int, float)) and math.isfinite(value), f"metric {name!r} is {value!r}")
        for title, picture in findings.pictures().items():
            demand(picture.startswith(PNG), f"figure {title!r} is no PNG")
        demand(findings.metrics or findings.tables, "found nothing: neither a metric nor a table")


def finds_the_same_twice(hearing: Hearing) -> None:
    for heard in hearing.taken:
        first, second = heard.findings, hearing.ask(heard.subject, fresh=1).findings
        demand(first.metrics == second.metrics, "metrics differ when they are computed again")
        demand(first.tables == second.tables, "tables differ when they are computed again")


def declares_its_metrics(hearing: Hearing) -> None:
    """With one model a metric has its plain name, the one that other stages may read."""
    for subject in (heard.subject for heard in hearing.taken):
        alone = replace(subject, models=subject.models[:1], adversarials=subject.adversarials[:1])
        undeclared = sorted(set(hearing.ask(alone).findings.metrics) - hearing.component.metrics)
        demand(not undeclared, f"finds {', '.join(undeclared)} without declaring it in `metrics`")


def _offered(component: Evaluation[Any]) -> Iterator[Subject]:
    """Every shape; with a perturbation of each kind where one is taken."""
    fitted = any(port.type is ArtifactType.PERTURBATION for port in component.ports.values())
    for shape in ((2,), (1, 8, 8)):
        subject = _subject(component, shape)
        kinds = [kind for kind in Kind if len(shape) > 1 or kind is Kind.UNIVERSAL] if fitted else []
        yield from (replace(subject, perturbations=(stripes(shape, 0.05, CLASSES, kind),)) for kind in kinds)
        if not fitted:
            yield subject


def _offered_words(component: Evaluation[Any]) -> Iterator[Subject]:
    ports = {name: port.type for name, port in component.ports.items()}
    if ArtifactType.SAMPLES in ports.values():
        others = [name for name, kind in ports.items() if kind is ArtifactType.DATASET and name != "data"]
        yield Subject(
            data=tiny_sentences(COUNT, CLASSES),
            data_digest="d" * 64,
            samples=tiny_sentences(COUNT, CLASSES, seed=1),
            datasets={name: tiny_sentences(COUNT, CLASSES, seed=2) for name in others},
            lookup=_find,
        )


def _subject(component: Evaluation[Any], shape: tuple[int, ...]) -> Subject:
    data = _clusters(shape, seed=0)
    ports = {name: port.type for name, port in component.ports.items()}
    others = [name for name, kind in ports.items() if kind is ArtifactType.DATASET and name != "data"]
    models = tuple(_models(shape, refusing=component.refusals))
    return Subject(
        data=data,
        data_digest="d" * 64,
        models=models,
        adversarials=tuple(_adversarial(model, data) for model in models),
        samples=_clusters(shape, seed=1) if ArtifactType.SAMPLES in ports.values() else None,
        generators=(stand_in_generator(data.signature),) if ArtifactType.GENERATOR in ports.values() else (),
        datasets={name: _clusters(shape, seed=2 + number) for number, name in enumerate(others)},
        tables={name: few_trials() for name, port in component.ports.items() if _needs_table(port)},
        lookup=_find,
    )


def _needs_table(port: Port) -> bool:
    return port.type is ArtifactType.TABLE and not port.optional


def _find(component: str) -> AnyComponent:
    """What parameters name, of all that is installed."""
    return _installed().component(component)


@cache
def _installed() -> Registry:
    return discover()


def _clusters(shape: tuple[int, ...], seed: int) -> Data:
    """Classes that stand apart, as the modes of a mixture do."""
    return learnable_data(COUNT, shape, CLASSES, seed=seed)


def _models(shape: tuple[int, ...], *, refusing: bool) -> Iterator[SubjectModel]:
    features = math.prod(shape)
    second = small_conv(shape[0], shape[1], CLASSES) if len(shape) == 3 else small_mlp(features, CLASSES)
    modules: dict[str, nn.Module] = {"linear": LinearModel(features, CLASSES), "second": second}
    for label, module in modules.items():
        told = Hesitant(module) if refusing else module
        yield SubjectModel(label=label, digest=label[0] * 64, module=told.eval(), history=_EPOCHS)


def _adversarial(model: SubjectModel, data: Data) -> SubjectSet:
    epsilon = 0.05
    point = data.x.clone().requires_grad_()
    loss = nn.functional.cross_entropy(model.module(point), data.y)
    (gradient,) = torch.autograd.grad(loss, point)
    clean, right = model.predict(data.x), model.predict(data.x).eq(data.y)
    moved = (data.x + 0.99 * epsilon * gradient.sign()).clamp(0, 1)
    found = torch.where(right.reshape(-1, *[1] * (data.x.dim() - 1)), moved, data.x)
    after = model.predict(found)
    samples = AdversarialSet(
        adversarial=found, ids=data.ids, y=data.y, clean_prediction=clean, adversarial_prediction=after,
        success=right & after.ne(data.y), distance=(found - data.x).flatten(1).abs().amax(1).double(),
        queries=torch.ones(len(data), dtype=torch.int64), classes=data.classes, box=data.box, attack="attack/stand-in",
        settings={"norm": "linf", "epsilon": epsilon, "targeted": False}, model=model.digest, data="d" * 64,
        label=model.label,
    )  # fmt: skip
    return SubjectSet(label=f"stand-in linf eps {epsilon:g}", samples=samples)
