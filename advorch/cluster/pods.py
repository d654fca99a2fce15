"""The pods of a cluster: no root, no privileges, and as much of a machine as Ray is told."""

from typing import Any, Final

Yaml = dict[str, Any]

USER: Final = 1000  # `ray` in the images of rayproject
CPU_WORKER: Final = {"cpu": "8", "memory": "32Gi"}
CPUS_A_GPU: Final = 8
GIB_A_GPU: Final = 64
HEAD: Final = {"cpu": "4", "memory": "16Gi"}
GPU: Final = "nvidia.com/gpu"
HOME: Final = "/home/ray/advorch"

ENVIRONMENT: Final = {
    "ADVORCH_HOME": HOME,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
}
PORTS: Final = {"gcs": 6379, "dashboard": 8265}


def head(image: str, mounts: Yaml | None = None) -> Yaml:
    """Where the driver and Ray's own services live; it is asked for no work, so that nothing there starves them."""
    container = _container("ray-head", image, HEAD)
    container["ports"] = [{"containerPort": port, "name": name} for name, port in PORTS.items()]
    pod = _pod(container)
    for name, path in (mounts or {}).items():
        container["volumeMounts"].append({"name": name, "mountPath": path, "readOnly": True})
        pod["volumes"].append({"name": name, "configMap": {"name": name}})
    return {"rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"}, "template": _template(pod)}  # noqa: S104


def cpu_worker(image: str) -> Yaml:
    """The template of a worker without a GPU."""
    return _template(_worker(_container("ray-worker", image, CPU_WORKER)))


def gpu_worker(image: str, gpus: int) -> Yaml:
    """The template of a worker with GPUs, on machines that are kept for such work."""
    size = {"cpu": str(CPUS_A_GPU * gpus), "memory": f"{GIB_A_GPU * gpus}Gi", GPU: str(gpus)}
    pod = _worker(_container("ray-worker", image, size))
    pod["tolerations"] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    return _template(pod)


def _worker(container: Yaml) -> Yaml:
    """Workers ask Kubernetes for nothing; the head's autoscaler does, so it keeps its account's token."""
    return _pod(container) | {"automountServiceAccountToken": False}


def _template(pod: Yaml) -> Yaml:
    return {"metadata": {"labels": {"app.kubernetes.io/name": "advorch"}}, "spec": pod}


def _container(name: str, image: str, size: dict[str, str]) -> Yaml:
    return {
        "name": name,
        "image": image,
        "resources": {"requests": dict(size), "limits": dict(size)},
        "env": [{"name": key, "value": value} for key, value in ENVIRONMENT.items()],
        "volumeMounts": [{"name": "home", "mountPath": HOME}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _pod(container: Yaml) -> Yaml:
    rights = {"runAsNonRoot": True, "runAsUser": USER, "fsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"securityContext": rights, "containers": [container], "volumes": [{"name": "home", "emptyDir": {}}]}
