"""Checks of an evaluation by itself: whether a robust accuracy can be believed, described."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from advorch.api import AnyComponent, ArtifactType, Count, Evaluation, EvaluationFn, Norm, Params, Port, Positive, Share

CHECKS = tuple(f"S{number}" for number in range(1, 32))
METRICS = frozenset({"clean_accuracy", "robust_accuracy", "checks_passed", "checks_failed", "masking_votes"})


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        raise ValueError(f"there is no check '{unknown[0]}'; they are {CHECKS[0]} to {CHECKS[-1]}")
    return names


class SanityParams(Params):
    """What the checks probe with; the sets of the run's own attacks are examined as they are."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"epsilon": 0.1, "samples": 3, "draws": 3, "queries": 5, "steps": 3}]}
    )

    epsilon: Annotated[Positive, Field(description="size of the ball, in the data's own units")]
    norm: Annotated[
        Literal[Norm.LINF, Norm.L2, Norm.L1], Field(description="how a perturbation is measured: linf, l2 or l1")
    ] = Norm.LINF
    samples: Annotated[Count, Field(description="probe the first so many samples of the data")] = 100
    steps: Annotated[Count, Field(description="gradient steps of one probing ascent")] = 20
    restarts: Annotated[Count, Field(description="ascents that are compared with twice as many")] = 2
    draws: Annotated[Count, Field(description="random points of the ball that a sample has to withstand")] = 100
    queries: Annotated[Count, Field(description="squares of the black-box probe")] = 200
    tolerance: Annotated[Share, Field(description="share of samples that may fall the wrong way by chance")] = 0.02
    skip: Annotated[
        tuple[str, ...], Field(description="checks to leave out, such as [S7, S27]"), AfterValidator(_known)
    ] = ()
    seed: Annotated[int, Field(ge=0, description="of the probes' own random numbers")] = 0


def _sanity() -> EvaluationFn[SanityParams]:
    from advorch_builtins.evaluations.sanity.run import Sanity

    return Sanity()


SANITY = Evaluation(
    name="sanity",
    summary="Whether robust accuracies can be believed: thirty-one checks, and a verdict on masked gradients",
    params=SanityParams,
    load=_sanity,
    ports={
        "models": Port(ArtifactType.MODEL, many=True),
        "attacks": Port(ArtifactType.ADVERSARIAL, many=True, optional=True),
        "data": Port(ArtifactType.DATASET),
    },
    metrics=METRICS,
)

COMPONENTS: tuple[AnyComponent, ...] = (SANITY,)
