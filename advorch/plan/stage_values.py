"""The values beside `with:` that a matrix or a parameter may fill: the seed and the limits of a stage."""

from collections.abc import Mapping

from advorch.plan.problems import Problems
from advorch.plan.scope import read
from advorch.plan.work import Draft
from advorch.spec.nodes import Scalar
from advorch.spec.scalars import shown
from advorch.spec.suggest import hint


def read_seed(draft: Draft, problems: Problems) -> int:
    """The stage's `seed:`, else its matrix axis of that name: equal cells with different seeds are replicates."""
    node = draft.stage.seed
    filled = read(node, draft.scope, problems) if node else None
    if node and filled is None:
        return 0
    value = filled.value if filled else draft.axes.get("seed", 0)
    if isinstance(value, bool) or not isinstance(value, int):
        problems.add(
            "E312", f"`seed` takes a whole number, not {shown(value)}", node.mark if node else draft.stage.mark
        )
        return 0
    return value


def read_limits(draft: Draft, declared: Mapping[str, float], problems: Problems) -> dict[str, float]:
    """How much a cell takes of what the pipeline limits."""
    found: dict[str, float] = {}
    for name, node in draft.stage.limits.items():
        amount = _amount(name, node, draft, problems)
        if name not in declared:
            problems.add("E312", f"the pipeline declares no limit '{name}'", node.mark, hint(name, declared))
        elif amount is not None and amount > declared[name]:
            message = f"'{draft.stage.name}' takes {amount:g} of '{name}', and there are {declared[name]:g} in all"
            problems.add("E312", message, node.mark, "lower it, or raise the pipeline's `limits:`")
        elif amount:
            found[name] = amount
    return found


def _amount(name: str, node: Scalar, draft: Draft, problems: Problems) -> float | None:
    filled = read(node, draft.scope, problems)
    if filled is None:
        return None
    value = filled.value
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        problems.add("E312", f"the limit '{name}' takes a number from 0 on, not {shown(value)}", node.mark)
        return None
    return float(value)
