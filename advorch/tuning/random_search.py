"""Independent draws; a trial's values depend on its number alone."""

import random
from collections.abc import Mapping

from advorch.canonical import Json
from advorch.seeds import derive
from advorch.spec.expression import Lookup
from advorch.spec.tuning import Dimension
from advorch.tuning.draws import Chance, drawn
from advorch.tuning.search import Outcome


class RandomSearch:
    """Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization" (2012)."""

    def __init__(self, space: tuple[Dimension, ...], seed: int, lookup: Lookup) -> None:
        self._space, self._seed, self._lookup = space, seed, lookup
        self._asked = 0

    def ask(self) -> Mapping[str, Json]:
        """The values of the next number."""
        chance = Chance(random.Random(derive(self._seed, "trial", self._asked)))
        self._asked += 1
        return drawn(self._space, chance, self._lookup)

    def tell(self, number: int, outcome: Outcome) -> None:
        """What came of it does not change what is next."""
