"""Toys of the plane that generators are tried on, described."""

from typing import Annotated

from pydantic import Field

from advorch.api import AnyComponent, Count, Dataset, DatasetFn, NonNegative, Params, Positive


class ToyParams(Params):
    """How many points."""

    n: Annotated[Count, Field(description="training points")] = 10_000
    n_test: Annotated[Count, Field(description="test points")] = 2_000
    seed: int = 0


class GridParams(ToyParams):
    """A mixture of Gaussians whose centres stand on a square grid; the class of a point is its mode."""

    side: Annotated[Count, Field(description="modes along either axis")] = 5
    spacing: Annotated[Positive, Field(description="from one centre to the next")] = 2.0
    std: Positive = 0.05


class SwissRollParams(ToyParams):
    """A spiral, of about 2 in the data's units to either side."""

    noise: Annotated[NonNegative, Field(description="standard deviation, before all is divided by 7.5")] = 0.25
    stretches: Annotated[Count, Field(description="classes, by how far along the spiral a point lies")] = 10


def _grid() -> DatasetFn[GridParams]:
    from advorch_builtins.datasets.grid import load

    return load


def _swiss_roll() -> DatasetFn[SwissRollParams]:
    from advorch_builtins.datasets.swiss_roll import load

    return load


COMPONENTS: tuple[AnyComponent, ...] = (
    Dataset(name="grid", summary="Gaussians on a square grid, 25 by default", params=GridParams, load=_grid, box=None),
    Dataset(
        name="swiss-roll",
        summary="a spiral in the plane, in stretches",
        params=SwissRollParams,
        load=_swiss_roll,
        box=None,
    ),
)
