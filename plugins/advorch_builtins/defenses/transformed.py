"""Transformed inputs: Guo et al. 2018 (arXiv:1711.00117), which Athalye et al. 2018 (arXiv:1802.00420) bring to 0 % by
BPDA; median and bit depth are those of Xu et al. 2018 (arXiv:1704.01155). To examine, not to rely on."""

from advorch.api import Outcome, StageContext
from advorch.kit.surrounding import hand_on, measured, surround
from advorch_builtins.models.catalog_around import TransformedOptions


def run(context: StageContext, params: TransformedOptions) -> Outcome:
    """The model of the port behind what is asked for."""
    made = surround(context, "transformed", params.plain(), label=f"transformed({described(params)})")
    return hand_on(context, made, measured(context, made))


def described(params: TransformedOptions) -> str:
    """`bits 3, jpeg 75`, and how the gradient gets past it if it does."""
    kinds = {"blur": params.blur, "median": params.median, "bits": params.bits, "jpeg": params.jpeg}
    words = [f"{name} {amount:g}" for name, amount in kinds.items() if amount is not None]
    return ", ".join([*words, *(["bpda"] if params.backward == "identity" else [])])
