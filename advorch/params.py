"""The base of every component's parameters, and the field types with a meaning of their own."""

import itertools
import json
import os
import re
import types
import typing
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.fields import FieldInfo

from advorch.errors import UsageError

_VARIABLE = re.compile(r"\$\{?(?P<name>\w+)")
_RATIONAL = re.compile(r"\s*[-+]?\d+(\.\d+)?\s*/\s*\d+(\.\d+)?\s*")


class Params(BaseModel):
    """Frozen, strict, and without unknown fields; `8/255` is a number where a number is expected."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        populate_by_name=True,
        allow_inf_nan=False,
        validate_default=True,
        defer_build=True,  # of the many classes that the plugins bring, a pipeline uses a few
    )

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Validate plain JSON values as they come from a file: enum members by value, lists as tuples."""
        return cls.model_validate_json(json.dumps(values))

    def plain(self) -> dict[str, JsonValue]:
        """The complete JSON form, defaults included, under the names that a file uses."""
        return self.model_dump(mode="json", by_alias=True)

    @model_validator(mode="before")
    @classmethod
    def _read_rationals(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        fields = {key: field.annotation for name, field in cls.model_fields.items() for key in (name, field.alias)}
        return {key: _rational(value, fields.get(key)) for key, value in values.items()}


def _rational(value: object, annotation: object) -> object:
    if isinstance(value, list):
        return _sequence(value, annotation)
    if isinstance(value, str) and accepts_float(annotation) and _RATIONAL.fullmatch(value):
        top, bottom = value.split("/")
        return float(Fraction(top.strip()) / Fraction(bottom.strip())) if Fraction(bottom.strip()) else value
    return value


def _sequence(values: list[Any], annotation: object) -> object:
    """A list as the sequence that the field holds: after a `before` validator, strict mode takes none for a tuple."""
    for option in _options(annotation):
        origin, args = typing.get_origin(option), typing.get_args(option)
        if origin is tuple and Ellipsis not in args:
            return tuple(_rational(item, kind) for item, kind in itertools.zip_longest(values, args[: len(values)]))
        if origin in (tuple, list):
            return origin(_rational(item, args[0]) for item in values)
        if origin in (frozenset, set) and all(isinstance(item, str | float | int) for item in values):
            return origin(_rational(item, args[0]) for item in values)
    return values


def _options(annotation: object) -> Iterator[object]:
    """What a field may hold, one by one, looking through Annotated, Optional and unions."""
    if typing.get_origin(annotation) is Annotated:
        yield from _options(typing.get_args(annotation)[0])
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for option in typing.get_args(annotation):
            yield from _options(option)
    else:
        yield annotation


def accepts_float(annotation: object) -> bool:
    """Whether a field annotated so takes a float, looking through Annotated, Optional and unions."""
    if annotation is float:
        return True
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, Annotated):
        return any(accepts_float(arg) for arg in typing.get_args(annotation))
    return False


class LocationMark:
    """Marks a field whose value says where data lies: left out of the key, its content stands for it."""


class SecretMark:
    """Marks a field that names a secret: never hashed, never printed."""


class SecretName(Params):
    """A secret by name, as `{secret: NAME}`: what travels, is shown and is kept is the name alone."""

    secret: str

    def reveal(self) -> str:
        """The value, from the environment of the process that needs it."""
        value = os.environ.get(self.secret)
        if value is None:
            hint = "set the environment variable of that name where the stage runs"
            raise UsageError(f"the secret '{self.secret}' is not known here", hint=hint)
        return value


Secret = Annotated[SecretName, SecretMark()]
Location = Annotated[str, LocationMark()]

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Ref(Params):
    """A component named inside another component's parameters; checked when the run is planned."""

    family: ClassVar[str] = ""

    uses: str
    with_: Annotated[dict[str, JsonValue], Field(alias="with")] = {}

    @property
    def id(self) -> str:
        return f"{self.family}/{self.uses}"


class AttackRef(Ref):
    """An attack with its threat settings (epsilon, norm) and its own parameters, flat."""

    family: ClassVar[str] = "attack"


class ModelRef(Ref):
    """An architecture."""

    family: ClassVar[str] = "model"


class PartRef(Ref):
    """What a training brings besides its loss."""

    family: ClassVar[str] = "part"


class DatasetRef(Ref):
    """A dataset."""

    family: ClassVar[str] = "dataset"


def location_fields(params: type[BaseModel]) -> frozenset[str]:
    """The file names of the fields that say where data lies."""
    return frozenset(
        field.alias or name for name, field in params.model_fields.items() if is_marked(field, LocationMark)
    )


def is_marked(field: FieldInfo, mark: type) -> bool:
    """Whether a field, or something that it may hold, carries a mark: `Location | None` is a Location too."""
    return any(isinstance(item, mark) for item in field.metadata) or _holds(field.annotation, mark)


def _holds(annotation: object, mark: type) -> bool:
    if typing.get_origin(annotation) is Annotated:
        kind, *marks = typing.get_args(annotation)
        return any(isinstance(item, mark) for item in marks) or _holds(kind, mark)
    return any(_holds(option, mark) for option in typing.get_args(annotation))


def expand(location: str) -> Path:
    """A Location as a path, with `~` and `$VARIABLES` resolved on the machine that reads it."""
    path = Path(os.path.expandvars(location)).expanduser()
    unset = _VARIABLE.search(str(path))
    if unset:
        message = f"{location}: the environment has no {unset['name']}"
        raise UsageError(message, hint=f"export {unset['name']}=..., or name the folder with -S")
    return path


__all__ = [
    "AttackRef", "Count", "DatasetRef", "Location", "ModelRef", "Natural", "NonNegative", "Params", "PartRef",
    "Positive", "Ref", "Secret", "Share", "accepts_float", "expand", "location_fields",
]  # fmt: skip
