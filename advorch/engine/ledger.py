"""What became of every cell of a run, written down once and told at once."""

from collections.abc import Callable
from dataclasses import dataclass, field

from advorch.engine.cell import described
from advorch.errors import AdvorchError, Claimed, CorruptObject, InfrastructureError, InvalidPipeline, StageFailed
from advorch.events import CellFinished, Event, Status
from advorch.plan.cells import Cell, Settled
from advorch.store.manifest import Manifest

# What is wrong with one cell, and says nothing about the others.
OWN_FAULTS = (StageFailed, Claimed, InvalidPipeline, CorruptObject)


@dataclass(kw_only=True)
class Ledger:
    """Statuses, manifests and errors by cell address."""

    emit: Callable[[Event], None]
    on_end: Callable[[str], None]
    keep_going: bool = False
    manifests: dict[str, Manifest | None] = field(default_factory=dict)
    statuses: dict[str, Status] = field(default_factory=dict)
    errors: dict[str, AdvorchError] = field(default_factory=dict)
    tolerated: set[str] = field(default_factory=set)
    bug: BaseException | None = None

    def succeeded(self, settled: Settled, manifest: Manifest, status: Status, seconds: float = 0.0) -> None:
        """The cell has a manifest, computed or found."""
        outputs = {port: artifact.digest for port, artifact in manifest.outputs.items()}
        self._end(
            settled.cell, status, manifest=manifest, key=settled.key, outputs=outputs,
            metrics=manifest.metrics, params=settled.params, inputs=described(settled),
            seconds=seconds, missing=settled.missing,
        )  # fmt: skip

    def ended(self, cell: Cell, status: Status, message: str, seconds: float = 0.0) -> None:
        """The cell was skipped or stopped."""
        self._end(cell, status, message=message, seconds=seconds)

    def failed(self, cell: Cell, error: BaseException, key: str = "", seconds: float = 0.0) -> bool:
        """Write a failure down; true if the run must not start anything new."""
        if isinstance(error, AdvorchError):
            self.errors[cell.address] = error
        else:
            self.bug = self.bug or error
        tolerated = isinstance(error, OWN_FAULTS) and (cell.continue_on_failure or self.keep_going)
        if tolerated:
            self.tolerated.add(cell.address)
        error_class = error.error_class.value if isinstance(error, StageFailed) else type(error).__name__
        message = error.render() if isinstance(error, InvalidPipeline) else str(error)
        self._end(cell, Status.FAILED, message=message, error_class=error_class, key=key, seconds=seconds)
        return not tolerated

    def exit_code(self, *, late: bool) -> int:
        """Of several, infrastructure over deadline over failure over tolerated failure; a bug is a failure."""
        codes = {error.exit_code for address, error in self.errors.items() if address not in self.tolerated}
        if any(isinstance(error, InfrastructureError) for error in self.errors.values()):
            return 8
        if late:
            return 7
        if self.bug is None and Status.STOPPED in self.statuses.values() and not codes:
            return 6
        for code in (2, 3, 9, 1):
            if code in codes:
                return code
        if self.bug is not None:
            return 1
        return 5 if self.tolerated else 0

    def _end(self, cell: Cell, status: Status, *, manifest: Manifest | None = None, **details: object) -> None:
        self.statuses[cell.address] = status
        self.manifests[cell.address] = manifest
        self.on_end(cell.address)
        event = CellFinished(
            cell=cell.address, stage=cell.stage, component=cell.component.id, status=status, **details  # type: ignore[arg-type]
        )  # fmt: skip
        self.emit(event)
