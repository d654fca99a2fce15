"""Components by the name that a file gives them."""

from advorch.components import AnyComponent, Kind, StageComponent
from advorch.errors import UnknownComponent
from advorch.plan.problems import Problems
from advorch.plan.scope import Scope, read
from advorch.registry.registry import Registry
from advorch.spec.nodes import Scalar
from advorch.spec.scalars import shown


def find_component(
    node: Scalar, scope: Scope, registry: Registry, problems: Problems, *, family: str = ""
) -> AnyComponent | None:
    """What `uses:` names, `${...}` filled in; a family is put before a name that stands without one."""
    filled = read(node, scope, problems)
    if filled is None:
        return None
    if not isinstance(filled.value, str):
        problems.add("E301", f"`uses` takes a name, not {shown(filled.value)}", node.mark)
        return None
    return _find(filled.value, node, registry, problems, family)


def _find(name: str, node: Scalar, registry: Registry, problems: Problems, family: str) -> AnyComponent | None:
    try:
        component = registry.component(f"{family}/{name}" if family else name)
    except UnknownComponent as error:
        bare = name.removeprefix(f"{family}/")
        known = family and bare != name and registry.find(f"{family}/{bare}")
        problems.add("E301", error.message, node.mark, f"write '{bare}'" if known else error.hint)
        return None
    if not family and not isinstance(component, StageComponent):
        kinds = ", ".join(kind.value for kind in Kind)
        problems.add("E302", f"{component.id} cannot be a stage", node.mark, f"a stage uses one of: {kinds}")
        return None
    return component
