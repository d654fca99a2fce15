"""Models that may refuse to answer: their last logit is no class, and is the largest where they refuse.

Carlini and Wagner 2017 (arXiv:1705.07263), section 3: classifier and detector as one function, so that whoever attacks
it attacks both. A refusal fools nobody: an adversarial has to be taken for another class.
"""

import torch
from torch import Tensor, nn

from advorch.errors import ErrorClass, StageFailed


def refuses(module: nn.Module) -> bool:
    """Whether the last logit of a module is that of refusing."""
    return bool(getattr(module, "refuses", False))


def check_answers(module: nn.Module, what: str, hint: str) -> None:
    """An error about a model that may refuse, where whoever asks it wants an answer."""
    if refuses(module):
        raise StageFailed(f"{what} may refuse to answer", error_class=ErrorClass.USER, hint=hint)


def fooled_despite(logits: Tensor, y: Tensor, *, refusing: bool) -> Tensor:
    """Which samples are taken for another class than `y`, and are not refused."""
    label = logits.argmax(1)
    return label.ne(y) & label.ne(logits.shape[1] - 1) if refusing else label.ne(y)


def as_right(logits: Tensor, y: Tensor) -> Tensor:
    """The logits of the classes, where refusing counts as saying `y`: another is largest just where it fools."""
    classes, refusal = logits[:, :-1], logits[:, -1]
    label = y[:, None] == torch.arange(classes.shape[1], device=logits.device)
    return torch.where(label, torch.maximum(classes, refusal[:, None]), classes)
