"""`advorch cluster`: the files that start a cluster."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from advorch.cluster.shape import ClusterShape

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def cluster() -> None:
    """The files that start a cluster."""


@app.command()
def render(
    kuberay: Annotated[bool, typer.Option("--kuberay", help="a manifest for Kubernetes (the default)")] = False,
    launcher: Annotated[bool, typer.Option("--launcher", help="a file for Ray's cluster launcher on AWS")] = False,
    name: Annotated[str, typer.Option(help="of the cluster")] = "advorch",
    image: Annotated[str, typer.Option(help="the container image of all pods")] = "",
    gpu_workers: Annotated[str, typer.Option(metavar="MIN:MAX", help="how many workers with GPUs")] = "0:8",
    cpu_workers: Annotated[str, typer.Option(metavar="MIN:MAX", help="how many workers without")] = "0:4",
    gpus_per_worker: Annotated[int, typer.Option(metavar="G", help="GPUs of each of them")] = 1,
    storage: Annotated[str, typer.Option(metavar="URL", help="where the job keeps its results: s3://...")] = "",
    pipeline: Annotated[Path | None, typer.Option(metavar="FILE", help="a job that runs this file")] = None,
) -> None:
    """Print what starts a cluster that grows with the work and shrinks after it."""
    from advorch.cluster.shape import ClusterShape, check_shape, range_of
    from advorch.errors import UsageError

    if launcher and (kuberay or pipeline):
        raise UsageError(
            f"--launcher and {'--kuberay' if kuberay else '--pipeline'} exclude each other",
            hint="a job beside its cluster is a matter of --kuberay",
        )
    if storage and not (pipeline or launcher):
        raise UsageError("--storage is for a job", hint="name it in the pipeline's `storage:`, or add --pipeline FILE")
    shape = ClusterShape(
        name=name, image=image, storage=storage, gpus_per_worker=gpus_per_worker,
        cpu_workers=range_of(cpu_workers, "--cpu-workers"), gpu_workers=range_of(gpu_workers, "--gpu-workers"),
    )  # fmt: skip
    check_shape(shape)
    sys.stdout.write(_rendered(shape, launcher, pipeline))


def _rendered(shape: "ClusterShape", launcher: bool, pipeline: Path | None) -> str:
    if launcher:
        from advorch.cluster.launcher import launcher_file

        return launcher_file(shape)
    from advorch.cluster.kuberay import cluster_manifest, job_manifest

    if pipeline is None:
        return cluster_manifest(shape)
    from advorch.cluster.bundle import bundled

    return job_manifest(shape, bundled(pipeline, shape.storage))
