from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advorch.artifacts import Artifact, ArtifactType, DataInput, Input, Signature, StoredInput
from advorch.components import AnyComponent, Dataset, Model
from advorch.errors import StageFailed
from advorch.hosts.attack import open_job
from advorch.kit.adversarial_set import read_adversarial
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.run import AttackResult, run_attack
from advorch.kit.attack.surrogates import Joined, stand_in
from advorch.kit.attack.victim import Victim
from advorch.kit.codecs import ModelRecord, write_model
from advorch.kit.data import Data
from advorch.params import Params
from advorch.testing.arena import disturbed, snapshot
from advorch.testing.fakes import FakeContext, registry_of
from advorch.threat import Access, Norm
from advorch_builtins.attacks.catalog_black_box import TRANSFER

NORMS = pytest.mark.parametrize("norm", [Norm.LINF, Norm.L2, Norm.L1])
EPSILON = {Norm.LINF: 0.1, Norm.L2: 0.2, Norm.L1: 0.3}
SIGNATURE = Signature(shape=(6,), classes=("a", "b", "c"), box=(0.0, 1.0))


def run(
    module: nn.Module, surrogates: tuple[nn.Module, ...], x: Tensor, y: Tensor, norm: Norm = Norm.LINF, **options: Any
) -> AttackResult:
    known = {"box": (0.0, 1.0), "norm": norm, "epsilon": EPSILON[norm], "access": Access.NOTHING}
    victim = Victim(module, surrogates=surrogates, **(known | options))
    return run_attack(TRANSFER.load(), victim, x, y, TRANSFER.params(), Draws(1, torch.arange(len(x))))


@pytest.fixture(scope="module")
def sibling(trained: nn.Module) -> nn.Module:
    """The same task learned from another start."""
    return learned(17)


def learned(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
        optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
        for _ in range(150):
            x = torch.rand(256, 6)
            y = ((x[:, :2] - 0.5).norm(dim=1) > 0.35).long() + (x[:, 2] > 0.5).long()
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x), y).backward()
            optimizer.step()
    module.zero_grad()
    return module.eval()


def test_joined_models_say_the_logarithm_of_their_mean_probability(trained: nn.Module, sibling: nn.Module) -> None:
    x = torch.rand(9, 6)
    with torch.no_grad():
        mean = (trained(x).softmax(1) + sibling(x).softmax(1)) / 2
        assert torch.allclose(Joined([trained, sibling])(x).softmax(1), mean, atol=1e-6)
        alone = Joined([trained])(x)
        assert torch.allclose(alone - alone[:, :1], trained(x) - trained(x)[:, :1], atol=1e-5)


@NORMS
def test_the_victim_is_asked_nothing_and_falls_by_a_sibling(
    norm: Norm, trained: nn.Module, sibling: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    by_itself = run(trained, (trained,), *held_out, norm)
    by_sibling = run(trained, (sibling,), *held_out, norm)
    assert by_sibling.queries.eq(0).all()
    assert by_sibling.backwards.eq(0).all()
    assert 0.5 * by_itself.success.sum() < by_sibling.success.sum() <= by_itself.success.sum() + 2
    assert (by_sibling.distance <= EPSILON[norm] * (1 + 1e-6)).all()
    half = by_sibling.distance[by_sibling.clean_correct] > EPSILON[norm] * 0.5
    assert half.double().mean() > 0.9


def test_an_ensemble_fools_its_members(trained: nn.Module, sibling: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    """One point for both: on each, nearly as good as what was made for it alone, and better than what was not."""
    x, y = held_out
    together = run(trained, (trained, sibling), x, y).adversarial
    for module, other in ((trained, sibling), (sibling, trained)):
        own, foreign = (run(module, (source,), x, y).adversarial for source in (module, other))
        with torch.no_grad():
            fooled = [int((module(z).argmax(1) != y).sum()) for z in (own, together, foreign)]
        assert fooled[0] >= fooled[1] - 2
        assert fooled[1] >= 0.85 * fooled[0]
        assert fooled[1] >= fooled[2]


def test_targets(trained: nn.Module, sibling: nn.Module, held_out: tuple[Tensor, Tensor]) -> None:
    result = run(trained, (sibling,), *held_out, targeted=True, epsilon=0.3)
    assert torch.equal(result.success, result.clean_correct & result.adversarial_prediction.eq(result.target))
    assert result.success.sum() > 30


def test_surrogates_are_left_as_they_were(
    trained: nn.Module, sibling: nn.Module, held_out: tuple[Tensor, Tensor]
) -> None:
    surrogate = disturbed(sibling)
    before = snapshot(surrogate)
    run(trained, (surrogate,), *held_out)
    assert snapshot(surrogate) == before


def test_without_surrogates_there_is_nothing_to_craft_on(trained: nn.Module) -> None:
    victim = Victim(trained, box=None, norm=Norm.LINF, epsilon=0.1, access=Access.NOTHING)
    with pytest.raises(StageFailed, match="surrogates"):
        stand_in(victim)


@pytest.fixture
def make_context(
    tmp_path: Path, trained: nn.Module, sibling: nn.Module, held_out: tuple[Tensor, Tensor]
) -> Callable[[Access], FakeContext]:
    def stored(name: str, module: nn.Module, access: Access) -> StoredInput:
        component = "model/small" if name == "sibling" else "model/large"
        record = ModelRecord(component=component, params={}, signature=SIGNATURE, access=access, label=name)
        write_model(tmp_path / name, module, record)
        return StoredInput(artifact=Artifact(type=ArtifactType.MODEL, files={}), folder=tmp_path / name)

    def build(access: Access) -> FakeContext:
        data = Data(
            x=held_out[0][:40], y=held_out[1][:40], ids=torch.arange(40), classes=SIGNATURE.classes, box=SIGNATURE.box
        )
        inputs: dict[str, tuple[Input, ...]] = {
            "model": (stored("victim", trained, Access.LABELS),),
            "data": (DataInput(uses="ring", params={}, split="test", digest="d"),),
            "surrogates": (stored("sibling", sibling, access),),
        }
        components: list[AnyComponent] = [
            *(
                Model(name=name, summary="", params=Params, load=lambda width=width: lambda params, s: mlp(width))
                for name, width in (("small", 32), ("large", 48))
            ),
            Dataset(name="ring", summary="", params=Params, load=lambda: lambda params, split: data),
        ]
        return FakeContext(scratch=tmp_path, inputs=inputs, components=registry_of(*components))

    return build


def mlp(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))


def test_a_stage_opens_its_surrogates(
    make_context: Callable[[Access], FakeContext],
    trained: nn.Module,
    sibling: nn.Module,
    held_out: tuple[Tensor, Tensor],
) -> None:
    """The model under attack grants labels alone; the port stands beside the two of every attack."""
    assert set(TRANSFER.inputs()) == {"model", "data", "surrogates"}
    settings = TRANSFER.schema().parse({"epsilon": 0.1, "chunk": 20})
    job = open_job(make_context(Access.GRADIENTS), TRANSFER, settings)
    rows = job.map(0, 20)
    expected = run(trained, (sibling,), held_out[0][:20], held_out[1][:20])
    assert torch.allclose(rows["adversarial"], expected.adversarial)
    assert rows["queries"].eq(0).all()


def test_a_closed_surrogate_is_refused(make_context: Callable[[Access], FakeContext]) -> None:
    with pytest.raises(StageFailed, match="surrogate 'sibling' grants labels"):
        open_job(make_context(Access.LABELS), TRANSFER, TRANSFER.schema().parse({"epsilon": 0.1}))


def test_what_is_handed_on_names_the_models_that_it_was_made_on(make_context: Callable[[Access], FakeContext]) -> None:
    context = make_context(Access.GRADIENTS)
    job = open_job(context, TRANSFER, TRANSFER.schema().parse({"epsilon": 0.1, "steps": 2}))
    found = read_adversarial(job.reduce(job.map(0, 40)).outputs["adversarial"].folder)
    surrogate = context.inputs["surrogates"][0]
    assert isinstance(surrogate, StoredInput)
    assert found.surrogates == (surrogate.artifact.digest,)
    assert found.access is Access.NOTHING
    assert found.target is None
