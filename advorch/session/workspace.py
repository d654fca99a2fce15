"""Where a project keeps its store, its runs and its default MLflow database."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Workspace:
    """The `.advorch` folder."""

    root: Path

    @classmethod
    def find(cls) -> "Workspace":
        """`ADVORCH_HOME` if set, else `.advorch` in the current folder."""
        return cls(Path(os.environ.get("ADVORCH_HOME") or ".advorch").expanduser().absolute())

    @property
    def store_url(self) -> str:
        return str(self.root / "store")

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def mlflow_uri(self) -> str:
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> Path:
        return self.root / "mlflow-artifacts"
