"""How far two predictions are apart."""

from torch import Tensor


def kl(logits: Tensor, others: Tensor) -> Tensor:
    """KL(p || q) of each sample, p the softmax of the first logits and q of the others; differentiable in both."""
    p, q = logits.log_softmax(1), others.log_softmax(1)
    return (p.exp() * (p - q)).sum(1)
