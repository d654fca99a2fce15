"""Nodes that die or fall silent while they work, of a cluster that lives on."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advorch.errors import InfrastructureError

Raylets = Callable[..., Any]

PIPELINE = """
data: {digits: {uses: digits, splits: {fit: "train[:160]", final: "test[:400]"}}}
defaults: {retry: {max: 2, on: [node_lost]}}
stages:
  net:
    uses: defend/adversarial
    in: {data: digits.fit}
    with:
      model: {uses: mlp, with: {hidden: [16]}}
      epochs: 30
      batch: 8
      attack: {uses: deadly, with: {epsilon: 0.1, diary: DIARY/steps}}
  attack:
    uses: attack/deadly
    in: {model: net.model, data: digits.final}
    with: {epsilon: 0.1, chunk: 2, diary: DIARY/chunks}
"""
STEPS = 30 * 20


def text(folder: Path, address: str) -> str:
    return f"address: {address}\n{PIPELINE.replace('DIARY', str(folder))}"


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def after(path: Path, more: int) -> Callable[[], bool]:
    """So many lines from now."""
    wanted = lines(path) + more
    return lambda: lines(path) >= wanted


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(400)
def test_one_node_dies_in_training_and_one_in_the_attack(raylets: Raylets, runs: Any, tmp_path: Path) -> None:
    steps, chunks = tmp_path / "steps", tmp_path / "chunks"
    nodes = raylets({"num_cpus": 0}, *[{"num_cpus": 1}] * 3)
    began = time.monotonic()
    disturbed = runs.start(runs.write(text(tmp_path, nodes.address)))
    runs.until(disturbed, after(steps, 150))
    nodes.order("kill_busy", "WarmWorker.fit")
    training = runs.until(disturbed, after(steps, 1))
    runs.until(disturbed, after(chunks, 50))
    nodes.order("kill_busy", "WarmWorker.chunk")
    attack = runs.until(disturbed, after(chunks, 10))
    said = runs.finish(disturbed, 0)
    whole = time.monotonic() - began
    assert "node_lost" in said
    done = lines(steps), lines(chunks)
    print(f"lost: {training:.1f} s in training, {attack:.1f} s in the attack, of {whole:.1f} s in all")
    calm = runs.start(runs.write(text(tmp_path, nodes.address)), "--executor", "inline", home="calm")
    runs.finish(calm, 0)
    assert runs.outputs() == runs.outputs("calm")
    assert len(runs.outputs()) == 2
    assert done[0] - STEPS in range(1, 41), "an epoch is 20 steps"
    assert 2 * done[1] - lines(chunks) in range(11), "a node has one chunk in work"


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_node_that_is_silent_for_a_while_costs_that_while(raylets: Raylets, runs: Any, tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    nodes = raylets({"num_cpus": 0}, {"num_cpus": 1})
    path = runs.write(text(tmp_path, nodes.address))
    disturbed = runs.start(path)
    runs.until(disturbed, after(steps, 100))
    nodes.order("freeze_busy", "WarmWorker.fit")
    time.sleep(6)
    silent = lines(steps)
    time.sleep(1)
    assert lines(steps) == silent
    nodes.order("thaw_all", None)
    print(f"went on {runs.until(disturbed, after(steps, 1)):.1f} s after it could")
    runs.finish(disturbed, 0)
    runs.finish(runs.start(path, "--executor", "inline", home="calm"), 0)
    assert runs.outputs() == runs.outputs("calm")


LONG = 140  # steps that outlast the patience with a head

WALK = """
address: ADDRESS
stages:
  first: {uses: train/walk, with: {steps: 2, diary: DIARY/first}}
  second: {uses: train/walk, needs: [first], with: {steps: 12, start: 1, pause: 0.4, diary: DIARY/second}}
"""


def walk(folder: Path, address: str, steps: int = 12) -> str:
    return WALK.replace("ADDRESS", address).replace("DIARY", str(folder)).replace("steps: 12", f"steps: {steps}")


def walked(path: Path) -> list[int]:
    return [int(line.split()[1]) for line in path.read_text().splitlines()]


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_driver_that_is_killed_leaves_no_work_to_be_done_twice(raylets: Raylets, runs: Any, tmp_path: Path) -> None:
    nodes = raylets({"num_cpus": 0}, {"num_cpus": 1})
    path = runs.write(walk(tmp_path, nodes.address))
    killed = runs.start(path)
    runs.until(killed, after(tmp_path / "second", 4))
    killed.kill()
    killed.communicate()
    runs.finish(runs.start(path), 0)
    assert walked(tmp_path / "first") == [1, 2]
    steps = walked(tmp_path / "second")
    assert sorted(set(steps)) == list(range(1, 13))
    assert len(steps) <= 13, f"only the step in progress is done again: {steps}"


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(400)
def test_a_head_that_is_gone_is_said_so_and_its_successor_goes_on(raylets: Raylets, runs: Any, tmp_path: Path) -> None:
    nodes = raylets({"num_cpus": 0}, {"num_cpus": 1})
    orphan = runs.start(runs.write(walk(tmp_path, nodes.address, LONG)))
    runs.until(orphan, after(tmp_path / "second", 4))
    began = time.monotonic()
    nodes.order("kill", 0)
    said = runs.finish(orphan, InfrastructureError.exit_code)
    print(f"told after {time.monotonic() - began:.1f} s")
    assert f"the head of the cluster at {nodes.address} is gone" in said
    assert "Traceback" not in said
    done = len(walked(tmp_path / "second"))
    successor = raylets({"num_cpus": 0}, {"num_cpus": 1})
    runs.finish(runs.start(runs.write(walk(tmp_path, successor.address, LONG))), 0)
    steps = walked(tmp_path / "second")
    assert walked(tmp_path / "first") == [1, 2]
    assert sorted(set(steps)) == list(range(1, LONG + 1))
    assert len(steps) <= LONG + 1, "nobody works beside the successor"
    assert 4 <= done < LONG


GANG = """
address: ADDRESS
stages:
  pair:
    uses: train/walk
    retry: {max: 2, on: [node_lost]}
    with: {steps: 20, pause: 0.4, diary: DIARY/pair}
    resources: {workers: 2}
"""


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(400)
def test_a_gang_that_loses_a_node_goes_on_with_another(raylets: Raylets, runs: Any, tmp_path: Path) -> None:
    nodes = raylets({"num_cpus": 0}, *[{"num_cpus": 1}] * 3)
    path = runs.write(GANG.replace("ADDRESS", nodes.address).replace("DIARY", str(tmp_path)))
    disturbed = runs.start(path)
    runs.until(disturbed, after(tmp_path / "pair", 4))
    nodes.order("kill_busy", "TrainWorker")
    print(f"lost: {runs.until(disturbed, after(tmp_path / 'pair', 4)):.1f} s of a gang")
    said = runs.finish(disturbed, 0)
    assert "node_lost" in said
    steps = walked(tmp_path / "pair")
    assert sorted(set(steps)) == list(range(1, 21))
    assert len(steps) <= 22, "what was committed is not done again"
