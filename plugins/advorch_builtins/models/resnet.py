"""Residual networks for small images (He et al. 2016): 11,173,962 parameters on CIFAR-10."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from advorch.api import Signature
from advorch_builtins.models.catalog import ResnetParams
from advorch_builtins.models.parts import centred, class_count, image_shape

_ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "celu": nn.CELU}


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is 1x1 where the size changes."""

    def __init__(self, before: int, after: int, stride: int, params: ResnetParams) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_convolution(before, after, 3, stride, params),
            _ACTIVATIONS[params.activation](),
            *_convolution(after, after, 3, 1, params),
        )
        same = stride == 1 and before == after
        resize = nn.Sequential(*_convolution(before, after, 1, stride, params))
        self.shortcut: nn.Module = nn.Identity() if same else resize
        self.end = _ACTIVATIONS[params.activation]()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.end(self.branch(x) + self.shortcut(x))
        return result


def build(params: ResnetParams, signature: Signature) -> nn.Module:
    """Four stages of two blocks, mean over the picture, logits."""
    channels, _, _ = image_shape("resnet18", signature, 8)
    width = params.width
    stem = [*_convolution(channels, width, 3, 1, params), _ACTIVATIONS[params.activation]()]
    stages: list[nn.Module] = []
    before = width
    for after, stride in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
        stages += [Block(before, after, stride, params), Block(after, after, 1, params)]
        before = after
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, class_count(signature))]
    return nn.Sequential(centred(signature), *stem, *stages, *head)


def _convolution(before: int, after: int, side: int, stride: int, params: ResnetParams) -> list[nn.Module]:
    """Of the same size but for the stride, normalised where the network is."""
    plain = params.batch_norm == "none"
    convolution = nn.Conv2d(before, after, side, stride, padding=side // 2, bias=plain)
    return [convolution] if plain else [convolution, nn.BatchNorm2d(after)]
