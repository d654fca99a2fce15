"""Our verdicts against those of Ray Tune itself, on a private Ray."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advorch.engine.ray.cluster import Cluster, ClusterSettings
from advorch.spec.tuning import Dimension, Objective, Scheduler, Tuning
from advorch.tuning.schedulers import open_stopping
from advorch.tuning.stopping import Verdict

TRIALS, STEPS = 8, 9


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    started = Cluster(ClusterSettings(cpus=TRIALS, object_store=80 * 2**20))
    started.start()
    yield started
    started.close()


def recorded(kind: str, folder: Path) -> list[tuple[int, int, float, str]]:
    """Each report of a Tuner run in the order in which Tune saw it, with what its scheduler decided."""
    import ray.tune
    from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule

    log: list[tuple[int, int, float, str]] = []
    meeting = folder / "meeting"

    class Curve(ray.tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            import random
            import time

            self.chance, self.level, self.rest = random.Random(config["number"] + 10), 0.0, time.sleep
            meeting.mkdir(exist_ok=True, parents=True)
            (meeting / str(config["number"])).touch()
            while len(list(meeting.iterdir())) < TRIALS:  # so that reports of different trials mix
                time.sleep(0.05)

        def step(self) -> dict[str, Any]:
            self.rest(0.1)
            self.level += self.chance.uniform(-0.5, 1)
            return {"value": self.level, "done": self.iteration + 1 == STEPS}

    def remember(trial: Any, result: dict[str, Any], decision: str) -> str:
        log.append((trial.config["number"], result["training_iteration"], result["value"], decision))
        return decision

    class Asha(AsyncHyperBandScheduler):
        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            return remember(trial, result, super().on_trial_result(tune_controller, trial, result))

    class Median(MedianStoppingRule):
        def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
            return remember(trial, result, super().on_trial_result(tune_controller, trial, result))

    common = {"time_attr": "training_iteration", "metric": "value", "mode": "max", "grace_period": 1}
    scheduler = Asha(max_t=STEPS, reduction_factor=3, **common) if kind == "asha" else Median(**common)
    ray.tune.Tuner(
        Curve,
        param_space={"number": ray.tune.grid_search(list(range(TRIALS)))},
        tune_config=ray.tune.TuneConfig(scheduler=scheduler),
        run_config=ray.tune.RunConfig(storage_path=str(folder), verbose=0),
    ).fit()
    return log


def compared(kind: str, reports: list[tuple[int, int, float, str]]) -> None:
    space = (Dimension(name="x", kind="uniform", values=(0, 1)),)
    objective = Objective(metric="train.value", goal="maximize")
    rule = Scheduler(type=kind, time="epoch", max=STEPS, reduction=3)
    stopping = open_stopping(Tuning(space=space, objectives=(objective,), scheduler=rule), 0, lambda path: None)
    assert stopping is not None
    for trial in range(TRIALS):
        stopping.added(trial, {})
    for trial, step, value, decision in reports:
        expected = Verdict.STOP if decision == "STOP" and step < STEPS else Verdict.GO
        assert stopping.reported(trial, step, value) == expected, (trial, step, value)
        if step == STEPS:
            stopping.ended(trial, step, value)


@pytest.mark.long
@pytest.mark.ray
@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("cluster")
def test_verdicts_are_those_of_a_tuner_run(tmp_path: Path) -> None:
    runs = {kind: recorded(kind, tmp_path / kind) for kind in ("asha", "median")}
    (tmp_path / "runs.json").write_text(json.dumps(runs))  # the fixture of test_ray_rules.py has one of these
    for kind, reports in runs.items():
        assert {trial for trial, *_ in reports} == set(range(TRIALS))
        assert any(decision == "STOP" and step < STEPS for _, step, _, decision in reports)
        compared(kind, reports)
