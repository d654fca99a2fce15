"""What is asked of an autoscaler, and whether the head of a shared cluster is there."""

import itertools
import socket
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from advorch.engine.ray import growth, head
from advorch.engine.ray.growth import Growth
from advorch.engine.ray.head import Head
from advorch.engine.ray.hold import Hold
from advorch.engine.ray.steward import Steward, bundles_of, wishes_of
from advorch.engine.slots import Slots
from advorch.errors import InfrastructureError

# What is asked of the autoscaler


def test_a_gang_is_wished_for_by_its_workers() -> None:
    assert bundles_of({"turns": 1, "workers": 2, "cpu": 4, "gpu": 2}) == (Hold(2, 1), Hold(2, 1))
    assert bundles_of({"turns": 1, "workers": 1}) == ()
    wishes = wishes_of({frozenset({("cpu", 1.0), ("workers", 1.0)}): 2}, {Hold(1, 0): 3, Hold(2, 0): 0})
    assert wishes == {(Hold(1, 0),): 5}
    waiting = frozenset({("cpu", 1.0), ("gpu", 1.0), ("workers", 1.0)})
    assert list(wishes_of({waiting: 1}, {Hold(1, 0): 9})) == [(Hold(1, 1),), (Hold(1, 0),)], "who waits comes first"


class Groups:
    """Placement groups as numbers, and the clock."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.asked: list[Any] = []
        self.there: set[int] = set()
        self.removed: list[int] = []
        patch.setattr(growth, "_group", self._group)
        patch.setattr(growth, "_is_there", lambda group: group in self.there)
        patch.setattr(growth, "_remove", self.removed.append)
        patch.setattr("time.monotonic", lambda: self.now)

    def _group(self, wish: Any) -> int:
        self.asked.append(wish)
        return len(self.asked)


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> Groups:
    return Groups(monkeypatch)


WISH = (Hold(1, 1),)


def test_what_has_waited_for_a_while_is_asked_for_once(groups: Groups) -> None:
    asking = Growth()
    asking.ask({WISH: 2})
    assert groups.asked == []
    groups.now = growth.PATIENCE
    for _ in range(3):
        asking.ask({WISH: 2})
    assert groups.asked == [WISH, WISH]


def test_what_came_makes_room_at_once_and_what_is_not_wanted_is_withdrawn(groups: Groups) -> None:
    asking = Growth()
    asking.ask({WISH: 2})
    groups.now = growth.PATIENCE
    asking.ask({WISH: 2})
    groups.there = {1}
    asking.ask({WISH: 1})
    assert groups.removed == [1]
    asking.withdraw()
    assert groups.removed == [1, 2]


def test_a_cluster_grows_in_steps(groups: Groups) -> None:
    asking = Growth()
    asking.ask({WISH: 1000})
    groups.now = growth.PATIENCE
    asking.ask({WISH: 1000})
    assert len(groups.asked) == growth.MOST_ASKED


def test_thousands_of_one_kind_do_not_keep_another_waiting(groups: Groups) -> None:
    asking, many = Growth(), {(Hold(1, 0),): 1000, WISH: 1}
    asking.ask(many)
    groups.now = growth.PATIENCE
    asking.ask(many)
    assert groups.asked.count(WISH) == 1


def test_nothing_is_asked_for_after_the_end(groups: Groups) -> None:
    asking = Growth()
    asking.ask({WISH: 1})
    asking.withdraw()
    groups.now = growth.PATIENCE
    for _ in range(2):
        asking.ask({WISH: 1})
    assert groups.asked == []


def test_a_round_that_fails_is_told_once_and_the_rounds_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("advorch.engine.ray.steward.may_grow", lambda: False)
    monkeypatch.setattr("advorch.engine.ray.steward.ROUND_SECONDS", 0.0)
    answers = iter([{"CPU": 1.0}])
    gone, rounds = threading.Event(), itertools.count()

    def capacity() -> dict[str, float]:
        if (found := next(answers, None)) is not None:
            return found
        if next(rounds) == 3:
            gone.set()
        raise KeyError("surprise")

    cluster: Any = SimpleNamespace(capacity=capacity, nodes=list)
    pool: Any = SimpleNamespace()
    steward = Steward(cluster, pool, Head())
    steward.serve(Slots({}))
    assert gone.wait(10)
    steward.dismiss()
    assert caplog.text.count("looking after the cluster failed") == 1


@pytest.mark.parametrize(
    ("labels", "status", "grows"),
    [
        ({}, b"", False),
        ({"ray.io/node-group": ""}, b"", False),
        ({"ray.io/node-group": "head"}, b"", True),
        ({}, b'{"autoscaler_report": {"node_type_mapping": {"a": "node_ab12"}}}', False),
        ({}, b'{"autoscaler_report": {"node_type_mapping": {"a": "ray.head.default"}}}', True),
        ({}, b'{"autoscaler_report": null}', False),
    ],
)
def test_a_cluster_grows_if_its_kinds_of_nodes_have_names(
    monkeypatch: pytest.MonkeyPatch, labels: Mapping[str, str], status: bytes, grows: bool
) -> None:
    import ray

    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Labels": labels}])
    monkeypatch.setattr("ray.experimental.internal_kv._internal_kv_get", lambda key: status or None)
    assert growth.may_grow() is grows


# The head


@pytest.fixture
def listener() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address_of(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_head_that_answers_explains_nothing(listener: socket.socket) -> None:
    there = Head(address_of(listener))
    there.explain()
    assert not there.is_lost


def test_a_private_cluster_has_no_head_to_lose() -> None:
    assert Head().listen()


def test_a_head_is_given_up_after_a_while_and_not_before(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    gone = Head(address_of(listener))
    listener.close()

    def later(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("time.sleep", later)
    assert not gone.listen()
    gone.check()
    with pytest.raises(InfrastructureError, match=f"the head of the cluster at {gone.address} is gone") as caught:
        gone.explain()
    assert caught.value.exit_code == 8
    assert head.PATIENCE < now <= head.PATIENCE + 2


def test_a_head_that_answers_again_is_no_longer_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Callable[[], bool] = iter([False, True]).__next__
    monkeypatch.setattr(Head, "_answers", lambda self: answers())
    back = Head("somewhere:1")
    assert not back.listen()
    assert back.listen()
    assert back.silent_since is None
