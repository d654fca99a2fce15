"""One ascent in which every point is judged: who is fooled leaves, and changes nobody else.

Who comes back to where it was leaves too, since it would go round for ever. In bfloat16 only the search is: whoever
seems fooled is judged in full precision, and goes on in it if it was not.
"""

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import torch
from torch import Tensor

from advorch.kit.attack.best import Best
from advorch.kit.attack.recipe import Recipe, Walk
from advorch.kit.attack.rounds import look_back, remember
from advorch.kit.attack.slopes import Slope

_PATIENCE = 5  # steps between two looks at who is fooled on a device where looking means waiting
_TOGETHER: Final = 8  # steps that are compared at once: few operations for each, and no more points kept than that


class Sight(NamedTuple):
    """A point after so many steps, its loss, and whether it fooled, which a search in bfloat16 does not know."""

    number: int
    z: Tensor
    value: Tensor
    fooled: Tensor


@dataclass(slots=True, kw_only=True)
class Ascent:
    """Some samples on their way up; `rows` are their places in the whole, `own` is what they have found.

    `number` steps of this ascent are behind them, and `before` steps of earlier ones. Where the search is in bfloat16
    nobody is judged on the way: `seems_done` says who is worth a verdict.
    """

    recipe: Recipe
    walk: Walk
    rows: Tensor
    own: Best
    restart: int = 0
    before: int = 0
    number: int = 0
    exact: bool = True
    unsettled: list[Sight] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def at_the_end(self) -> bool:
        """Whether all steps are done, and the last point is all that is left to judge."""
        return self.number >= self.recipe.steps

    def take(self, index: Tensor) -> "Ascent":
        """The ascent of some of the samples, by position."""
        self.settle()
        walk, own = self.walk.take(index), self.own.take(index)
        return replace(self, walk=walk, rows=self.rows[index], own=own, unsettled=[])

    def survey(self) -> Slope:
        """The slope where it stands, in the precision of the search."""
        with torch.autocast(self.walk.z.device.type, torch.bfloat16, enabled=not self.exact):
            return self.recipe.survey(self.walk, self.recipe)

    def see(self, slope: Slope) -> Tensor:
        """Remember the point; who seems fooled there, as far as the precision of the search can tell."""
        fooled = self.walk.victim.judge(slope.logits, self.walk.y)
        self.unsettled.append(Sight(self.number, self.walk.z, slope.value, fooled if self.exact else self.own.fooled))
        if (self.number + 1) % _TOGETHER == 0:
            self.settle()
            if self.recipe.cyclic:
                look_back(self.walk.memory, self.number + 1 - _TOGETHER, self.number + 1)
        return fooled

    def seems_done(self, fooled: Tensor) -> Tensor:
        """Who is done, given who seems fooled here; who was fooled since the last look is done as well."""
        if not _always_looks(self):
            return self.is_done() | fooled
        known = self.walk.memory.get("round")
        return fooled if known is None else fooled | known

    def settle(self) -> None:
        """Find the best of what was seen since the last time, and keep what tells whether anybody goes round."""
        if not self.unsettled:
            return
        first, seen = self.unsettled[0].number, self.unsettled
        self.unsettled = []
        z, value, fooled = (torch.stack(columns) for columns in list(zip(*seen, strict=True))[1:])
        if self.recipe.cyclic:
            remember(self.walk.memory, first, z, value, self.recipe.steps)
        if first == 0:  # the start, which may be the clean sample: nothing but a verdict makes it anybody's best
            value[0] = -torch.inf
        self.own = self.own.after_all(z, value, fooled, self.before + first)

    def advance(self, slope: Slope) -> None:
        """One step further."""
        self.walk.advance(self.recipe, self.number, slope)
        self.number += 1

    def judge_here(self) -> None:
        """The verdict on the point where it stands, in full precision."""
        self.settle()
        height = self.walk.height(self.recipe)
        keep = self.own.after if self.number else self.own.after_start
        fooled = self.walk.victim.judge(height.logits, self.walk.y)
        self.own = keep(self.walk.z, height.value, fooled, self.before + self.number)

    def is_done(self) -> Tensor:
        """Who is fooled, or goes round."""
        self.settle()
        known = self.walk.memory.get("round")
        return self.own.fooled if known is None else self.own.fooled | known

    def in_full(self) -> "Ascent":
        """The same, in full precision from here on."""
        return replace(self, exact=True)


def worth_a_look(ascent: Ascent) -> bool:
    """Whether to look now at who is done: on a device looking means waiting."""
    return _always_looks(ascent) or ascent.number % _PATIENCE == 0


def _always_looks(ascent: Ascent) -> bool:
    return ascent.walk.z.device.type == "cpu"
