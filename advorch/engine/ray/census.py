"""Whether the nodes of a cluster are what the driver is: versions, plugins, code, secrets, and the storage in sight."""

import importlib.metadata
import logging
import os
import platform
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from advorch.errors import AdvorchError, PluginMismatch
from advorch.registry.discovery import discover
from advorch.registry.registry import Registry
from advorch.registry.source import source_digest
from advorch.store.opening import open_store

ANSWER_SECONDS = 120.0
NAMED = 4
HINT = "give every node the same distributions (a plugin may travel: pipeline submit --ship NAME), storage and secrets"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What each node is asked; the flag lies in the storage for as long as the run lasts."""

    components: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    storage: str = ""
    flag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a node has; `lacks` is what it must have whatever the driver has."""

    versions: Mapping[str, str] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()


def check_nodes(registry: Registry, question: Question) -> None:
    """Ask every node once, and raise one error that lists all that differs; a node that is silent is passed by."""
    own = _looked(registry, question)
    found: dict[str, list[str]] = {}
    for node, answer in _answers(question):
        for line in differences(own, answer):
            found.setdefault(line, []).append(node)
    if found:
        lines = "".join(f"\n  {line} ({_named(nodes)})" for line, nodes in sorted(found.items()))
        raise PluginMismatch(f"not every node of the cluster is what the driver is:{lines}", hint=HINT)


def differences(own: Answer, other: Answer) -> list[str]:
    """What another node has otherwise, a line each."""
    lines = [*_between(own.versions, other.versions), *_between(own.plugins, other.plugins)]
    if not lines:  # else the code differs for a reason that is told already
        differing = [name for name, digest in own.code.items() if other.code.get(name) != digest]
        lines += [f"the code of {', '.join(differing[:NAMED])} is another"] if differing else []
    return [*lines, *other.lacks]


def look(question: Question) -> Answer:
    """The answer of the node that this process runs on."""
    return _looked(discover(disabled=question.disabled), question)


def _looked(registry: Registry, question: Question) -> Answer:
    cache: dict[str, Any] = {}
    code = {
        name: source_digest(component, cache=cache)
        for name in question.components
        if (component := registry.find(name)) is not None
    }
    lacks = (*_unset(question.secrets), *_unseen(question))
    return Answer(versions=_versions(), plugins=registry.fingerprint(), code=code, lacks=lacks)


def _versions() -> dict[str, str]:
    """A build for another device is the same version: `2.13.0+cu130` is `2.13.0`."""
    known = {name: importlib.metadata.version(name).partition("+")[0] for name in ("ray", "torch")}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **known}


def _unset(secrets: Collection[str]) -> Iterator[str]:
    yield from (f"the secret {name} is not set there" for name in sorted(secrets) if name not in os.environ)


def _unseen(question: Question) -> Iterator[str]:
    try:
        seen = not question.flag or open_store(question.storage).flag(question.flag)
    except AdvorchError as error:
        yield f"the storage {question.storage} cannot be opened there: {error.message}"
    else:
        if not seen:
            yield f"the storage {question.storage} is another one there"


def _between(own: Mapping[str, str], other: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*own, *other}):
        here, there = own.get(name, "nothing"), other.get(name, "nothing")
        if here != there:
            yield f"{name}: {there} there, {here} here"


def _answers(question: Question) -> Iterator[tuple[str, Answer]]:
    import ray

    asked = {_ask(node["NodeID"], question): node["NodeManagerAddress"] for node in _alive()}
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS)
    for ref in answered:
        yield asked[ref], _answer(ref)
    for ref in silent:
        ray.cancel(ref, force=True)
        log.warning("node %s has not said what it has within %g s", asked[ref], ANSWER_SECONDS)


def _alive() -> list[dict[str, Any]]:
    import ray

    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _ask(node: str, question: Question) -> Any:
    """Softly: a node that goes away now must not hold the run up."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node, soft=True)
    return ray.remote(look).options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote(question)


def _answer(ref: Any) -> Answer:
    """A node that cannot even import the question has no advorch, or another one."""
    import ray

    try:
        answer: Answer = ray.get(ref)
    except ray.exceptions.RayError as error:
        last = [line.strip() for line in str(error).split("\n") if line.strip()][-1]
        return Answer(lacks=(f"advorch does not work there: {last}",))
    return answer


def _named(nodes: Collection[str]) -> str:
    names = sorted(nodes)
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
