"""A network that looks robust and is not, to see whether an evaluation notices; described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, Count, Model, ModelFn
from advorch_builtins.models.catalog import MlpParams


class MaskedMlpParams(MlpParams):
    """What stands between an attacker and the gradient."""

    levels: Annotated[Count, Field(description="round inputs to the box's lowest value plus so many steps")] = 8


def _masked_mlp() -> ModelFn[MaskedMlpParams]:
    from advorch_builtins.models.masked_mlp import build

    return build


MASKED_MLP = Model(
    name="masked-mlp",
    summary="a fully connected network behind a broken defence: inputs rounded to a few levels",
    params=MaskedMlpParams,
    load=_masked_mlp,
)

COMPONENTS: tuple[AnyComponent, ...] = (MASKED_MLP,)
