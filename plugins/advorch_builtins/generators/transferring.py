"""Samples as another class would have them."""

import torch

from advorch.api import ErrorClass, Outcome, StageContext, StageFailed
from advorch.kit.adversary.opening import class_number, open_generator
from advorch.kit.data import Data
from advorch.kit.inputs import open_data
from advorch_builtins.generators.catalog_text import TransferParams
from advorch_builtins.generators.handing import hand_on

_BATCH = 512


@torch.no_grad()
def transfer(context: StageContext, params: TransferParams) -> Outcome:
    """Under the ids of what they were made from, and labelled with the class that they should have."""
    generator = open_generator(context, context.inputs["generator"][0])
    data = open_data(context, context.inputs["data"][0])
    classes = generator.latent.classes
    if not classes:
        message = f"generator '{generator.label}' knows no classes"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="such as `arae-transfer` does")
    y = (data.y + 1) % classes
    if params.to is not None:
        y = torch.full_like(data.y, class_number(params.to, generator.signature.classes))
    parts = [
        generator.latent.decode(generator.encode(x.to(context.device)), label.to(context.device)).cpu()
        for x, label in zip(torch.split(data.x, _BATCH), torch.split(y, _BATCH), strict=True)
    ]
    made = Data(x=torch.cat(parts), y=y, ids=data.ids, classes=data.classes, box=data.box, vocabulary=data.vocabulary)
    return Outcome(
        outputs={"samples": hand_on(context.scratch / "samples", made)}, metrics={"samples": float(len(made))}
    )
