"""What a cluster must have before a run begins on it: the driver the secrets, each node all that the driver has."""

import logging
import os
import platform

from advorch.engine.task import flags_of
from advorch.errors import InfrastructureError, StoreError
from advorch.plan.plan import Plan
from advorch.registry.registry import Registry
from advorch.session.secrets import cells_at_work, secrets_of
from advorch.store.api import Store

log = logging.getLogger(__name__)


def check_driver(plan: Plan) -> None:
    """The secrets that the plan speaks of are set in this process."""
    unset = [name for name in secrets_of(plan) if name not in os.environ]
    if unset:
        raise InfrastructureError(
            f"the driver on {platform.node()} does not have the secrets {', '.join(unset)}",
            hint="set the environment variables of these names on the cluster: their values do not travel",
        )


def check_cluster(plan: Plan, registry: Registry, store: Store, run: str, disabled: tuple[str, ...]) -> None:
    """The same on every node, with the driver's versions, plugins and code, and its storage in sight."""
    from advorch.engine.ray.census import Question, check_nodes

    flag = f"{flags_of(run)}/census"
    store.raise_flag(flag)
    components = {cell.component.id for cell in cells_at_work(plan)}
    question = Question(
        components=tuple(sorted(components)), disabled=disabled, secrets=secrets_of(plan), storage=store.url, flag=flag
    )
    check_nodes(registry, question)


def lower_flags(store: Store, run: str) -> None:
    """Nobody is to obey what an earlier run of this name left, nor a later one what this one leaves."""
    try:
        store.clear_flags(flags_of(run))
    except StoreError as error:
        log.warning("the flags of run %s stay in the storage: %s", run, error.message)
