from pathlib import Path
from typing import Any

import pytest
import torch

from advorch.artifacts import ArtifactType, Signature
from advorch.errors import StageFailed
from advorch.kit.adversarial_set import AdversarialSet, write_adversarial
from advorch.kit.codecs import write_data, write_model
from advorch.kit.inputs import build_model, describe_model, open_data, open_model, parse_split
from advorch.params import ModelRef
from advorch.threat import Access


@pytest.mark.parametrize(
    ("expression", "name", "part"),
    [
        ("train", "train", slice(None, None)),
        ("train[:55000]", "train", slice(None, 55000)),
        ("train[55000:]", "train", slice(55000, None)),
        ("dev-2[-10:-1]", "dev-2", slice(-10, -1)),
        ("test[ 1 : 2 ]", "test", slice(1, 2)),
    ],
)
def test_split_expressions(expression: str, name: str, part: slice) -> None:
    assert parse_split(expression) == (name, part)


@pytest.mark.parametrize("expression", ["", "train[5]", "train[::2]", "train[:1", "[1:2]"])
def test_what_is_no_split(expression: str) -> None:
    with pytest.raises(StageFailed, match="is no split"):
        parse_split(expression)


def test_a_slice_keeps_the_ids_of_the_whole(desk: Any, declared: Any) -> None:
    whole, part = (open_data(desk, declared.data(split=split)[0]) for split in ("test", "test[10:20]"))
    assert torch.equal(part.ids, whole.ids[10:20])
    assert torch.equal(part.x, whole.x[10:20])


def test_an_empty_part_is_one_line(desk: Any, declared: Any) -> None:
    with pytest.raises(StageFailed, match=r"'test\[400:\]' of 'digits' is empty: 'test' has 359"):
        open_data(desk, declared.data(split="test[400:]")[0])


def test_stored_samples_and_adversarials_are_data(desk: Any, declared: Any, tmp_path: Path) -> None:
    data = open_data(desk, declared.data(split="test[:4]")[0])
    write_data(tmp_path / "samples", data)
    assert torch.equal(open_data(desk, declared.folder(tmp_path / "samples", ArtifactType.SAMPLES)).x, data.x)
    row = torch.zeros(4)
    adversarial = AdversarialSet(
        adversarial=data.x + 0.25,
        ids=data.ids,
        y=data.y,
        clean_prediction=data.y.clone(),
        adversarial_prediction=data.y.clone(),
        success=row.bool(),
        distance=row,
        queries=row.long(),
        classes=data.classes,
        box=data.box,
        attack="attack/fgsm",
        settings={},
        model="m",
        data="d",
        label="plain",
    )
    write_adversarial(tmp_path / "adversarial", adversarial)
    found = open_data(desk, declared.folder(tmp_path / "adversarial", ArtifactType.ADVERSARIAL))
    assert torch.equal(found.x, data.x + 0.25)
    assert torch.equal(found.y, data.y)


def test_a_model_is_opened_for_use(desk: Any, declared: Any, tmp_path: Path) -> None:
    signature = Signature(shape=(1, 8, 8), classes=tuple("0123456789"), box=(0.0, 1.0))
    ref = ModelRef.parse({"uses": "mlp", "with": {"hidden": [5], "dropout": 0.5}})
    module = build_model(desk, ref, signature, seed=3)
    write_model(tmp_path / "m", module, describe_model(desk, ref, signature, label="plain mlp"))
    opened = open_model(desk, declared.folder(tmp_path / "m", ArtifactType.MODEL))
    assert (opened.label, opened.access, opened.signature) == ("plain mlp", Access.GRADIENTS, signature)
    assert not any(part.training for part in opened.module.modules())
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(opened.module(x), module.eval()(x))


def test_building_is_seeded_and_leaves_random_numbers_alone(desk: Any) -> None:
    signature = Signature(shape=(4,), classes=("a", "b"))
    before = torch.get_rng_state()
    first, again, other = (build_model(desk, ModelRef(uses="linear"), signature, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.get_parameter("2.weight"), again.get_parameter("2.weight"))
    assert not torch.equal(first.get_parameter("2.weight"), other.get_parameter("2.weight"))


def test_a_record_holds_no_location(desk: Any, tmp_path: Path) -> None:
    ref = ModelRef.parse(
        {"uses": "imported", "with": {"target": "a:B", "weights": "/home/me/w.pt", "access": "labels"}}
    )
    record = describe_model(desk, ref, Signature(shape=(4,), classes=("a", "b")), label="x")
    assert "weights" not in record.params
    assert record.params["target"] == "a:B"
    assert record.access is Access.LABELS
