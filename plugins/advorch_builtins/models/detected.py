"""A detector on a model's logits or on one of its layers: Metzen et al. 2017 (arXiv:1702.04267), made one function with
the model as in Carlini and Wagner 2017 (arXiv:1705.07263), who evade it and nine others."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from advorch.api import ErrorClass, Signature, StageFailed
from advorch_builtins.models.catalog_around import DetectedParams
from advorch_builtins.models.refusing import Refusing

_NARROW = 1e-6  # a feature that never varies says nothing, and is not divided by its deviation


class Detected(Refusing):
    """The detector's log-odds decide; it looks at features less their mean, by their deviation, on clean samples."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, inner: nn.Module, layer: str, features: int, hidden: tuple[int, ...]) -> None:
        super().__init__(inner)
        self._layer = layer
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        widths = (features, *hidden)
        layers = [part for pair in itertools.pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())]
        self.detector = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits and what the detector sees, in one forward pass."""
        return looked(self.inner, self._layer, x)

    def odds(self, features: Tensor) -> Tensor:
        """Of being adversarial, as a logarithm."""
        found: Tensor = self.detector((features.to(self.mean.dtype) - self.mean) / self.deviation)
        return found.squeeze(1)

    def settle(self, features: Tensor) -> None:
        """Take the mean and the deviation of clean samples' features."""
        self.mean.copy_(features.mean(0))
        self.deviation.copy_(features.std(0).clamp(min=_NARROW))

    def scored(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits, features = self.look(x)
        return logits, self.odds(features)


def looked(module: nn.Module, layer: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """A module's logits, and the output of one of its layers as one row a sample."""
    if not layer:
        logits: Tensor = module(x)
        return logits, logits
    with _overheard(module, layer) as heard:
        logits = module(x)
    if len(heard) != 1 or not isinstance(heard[0], Tensor):
        message = f"layer '{layer}' gave {len(heard)} outputs of one pass, or none that is a tensor"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="name a layer that is called once")
    return logits, heard[0].flatten(1)


@contextmanager
def _overheard(module: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    known = dict(module.named_modules())
    if layer not in known:
        names = ", ".join(name for name in known if name)
        message = f"the model has no layer '{layer}'"
        raise StageFailed(message, error_class=ErrorClass.USER, hint=f"its layers: {names}")
    heard: list[Tensor] = []
    hook = known[layer].register_forward_hook(lambda _module, _inputs, output: heard.append(output))
    try:
        yield heard
    finally:
        hook.remove()


def build(params: DetectedParams, signature: Signature, inner: nn.Module) -> nn.Module:
    """The model and a detector that has still to be trained."""
    training = inner.training
    inner.eval()
    with torch.no_grad():
        _, features = looked(inner, params.layer, torch.zeros(2, *signature.shape, device=_place(inner)))
    inner.train(training)
    return Detected(inner, params.layer, features.shape[1], params.hidden)


def _place(module: nn.Module) -> torch.device:
    return next((weight.device for weight in module.parameters()), torch.device("cpu"))
