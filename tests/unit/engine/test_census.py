"""What is said of nodes that differ, of doors that stay shut, and of room that is in pieces too small."""

import pytest

from advorch.engine.ray.census import Answer, Question, differences, look
from advorch.engine.ray.entry import advice, as_infrastructure, words
from advorch.engine.ray.hold import Hold
from advorch.engine.ray.room import check_room, times
from advorch.engine.ray.token import find_token
from advorch.errors import InfrastructureError
from advorch.store.local import LocalStore

OWN = Answer(versions={"torch": "2.13.0"}, plugins={"lab": "1.0 [lab]"}, code={"train/walk": "a"})


@pytest.mark.parametrize(
    ("other", "lines"),
    [
        (OWN, []),
        (Answer(versions={"torch": "2.12.0"}, plugins=OWN.plugins), ["torch: 2.12.0 there, 2.13.0 here"]),
        (Answer(versions=OWN.versions), ["lab: nothing there, 1.0 [lab] here"]),
        (Answer(versions=OWN.versions, plugins=OWN.plugins), ["the code of train/walk is another"]),
    ],
)
def test_differences_are_listed(other: Answer, lines: list[str]) -> None:
    assert differences(OWN, other) == lines


def test_a_node_says_what_it_lacks(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IS_SET", "x")
    store = LocalStore(tmp_path / "store")  # type: ignore[operator]
    question = Question(components=("train/erm",), secrets=("IS_SET", "IS_NOT"), storage=store.url, flag="run/x/census")
    answer = look(question)
    assert answer.lacks == (
        "the secret IS_NOT is not set there",
        f"the storage {store.url} is another one there",
    )
    store.raise_flag("run/x/census")
    again = look(question)
    assert again.lacks == ("the secret IS_NOT is not set there",)
    assert differences(answer, again) == list(again.lacks)
    assert set(again.code) == {"train/erm"}


def test_versions_that_ray_refuses_are_one_line() -> None:
    error = RuntimeError(
        "Version mismatch: The cluster was started with:\n    Ray: 2.59.0\n    Python: 3.12.1\n"
        "This process on 10.0.0.1 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
    )
    assert words(error) == "it runs Ray 2.59.0 on Python 3.12.1, and this is Ray 2.60.0 on Python 3.11.7"
    assert "submit" in advice(error)
    assert as_infrastructure(error, "head:6379").message.startswith("cannot reach head:6379: it runs Ray 2.59.0")


def test_where_a_token_is_looked_for(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_token().headers == {}
    assert "none is set here" in find_token().refused_by("h").message
    path = tmp_path / "token"  # type: ignore[operator]
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    with pytest.raises(InfrastructureError, match="there is no token in"):
        find_token()
    path.write_text("abc\n")
    assert find_token().headers == {"authorization": "Bearer abc"}
    assert "abc" not in repr(find_token()) + find_token().refused_by("h").render()
    monkeypatch.setenv("RAY_AUTH_TOKEN", "xyz")
    assert find_token().headers == {"authorization": "Bearer xyz"}
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert find_token().headers == {}


NODES = (Hold(4, 2), Hold(4, 1), Hold(8, 0))


def test_workers_live_on_one_node_each() -> None:
    assert [times(Hold(1, 0.5), node) for node in NODES] == [4, 2, 0]
    check_room(Hold(1, 1), 3, "a", [NODES])
    check_room(Hold(0, 0), 1000, "a", [NODES])
    check_room(Hold(1, 1), 3, "a", [(Hold(1, 0),), NODES])
    with pytest.raises(
        InfrastructureError, match=r"the 3 workers of a never fit at once: .* hold 2 of 1 cpu, 1\.25 gpu"
    ):
        check_room(Hold(1, 1.25), 3, "a", [(Hold(4, 2), Hold(4, 2))])
    with pytest.raises(InfrastructureError, match="no node has what a worker of a asks for: 1 cpu, 3 gpu"):
        check_room(Hold(1, 3), 1, "a", [NODES])
