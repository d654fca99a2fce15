"""The file for Ray's cluster launcher, and the one at the top of the repository, which is the same."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from advorch import __version__
from advorch.cli.app import build_app

ROOT = Path(__file__).parents[3]


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(build_app(), ["cluster", "render", "--launcher", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


LAUNCHER = (ROOT / "cluster.yaml").read_text()


def valid(config: dict[str, Any]) -> None:
    """As `ray up` checks it, without asking a cloud."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(config))


def test_the_file_at_the_top_is_what_is_rendered() -> None:
    assert printed() == LAUNCHER, "run `advorch cluster render --launcher > cluster.yaml`"


@pytest.mark.parametrize("arguments", [[], ["--name", "big", "--gpus-per-worker", "8", "--gpu-workers", "1:125"]])
def test_ray_s_launcher_takes_the_file(arguments: list[str]) -> None:
    valid(yaml.safe_load(printed(*arguments)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("idle_timeout_minutes: 5", "idle_timeout_minute: 5"),
        ("head_node_type: head", "head_node_type: boss"),
        ("upscaling_speed: 1.0", "upscaling_speed: fast"),
        ("    min_workers: 0\n    max_workers: 8", "    min_workers: 13\n    max_workers: 13"),
        ("type: aws", "type: awz"),
        ("    resources: {CPU: 8}\n", "    resource: {CPU: 8}\n"),
    ],
)
def test_a_slip_in_the_launcher_s_file_would_be_found(old: str, new: str) -> None:
    assert old in LAUNCHER
    with pytest.raises(Exception, match=r".") as caught:
        valid(yaml.safe_load(LAUNCHER.replace(old, new)))
    assert type(caught.value).__name__ in {"ValidationError", "ValueError", "NotImplementedError"}


def test_versions_are_those_that_are_pinned() -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    said = dict(re.findall(r"\b(torch|ray)==([\w.]+)", LAUNCHER))
    assert said == {"torch": pinned["torch"], "ray": pinned["ray"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert f"advorch {__version__}" in LAUNCHER
    assert "s3" in project["optional-dependencies"]


def test_the_token_travels_as_a_private_file_and_is_in_no_command() -> None:
    config = yaml.safe_load(LAUNCHER)
    assert config["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"
    commands = [text for key, texts in config.items() if key.endswith("_commands") for text in texts]
    assert any("chmod 600 ~/.ray/auth_token" in text for text in commands)
    starts = [text for text in commands if "ray start" in text]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token" in text and "RAY_AUTH_TOKEN=" not in text for text in starts)


def test_the_dashboard_is_the_head_s_own_and_nothing_listens_for_everyone() -> None:
    config = yaml.safe_load(LAUNCHER)
    (start,) = [text for text in config["head_start_ray_commands"] if "ray start" in text]
    assert "--dashboard-host=127.0.0.1" in start
    assert "0.0.0.0" not in LAUNCHER
    assert "security_group" not in config["provider"], "Ray's own lets in ssh alone"


def test_options_of_ray_start_are_ray_s() -> None:
    from ray.scripts.scripts import start

    known = {option for item in start.params for option in item.opts}
    lines = [text for key in ("head", "worker") for text in yaml.safe_load(LAUNCHER)[f"{key}_start_ray_commands"]]
    used = {
        word.partition("=")[0] for text in lines if "ray start" in text for word in text.split("ray start")[1].split()
    }
    assert used
    assert used <= known


def test_commands_of_ours_that_it_runs_exist() -> None:
    commands = [text for key, texts in yaml.safe_load(LAUNCHER).items() if key.endswith("_commands") for text in texts]
    ours = [found[1] for text in commands if (found := re.search(r"bin/advorch (.*)", text))]
    assert ours == ["--version"]
    assert CliRunner().invoke(build_app(), ours).stdout.startswith("advorch ")


def test_the_template_is_part_of_the_package() -> None:
    from importlib.resources import files

    assert files("advorch.cluster").joinpath("launcher.yaml.j2").is_file()
    assert os.access(ROOT / "advorch/cluster/launcher.yaml.j2", os.R_OK)
