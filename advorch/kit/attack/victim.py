"""The model as an attacker meets it: it grants the access that the attack declared, and counts what it is asked."""

import copy
import math
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from advorch.kit.attack.counts import Ledger, Usage
from advorch.kit.attack.errors import access_denied
from advorch.kit.attack.first_look import Around, FirstLook
from advorch.kit.attack.light import Light, works_in_bfloat16
from advorch.kit.attack.logits import check_logits, differentiate, single
from advorch.kit.attack.objectives import Objective, cross_entropy
from advorch.kit.attack.refusal import as_right, fooled_despite, refuses
from advorch.kit.attack.rows import of_some
from advorch.kit.attack.slopes import ClassSlopes, Height, Slope, View
from advorch.kit.attack.threat_set import ThreatSet
from advorch.threat import Access, Box, Budget, Norm

if TYPE_CHECKING:
    from advorch.kit.perturbation.fitted import Fitted


class Finish(StrEnum):
    """What whoever runs the attack wants of each sample: evaluation takes the first, training one of the others."""

    FOOLED = "fooled"
    """The first point that fools, else the one of the highest loss; who is fooled leaves the batch."""
    HARDEST = "hardest"
    """The point of the highest loss after all steps."""
    LAST = "last"
    """The last point after all steps, which nobody has to judge."""


class Victim:
    """A module on raw values under one threat model. `y` is the true label, or the target of a targeted victim.

    Epsilon is one number or one a sample; a mask (true where values may change) has a sample axis, of one or all.
    With a minimal budget epsilon only judges: every legal point is allowed, and the nearest that fools is wanted.
    Surrogates are models that the attacker has besides, all of them open, and candidates are samples. `batch` is how
    many rows the model takes at once, by the wish of whoever runs the attack; loops that fill places as they become
    free keep to it by themselves.
    Whoever hands out a victim wraps its use in `untouched`; parameters never collect gradients here either way.
    """

    def __init__(  # noqa: PLR0913 - the threat model is spelled out once
        self,
        module: nn.Module,
        *,
        box: Box | None,
        norm: Norm,
        epsilon: float | Tensor,
        access: Access = Access.GRADIENTS,
        targeted: bool = False,
        mask: Tensor | None = None,
        finish: Finish = Finish.FOOLED,
        budget: Budget = Budget.FIXED,
        surrogates: Sequence[nn.Module] = (),
        perturbation: "Fitted | None" = None,
        candidates: Tensor | None = None,
        batch: int | None = None,
    ) -> None:
        self.module = module
        self.refuses = refuses(module)
        self.surrogates = tuple(surrogates)
        self.perturbation = perturbation
        self.candidates = candidates
        self._epsilon, self._mask = epsilon, mask
        self.box, self.norm = box, norm
        self.access, self.targeted = access, targeted
        self.finish, self.budget, self.batch = finish, budget, batch
        self._ledger = Ledger()
        self._tally = self._ledger.tally()
        self._first: list[FirstLook] = []
        self._ball: Around | None = None

    @property
    def epsilon(self) -> Tensor:
        """What successes are judged at, in double precision: one for all, or one a sample."""
        return torch.as_tensor(self._epsilon, dtype=torch.float64)

    def ball(self, x: Tensor) -> ThreatSet:
        """Every point that is allowed around the clean samples, fixed from here on; endless for a minimal budget."""
        return self.judged_ball(x) if self.budget is Budget.FIXED else self.ball_of(x, math.inf)

    def judged_ball(self, x: Tensor) -> ThreatSet:
        """Where an adversarial has to lie to count: within epsilon, whatever the budget."""
        if self._ball is None or not self._ball.is_of(x, self._epsilon):
            self._ball = Around.these(x, self._epsilon, self.ball_of(x, self._epsilon))
        return self._ball.ball

    def ball_of(self, x: Tensor, radius: float | Tensor) -> ThreatSet:
        """The same set with a radius of the caller's own."""
        return ThreatSet.around(x, self.norm, radius, box=self.box, mask=self._mask)

    def take(self, index: Tensor) -> "Victim":
        """The same victim for some of the samples, by position; what they ask is counted as theirs."""
        part = copy.copy(self)
        part._epsilon = of_some(self._epsilon, index) if isinstance(self._epsilon, Tensor) else self._epsilon
        part._mask = None if self._mask is None else of_some(self._mask, index)
        part._tally = self._ledger.tally(index if self._tally.rows is None else self._tally.rows[index])
        part._ball = None
        return part

    def replaced_by(self, module: nn.Module) -> "Victim":
        """An open model in this one's place, under the same threat model; what it is asked does not count."""
        other = copy.copy(self)
        other.module, other.access, other.refuses = module, Access.GRADIENTS, refuses(module)
        other._ledger = Ledger()
        other._tally = other._ledger.tally()
        return other

    def resized(self, epsilon: float | Tensor) -> "Victim":
        """The same victim with another epsilon; what is asked of it is counted here."""
        other = copy.copy(self)
        other._epsilon = epsilon
        return other

    def roaming(self) -> "Victim":
        """The same victim for a search that may leave epsilon on its way; what is asked of it is counted here."""
        other = copy.copy(self)
        other.budget = Budget.MINIMAL
        return other

    def lightened(self, probe: Tensor) -> "Victim":
        """The same victim, faster under autocast to bfloat16 where its module can be; it counts here."""
        if isinstance(self.module, Light) or not works_in_bfloat16(light := Light(self.module), probe):
            return self
        other = copy.copy(self)
        other.module = light
        return other

    def logits(self, z: Tensor) -> Tensor:
        """Raw outputs; differentiable in `z` where gradients are granted."""
        self._require(Access.SCORES, "logits")
        with torch.set_grad_enabled(z.requires_grad and self.access is Access.GRADIENTS):
            return self._forward(z)

    def scores(self, z: Tensor) -> Tensor:
        """Probabilities by class, without a gradient."""
        self._require(Access.SCORES, "scores")
        return self._look(z).softmax(1)

    def labels(self, z: Tensor) -> Tensor:
        """The predicted class."""
        self._require(Access.LABELS, "labels")
        return self._look(z).argmax(1)

    def fooled(self, z: Tensor, y: Tensor) -> Tensor:
        """Which samples reach the goal: another label than `y`, or the target `y`."""
        self._require(Access.LABELS, "labels")
        return self.judge(self._look(z), y)

    def judge(self, logits: Tensor, y: Tensor) -> Tensor:
        """The same from logits that are already there; who is refused an answer is not fooled."""
        return logits.argmax(1).eq(y) if self.targeted else fooled_despite(logits, y, refusing=self.refuses)

    def first_look(self, x: Tensor) -> Tensor:
        """The logits of the clean samples, at no cost to the attack; an open model's slope there is kept for it."""
        whole = self._tally.rows is None and (self.batch is None or len(x) <= self.batch)
        keep = whole and self.access is Access.GRADIENTS
        first = FirstLook.at(self.module, x.detach().requires_grad_(keep), self.batch or len(x))
        self._first[:] = [first] if keep else []
        return first.logits.detach()

    def classes(self, x: Tensor) -> int:
        """How many there are, which is no secret: asking does not count."""
        few = x[:2]  # one alone is too little for a model that normalises its batch by itself
        with torch.no_grad():
            return self.of_classes(check_logits(self.module(few), len(few))).shape[1]

    def of_classes(self, logits: Tensor) -> Tensor:
        """Without that of refusing, where the module has one."""
        return logits[:, :-1] if self.refuses else logits

    def gradient(self, z: Tensor, y: Tensor, objective: Objective = cross_entropy) -> Tensor:
        """The way up for each sample, towards the goal."""
        return self.value_and_gradient(z, y, objective).gradient

    def value(self, z: Tensor, y: Tensor, objective: Objective = cross_entropy) -> Height:
        """The objective of each sample, larger nearer to the goal."""
        self._require(Access.SCORES, "scores")
        logits = self._look(z)
        return Height(self._climb(objective(self._towards(logits, y), y)), logits)

    def value_and_gradient(
        self, z: Tensor, y: Tensor, objective: Objective = cross_entropy, *, view: View | None = None
    ) -> Slope:
        """The gradient of the sum over samples, so that no sample's depends on how many there are.

        With a view, the slope of what the model says of `view(z)`, at `z`.
        """
        self._require(Access.GRADIENTS, "gradients")
        with torch.enable_grad():
            point, logits, rows = self._traced(z, view)
            value = self._climb(objective(self._towards(logits, y), y))
            gradient = differentiate(value, point)[rows]
        self._tally.backwards += len(z)
        return Slope(value.detach(), gradient, logits.detach())

    def class_slopes(self, z: Tensor, y: Tensor, classes: Tensor) -> ClassSlopes:
        """For each sample and each of its classes, a row of `classes`: the logit less that of the label `y`.

        One forward pass, and a backward pass a class: on images as fast as one vectorised backward, faster than the
        classes tiled into the batch, and it asks nothing of the model but a gradient.
        """
        self._require(Access.GRADIENTS, "gradients")
        with torch.enable_grad():
            point, logits, rows = self._traced(z)
            known = self._towards(logits, y)
            lead = known.gather(1, classes) - known.gather(1, y[:, None])
            columns = [differentiate(column, point, again=True)[rows] for column in lead.unbind(1)]
        self._tally.backwards += len(z) * len(columns)
        return ClassSlopes(lead.detach(), torch.stack(columns, 1), logits.detach())

    def _traced(self, z: Tensor, view: View | None = None) -> tuple[Tensor, Tensor, Tensor | slice]:
        """What to differentiate, at which point, and which of its rows are meant: of clean samples the first look."""
        first = self._first.pop() if self._first else None
        if first and view is None and first.covers(self.module, z, self._tally.rows):
            self._tally.forwards += len(z)
            rows = slice(None) if self._tally.rows is None else self._tally.rows
            return first.point, first.logits[rows], rows
        del first  # the graph of a look that nobody wants is not kept beside the next one
        point = z.detach().requires_grad_()
        return point, self._forward(point if view is None else view(point)), slice(None)

    def note_steps(self, steps: Tensor) -> None:
        """After how many steps an attack saw each of these samples fooled, `UNSEEN` where it was not."""
        self._ledger.note_steps(self._tally.rows, steps)

    def first_step(self, count: int) -> Tensor:
        """What was noted of each sample of the whole batch: of several attacks, what the last that fooled it said."""
        return self._ledger.first_step(count)

    def usage(self, count: int) -> Usage:
        """What each sample of the whole batch cost so far, its parts included."""
        return self._ledger.usage(count)

    def _require(self, needed: Access, asked: str) -> None:
        if not self.access.allows(needed):
            raise access_denied(asked, self.access.value)

    def _towards(self, logits: Tensor, y: Tensor) -> Tensor:
        """What an objective sees: whoever has to leave `y` gains nothing by being refused."""
        return as_right(single(logits), y) if self.refuses and not self.targeted else single(logits)

    def _climb(self, value: Tensor) -> Tensor:
        return -value if self.targeted else value

    def _look(self, z: Tensor) -> Tensor:
        with torch.no_grad():
            return self._forward(z)

    def _forward(self, z: Tensor) -> Tensor:
        self._tally.forwards += len(z)
        return check_logits(self.module(z), len(z))
