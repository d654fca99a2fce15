"""The host of perturbations: opens model and data, runs the fit, hands over what was fitted."""

import difflib
from collections.abc import Sequence
from typing import Any

from advorch.artifacts import ArtifactType, Outcome, Output
from advorch.components import AnyStageComponent, Perturbation
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.checks import check_fit
from advorch.kit.attack.refusal import check_answers
from advorch.kit.data import Data
from advorch.kit.inputs import OpenModel, content_digest, open_data, open_model
from advorch.kit.perturbation.fitted import Fitted, Print, write_fitted
from advorch.kit.perturbation.fitting import FitTask, fit
from advorch.protocols import StageContext
from advorch.settings import PerturbationSettings
from advorch.threat import Goal


def run(context: StageContext, component: AnyStageComponent, settings: Any) -> Outcome:
    """One perturbation for all samples, by one process."""
    if not isinstance(component, Perturbation):
        raise TypeError(f"{component.id} fits no perturbation")
    model = open_model(context, context.inputs["model"][0])
    data = open_data(context, context.inputs["data"][0])
    _check(context, component, settings, model)
    check_fit(model.signature, data.signature)
    task = _task(context, settings, model, data)
    printed, metrics = fit(
        component.load()(task, settings),
        task,
        context,
        batch=settings.batch,
        checkpoint_every=settings.checkpoint_every,
    )
    return _hand_over(context, _record(context, component, settings, model, task, printed), metrics)


def find_class(name: int | str | None, classes: Sequence[str], port: str) -> int | None:
    """The number of a class by its number or name."""
    if name is None:
        return None
    if isinstance(name, str) and name in classes:
        return list(classes).index(name)
    if isinstance(name, str) and name.isdecimal():
        name = int(name)
    if isinstance(name, int) and 0 <= name < len(classes):
        return name
    close = difflib.get_close_matches(str(name), classes, 1)
    hint = (
        f"did you mean '{close[0]}'?"
        if close
        else f"a number below {len(classes)}, or one of {', '.join(classes[:5])}, ..."
    )
    raise _user_error(f"{port}: there is no class '{name}'", hint)


def _check(
    context: StageContext, component: Perturbation[Any], settings: PerturbationSettings, model: OpenModel
) -> None:
    if context.world_size > 1:
        raise _user_error(f"{component.id} is fitted by one process", "set `resources: {workers: 1}`")
    if not model.access.allows(component.access):
        found = f"{component.id} needs {component.access.value} and the model grants {model.access.value}"
        raise _user_error(found, "fit it on a substitute, and apply it to this model")
    check_answers(model.module, "the model", "fit it on what is inside, and apply it to this model")
    goal = Goal.UNTARGETED if settings.target is None else Goal.TARGETED
    if goal not in component.goals:
        what = "needs a target" if goal is Goal.UNTARGETED else "has no targeted form"
        raise _user_error(f"{component.id} {what}", "set `target:` to a class" if goal is Goal.UNTARGETED else "")


def _task(context: StageContext, settings: PerturbationSettings, model: OpenModel, data: Data) -> FitTask:
    target = find_class(settings.target, data.classes, "target")
    source = find_class(settings.source, data.classes, "source")
    if target is not None and target == source:
        raise _user_error("target and source are the same class", "")
    chosen = data if source is None else data.take(data.y.eq(source))
    chosen = chosen if settings.samples is None else chosen.take(slice(settings.samples))
    if not len(chosen):
        raise _user_error(f"no sample is of class '{settings.source}'", "take another split, or another source")
    return FitTask(
        module=model.module, data=chosen, steps=settings.steps, target=target, source=source, seeds=context.seeds,
        device=context.device,
    )  # fmt: skip


def _record(
    context: StageContext,
    component: Perturbation[Any],
    settings: PerturbationSettings,
    model: OpenModel,
    task: FitTask,
    printed: Print,
) -> Fitted:
    return Fitted(
        print=printed,
        component=component.id,
        settings=settings.plain(),
        signature=task.signature,
        target=task.target,
        source=task.source,
        label=model.label,
        model=model.digest,
        data=content_digest(context.inputs["data"][0]),
    )


def _hand_over(context: StageContext, fitted: Fitted, metrics: dict[str, float]) -> Outcome:
    folder = context.scratch / "perturbation"
    write_fitted(folder, fitted)
    meta = {"component": fitted.component, "kind": fitted.print.kind.value, "model": fitted.model, "data": fitted.data}
    output = Output(type=ArtifactType.PERTURBATION, folder=folder, meta=meta)
    return Outcome(outputs={"perturbation": output}, metrics=metrics)


def _user_error(message: str, hint: str) -> StageFailed:
    return StageFailed(message, error_class=ErrorClass.USER, hint=hint)
