"""One table over many attacks, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, ArtifactType, Evaluation, EvaluationFn, Params, Port
from advorch_builtins.evaluations.catalog_transfer import NAMES


class AttackTableParams(Params):
    """Attacks by what they may see and what they want."""

    names: Annotated[tuple[str, ...], Field(description=NAMES)] = ()


def _attack_table() -> EvaluationFn[AttackTableParams]:
    from advorch_builtins.evaluations.attack_table import AttackTable

    return AttackTable()


ATTACK_TABLE = Evaluation(
    name="attack-table",
    summary="All attacks on a model in one table: what they see, what they want, what they leave, and what they cost",
    params=AttackTableParams,
    load=_attack_table,
    ports={
        "models": Port(ArtifactType.MODEL, many=True),
        "attacks": Port(ArtifactType.ADVERSARIAL, many=True),
        "data": Port(ArtifactType.DATASET),
    },
    metrics=frozenset(
        f"{group}_accuracy" for group in ("clean", "worst", "white_box", "scores", "labels", "nothing", "targeted")
    ),
)

COMPONENTS: tuple[AnyComponent, ...] = (ATTACK_TABLE,)
