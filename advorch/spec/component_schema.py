"""The schema of a component's parameters as a part of the file's: numbers may be rationals, values `${...}`."""

from collections.abc import Mapping
from typing import Any

from advorch.spec.kinds import OPEN_PATTERN, RATIONAL_PATTERN

OPEN: dict[str, Any] = {"type": "string", "pattern": OPEN_PATTERN}
_RATIONAL: dict[str, Any] = {"type": "string", "pattern": RATIONAL_PATTERN}
_NOTES = ("title", "description", "default", "examples", "deprecated")
_BRANCHES = ("anyOf", "oneOf", "allOf", "prefixItems")


def definition_name(component: str) -> str:
    """The name of a component's schema under `$defs`."""
    return component.replace("/", ".")


def component_definitions(component: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A component's schema and those that it refers to, under names that cannot meet another's."""
    prefix = definition_name(component)
    inner = schema.get("$defs", {})
    own = {key: value for key, value in schema.items() if key != "$defs"}
    return {
        prefix: _opened(own, prefix),
        **{f"{prefix}.{name}": _opened(value, prefix) for name, value in inner.items()},
    }


def _opened(schema: Any, prefix: str) -> Any:
    """The schema with every value inside it open to expressions, and every number to rationals."""
    if not isinstance(schema, Mapping):
        return schema
    found = {key: value for key, value in schema.items() if key != "discriminator"}
    if "$ref" in found:
        found["$ref"] = found["$ref"].replace("#/$defs/", f"#/$defs/{prefix}.")
    for key in ("properties", "patternProperties"):
        if key in found:
            found[key] = {name: _value(item, prefix) for name, item in found[key].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), Mapping):
            found[key] = _value(found[key], prefix)
    for key in _BRANCHES:
        if key in found:
            found[key] = [_opened(item, prefix) for item in found[key]]
    return _with_rationals(found) if found.get("type") == "number" else found


def _value(schema: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """A schema at a place where a user writes a value."""
    opened = _opened(schema, prefix)
    notes = {key: schema[key] for key in _NOTES if key in schema}
    rest = {key: value for key, value in opened.items() if key not in _NOTES}
    return {"anyOf": [rest, OPEN], **notes} if rest else dict(notes)


def _with_rationals(schema: dict[str, Any]) -> dict[str, Any]:
    notes = {key: value for key, value in schema.items() if key in _NOTES}
    number = {key: value for key, value in schema.items() if key not in _NOTES}
    return {"anyOf": [number, _RATIONAL], **notes}
