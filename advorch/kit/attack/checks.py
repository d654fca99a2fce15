"""Whether an attack can do what it is asked for, from what it declares."""

from typing import Any

from advorch.artifacts import Signature
from advorch.components import Attack
from advorch.errors import ErrorClass, StageFailed
from advorch.settings import ThreatSettings
from advorch.threat import Access, Goal


def check_threat(attack: Attack[Any], settings: ThreatSettings) -> None:
    """Whether the attack knows the norm and the goal."""
    if settings.norm not in attack.threat.norms:
        hint = f"its norms: {', '.join(sorted(attack.threat.norms))}"
        raise _refused(f"{attack.id} does not work in {settings.norm.value}", hint)
    goal = Goal.TARGETED if settings.targeted else Goal.UNTARGETED
    if goal not in attack.threat.goals:
        hint = f"its goals: {', '.join(sorted(attack.threat.goals))}"
        raise _refused(f"{attack.id} has no {goal.value} form", hint)


def check_access(attack: Attack[Any], granted: Access) -> None:
    """Whether the model grants what the attack needs."""
    if not granted.allows(attack.threat.access):
        hint = "use an attack that needs less, or attack a substitute and transfer"
        raise _refused(f"{attack.id} needs {attack.threat.access.value} and the model grants {granted.value}", hint)


def check_open(label: str, granted: Access) -> None:
    """Whether a surrogate grants its gradients, without which it is of no use."""
    if not granted.allows(Access.GRADIENTS):
        raise _refused(f"surrogate '{label}' grants {granted.value} and has to grant gradients", "")


def check_fit(model: Signature, data: Signature) -> None:
    """Whether the model was made for samples of this shape and these classes."""
    if model.shape != data.shape:
        raise _refused(f"the model takes samples of shape {model.shape}, the data has {data.shape}", "")
    if len(model.classes) != len(data.classes):
        raise _refused(f"the model knows {len(model.classes)} classes, the data has {len(data.classes)}", "")


def check_same_samples(what: str, found: Signature, data: Signature) -> None:
    """Whether samples that the attacker has besides are of the shape of those under attack."""
    if found.shape != data.shape:
        raise _refused(f"{what} are of shape {found.shape}, the data is of shape {data.shape}", "")


def _refused(message: str, hint: str) -> StageFailed:
    return StageFailed(message, error_class=ErrorClass.USER, hint=hint)
