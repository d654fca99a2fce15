from collections.abc import Callable

import pytest
import torch

from advorch.artifacts import Signature
from advorch.kit.adversary.draws import Draws
from advorch.kit.adversary.game import Turn
from advorch.kit.adversary.losses import saturating_loss
from advorch.kit.data import Data
from advorch.kit.evaluation.mixtures import Mixture, mixture_of
from advorch_builtins.generators.catalog import GanParams, advorch_components
from advorch_builtins.generators.gan import gan

Ring = Callable[[int, int], Data]
PLANE = Signature(shape=(2,), classes=("all",))


def turn(signature: Signature, count: int = 6) -> Turn:
    x = torch.rand(count, *signature.shape, generator=torch.Generator().manual_seed(1))
    rng = torch.Generator().manual_seed(2)
    return Turn(x=x, y=torch.zeros(count), rng=rng, draws=Draws(rng), step=0)


@pytest.mark.parametrize("shape", [(2,), (7,), (1, 4, 4), (3, 2, 5)], ids=str)
def test_samples_have_the_data_s_shape_and_keep_to_its_box(shape: tuple[int, ...]) -> None:
    game = gan(GanParams(hidden=(8,)), Signature(shape=shape, classes=("all",), box=(-1.0, 3.0)))
    samples = game.sample(5, torch.Generator().manual_seed(0)) * 1.0
    assert samples.shape == (5, *shape)
    assert samples.min() >= -1
    assert samples.max() <= 3


def test_k_critic_steps_come_before_each_generator_step() -> None:
    assert gan(GanParams(k=3, hidden=(4,)), PLANE).schedule == ("critic",) * 3 + ("generator",)


def test_the_critic_s_loss_sees_detached_fakes_and_the_generator_s_does_not() -> None:
    game = gan(GanParams(hidden=(8,)), PLANE)
    game.player("critic").loss(turn(PLANE)).backward()
    assert all(parameter.grad is None for parameter in game.generator.parameters())
    game.player("generator").loss(turn(PLANE)).backward()
    assert all(parameter.grad is not None for parameter in game.generator.parameters())


@pytest.mark.parametrize("objective", ["saturating", "non-saturating"])
def test_the_objective_is_the_one_that_was_asked_for(objective: str) -> None:
    torch.manual_seed(0)
    game = gan(GanParams.parse({"objective": objective, "hidden": [8]}), PLANE)
    scores = game.player("critic").module(game.sample(6, turn(PLANE).rng))
    loss = game.player("generator").loss(turn(PLANE))
    assert torch.equal(loss, saturating_loss(scores)) is (objective == "saturating")


def test_lambda_adds_half_of_the_squared_slope() -> None:
    def loss(weight: float) -> torch.Tensor:
        torch.manual_seed(0)
        return gan(GanParams(lambda_=weight, hidden=(8,)), PLANE).player("critic").loss(turn(PLANE))

    torch.manual_seed(0)
    critic = gan(GanParams(hidden=(8,)), PLANE).player("critic").module
    x = turn(PLANE).x.requires_grad_()
    slope = torch.autograd.grad(critic(x).sum(), x)[0].square().sum(dim=1).mean()
    assert slope > 0
    torch.testing.assert_close(loss(4.0) - loss(0.0), 2 * slope)


def test_lambda_goes_by_its_own_name_in_a_file() -> None:
    params = GanParams.parse({"lambda": "1/10"})
    assert params.lambda_ == pytest.approx(0.1)
    assert params.plain()["lambda"] == params.lambda_


def held_out(ring: Ring) -> Mixture:
    return mixture_of(ring(4000, 77))


def test_the_ring_has_eight_distinct_modes(ring: Ring) -> None:
    centres = held_out(ring).centres
    angles = torch.atan2(centres[:, 1], centres[:, 0])
    assert len({round(float(angle) / (torch.pi / 4)) % 8 for angle in angles}) == 8


def test_the_catalog_names_it() -> None:
    component = next(found for found in advorch_components() if found.name == "gan")
    assert component.id == "generate/gan"
    settings = component.schema().parse({"lambda": 0.1, "steps": 5})
    assert component.load()(settings, PLANE).ema == settings.ema
