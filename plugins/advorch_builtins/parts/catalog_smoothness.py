"""A record of how smooth predictions are, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, Count, Params, Part, PartFn, Positive


class LdsParams(Params):
    """The local distributional smoothness."""

    epsilon: Annotated[Positive, Field(description="length of the perturbation in l2, in the data's own units")] = 0.5
    power_iterations: Annotated[Count, Field(description="of the search for the worst direction")] = 5
    xi: Annotated[Positive, Field(description="step at which the search looks, in l2")] = 1e-2


def _lds() -> PartFn[LdsParams]:
    from advorch_builtins.parts.lds import lds

    return lds


LDS = Part(
    name="lds",
    summary="records as each epoch begins how smooth predictions are about samples (Miyato 2016), and changes nothing",
    params=LdsParams,
    load=_lds,
)

COMPONENTS: tuple[AnyComponent, ...] = (LDS,)
