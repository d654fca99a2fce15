"""`advorch cluster render`: what it prints is what KubeRay and Ray's launcher take, and bad input is one line."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from advorch.cli.app import build_app
from advorch.cluster.bundle import bundled
from advorch.cluster.shape import range_of
from advorch.errors import InvalidPipeline, UsageError
from advorch.spec.load import load_pipeline

ROOT = Path(__file__).parents[3]
FIELDS = json.loads((Path(__file__).parent / "kuberay_fields.json").read_text())
PIPELINE = """version: 1
name: lab
seed: 7
include: common.yaml
tracking: {mlflow: false}
stages:
  net: {uses: train/erm, in: {data: digits.fit}, with: {model: {uses: linear}, epochs: 1}}
"""
COMMON = "data: {digits: {uses: digits, splits: {fit: train}}}\n"


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(build_app(), ["cluster", "render", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def documents(*arguments: str) -> dict[str, Any]:
    return {item["kind"]: item for item in yaml.safe_load_all(printed(*arguments))}


def faults(kind: str, spec: object) -> list[str]:
    schema = {"$ref": f"#/$defs/{kind}", "$defs": FIELDS["$defs"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(spec)]


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    (tmp_path / "common.yaml").write_text(COMMON)
    path = tmp_path / "lab.yaml"
    path.write_text(PIPELINE)
    return path


def test_a_cluster_has_only_fields_that_kuberay_knows() -> None:
    spec = documents("--gpus-per-worker", "4", "--gpu-workers", "1:3")["RayCluster"]["spec"]
    assert faults("RayCluster", spec) == []
    assert (spec["authOptions"], spec["enableInTreeAutoscaling"]) == ({"mode": "token"}, True)
    groups = {group["groupName"]: group for group in spec["workerGroupSpecs"]}
    assert (groups["gpu"]["minReplicas"], groups["gpu"]["maxReplicas"]) == (1, 3)
    (worker,) = groups["gpu"]["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "4"
    assert "nvidia.com/gpu" not in groups["cpu"]["template"]["spec"]["containers"][0]["resources"]["limits"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda spec: spec.update(authOption={"mode": "token"}),
        lambda spec: spec["authOptions"].update(mode="tokens"),
        lambda spec: spec["workerGroupSpecs"][0].pop("groupName"),
        lambda spec: spec["workerGroupSpecs"][0].update(maxReplica=3),
        lambda spec: spec["workerGroupSpecs"][0].update(maxReplicas="3"),
        lambda spec: spec["headGroupSpec"]["template"]["spec"].update(container=[]),
        lambda spec: spec["headGroupSpec"]["template"]["spec"]["containers"][0].update(images="a"),
        lambda spec: spec["headGroupSpec"]["template"]["spec"]["securityContext"].update(runAsNonroot=True),
    ],
)
def test_a_slip_in_a_manifest_would_be_found(spoil: Any) -> None:
    spec = documents()["RayCluster"]["spec"]
    spoil(spec)
    assert faults("RayCluster", spec)


def test_no_pod_is_root_or_may_become_it() -> None:
    spec = documents()["RayCluster"]["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}
            }  # fmt: skip


def test_ray_is_the_installed_one_and_the_head_does_no_work() -> None:
    from importlib.metadata import version

    spec = documents()["RayCluster"]["spec"]
    assert spec["rayVersion"] == version("ray")
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_a_kind_of_worker_of_which_there_is_none_is_left_out() -> None:
    groups = documents("--gpu-workers", "0:0")["RayCluster"]["spec"]["workerGroupSpecs"]
    assert [group["groupName"] for group in groups] == ["cpu"]


def test_a_job_carries_its_pipeline(pipeline: Path, tmp_path: Path) -> None:
    found = documents("--pipeline", str(pipeline), "--storage", "s3://bucket/lab", "--name", "lab-1")
    job, config = found["RayJob"], found["ConfigMap"]
    assert faults("RayJob", job["spec"]) == []
    head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert {"name": config["metadata"]["name"], "configMap": {"name": config["metadata"]["name"]}} in head["volumes"]
    there = tmp_path / "there"
    there.mkdir()
    for name, text in config["data"].items():
        (there / name).write_text(text)
    mount = head["containers"][0]["volumeMounts"][1]["mountPath"]
    program, *arguments, entry = shlex.split(job["spec"]["entrypoint"])
    assert (program, arguments, str(Path(entry).parent)) == ("advorch", ["pipeline", "run"], mount)
    spec = load_pipeline(there / Path(entry).name)
    assert (spec.name, spec.storage, spec.address, set(spec.stages)) == ("lab", "s3://bucket/lab", "auto", {"net"})


def test_a_typo_in_a_job_would_be_found(pipeline: Path) -> None:
    spec = documents("--pipeline", str(pipeline), "--storage", "s3://bucket/lab")["RayJob"]["spec"]
    spec["entryPoint"] = spec.pop("entrypoint")
    assert faults("RayJob", spec)


def test_a_job_whose_results_would_go_with_its_pods_is_refused(pipeline: Path) -> None:
    with pytest.raises(UsageError, match="names no storage"):
        bundled(pipeline)
    pipeline.write_text(f"storage: s3://bucket/own\n{PIPELINE}")
    assert "storage" not in bundled(pipeline)["run.yaml"]


def test_what_is_included_from_elsewhere_is_refused(pipeline: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "common.yaml").rename(tmp_path / "sub/common.yaml")
    pipeline.write_text(PIPELINE.replace("common.yaml", "sub/common.yaml"))
    with pytest.raises(UsageError, match="another folder"):
        bundled(pipeline, "s3://bucket")


def test_a_pipeline_that_is_wrong_is_not_rendered(pipeline: Path) -> None:
    pipeline.write_text(PIPELINE.replace("stages", "stage"))
    with pytest.raises(InvalidPipeline):
        bundled(pipeline, "s3://bucket")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--gpu-workers", "3:1"], "the least, 3, is more than the most, 1"),
        (["--cpu-workers", "few"], "'few' is not MIN:MAX"),
        (["--cpu-workers", "-1:2"], "not MIN:MAX"),
        (["--cpu-workers", "0:5000"], "more than 1000"),
        (["--name", "No_Such"], "cannot be called 'No_Such'"),
        (["--name", "a" * 41], "cannot be called"),
        (["--name", "ends-"], "cannot be called"),
        (["--image", "a b"], "no container image"),
        (["--storage", "/tmp", "--pipeline", "p.yaml"], "no storage for a cluster"),
        (["--storage", "s3://b"], "--storage is for a job"),
        (["--gpus-per-worker", "0"], "less than 1"),
        (["--cpu-workers", "0:0", "--gpu-workers", "0:0"], "does no work"),
        (["--launcher", "--kuberay"], "exclude each other"),
        (["--launcher", "--image", "a"], "no --image"),
        (["--launcher", "--gpus-per-worker", "3"], "has 3 GPUs"),
        (["--pipeline", "none.yaml", "--storage", "s3://b"], "no file none.yaml"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)) as caught:
        printed(*arguments)
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 2


def test_a_range_is_two_numbers() -> None:
    assert (range_of("2:7", "--x").least, range_of("2:7", "--x").most) == (2, 7)
