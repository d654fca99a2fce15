"""What perturbed activations do to models, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, Evaluation, EvaluationFn, NonNegative, Params
from advorch_builtins.evaluations.catalog_transfer import NAMES
from advorch_builtins.evaluations.ports import MODELS_AND_DATA


class HiddenParams(Params):
    """One gradient step on what a layer says, for layers and sizes."""

    names: Annotated[tuple[str, ...], Field(description=NAMES)] = ()
    layers: Annotated[
        tuple[str, ...], Field(description="as `named_modules` calls them; by default every activation function")
    ] = ()
    epsilons: Annotated[tuple[NonNegative, ...], Field(min_length=1, description="sizes of the step, in linf")] = (
        0.0, 0.05, 0.1, 0.2, 0.3, 0.5,
    )  # fmt: skip
    relative: Annotated[
        bool, Field(description="sizes in units of the root mean square of what the layer says of the sample")
    ] = True


def _hidden() -> EvaluationFn[HiddenParams]:
    from advorch_builtins.evaluations.hidden import Hidden

    return Hidden()


HIDDEN = Evaluation(
    name="hidden",
    summary="Accuracy of models whose hidden layers are perturbed along the gradient, by layer and size",
    params=HiddenParams,
    load=_hidden,
    ports=MODELS_AND_DATA,
    metrics=frozenset({"clean_accuracy", "hidden_accuracy"}),
)

COMPONENTS: tuple[AnyComponent, ...] = (HIDDEN,)
