"""An attack as a stage of map shape: each chunk attacked and judged by itself, verdicts joined at the end."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import torch

from advorch.artifacts import ArtifactType, Outcome, Output, Signature
from advorch.components import AnyStageComponent, Attack
from advorch.hosts.attack_metrics import costs, curve, distances, found_by, shares
from advorch.kit.adversarial_set import COLUMNS, AdversarialSet, write_adversarial
from advorch.kit.attack.checks import check_access, check_fit, check_open, check_same_samples, check_threat
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.levels import check_levels
from advorch.kit.attack.refusal import check_answers
from advorch.kit.attack.region import region_mask
from advorch.kit.attack.run import Campaign, run_attack
from advorch.kit.attack.victim import Victim
from advorch.kit.inputs import OpenModel, content_digest, open_data, open_model
from advorch.kit.perturbation.opening import open_perturbation
from advorch.protocols import StageContext

if TYPE_CHECKING:
    from torch import Tensor, nn

    from advorch.kit.data import Data

_STREAM: Final = "attack"
_BATCHES: Final = (
    4  # of a chunk whose places are refilled: more would fill no better, and less would be kept of a crash
)


def open_job(context: StageContext, component: AnyStageComponent, settings: Any) -> "AttackJob":
    """Load model and data once, and refuse what this attack cannot do."""
    if not isinstance(component, Attack):
        raise TypeError(f"{component.id} is no attack")
    check_threat(component, settings)
    source = context.inputs["data"][0]
    model, data = open_model(context, context.inputs["model"][0]), open_data(context, source)
    check_access(component, model.access)
    check_fit(model.signature, data.signature)
    if settings.levels:
        check_levels(data.box)
    digests = {"model": model.digest, "data": content_digest(source)}
    return AttackJob(context, component, settings, model, data, digests)


def _open_surrogates(context: StageContext, signature: Signature) -> "tuple[nn.Module, ...]":
    """The models that an attacker has besides the one under attack, which must be open and made for the same data."""
    surrogates = [open_model(context, source) for source in context.inputs.get("surrogates", ())]
    for surrogate in surrogates:
        check_fit(surrogate.signature, signature)
        check_open(surrogate.label, surrogate.access)
        check_answers(surrogate.module, f"the surrogate '{surrogate.label}'", "connect what is inside it")
    return tuple(surrogate.module.to(context.device) for surrogate in surrogates)


def _open_candidates(context: StageContext, signature: Signature) -> "Tensor | None":
    """Samples that an attacker has besides those under attack, where some are connected."""
    sources = context.inputs.get("candidates", ())
    if not sources:
        return None
    candidates = open_data(context, sources[0])
    check_same_samples("the candidates", candidates.signature, signature)
    return candidates.x.to(context.device)


class AttackJob:
    """The samples of one attack stage, any slice of which can be computed anywhere."""

    def __init__(
        self,
        context: StageContext,
        attack: Attack[Any],
        settings: Any,
        model: OpenModel,
        data: "Data",
        digests: Mapping[str, str],
    ) -> None:
        self._context = context
        self._attack = attack
        self._settings = settings
        self._model = model
        self._data = data if settings.samples is None else data.take(slice(settings.samples))
        self._digests = digests
        self._module = model.module.to(context.device)
        self._surrogates = _open_surrogates(context, data.signature)
        self._perturbation = open_perturbation(context)
        self._candidates = _open_candidates(context, data.signature)
        self._perturb = attack.load()
        self._mask = region_mask(settings.region, data.signature.shape)
        self._campaign = Campaign(epsilons=settings.epsilons or (), levels=settings.levels, pooled=attack.pooled)
        self.count = len(self._data)
        self.chunk: int = settings.chunk or settings.batch * (_BATCHES if self._refills else 1)

    def map(self, start: int, stop: int) -> "Mapping[str, Tensor]":
        """Attack and judge one chunk."""
        chunk = self._data.take(slice(start, stop)).to(self._context.device)
        parts = [self._attacked(chunk.take(rows)) for rows in self._cut(len(chunk))]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _cut(self, count: int) -> list[slice]:
        """A chunk stays whole where places are refilled, and is cut into batches elsewhere."""
        size = count if self._refills else self._settings.batch
        return [slice(start, start + size) for start in range(0, count, size)]

    @property
    def _refills(self) -> bool:
        """Whether those who are fooled make room for others, or for the next epsilon."""
        return self._campaign.pooled or len(self._campaign.epsilons) > 1

    def _attacked(self, batch: "Data") -> "dict[str, Tensor]":
        rng, victim = self._draws(batch.ids), self._victim()
        result = run_attack(self._perturb, victim, batch.x, batch.y, self._settings, rng, campaign=self._campaign)
        rows = result.rows()
        known = rows | {"ids": batch.ids.cpu(), "y": batch.y.cpu()}
        return {name: known[name] for name in (*COLUMNS, *(["target"] if self._settings.targeted else []))}

    def so_far(self, rows: "Mapping[str, Tensor]") -> Mapping[str, tuple[int, int]]:
        """The robust accuracy of one chunk."""
        robust = rows["clean_prediction"].eq(rows["y"]) & ~rows["success"]
        return {"robust_accuracy": (int(robust.sum()), len(robust))}

    def reduce(self, rows: "Mapping[str, Tensor]") -> Outcome:
        """The adversarial set, and its accuracies."""
        columns: dict[str, Any] = {name: rows[name] for name in COLUMNS}
        samples = AdversarialSet(
            **columns,
            classes=self._data.classes,
            box=self._data.box,
            attack=self._attack.id,
            settings=self._settings.plain(),
            label=self._model.label,
            model=self._digests["model"],
            data=self._digests["data"],
            budget=self._attack.threat.budget,
            target=rows.get("target"),
            access=self._attack.threat.access,
            surrogates=tuple(content_digest(source) for source in self._context.inputs.get("surrogates", ())),
        )
        folder = self._context.scratch / "adversarial"
        write_adversarial(folder, samples)
        output = Output(type=ArtifactType.ADVERSARIAL, folder=folder, meta={"attack": samples.attack, **self._digests})
        return Outcome(outputs={"adversarial": output}, metrics=self._metrics(samples))

    def _draws(self, ids: "Tensor") -> Draws:
        return Draws(self._context.seeds.stream(_STREAM), ids).fork(self._attack.id)

    def _victim(self) -> Victim:
        return Victim(
            self._module,
            box=self._data.box,
            norm=self._settings.norm,
            epsilon=self._settings.epsilon,
            access=self._attack.threat.access,
            targeted=self._settings.targeted,
            surrogates=self._surrogates,
            perturbation=self._perturbation,
            candidates=self._candidates,
            budget=self._attack.threat.budget,
            mask=self._mask,
            batch=self._settings.batch,
        )

    def _metrics(self, samples: AdversarialSet) -> dict[str, float]:
        found = found_by(samples)
        lengths = distances(samples, self._data.x, self._settings.norm, found)
        sizes = curve(samples, self._settings.epsilons or ())
        return shares(samples) | sizes | lengths | costs(samples) | self._violations(samples)

    def _violations(self, samples: AdversarialSet) -> dict[str, float]:
        """Judged again from what is handed on."""
        outside, victim = 0, self._victim()
        for start in range(0, len(samples), self.chunk):
            rows = slice(start, start + self.chunk)
            ball = victim.ball(self._data.x[rows])
            outside += int((~ball.contains(samples.adversarial[rows].to(ball.x.device))).sum())
        return {"violations": float(outside)}


__all__ = ["AttackJob", "open_job"]
