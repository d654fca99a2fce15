"""Uniform noise: the control that Carlini et al. ask for, "On evaluating adversarial robustness", 2019.

A gradient attack that finds less than this does not follow the gradient, or the gradient is masked.
"""

from torch import Tensor

from advorch.kit.attack.draws import Draws
from advorch.kit.attack.sampling import first_that_fools
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim
from advorch_builtins.attacks.catalog import UniformNoiseParams


def perturb(victim: Victim, x: Tensor, y: Tensor, params: UniformNoiseParams, rng: Draws) -> Tensor:
    """Draw evenly from the ball until the label changes."""
    return first_that_fools(victim, x, y, ThreatSet.random, params.draws, rng)
