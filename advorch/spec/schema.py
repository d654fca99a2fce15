"""The JSON Schema of a pipeline file, for editors: drawn from the same table as the checks."""

from collections.abc import Iterable, Mapping
from typing import Any

from advorch.spec.component_schema import OPEN, component_definitions, definition_name
from advorch.spec.kinds import Settled
from advorch.spec.shape import SECTIONS, Either, Free, ListOf, Section, Shape

Schema = dict[str, Any]

_DATASET = "dataset/"
_NULL: Schema = {"type": "null"}
_PRIVATE = "^x-"


def pipeline_schema(component_schemas: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Draft 2020-12 for a whole file; `with:` is checked by the schema of the component that `uses:` names.

    `component_schemas` maps ids such as `attack/pgd` and `dataset/mnist` to the schemas of their parameters.
    """
    definitions = {name: _section(section) for name, section in SECTIONS.items() if name != "pipeline"}
    stages = {name: schema for name, schema in component_schemas.items() if not name.startswith(_DATASET)}
    datasets = {name: schema for name, schema in component_schemas.items() if name.startswith(_DATASET)}
    definitions["stage"] |= _components("stage", stages, "") | {"anyOf": [{"required": ["uses"]}, _SWEEP, _NULL]}
    definitions["dataset"] |= _components("dataset", datasets, _DATASET)
    for name, schema in component_schemas.items():
        definitions |= component_definitions(name, schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "advorch pipeline",
        **_section(SECTIONS["pipeline"]),
        "type": "object",
        "$defs": definitions,
    }


_SWEEP: Schema = {"required": ["tune", "stages", "out"]}


def _components(section: str, schemas: Mapping[str, dict[str, Any]], prefix: str) -> Schema:
    """For each component: if it is used, then these are its parameters."""
    if not schemas:
        return {}
    names = {name.removeprefix(prefix): name for name in schemas}
    own = _section(SECTIONS[section])
    own["properties"]["uses"] = {"anyOf": [{"enum": sorted(names)}, OPEN]}
    rules = [_rule(short, definition_name(name), schemas[name]) for short, name in names.items()]
    return {"properties": own["properties"], "allOf": rules}


def _rule(used: str, definition: str, schema: dict[str, Any]) -> Schema:
    needed = schema.get("required")
    then: Schema = {"properties": {"with": {"anyOf": [{"$ref": f"#/$defs/{definition}"}, _NULL]}}}
    if needed:
        then = {"properties": {"with": {"$ref": f"#/$defs/{definition}"}}, "required": ["with"]}
    return {"if": {"properties": {"uses": {"const": used}}, "required": ["uses"]}, "then": then}


def _shape(shape: Shape) -> Schema:
    if isinstance(shape, str):
        return {"$ref": f"#/$defs/{shape}"}
    match shape:
        case Section():
            return _section(shape)
        case ListOf():
            return _list(shape)
        case Free():
            return {"type": ["object", "null"]} if shape.component or shape.environment else {}
        case Either():
            return _any(_shape(option) for option in (shape.value, shape.list, shape.map) if option is not None)
        case _:
            return _any([shape.schema(), *([] if shape.settled is Settled.NEVER else [OPEN]), _NULL])


def _section(section: Section) -> Schema:
    """A map; an empty one may be written as nothing at all."""
    schema: Schema = {"type": ["object", "null"], "additionalProperties": False}
    if section.fields:
        schema["properties"] = {
            key: _needed(_shape(shape)) if key in section.required else _shape(shape)
            for key, shape in section.fields.items()
        }
    schema["patternProperties"] = {_PRIVATE: {}}
    if section.rest is not None:
        pattern = section.rest_name.pattern.pattern if section.rest_name and section.rest_name.pattern else ".*"
        schema["patternProperties"][f"^(?!x-){_but(section.fields)}(?:{pattern})$"] = _shape(section.rest)
    if section.required:
        schema["required"] = list(section.required)
    if section.least:
        schema["minProperties"] = section.least
    return schema


def _but(fields: Iterable[str]) -> str:
    """Names that are not further ones, for they have a meaning of their own."""
    return "".join(f"(?!{name}$)" for name in fields)


def _needed(schema: Schema) -> Schema:
    options = [option for option in schema.get("anyOf", ()) if option != _NULL]
    return _any(options) if options else schema


def _list(shape: ListOf) -> Schema:
    item = _shape(shape.item)
    array: Schema = {"type": "array", "items": _needed(item)}
    if shape.least:
        array["minItems"] = shape.least
    return _any([array, *([item] if shape.lone else []), _NULL])


def _any(options: Iterable[Schema]) -> Schema:
    """Any of these, without an `anyOf` in an `anyOf`."""
    flat: list[Schema] = []
    for option in options:
        inner = option["anyOf"] if set(option) == {"anyOf"} else [option]
        flat += [schema for schema in inner if schema not in flat]
    return flat[0] if len(flat) == 1 else {"anyOf": flat}
