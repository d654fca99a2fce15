"""Every pipeline of the repository is whole: it loads and plans as it stands and under each of its profiles."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import advorch

PIPELINES = Path(__file__).parents[2] / "pipelines"


def every_form() -> Iterator[tuple[str, str]]:
    for path in sorted(PIPELINES.glob("*.yaml")):
        profiles = yaml.safe_load(path.read_text(encoding="utf-8")).get("profiles", {})
        yield from ((path.name, profile) for profile in ("", *profiles))


@pytest.mark.parametrize(("name", "profile"), list(every_form()))
def test_a_pipeline_plans(
    name: str, profile: str, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ADVORCH_DATA", str(data_folder))
    planned = advorch.load(PIPELINES / name, profile=profile).plan()
    assert len(planned.cells)
