"""Fits at the edges: of the range, of the mask, of what is enough, of a pass."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from advorch.components import Perturbation
from advorch.errors import StageFailed
from advorch.kit.attack.draws import Draws
from advorch.kit.data import Data
from advorch.kit.perturbation.fitted import Kind, Print
from advorch.kit.perturbation.fitting import FitTask, Turn, fit
from advorch.seeds import Seeds
from advorch.testing.fakes import FakeContext, learnable_data, small_conv
from advorch_builtins.attacks.catalog_fitted import PATCH, STICKER, TEXTURE, UNIVERSAL


def images(steps: int = 12) -> FitTask:
    data = learnable_data(16, (1, 8, 8), 3)
    module = small_conv(1, 8, 3).eval()
    return FitTask(module=module, data=data, steps=steps, target=1, source=None, seeds=Seeds(1), device="cpu")


@pytest.mark.parametrize(
    ("component", "params"),
    [(STICKER, {"print_exactly": False, "nps": 0}), (TEXTURE, {"distance": "rgb", "scene": {}})],
    ids=["sticker", "texture"],
)
def test_black_is_left_behind(component: Perturbation[Any], params: dict[str, Any], tmp_path: Path) -> None:
    """Most digits are black nearly everywhere: a surface that is must not be held there by a slope that ends."""
    task = images()
    task.data.x.zero_()
    fitting = component.load()(task, component.params.parse({**params, "lambda": 0}))
    printed, _ = fit(fitting, task, FakeContext(scratch=tmp_path), batch=16, checkpoint_every=10)
    where = torch.ones_like(printed.pattern) if printed.mask is None else printed.mask
    assert float(((printed.pattern > 0.01) * where).sum() / where.sum()) > 0.3


@pytest.mark.parametrize("rectangle", [[0.5, 0.5, 0.52, 0.52], [0.8, 0.2, 0.3, 0.6]])
def test_a_mask_without_a_pixel_is_refused(rectangle: list[float]) -> None:
    with pytest.raises(StageFailed, match="covers no pixel"):
        STICKER.load()(images(), STICKER.params.parse({"mask": [rectangle]}))


def test_nothing_is_not_enough() -> None:
    with pytest.raises(ValidationError, match="until"):
        UNIVERSAL.params.parse({"epsilon": 0.1, "until": 0})


@pytest.mark.parametrize("component", [PATCH, STICKER, TEXTURE])
def test_images_that_are_not_square_would_be_turned_askew(component: Perturbation[Any]) -> None:
    task = replace(images(), data=learnable_data(16, (1, 8, 12), 3))
    with pytest.raises(StageFailed, match="8 by 12"):
        component.load()(task, component.params())


def test_batches_that_reach_over_a_pass_have_a_pose_for_each_place(tmp_path: Path) -> None:
    """A sample that is twice in a minibatch is not seen from one pose twice."""
    seen: list[Tensor] = []

    class Watcher:
        def begin(self) -> dict[str, Tensor]:
            return {"pattern": torch.zeros(1)}

        def advance(self, state: Any, batch: Data, number: int, rng: Draws) -> Any:
            seen.append(rng.uniform((), like=batch.x))
            return Turn(state, {"loss": torch.zeros(()), "reached": torch.zeros(())})

        def enough(self, state: Any) -> bool:
            return False

        def finish(self, state: Any) -> Print:
            return Print(kind=Kind.UNIVERSAL, pattern=state["pattern"])

    task = replace(images(steps=2), data=learnable_data(4, (1, 8, 8), 3))
    fit(Watcher(), task, FakeContext(scratch=tmp_path), batch=10, checkpoint_every=1)
    assert all(len(numbers.unique()) == 10 for numbers in seen)
    assert not torch.equal(seen[0], seen[1])
