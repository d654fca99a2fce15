"""LeNet as Caffe ships it for MNIST: 431,080 parameters on 28x28 grey images."""

from torch import nn

from advorch.api import Signature
from advorch_builtins.models.catalog import FixedParams
from advorch_builtins.models.parts import class_count, image_shape, unit


def build(params: FixedParams, signature: Signature) -> nn.Module:
    """Convolution 20, pool, convolution 50, pool, 500 units."""
    channels, height, width = image_shape("lenet", signature, 16)
    after = 50 * (((height - 4) // 2 - 4) // 2) * (((width - 4) // 2 - 4) // 2)
    return nn.Sequential(
        unit(signature),
        nn.Conv2d(channels, 20, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(after, 500),
        nn.ReLU(),
        nn.Linear(500, class_count(signature)),
    )
