"""Evaluations of generated samples against data, described; none needs weights that were trained elsewhere."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, ArtifactType, Count, Evaluation, EvaluationFn, Params, Port, Positive
from advorch_builtins.evaluations.ports import MODELS_AND_DATA, SAMPLES_AND_DATA

_QUALITIES = ("precision", "recall", "density", "coverage")
FIDELITY = frozenset(
    {"frechet", "frechet_floor", "kernel", "kernel_floor", *_QUALITIES, *(f"{name}_floor" for name in _QUALITIES)}
)
TRANSPORT = frozenset({"w1", "w1_floor", "w2", "w2_floor", "sliced", "sliced_floor"})


class TransportParams(Params):
    """Distances of optimal transport, in the data's own units."""

    samples: Annotated[Count, Field(description="on either side, at most; the exact distances take the cube of it")] = (
        1000
    )
    projections: Annotated[Count, Field(description="lines of the sliced distance")] = 200


class FidelityParams(Params):
    """Distances and overlaps of features, which are what the last layer of each model at `models` is given."""

    samples: Annotated[Count, Field(description="of either side at most; overlaps take memory of the square")] = 2000
    neighbours: Annotated[
        Count, Field(description="a sample's ball reaches as far as the neighbour of that number")
    ] = 5


class ClassAgreementParams(Params):
    """What classifiers take generated samples for."""

    shown: Annotated[Count, Field(description="samples of each class in the figure")] = 8


class MemorisationParams(Params):
    """Nearest training samples."""

    samples: Annotated[Count, Field(description="generated and held-out samples that are compared, at most")] = 1000
    columns: Annotated[Count, Field(description="samples in each row of the figure")] = 10
    rows: Annotated[Count, Field(description="of the figure, each with the neighbours below it")] = 2


class OpponentParams(Params):
    """A network that learns to tell two sets apart."""

    hidden: Annotated[tuple[Count, ...], Field(min_length=1, description="units of its hidden layers")] = (64, 64)
    steps: Annotated[Count, Field(description="of Adam")] = 1200
    batch: Count = 512
    lr: Positive = 2e-3


class CriticDistanceParams(OpponentParams):
    """Distances by critics of bounded slope."""

    samples: Annotated[
        int, Field(ge=0, description="on either side of the exact distance, at most; 0 leaves it out")
    ] = 1000


class LipschitzParams(Params):
    """How fast models can change, and do."""

    pairs: Annotated[Count, Field(description="pairs of samples between which the rise is measured")] = 10_000


def _transport() -> EvaluationFn[TransportParams]:
    from advorch_builtins.evaluations.transport import Transport

    return Transport()


def _fidelity() -> EvaluationFn[FidelityParams]:
    from advorch_builtins.evaluations.fidelity import Fidelity

    return Fidelity()


def _class_agreement() -> EvaluationFn[ClassAgreementParams]:
    from advorch_builtins.evaluations.class_agreement import ClassAgreement

    return ClassAgreement()


def _memorisation() -> EvaluationFn[MemorisationParams]:
    from advorch_builtins.evaluations.memorisation import Memorisation

    return Memorisation()


def _discriminator() -> EvaluationFn[OpponentParams]:
    from advorch_builtins.evaluations.discriminator import Discriminator

    return Discriminator()


def _critic_distance() -> EvaluationFn[CriticDistanceParams]:
    from advorch_builtins.evaluations.critic_distance import CriticDistance

    return CriticDistance()


def _lipschitz() -> EvaluationFn[LipschitzParams]:
    from advorch_builtins.evaluations.lipschitz import Lipschitz

    return Lipschitz()


COMPONENTS: tuple[AnyComponent, ...] = (
    Evaluation(
        name="transport",
        summary="Wasserstein distances of generated samples to data, exact and sliced, beside those of data to data",
        params=TransportParams,
        load=_transport,
        ports=SAMPLES_AND_DATA,
        metrics=TRANSPORT,
    ),
    Evaluation(
        name="fidelity",
        summary="Frechet and kernel distance, precision, recall, density and coverage on features of trained models",
        params=FidelityParams,
        load=_fidelity,
        ports={**SAMPLES_AND_DATA, "models": Port(ArtifactType.MODEL, many=True)},
        metrics=FIDELITY,
    ),
    Evaluation(
        name="class-agreement",
        summary="What classifiers take generated samples for, and how often it is the class that was asked for",
        params=ClassAgreementParams,
        load=_class_agreement,
        ports={**SAMPLES_AND_DATA, "models": Port(ArtifactType.MODEL, many=True)},
        metrics=frozenset({"agreement", "smallest_class", "confidence", "real_accuracy"}),
    ),
    Evaluation(
        name="memorisation",
        summary="Whether generated samples are nearer to the training set than held-out data are, with the neighbours",
        params=MemorisationParams,
        load=_memorisation,
        ports={
            **SAMPLES_AND_DATA,
            "held_out": Port(ArtifactType.DATASET),
            "models": Port(ArtifactType.MODEL, many=True, optional=True),
        },
        metrics=frozenset({"memory_ratio", "memory_share", "memory_ratio_features", "memory_share_features"}),
    ),
    Evaluation(
        name="discriminator",
        summary="What a trained discriminator makes of samples and data: value of the game, Jensen-Shannon divergence",
        params=OpponentParams,
        load=_discriminator,
        ports=SAMPLES_AND_DATA,
        metrics=frozenset({"value", "value_floor", "divergence", "divergence_floor"}),
    ),
    Evaluation(
        name="critic-distance",
        summary="Wasserstein and neural-network distance by critics of bounded slope, on samples that they did not see",
        params=CriticDistanceParams,
        load=_critic_distance,
        ports=SAMPLES_AND_DATA,
        metrics=frozenset({"critic", "critic_floor", "least", "neural", "neural_floor", "w1"}),
    ),
    Evaluation(
        name="lipschitz",
        summary="Bounds on the slope of models, by operator norms of their layers, beside slopes that were seen",
        params=LipschitzParams,
        load=_lipschitz,
        ports=MODELS_AND_DATA,
        metrics=frozenset({"bound", "slope", "rise"}),
    ),
)
