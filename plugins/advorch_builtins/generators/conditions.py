"""What players do with the class of a sample: nothing, or one of three published ways."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot


class Told(nn.Module):
    """A generator that takes the class beside the code (Mirza and Osindero 2014, arXiv:1411.1784)."""

    def __init__(self, body: nn.Module, classes: int) -> None:
        super().__init__()
        self.body, self._classes = body, classes

    def forward(self, code: Tensor, y: Tensor) -> Tensor:
        """Samples of the classes that are asked for."""
        made: Tensor = self.body(torch.cat([code, one_hot(y, self._classes).to(code.dtype)], dim=1))
        return made


class Critic(nn.Module):
    """A trunk and one linear score."""

    def __init__(self, trunk: nn.Module, features: int) -> None:
        super().__init__()
        self.trunk, self.score = trunk, nn.Linear(features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """A number for each sample."""
        scores: Tensor = self.score(self.trunk(x))
        return scores.flatten()


class ConcatCritic(Critic):
    """Sees the class as further features of a point, or as constant planes beside a picture."""

    def __init__(self, trunk: nn.Module, features: int, classes: int) -> None:
        super().__init__(trunk, features)
        self._classes = classes
        self._flat = isinstance(trunk, nn.Sequential) and isinstance(trunk[0], nn.Flatten)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        """A number for each sample under its label."""
        shown = one_hot(y, self._classes).to(x.dtype)
        if x.dim() == 4 and not self._flat:
            return super().forward(torch.cat([x, shown[:, :, None, None].expand(-1, -1, *x.shape[2:])], dim=1))
        return super().forward(torch.cat([x.flatten(1), shown], dim=1))


class ProjectionCritic(Critic):
    """s = psi(h) + <e_y, h> (Miyato and Koyama 2018, arXiv:1802.05637)."""

    def __init__(self, trunk: nn.Module, features: int, classes: int) -> None:
        super().__init__(trunk, features)
        self.embedding = nn.Embedding(classes, features)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        """A number for each sample under its label."""
        features = self.trunk(x)
        scores: Tensor = self.score(features).flatten() + (self.embedding(y) * features).sum(dim=1)
        return scores


class AuxiliaryCritic(Critic):
    """Names the class besides scoring (Odena et al. 2017, arXiv:1610.09585)."""

    def __init__(self, trunk: nn.Module, features: int, classes: int) -> None:
        super().__init__(trunk, features)
        self.naming = nn.Linear(features, classes)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        """A number for each sample, whatever its label."""
        return super().forward(x)

    def classify(self, x: Tensor) -> Tensor:
        """Logits of the classes."""
        logits: Tensor = self.naming(self.trunk(x))
        return logits
