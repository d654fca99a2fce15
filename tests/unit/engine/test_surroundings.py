"""What a stage finds of torch's process-wide settings, and what is left of it afterwards."""

import random

import numpy as np
import torch

from advorch.engine.surroundings import seed_everything, surroundings
from advorch.engine.task import Task

TASK = Task(run="r", cell="c", component="train/x", params={}, inputs={}, key="k", seed=3, store="s", plugins={})


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))


def test_the_global_generators_are_seeded_and_put_back() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    with surroundings(TASK):
        first = draws()
    with surroundings(TASK):
        assert draws() == first
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


def test_torch_draws_what_its_own_seeding_would_give() -> None:
    with surroundings(TASK):
        seed_everything(5, "part")
        ours = torch.rand(4)
        torch.manual_seed(torch.initial_seed())
        assert torch.equal(torch.rand(4), ours)


def test_seeding_leaves_nothing_behind_in_the_process() -> None:
    queued = torch.cuda._queued_calls
    before = len(queued)
    with surroundings(TASK):
        for number in range(10):
            seed_everything(number)
    if not torch.cuda.is_available():
        assert len(queued) == before
