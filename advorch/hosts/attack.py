"""An attack as a stage of map shape: each chunk attacked and judged by itself, verdicts joined at the end."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from advorch.artifacts import ArtifactType, Input, Outcome, Output, StoredInput
from advorch.components import AnyStageComponent, Attack, StageContext
from advorch.hosts.inputs import OpenModel, open_data, open_model
from advorch.kit.adversarial_set import COLUMNS, AdversarialSet, write_adversarial
from advorch.kit.attack.checks import check_access, check_fit, check_threat
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import run_attack
from advorch.kit.attack.threat_set import ThreatSet
from advorch.kit.attack.victim import Victim

if TYPE_CHECKING:
    from torch import Tensor

    from advorch.kit.data import Data

_STREAM: Final = "attack"


def open_job(context: StageContext, component: AnyStageComponent, settings: Any) -> "AttackJob":
    """Load model and data once, and refuse what this attack cannot do."""
    if not isinstance(component, Attack):
        raise TypeError(f"{component.id} is no attack")
    check_threat(component, settings)
    source = context.inputs["data"][0]
    model, data = open_model(context, context.inputs["model"][0]), open_data(context, source)
    check_access(component, model.access)
    check_fit(model.signature, data.signature)
    digests = {"model": model.digest, "data": _digest(source)}
    return AttackJob(context, component, settings, model, data, digests)


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
        self._perturb = attack.load()
        self.count = len(self._data)
        self.chunk: int = settings.chunk

    def map(self, start: int, stop: int) -> "Mapping[str, Tensor]":
        """Attack and judge one chunk."""
        batch = self._data.take(slice(start, stop)).to(self._context.device)
        rng = Draws(self._context.seeds.stream(_STREAM), batch.ids).fork(self._attack.id)
        rows = run_attack(self._perturb, self._victim(), batch.x, batch.y, self._settings, rng).rows()
        known = rows | {"ids": batch.ids.cpu(), "y": batch.y.cpu()}
        return {name: known[name] for name in COLUMNS}

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
        )
        folder = self._context.scratch / "adversarial"
        write_adversarial(folder, samples)
        output = Output(type=ArtifactType.ADVERSARIAL, folder=folder, meta={"attack": samples.attack, **self._digests})
        return Outcome(outputs={"adversarial": output}, metrics=_metrics(samples) | self._violations(samples))

    def _victim(self) -> Victim:
        return Victim(
            self._module,
            box=self._data.box,
            norm=self._settings.norm,
            epsilon=self._settings.epsilon,
            access=self._attack.threat.access,
            targeted=self._settings.targeted,
        )

    def _violations(self, samples: AdversarialSet) -> dict[str, float]:
        """Judged again from what is handed on."""
        outside = 0
        for start in range(0, len(samples), self.chunk):
            rows = slice(start, start + self.chunk)
            ball = ThreatSet.around(self._data.x[rows], self._settings.norm, self._settings.epsilon, box=self._data.box)
            outside += int((~ball.contains(samples.adversarial[rows].to(ball.x.device))).sum())
        return {"violations": float(outside)}


def _metrics(samples: AdversarialSet) -> dict[str, float]:
    """Shares of all samples, but the success rate, which is of those that were right before."""
    right, fooled = int(samples.clean_correct.sum()), int(samples.success.sum())
    distance = samples.distance[samples.success]
    return {
        "clean_accuracy": right / len(samples),
        "robust_accuracy": int(samples.robust.sum()) / len(samples),
        "success_rate": fooled / right if right else 0.0,
        "mean_distance": float(distance.mean()) if fooled else 0.0,
    }


def _digest(source: Input) -> str:
    return source.artifact.digest if isinstance(source, StoredInput) else source.digest


__all__ = ["AttackJob", "open_job"]
