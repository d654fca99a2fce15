"""Evaluations of what attacks on some models do to others, described; each is in the file of its name."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, ArtifactType, Evaluation, EvaluationFn, Params, Port

NAMES = "what to call the models, in the order of the port; by default how they were trained"


class TransferParams(Params):
    """Accuracy of every model on what was made on others."""

    names: Annotated[tuple[str, ...], Field(description=NAMES)] = ()


def _transfer() -> EvaluationFn[TransferParams]:
    from advorch_builtins.evaluations.transfer import Transfer

    return Transfer()


TRANSFER = Evaluation(
    name="transfer",
    summary="Accuracy of every model on samples that were made on itself, on others, and on ensembles without it",
    params=TransferParams,
    load=_transfer,
    ports={
        "models": Port(ArtifactType.MODEL, many=True),
        "attacks": Port(ArtifactType.ADVERSARIAL, many=True),
        "data": Port(ArtifactType.DATASET),
    },
    metrics=frozenset({"rmsd", "seen_accuracy", "unseen_accuracy", "equal_wrong_labels", "unseen_target_rate"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (TRANSFER,)
