"""The parameters of parts, by themselves: a stage that brings a part has them too."""

from typing import Annotated, Literal

from pydantic import Field

from advorch.api import AttackRef, Count, NonNegative, Params, Positive, Share


class SamParams(Params):
    """Sharpness-aware minimisation."""

    rho: Annotated[Positive, Field(description="how far the weights climb before their gradient is taken")] = 0.05
    adaptive: Annotated[
        bool, Field(description="measure that by each weight's own size (ASAM, where rho is 10 to 40 times larger)")
    ] = False
    scope: Annotated[
        Literal["batch", "rank"], Field(description="climb by the whole batch's gradient, or each rank by its own")
    ] = "batch"


class AwpParams(Params):
    """Adversarial weight perturbation."""

    gamma: Annotated[Positive, Field(description="size of a layer's perturbation, as a share of its weights'")] = 0.01
    start: Annotated[Share, Field(description="share of training before the first perturbation")] = 0.0
    scope: Annotated[
        Literal["batch", "rank"], Field(description="ascend by the whole batch's gradient, or each rank by its own")
    ] = "batch"


class DescentDirectionParams(Params):
    """Danskin's descent direction."""

    draws: Annotated[Count, Field(description="adversarial batches whose gradients are combined")] = 4
    search: Annotated[Count, Field(description="steps of the search for the shortest combination")] = 1000
    normalise: Annotated[bool, Field(description="move by the direction alone, of length 1, as in the paper")] = True


class EmaParams(Params):
    """Exponential moving average of the weights."""

    decay: Annotated[Share, Field(description="what is kept in each step; less in the first: (1+t)/(10+t)")] = 0.995


class SwaParams(Params):
    """Equal average of the weights."""

    start: Annotated[Share, Field(description="share of training before the first that counts")] = 0.75
    every: Annotated[Count, Field(description="updates from one that counts to the next")] = 100


class GradientPenaltyParams(Params):
    """lambda ||d loss / d x||_p^q, of each sample."""

    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight in the loss")] = 0.1
    p: Annotated[Literal[1, 2], Field(description="norm of the gradient: 1 is the first order of linf training")] = 2
    q: Annotated[Literal[1, 2], Field(description="power of that norm")] = 2
    method: Annotated[
        Literal["exact", "finite-difference"],
        Field(description="differentiate twice, or measure the loss's rise over a step along the gradient"),
    ] = "exact"
    h: Annotated[Positive, Field(description="length of that step, in the data's own units")] = 1e-2
    at: Annotated[
        Literal["clean", "adversarial"], Field(description="on the samples, or on what the objective's attack found")
    ] = "clean"


class OrthogonalParams(Params):
    """Weights with orthogonal rows, or columns where those are fewer."""

    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight in the loss")] = 1e-3
    form: Annotated[
        Literal["squared", "absolute", "off-diagonal", "spectral"],
        Field(
            description="of G = WW' - I: sum of squares, sum of absolute values, of squares off the diagonal, or its "
            "largest singular value (SRIP)"
        ),
    ] = "squared"


class SpectralNormParams(Params):
    """Weights divided by their largest singular value."""

    cap: Annotated[Positive, Field(description="largest singular value that a layer has instead")] = 1.0
    power_iterations: Annotated[Count, Field(description="for each forward pass in training")] = 1


class SpectralPenaltyParams(Params):
    """The sum of squared largest singular values."""

    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight in the loss")] = 0.01
    power_iterations: Annotated[Count, Field(description="in each step, going on from the last")] = 1


class ClassFocusedParams(Params):
    """Class-focused online learning."""

    eta: Annotated[Positive, Field(description="how much one mistake weighs in the choice of classes")] = 5e-6
    gamma: Annotated[Share, Field(description="share of samples that is drawn evenly from all classes")] = 0.5


class OverfittingGuardParams(Params):
    """An end to catastrophic overfitting."""

    attack: Annotated[AttackRef, Field(description="what the first batch is judged by after each epoch")]
    drop: Annotated[Share, Field(description="loss of robust accuracy in one epoch that ends the training")] = 0.2


class NoParams(Params):
    """Nothing to choose."""


class ElleParams(Params):
    """A penalty on how far the loss is from a straight line."""

    epsilon: Annotated[NonNegative, Field(description="of the linf ball that it is to be straight in")] = 8 / 255
    lambda_: Annotated[NonNegative, Field(alias="lambda", description="weight in the loss")] = 4000.0
    adaptive: Annotated[bool, Field(description="ELLE-A: lambda only where the error leaps")] = True
    deviations: Annotated[Positive, Field(description="how far above its mean the error is said to leap")] = 2.0
    decay: Annotated[Share, Field(description="what is left of lambda after each step without a leap")] = 0.99


class FreeParams(Params):
    """Several updates a batch, each with the gradient of both weights and samples."""

    epsilon: Annotated[NonNegative, Field(description="of the linf ball, and length of each step")] = 8 / 255
    replays: Annotated[Count, Field(description="updates on one batch; divide the epochs by it")] = 8
