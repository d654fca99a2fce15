"""Who bears the errors: accuracy class by class, and what the worst class has, over the seeds of each recipe.

Benz et al. 2020 (arXiv:2010.13365) and Xu et al. 2021 (arXiv:2010.06121): adversarial training takes most from the
classes that had least. On CIFAR-10 at 8/255 it leaves 51 % on average and 23.5 % in the worst class.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from advorch.kit.data import Data
from advorch.kit.evaluation.class_figures import ClassBars, class_bars
from advorch.kit.evaluation.findings import Findings, Look, Table, Value, metrics_by_label
from advorch.kit.evaluation.statistics import Proportion, bounded_mean, mean_interval, tail
from advorch.kit.evaluation.subject import Subject
from advorch_builtins.evaluations.catalog_training import ClassAccuracyParams
from advorch_builtins.evaluations.verdicts import Standing, judge, standings, worst_of

_MEASURES = {
    "clean_accuracy": "clean",
    "worst_class_accuracy": "clean, worst class",
    "robust_accuracy": "robust",
    "worst_class_robust_accuracy": "robust, worst class",
    "tail_robust_accuracy": "robust, worst fifth",
}
_CAPTION = (
    "Robust: right, and still right under every attack that was made for the model. The worst class is that of each "
    "model, so that the mean over models may lie below every class's own. Intervals are of 95%: Student's over the "
    "models of one label where there are several, Wilson's over samples where there is one and the classes are all "
    "counted; a minimum of a single model has none."
)
_DIFFERENCES = (
    "Points of per cent by which the first is above the second, model by model in their order, with Student's 95% "
    "interval over the pairs."
)


@dataclass(frozen=True, slots=True)
class Member:
    """One model: shares by class, clean and in the worst case over its attacks, where it was attacked."""

    clean: tuple[Proportion, ...]
    robust: tuple[Proportion, ...]

    def measures(self) -> dict[str, float]:
        """What it has on average and in its worst class."""
        found = {"clean_accuracy": _whole(self.clean).value, "worst_class_accuracy": _least(self.clean)}
        if self.robust:
            found |= {"robust_accuracy": _whole(self.robust).value}
            found |= {"worst_class_robust_accuracy": _least(self.robust), "tail_robust_accuracy": tail(self.robust)}
        return found


@dataclass(frozen=True, slots=True)
class Recipe:
    """The models of one label."""

    name: str
    members: tuple[Member, ...]

    def of_class(self, place: int) -> tuple[list[Proportion], list[Proportion]]:
        """Clean and robust shares of one class, one a model."""
        clean = [member.clean[place] for member in self.members if member.clean[place].total]
        robust = [member.robust[place] for member in self.members if member.robust and member.robust[place].total]
        return clean, robust

    def values(self, measure: str) -> list[float]:
        """One a model that has it."""
        found = [member.measures() for member in self.members]
        return [own[measure] for own in found if measure in own]


class ClassAccuracy:
    """Batches are of clean samples; adversarial ones are found by their ids."""

    def map(self, subject: Subject, batch: Data, params: ClassAccuracyParams) -> Mapping[str, Tensor]:
        """Every model's prediction on each sample, clean and as each set has it."""
        return judge(subject, batch)

    def reduce(self, subject: Subject, rows: Mapping[str, Tensor], params: ClassAccuracyParams) -> Findings:
        """Averages, worst classes, and the differences between recipes."""
        recipes, classes = recipes_of(standings(subject, rows)), subject.data.classes
        tables = {"On average and in the worst class": _summary(recipes), "By class": _by_class(recipes, classes)}
        if len(recipes) > 1:
            tables["Differences"] = _differences(recipes)
        found = [{name: _mean(values) for name in _MEASURES if (values := recipe.values(name))} for recipe in recipes]
        return Findings(
            metrics=metrics_by_label([recipe.name for recipe in recipes], found),
            tables=tables,
            figures={"Accuracy by class": partial(_figure, recipes, classes, params.shown)},
        )


def recipes_of(found: Sequence[Standing]) -> list[Recipe]:
    """In the order in which the labels appear first."""
    names = list(dict.fromkeys(standing.model.name for standing in found))
    return [Recipe(name, tuple(_member(item) for item in found if item.model.name == name)) for name in names]


def _member(standing: Standing) -> Member:
    worst = worst_of(standing.own)
    clean = tuple(standing.by_class(standing.correct, standing.everywhere))
    return Member(clean, tuple(standing.by_class(worst.withstood, worst.covered)) if worst else ())


def _whole(shares: Sequence[Proportion]) -> Proportion:
    return Proportion(sum(share.count for share in shares), sum(share.total for share in shares))


def _least(shares: Sequence[Proportion]) -> float:
    return min(share.value for share in shares if share.total)


def _mean(values: Sequence[float]) -> float:
    return mean_interval(values)[0]


Bounded = tuple[float | None, float | None, float | None]


def spread_of(shares: Sequence[Proportion]) -> Bounded:
    """Over models where there are several, over samples where there is one."""
    return shares[0].bounded if len(shares) == 1 else _spread([share.value for share in shares])


def _spread(values: Sequence[float]) -> Bounded:
    if not values:
        return None, None, None
    mean, interval = mean_interval(values)
    return (mean, max(0.0, interval.low), min(1.0, interval.high)) if interval else (mean, None, None)


def _summary(recipes: Sequence[Recipe]) -> Table:
    bounds = tuple((name, f"{name} low", f"{name} high") for name in _MEASURES.values())
    columns = ("model", "models", *itertools.chain(*bounds))
    rows = tuple(
        (recipe.name, len(recipe.members), *itertools.chain(*(_measure(recipe, name) for name in _MEASURES)))
        for recipe in recipes
    )
    look = Look(shares=frozenset(itertools.chain(*bounds)), intervals=bounds, usual=(("models", 1),))
    return Table(columns, rows, _CAPTION, look)


def _measure(recipe: Recipe, name: str) -> Bounded:
    averages = {"clean_accuracy": "clean", "robust_accuracy": "robust"}
    if len(recipe.members) == 1 and name in averages:
        return _whole(getattr(recipe.members[0], averages[name])).bounded
    return _spread(recipe.values(name))


def _by_class(recipes: Sequence[Recipe], classes: Sequence[str]) -> Table:
    bounds = tuple((name, f"{name} low", f"{name} high") for name in ("clean", "robust"))
    rows = tuple(_class_row(recipe, place, name) for recipe in recipes for place, name in enumerate(classes))
    look = Look(shares=frozenset(itertools.chain(*bounds)), intervals=bounds, folded=True)
    columns = ("model", "class", *itertools.chain(*bounds), "worst", "samples")
    return Table(columns, rows, "Worst: of how many models this is the class with the least robust accuracy.", look)


def _class_row(recipe: Recipe, place: int, name: str) -> tuple[Value, ...]:
    clean, robust = recipe.of_class(place)
    nothing: Bounded = (None, None, None)
    worst = sum(1 for member in recipe.members if _weakest(member) == place)
    shown = (spread_of(shares) if shares else nothing for shares in (clean, robust))
    return (recipe.name, name, *itertools.chain(*shown), worst, clean[0].total if clean else 0)


def _weakest(member: Member) -> int:
    """The class that the worst is counted by: under attack where there was one."""
    shares = member.robust or member.clean
    return min((place for place, share in enumerate(shares) if share.total), key=lambda place: shares[place].value)


def _differences(recipes: Sequence[Recipe]) -> Table:
    rows = tuple(
        _difference(later, first, name)
        for place, later in enumerate(recipes)
        for first in recipes[:place]
        for name in _MEASURES
        if later.values(name) and first.values(name)
    )
    bounds = ("difference", "low", "high")
    look = Look(shares=frozenset(bounds), intervals=(bounds,))
    return Table(("model", "against", "accuracy", *bounds, "pairs"), rows, _DIFFERENCES, look)


def _difference(later: Recipe, first: Recipe, name: str) -> tuple[Value, ...]:
    pairs = list(zip(later.values(name), first.values(name), strict=False))
    difference = bounded_mean([ours - theirs for ours, theirs in pairs])
    return (later.name, first.name, _MEASURES[name], *difference, len(pairs))


def _figure(recipes: Sequence[Recipe], classes: Sequence[str], shown: int) -> bytes:
    """In the order of the classes, or of the last recipe's shares where not all are shown."""
    places = _chosen(recipes[-1], len(classes), shown)
    panels = {
        recipe.name: {
            kind: ClassBars(
                bars=[spread_of(shares) if (shares := recipe.of_class(place)[number]) else None for place in places],
                average=_mean(values),
            )
            for number, (kind, name) in enumerate((("clean", "clean_accuracy"), ("robust", "robust_accuracy")))
            if (values := recipe.values(name))
        }
        for recipe in recipes
    }
    return class_bars([classes[place] for place in places], panels)


def _chosen(recipe: Recipe, classes: int, shown: int) -> list[int]:
    if classes <= shown:
        return list(range(classes))

    def share(place: int) -> float:
        clean, robust = recipe.of_class(place)
        return _whole(robust or clean).value if clean else 1.0

    ordered = sorted(range(classes), key=share)
    return [*ordered[: (shown + 1) // 2], *ordered[len(ordered) - shown // 2 :]]
