"""A store in a folder."""

from pathlib import Path

from advorch.store.api import DurableHook
from advorch.store.backend import GRACE, nothing
from advorch.store.claims import INTERVAL
from advorch.store.content import ContentStore
from advorch.store.folder import FolderRecords
from advorch.store.layout import ATTEMPTS
from advorch.store.objects import FolderObjects


class LocalStore(ContentStore):
    """Opening it touches nothing; the folder is made when the first thing is stored."""

    def __init__(
        self, root: Path, *, on_durable: DurableHook = nothing, interval: float = INTERVAL, grace: float = GRACE
    ) -> None:
        root = root.expanduser().absolute()
        records, objects = FolderRecords(root, on_durable), FolderObjects(root, on_durable)
        super().__init__(str(root), records, objects, scratch=root / ATTEMPTS, interval=interval, grace=grace)
