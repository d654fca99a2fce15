"""What an evaluation sees: models and adversarial sets under labels that say what they are, samples and data."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from advorch.artifacts import Signature
from advorch.canonical import Json
from advorch.components import AnyComponent
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.adversary.opening import OpenGenerator
from advorch.kit.attack.region import Region
from advorch.kit.data import Data
from advorch.kit.evaluation.findings import Table
from advorch.kit.perturbation.fitted import Fitted
from advorch.threat import Access, Norm


class Named(Protocol):
    """A model as a host opens it."""

    @property
    def module(self) -> nn.Module:
        """In evaluation mode, on the subject's device."""

    @property
    def signature(self) -> Signature:
        """The data that it was made for."""

    @property
    def label(self) -> str:
        """How it was trained, and its architecture."""

    @property
    def digest(self) -> str:
        """Of its content."""

    @property
    def access(self) -> Access:
        """What an attacker may ask of it."""

    @property
    def history(self) -> tuple[Mapping[str, float], ...]:
        """What was measured after each epoch of its training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectModel:
    """One model under a label that no other has; models of one `name` are one recipe with other seeds or settings."""

    label: str
    digest: str
    module: nn.Module
    access: Access = Access.GRADIENTS
    history: tuple[Mapping[str, float], ...] = ()

    @property
    def name(self) -> str:
        """The label without what makes it unlike others."""
        return self.label.removesuffix(f" {_mark(self.digest)}")

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """The predicted classes."""
        labels: Tensor = self.module(x).argmax(dim=1)
        return labels


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectSet:
    """One adversarial set under a label that no other set against the same model has."""

    label: str
    samples: AdversarialSet

    @property
    def norm(self) -> Norm:
        """How its perturbations are measured."""
        return Norm(str(self.samples.settings["norm"]))

    @property
    def epsilon(self) -> float:
        """The size of its ball."""
        return float(str(self.samples.settings["epsilon"]))

    @property
    def region(self) -> Region | None:
        """The part of a picture that could change; None where all of it could."""
        found = self.samples.settings.get("region")
        if not isinstance(found, list | tuple):
            return None
        top, left, height, width = (int(str(edge)) for edge in found)
        return top, left, height, width

    @property
    def threat(self) -> str:
        """The ball in words, and the part of a picture that it is confined to."""
        ball = f"{self.norm.value} eps {self.epsilon:g}"
        return ball if self.region is None else f"{ball} in {list(self.region)}"

    def made_for(self, model: SubjectModel) -> bool:
        """Whether this model was the one that was attacked; else the set is transferred to it."""
        return self.samples.model == model.digest


def nothing_known(component: str) -> AnyComponent:
    """For a subject that names no components."""
    raise LookupError(f"this subject was given no components, and '{component}' was asked for")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Everything that is evaluated; `data` (or `samples`, where there are some) is what is cut into batches.

    `lookup` finds the components that parameters name, and `seed` is what an evaluation draws from.
    """

    data: Data
    data_digest: str = ""
    models: tuple[SubjectModel, ...] = ()
    adversarials: tuple[SubjectSet, ...] = ()
    samples: Data | None = None
    generators: tuple[OpenGenerator, ...] = ()
    datasets: Mapping[str, Data] = field(default_factory=dict)
    perturbations: "tuple[Fitted, ...]" = ()
    device: str = "cpu"
    tables: Mapping[str, Table] = field(default_factory=dict)
    lookup: Callable[[str], AnyComponent] = nothing_known
    seed: int = 0

    @property
    def walked(self) -> Data:
        """The samples that batches are cut from."""
        return self.data if self.samples is None else self.samples


def name_models(models: Sequence[Named]) -> tuple[SubjectModel, ...]:
    """Labels made unique by the content: of two alike, both carry the start of their digest."""
    digests = [_mark(model.digest) for model in models]
    labels = _unlike([model.label for model in models], digests)
    named = zip(labels, models, strict=True)
    return tuple(
        SubjectModel(label=label, digest=model.digest, module=model.module, access=model.access, history=model.history)
        for label, model in named
    )


def name_generators(generators: Sequence[OpenGenerator]) -> tuple[OpenGenerator, ...]:
    """Labels made unique in the same way."""
    labels = _unlike([item.label for item in generators], [_mark(item.digest) for item in generators])
    return tuple(replace(item, label=label) for item, label in zip(generators, labels, strict=True))


def name_sets(sets: Sequence[AdversarialSet]) -> tuple[SubjectSet, ...]:
    """`pgd linf eps 0.1`, and of two alike against one model also the settings in which they differ."""
    plain = [_plain_label(samples) for samples in sets]
    owners = [f"{label}|{samples.model}" for label, samples in zip(plain, sets, strict=True)]
    labels = [
        f"{label}{_difference(samples, [sets[place] for place, other in enumerate(owners) if other == owner])}"
        for label, owner, samples in zip(plain, owners, sets, strict=True)
    ]
    return tuple(SubjectSet(label=label, samples=samples) for label, samples in zip(labels, sets, strict=True))


def align(ids: Tensor, wanted: Tensor) -> Tensor:
    """For each wanted id its position among `ids`, or -1; ids may stand in any order but not twice."""
    order = ids.argsort()
    ranked = ids[order]
    if bool((ranked[1:] == ranked[:-1]).any()):
        raise StageFailed("two samples have the same id", error_class=ErrorClass.USER)
    if not len(ids):
        return torch.full_like(wanted, -1)
    place = torch.searchsorted(ranked, wanted).clamp(max=len(ids) - 1)
    return torch.where(ranked[place] == wanted, order[place], -1)


def _plain_label(samples: AdversarialSet) -> str:
    settings = samples.settings
    words = [samples.attack.partition("/")[2] or samples.attack, str(settings["norm"])]
    if settings["norm"] != Norm.UNBOUNDED.value:
        words.append(f"eps {settings['epsilon']:g}")
    return " ".join([*words, "targeted"] if settings.get("targeted") else words)


def _difference(samples: AdversarialSet, alike: Sequence[AdversarialSet]) -> str:
    """The settings that tell a set from others of its label."""
    names = sorted({name for other in alike for name in other.settings} - {"batch", "chunk"})
    telling = [name for name in names if len({_spelled(other.settings.get(name)) for other in alike}) > 1]
    return "".join(f", {name} {_spelled(samples.settings.get(name))}" for name in telling)


def _spelled(value: Json) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _mark(digest: str) -> str:
    return digest[:8]


def _unlike(labels: Sequence[str], marks: Sequence[str]) -> list[str]:
    counts = Counter(labels)
    return [f"{label} {mark}" if counts[label] > 1 else label for label, mark in zip(labels, marks, strict=True)]
