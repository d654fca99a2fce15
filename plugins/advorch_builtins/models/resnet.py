"""Residual networks for small images (He et al. 2016): 11,173,962 parameters on CIFAR-10."""

from torch import Tensor, nn

from advorch.api import Signature
from advorch_builtins.models.catalog import ResnetParams
from advorch_builtins.models.parts import centred, class_count, image_shape


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is 1x1 where the size changes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        same = stride == 1 and before == after
        resize = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.shortcut: nn.Module = nn.Identity() if same else resize

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.branch(x) + self.shortcut(x))


def build(params: ResnetParams, signature: Signature) -> nn.Module:
    """Four stages of two blocks, mean over the picture, logits."""
    channels, _, _ = image_shape("resnet18", signature, 8)
    width = params.width
    stem = [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    stages: list[nn.Module] = []
    before = width
    for after, stride in ((width, 1), (2 * width, 2), (4 * width, 2), (8 * width, 2)):
        stages += [Block(before, after, stride), Block(after, after, 1)]
        before = after
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, class_count(signature))]
    return nn.Sequential(centred(signature), *stem, *stages, *head)
