from dataclasses import replace

import pytest
import torch
from torch import nn

from advorch.artifacts import Signature
from advorch.errors import StageFailed
from advorch.kit.adversarial_set import AdversarialSet
from advorch.kit.evaluation.subject import align, name_models, name_sets
from advorch.kit.inputs import OpenModel
from advorch.threat import Access, Norm


def model(label: str, digest: str) -> OpenModel:
    signature = Signature(shape=(2,), classes=("a", "b"))
    return OpenModel(module=nn.Identity(), signature=signature, access=Access.GRADIENTS, label=label, digest=digest)


def attacked(**settings: object) -> AdversarialSet:
    empty = torch.zeros(0)
    return AdversarialSet(
        adversarial=torch.zeros(0, 2), ids=empty, y=empty, clean_prediction=empty, adversarial_prediction=empty,
        success=empty, distance=empty, queries=empty, classes=("a", "b"), box=None, attack="attack/pgd",
        settings={"norm": "linf", "epsilon": 0.1, "steps": 10, "chunk": 5, **settings},
        model="m1", data="d", label="erm mlp",
    )  # fmt: skip


def test_a_set_is_called_by_its_attack_and_its_ball() -> None:
    (named,) = name_sets([attacked()])
    assert named.label == "pgd linf eps 0.1"
    assert (named.norm, named.epsilon, named.threat) == (Norm.LINF, 0.1, "linf eps 0.1")


def test_sets_that_are_called_alike_show_in_what_they_differ() -> None:
    labels = [named.label for named in name_sets([attacked(), attacked(steps=20, chunk=9), attacked(epsilon=0.2)])]
    assert labels == ["pgd linf eps 0.1, steps 10", "pgd linf eps 0.1, steps 20", "pgd linf eps 0.2"]


def test_the_same_attack_on_two_models_keeps_one_name() -> None:
    labels = [named.label for named in name_sets([attacked(), replace(attacked(), model="m2")])]
    assert labels == ["pgd linf eps 0.1"] * 2


def test_a_targeted_attack_says_so() -> None:
    assert name_sets([attacked(targeted=True)])[0].label == "pgd linf eps 0.1 targeted"


def test_models_of_one_name_show_the_start_of_their_digests() -> None:
    named = name_models([model("erm mlp", "abcdef0123"), model("trades mlp", "ff"), model("erm mlp", "0123abcdef")])
    assert [item.label for item in named] == ["erm mlp abcdef01", "trades mlp", "erm mlp 0123abcd"]


def test_ids_are_found_in_any_order() -> None:
    ids = torch.tensor([30, 10, 20])
    assert align(ids, torch.tensor([10, 15, 20, 30, 99, -4])).tolist() == [1, -1, 2, 0, -1, -1]
    assert align(torch.empty(0, dtype=torch.long), torch.tensor([1, 2])).tolist() == [-1, -1]


def test_an_id_that_stands_twice_is_refused() -> None:
    with pytest.raises(StageFailed, match="same id"):
        align(torch.tensor([1, 2, 1]), torch.tensor([1]))
