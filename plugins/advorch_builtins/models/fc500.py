"""The fully connected MNIST net of the DeepFool paper (Moosavi-Dezfooli et al. 2016)."""

from torch import nn

from advorch.api import Signature
from advorch_builtins.models.catalog import FixedParams, MlpParams
from advorch_builtins.models.mlp import fully_connected


def build(params: FixedParams, signature: Signature) -> nn.Module:
    """500 and 150 units; the 10 of its name is the number of classes."""
    return fully_connected(signature, MlpParams(hidden=(500, 150)))
