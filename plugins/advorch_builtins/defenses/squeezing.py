"""Feature squeezing as a detector: Xu, Evans and Qi 2018 (arXiv:1704.01155), 98.2 % of attacks on MNIST detected at
about 5 % false alarms; evaded by who knows of it (He et al. 2017, arXiv:1706.04701)."""

from advorch.api import Outcome, StageContext
from advorch.kit.attack.checks import check_fit
from advorch.kit.inputs import open_data
from advorch.kit.surrounding import hand_on, surround
from advorch_builtins.defenses.catalog_surrounding import SqueezingParams
from advorch_builtins.models.refusing import Refusing, calibrate, scores


def run(context: StageContext, params: SqueezingParams) -> Outcome:
    """Squeezers around the model of the port; the threshold is that of the clean samples."""
    data = open_data(context, context.inputs["data"][0])
    options = {name: value for name, value in params.plain().items() if name != "false_alarms"}
    made = surround(context, "squeezed", options, label="squeezed")
    check_fit(made.record.signature, data.signature)
    if not isinstance(made.module, Refusing):
        raise TypeError(f"'{made.record.component}' does not refuse")
    clean = scores(made.module, data.x, context.device)
    return hand_on(context, made, calibrate(made.module, clean, params.false_alarms))
