"""The order of cells: every cell after what it reads, ties in the order of the file."""

import heapq
from collections.abc import Iterable, Mapping, Sequence


def topological(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Names after all that they depend on, otherwise as given; those on or behind a cycle are left out."""
    position = {name: index for index, name in enumerate(edges)}
    names = list(edges)
    waiting = {name: {before for before in edges[name] if before in position} for name in names}
    followers = reverse(waiting)
    ready = [position[name] for name in names if not waiting[name]]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        for follower in followers.get(name, ()):
            waiting[follower].discard(name)
            if not waiting[follower]:
                heapq.heappush(ready, position[follower])
    return order


def find_cycle(edges: Mapping[str, Iterable[str]], left: Sequence[str]) -> list[str]:
    """One cycle among the names that could not be ordered, from its first name back to it, along the data's flow."""
    stuck = set(left)
    seen: dict[str, int] = {}
    trail: list[str] = []
    name = left[0]
    while name not in seen:
        seen[name] = len(trail)
        trail.append(name)
        name = next(before for before in sorted(edges[name]) if before in stuck)
    loop = [*trail[seen[name] :], name][::-1]
    return _from_first(loop, left)


def ancestors(edges: Mapping[str, Iterable[str]], targets: Iterable[str]) -> set[str]:
    """Everything that the targets need, themselves not counted unless another needs them."""
    found: set[str] = set()
    waiting = list(targets)
    while waiting:
        new = [before for before in edges.get(waiting.pop(), ()) if before not in found]
        found.update(new)
        waiting += new
    return found


def reverse(edges: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Who depends on whom, seen from the other side."""
    found: dict[str, list[str]] = {name: [] for name in edges}
    for name, befores in edges.items():
        for before in befores:
            found.setdefault(before, []).append(name)
    return found


def _from_first(loop: list[str], order: Sequence[str]) -> list[str]:
    """The loop turned so that it starts with the name that stands first in the file."""
    body = loop[:-1]
    start = min(range(len(body)), key=lambda index: order.index(body[index]))
    return [*body[start:], *body[:start], body[start]]
