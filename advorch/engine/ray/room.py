"""Whether the nodes of a cluster can hold what a stage asks for: a worker lives on one node, a gang on all at once."""

from collections.abc import Collection, Sequence

from advorch.engine.ray.hold import Hold
from advorch.errors import InfrastructureError

ANY_NUMBER = 2**31

Nodes = Sequence[Hold]


def check_room(hold: Hold, workers: int, cell: str, clusters: Collection[Nodes]) -> None:
    """Raise where no waiting helps: none of the clusters seen so far has, or had, the room in pieces large enough."""
    rooms = {sum(times(hold, node) for node in nodes): nodes for nodes in clusters}
    most = max(rooms)
    if most >= workers:
        return
    if not most:
        hint = "a worker lives on one node: ask for less, or for more workers"
        raise InfrastructureError(f"no node has what a worker of {cell} asks for: {shown(hold)}", hint=hint)
    nodes = "; ".join(shown(node) for node in rooms[most])
    raise InfrastructureError(
        f"the {workers} workers of {cell} never fit at once: the nodes ({nodes}) hold {most} of {shown(hold)} each",
        hint="ask for fewer workers, or for less of what is short",
    )


def times(hold: Hold, node: Hold) -> int:
    """How many such workers a node holds at once."""
    pairs = ((hold.cpu, node.cpu), (hold.gpu, node.gpu), (hold.memory, node.memory))
    return min((int(have / need + 1e-9) for need, have in pairs if need), default=ANY_NUMBER)


def shown(hold: Hold) -> str:
    """What is held, in words: `1 cpu, 0.5 gpu`."""
    amounts = [f"{hold.cpu:g} cpu"] if hold.cpu else []
    amounts += [f"{hold.gpu:g} gpu"] if hold.gpu else []
    amounts += [f"{hold.memory / 2**30:.3g} GiB"] if hold.memory else []
    return ", ".join(amounts) or "nothing"
