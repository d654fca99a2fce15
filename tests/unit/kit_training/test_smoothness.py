"""The virtual adversarial direction: against the exact curvature, and what the search for it leaves alone."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.training.divergence import kl
from advorch.kit.training.smoothness import Search, clean_logits, entropy, virtual_perturbation

FEATURES, CLASSES, COUNT = 12, 4, 8


def draws(count: int = COUNT, seed: int = 3) -> Draws:
    return Draws(seed, torch.arange(count))


def samples(count: int = COUNT) -> Tensor:
    return torch.randn(count, FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def softmax_regression() -> nn.Linear:
    torch.manual_seed(2)
    return nn.Linear(FEATURES, CLASSES).double()


def deep(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(FEATURES, 16), *layers, nn.Tanh(), nn.Linear(16, CLASSES)).double()


def found(model: nn.Module, x: Tensor, rng: Draws | None = None, **options: float) -> Tensor:
    search = replace(Search(epsilon=1.0, xi=1e-4), **options)  # type: ignore[arg-type]
    return virtual_perturbation(model, x, rng or draws(len(x)), search)


def cosine(first: Tensor, second: Tensor) -> Tensor:
    return functional.cosine_similarity(first.flatten(1), second.flatten(1))


def curvature(model: nn.Linear, x: Tensor) -> Tensor:
    """Of softmax regression the Hessian of the divergence is W' (diag p - p p') W."""
    p = model(x).softmax(1).detach()
    middle = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    return model.weight.detach().T @ middle @ model.weight.detach()


def test_many_iterations_find_the_top_eigenvector_of_the_curvature() -> None:
    model, x = softmax_regression(), samples()
    top = torch.linalg.eigh(curvature(model, x)).eigenvectors[:, :, -1]
    assert cosine(found(model, x, iterations=15), top).abs().min() > 0.99
    assert cosine(found(model, x, iterations=0), top).abs().mean() < 0.6


def test_one_iteration_is_the_curvature_times_the_start() -> None:
    model, x = softmax_regression(), samples()
    start = found(model, x, iterations=0)
    once = (curvature(model, x) @ start[:, :, None]).squeeze(2)
    assert cosine(found(model, x, xi=1e-6), once).min() > 0.9999
    assert cosine(found(model, x, xi=10.0), once).min() < 0.95  # so long a step looks at something else


def test_every_perturbation_has_the_length_epsilon() -> None:
    for iterations in (0, 1):
        assert found(deep(), samples(), epsilon=2.5, iterations=iterations).norm(dim=1) == pytest.approx(2.5)


def test_a_model_that_says_one_thing_keeps_the_random_direction() -> None:
    model = softmax_regression()
    model.weight.data.zero_()
    assert torch.equal(found(model, samples()), found(model, samples(), iterations=0))


def test_random_directions_are_spread_evenly() -> None:
    """Of directions drawn from a cube the sum of fourth powers is 0.715 in the plane; of even ones 3/4."""
    x = torch.zeros(20_000, 2, dtype=torch.float64)
    directions = virtual_perturbation(nn.Identity(), x, draws(len(x)), Search(epsilon=1.0, iterations=0))
    assert directions.mean(0).abs().max() < 0.02
    assert float(directions.pow(4).sum(1).mean()) == pytest.approx(0.75, abs=0.008)


def test_a_sample_has_its_direction_in_any_batch() -> None:
    model, x = deep(), samples()
    whole = found(model, x)
    some = found(model, x[3:6], draws().take(slice(3, 6)))
    assert torch.allclose(whole[3:6], some, atol=1e-7)  # rounding over xi


def test_the_search_leaves_the_model_as_it_was() -> None:
    model, x = deep(nn.BatchNorm1d(16)), samples()
    functional.cross_entropy(model(x), torch.zeros(COUNT, dtype=torch.long)).backward()
    before = copy.deepcopy(model.state_dict()), [weight.grad.clone() for weight in model.parameters()]  # type: ignore[union-attr]
    state = torch.get_rng_state()
    found(model, x, iterations=2)
    assert all(torch.equal(value, before[0][name]) for name, value in model.state_dict().items())
    assert all(torch.equal(weight.grad, kept) for weight, kept in zip(model.parameters(), before[1], strict=True))  # type: ignore[arg-type]
    assert all(weight.requires_grad for weight in model.parameters())
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_batch_norm_uses_the_batch_in_training_and_what_it_gathered_in_evaluation() -> None:
    model, x = deep(nn.BatchNorm1d(16)), samples()
    training = found(model, x)
    assert not torch.allclose(training, found(model.eval(), x))


def test_dropout_is_the_same_at_both_points_whatever_was_drawn_before() -> None:
    model, x = deep(nn.Dropout(0.5)), samples()
    torch.manual_seed(5)
    first = found(model, x)
    torch.manual_seed(6)
    assert torch.equal(first, found(model, x))
    assert cosine(first, found(model, x, xi=1e-6)).min() > 0.999  # another mask at the second point would be all of it
    assert clean_logits(model, model(x)) is None
    assert clean_logits(model.eval(), model(x)) is not None


def test_bf16_does_not_reach_the_search() -> None:
    model, x = deep().float(), samples().float()
    exact = found(model, x, xi=1e-2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(x)
        assert clean_logits(model, logits) is None
        assert torch.equal(found(model, x, xi=1e-2), exact)


def test_known_logits_save_a_pass_and_change_nothing() -> None:
    model, x = deep(nn.BatchNorm1d(16)), samples()
    known = virtual_perturbation(model, x, draws(), Search(epsilon=1.0, xi=1e-4), clean=model(x))
    assert torch.equal(known, found(model, x))


def test_steps_that_rounding_swallows_and_words_are_refused() -> None:
    with pytest.raises(StageFailed, match="xi 1e-07 is lost in the rounding of float32"):
        found(deep().float(), samples().float(), xi=1e-7)
    with pytest.raises(StageFailed, match="these samples are words"):
        found(deep(), torch.ones(2, FEATURES, dtype=torch.long))


def test_the_divergence_of_a_prediction_from_itself_is_nothing_and_grows_with_the_square() -> None:
    model, x = deep().eval(), samples()
    clean, step = model(x).detach(), found(deep(), x, epsilon=1.0)
    near, nearer = (kl(clean, model(x + size * step)).mean().item() for size in (2e-3, 1e-3))
    assert kl(clean, clean).abs().max() < 1e-12
    assert near / nearer == pytest.approx(4, rel=0.01)


def test_entropy_of_a_guess_is_the_logarithm_of_the_classes() -> None:
    assert float(entropy(torch.zeros(1, 5))) == pytest.approx(torch.tensor(5.0).log().item())
    assert float(entropy(torch.tensor([[50.0, 0.0]]))) == pytest.approx(0, abs=1e-6)
