import random

import pytest
import torch
from scipy import stats

from advorch.kit.attack.draws import Draws
from advorch.seeds import derive

SINGLE, DOUBLE = torch.zeros(1), torch.zeros(1, dtype=torch.float64)


def draws(*ids: int, seed: int = 7) -> Draws:
    return Draws(seed, torch.tensor(ids))


@pytest.mark.parametrize("law", ["uniform", "normal", "sign", "exponential"])
@pytest.mark.parametrize("like", [SINGLE, DOUBLE], ids=["float32", "float64"])
def test_a_sample_draws_the_same_in_any_company(law: str, like: torch.Tensor) -> None:
    together = getattr(draws(5, 900, 3), law)((2, 3), like=like)
    alone = getattr(draws(900), law)((2, 3), like=like)
    assert together.dtype == like.dtype
    assert torch.equal(together[1:2], alone)


GAMMA, WORD = 0x9E3779B97F4A7C15, 2**64 - 1


def mix(word: int) -> int:
    """The finaliser as Vigna's splitmix64.c spells it."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & WORD
    return word ^ (word >> 31)


def test_reference_is_the_published_generator() -> None:
    outputs = [mix(1234567 + count * GAMMA & WORD) for count in (1, 2, 3)]
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("sample", [0, 1, 2**40, -3])
def test_the_stream_is_splitmix64_from_a_hashed_key(sample: int) -> None:
    """A change here changes every stored result."""
    key = mix(mix(sample * GAMMA & WORD) + derive("draws/1", 20261120) & WORD)
    words = [mix(key + count * GAMMA & WORD) for count in range(1, 6)]
    drawn = draws(sample, seed=20261120).uniform((5,), like=DOUBLE)[0]
    assert drawn.tolist() == [(word >> 11) * 2.0**-53 for word in words]


def test_every_part_of_the_key_matters() -> None:
    base = draws(1).uniform((8,), like=DOUBLE)
    others = [
        draws(2),
        draws(1, seed=8),
        draws(1).fork("a"),
        draws(1).fork(0),
        draws(1).fork("0"),
        draws(1).fork("a").fork("b"),
    ]
    drawn = [other.uniform((8,), like=DOUBLE) for other in others]
    assert all(not torch.isclose(base, each).any() for each in drawn)
    assert len({tuple(each.flatten().tolist()) for each in drawn}) == len(others)


def test_calls_go_on_and_forks_do_not_depend_on_them() -> None:
    rng = draws(1, 2)
    early = rng.fork("start")
    first, second = rng.uniform((3,), like=DOUBLE), rng.uniform((3,), like=DOUBLE)
    assert torch.equal(torch.cat([first, second], 1), draws(1, 2).uniform((6,), like=DOUBLE))
    assert torch.equal(early.normal((2,), like=DOUBLE), rng.fork("start").normal((2,), like=DOUBLE))


def test_those_who_stay_go_on_where_they_were() -> None:
    rng, whole = draws(4, 5, 6), draws(4, 5, 6)
    rng.uniform((3,), like=SINGLE), whole.uniform((3,), like=SINGLE)
    staying = torch.tensor([2, 0])
    assert torch.equal(rng.take(staying).normal((5,), like=SINGLE), whole.normal((5,), like=SINGLE)[staying])


def test_single_precision_is_double_precision_rounded() -> None:
    single, double = draws(1, 2).uniform((50,), like=SINGLE), draws(1, 2).uniform((50,), like=DOUBLE)
    assert (single.double() - double).abs().max() <= 2.0**-24
    assert torch.equal(draws(1).normal((50,), like=SINGLE), draws(1).normal((50,), like=DOUBLE).float())


def test_laws() -> None:
    rng = Draws(3, torch.arange(300))
    uniform = rng.uniform((200,), like=DOUBLE).flatten()
    assert 0 <= float(uniform.min()) < 1e-3
    assert 0.999 < float(uniform.max()) < 1
    assert stats.kstest(uniform.numpy(), "uniform").pvalue > 0.01
    assert stats.kstest(rng.normal((200,), like=DOUBLE).flatten().numpy(), "norm").pvalue > 0.01
    assert stats.kstest(rng.exponential((200,), like=DOUBLE).flatten().numpy(), "expon").pvalue > 0.01
    assert abs(float(rng.sign((200,), like=DOUBLE).mean())) < 3 / 60_000**0.5
    counts = torch.bincount(rng.integers((200,), 2, 9).flatten(), minlength=9)
    assert counts[:2].sum() == 0
    assert stats.chisquare(counts[2:].numpy()).pvalue > 0.01


def test_neighbouring_ids_and_numbers_are_independent() -> None:
    unit = Draws(3, torch.arange(400)).uniform((400,), like=DOUBLE)
    along = torch.corrcoef(torch.stack([unit[:-1].flatten(), unit[1:].flatten()]))[0, 1]
    across = torch.corrcoef(torch.stack([unit[:, :-1].flatten(), unit[:, 1:].flatten()]))[0, 1]
    assert max(abs(float(along)), abs(float(across))) < 4 / 160_000**0.5
    assert stats.kstest(unit.mean(1).numpy(), "norm", (0.5, (1 / 12 / 400) ** 0.5)).pvalue > 0.01
    assert stats.kstest(unit.mean(0).numpy(), "norm", (0.5, (1 / 12 / 400) ** 0.5)).pvalue > 0.01
    assert stats.kstest(unit[:, 0].numpy(), "uniform").pvalue > 0.01


def test_limits_and_shapes() -> None:
    rng = draws(1, 2, 3)
    assert rng.uniform((), -2.0, 5.0, like=SINGLE).shape == (3,)
    low_high = rng.uniform((1000,), -2.0, 5.0, like=SINGLE)
    assert float(low_high.min()) >= -2
    assert float(low_high.max()) <= 5
    assert float(low_high.max() - low_high.min()) > 6.9
    assert rng.sign((4,), like=SINGLE).abs().eq(1).all()
    assert torch.isfinite(rng.normal((1000,), like=torch.zeros(1, dtype=torch.float16))).all()
    assert rng.take(torch.tensor([], dtype=torch.int64)).normal((4,), like=SINGLE).shape == (0, 4)


def test_no_global_random_number_is_used() -> None:
    before, state = random.getstate(), torch.get_rng_state()
    rng = draws(1)
    rng.uniform((3,), like=SINGLE), rng.normal((3,), like=SINGLE), rng.fork(3).integers((3,), 0, 5)
    assert random.getstate() == before
    assert torch.equal(torch.get_rng_state(), state)
