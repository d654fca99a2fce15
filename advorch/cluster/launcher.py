"""The file of Ray's own cluster launcher, with the comments that say what to change."""

from importlib.resources import files
from typing import Final

from advorch import __version__
from advorch.cluster.shape import ClusterShape
from advorch.cluster.versions import ray_version
from advorch.errors import UsageError

MACHINES: Final = {1: ("g6.2xlarge", 8), 4: ("g6.12xlarge", 48), 8: ("g6.48xlarge", 192)}  # GPUs: name, CPUs


def launcher_file(shape: ClusterShape) -> str:
    """What `ray up` takes, for the machines of AWS."""
    import jinja2

    refuse_unused(shape)
    machine, cpus = _machine(shape.gpus_per_worker)
    template = files("advorch.cluster").joinpath("launcher.yaml.j2").read_text(encoding="utf-8")
    page = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    return page.from_string(template).render(
        shape=shape, machine=machine, machine_cpus=cpus, version=__version__, ray=ray_version(), torch=_torch_version()
    )


def refuse_unused(shape: ClusterShape) -> None:
    """What the launcher has no use for is not silently dropped."""
    if shape.image:
        hint = "its nodes install this package themselves; --kuberay takes an image"
        raise UsageError("--launcher takes no --image", hint=hint)
    if shape.storage:
        hint = "name it in the pipeline's `storage:`; the nodes reach a bucket by their instance profile"
        raise UsageError("--launcher takes no --storage", hint=hint)


def _machine(gpus: int) -> tuple[str, int]:
    if gpus not in MACHINES:
        sizes = ", ".join(map(str, MACHINES))
        raise UsageError(f"no machine of the family g6 has {gpus} GPUs", hint=f"--gpus-per-worker {sizes}")
    return MACHINES[gpus]


def _torch_version() -> str:
    """Without what says which CUDA it was built for: that is the nodes' own affair."""
    from importlib.metadata import version

    return version("torch").partition("+")[0]
