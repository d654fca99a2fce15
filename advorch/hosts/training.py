"""The host of objectives: opens the ports, trains by the kit, hands over the model."""

from functools import partial
from typing import Any

from torch import nn

from advorch.artifacts import Outcome, Signature, StoredInput
from advorch.components import AnyStageComponent, Objective
from advorch.errors import ErrorClass, StageFailed
from advorch.kit.attack.refusal import check_answers
from advorch.kit.attack.victim import Finish
from advorch.kit.codecs import ModelRecord, read_model, read_record
from advorch.kit.data import Data
from advorch.kit.handover import hand_over
from advorch.kit.inputs import build_model, describe_model, open_data, open_model, rebuild
from advorch.kit.training.attacks import NamedAttacks
from advorch.kit.training.fit import fit
from advorch.kit.training.parts import Parts, Site
from advorch.kit.training.precision import cast
from advorch.kit.training.ranks import Ranks
from advorch.kit.training.selection import Selection
from advorch.kit.training.trainer import Place, Recipe, Trainer
from advorch.kit.training.validation import Validator
from advorch.params import AttackRef
from advorch.protocols import StageContext
from advorch.settings import TrainingSettings


def run(context: StageContext, component: AnyStageComponent, settings: Any) -> Outcome:
    """Train a new model, or go on with the one at the `model` port, and keep the epoch that the settings ask for."""
    check_validation(context, settings)
    data = open_port(context, "data")
    if data is None:
        raise _user_error(f"{component.id} needs data", "connect `in: {data: NAME.SPLIT}`")
    check_labels(data)
    module, record = prepare_model(context, component, settings, data.signature)
    attacks = NamedAttacks(context.lookup, data.box)
    recipe = Recipe(
        model=module,
        objective=partial(_call, component.load(), settings),
        data=data,
        settings=settings,
        seeds=context.seeds,
        attacks=attacks,
        unlabelled=open_port(context, "unlabelled", data.signature),
        teacher=open_teacher(context, data.signature),
        parts=partial(make_parts, context, component, settings),
    )
    trainer = Trainer(recipe, Place(context.device, Ranks(context.rank, context.world_size)))
    selection = Selection(keep=settings.keep, patience=settings.patience)
    fit(trainer, selection, context, prepare_validation(context, settings, attacks, data.signature))
    model = trainer.judged()
    metrics = selection.settle(model)
    return hand_over(context, model, record, metrics, selection.history)


def _call(objective: Any, settings: Any, step: Any) -> Any:
    return objective(step, settings)


def make_parts(context: StageContext, component: AnyStageComponent, settings: Any, site: Site) -> Parts:
    """What the stage itself brings, and then what its settings ask for, in order."""
    parts = Parts()
    if isinstance(component, Objective) and component.brings:
        parts = parts.joined(component.brings()(site, settings))
    for ref in settings.parts:
        part = context.lookup(ref.id)
        parts = parts.joined(part.load()(site, part.nested_schema().parse(ref.with_)))
    return parts


def prepare_model(
    context: StageContext, component: AnyStageComponent, settings: TrainingSettings, signature: Signature
) -> tuple[nn.Module, ModelRecord]:
    """The module to train, and the record that its artifact will carry."""
    connected = context.inputs.get("model", ())
    if connected:
        return warm_start(context, component, settings, signature)
    if settings.model is None:
        hint = "add `model: {uses: NAME}` under `with:`, or connect a model to `in: {model: STAGE.model}`"
        raise _user_error(f"{component.id} has no model to train", hint)
    label = settings.label or f"{trained_by(component, settings)} {settings.model.uses}"
    module = build_model(context, settings.model, signature, seed=context.seeds.stream("init"))
    return module, describe_model(context, settings.model, signature, label=label)


def warm_start(
    context: StageContext, component: AnyStageComponent, settings: TrainingSettings, signature: Signature
) -> tuple[nn.Module, ModelRecord]:
    """The connected model, to be trained further on data of the same shape and classes."""
    source = context.inputs["model"][0]
    if not isinstance(source, StoredInput):
        raise _user_error("the model port takes a stage's model, not declared data", "write `in: {model: STAGE.model}`")
    found = read_record(source.folder)
    check_same("the connected model", found.signature, signature)
    name = found.component.partition("/")[2]
    record = ModelRecord(
        component=found.component,
        params=found.params,
        signature=signature,
        access=found.access,
        label=settings.label or f"{trained_by(component, settings)} {name}",
    )
    if settings.model and describe_model(context, settings.model, signature, label=record.label) != record:
        hint = "leave out `model:` under `with:`: the connected model brings its architecture"
        raise _user_error(f"`model: {settings.model.uses}` is not what is connected, which is '{name}'", hint)
    module = read_model(source.folder, partial(rebuild, context))
    check_answers(module, "the connected model", "train what is inside it")
    return module, record


def trained_by(component: AnyStageComponent, settings: TrainingSettings) -> str:
    """The objective, the attacks that it trains on, and its parts: `adversarial(pgd)+awp`."""
    own = [name for name in type(settings).model_fields if name not in TrainingSettings.model_fields]
    held = [value for name in own for value in _each(getattr(settings, name))]
    attacks = [value.uses for value in held if isinstance(value, AttackRef)]
    against = f"({', '.join(attacks)})" if attacks else ""
    return "+".join([f"{component.name}{against}", *(part.uses for part in settings.parts)])


def _each(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def open_port(context: StageContext, port: str, like: Signature | None = None) -> Data | None:
    """The samples at a port, which may have to match those that are trained on."""
    connected = context.inputs.get(port, ())
    if not connected:
        return None
    data = open_data(context, connected[0])
    if like:
        check_same(f"the data at port '{port}'", data.signature, like)
    return data


def open_teacher(context: StageContext, like: Signature) -> nn.Module | None:
    """The model at the port of that name, made for the same data."""
    connected = context.inputs.get("teacher", ())
    if not connected:
        return None
    teacher = open_model(context, connected[0])
    check_same("the teacher", teacher.signature, like)
    check_answers(teacher.module, "the teacher", "connect what is inside it")
    return teacher.module


def check_same(what: str, found: Signature, wanted: Signature) -> None:
    """Shapes and the number of classes must be those of the training data."""
    if found.shape != wanted.shape or len(found.classes) != len(wanted.classes):
        facts = "of shape {0.shape} with {1} classes"
        message = f"{what} is {facts.format(found, len(found.classes))}"
        wish = facts.format(wanted, len(wanted.classes))
        raise _user_error(f"{message}, the training data is {wish}", "connect data and a model that belong together")


def check_labels(data: Data) -> None:
    """Generated samples may be of no class."""
    if bool((data.y < 0).any()):
        hint = "ask a conditional generator, or connect a model to `generate/sample`, which then names classes"
        raise _user_error("the training data has samples of no class", hint)


def check_validation(context: StageContext, settings: TrainingSettings) -> None:
    """What selects on validation data needs some."""
    wishes = {
        f"keep: {settings.keep}": settings.keep != "last",
        "patience": settings.patience,
        "validate_with": settings.validate_with,
    }
    asked = [name for name, wish in wishes.items() if wish]
    if asked and not context.inputs.get("validation"):
        hint = "connect `in: {validation: NAME.SPLIT}`; not the split of the final evaluation"
        raise _user_error(f"`{asked[0]}` needs validation data", hint)


def prepare_validation(
    context: StageContext, settings: TrainingSettings, attacks: NamedAttacks, like: Signature
) -> Validator | None:
    """The judge of epochs, where validation data is connected."""
    data = open_port(context, "validation", like)
    if data is None:
        return None
    attack = attacks(settings.validate_with, "eval", Finish.FOOLED) if settings.validate_with else None
    seed = context.seeds.stream("validation")
    return Validator(cast(data, settings.precision), settings.batch, seed=seed, attack=attack)


def _user_error(message: str, hint: str) -> StageFailed:
    return StageFailed(message, error_class=ErrorClass.USER, hint=hint)
