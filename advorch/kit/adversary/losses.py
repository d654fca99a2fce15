"""Adversarial losses on logits, after Goodfellow et al. 2014, arXiv:1406.2661.

With D = sigmoid(s) and sp = softplus, log D(x) = -sp(-s) and log(1 - D(x)) = -sp(s), so nothing is ever logged:

    critic            sp(-s_real) + sp(s_fake)      gradient in s_fake:  sigmoid(s_fake)
    saturating        -sp(s_fake)                   gradient in s_fake: -sigmoid(s_fake)
    non-saturating    sp(-s_fake)                   gradient in s_fake: -sigmoid(-s_fake)

At a confident critic (s_fake = -6) the saturating gradient is sigmoid(-6) / sigmoid(6) = e^-6 = 0.0025 of the other.
At equilibrium s = 0 and the critic's loss is log 4.
"""

from torch import Tensor, autograd
from torch.nn.functional import softplus


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """The negated value of the game for the critic: -E log D(x) - E log(1 - D(G(z)))."""
    return softplus(-real).mean() + softplus(fake).mean()


def saturating_loss(fake: Tensor) -> Tensor:
    """The minimax generator: E log(1 - D(G(z)))."""
    return -softplus(fake).mean()


def non_saturating_loss(fake: Tensor) -> Tensor:
    """The generator that keeps its gradient when the critic wins: -E log D(G(z))."""
    return softplus(-fake).mean()


def r1_penalty(logits: Tensor, x: Tensor) -> Tensor:
    """||grad_x s(x)||^2 of every sample (Mescheder et al. 2018, arXiv:1801.04406); `x` must take gradients.

    On a linear critic s(x) = w.x + b it is ||w||^2, whatever the batch.
    """
    (gradient,) = autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(dim=1)
