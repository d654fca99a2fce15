import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from advorch.artifacts import Artifact, ArtifactType, FileRecord, Input, Outcome, StoredInput
from advorch.components import Evaluation, Model, Port
from advorch.errors import StageFailed
from advorch.hosts.evaluation import open_job
from advorch.kit.adversarial_set import AdversarialSet, write_adversarial
from advorch.kit.codecs import ModelRecord, write_data, write_model
from advorch.kit.data import Data
from advorch.kit.evaluation.subject import Subject
from advorch.params import Params
from advorch.testing.fakes import FakeContext, registry_of
from advorch.threat import Access
from advorch_builtins.evaluations.catalog import advorch_components


class At(Params):
    """Where the threshold is."""

    at: float


def stored(kind: ArtifactType, folder: Path, mark: str) -> StoredInput:
    artifact = Artifact(type=kind, files={"content": FileRecord(mark, 1)})
    return StoredInput(artifact=artifact, folder=folder)


class Bench:
    """Writes what earlier cells would have left, and runs the host over it."""

    def __init__(self, folder: Path, subject: Subject) -> None:
        self.folder = folder
        threshold = type(subject.models[0].module)
        model = Model(
            name="threshold", summary="", params=At, load=lambda: lambda params, signature: threshold(params.at)
        )
        self.registry = registry_of(model)
        self.data = self.keep_data("data", subject.data)
        self.models = [self.keep_model(item.label, float(item.module.at), subject.data) for item in subject.models]
        targets = {"middle": self.models[0].artifact.digest}
        self.sets = [
            self.keep_set(str(place), replace(item.samples, model=targets.get(item.samples.model, "gone")))
            for place, item in enumerate(subject.adversarials)
        ]

    def keep_data(self, name: str, data: Data, kind: ArtifactType = ArtifactType.DATASET) -> StoredInput:
        write_data(self.folder / name, data)
        return stored(kind, self.folder / name, name)

    def keep_model(self, label: str, at: float, data: Data) -> StoredInput:
        record = ModelRecord(
            component="model/threshold",
            params={"at": at},
            signature=data.signature,
            access=Access.GRADIENTS,
            label=label,
        )
        module = self.registry.component("model/threshold").load()(At(at=at), data.signature)
        write_model(self.folder / label, module, record)
        return stored(ArtifactType.MODEL, self.folder / label, label)

    def keep_set(self, name: str, samples: AdversarialSet) -> StoredInput:
        write_adversarial(self.folder / f"set {name}", samples)
        return stored(ArtifactType.ADVERSARIAL, self.folder / f"set {name}", name)

    def context(self, scratch: str, inputs: dict[str, tuple[Input, ...]]) -> FakeContext:
        (self.folder / scratch).mkdir()
        return FakeContext(scratch=self.folder / scratch, inputs=inputs, components=self.registry)


@pytest.fixture
def bench(tmp_path: Path, subject: Subject) -> Bench:
    torch.set_num_threads(1)
    return Bench(tmp_path, subject)


def component(name: str) -> Evaluation[Any]:
    return next(item for item in advorch_components() if item.name == name)


def evaluate(context: FakeContext, evaluation: Evaluation[Any], **params: Any) -> Outcome:
    job = open_job(context, evaluation, evaluation.schema().parse({"chunk": 3, **params}))
    parts = [job.map(start, min(start + job.chunk, job.count)) for start in range(0, job.count, job.chunk)]
    return job.reduce({name: torch.cat([part[name] for part in parts]) for name in parts[0]})


def contents(outcome: Outcome, port: str) -> dict[str, bytes]:
    folder = outcome.outputs[port].folder
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def robustness(bench: Bench, scratch: str) -> Outcome:
    inputs = {"models": tuple(bench.models), "attacks": tuple(bench.sets), "data": (bench.data,)}
    return evaluate(bench.context(scratch, inputs), component("robustness"))


def test_a_whole_evaluation_through_the_host(bench: Bench) -> None:
    outcome = robustness(bench, "work")
    assert outcome.metrics["erm_middle.robust_accuracy"] == 4 / 6
    assert {port: output.type for port, output in outcome.outputs.items()} == {
        "table": ArtifactType.TABLE,
        "report": ArtifactType.REPORT,
    }


def test_tables_are_written_as_json_and_csv(bench: Bench) -> None:
    files = contents(robustness(bench, "work"), "table")
    table = json.loads(files["table.json"])
    assert table["format"] == "table/1"
    assert table["title"] == "Summary"
    assert files["table.json"] == files["summary.json"]
    lines = list(csv.reader(files["table.csv"].decode().splitlines()))
    assert lines[0] == table["columns"]
    assert len(lines) == 1 + len(table["rows"])
    assert {"accuracy_by_attack.csv", "accuracy_by_class.csv", "differences.json"} <= files.keys()


def test_the_report_is_one_escaped_page_with_its_figures_beside_it(bench: Bench) -> None:
    files = contents(robustness(bench, "work"), "report")
    page = files["report.html"].decode()
    assert "<b>high</b>" not in page
    assert "&lt;b&gt;high&lt;/b&gt;" in page
    assert "No gradient-masking checks were run" in page
    pictures = [name for name in files if name.endswith(".png")]
    assert len(pictures) == page.count("data:image/png;base64,") > 3
    findings = json.loads(files["findings.json"])
    assert findings["metrics"]["erm_middle.clean_accuracy"] == 7 / 8
    digests = [model.artifact.digest for model in bench.models]
    assert findings["models"] == dict(zip(["erm middle", "erm early"], digests, strict=True))


def test_outputs_are_byte_identical_twice_and_know_no_place(bench: Bench) -> None:
    first, second = robustness(bench, "work"), robustness(bench, "elsewhere")
    for port in ("table", "report"):
        assert contents(first, port) == contents(second, port)
        for content in contents(first, port).values():
            assert str(bench.folder).encode() not in content


def test_images_are_shown_beside_their_adversarials(bench: Bench, subject: Subject) -> None:
    def blown_up(x: torch.Tensor) -> torch.Tensor:
        return x.view(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()

    images = replace(subject.data, x=blown_up(subject.data.x))

    class Mean(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            height = x.flatten(1).mean(dim=1, keepdim=True) - 0.5
            return torch.cat([-height, height], dim=1)

    model = replace(subject.models[0], module=Mean())
    item = subject.adversarials[1]
    shown = replace(item, samples=replace(item.samples, adversarial=blown_up(item.samples.adversarial)))
    evaluation = component("robustness").load()
    scene = Subject(data=images, data_digest="data", models=(model,), adversarials=(shown,))
    params = component("robustness").schema().parse({})
    findings = evaluation.reduce(scene, evaluation.map(scene, images, params), params)
    assert findings.metrics["robust_accuracy"] == 6 / 8
    assert findings.pictures()["Adversarial samples: erm middle"].startswith(b"\x89PNG")


def test_a_model_for_other_data_is_refused(bench: Bench, subject: Subject) -> None:
    wide = replace(subject.data, x=subject.data.x.expand(-1, 2).contiguous())
    inputs = {"models": tuple(bench.models), "data": (bench.keep_data("wide", wide),)}
    with pytest.raises(StageFailed, match="erm middle is for samples of shape"):
        evaluate(bench.context("work", inputs), component("robustness"))


def test_a_third_party_s_evaluation_gets_its_ports_by_type(bench: Bench, subject: Subject) -> None:
    class Counting:
        def map(self, seen: Subject, batch: Data, params: Params) -> dict[str, torch.Tensor]:
            return {"y": batch.y}

        def reduce(self, seen: Subject, rows: dict[str, torch.Tensor], params: Params) -> Any:
            from advorch.kit.evaluation.findings import Findings

            reference = len(seen.datasets["reference"])
            return Findings(metrics={"mapped": float(len(rows["y"])), "reference": float(reference)})

    ports = {"data": Port(ArtifactType.DATASET), "reference": Port(ArtifactType.DATASET)}
    counting: Evaluation[Params] = Evaluation(name="count", summary="Counts", params=Params, load=Counting, ports=ports)
    reference = bench.keep_data("half", subject.data.take(slice(4)))
    outcome = evaluate(bench.context("work", {"data": (bench.data,), "reference": (reference,)}), counting)
    assert outcome.metrics == {"mapped": 8.0, "reference": 4.0}


def ring_of(spread: float, seed: int, count: int = 400) -> Data:
    rng = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 8
    angle = y * (torch.pi / 4)
    x = 2 * torch.stack([angle.cos(), angle.sin()], dim=1) + spread * torch.randn(count, 2, generator=rng)
    return Data(x=x, y=y, ids=torch.arange(count), classes=tuple(f"mode {mode}" for mode in range(8)))


@pytest.mark.parametrize(("spread", "good"), [(0.02, True), (1.0, False)])
def test_modes_walk_over_the_samples(bench: Bench, spread: float, good: bool) -> None:
    samples = replace(ring_of(spread, 1), y=torch.full((400,), -1))
    inputs: dict[str, tuple[Input, ...]] = {
        "samples": (bench.keep_data("drawn", samples, ArtifactType.SAMPLES),),
        "data": (bench.keep_data("ring", ring_of(0.02, 0, 800)),),
    }
    metrics = evaluate(bench.context("work", inputs), component("modes")).metrics
    assert metrics.keys() - {"divergence"} == component("modes").metrics - {"divergence"}
    assert ("divergence" in metrics) is (metrics["quality"] > 0)
    assert (metrics["quality"] > 0.97) is good
    assert (metrics["modes"] == 8) is good
    assert (metrics["wasserstein"] < 2 * metrics["wasserstein_floor"]) is good


def test_modes_of_unlabelled_data_are_refused(bench: Bench) -> None:
    nobody = replace(ring_of(0.02, 0), y=torch.full((400,), -1))
    inputs: dict[str, tuple[Input, ...]] = {
        "samples": (bench.keep_data("drawn", nobody, ArtifactType.SAMPLES),),
        "data": (bench.keep_data("ring", nobody),),
    }
    with pytest.raises(StageFailed, match="no labelled mixture"):
        evaluate(bench.context("work", inputs), component("modes"))
