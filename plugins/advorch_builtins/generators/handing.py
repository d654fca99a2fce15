"""Samples as a stage's output."""

from pathlib import Path

import torch
from torch import Tensor

from advorch.api import ArtifactType, Output
from advorch.kit.adversary.generator import GeneratorRecord
from advorch.kit.codecs import write_data
from advorch.kit.data import Data

UNKNOWN = -1


def as_data(x: Tensor, y: Tensor, record: GeneratorRecord) -> Data:
    """Under ids of their own."""
    like = record.signature
    ids = torch.arange(len(x))
    return Data(x=x, y=y, ids=ids, classes=like.classes, box=like.box, vocabulary=record.vocabulary)


def hand_on(folder: Path, data: Data, kind: ArtifactType = ArtifactType.SAMPLES) -> Output:
    """Written down."""
    write_data(folder, data)
    return Output(type=kind, folder=folder)
