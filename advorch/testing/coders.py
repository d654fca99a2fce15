"""A generator small enough to know its codes: two numbers of a sample, and samples that lie in their box."""

import math

import torch
from torch import Tensor, nn

from advorch.artifacts import Signature
from advorch.kit.adversary.game import Game, Latent, Player, Turn
from advorch.kit.adversary.generator import GeneratorRecord
from advorch.kit.adversary.opening import OpenGenerator

_SIZE = 2


class _Coder(nn.Module):
    def __init__(self, signature: Signature) -> None:
        super().__init__()
        self._shape = signature.shape
        self.down = nn.Linear(math.prod(signature.shape), _SIZE)
        self.up = nn.Linear(_SIZE + len(signature.classes), math.prod(signature.shape))

    def encode(self, x: Tensor) -> Tensor:
        code: Tensor = self.down(x.flatten(1))
        return code

    def decode(self, code: Tensor, y: Tensor) -> Tensor:
        classes = self.up.in_features - _SIZE
        told = torch.cat([code, nn.functional.one_hot(y, classes).to(code.dtype)], dim=1)
        return torch.sigmoid(self.up(told)).view(-1, *self._shape)


def stand_in_generator(signature: Signature) -> OpenGenerator:
    """Conditional, with an encoder; trained by nobody."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = _Coder(signature).eval()

    def draw(count: int, rng: torch.Generator) -> Tensor:
        return torch.randn(count, _SIZE, generator=rng, device=rng.device)

    def loss(turn: Turn) -> Tensor:
        return module.decode(module.encode(turn.x), turn.y).square().mean()

    latent = Latent(size=_SIZE, draw=draw, decode=module.decode, encode=module.encode, classes=len(signature.classes))
    player = Player(name="generator", module=module, optimizer=torch.optim.Adam, loss=loss)
    game = Game(
        players=(player,),
        schedule=("generator",),
        sample=lambda count, rng: module.decode(draw(count, rng), torch.zeros(count, dtype=torch.int64)),
        latent=latent,
    )
    record = GeneratorRecord(component="generate/stand-in", params={}, signature=signature)
    return OpenGenerator(game=game, record=record, label="stand-in", digest="g" * 64)
