"""The openings that most evaluations have."""

from collections.abc import Mapping
from typing import Final

from advorch.api import ArtifactType, Port

MODELS_AND_DATA: Final[Mapping[str, Port]] = {
    "models": Port(ArtifactType.MODEL, many=True),
    "data": Port(ArtifactType.DATASET),
}
SAMPLES_AND_DATA: Final[Mapping[str, Port]] = {
    "samples": Port(ArtifactType.SAMPLES),
    "data": Port(ArtifactType.DATASET),
}
