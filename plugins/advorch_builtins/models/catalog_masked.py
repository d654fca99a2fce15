"""Networks that look robust and are not, to see whether an evaluation notices; described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, Model, ModelFn, Positive
from advorch_builtins.models.catalog import MlpParams


class MaskedMlpParams(MlpParams):
    """What stands between an attacker and the gradient."""

    levels: Annotated[
        int | None, Field(ge=1, description="round inputs to the box's lowest value plus so many steps")
    ] = None
    temperature: Annotated[
        Positive, Field(description="divides the logits in training, and not afterwards, as distillation does")
    ] = 1.0


def _masked_mlp() -> ModelFn[MaskedMlpParams]:
    from advorch_builtins.models.masked_mlp import build

    return build


MASKED_MLP = Model(
    name="masked-mlp",
    summary="a fully connected network behind a broken defence: rounded inputs, or a temperature of training",
    params=MaskedMlpParams,
    load=_masked_mlp,
)

COMPONENTS: tuple[AnyComponent, ...] = (MASKED_MLP,)
