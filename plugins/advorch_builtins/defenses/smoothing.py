"""Randomized smoothing around a model that was trained on noise: Cohen et al. 2019 (arXiv:1902.02918), 60 % of CIFAR-10
certified at l2 0.25, which `evaluate/certificate` finds of the model inside; here is what can be attacked."""

from advorch.api import Outcome, StageContext
from advorch.kit.surrounding import hand_on, measured, surround
from advorch_builtins.models.catalog_around import SmoothedOptions


def run(context: StageContext, params: SmoothedOptions) -> Outcome:
    """The model of the port under noise."""
    made = surround(context, "smoothed", params.plain(), label=f"smoothed({params.sigma:g})")
    return hand_on(context, made, measured(context, made))
