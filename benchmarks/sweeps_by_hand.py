"""Eight trials of two workers as one would write them for Ray Tune: what `benchmarks/sweeps.py` compares with.

A trial is a function that fits a TorchTrainer of two workers; it may hold no CPU, or the workers would never fit, and
the dashboard must run, or a trial's placement group outlives it.
"""

import os
import sys
import tempfile

os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.1")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
import torch
from ray import tune
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer, prepare_model
from ray.tune.integration.ray_train import TuneReportCallback
from sklearn.datasets import make_moons


def train(config: dict[str, float]) -> None:
    """Five epochs of a small net on two moons, half of each batch a rank."""
    x, y = (torch.as_tensor(part) for part in make_moons(2000, noise=0.1, random_state=0))
    x, rank = x.float(), ray.train.get_context().get_world_rank()
    model = prepare_model(torch.nn.Sequential(torch.nn.Linear(2, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)))
    optimizer = torch.optim.Adam(model.parameters(), config["lr"])
    for _ in range(5):
        for part in torch.randperm(1000).split(64):
            mine = part.chunk(2)[rank]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[mine]), y[mine]).backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (model(x[1000:]).argmax(1) == y[1000:]).double().mean().item()
        with tempfile.TemporaryDirectory() as folder:
            torch.save(model.state_dict(), f"{folder}/state.pt")
            kept = ray.train.Checkpoint.from_directory(folder) if rank == 0 else None
            ray.train.report({"accuracy": accuracy}, checkpoint=kept)


def trial(config: dict[str, float]) -> None:
    """One trial."""
    TorchTrainer(
        train,
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=2, resources_per_worker={"CPU": 1}),
        run_config=RunConfig(name=f"train-{tune.get_context().get_trial_id()}", callbacks=[TuneReportCallback()]),
    ).fit()


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=True, log_to_driver=False, object_store_memory=256 * 2**20)
    with tempfile.TemporaryDirectory() as storage:
        tuner = tune.Tuner(
            tune.with_resources(trial, {"node:__internal_head__": 0.001}),
            param_space={"lr": tune.loguniform(1e-3, 1e-1)},
            tune_config=tune.TuneConfig(
                metric="accuracy", mode="max", num_samples=int(sys.argv[1]), max_concurrent_trials=1, reuse_actors=True
            ),
            run_config=tune.RunConfig(storage_path=storage, verbose=0),
        )
        print(tuner.fit().get_best_result().metrics["accuracy"])
    ray.shutdown()
