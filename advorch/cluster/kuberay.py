"""Manifests for KubeRay: a cluster that grows and shrinks, and a job that runs one pipeline on a cluster of its own."""

from collections.abc import Mapping
from typing import Any

import yaml

from advorch import __version__
from advorch.cluster.bundle import ENTRY, MOUNT
from advorch.cluster.pods import Yaml, cpu_worker, gpu_worker, head
from advorch.cluster.shape import ClusterShape
from advorch.cluster.versions import default_image, ray_version

IDLE_SECONDS = 300
KEPT_SECONDS = 600  # a finished job's cluster, so that its logs can be read
RETRIES = 2  # of the whole job, each on a new cluster; what was committed is found in the storage

ABOUT = """\
# {kind} `{name}` for KubeRay, by advorch {version}. Apply it with `kubectl apply -f`.
#
# The image must hold this advorch, its plugins and Ray {ray}. From a checkout of the repository:
#
#     FROM rayproject/ray:{ray}-py311
#     COPY --chown=ray . /home/ray/src
#     RUN pip install --no-cache-dir --constraint /home/ray/src/constraints.txt '/home/ray/src[s3]'
#
# Token authentication is on: KubeRay makes the token, as a Secret that has the cluster's name, and hands it to the
# pods. No port is open beyond the cluster; `kubectl port-forward service/{service} 8265` leads to the dashboard.
"""


def cluster_manifest(shape: ClusterShape) -> str:
    """A RayCluster, as text to apply."""
    document = {**_typed("RayCluster", shape.name), "spec": cluster_spec(shape)}
    return _text("RayCluster", shape, [document])


def job_manifest(shape: ClusterShape, files: Mapping[str, str]) -> str:
    """A RayJob with the pipeline's files beside it in a ConfigMap."""
    volume = f"{shape.name}-pipeline"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(volume), "data": dict(files)}
    spec = {
        "entrypoint": f"advorch pipeline run {MOUNT}/{ENTRY}",
        "submissionMode": "K8sJobMode",
        "backoffLimit": RETRIES,
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "rayClusterSpec": cluster_spec(shape, {volume: MOUNT}),
    }
    return _text("RayJob", shape, [config, {**_typed("RayJob", shape.name), "spec": spec}])


def cluster_spec(shape: ClusterShape, mounts: Yaml | None = None) -> Yaml:
    """The part that a RayCluster and a RayJob share; `mounts` are ConfigMaps by name, with their folder on the head."""
    image = shape.image or default_image()
    return {
        "rayVersion": ray_version(),
        "authOptions": {"mode": "token"},
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {"version": "v2", "upscalingMode": "Default", "idleTimeoutSeconds": IDLE_SECONDS},
        "headGroupSpec": head(image, mounts),
        "workerGroupSpecs": _groups(shape, image),
    }


def _groups(shape: ClusterShape, image: str) -> list[Yaml]:
    kinds = (
        ("cpu", shape.cpu_workers, cpu_worker(image)),
        ("gpu", shape.gpu_workers, gpu_worker(image, shape.gpus_per_worker)),
    )
    return [
        {
            "groupName": name, "replicas": size.least, "minReplicas": size.least, "maxReplicas": size.most,
            "rayStartParams": {}, "template": template,
        }
        for name, size, template in kinds if size.most
    ]  # fmt: skip


def _typed(kind: str, name: str) -> Yaml:
    return {"apiVersion": "ray.io/v1", "kind": kind, "metadata": _metadata(name)}


def _metadata(name: str) -> Yaml:
    labels = {"app.kubernetes.io/name": "advorch", "app.kubernetes.io/version": __version__}
    return {"name": name, "labels": labels}


def _text(kind: str, shape: ClusterShape, documents: list[Yaml]) -> str:
    service = f"{shape.name}-head-svc" if kind == "RayCluster" else f"{shape.name}-<id>-head-svc"
    about = ABOUT.format(kind=kind, name=shape.name, version=__version__, ray=ray_version(), service=service)
    return about + yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, explicit_start=True, width=120)


class _Plain(yaml.SafeDumper):
    """Texts of several lines as blocks, and no anchors: both are for whoever reads the manifest."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Plain.add_representer(str, _Plain.represent_str)
