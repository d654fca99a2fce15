"""Which cells of a plan are wanted: `--only`, `--from`, `--until`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from advorch.errors import UsageError
from advorch.plan.order import ancestors, reverse
from advorch.plan.references import parse_reference
from advorch.spec.suggest import hint

Labels = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Stages or cells by reference; empty means everything."""

    only: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    until: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What may run, and what the chosen cells read but which must come from the cache."""

    run: frozenset[str]
    reuse: frozenset[str]


def choose(selection: Selection, edges: Mapping[str, Iterable[str]], stages: Mapping[str, Labels]) -> Chosen:
    """`only` runs just these, `from_` these and what follows, `until` these and what they need; all three intersect."""
    run = set(edges)
    if selection.until:
        last = _named(selection.until, "--until", stages)
        run &= last | ancestors(edges, last)
    if selection.from_:
        first = _named(selection.from_, "--from", stages)
        run &= first | ancestors(reverse(edges), first)
    if selection.only:
        run &= _named(selection.only, "--only", stages)
    return Chosen(run=frozenset(run), reuse=frozenset(ancestors(edges, run) - run))


def _named(words: Iterable[str], flag: str, stages: Mapping[str, Labels]) -> set[str]:
    return {address for word in words for address in find_cells(word, stages, flag)}


def forced(words: Iterable[str], stages: Mapping[str, Labels]) -> frozenset[str]:
    """The cells that `--force` names by stage or cell; `all` names every one."""
    chosen = set(words)
    if "all" in chosen:
        return frozenset(address for cells in stages.values() for address in cells)
    return frozenset(_named(chosen, "--force", stages))


def find_cells(word: str, stages: Mapping[str, Labels], flag: str) -> list[str]:
    """The cells of a stage, or those that `stage[axis=value]` or a glob means; UsageError if there are none."""
    reference = parse_reference(word)
    if reference is None or reference.port or reference.name not in stages:
        raise UsageError(f"{flag} {word}: there is no such stage", hint=hint(word, list(stages)))
    cells = stages[reference.name]
    if not reference.bracketed:
        return list(cells)
    found = [address for address, labels in cells.items() if reference.matches(labels)]
    if not found:
        raise UsageError(f"{flag} {word}: there is no such cell", hint=hint(word, list(cells)))
    return found
