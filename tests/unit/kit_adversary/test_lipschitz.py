import copy

import torch
from torch import Tensor, nn

from advorch.kit.adversary.lipschitz import clip_weights, normalise_spectra


def test_every_parameter_is_brought_within_the_limit() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    nn.init.constant_(module[0].weight, 5.0)
    nn.init.constant_(module[1].bias, -5.0)
    small = module[1].weight.detach().clamp(-0.01, 0.01)
    clip_weights(module, 0.01)
    assert all(float(parameter.detach().abs().max()) <= 0.01 for parameter in module.parameters())
    assert torch.equal(module[0].weight.detach(), torch.full((4, 3), 0.01))
    assert torch.equal(module[1].weight.detach(), small)


def spectra(module: nn.Module) -> list[Tensor]:
    layers = [part for part in module.modules() if isinstance(part, nn.Linear | nn.Conv2d | nn.Embedding)]
    return [torch.linalg.matrix_norm(part.weight.detach().flatten(1), 2) for part in layers]


def critic() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 1))


def test_after_some_passes_every_layer_has_a_largest_singular_value_of_one() -> None:
    module = normalise_spectra(critic())
    for _ in range(100):
        module(torch.randn(2, 1, 4, 4))
    module.eval()
    torch.testing.assert_close(torch.stack(spectra(module)), torch.ones(3), rtol=0.005, atol=0)


def test_embeddings_are_normalised_too() -> None:
    table = normalise_spectra(nn.ModuleList([nn.Embedding(6, 3)]))
    for _ in range(100):
        table[0](torch.tensor([0]))
    table.eval()
    torch.testing.assert_close(spectra(table)[0], torch.tensor(1.0), rtol=0.005, atol=0)


def test_dense_layers_are_no_steeper_than_one() -> None:
    torch.manual_seed(0)
    dense = normalise_spectra(nn.Sequential(nn.Linear(4, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)), 20)
    for _ in range(20):
        dense(torch.randn(1, 4))
    first, second = torch.randn(10_000, 4), torch.randn(10_000, 4)
    with torch.no_grad():
        rise = (dense.eval()(first) - dense(second)).flatten().abs() / (first - second).norm(dim=1)
    assert rise.max() <= 1.001


def test_the_estimate_of_a_spectrum_is_kept_with_the_weights() -> None:
    """What was left out of a checkpoint would be estimated anew, and the game would go on otherwise."""
    module = normalise_spectra(critic())
    other = copy.deepcopy(module)
    for _ in range(3):
        module(torch.randn(2, 1, 4, 4))
    assert any(name.endswith("_u") for name in module.state_dict())
    other.load_state_dict(module.state_dict())
    x = torch.randn(2, 1, 4, 4)
    assert torch.equal(module.eval()(x), other.eval()(x))
