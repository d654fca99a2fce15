"""A trained module as an MLflow model that `mlflow.pytorch.load_model` opens without advorch.

The form is pt2, an exported graph: loading it runs no foreign code, any batch size goes in, the logits are the same to
the bit and gradients reach the input. The loaded object has no train() or eval(): the model is exported as it predicts.
An architecture that cannot be exported, one with control flow that depends on values, is pickled instead; to load it,
the package that defines it must be installed.
"""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from advorch.tracking.recorder import Refused

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLES = 2  # a batch of one would be exported as a constant

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Which run and logged model the folder is for."""

    run_id: str = ""
    model_id: str = ""


def save(module: "nn.Module", shape: tuple[int, ...], folder: Path, origin: Origin) -> str:
    """Write the model folder and return its form: pt2, or pickle where the graph cannot be exported."""
    import torch

    module = module.to("cpu").eval()
    dtype = next((item.dtype for item in module.parameters()), torch.float32)
    example = torch.zeros(SAMPLES, *shape, dtype=dtype)
    for form in ("pt2", "pickle"):
        try:
            _write(module, example, folder, form, origin)
        except Exception as error:  # noqa: BLE001  the model's own code runs here, and may raise anything
            log.warning("the model cannot be saved as %s: %s", form, error)
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return form
    raise Refused("the model can neither be exported nor pickled")


def _write(module: "nn.Module", example: "Tensor", folder: Path, form: str, origin: Origin) -> None:
    import mlflow.pytorch
    import torch
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    with torch.no_grad():
        answer = module(example)
    ports = [Schema([TensorSpec(item.numpy().dtype, (-1, *item.shape[1:]))]) for item in (example, answer)]
    mlflow.pytorch.save_model(
        module,
        str(folder),
        mlflow_model=Model(run_id=origin.run_id or None, model_id=origin.model_id or None),
        signature=ModelSignature(inputs=ports[0], outputs=ports[1]),
        input_example=example.numpy(),
        serialization_format=form,
        pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}"],  # naming them spares a slow search
    )
