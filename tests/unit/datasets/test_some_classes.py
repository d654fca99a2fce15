"""A benchmark cut down to some of its classes."""

import pytest
import torch

from advorch.errors import StageFailed
from advorch.kit.data import Data
from advorch_builtins.datasets.reading import in_turns, only


@pytest.fixture
def five() -> Data:
    y = torch.tensor([3, 1, 4, 1, 0])
    return Data(x=y[:, None].float(), y=y, ids=torch.arange(5) + 10, classes=tuple("01234"), box=(0.0, 4.0))


def test_kept_samples_keep_their_ids_and_get_the_labels_of_the_order_given(five: Data) -> None:
    kept = only(five, ["4", "1"])
    assert kept.classes == ("4", "1")
    assert kept.y.tolist() == [1, 0, 1]
    assert kept.ids.tolist() == [11, 12, 13]
    assert kept.x[:, 0].tolist() == [1, 4, 1]


def test_no_names_keep_everything(five: Data) -> None:
    assert only(five, []) is five


def test_what_is_no_class_or_stands_twice_is_one_line(five: Data) -> None:
    with pytest.raises(StageFailed, match="'7', which is no class"):
        only(five, ["1", "7"])
    with pytest.raises(StageFailed, match="twice"):
        only(five, ["1", "1"])


def test_classes_take_turns_as_long_as_they_last(five: Data) -> None:
    turned = in_turns(five, True)
    assert turned.y.tolist() == [0, 1, 3, 4, 1]
    assert turned.ids.tolist() == [14, 11, 10, 12, 13]
    assert turned.x[:, 0].tolist() == turned.y.tolist()
    assert in_turns(five, False) is five
