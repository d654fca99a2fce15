import json
from pathlib import Path

import pytest
import torch
from torch import nn

from advorch.artifacts import Signature
from advorch.errors import FormatTooNew, StageFailed
from advorch.kit.codecs import ModelRecord, read_data, read_model, read_record, write_data, write_model
from advorch.kit.data import Data
from advorch.threat import Access, Box

RECORD = ModelRecord(
    component="model/test",
    params={"width": 3},
    signature=Signature(shape=(3,), classes=("a", "b"), box=(0.0, 1.0)),
    access=Access.SCORES,
    label="plain test",
)


class Tied(nn.Module):
    """Two layers with one weight, a batch norm and an empty buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("nothing", torch.empty(0))
        self.register_buffer("nothing_else", torch.empty(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.second(self.norm(self.first(x)))
        return result


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    module = Tied()
    module(torch.randn(8, 3))
    write_model(tmp_path, module, RECORD)
    again = read_model(tmp_path, lambda record: Tied())
    x = torch.randn(4, 3)
    assert torch.equal(module.eval()(x), again.eval()(x))
    assert int(again.get_buffer("norm.num_batches_tracked")) == 1
    assert again.get_parameter("first.weight") is again.get_parameter("second.weight")


def test_tied_weights_are_written_once_and_also_fit_an_untied_module(tmp_path: Path) -> None:
    module = Tied()
    write_model(tmp_path, module, RECORD)
    assert json.loads((tmp_path / "model.json").read_text())["tied"] == {"second.weight": "first.weight"}
    loose = Tied()
    loose.second.weight = nn.Parameter(torch.zeros(3, 3))
    again = read_model(tmp_path, lambda record: loose)
    assert torch.equal(again.get_parameter("second.weight"), module.first.weight)


def test_views_of_one_tensor_are_kept_apart(tmp_path: Path) -> None:
    module = nn.Linear(3, 3)
    base = torch.arange(18.0)
    module.weight, module.bias = nn.Parameter(base[:9].view(3, 3)), nn.Parameter(base[9:12])
    write_model(tmp_path, module, RECORD)
    again = read_model(tmp_path, lambda record: nn.Linear(3, 3))
    assert again.get_parameter("bias").tolist() == [9, 10, 11]


def test_the_record_goes_to_whoever_builds(tmp_path: Path) -> None:
    write_model(tmp_path, Tied(), RECORD)
    seen = []
    read_model(tmp_path, lambda record: seen.append(record) or Tied())  # type: ignore[func-returns-value]
    assert seen == [RECORD] == [read_record(tmp_path)]


def test_equal_models_have_equal_bytes_and_no_pickle(tmp_path: Path) -> None:
    module = Tied()
    for name in ("one", "two"):
        write_model(tmp_path / name, module, RECORD)
    contents = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"weights.safetensors", "model.json"}


def test_another_architecture_is_one_line(tmp_path: Path) -> None:
    write_model(tmp_path, Tied(), RECORD)
    with pytest.raises(StageFailed, match="the weights do not fit") as caught:
        read_model(tmp_path, lambda record: nn.Linear(3, 3))
    assert "model/test" in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, Tied(), RECORD)
    path = tmp_path / "model.json"
    path.write_text(path.read_text().replace("model/1", "model/2"))
    with pytest.raises(FormatTooNew):
        read_record(tmp_path)


@pytest.mark.parametrize("box", [None, (-1.0, 1.0), ((0.0, -1.0, 2.0), (1.0, 1.0, 3.0))])
def test_samples_come_back_as_they_were(tmp_path: Path, box: Box | None) -> None:
    data = Data(
        x=torch.randn(6, 2, 3).transpose(1, 2),
        y=torch.arange(6),
        ids=torch.arange(6) * 7,
        classes=("é", "b"),
        box=box,
        vocabulary=("<pad>", "word"),
    )
    write_data(tmp_path, data)
    again = read_data(tmp_path)
    assert (again.classes, again.box, again.vocabulary) == (data.classes, data.box, data.vocabulary)
    for name in ("x", "y", "ids"):
        assert torch.equal(getattr(again, name), getattr(data, name))
