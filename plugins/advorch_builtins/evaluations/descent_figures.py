"""The figures of a descent."""

import textwrap
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.curves import Axis, Curve, Panel, curves
from advorch.kit.evaluation.panels import Tile, shown_box, tile_grid, unit
from advorch_builtins.evaluations.descent_tables import End, Path

_SURE = 0.9995


def figures(paths: Sequence[Path], samples: int) -> dict[str, Callable[[], bytes]]:
    """Curves by step, a panel a model."""
    found: dict[str, Callable[[], bytes]] = {"Loss of the label by step": partial(_losses, paths)}
    if any(path.goal is not None for path in paths):
        found["Loss of the label less loss of the target by step"] = partial(_differences, paths)
    if samples > 1:
        found["Robust accuracy by step"] = partial(_accuracies, paths)
    return found


def _losses(paths: Sequence[Path]) -> bytes:
    scale = "log" if all(float(path.loss.min()) > 0 for path in paths) else "linear"
    axis = Axis(label="mean loss of the label", scale="log" if scale == "log" else "linear")
    return curves(_panels(paths, lambda path: path.loss), Axis(label="step", count=True), axis)


def _differences(paths: Sequence[Path]) -> bytes:
    aimed = [path for path in paths if path.goal is not None]
    panels = _panels(aimed, lambda path: path.loss - (path.loss if path.goal is None else path.goal))
    return curves(panels, Axis(label="step", count=True), Axis(label="L(label) - L(target)"))


def _accuracies(paths: Sequence[Path]) -> bytes:
    panels = _panels(paths, lambda path: path.robust)
    return curves(panels, Axis(label="step", count=True), Axis(label="right at every step so far", share=True))


def _panels(paths: Sequence[Path], value: Callable[[Path], Tensor]) -> dict[str, Panel]:
    models = dict.fromkeys(path.model for path in paths)
    return {
        model: {path.attack: Curve(x=range(len(path)), y=value(path).tolist()) for path in paths if path.model == model}
        for model in models
    }


def pictures(found: Sequence[End], zoom: float, data: Data) -> bytes:
    """The samples as they were; then for each attack as they end, and their perturbation enlarged about grey."""
    box = shown_box(data.box, data.x)
    rows: dict[str, list[Tile]] = {}
    for attack in dict.fromkeys(end.attack for end in found):
        ends = [end for end in found if end.attack == attack]
        rows["clean"] = [_judged(end.clean, end.before, end, box, data) for end in ends]
        rows[_named(attack)] = [_judged(end.z, end.after, end, box, data) for end in ends]
        rows[f"{zoom:g} delta + 0.5\n{_named(attack)}"] = [Tile(image=_enlarged(end, zoom, box)) for end in ends]
    return tile_grid(rows, side=1.6)


def _named(attack: str) -> str:
    return "\n".join(textwrap.wrap(attack, 26))


def _judged(image: Tensor, probabilities: Tensor, end: End, box: tuple[float, float], data: Data) -> Tile:
    """What the model sees in it, and what chance it gives the target."""
    seen = int(probabilities.argmax())
    lines = [_chance(probabilities, seen, data)]
    if end.goal is not None and end.goal != seen:
        lines.append(f"target {_chance(probabilities, end.goal, data)}")
    return Tile(image=unit(image, box), caption="\n".join(lines), wrong=seen != end.label)


def _enlarged(end: End, zoom: float, box: tuple[float, float]) -> Tensor:
    return ((end.z - end.clean) / (box[1] - box[0]) * zoom + 0.5).clamp(0, 1)


def _chance(probabilities: Tensor, place: int, data: Data) -> str:
    share = float(probabilities[place])
    return f"{data.classes[place]} {'>99.9' if share > _SURE else f'{100 * share:.1f}'}%"
