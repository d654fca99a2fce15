"""The process-wide torch settings that decide a result: threads and random state, set by us and put back."""

import contextlib
import os
import random
from collections.abc import Iterator

from advorch.engine.task import Task
from advorch.errors import InfrastructureError
from advorch.seeds import derive


@contextlib.contextmanager
def surroundings(task: Task) -> Iterator[None]:
    """Threads as the task says, global generators seeded by it; the caller's come back at the end."""
    import numpy as np
    import torch

    check_gpu(task)
    threads, states = torch.get_num_threads(), (random.getstate(), np.random.get_state(), torch.get_rng_state())
    torch.set_num_threads(task.threads)
    seed_everything(task.seed)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def seed_everything(seed: int, *parts: int | str) -> None:
    """Seed the global generators, for code that reaches for them although it is handed its own."""
    import numpy as np
    import torch

    value = derive(seed, "global", *parts)
    random.seed(value)
    np.random.seed(value % 2**32)
    # Without an accelerator `torch.manual_seed` would keep every call, with its stack, for one that never comes.
    (torch if torch.accelerator.is_available() else torch.default_generator).manual_seed(value)


def check_gpu(task: Task) -> None:
    """A worker that was given a GPU must be able to use it."""
    import torch

    if task.gpus > 0 and not torch.cuda.is_available():
        assigned = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        raise InfrastructureError(
            f"the worker was given GPU '{assigned}' but torch {torch.__version__} sees no CUDA device",
            hint="install a CUDA build of torch on the workers, or ask for `gpus: 0`",
        )


def device_of(task: Task) -> str:
    """The device of a worker that is alone: Ray shows it no other GPU than its own."""
    return "cuda" if task.gpus > 0 else "cpu"


def collective_backend(gpus: float) -> str:
    """nccl where every rank has a GPU of its own, gloo elsewhere: nccl refuses two ranks on one device."""
    return "nccl" if gpus >= 1 else "gloo"
