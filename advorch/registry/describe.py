"""A component's parameters as rows: what a table, a document or a completion shows of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from advorch.components import AnyComponent
from advorch.params import Params

_BOUNDS = {
    "exclusiveMinimum": "> {}", "minimum": ">= {}", "exclusiveMaximum": "< {}", "maximum": "<= {}",
    "minLength": "length >= {}", "maxLength": "length <= {}", "minItems": "items >= {}", "maxItems": "items <= {}",
    "pattern": "matches {}",
}  # fmt: skip

Schema = Mapping[str, Any]


def parameter_rows(component: AnyComponent) -> list[dict[str, Any]]:
    """Name, type, default, bounds and description of each: the component's own first, then those of its host."""
    own = rows_of(component.params)
    names = {row["name"] for row in own}
    host = [row for row in rows_of(component.host_settings) if row["name"] not in names]
    return [{**row, "of": "component"} for row in own] + [{**row, "of": "host"} for row in host]


def rows_of(params: type[Params]) -> list[dict[str, Any]]:
    """One row a field, by the names that a file uses."""
    schema = params.model_json_schema(by_alias=True)
    required = schema.get("required", [])
    known = schema.get("$defs", {})
    return [
        {
            "name": name,
            "type": _type(field, known),
            "default": field.get("default"),
            "required": name in required,
            "bounds": ", ".join(dict.fromkeys(_bounds(field))),
            "description": field.get("description", ""),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _type(field: Schema, known: Schema) -> str:
    if "$ref" in field:
        return _reference(field["$ref"], known)
    if "enum" in field:
        return " | ".join(str(value) for value in field["enum"])
    if "const" in field:
        return str(field["const"])
    if "anyOf" in field:
        return " | ".join(dict.fromkeys(_type(option, known) for option in field["anyOf"]))
    if field.get("type") == "array":
        return f"list of {_items(field, known)}"
    return str(field.get("type", "any"))


def _items(field: Schema, known: Schema) -> str:
    options = field.get("prefixItems") or [field.get("items") or {}]
    return " | ".join(dict.fromkeys(_type(option, known) for option in options))


def _reference(reference: str, known: Schema) -> str:
    name = reference.rpartition("/")[2]
    target = known.get(name, {})
    return _type(target, known) if "enum" in target else name


def _bounds(field: Schema) -> Iterator[str]:
    yield from (text.format(field[key]) for key, text in _BOUNDS.items() if key in field)
    items = field.get("items")
    for option in [*field.get("anyOf", ()), *field.get("prefixItems", ()), *([items] if items else ())]:
        yield from _bounds(option)
