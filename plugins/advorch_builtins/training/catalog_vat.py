"""Training for smooth predictions, described: under adversarial perturbations that need no label, or random ones."""

from typing import Annotated

from pydantic import ConfigDict, Field

from advorch.api import AnyComponent, NonNegative, Objective, ObjectiveFn, Params, Positive


class VatParams(Params):
    """Miyato et al. 2016. Only epsilon is tuned there: lambda is one, and so are the iterations."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"epsilon": 1.0}]})

    epsilon: Annotated[Positive, Field(description="length of the perturbation in l2, in the data's own units")]
    lambda_: Annotated[
        NonNegative, Field(alias="lambda", description="weight of the divergence between clean and perturbed")
    ] = 1.0
    power_iterations: Annotated[
        int, Field(ge=0, description="of the search for the worst direction; with 0 the perturbation is random")
    ] = 1
    xi: Annotated[
        Positive,
        Field(description="step at which the search looks, in l2; the paper's 1e-6 needs fp64 to be seen"),
    ] = 1e-2
    entropy: Annotated[
        NonNegative, Field(description="weight of the predictions' entropy, which makes them certain (VAT+EntMin)")
    ] = 0.0


def _vat() -> ObjectiveFn[VatParams]:
    from advorch_builtins.training.vat import loss

    return loss


VAT = Objective(
    name="vat",
    summary="virtual adversarial training (Miyato 2016): predictions kept smooth also where there are no labels",
    params=VatParams,
    load=_vat,
)

COMPONENTS: tuple[AnyComponent, ...] = (VAT,)
