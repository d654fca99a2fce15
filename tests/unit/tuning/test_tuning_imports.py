"""A sweep pays for the libraries that it uses."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
from advorch.spec.tuning import Dimension, Objective, Scheduler, Search, Tuning
from advorch.tuning import importance, opening, schedulers
space = (Dimension(name="x", kind="int", values=(0, 1)),)
kind, rule = sys.argv[1:]
tuning = Tuning(
    space=space, objectives=(Objective(metric="a.b", goal="minimize"),), search=Search(algorithm=kind),
    scheduler=Scheduler(type=rule, time="epoch", max=9) if rule else None,
)
opening.open_searcher(tuning, 0, print).ask()
schedulers.open_stopping(tuning, 0, lambda path: None)
importance.ranked([], tuning)
print(json.dumps(sorted({"numpy", "optuna", "pandas", "ray", "ray.tune", "torch", "sklearn"} & set(sys.modules))))
"""


@pytest.mark.parametrize(
    ("algorithm", "rule", "wanted"),
    [
        ("random", "", set()),
        ("grid", "hyperband", set()),
        ("random", "pbt", set()),
        ("tpe", "", {"numpy", "optuna"}),
        ("random", "asha", {"numpy", "pandas", "ray", "ray.tune"}),
    ],
)
def test_only_what_is_needed_is_imported(algorithm: str, rule: str, wanted: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, algorithm, rule], capture_output=True, text=True, check=True, timeout=60
    )
    assert set(json.loads(done.stdout)) == wanted
