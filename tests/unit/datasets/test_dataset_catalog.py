"""What the catalogs promise."""

import subprocess
import sys

import pytest

from advorch.api import AnyComponent, Dataset
from advorch.params import location_fields
from advorch_builtins.datasets.catalog import advorch_components

HEAVY = "torch numpy sklearn PIL ray mlflow safetensors"
CATALOGS = ("datasets", "models", "training", "defenses")


@pytest.mark.parametrize("name", CATALOGS)
def test_a_catalog_imports_nothing_heavy(name: str) -> None:
    code = (
        f"import sys; import advorch_builtins.{name}.catalog as c; "
        f"[(x.id, x.summary, x.schema()) for x in c.advorch_components()]; "
        f"print([m for m in '{HEAVY}'.split() if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("component", list(advorch_components()), ids=lambda item: item.name)
def test_what_reads_files_has_a_location(component: AnyComponent) -> None:
    assert isinstance(component, Dataset)
    reads = component.files.__name__ != "no_files"
    assert bool(location_fields(component.params)) == reads
    assert callable(component.load())
