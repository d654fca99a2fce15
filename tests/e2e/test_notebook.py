"""The Python API as a notebook has it: results as frames, a loop that runs already, and a process left as it was."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import advorch
from advorch.errors import AdvorchError, InvalidPipeline, StageFailed
from advorch.events import Status

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.py"

Write = Callable[..., Path]

PIPELINE = """\
version: 1
name: notebook
params: {epsilon: 0.1}
data: {digits: {uses: digits, splits: {fit: "train[:300]", final: "test[:40]"}}}
tracking: {mlflow: false}
stages:
  plain:
    uses: train/erm
    in: {data: digits.fit}
    with: {model: {uses: linear}, epochs: 1}
  hit:
    uses: attack/${matrix.name}
    matrix: {name: [fgsm, pgd]}
    in: {model: plain.model, data: digits.final}
    with: {epsilon: "${params.epsilon}"}
  report:
    uses: evaluate/robustness
    in: {models: [plain.model], attacks: "hit[*].adversarial", data: digits.final}
"""
INLINE = advorch.Options(executor="inline", quiet=True)
CELLS = ["plain", "hit[name=fgsm]", "hit[name=pgd]", "report"]


def ours() -> dict[str, str]:
    """The variables that we or our libraries may be tempted to set."""
    words = ("ADVORCH", "RAY", "MLFLOW", "OMP", "CUDA", "PYTHON", "DO_NOT")
    return {name: value for name, value in os.environ.items() if name.startswith(words)}


def lasting() -> list[str]:
    """The threads that keep a process alive."""
    return sorted(thread.name for thread in threading.enumerate() if not thread.daemon)


@pytest.fixture
def notebook(workspace: Path) -> Path:
    path = workspace / "notebook.yaml"
    path.write_text(PIPELINE)
    return path


def test_results_are_frames_tables_and_figures_and_the_process_is_as_before(
    notebook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np
    import pandas as pd
    import torch

    torch.manual_seed(7)
    random.seed(7)
    np.random.seed(7)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    before = (random.getstate(), torch.get_rng_state(), ours(), Path.cwd(), lasting())
    numbers = np.random.get_state()[1].tolist()
    try:
        run = advorch.load(notebook).plan().run(INLINE).check()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    after = (random.getstate(), torch.get_rng_state(), ours(), Path.cwd(), lasting())
    assert after[0] == before[0]
    assert torch.equal(after[1], before[1])
    assert after[2:] == before[2:]
    assert np.random.get_state()[1].tolist() == numbers
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert torch.is_grad_enabled()

    frame = run.frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.index) == CELLS
    assert set(frame["status"]) == {"done"}
    assert frame.loc["hit[name=pgd]", "robust_accuracy"] == run.metrics["hit[name=pgd]"]["robust_accuracy"]
    table = run.table("report")
    assert isinstance(table, pd.DataFrame)
    assert len(table) >= 1
    assert table["robust accuracy"].iloc[0] == run.metrics["report"]["robust_accuracy"]
    attacks = run.table("report", run.tables("report")[0])
    assert len(attacks) >= 1
    figures = run.figures("report")
    assert figures
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in figures.values())
    assert run.report("report").read_text().lstrip().lower().startswith("<!doctype html>")
    assert run.folder.parent == notebook.parent / ".advorch" / "runs"
    said = capsys.readouterr()
    assert said.out + said.err == "", "quiet is quiet"

    again = advorch.load(notebook).plan().run(INLINE)
    assert set(again.statuses.values()) == {Status.CACHED}
    assert again.table("report").equals(table)
    with pytest.raises(AdvorchError, match="plain has no report"):
        run.report("plain")


def test_a_mistake_is_an_exception_that_shows_the_line(notebook: Path) -> None:
    notebook.write_text(PIPELINE.replace("epochs: 1", "epoch: 1"))
    with pytest.raises(InvalidPipeline) as refused:
        advorch.load(notebook).plan()
    assert "did you mean 'epochs'?" in str(refused.value)
    assert "notebook.yaml:10:35" in str(refused.value)
    with pytest.raises(InvalidPipeline, match=r"-S params\.epsilom=1"):
        advorch.load(notebook, overrides={"params.epsilom": 1})


def test_overrides_take_values_as_they_are(notebook: Path) -> None:
    for given in ({"params.epsilon": 0.2}, ["params.epsilon=0.2"], {"epsilon": "8/255"}):
        assert advorch.load(notebook, overrides=given).plan().cells == CELLS


def test_a_selection_and_what_is_computed_again(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline("  a: {uses: train/walk}\n  b: {uses: train/walk, seed: 1}\n")
    planned = advorch.load(path).plan(advorch.Selection(only=("a",)))
    assert planned.cells == ["a"]
    planned.run(INLINE)
    forced = advorch.Options(executor="inline", quiet=True, policy=advorch.Policy(force=frozenset({"a"})))
    assert advorch.load(path).plan().run(forced).statuses == {"a": Status.DONE, "b": Status.DONE}


def test_what_the_file_says_of_the_whole_run_holds_here_too(workspace: Path, write_pipeline: Write) -> None:
    """`deadline:` and `limits:` are the file's, and plugins that `load` left out stay out."""
    slow = "  a:\n    uses: train/walk\n    with: {steps: 50, pause: 0.05}\n"
    assert advorch.load(write_pipeline(slow, head="deadline: 500ms")).plan().run(INLINE).exit_code == 7
    stages = "".join(
        f"  s{n}: {{uses: train/walk, seed: {n}, limits: {{one: 1}}, with: {{pause: 0.02}}}}\n" for n in range(3)
    )
    done = advorch.load(write_pipeline(stages, head="limits: {one: 1}")).plan().run(INLINE)
    spans = sorted((cell.started, cell.started + cell.seconds) for cell in done.record.cells.values())
    assert all(end <= start + 0.05 for (_, end), (start, _) in pairwise(spans))
    alone = advorch.load(write_pipeline("  a: {uses: train/walk, seed: 9}\n"), no_plugins=["builtin-attacks"])
    assert alone.plan().run(INLINE).exit_code == 0


def test_inside_a_running_event_loop(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline("  a: {uses: train/walk, with: {steps: 2, pause: 0.05}}\n")

    async def cell() -> tuple[int, int]:
        here = advorch.load(path).plan().run(INLINE)
        beside = await asyncio.to_thread(lambda: advorch.load(path, overrides={"seed": 2}).plan().run(INLINE))
        return here.exit_code, beside.exit_code

    assert asyncio.run(cell()) == (0, 0)


def test_runs_in_two_threads_at_once(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline("  a: {uses: train/walk, with: {steps: 4, pause: 0.05}}\n")
    found: list[advorch.session.result.Run] = []
    threads = [
        threading.Thread(
            target=lambda n=n: found.append(advorch.load(path, overrides={"seed": n % 2}).plan().run(INLINE))
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.exit_code for run in found] == [0, 0, 0, 0]
    assert len({run.id for run in found}) == 4
    assert len({run.metrics["a"]["end"] for run in found}) == 2, "equal seeds walk the same way"


def test_an_interrupt_stops_the_run_and_the_notebook_lives_on(workspace: Path, write_pipeline: Write) -> None:
    diary = workspace / "diary"
    path = write_pipeline(f"  a: {{uses: train/walk, with: {{steps: 6, pause: 0.2, diary: {diary}}}}}\n")
    ended = threading.Event()

    def interrupt() -> None:
        """What the stop button does, once the second step is under way; never to a run that is over."""
        while not ended.wait(0.05):
            if diary.exists() and len(diary.read_text().splitlines()) >= 2:
                os.kill(os.getpid(), signal.SIGINT)
                return

    button = threading.Thread(target=interrupt)
    button.start()
    try:
        stopped = advorch.load(path).plan().run(INLINE)
    finally:
        ended.set()
        button.join()
    assert stopped.exit_code == 6
    assert stopped.statuses == {"a": Status.STOPPED}
    with pytest.raises(AdvorchError):
        stopped.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    gone_on = advorch.load(path).plan().run(INLINE)
    assert gone_on.exit_code == 0
    assert len(diary.read_text().splitlines()) == 6, "from the last checkpoint"


def test_a_failure_is_raised_where_it_is_asked_for(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline("  a: {uses: train/walk, with: {trouble: user}}\n")
    run = advorch.load(path).plan().run(INLINE)
    assert run.exit_code == 1
    assert "a bug of the user's" in run.failures()["a"]
    with pytest.raises(StageFailed, match="a bug of the user's"):
        run.check()


def test_the_example_in_the_documentation_runs(workspace: Path) -> None:
    done = subprocess.run(
        [sys.executable, NOTEBOOK],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=workspace,
        capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "attack[name=pgd,model=robust]" in done.stdout
    assert "at_two_tenths" in done.stdout
    lines = done.stdout.splitlines()
    assert "cached    2" in lines, "what does not read epsilon was found"
    assert (workspace / ".advorch").is_dir()
    assert "Traceback" not in done.stderr


def test_it_is_a_notebook() -> None:
    text = NOTEBOOK.read_text()
    cells = text.split("# %%")
    assert cells[0] == ""
    assert len(cells) > 10
    assert sum(cell.startswith(" [markdown]\n") for cell in cells) >= 5


RAY = """\
import sys
import time

import ray

import advorch

ray.init(num_cpus=2, include_dashboard=False, configure_logging=False, log_to_driver=False)
mine = ray.get_runtime_context().gcs_address


@ray.remote
def still(x):
    return x + 1


for seed in (1, 2):
    done = advorch.load(sys.argv[1], overrides={"seed": seed}).plan().run(advorch.Options(quiet=True)).check()
    print(seed, sorted(status.value for status in done.statuses.values()), done.metrics["a"]["end"])
assert ray.is_initialized(), "a Ray that was there stays"
assert ray.get_runtime_context().gcs_address == mine
assert ray.get(still.remote(1)) == 2
until = time.monotonic() + 15
while ray.available_resources().get("CPU") != 2:
    assert time.monotonic() < until, "our actors are gone"
    time.sleep(0.2)
ray.shutdown()
"""


ALONE = """\
import sys

import advorch

for seed in (1, 2):
    done = advorch.load(sys.argv[1], overrides={"seed": seed}).plan().run(advorch.Options(quiet=True)).check()
    print(seed, sorted(status.value for status in done.statuses.values()), done.metrics["a"]["end"])

import ray

assert not ray.is_initialized(), "it ends with the run"
"""


@pytest.mark.ray
@pytest.mark.long
def test_two_runs_in_one_process_under_a_ray_that_was_there(
    workspace: Path, write_pipeline: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(workspace))  # where Ray itself leaves a token
    path = write_pipeline("  a: {uses: train/walk}\n  b: {uses: train/walk, seed: 1}\n")
    script = workspace / "script.py"
    script.write_text(RAY)
    done = subprocess.run(
        [sys.executable, script, path],
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second, *_ = done.stdout.splitlines()
    assert first.split()[1:3] == second.split()[1:3] == ["['done',", "'done']"]
    assert first.split()[-1] != second.split()[-1]


@pytest.mark.ray
@pytest.mark.long
def test_two_runs_in_one_process_each_with_a_ray_of_its_own(workspace: Path, write_pipeline: Write) -> None:
    path = write_pipeline("  a: {uses: train/walk}\n  b: {uses: train/walk, seed: 1}\n")
    script = workspace / "script.py"
    script.write_text(ALONE)
    done = subprocess.run(
        [sys.executable, script, path],
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("['done', 'done']") == 2
