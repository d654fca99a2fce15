"""Parameters against the schema of their component, with the components nested in them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError, create_model

from advorch.canonical import Json
from advorch.components import AnyComponent
from advorch.errors import UnknownComponent
from advorch.params import LocationMark, Params, Ref, SecretMark, is_marked
from advorch.plan.complaints import Complaint, Path, Suggest, complaints
from advorch.registry.registry import Registry

Report = Callable[[str, Complaint], None]


class Place(NamedTuple):
    """A location that parameters name, and the path of the parameter that does."""

    path: Path
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Valid parameters: complete as `plain`, and as `hashed` without locations and secrets."""

    component: AnyComponent
    model: Params
    plain: Mapping[str, Json]
    hashed: Mapping[str, Json]
    locations: tuple[Place, ...] = ()
    nested: tuple["Nested", ...] = ()

    def everything(self, path: Path = ()) -> Iterator[tuple[Path, "Checked"]]:
        """These parameters and those of every nested component, each with the path of its map."""
        yield path, self
        for item in self.nested:
            yield from item.checked.everything((*path, *item.path, "with"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """A component that is named at a path of another's parameters."""

    path: Path
    ref: Ref
    checked: Checked


class Field(NamedTuple):
    """A field of a schema: its name in Python and in a file, and whether the key leaves it out."""

    attribute: str
    key: str
    location: bool
    secret: bool


class ParameterCheck:
    """Schemas are joined and their fields looked through once a component, not once a cell."""

    def __init__(self, registry: Registry, suggest: Suggest) -> None:
        self._registry = registry
        self._suggest = suggest
        self._schemas: dict[tuple[str, bool], type[Params]] = {}
        self._fields: dict[type[BaseModel], tuple[Field, ...]] = {}

    def check(self, component: AnyComponent, values: Mapping[str, Json], report: Report) -> Checked | None:
        """A stage's or a dataset's parameters; None after a problem."""
        return self._check(component, self.schema(component), values, report)

    def check_settled(
        self, component: AnyComponent, values: Mapping[str, Json], left_open: frozenset[str], report: Report
    ) -> Checked | None:
        """The parameters that are known while others are still open: each by itself, and what is nested in them."""
        schema = self.schema(component)
        known = {
            name: (field.annotation, field)
            for name, field in schema.model_fields.items()
            if not {name, field.alias} & left_open
        }
        partial: type[Params] = create_model(component.name, __base__=Params, **known)  # type: ignore[call-overload]
        return self._check(component, partial, values, report, allowed=schema)

    def schema(self, component: AnyComponent, *, nested: bool = False) -> type[Params]:
        """The joined schema of a component, where it stands alone or inside another."""
        key = (component.id, nested)
        if key not in self._schemas:
            self._schemas[key] = component.nested_schema() if nested else component.schema()
        return self._schemas[key]

    def _check(
        self,
        component: AnyComponent,
        schema: type[Params],
        values: Mapping[str, Json],
        report: Report,
        allowed: type[Params] | None = None,
    ) -> Checked | None:
        try:
            model = schema.parse(values)
        except ValidationError as error:
            details = error.errors(include_url=False)
            for item in complaints(details, allowed or schema, values, component.id, self._suggest):
                report("E310", item)
            return None
        return self._complete(component, model, report)

    def _complete(self, component: AnyComponent, model: Params, report: Report) -> Checked | None:
        walker = _Walk(self, report)
        plain, hashed = walker.visit(model, model.plain(), ())
        if walker.failed:
            return None
        return Checked(
            component=component,
            model=model,
            plain=plain,
            hashed=hashed,
            locations=tuple(walker.locations),
            nested=tuple(walker.nested),
        )

    def fields(self, schema: type[BaseModel]) -> tuple[Field, ...]:
        """What a walk must know of every field."""
        if schema not in self._fields:
            self._fields[schema] = tuple(
                Field(
                    attribute=name,
                    key=field.serialization_alias or field.alias or name,
                    location=is_marked(field, LocationMark),
                    secret=is_marked(field, SecretMark),
                )
                for name, field in schema.model_fields.items()
            )
        return self._fields[schema]

    def nested(self, ref: Ref, path: Path, report: Report) -> Checked | None:
        """The component that a reference in parameters names, with its own parameters checked."""
        component = self._resolve(ref, path, report)
        if component is None:
            return None
        return self._check(component, self.schema(component, nested=True), ref.with_, _at(report, (*path, "with")))

    def _resolve(self, ref: Ref, path: Path, report: Report) -> AnyComponent | None:
        place = (*path, "uses")
        try:
            component = self._registry.component(ref.id)
        except UnknownComponent as error:
            bare = ref.uses.removeprefix(f"{ref.family}/")
            known = bare != ref.uses and self._registry.find(f"{ref.family}/{bare}")
            report("E301", Complaint(place, error.message, f"write '{bare}'" if known else error.hint))
            return None
        if component.family != ref.family:
            message = f"{component.id} is a whole stage and cannot be used inside another component"
            report("E302", Complaint(place, message))
            return None
        return component


class _Walk:
    """Goes through a validated model beside its plain form and replaces every reference by its complete form."""

    def __init__(self, checks: ParameterCheck, report: Report) -> None:
        self._checks = checks
        self._report = report
        self.nested: list[Nested] = []
        self.locations: list[Place] = []
        self.failed = False

    def visit(self, value: object, plain: Any, path: Path) -> tuple[Any, Any]:
        if isinstance(value, Ref) and value.family:
            return self._reference(value, path)
        if isinstance(value, BaseModel):
            return self._model(value, plain, path)
        if isinstance(value, Mapping):
            pairs = {key: self.visit(value[key], plain[key], (*path, key)) for key in plain if key in value}
            return {key: pair[0] for key, pair in pairs.items()}, {key: pair[1] for key, pair in pairs.items()}
        if isinstance(value, list | tuple):
            items = [self.visit(item, plain[index], (*path, index)) for index, item in enumerate(value)]
            return [item[0] for item in items], [item[1] for item in items]
        if isinstance(value, set | frozenset):
            plain = sorted(plain, key=repr)
        return plain, plain

    def _model(self, value: BaseModel, plain: Any, path: Path) -> tuple[Any, Any]:
        complete: dict[str, Any] = {}
        hashed: dict[str, Any] = {}
        for field in self._checks.fields(type(value)):
            held = getattr(value, field.attribute)
            complete[field.key], visible = self.visit(held, plain[field.key], (*path, field.key))
            if field.location:
                self.locations += [Place((*path, field.key), text) for text in _texts(plain[field.key])]
            elif not field.secret:
                hashed[field.key] = visible
        return complete, hashed

    def _reference(self, ref: Ref, path: Path) -> tuple[Any, Any]:
        checked = self._checks.nested(ref, path, self._report)
        if checked is None:
            self.failed = True
            return None, None
        self.nested.append(Nested(path=path, ref=ref, checked=checked))
        return {"uses": ref.uses, "with": checked.plain}, {"uses": ref.uses, "with": checked.hashed}


def _texts(plain: Json) -> list[str]:
    """The texts in a value, in order."""
    if isinstance(plain, str):
        return [plain]
    items = plain.values() if isinstance(plain, Mapping) else plain if isinstance(plain, list) else ()
    return [text for item in items for text in _texts(item)]


def _at(report: Report, prefix: Path) -> Report:
    def prefixed(code: str, complaint: Complaint) -> None:
        report(code, complaint.below(prefix))

    return prefixed
