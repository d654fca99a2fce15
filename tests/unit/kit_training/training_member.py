"""One rank of a gang, run as a process of its own: `training_member.py CASE RANK SIZE FOLDER` writes its weights."""

import json
import os
import sys
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from advorch.kit.data import Data
from advorch.kit.training.attacks import NamedAttacks
from advorch.kit.training.parts import Parts, Site
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.step import Step
from advorch.kit.training.trainer import Place, Recipe, Trainer
from advorch.kit.training.validation import Validator
from advorch.params import AttackRef
from advorch.seeds import Seeds
from advorch.settings import TrainingSettings
from advorch_builtins.attacks import catalog
from advorch_builtins.defenses.adversarial import loss
from advorch_builtins.defenses.catalog import AdversarialParams
from advorch_builtins.parts import catalog as parts_catalog
from advorch_builtins.training.catalog_vat import VatParams
from advorch_builtins.training.vat import loss as vat

PGD = AttackRef.parse({"uses": "pgd", "with": {"epsilon": 0.1, "steps": 4, "alpha": 0.03}})
ATTACKS = {item.id: item for item in catalog.advorch_components()}
# 37 samples in batches of 12 make a last batch of one: the first rank of two has nothing of it.
CASES = {
    "epoch": {"precision": "fp64", "batch": 12, "epochs": 3, "augment": "shift", "lr": 0.01},
    "norm": {"batch": 12, "epochs": 1},
    "step": {"precision": "fp32", "batch": 37, "epochs": 1, "optimizer": "sgd", "momentum": 0.0, "lr": 1.0},
}
PARTS: dict[str, dict[str, object]] = {
    "sam": {"rho": 0.1},
    "awp": {"gamma": 0.05},
    "descent-direction": {"draws": 2},
    "class-focused": {"eta": 0.01},
    "spectral-norm": {},
    "spectral-penalty": {"lambda": 0.1},
    "ema": {"decay": 0.9},
    "free": {"epsilon": 0.1, "replays": 2},
    "elle": {"epsilon": 0.3, "lambda": 1e7, "adaptive": False},
}
CASES |= {name: CASES["epoch"] | {"epochs": 1} for name in PARTS}
# 12 labelled and 7 unlabelled samples a step: two ranks share the one evenly and the other not
CASES["semi"] = CASES["epoch"] | {"steps": 3, "unlabelled_batch": 7}


def pictures() -> Data:
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(37, 1, 6, 6, generator=rng)
    return Data(x=x, y=(x.mean((1, 2, 3)) > 0.5).long(), ids=torch.arange(37), classes=("a", "b"), box=(0.0, 1.0))


def small_cnn(case: str) -> nn.Module:
    torch.manual_seed(0)
    middle = nn.BatchNorm2d(3) if case == "norm" else nn.Tanh()
    return nn.Sequential(nn.Conv2d(1, 3, 3), middle, nn.Flatten(), nn.Linear(48, 2))


def objective(step: Step) -> Tensor:
    """The mix, and a gradient penalty that is differentiated twice inside the one forward pass."""
    x = step.x.detach().requires_grad_()
    slope = torch.autograd.grad(functional.cross_entropy(step.model(x), step.y, reduction="sum"), x, create_graph=True)
    penalty = slope[0].square().sum((1, 2, 3)).mean()
    return loss(step, AdversarialParams(attack=PGD, alpha=0.3)) + 0.1 * penalty


def parts(case: str, site: Site) -> Parts:
    """The part that a case is called after."""
    if case not in PARTS:
        return Parts()
    component = next(item for item in parts_catalog.advorch_components() if item.name == case)
    made: Parts = component.load()(site, component.params.parse(PARTS[case]))
    return made


def semi(step: Step) -> Tensor:
    """Virtual adversarial training with samples that have no labels."""
    return vat(step, VatParams(epsilon=0.5))


def train(case: str, ranks: Ranks) -> tuple[nn.Module, list[dict[str, float]]]:
    settings, data = TrainingSettings.parse(CASES[case]), pictures()
    attacks = NamedAttacks(ATTACKS.__getitem__, data.box)
    recipe = Recipe(
        model=small_cnn(case), objective=semi if case == "semi" else objective, data=data, settings=settings,
        seeds=Seeds(3), attacks=attacks, parts=partial(parts, case), unlabelled=data if case == "semi" else None,
    )  # fmt: skip
    trainer = Trainer(recipe, Place("cpu", ranks))
    seen = [trainer.epoch(1)]
    if settings.precision == "fp64":
        held_out = Data(x=data.x.double(), y=data.y, ids=data.ids, classes=data.classes, box=data.box)
        validator = Validator(held_out, 12, seed=1, attack=attacks(PGD, "eval"))
        seen.append(validator.measure(trainer.model, ranks))
    return trainer.judged(), seen


def main(case: str, rank: int, size: int, folder: Path) -> None:
    torch.set_num_threads(1)
    if size > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet-{case}", rank=rank, world_size=size)
    model, seen = train(case, Ranks(rank, size))
    save_file(model.state_dict(), folder / f"{case}-{size}-{rank}.safetensors")
    (folder / f"{case}-{size}-{rank}.json").write_text(json.dumps(seen))
    if size > 1:
        dist.barrier()
        dist.destroy_process_group()


if __name__ == "__main__":
    for name in sys.argv[1].split(","):
        main(name, int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    os._exit(0)  # gloo's threads may end the process with SIGABRT when the interpreter tears them down
