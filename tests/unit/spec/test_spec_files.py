"""Files, what they include, and which layer wins."""

import os
from pathlib import Path

import pytest

from advorch.errors import InvalidPipeline, UsageError
from advorch.spec.load import load_pipeline
from advorch.spec.nodes import MapNode, Scalar, walk
from advorch.spec.pipeline import PipelineSpec

STAGES = "stages:\n  plain: {uses: train/erm}\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "main.yaml"


def param(spec: PipelineSpec, name: str) -> tuple[object, str]:
    node = spec.params[name]
    assert isinstance(node, Scalar)
    return node.value, os.path.basename(node.mark.source.name)


def test_layers_win_in_the_order_include_file_profile_override(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        first="params: {a: 1, b: 1, c: 1, d: 1, e: 1}\n",
        second="params: {b: 2, c: 2, d: 2, e: 2}\n",
        main=f"version: 1\ninclude: [first.yaml, second.yaml]\nparams: {{c: 3, d: 3, e: 3}}\n"
        f"profiles: {{p: {{params: {{d: 4, e: 4}}}}}}\n{STAGES}",
    )
    spec = load_pipeline(path, profile="p", overrides=["params.e=5"])
    assert [param(spec, name) for name in "abcde"] == [
        (1, "first.yaml"), (2, "second.yaml"), (3, "main.yaml"), (4, "main.yaml"), (5, "-S params.e=5"),
    ]  # fmt: skip


def test_maps_merge_and_lists_replace(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        base="params: {sizes: [1, 2, 3], deep: {x: 1, y: 2}}\n",
        main=f"version: 1\ninclude: base.yaml\nparams: {{sizes: [4], deep: {{y: 3}}}}\n{STAGES}",
    )
    spec = load_pipeline(path, overrides=["deep.x=7"])
    deep = spec.params["deep"]
    assert isinstance(deep, MapNode)
    assert {key: entry.node.value for key, entry in deep.entries.items() if isinstance(entry.node, Scalar)} == {
        "x": 7, "y": 3,
    }  # fmt: skip
    assert len([node for _, node in walk(spec.params["sizes"])]) == 2


def test_includes_are_found_beside_the_including_file(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        main=f"version: 1\ninclude: parts/outer.yaml\n{STAGES}",
        parts__outer="include: [inner.yaml, ../top.yaml]\nparams: {a: outer}\n",
        parts__inner="params: {a: inner, b: inner}\n",
        top="params: {c: top}\n",
    )
    spec = load_pipeline(path)
    assert [param(spec, name)[0] for name in "abc"] == ["outer", "inner", "top"]


def test_one_file_may_be_included_by_two(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        main=f"version: 1\ninclude: [a.yaml, b.yaml]\n{STAGES}",
        a="include: c.yaml\n",
        b="include: c.yaml\n",
        c="params: {x: 1}\n",
    )
    assert param(load_pipeline(path), "x") == (1, "c.yaml")


def problems(path: Path) -> list[tuple[str, str, int]]:
    with pytest.raises(InvalidPipeline) as caught:
        load_pipeline(path)
    return [(item.code, Path(item.place.source).name, item.place.line) for item in caught.value.problems if item.place]


def test_a_circle_is_told_at_the_entry_that_closes_it(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        main=f"version: 1\ninclude: a.yaml\n{STAGES}",
        a="include: b.yaml\n",
        b="name: b\ninclude: ./main.yaml\n",
    )
    assert problems(path) == [("E031", "b.yaml", 2)]


def test_broken_includes_are_told_where_they_break(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        main=f'version: 1\ninclude:\n  - gone.yaml\n  - broken.yaml\n  - list.yaml\n  - .\n  - "a\\0b"\n{STAGES}',
        broken="params: [\n",
        list="- 1\n",
    )
    assert problems(path) == [
        ("E030", "main.yaml", 3), ("E030", "main.yaml", 6), ("E030", "main.yaml", 7), ("E001", "broken.yaml", 2),
        ("E011", "list.yaml", 1),
    ]  # fmt: skip


def test_includes_cannot_multiply_without_bound(tmp_path: Path) -> None:
    files = {f"f{n}": f"include: [f{n + 1}.yaml, f{n + 1}.yaml]\n" for n in range(30)}
    path = write(tmp_path, main=f"version: 1\ninclude: f0.yaml\n{STAGES}", f30="params: {a: 1}\n", **files)
    assert {code for code, _, _ in problems(path)} == {"E009"}


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    write(tmp_path, pipeline="version: 1\n")
    with pytest.raises(UsageError, match="there is no file") as caught:
        load_pipeline(tmp_path / "pipelin.yaml")
    assert "pipeline.yaml" in caught.value.hint
    with pytest.raises(UsageError, match="is not a file"):
        load_pipeline(tmp_path)


def test_text_stands_in_for_the_file(tmp_path: Path) -> None:
    write(tmp_path, base="params: {a: 1}\n")
    spec = load_pipeline(tmp_path / "unsaved.yaml", text=f"version: 1\ninclude: base.yaml\n{STAGES}")
    assert param(spec, "a") == (1, "base.yaml")
    assert spec.name == "unsaved"


def test_a_profile_may_set_what_the_format_knows(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        main="version: 1\nprofiles:\n  cluster:\n    address: head:6379\n    limits: {gpus: 32}\n"
        "    stages: {plain: {timeout: 1h, with: {steps: 3}}}\n    tracking: {mlflow: {uri: x}}\n"
        f"    defaults: {{resources: {{gpus: 1}}}}\n  empty:\n{STAGES}",
    )
    spec = load_pipeline(path, profile="cluster")
    assert (spec.address, dict(spec.limits), spec.profile) == ("head:6379", {"gpus": 32}, "cluster")
    assert spec.stages["plain"].timeout == 3600
    assert spec.stages["plain"].resources.gpus == 1
    assert spec.tracking.uri == "x"
    assert load_pipeline(path, profile="empty").address == ""


def test_overrides_find_stages_and_parameters(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        main="version: 1\nparams: {epsilon: 1, both: {x: 1}, seed: 3}\nstages:\n  plain: {uses: train/erm}\n"
        "  both: {uses: train/erm}\n",
    )
    spec = load_pipeline(path, overrides=["epsilon=8/255", "plain.timeout=1h30m", "both.on_failure=continue"][:2])
    assert param(spec, "epsilon")[0] == "8/255"
    assert spec.stages["plain"].timeout == 5400
    assert load_pipeline(path, overrides=["seed=9"]).seed == 9
    with pytest.raises(InvalidPipeline, match="1 problem") as caught:
        load_pipeline(path, overrides=["both.x=2"])
    assert caught.value.problems[0].hint == "write stages.both or params.both"


def test_the_last_override_wins_and_values_are_typed(tmp_path: Path) -> None:
    path = write(tmp_path, main=f"version: 1\nparams: {{a: 1}}\n{STAGES}")
    for written, expected in [("1e-3", 0.001), ("no", "no"), ("'1'", "1"), ("true", True), ("", None), ("x=y", "x=y")]:
        assert param(load_pipeline(path, overrides=["a=0", f"a={written}"]), "a")[0] == expected
    listed = load_pipeline(path, overrides=["a=[1, {b: x}]"]).params["a"]
    assert [node.value for _, node in walk(listed) if isinstance(node, Scalar)] == [1, "x"]
