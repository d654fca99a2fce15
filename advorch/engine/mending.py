"""A cell whose input turned out to be damaged: the input is computed again, once, and then the cell."""

import logging
from collections.abc import Mapping

from advorch.engine.cell import Shop, compute
from advorch.errors import CorruptObject
from advorch.plan.cells import BoundArtifact, Settled
from advorch.store.manifest import Manifest

log = logging.getLogger(__name__)


def mended(shop: Shop, settled: Settled, known: Mapping[str, Settled]) -> tuple[Manifest, bool]:
    """As `compute`; the store has set damaged objects aside, so the keys that made them are no longer whole."""
    try:
        return compute(shop, settled)
    except CorruptObject as damage:
        broken = _broken_inputs(shop, settled, known)
        if not broken:
            raise
        for producer in broken:
            log.warning(
                "%s reads damaged data of %s, which is computed again: %s", settled.cell.address, producer, damage
            )
            mended(shop, known[producer], known)
        return compute(shop, settled)


def _broken_inputs(shop: Shop, settled: Settled, known: Mapping[str, Settled]) -> list[str]:
    bound = [item for items in settled.inputs.values() for item in items if isinstance(item, BoundArtifact)]
    cells = dict.fromkeys(item.cell for item in bound if item.cell in known)
    return [cell for cell in cells if shop.store.manifest(known[cell].key) is None]
