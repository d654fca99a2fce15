"""The evaluations that ship with advorch."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, ArtifactType, Components, Count, Evaluation, EvaluationFn, Params, Port, hookimpl

ROBUSTNESS = frozenset(
    {
        "clean_accuracy", "robust_accuracy", "worst_class_accuracy", "worst_class_robust_accuracy",
        "tail_robust_accuracy", "mean_distance", "violations", "attacked",
    }
)  # fmt: skip
MODES = frozenset({"modes", "modes_of", "quality", "divergence", "wasserstein", "wasserstein_floor"})


class RobustnessParams(Params):
    """Accuracies with intervals, clean and under every attack that was run."""

    examples: Annotated[Count, Field(description="samples in the grid of images")] = 8


class ModesParams(Params):
    """Metz et al. 2016: high quality is within three deviations of the nearest centre."""

    transport: Annotated[Count, Field(description="samples on either side of the exact Wasserstein distance")] = 1000


def _robustness() -> EvaluationFn[RobustnessParams]:
    from advorch_builtins.evaluations.robustness import Robustness

    return Robustness()


def _modes() -> EvaluationFn[ModesParams]:
    from advorch_builtins.evaluations.modes import Modes

    return Modes()


@hookimpl
def advorch_components() -> Components:
    """Evaluations of models under attack, and of generators on mixtures."""
    from advorch_builtins.evaluations import (
        catalog_ascents,
        catalog_attack_table,
        catalog_certificate,
        catalog_codes,
        catalog_collapse,
        catalog_detection,
        catalog_explaining,
        catalog_fitted,
        catalog_generated,
        catalog_hidden,
        catalog_measured,
        catalog_regions,
        catalog_sanity,
        catalog_search,
        catalog_smoothness,
        catalog_text,
        catalog_training,
        catalog_transfer,
    )

    others = (
        catalog_explaining,
        catalog_ascents,
        catalog_transfer,
        catalog_measured,
        catalog_regions,
        catalog_attack_table,
        catalog_hidden,
        catalog_fitted,
        catalog_sanity,
        catalog_search,
        catalog_certificate,
        catalog_detection,
        catalog_training,
        catalog_smoothness,
        catalog_generated,
        catalog_codes,
        catalog_text,
        catalog_collapse,
    )
    own: tuple[AnyComponent, ...] = (
        Evaluation(
            name="robustness",
            summary="Accuracy of models, clean and under attack, judged again from the adversarial samples",
            params=RobustnessParams,
            load=_robustness,
            ports={
                "models": Port(ArtifactType.MODEL, many=True),
                "attacks": Port(ArtifactType.ADVERSARIAL, many=True, optional=True),
                "sanity": Port(ArtifactType.TABLE, optional=True),
                "data": Port(ArtifactType.DATASET),
            },
            metrics=ROBUSTNESS,
        ),
        Evaluation(
            name="modes",
            summary="How many modes of a labelled mixture samples cover, and their Wasserstein distance to it",
            params=ModesParams,
            load=_modes,
            ports={"samples": Port(ArtifactType.SAMPLES), "data": Port(ArtifactType.DATASET)},
            metrics=MODES,
        ),
    )
    return (*own, *(component for catalog in others for component in catalog.COMPONENTS))
