"""AutoAttack and the cascade, described; implemented in autoattack.py and cascade.py."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from advorch.api import Access, AnyComponent, Attack, AttackFn, Count, Norm, Params, ThreatModel

_BALLS = frozenset({Norm.LINF, Norm.L2, Norm.L1})


class AutoAttackParams(Params):
    """The parameters that the authors fixed, for whoever knows why to change them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"steps": 5, "targets": 2, "queries": 15, "restarts": 1}]}
    )

    version: Annotated[
        Literal["standard", "plus", "rand"],
        Field(description="the usual four attacks, all six with restarts, or two for a model that draws"),
    ] = "standard"
    steps: Annotated[Count, Field(description="gradient steps of each ascent and each walk")] = 100
    restarts: Annotated[
        Count | None, Field(description="of the untargeted attacks; by default the version's, 1 or 5")
    ] = None
    targets: Annotated[Count, Field(description="likeliest wrong classes that the targeted attacks try")] = 9
    queries: Annotated[Count, Field(description="questions of Square for a sample that withstands")] = 5000
    draws: Annotated[Count | None, Field(description="gradients in one mean; by default the version's, 1 or 20")] = None
    precision: Annotated[
        Literal["fp32", "bf16"], Field(description="of the searches; what they find is judged in fp32 either way")
    ] = "fp32"


def _autoattack() -> AttackFn[AutoAttackParams]:
    from advorch_builtins.attacks.autoattack import perturb

    return perturb


def _cascade() -> AttackFn[AutoAttackParams]:
    from advorch_builtins.attacks.cascade import perturb

    return perturb


AUTOATTACK = Attack(
    name="autoattack",
    summary="APGD, FAB and Square one after the other on whoever still stands: the usual yardstick of robustness",
    params=AutoAttackParams,
    load=_autoattack,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, stochastic=True),
)

CASCADE = Attack(
    name="cascade",
    summary="AutoAttack behind attacks that cost a hundredth of it: the same verdict for less",
    params=AutoAttackParams,
    load=_cascade,
    threat=ThreatModel(access=Access.GRADIENTS, norms=_BALLS, stochastic=True),
)

COMPONENTS: tuple[AnyComponent, ...] = (AUTOATTACK, CASCADE)
