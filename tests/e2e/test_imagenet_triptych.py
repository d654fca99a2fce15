"""The pipeline for a net and images of the user's own, with a net and images that a test can have."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

import advorch
from advorch.session.running import Options

PIPELINE = Path(__file__).parents[2] / "pipelines/imagenet/triptych.yaml"
NAMES = ["panda", "gibbon", "nematode"]
NET = """
from torch import nn

def net(width=4):
    body = nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    return nn.Sequential(*body, nn.Linear(4 * width, 3))
"""


@pytest.fixture
def belongings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A net in a module, its weights, its names, and images in folders."""
    (tmp_path / "own_net.py").write_text(NET)
    monkeypatch.syspath_prepend(str(tmp_path))
    from own_net import net  # type: ignore[import-not-found]

    torch.manual_seed(0)
    module: nn.Module = net(width=6)
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    for place, name in enumerate(NAMES):
        for split in ("train", "test"):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (12, 9), (90 * place, 200 - 60 * place, 40)).save(folder / "a.png")
    return tmp_path


def test_own_weights_and_images_are_drawn(belongings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ADVORCH_HOME", raising=False)
    overrides = [
        f"data.imagenet.with.root={belongings / 'images'}", f"params.weights={belongings / 'weights.pth'}",
        f"params.names={belongings / 'names.txt'}", "params.target=own_net:net", "params.size=8",
        "tracking.mlflow=false", "stages.net.with.model.with.arguments={width: 6}",
        "stages.triptych.with.choose=first",
    ]  # fmt: skip
    run = advorch.load(PIPELINE, overrides=overrides).plan().run(Options(executor="inline", quiet=True)).check()
    summary = run.table("triptych")
    assert list(summary["model"]) == ["own_net:net"]
    page = run.report("triptych").read_text()
    assert page.count("data:image/png;base64,") == 1
