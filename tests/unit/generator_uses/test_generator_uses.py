"""What stages do with a generator that was trained before."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image

from advorch.artifacts import ArtifactType, Signature, StoredInput
from advorch.errors import StageFailed
from advorch.kit.adversary.generator import draw
from advorch.kit.adversary.opening import open_generator
from advorch.kit.adversary.paths import along, lerp, slerp
from advorch.kit.codecs import read_data
from advorch.kit.data import Data
from advorch.kit.inputs import open_model

SMALL = {"steps": 15, "batch": 16, "samples": 20, "hidden": [8], "lambda": 0.1, "latent": 5}
Pictures = Callable[..., Data]


@pytest.fixture
def trained(bench: Any, pictures: Pictures) -> Any:
    def train(conditioning: str = "none") -> StoredInput:
        outcome = bench.run("generate/gan", {"data": bench.data(pictures())}, conditioning=conditioning, **SMALL)
        return bench.stored(outcome.outputs["generator"])

    return train


@pytest.fixture
def judge(bench: Any, pictures: Pictures) -> StoredInput:
    model = {"uses": "mlp", "with": {"hidden": [8]}}
    outcome = bench.run("train/erm", {"data": bench.data(pictures())}, model=model, epochs=12, batch=8, lr=0.01)
    assert outcome.metrics["accuracy"] == 1
    return bench.stored(outcome.outputs["model"])


def test_samples_are_repeatable_and_of_no_class(bench: Any, trained: Any) -> None:
    generator = trained()
    first, second = (bench.run("generate/sample", {"generator": generator}, samples=33) for _ in range(2))
    found = read_data(first.outputs["samples"].folder)
    assert torch.equal(found.x, read_data(second.outputs["samples"].folder).x)
    assert found.signature == Signature(shape=(1, 4, 4), classes=("dark", "bright"), box=(0.0, 1.0))
    assert set(found.y.tolist()) == {-1}
    assert first.outputs["samples"].type is ArtifactType.SAMPLES


def test_a_conditional_generator_is_asked_for_classes(bench: Any, trained: Any) -> None:
    generator = trained("concat")
    all_of_them = bench.run("generate/sample", {"generator": generator}, samples=7)
    assert read_data(all_of_them.outputs["samples"].folder).y.tolist() == [0, 1, 0, 1, 0, 1, 0]
    one = bench.run("generate/sample", {"generator": generator}, samples=3, classes=["bright"])
    assert read_data(one.outputs["samples"].folder).y.tolist() == [1, 1, 1]
    with pytest.raises(StageFailed, match="no class 'blue'"):
        bench.run("generate/sample", {"generator": generator}, samples=3, classes=["blue"])
    with pytest.raises(StageFailed, match="knows no classes"):
        bench.run("generate/sample", {"generator": trained()}, samples=3, classes=[0])


def test_a_model_names_the_classes_that_it_is_sure_of(bench: Any, trained: Any, judge: StoredInput) -> None:
    inputs = {"generator": trained(), "model": judge}
    outcome = bench.run("generate/sample", inputs, samples=50, least=0.6)
    found = read_data(outcome.outputs["samples"].folder)
    assert 0 < len(found) == outcome.metrics["samples"] <= 50
    context = bench.context()
    shares = open_model(context, judge).module(found.x).softmax(1).detach()
    assert torch.equal(shares.argmax(1), found.y)
    assert float(shares.amax(1).min()) >= 0.6
    with pytest.raises(StageFailed, match="needs a model"):
        bench.run("generate/sample", {"generator": trained()}, samples=5, least=0.5)


def test_generated_samples_are_trained_on_beside_data(
    bench: Any, trained: Any, judge: StoredInput, pictures: Pictures
) -> None:
    drawn = bench.run("generate/sample", {"generator": trained(), "model": judge}, samples=20)
    mixed = bench.run("generate/mix", {"data": (bench.data(pictures(30)), bench.stored(drawn.outputs["samples"]))})
    found = read_data(mixed.outputs["data"].folder)
    assert len(found) == 50
    assert found.ids.tolist() == list(range(50))
    trained_on = bench.run(
        "defend/adversarial", {"data": bench.stored(mixed.outputs["data"])}, model={"uses": "linear"}, epochs=1,
        attack={"uses": "fgsm", "with": {"epsilon": 0.05}},
    )  # fmt: skip
    assert trained_on.outputs["model"].type is ArtifactType.MODEL


def test_samples_of_no_class_are_not_trained_on(bench: Any, trained: Any) -> None:
    drawn = bench.run("generate/sample", {"generator": trained()}, samples=5)
    with pytest.raises(StageFailed, match="samples of no class"):
        bench.run("train/erm", {"data": bench.stored(drawn.outputs["samples"])}, model={"uses": "linear"})


def test_samples_of_no_class_are_not_mixed_in(bench: Any, trained: Any, pictures: Pictures) -> None:
    drawn = bench.run("generate/sample", {"generator": trained()}, samples=5)
    with pytest.raises(StageFailed, match="samples of no class"):
        bench.run("generate/mix", {"data": (bench.data(pictures(6)), bench.stored(drawn.outputs["samples"]))})
    with pytest.raises(StageFailed, match="data set 2 is of shape"):
        bench.run("generate/mix", {"data": (bench.data(pictures(6)), bench.data(pictures(6, side=5)))})


def test_a_way_begins_and_ends_at_the_codes_themselves() -> None:
    rng = torch.Generator().manual_seed(0)
    first, second = torch.randn(9, 6, generator=rng), torch.randn(9, 6, generator=rng)
    for path in ("lerp", "slerp"):
        codes = along(first, second, 7, path)
        assert torch.equal(codes[:, 0], first)
        assert torch.equal(codes[:, -1], second)
    torch.testing.assert_close(slerp(first, second, 1e-9), first)


def test_the_great_circle_keeps_lengths_and_the_straight_way_does_not() -> None:
    here, there = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    torch.testing.assert_close(slerp(here, there, 0.5), torch.tensor([[2**0.5, 2**0.5]]))
    torch.testing.assert_close(lerp(here, there, 0.5), torch.tensor([[1.0, 1.0]]))
    torch.testing.assert_close(slerp(here, 2 * here, 0.5), 1.5 * here)
    assert torch.isfinite(slerp(here, -here, 0.5)).all()


def test_interpolation_ends_at_samples_and_is_shown(bench: Any, trained: Any, judge: StoredInput) -> None:
    generator = trained()
    inputs = {"generator": generator, "model": judge}
    outcome = bench.run("generate/interpolate", inputs, pairs=3, steps=5)
    ways = read_data(outcome.outputs["samples"].folder).x.unflatten(0, (3, 5))
    context = bench.context()
    drawn = draw(open_generator(context, generator).game, 6, context.seeds.stream("codes"))
    torch.testing.assert_close(ways[:, 0], drawn[:3], rtol=0, atol=1e-6)
    torch.testing.assert_close(ways[:, -1], drawn[3:], rtol=0, atol=1e-6)
    assert outcome.metrics["largest_step"] >= 1
    assert 0 <= outcome.metrics["sure_midpoints"] <= 1
    report = outcome.outputs["report"].folder
    assert {path.name for path in report.iterdir()} == {
        "report.html", "findings.json", "interpolation.png", "interpolation_in_motion.gif",
    }  # fmt: skip
    with Image.open(io.BytesIO((report / "interpolation_in_motion.gif").read_bytes())) as film:
        assert film.n_frames > 2
    assert "data:image/gif;base64" in (report / "report.html").read_text()


def test_a_generator_without_an_encoder_encodes_nothing(bench: Any, trained: Any, pictures: Pictures) -> None:
    with pytest.raises(StageFailed, match="has no encoder"):
        bench.run("generate/encode", {"generator": trained(), "data": bench.data(pictures(4))})


def test_a_generator_is_attacked_through_its_codes(bench: Any, trained: Any, judge: StoredInput) -> None:
    generator = trained()
    made = bench.run("generate/compose", {"generator": generator, "model": judge}, samples=24)
    codes = read_data(made.outputs["codes"].folder)
    assert codes.signature.shape == (5,)
    assert made.metrics["agreement"] == 1
    model = bench.stored(made.outputs["model"])
    attacked = bench.run(
        "attack/pgd", {"model": model, "data": bench.stored(made.outputs["codes"])}, epsilon=4.0, norm="l2"
    )
    assert attacked.metrics["clean_accuracy"] == 1
    adversarial = bench.stored(attacked.outputs["adversarial"])
    seen = bench.run("generate/decode", {"generator": generator, "codes": adversarial})
    context = bench.context()
    labels = open_model(context, judge).module(read_data(seen.outputs["samples"].folder).x).argmax(1)
    robust = float((labels == codes.y).double().mean())
    assert robust == pytest.approx(attacked.metrics["robust_accuracy"])


def test_a_composed_model_is_the_classifier_on_what_is_generated(bench: Any, trained: Any, judge: StoredInput) -> None:
    generator = trained("projection")
    with pytest.raises(StageFailed, match="is conditional"):
        bench.run("generate/compose", {"generator": generator, "model": judge}, samples=4)
    made = bench.run("generate/compose", {"generator": generator, "model": judge}, samples=12, **{"class": "bright"})
    codes = read_data(made.outputs["codes"].folder)
    assert set(codes.y.tolist()) == {1}
    context = bench.context()
    opened = open_generator(context, generator)
    with torch.no_grad():
        wanted = open_model(context, judge).module(opened.latent.decode(codes.x, codes.y))
        found = open_model(context, bench.stored(made.outputs["model"])).module(codes.x)
    torch.testing.assert_close(found, wanted)
