"""The base of every component's parameters, and the field types with a meaning of their own."""

import json
import re
import types
import typing
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

_RATIONAL = re.compile(r"\s*[-+]?\d+(\.\d+)?\s*/\s*\d+(\.\d+)?\s*")


class Params(BaseModel):
    """Frozen, strict, and without unknown fields; `8/255` is a number where a number is expected."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, populate_by_name=True, allow_inf_nan=False, validate_default=True
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
        fields = {field.alias or name: field.annotation for name, field in cls.model_fields.items()}
        return {key: _rational(value, fields.get(key)) for key, value in values.items()}


def _rational(value: object, annotation: object) -> object:
    if isinstance(value, list):
        inner = next((arg for arg in typing.get_args(annotation) if accepts_float(arg)), None)
        return [_rational(item, inner) for item in value]
    if isinstance(value, str) and accepts_float(annotation) and _RATIONAL.fullmatch(value):
        top, bottom = value.split("/")
        return float(Fraction(top.strip()) / Fraction(bottom.strip())) if Fraction(bottom.strip()) else value
    return value


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


Location = Annotated[str, LocationMark()]

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
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


class DatasetRef(Ref):
    """A dataset."""

    family: ClassVar[str] = "dataset"


def location_fields(params: type[BaseModel]) -> frozenset[str]:
    """The file names of the fields that say where data lies."""
    return frozenset(
        field.alias or name
        for name, field in params.model_fields.items()
        if any(isinstance(mark, LocationMark) for mark in field.metadata)
    )


def expand(location: str) -> Path:
    """A Location as a path, with `~` resolved."""
    return Path(location).expanduser()


__all__ = [
    "AttackRef", "Count", "DatasetRef", "Location", "ModelRef", "NonNegative", "Params", "Positive", "Ref", "Share",
    "accepts_float", "expand", "location_fields",
]  # fmt: skip
