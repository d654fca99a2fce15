"""What a finished cell leaves in MLflow: its tables and reports, the models that were asked for, data if allowed."""

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from advorch.artifacts import Artifact, ArtifactType
from advorch.errors import AdvorchError
from advorch.events import CellFinished
from advorch.tracking.ranking import ranks
from advorch.tracking.recorder import Library, LoggedModel, Recorder

READABLE = (ArtifactType.TABLE, ArtifactType.REPORT, ArtifactType.METRICS)
DATA = (ArtifactType.DATASET, ArtifactType.SAMPLES, ArtifactType.ADVERSARIAL)

Attempt: TypeAlias = Callable[[Callable[[], None]], None]

log = logging.getLogger(__name__)


class Results:
    """Carries outputs from the library to the recorder; what cannot be read is reported and left out."""

    def __init__(
        self, recorder: Recorder, library: Library, *, models: tuple[str, ...] = (), log_samples: bool = False
    ) -> None:
        self._recorder = recorder
        self._library = library
        self._models = models
        self._log_samples = log_samples

    def tell(self, event: CellFinished, attempt: Attempt) -> None:
        """Record the outputs of a cell, each by itself."""
        for port, artifact in self._outputs(event).items():
            try:
                self._one(event, port, artifact, attempt)
            except AdvorchError as error:
                log.warning("left out output '%s' of %s: %s", port, event.cell, error)

    def ranks(self, event: CellFinished) -> dict[str, int]:
        """Of a sweep that has ended the trials that won, by cell."""
        return ranks(event, self._library)

    def _outputs(self, event: CellFinished) -> "dict[str, Artifact]":
        if not event.key:
            return {}
        try:
            return dict(self._library.outputs(event.key))
        except AdvorchError as error:
            log.warning("left out the outputs of %s: %s", event.cell, error)
            return {}

    def _one(self, event: CellFinished, port: str, artifact: Artifact, attempt: Attempt) -> None:
        if artifact.type in READABLE or (artifact.type in DATA and self._log_samples):
            with tempfile.TemporaryDirectory(prefix="advorch-mlflow-") as scratch:
                folder = self._library.lay_out(artifact, Path(scratch) / port)
                attempt(lambda: self._recorder.files(event.cell, folder, port))
        elif artifact.type is ArtifactType.MODEL and {event.stage, event.cell} & set(self._models):
            self._model(event, port, artifact, attempt)

    def _model(self, event: CellFinished, port: str, artifact: Artifact, attempt: Attempt) -> None:
        if self._recorder.has_model(event.cell, port, artifact.digest):
            return
        try:
            module, shape = self._library.build(artifact)
        except Exception:  # a plugin's constructor runs here, and the rest of the run is still to be told
            log.exception("left out the model of %s: it could not be built", event.cell)
            return
        model = LoggedModel(port, artifact.digest, module, shape)
        attempt(lambda: self._recorder.model(event.cell, model))
