"""What every component promises, whatever its family."""

import inspect
import pickle
import re
import typing
from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic.fields import FieldInfo

from advorch.components import API, AnyComponent, Component, Wrapper
from advorch.errors import ErrorClass, StageFailed
from advorch.params import AttackRef, ModelRef, Params
from advorch.testing.check import Check, ContractBroken, NotApplicable, demand

# how many positional arguments the engine passes to what `load` returns, by family
ARGUMENTS: Mapping[str, Mapping[str, int]] = {
    "attack": {"": 5},
    "objective": {"": 2},
    "generate": {"": 2},
    "evaluate": {"map": 3, "reduce": 3},
    "dataset": {"": 2},
    "model": {"": 2},
    "stage": {"": 2},
    "perturbation": {"": 2},
    "part": {"": 2},
}

# one word an idea, in every component
WORDS: Mapping[str, str] = {
    "eps": "epsilon", "step_size": "alpha", "eps_step": "alpha", "eps_iter": "alpha", "lam": "lambda",
    "lmbda": "lambda",
    "num_steps": "steps", "n_steps": "steps", "n_iter": "steps", "nb_iter": "steps", "num_iter": "steps",
    "max_iter": "steps", "iterations": "steps", "n_restarts": "restarts", "num_restarts": "restarts",
    "nb_restarts": "restarts", "random_seed": "seed", "num_queries": "queries", "n_queries": "queries",
    "max_queries": "queries", "learning_rate": "lr", "num_epochs": "epochs", "n_epochs": "epochs",
    "batch_size": "batch",
}  # fmt: skip

# budgets, and what is enough of them for a check
ENOUGH: Mapping[str, int] = {
    "steps": 10,
    "searches": 4,
    "targets": 2,
    "restarts": 2,
    "queries": 24,
    "draws": 4,
    "pairs": 8,
    "angles": 5,
    "places": 3,
    "epochs": 1,
    "batch": 8,
}


def common_checks(component: AnyComponent) -> list[Check]:
    """Name, parameters and thunk."""
    tests = [
        _is_described, _names_are_common, _parameters_are_described, _parameters_join_the_host, _defaults_are_valid,
        _parameters_survive_json, _parameters_pickle, _unknown_parameters_are_refused, _load_gives_a_callable,
    ]  # fmt: skip
    return [Check(_sentence(test.__name__), partial(test, component)) for test in tests]


def _sentence(name: str) -> str:
    return name.strip("_").replace("_", " ")


def usable_params(component: AnyComponent) -> Params:
    """The first of the `examples` in the Params class's `json_schema_extra`, else the defaults."""
    params: type[Params] = component.params
    examples = _examples(params)
    if examples:
        return params.parse(examples[0])
    required = {field.alias or name: field for name, field in params.model_fields.items() if field.is_required()}
    if not required:
        return params.parse({})
    try:
        return params.parse({name: _stand_in(field) for name, field in required.items()})
    except ValueError as error:
        names = ", ".join(required)
        raise NotApplicable(f"{names}: no default, and the Params class gives no `examples`") from error


def _examples(params: type[Params]) -> list[Any]:
    extra = params.model_config.get("json_schema_extra")
    given = extra.get("examples", []) if isinstance(extra, dict) else []
    return given if isinstance(given, list) else []


def _stand_in(field: FieldInfo) -> Any:
    """A value for a required field: an attack, which checks bring themselves, or a place where nothing is."""
    attack = {"uses": "stand-in", "with": {"epsilon": 0.05}}
    inner = [field.annotation, *typing.get_args(field.annotation)]
    known: dict[Any, Any] = {AttackRef: attack, ModelRef: {"uses": "stand-in"}, str: "nowhere"}
    value = next((known[kind] for kind in inner if kind in known), None)
    return [value] if typing.get_origin(field.annotation) in (tuple, list) else value


def small_params(component: AnyComponent, **wanted: Any) -> Params:
    """Usable parameters with budgets cut to what a check needs, where the component's own bounds allow it."""
    params = usable_params(component)
    for name, value in {**ENOUGH, **wanted}.items():
        current = getattr(params, name, None)
        if isinstance(current, int) and current > value:
            params = _replaced(params, name, value)
    return params


def _replaced(params: Params, name: str, value: Any) -> Params:
    try:
        return params.parse({**params.plain(), name: value})
    except ValueError:
        return params


def unfit(error: StageFailed) -> bool:
    """Whether a component refused what it was given, as it may, rather than failed."""
    return error.error_class is ErrorClass.USER


def _is_described(component: AnyComponent) -> None:
    demand(isinstance(component, Component), f"{type(component).__name__} is no component")
    demand(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", component.name), f"name {component.name!r} is not in kebab-case")
    summary = component.summary
    demand(summary.strip() and "\n" not in summary, "the summary must be one line that says something")
    demand(component.api <= API, f"written for plugin API {component.api}; this advorch offers {API}")


def _names_are_common(component: AnyComponent) -> None:
    for name, field in component.params.model_fields.items():
        written = field.alias or name
        demand(written not in WORDS, f"parameter {written!r} is called {WORDS.get(written)!r} everywhere else")


def _parameters_are_described(component: AnyComponent) -> None:
    known = {"type", "enum", "const", "anyOf", "allOf", "oneOf", "$ref", "description"}
    for name, schema in component.params.model_json_schema(by_alias=True).get("properties", {}).items():
        demand(known & set(schema), f"parameter {name!r} has neither a type nor a description")


def _parameters_join_the_host(component: AnyComponent) -> None:
    for joined in (component.schema(), component.nested_schema()):
        joined.model_json_schema()
    host = component.host_settings.model_fields if component.family == "attack" else {}
    for name in component.params.model_fields:
        demand(name not in host, f"parameter {name!r} belongs to the host of an attack: read it from the victim")


def _defaults_are_valid(component: AnyComponent) -> None:
    usable_params(component)


def _parameters_survive_json(component: AnyComponent) -> None:
    params = usable_params(component)
    demand(component.params.parse(params.plain()) == params, "parse(plain()) is not what it was")


def _parameters_pickle(component: AnyComponent) -> None:
    params = usable_params(component)
    demand(pickle.loads(pickle.dumps(params)) == params, "parameters change in pickling")  # noqa: S301


def _unknown_parameters_are_refused(component: AnyComponent) -> None:
    demand(component.params.model_config.get("extra") == "forbid", "unknown parameters are let through")
    demand(component.params.model_config.get("frozen"), "parameters can be changed after validation")


def _load_gives_a_callable(component: AnyComponent) -> None:
    loaded = component.load()
    arguments = {"": 3} if isinstance(component, Wrapper) else ARGUMENTS.get(component.family, {})
    for method, count in arguments.items():
        function = getattr(loaded, method, None) if method else loaded
        demand(callable(function), f"load() gives {type(loaded).__name__} without a callable {method or 'body'}")
        _takes(function, count, method or "the function")


def _takes(function: Any, count: int, name: str) -> None:
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError as mismatch:
        raise ContractBroken(f"{name} does not take {count} positional arguments: {mismatch}") from mismatch
