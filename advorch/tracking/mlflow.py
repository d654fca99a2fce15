"""The recorder that speaks to MLflow: its client with a run id in every call, none of its global state."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advorch.tracking.mlflow_errors import meeting, speaking
from advorch.tracking.mlflow_model import Origin, save
from advorch.tracking.names import LONGEST_TAG, cut, safe_name
from advorch.tracking.recorder import PIPELINE, Dataset, LoggedModel, Opening, Point, Refused, Unreachable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Metric

RUN_TAG = "advorch.run"
CELL_TAG = "advorch.cell"
MODEL_TAG = "advorch.digest"
PER_BATCH = {"metrics": 1000, "params": 100, "tags": 100}
LONGEST_DIGEST = 36


class MlflowRecorder:
    """Runs are found again by their tags, so telling a thing twice changes nothing."""

    def __init__(self, uri: str, *, experiment: str, run: str, artifact_location: str = "") -> None:
        self._uri = uri
        self._experiment = experiment
        self._artifact_location = artifact_location
        self._run = run
        self._runs: dict[str, str] = {}
        self._experiment_id = ""
        self._opened: MlflowClient | None = None

    def begin(self) -> bool:
        """Find the experiment, or make it, and the runs that bear our tag."""
        with meeting():
            self._experiment_id = self._find_experiment()
            self._runs = dict(self._find_runs())
        return PIPELINE in self._runs

    def known(self, cell: str) -> bool:
        """Whether the run of a cell was found or opened."""
        return cell in self._runs

    def open(self, opening: Opening) -> None:
        """Find or create the run of a cell, below that of its parent."""
        if self.known(opening.cell):
            return
        tags = {**opening.tags, RUN_TAG: self._run, CELL_TAG: opening.cell, "mlflow.source.type": "LOCAL"}
        if opening.parent is not None:
            tags["mlflow.parentRunId"] = self._id(opening.parent)
        with speaking():
            run = self._client.create_run(
                self._experiment_id, start_time=_milliseconds(opening.at), tags=_cut(tags), run_name=opening.name
            )
        self._runs[opening.cell] = run.info.run_id

    def params(self, cell: str, params: Mapping[str, str]) -> None:
        """Record parameters under names that MLflow takes."""
        from mlflow.entities import Param

        self._batches(cell, "params", [Param(safe_name(name), value) for name, value in params.items()])

    def points(self, cell: str, points: Sequence[Point]) -> None:
        """Record metrics; a point with the same time, step and value counts once."""
        self._batches(cell, "metrics", _metrics(points))

    def tags(self, cell: str, tags: Mapping[str, str]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        self._batches(cell, "tags", [RunTag(name, value) for name, value in _cut(tags).items()])

    def ending(self, cell: str, points: Sequence[Point], tags: Mapping[str, str]) -> None:
        """Record metrics and tags, together where they are few enough for one batch."""
        from mlflow.entities import RunTag

        rows, kept = _metrics(points), [RunTag(name, value) for name, value in _cut(tags).items()]
        if len(rows) + len(kept) > PER_BATCH["tags"]:
            self.points(cell, points)
            self.tags(cell, tags)
            return
        with speaking():
            self._client.log_batch(self._id(cell), metrics=rows, tags=kept)

    def datasets(self, cell: str, datasets: Iterable[Dataset]) -> None:
        """Record what data a cell read; MLflow keeps one entry for equal name and digest."""
        from mlflow.entities import Dataset as MlflowDataset
        from mlflow.entities import DatasetInput, InputTag

        rows = []
        for item in datasets:
            source = json.dumps({"name": item.name, "sha256": item.digest})
            kept = MlflowDataset(item.name[:500], item.digest[:LONGEST_DIGEST], source_type="advorch", source=source)
            rows.append(DatasetInput(kept, [InputTag("mlflow.data.context", item.port)]))
        if rows:
            with speaking():
                self._client.log_inputs(self._id(cell), datasets=rows)

    def files(self, cell: str, folder: Path, place: str) -> None:
        """Upload a folder; a file that is there already is written again."""
        with speaking():
            self._client.log_artifacts(self._id(cell), str(folder), artifact_path=safe_name(place))

    def has_model(self, cell: str, name: str, digest: str) -> bool:
        """Whether the model is there and ready; half-logged ones of the same name are removed."""
        ready = False
        with speaking():
            for model in self._models(cell, name):
                if model.status == "READY" and model.tags.get(MODEL_TAG) == digest:
                    ready = True
                else:
                    self._client.delete_logged_model(model.model_id)
        return ready

    def model(self, cell: str, model: LoggedModel) -> None:
        """Save the model beside, upload it, then declare it ready: only a whole one is ever READY."""
        with speaking(), tempfile.TemporaryDirectory(prefix="advorch-model-") as scratch:
            made = self._client.create_logged_model(
                self._experiment_id, name=model.name, source_run_id=self._id(cell), tags={MODEL_TAG: model.digest}
            )
            try:
                self._upload(model, Path(scratch) / "model", Origin(run_id=self._id(cell), model_id=made.model_id))
            except Refused:
                self._client.delete_logged_model(made.model_id)
                raise

    def close(self, cell: str, status: str, at: float) -> None:
        """End the run of a cell."""
        with speaking():
            self._client.set_terminated(self._id(cell), status=status, end_time=_milliseconds(at))

    def _upload(self, model: LoggedModel, folder: Path, origin: Origin) -> None:
        from mlflow.entities import LoggedModelOutput

        form = save(model.module, model.shape, folder, origin)
        self._client.set_logged_model_tags(origin.model_id, {"advorch.serialization": form})
        self._client.log_model_artifacts(origin.model_id, str(folder))
        self._client.log_outputs(origin.run_id, [LoggedModelOutput(origin.model_id, 0)])
        self._client.finalize_logged_model(origin.model_id, "READY")

    @property
    def _client(self) -> "MlflowClient":
        if self._opened is None:
            from mlflow import MlflowClient

            self._opened = MlflowClient(self._uri, self._uri)
        return self._opened

    def _id(self, cell: str) -> str:
        if cell not in self._runs:
            raise Refused(f"there is no run for '{cell}'")
        return self._runs[cell]

    def _batches(self, cell: str, kind: str, rows: Sequence[Any]) -> None:
        size = PER_BATCH[kind]
        for start in range(0, len(rows), size):
            batch: dict[str, Any] = {kind: rows[start : start + size]}
            with speaking():
                self._client.log_batch(self._id(cell), **batch)

    def _find_experiment(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        if found is None:
            return self._make_experiment()
        return _living(found)

    def _make_experiment(self) -> str:
        from mlflow import MlflowException

        try:
            return str(self._client.create_experiment(self._experiment, self._artifact_location or None))
        except MlflowException as error:  # another run may have made it in the meantime
            found = self._client.get_experiment_by_name(self._experiment)
            if found is None:
                raise Unreachable(error.message) from error
            return _living(found)

    def _find_runs(self) -> Iterator[tuple[str, str]]:
        """Newest first, so that of two equal runs the oldest stays in the mapping."""
        token: str | None = ""
        while token is not None:
            page = self._client.search_runs(
                [self._experiment_id],
                filter_string=f"tags.`{RUN_TAG}` = '{self._run}'",
                order_by=["attributes.start_time DESC"],
                page_token=token or None,
            )
            for run in page:
                yield run.data.tags.get(CELL_TAG, PIPELINE), run.info.run_id
            token = page.token or None

    def _models(self, cell: str, name: str) -> list[Any]:
        query = f"source_run_id = '{self._id(cell)}' AND name = '{name}'"
        return list(self._client.search_logged_models([self._experiment_id], filter_string=query))


def _metrics(points: Sequence[Point]) -> "list[Metric]":
    from mlflow.entities import Metric

    return [Metric(safe_name(point.name), point.value, _milliseconds(point.at), point.step) for point in points]


def _living(experiment: "Experiment") -> str:
    if experiment.lifecycle_stage == "deleted":
        raise Unreachable(f"experiment '{experiment.name}' was deleted: restore it, or name another under `tracking:`")
    return str(experiment.experiment_id)


def _cut(tags: Mapping[str, str]) -> dict[str, str]:
    return {safe_name(name): cut(value, LONGEST_TAG) for name, value in tags.items()}


def _milliseconds(at: float) -> int:
    return round(at * 1000)
