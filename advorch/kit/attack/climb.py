"""One ascent in which every point is judged: who is fooled leaves, and changes nobody else.

Who comes back to where it was leaves too, since it would go round for ever. In bfloat16 only the search is: whoever
seems fooled is judged in full precision, and goes on in it if it was not.
"""

import torch
from torch import Tensor

from advorch.kit.attack.best import Best
from advorch.kit.attack.recipe import Recipe, Walk
from advorch.kit.attack.victim import Slope

_PATIENCE = 5  # steps between two looks at who is fooled on a device where looking means waiting
_AS_HIGH = 1e-5  # losses of one point in batches of different sizes are no more apart than that
_ODD = -7046029254386353131  # 2^64 over the golden ratio: spreads the bits of a state


def climb(walk: Walk, recipe: Recipe, best: Best, first: int = 0) -> Best:
    """From step `first` on; the last point is judged too."""
    rows, own = torch.arange(len(walk.z), device=walk.z.device), best
    for number in range(first, recipe.steps):
        slope = recipe.survey(walk, recipe)
        fooled = walk.victim.judge(slope.logits, walk.y)
        own = _seen(own, walk.z, number, slope.value, fooled)
        if recipe.cyclic:
            note_state(walk, number, slope.value, recipe.steps)
        if _worth_a_look(number, walk.z):
            staying = _still_climbing(walk, own)
            if len(staying) < len(rows):
                best = best.put(rows, own)
                rows, own, walk, slope = rows[staying], own.take(staying), walk.take(staying), _rows(slope, staying)
            if not len(rows):
                return best
        walk.advance(recipe, number, slope)
    last = walk.height(recipe)
    own = own.after(walk.z, last.value, walk.victim.judge(last.logits, walk.y))
    return best.put(rows, own)


def climb_in_bfloat16(walk: Walk, recipe: Recipe, best: Best) -> Best:
    """The same search for half the price, where the hardware multiplies in bfloat16; every verdict is in full."""
    rows, own = torch.arange(len(walk.z), device=walk.z.device), best
    for number in range(recipe.steps):
        with torch.autocast(walk.z.device.type, torch.bfloat16):
            slope = recipe.survey(walk, recipe)
        own = _seen(own, walk.z, number, slope.value, own.fooled)
        if recipe.cyclic:
            note_state(walk, number, slope.value, recipe.steps)
        if _worth_a_look(number, walk.z):
            leaving = walk.victim.judge(slope.logits, walk.y) | _gone_round(walk)
            if bool(leaving.any()):
                gone, staying = leaving.nonzero().squeeze(1), (~leaving).nonzero().squeeze(1)
                best = best.put(rows[gone], _in_full(walk.take(gone), recipe, own.take(gone), number))
                rows, own, walk, slope = rows[staying], own.take(staying), walk.take(staying), _rows(slope, staying)
            if not len(rows):
                return best
        walk.advance(recipe, number, slope)
    last = walk.height(recipe)
    own = own.after(walk.z, last.value, walk.victim.judge(last.logits, walk.y))
    return best.put(rows, own)


def note_state(walk: Walk, number: int, value: Tensor, steps: int) -> None:
    """Whether a sample is twice running where it has been, to the bit, at the loss of every visit: it goes round.

    A model that draws gives another loss at the same point.
    """
    memory, state = walk.memory, _fingerprint(walk.z)
    if not number:
        memory["states"] = torch.zeros(len(state), steps, dtype=torch.int64, device=state.device)
        memory["heights"] = torch.zeros(len(state), steps, dtype=value.dtype, device=state.device)
        memory["again"] = memory["round"] = torch.zeros_like(state, dtype=torch.bool)
    visits = memory["states"][:, :number] == state[:, None]
    other = ~torch.isclose(memory["heights"][:, :number], value[:, None], rtol=_AS_HIGH, atol=0)
    again = visits.any(1) & ~(visits & other).any(1)
    memory["round"] = memory["round"] | (again & memory["again"])
    memory["again"] = again
    memory["states"][:, number], memory["heights"][:, number] = state, value


def _fingerprint(values: Tensor) -> Tensor:
    """64 bits of all the bits of each sample, whose places matter."""
    kind = torch.int64 if values.dtype == torch.float64 else torch.int32
    words = (values if values.element_size() > 2 else values.float()).contiguous().view(kind).flatten(1).long()
    places = torch.arange(1, words.shape[1] + 1, device=words.device) * _ODD
    mixed = (words + places) * _ODD
    return ((mixed ^ (mixed >> 29)) * _ODD).sum(1)


def _in_full(walk: Walk, recipe: Recipe, own: Best, number: int) -> Best:
    """The verdict on those who seem fooled; the others go on from here in full precision."""
    here = walk.height(recipe)
    own = _seen(own, walk.z, number, here.value, walk.victim.judge(here.logits, walk.y))
    going = (~own.fooled & ~_gone_round(walk)).nonzero().squeeze(1)
    if not len(going):
        return own
    return own.put(going, climb(walk.take(going), recipe, own.take(going), number))


def _seen(own: Best, z: Tensor, number: int, value: Tensor, fooled: Tensor) -> Best:
    return own.after(z, value, fooled) if number else own.after_start(z, value, fooled)


def _still_climbing(walk: Walk, own: Best) -> Tensor:
    """The positions of those who are neither fooled nor going round; waits for the device."""
    return (~own.fooled & ~_gone_round(walk)).nonzero().squeeze(1)


def _gone_round(walk: Walk) -> Tensor:
    known = walk.memory.get("round")
    return torch.zeros(len(walk.z), dtype=torch.bool, device=walk.z.device) if known is None else known


def _rows(slope: Slope, index: Tensor) -> Slope:
    return Slope(*(column[index] for column in slope))


def _worth_a_look(number: int, z: Tensor) -> bool:
    return z.device.type == "cpu" or number % _PATIENCE == 0
