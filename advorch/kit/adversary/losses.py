"""Adversarial losses on logits, after Goodfellow et al. 2014, arXiv:1406.2661.

With D = sigmoid(s) and sp = softplus, log D(x) = -sp(-s) and log(1 - D(x)) = -sp(s), so nothing is ever logged:

    critic            sp(-s_real) + sp(s_fake)      gradient in s_fake:  sigmoid(s_fake)
    saturating        -sp(s_fake)                   gradient in s_fake: -sigmoid(s_fake)
    non-saturating    sp(-s_fake)                   gradient in s_fake: -sigmoid(-s_fake)

At a confident critic (s_fake = -6) the saturating gradient is sigmoid(-6) / sigmoid(6) = e^-6 = 0.0025 of the other.
At equilibrium s = 0 and the critic's loss is log 4.
"""

from torch import Tensor
from torch.nn.functional import relu, softplus


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The negated value of the game for the critic: -E log D(x) - E log(1 - D(G(z)))."""
    return softplus(-real).mean() + softplus(fake).mean()


def saturating_loss(fake: Tensor) -> Tensor:
    """The minimax generator: E log(1 - D(G(z)))."""
    return -softplus(fake).mean()


def non_saturating_loss(fake: Tensor) -> Tensor:
    """The generator that keeps its gradient when the critic wins: -E log D(G(z))."""
    return softplus(-fake).mean()


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The critic of Lim and Ye 2017, which asks no more of a sample beyond a margin of one."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def wasserstein_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The critic's estimate of the distance, negated: E f(G(z)) - E f(x)."""
    return fake.mean() - real.mean()


def wanting_loss(fake: Tensor) -> Tensor:
    """The generator of both: -E f(G(z))."""
    return -fake.mean()
