"""What can go wrong between an attack, its victim and whoever judges."""

from advorch.errors import ErrorClass, StageFailed


class AccessDenied(StageFailed):
    """The attack asked its victim for more than it declared."""


class ContractBroken(StageFailed):
    """The attack returned something that no attacker of this threat model may return."""


class UnusableModel(StageFailed):
    """What the model returns cannot be attacked: the wrong shape or kind, or nothing to differentiate."""


class UnusableData(StageFailed):
    """The samples are not in the box that they are said to come from, or not finite."""


def access_denied(asked: str, granted: str) -> AccessDenied:
    """For an attack that declared `granted` and asked for `asked`."""
    hint = f"declare access '{asked}' in the attack's ThreatModel"
    message = f"the attack may see {granted} and asked for {asked}"
    return AccessDenied(message, error_class=ErrorClass.USER, hint=hint)


def contract_broken(attack: str, what: str) -> ContractBroken:
    """Names the attack, since nobody else can mend it."""
    return ContractBroken(f"{attack} {what}", error_class=ErrorClass.USER, hint="this is a defect of the attack")


def unusable_model(what: str, hint: str = "") -> UnusableModel:
    """For a model that an attack cannot work on."""
    return UnusableModel(what, error_class=ErrorClass.USER, hint=hint)


def unusable_data(what: str, hint: str = "") -> UnusableData:
    """For data that breaks its own description."""
    return UnusableData(what, error_class=ErrorClass.USER, hint=hint)
