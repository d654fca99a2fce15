"""Population based training: who continues from whom, and within the space."""

import math
import random
from typing import Any

from advorch.spec.expression import Path, UnknownName, parse
from advorch.spec.nodes import Mark, Source
from advorch.spec.tuning import Dimension, Goal, Objective, Scheduler, Tuning
from advorch.tuning.mutation import explored, moved
from advorch.tuning.schedulers import open_stopping
from advorch.tuning.stopping import Exploit, Stopping, Verdict


def dimension(name: str, kind: str, *values: Any, when: str = "") -> Dimension:
    mark = Mark(Source("test.yaml", when), 1, 1, 1)
    return Dimension(name=name, kind=kind, values=values, when=parse(when, mark) if when else None)


SPACE = (
    dimension("rate", "loguniform", 0.001, 0.1),
    dimension("lambda", "uniform", 1, 10),
    dimension("steps", "int", 5, 20),
    dimension("scale", "logint", 1, 64),
    dimension("size", "quniform", 0.1, 0.7, 0.1),
    dimension("shift", "normal", 0, 1),
    dimension("attack", "choice", "fgsm", {"uses": "pgd"}, None),
    dimension("fixed", "const", 3),
)
START = {
    "rate": 0.1,
    "lambda": 5.0,
    "steps": 10,
    "scale": 1,
    "size": 0.3,
    "shift": -1.0,
    "attack": {"uses": "pgd"},
    "fixed": 3,
}


def params(path: Path) -> object:
    if path == ("params", "strong"):
        return True
    raise UnknownName(path)


def population(seed: int = 0, goal: Goal = "maximize", **scheduler: Any) -> Stopping:
    tuning = Tuning(
        space=SPACE,
        objectives=(Objective(metric="train.robust", goal=goal),),
        scheduler=Scheduler(type="pbt", time="epoch", **scheduler),
    )
    opened = open_stopping(tuning, seed, params)
    assert opened is not None
    return opened


def with_trials(count: int, **options: Any) -> Stopping:
    stopping = population(**options)
    for trial in range(count):
        stopping.added(trial, START | {"lambda": 1.0 + trial})
    return stopping


def inside(values: dict[str, Any]) -> bool:
    return (
        0.001 <= values["rate"] <= 0.1
        and 1 <= values["lambda"] <= 10
        and values["steps"] in range(5, 21)
        and values["scale"] in range(1, 65)
        and values["size"] in {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}
        and values["attack"] in ("fgsm", {"uses": "pgd"}, None)
        and values["fixed"] == 3
    )


def test_the_worst_quarter_continues_from_the_best() -> None:
    stopping = with_trials(8, interval=2)
    assert [stopping.reported(trial, 1, 0.0) for trial in range(8)] == [Verdict.GO] * 8, "not yet due"
    order = [7, 6, 5, 4, 3, 2, 1, 0]
    said = {trial: stopping.reported(trial, 2, trial / 10) for trial in order}
    donors = {trial: verdict.donor for trial, verdict in said.items() if isinstance(verdict, Exploit)}
    # whoever comes is compared with who has come: alone, with one (6 < 7), then always the lowest yet
    assert donors.keys() == {6, 5, 4, 3, 2, 1, 0}
    assert {donors[6], donors[5], donors[4]} == {7}
    assert all(donor in {6, 7} for donor in donors.values())
    assert said[7] == Verdict.GO


def test_the_middle_goes_on_as_it_is() -> None:
    stopping = with_trials(8)
    for trial in range(8):
        stopping.reported(trial, 1, trial / 10)
    again = [stopping.reported(trial, 2, trial / 10) for trial in range(8)]
    assert [isinstance(verdict, Exploit) for verdict in again] == [True, True] + [False] * 6


def test_values_are_those_of_the_donor_changed() -> None:
    changed: list[Any] = []
    for seed in range(40):
        stopping = with_trials(4, seed=seed, resample=0.0)
        for trial in (3, 2, 1):
            stopping.reported(trial, 1, float(trial))
        verdict = stopping.reported(0, 1, 0.0)
        assert isinstance(verdict, Exploit)
        assert verdict.donor == 3
        changed.append(verdict.values)
    assert {row["lambda"] for row in changed} == {4.0 * 0.8, 4.0 * 1.2}
    assert {row["rate"] for row in changed} == {0.1 * 0.8, 0.1}, "clipped"
    assert {row["steps"] for row in changed} == {8, 12}
    assert {row["scale"] for row in changed} == {1}
    assert {row["size"] for row in changed} == {0.2, 0.4}
    assert {row["shift"] for row in changed} == {-0.8, -1.2}
    assert all(row["attack"] in ("fgsm", None) and row["fixed"] == 3 for row in changed)


def test_a_choice_at_the_edge_stays_or_moves_inward() -> None:
    edge = {moved(SPACE[6], "fgsm", random.Random(seed)) is not None for seed in range(20)}
    assert edge == {True}
    values = [moved(SPACE[6], "fgsm", random.Random(seed)) for seed in range(20)]
    assert "fgsm" in values
    assert {"uses": "pgd"} in values


def test_nothing_ever_leaves_the_space() -> None:
    chance, stopping = random.Random(0), with_trials(10, seed=5)
    seen = 0
    for step in range(1, 60):
        for trial in range(10):
            verdict = stopping.reported(trial, step, chance.choice([chance.random(), math.nan]))
            if isinstance(verdict, Exploit):
                seen += 1
                assert inside(dict(verdict.values))
    assert seen > 100


def test_resampling_draws_from_the_whole_space() -> None:
    rng = random.Random(0)
    rows = [explored(SPACE, START, 1.0, rng, params) for _ in range(500)]
    assert min(row["rate"] for row in rows) < 0.0013  # type: ignore[type-var,operator]
    assert all(inside(dict(row)) for row in rows)
    half = [explored(SPACE, START, 0.5, rng, params)["lambda"] in (4.0, 6.0) for _ in range(500)]
    assert 200 < sum(half) < 300


def test_conditions_are_asked_again_of_the_new_values() -> None:
    space = (
        dimension("norm", "choice", "l2", "linf"),
        dimension("radius", "uniform", 1, 2, when="trial.norm == 'l2' and params.strong"),
        dimension("epsilon", "uniform", 0, 1, when="trial.norm == 'linf'"),
    )
    rows = [explored(space, {"norm": "l2", "radius": 1.5}, 0.0, random.Random(seed), params) for seed in range(30)]
    assert {(row["norm"], *sorted(row)) for row in rows} == {
        ("l2", "norm", "radius"),
        ("linf", "epsilon", "norm"),
    }


def test_the_end_the_grace_and_the_interval_are_kept() -> None:
    stopping = with_trials(4, grace=3, interval=2, max=7)
    exploits = [
        (trial, step)
        for step in range(1, 8)
        for trial in (3, 2, 1, 0)
        if isinstance(stopping.reported(trial, step, float(trial)), Exploit)
    ]
    assert {step for _, step in exploits} == {3, 5}
    assert (0, 3) in exploits


def test_who_has_ended_gives_nothing_and_takes_nothing() -> None:
    stopping = with_trials(3)
    stopping.reported(2, 1, 9.0)
    stopping.ended(2, 2, 9.0)
    stopping.reported(1, 1, 5.0)
    verdict = stopping.reported(0, 1, 0.0)
    assert isinstance(verdict, Exploit)
    assert verdict.donor == 1
    stopping.ended(1, 1, None)
    assert stopping.reported(0, 2, 0.0) == Verdict.GO
    assert stopping.freed() == ([], [])
    stopping.closed()


def test_nan_is_replaced_and_never_copied() -> None:
    stopping = with_trials(2)
    assert stopping.reported(0, 1, math.nan) == Verdict.GO
    assert stopping.reported(1, 1, math.nan) == Verdict.GO, "nobody has anything to give"
    assert stopping.reported(1, 2, 0.1) == Verdict.GO
    verdict = stopping.reported(0, 2, math.nan)
    assert isinstance(verdict, Exploit)
    assert verdict.donor == 1


def test_a_replay_makes_the_same_population_and_touches_no_other_randomness() -> None:
    chance = random.Random(1)
    reports = [(trial, step, chance.random()) for step in range(1, 12) for trial in range(8)]

    def verdicts(seed: int) -> list[object]:
        stopping = with_trials(8, seed=seed)
        return [stopping.reported(*report) for report in reports]

    state = random.getstate()
    first = verdicts(3)
    assert first == verdicts(3)
    assert first != verdicts(4)
    assert random.getstate() == state


def test_less_may_be_better() -> None:
    stopping = with_trials(2, goal="minimize")
    stopping.reported(0, 1, 0.1)
    verdict = stopping.reported(1, 1, 0.9)
    assert isinstance(verdict, Exploit)
    assert verdict.donor == 0
