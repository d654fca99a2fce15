"""What a run left: statuses, metrics as frames, tables, figures and reports laid out as files."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from advorch.artifacts import Artifact, ArtifactType
from advorch.errors import AdvorchError, StageFailed, UsageError
from advorch.events import Status
from advorch.session.running import Finished
from advorch.session.sweep_opening import choose_one, sweeps_of_run
from advorch.session.sweeps import Sweep
from advorch.store.api import Store
from advorch.store.manifest import Manifest
from advorch.store.opening import open_store
from advorch.tracking.files import safe_file_name
from advorch.tracking.logs import LogTail
from advorch.tracking.outbox import read_job
from advorch.tracking.runs import RunRecord, load_run

if TYPE_CHECKING:
    import pandas as pd


class Run:
    """A run that has ended, whichever way."""

    def __init__(self, finished: Finished) -> None:
        self._finished = finished
        self._ledger = finished.ledger
        self._laid_out: dict[str, Path] = {}

    @property
    def id(self) -> str:
        """The run's name under `.advorch/runs`."""
        return self._finished.run

    @property
    def folder(self) -> Path:
        """Journal, logs and laid-out reports."""
        return self._finished.folder

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        return self._finished.exit_code

    @property
    def statuses(self) -> Mapping[str, Status]:
        """How each cell ended, in the order of the plan."""
        known = self._ledger.statuses
        order = {cell: place for place, cell in enumerate(self._finished.cells)}
        return dict(sorted(known.items(), key=lambda item: order.get(item[0], len(order))))

    @property
    def errors(self) -> Mapping[str, AdvorchError]:
        """Why cells failed."""
        return self._ledger.errors

    @property
    def manifests(self) -> Mapping[str, Manifest | None]:
        """What each cell committed; None for one that did not."""
        return self._ledger.manifests

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Final metrics of each cell that has any."""
        return {cell: dict(manifest.metrics) for cell, manifest in self._ledger.manifests.items() if manifest}

    @cached_property
    def record(self) -> RunRecord:
        """The run as its journal has it: times, parameters, messages."""
        return load_run(self.folder)

    @property
    def messages(self) -> dict[str, str]:
        """Why cells were skipped, stopped or never started."""
        ends = {Status.SKIPPED, Status.STOPPED}
        return {cell: self.record.cells[cell].message for cell, status in self.statuses.items() if status in ends}

    @property
    def missing(self) -> dict[str, tuple[str, ...]]:
        """For each cell that did without some of its inputs the cells that they should have come from."""
        return {cell: found.missing for cell, found in self.record.cells.items() if found.missing}

    @property
    def mlflow_uri(self) -> str:
        """Where MLflow keeps this run; empty for one without tracking."""
        job = read_job(self.folder)
        return job.uri if job else ""

    def check(self) -> "Run":
        """Raise the first failure, for a notebook that must not go on."""
        for error in self._ledger.errors.values():
            raise error
        if self.exit_code:
            raise AdvorchError(f"run {self.id} ended with exit code {self.exit_code}")
        return self

    def frame(self) -> "pd.DataFrame":
        """One row a cell: status, seconds and metrics."""
        import pandas as pd

        metrics = self.metrics
        rows = [
            {"cell": cell, "status": status.value, **metrics.get(cell, {})} for cell, status in self.statuses.items()
        ]
        return pd.DataFrame(rows).set_index("cell")

    def tables(self, cell: str) -> list[str]:
        """The names of all tables that an evaluation wrote."""
        return sorted(path.stem for path in self.open(cell, ArtifactType.TABLE).glob("*.json") if path.stem != "table")

    def table(self, cell: str, name: str = "table") -> "pd.DataFrame":
        """The first table that an evaluation wrote, or the one of that name."""
        import pandas as pd

        path = self.open(cell, ArtifactType.TABLE) / f"{name}.json"
        if not path.is_file():
            raise UsageError(f"{cell} has no table '{name}'", hint=f"tables: {', '.join(self.tables(cell))}")
        plain = json.loads(path.read_text(encoding="utf-8"))
        return pd.DataFrame(plain["rows"], columns=plain["columns"])

    def sweep(self, name: str = "") -> Sweep:
        """The trials of a sweep of this run; its only sweep needs no name."""
        return choose_one(sweeps_of_run(self.record), name, among=f"run {self.id}")

    def report(self, cell: str) -> Path:
        """The HTML report that an evaluation wrote."""
        return self.open(cell, ArtifactType.REPORT) / "report.html"

    def reports(self) -> dict[str, Path]:
        """Every report of the run."""
        wanted = {cell for cell, artifacts in self._artifacts().items() if ArtifactType.REPORT in artifacts}
        return {cell: self.report(cell) for cell in self._ledger.manifests if cell in wanted}

    def figures(self, cell: str) -> dict[str, Path]:
        """The figures of a report, as PNG files by name."""
        folder = self.open(cell, ArtifactType.REPORT)
        return {path.stem: path for path in sorted(folder.rglob("*.png"))}

    def open(self, cell: str, kind: ArtifactType) -> Path:
        """Lay an output of a cell out as files in the run's folder."""
        artifact = self._artifacts().get(cell, {}).get(kind)
        if artifact is None:
            raise AdvorchError(f"{cell} has no {kind.value} in run {self.id}")
        name = f"{safe_file_name(cell)}-{kind.value}"
        if name not in self._laid_out:
            self._laid_out[name] = self._store().fetch(artifact, self.folder / "outputs" / name)
        return self._laid_out[name]

    def failures(self) -> dict[str, str]:
        """What each failed cell's error said, with its details."""
        return {
            cell: error.details if isinstance(error, StageFailed) and error.details else error.render()
            for cell, error in self._ledger.errors.items()
        }

    def log_tail(self, cell: str, lines: int) -> list[str]:
        """The last lines of what a cell printed."""
        logs = LogTail(self.folder, [cell])
        logs.skip_to_last(lines)
        return [line for _, line in logs.fresh(torn=True)]

    def _artifacts(self) -> dict[str, dict[ArtifactType, Artifact]]:
        return {
            cell: {artifact.type: artifact for artifact in manifest.outputs.values()}
            for cell, manifest in self._ledger.manifests.items()
            if manifest
        }

    def _store(self) -> Store:
        return open_store(self._finished.store_url)
