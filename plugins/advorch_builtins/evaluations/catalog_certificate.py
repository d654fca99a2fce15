"""Certified accuracy of smoothed models, described."""

from typing import Annotated

from pydantic import ConfigDict, Field

from advorch.api import AnyComponent, Count, Evaluation, EvaluationFn, NonNegative, Params, Positive
from advorch_builtins.evaluations.catalog_transfer import NAMES
from advorch_builtins.evaluations.ports import MODELS_AND_DATA


class CertificateParams(Params):
    """Cohen et al. 2019; their n is 100,000, and a tenth of it certifies four fifths as far."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"n0": 20, "n": 100, "timed": 0}]})

    names: Annotated[tuple[str, ...], Field(description=NAMES)] = ()
    sigma: Annotated[
        Positive, Field(description="deviation of the noise in the data's own units: that of the training")
    ] = 0.25
    n0: Annotated[Count, Field(description="draws that guess the class")] = 100
    n: Annotated[Count, Field(description="draws that count how often it is that class")] = 100_000
    alpha: Annotated[float, Field(gt=0, lt=0.5, description="how likely a certificate may be wrong")] = 0.001
    radii: Annotated[
        tuple[NonNegative, ...], Field(description="of the table; by default in steps of half a sigma, up to the end")
    ] = ()
    batch: Annotated[Count, Field(description="draws that the model takes at once")] = 1000
    timed: Annotated[int, Field(ge=0, description="samples that are certified once more for the seconds they take")] = 2


def _certificate() -> EvaluationFn[CertificateParams]:
    from advorch_builtins.evaluations.certificate import Certificate

    return Certificate()


CERTIFICATE = Evaluation(
    name="certificate",
    summary="Certified accuracy of models under gaussian noise, by l2 radius (randomized smoothing)",
    params=CertificateParams,
    load=_certificate,
    ports=MODELS_AND_DATA,
    metrics=frozenset(
        {"clean_accuracy", "certified_accuracy", "mean_radius", "abstained", "largest_radius", "seconds"}
    ),
)

COMPONENTS: tuple[AnyComponent, ...] = (CERTIFICATE,)
