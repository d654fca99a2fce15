"""A detector of adversarial samples: Metzen et al. 2017 (arXiv:1702.04267), evaded with nine others by Carlini and
Wagner 2017 (arXiv:1705.07263): of what is made against both next to nothing is detected.

A network on the model's logits, or on a layer, learns to tell samples that one attack has fooled the model with from
clean ones. Four fifths of the samples train it; the rest set the threshold, so that it refuses few clean ones.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from advorch.api import Attack, ErrorClass, Outcome, StageContext, StageFailed
from advorch.kit.attack.checks import check_access, check_fit
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.victim import Finish
from advorch.kit.data import Data
from advorch.kit.evaluation.detection import roc
from advorch.kit.inputs import open_data
from advorch.kit.surrounding import Surrounded, hand_on, surround
from advorch.kit.training.attacks import NamedAttacks
from advorch_builtins.defenses.catalog_surrounding import DetectorParams
from advorch_builtins.models.catalog_around import DetectedOptions
from advorch_builtins.models.detected import Detected
from advorch_builtins.models.refusing import calibrate

_ROWS = 256
_HELD = 5  # every fifth sample trains nothing


class Looks(NamedTuple):
    """What the detector sees of clean samples, and of those that fooled; `held` tells which train nothing."""

    clean: Tensor
    clean_held: Tensor
    fooling: Tensor
    fooling_held: Tensor


def run(context: StageContext, params: DetectorParams) -> Outcome:
    """Attack, look, learn; then the threshold."""
    data = open_data(context, context.inputs["data"][0]).take(slice(params.samples))
    own = DetectedOptions(layer=params.layer, hidden=params.hidden)
    made = surround(context, "detected", own.plain(), label=f"detector({params.attack.uses})")
    check_fit(made.record.signature, data.signature)
    if not isinstance(made.module, Detected):
        raise TypeError(f"'{made.record.component}' is no detector")
    looks = gather(context, params, made, made.module, data)
    made.module.settle(looks.clean[~looks.clean_held])
    loss = learn(made.module, looks, params, seed=context.seeds.stream("detector"))
    return hand_on(context, made, {"loss": loss, **_measured(made.module, looks, params)})


def gather(context: StageContext, params: DetectorParams, made: Surrounded, module: Detected, data: Data) -> Looks:
    """Features of clean samples, and of adversarial ones that fool the model; each batch is attacked once."""
    attack = NamedAttacks(context.lookup, data.box)(params.attack, "eval", Finish.FOOLED)
    component = context.lookup(params.attack.id)
    if isinstance(component, Attack):
        check_access(component, made.inner.access)
    parts = []
    for start in range(0, len(data), _ROWS):
        batch = data.take(slice(start, start + _ROWS)).to(context.device)
        rng = Draws(context.seeds.stream("attack"), batch.ids)
        found = attack(made.inner.module, batch.x, batch.y, rng, None)
        with torch.no_grad():
            logits, clean = module.look(batch.x)
            after, features = module.look(found)
        fooled = logits.argmax(1).eq(batch.y) & after.argmax(1).ne(batch.y)
        held = torch.arange(start, start + len(batch), device=fooled.device) % _HELD == 0
        parts.append(Looks(clean, held, features[fooled], held[fooled]))
    return Looks(*(torch.cat(column) for column in zip(*parts, strict=True)))


def learn(module: Detected, looks: Looks, params: DetectorParams, *, seed: int) -> float:
    """Binary cross-entropy in which both kinds weigh alike; the mean loss of the last epoch."""
    clean, fooling = looks.clean[~looks.clean_held], looks.fooling[~looks.fooling_held]
    if not len(fooling) or not looks.fooling_held.any():
        message = f"{params.attack.uses} fools the model on too few samples to learn from ({len(looks.fooling)})"
        raise StageFailed(message, error_class=ErrorClass.USER, hint="take a larger epsilon, or more samples")
    features = torch.cat([clean, fooling])
    kind = torch.cat([clean.new_zeros(len(clean)), clean.new_ones(len(fooling))])
    weight = clean.new_tensor(len(clean) / len(fooling))
    optimizer = torch.optim.Adam(module.detector.parameters(), params.lr)
    generator, total = torch.Generator().manual_seed(seed), 0.0
    for _ in range(params.epochs):
        total = 0.0
        for rows in _portions(len(features), params.batch, generator):
            optimizer.zero_grad()
            odds = module.odds(features[rows])
            loss = functional.binary_cross_entropy_with_logits(odds, kind[rows], pos_weight=weight)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach()) * len(rows) / len(features)
    return total


def _portions(count: int, size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    return torch.split(torch.randperm(count, generator=generator), size)


@torch.no_grad()
def _measured(module: Detected, looks: Looks, params: DetectorParams) -> dict[str, float]:
    """On the samples that trained nothing."""
    held = (looks.clean[looks.clean_held], looks.fooling[looks.fooling_held])
    clean, fooling = (module.odds(features).cpu() for features in held)
    found = calibrate(module, clean, params.false_alarms)
    caught = (fooling > module.threshold.cpu()).double().mean()
    fooled = len(looks.fooling) / len(looks.clean)
    return {**found, "auroc": roc(clean, fooling).area, "detected": float(caught), "fooled": fooled}
