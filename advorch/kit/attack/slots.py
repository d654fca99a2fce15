"""Many samples through a batch of few rows: who is fooled leaves, and others take the places in a fixed order.

Those who began together make a group with its own step, and groups that ask the same of the model share one pass. What
has a survey of its own cannot share, and is cut into batches.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from advorch.kit.attack.best import Best
from advorch.kit.attack.climb import Ascent, worth_a_look
from advorch.kit.attack.draws import Draws
from advorch.kit.attack.recipe import Recipe, Walk, exact_slope, where_it_stands
from advorch.kit.attack.slopes import Slope
from advorch.kit.attack.victim import Victim

_PARTS = 2  # of a batch: with one of them free others are let in; smaller groups cost more than they fill


class Slots:
    """One search: every recipe in turn, for whoever still stands."""

    def __init__(self, victim: Victim, x: Tensor, y: Tensor, recipes: Sequence[Recipe], rng: Draws) -> None:
        self._victim, self._x, self._y, self._rng = victim, x, y, rng
        self._recipes = recipes
        self._size = min(victim.batch or len(x), len(x))
        self._at_work: list[Ascent] = []
        self._waiting = {0: torch.arange(len(x), device=x.device)} if recipes else {}
        self._best = Best.nothing(x)

    def run(self) -> Best:
        """Until nobody is left."""
        while self._let_in():
            self._at_work = [going for ascent in self._at_work for going in self._concluded(ascent)]
            surveyed = _surveyed(self._victim, self._at_work)
            self._at_work = [going for ascent, slope in surveyed for going in self._step(ascent, slope)]
        return self._best

    def _let_in(self) -> bool:
        """Fill the free rows, in the order of the samples, earlier ascents first; whether anybody is at work."""
        while self._waiting:
            restart, rows = min(self._waiting.items(), key=lambda item: item[0])
            free = self._size - sum(map(len, self._at_work))
            if self._at_work and min(free, len(rows)) < self._enough(restart, len(rows)):
                break
            self._waiting.pop(restart)
            if len(rows) > free:
                self._waiting[restart] = rows[free:]
            self._at_work.append(self._begin(restart, rows[:free]))
        return bool(self._at_work)

    def _enough(self, restart: int, waiting: int) -> int:
        """How many make a group worth its own step; for a further ascent others may still join."""
        if not _shares(self._recipes[restart]):
            return self._size + 1
        part = -(-self._size // _PARTS)
        return part if restart else min(part, waiting)

    def _begin(self, restart: int, rows: Tensor) -> Ascent:
        recipe = self._recipes[restart]
        x, rng = self._x[rows], self._rng.fork(restart).take(rows)
        return Ascent(
            recipe=recipe,
            walk=Walk.begin(self._victim.take(rows), x, self._y[rows], recipe, rng),
            rows=rows,
            own=self._best.take(rows),
            restart=restart,
            before=recipe.ahead + sum(earlier.ahead + earlier.steps for earlier in self._recipes[:restart]),
            exact=not (recipe.bfloat16 and x.dtype == torch.float32),
        )

    def _concluded(self, ascent: Ascent) -> list[Ascent]:
        """Nobody where all steps are done: the last point is judged too."""
        if not ascent.at_the_end:
            return [ascent]
        ascent.judge_here()
        self._settle(ascent)
        return []

    def _step(self, ascent: Ascent, slope: Slope) -> list[Ascent]:
        """Who goes on from here: those who stand, and those who only seemed fooled."""
        fooled = ascent.see(slope)
        resumed: list[Ascent] = []
        if worth_a_look(ascent):
            done = ascent.seems_done(fooled)
            gone = done.nonzero().squeeze(1)
            if len(gone):
                resumed = self._dismissed(ascent.take(gone))
                staying = (~done).nonzero().squeeze(1)
                ascent, slope = ascent.take(staying), Slope(*(column[staying] for column in slope))
        if not len(ascent):
            return resumed
        ascent.advance(slope)
        return [ascent, *resumed]

    def _dismissed(self, ascent: Ascent) -> list[Ascent]:
        """A search in bfloat16 is not believed: who was not fooled goes on in full precision."""
        if ascent.exact:
            self._settle(ascent)
            return []
        ascent.judge_here()
        done = ascent.is_done()
        self._settle(ascent.take(done.nonzero().squeeze(1)))
        going = (~done).nonzero().squeeze(1)
        return [ascent.take(going).in_full()] if len(going) else []

    def _settle(self, ascent: Ascent) -> None:
        """Keep what was found, and let those who stand wait for the next ascent."""
        self._best = self._best.put(ascent.rows, ascent.own)
        following = ascent.restart + 1
        if following < len(self._recipes):
            standing = ascent.rows[ascent.own.standing()]
            waiting = self._waiting.get(following)
            if len(standing):
                self._waiting[following] = standing if waiting is None else torch.cat([waiting, standing])


def _shares(recipe: Recipe) -> bool:
    """Whether the slope is that of one pass at the points themselves."""
    return recipe.survey is where_it_stands and recipe.slope is exact_slope


def _surveyed(victim: Victim, ascents: Sequence[Ascent]) -> Iterator[tuple[Ascent, Slope]]:
    """Every group with its slope."""
    sharing = [ascent for ascent in ascents if _shares(ascent.recipe)]
    yield from ((ascent, ascent.survey()) for ascent in ascents if not _shares(ascent.recipe))
    for exact in (True, False):
        group = [ascent for ascent in sharing if ascent.exact is exact]
        yield from zip(group, _in_one_pass(victim, group), strict=True)


def _in_one_pass(victim: Victim, group: Sequence[Ascent]) -> list[Slope]:
    """The slopes of several groups of one precision, each of its own objective."""
    if len(group) <= 1:
        return [ascent.survey() for ascent in group]
    sizes = [len(ascent) for ascent in group]

    def objective(logits: Tensor, y: Tensor) -> Tensor:
        parts = zip(group, torch.split(logits, sizes), torch.split(y, sizes), strict=True)
        return torch.cat([ascent.walk.objective(ascent.recipe)(*part) for ascent, *part in parts])

    z, y = (torch.cat(parts) for parts in zip(*((ascent.walk.z, ascent.walk.y) for ascent in group), strict=True))
    whole = victim.take(torch.cat([ascent.rows for ascent in group]))
    with torch.autocast(z.device.type, torch.bfloat16, enabled=not group[0].exact):
        seen = whole.value_and_gradient(z, y, objective)
    return [Slope(*columns) for columns in zip(*(torch.split(column, sizes) for column in seen), strict=True)]
