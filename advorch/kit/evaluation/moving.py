"""Ways between samples: as a strip, and as a picture that moves."""

import io

import torch
from torch import Tensor

from advorch.kit.evaluation.figures import pixels
from advorch.kit.evaluation.panels import Tile, tile_grid, unit

_FRAME_MS = 120
_SIDE = 84  # pixels of one sample
_GAP = 4


def strip(ways: Tensor, box: tuple[float, float], path: str) -> bytes:
    """A row a way, from its first end to its last; `ways` are samples by way and step."""
    last = ways.shape[1] - 1
    rows = {
        f"{number + 1}": [
            Tile(image=unit(image, box), caption=f"{place / last:.2g}" if number == len(ways) - 1 else "")
            for place, image in enumerate(way)
        ]
        for number, way in enumerate(ways)
    }
    return tile_grid(rows, side=0.62, heading=f"from one sample to another ({path}); below: the share of the way")


def moving(ways: Tensor, box: tuple[float, float]) -> bytes:
    """A GIF in which every way is walked to its end and back, side by side."""
    from PIL import Image

    there = list(range(ways.shape[1]))
    frames = [_frame(unit(ways[:, place], box)) for place in [*there, *there[-2:0:-1]]]
    pictures = [Image.fromarray(frame.numpy()) for frame in frames]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, format="GIF", save_all=True, append_images=pictures[1:], duration=_FRAME_MS, loop=0, optimize=False
    )
    return buffer.getvalue()


def _frame(images: Tensor) -> Tensor:
    """Grey or colour bytes, samples side by side with a white line between."""
    tiles = [torch.as_tensor(pixels(image)) for image in images]
    times = max(1, _SIDE // tiles[0].shape[0])
    large = [tile.repeat_interleave(times, 0).repeat_interleave(times, 1) for tile in tiles]
    gap = torch.ones(large[0].shape[0], _GAP, *large[0].shape[2:], dtype=large[0].dtype)
    parts = [part for tile in large for part in (tile, gap)][:-1]
    return (255 * torch.cat(parts, dim=1)).round().to(torch.uint8)
