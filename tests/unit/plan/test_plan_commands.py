"""The commands that look at a pipeline: what goes to stdout, what to stderr, and the exit code."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from advorch.cli import plan as commands
from advorch.cli.starter import starter
from advorch.errors import InvalidPipeline, UsageError
from advorch.plan import build
from advorch.registry import discovery

TEXT = """\
version: 1
params: {epsilon: 0.1, epochs: 3}
data: {toy: {uses: toy}}
stages:
  plain: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}, epochs: "${params.epochs}"}}
  hit:
    uses: attack/${matrix.name}
    matrix: {name: [fgsm, pgd]}
    in: {model: plain.model, data: toy.test}
    with: {epsilon: "${params.epsilon}", norm: l2}
"""


@pytest.fixture
def invoke(world, tmp_path, monkeypatch):
    app = typer.Typer()
    for command in (commands.validate, commands.plan, commands.graph, commands.explain, commands.new):
        app.command()(command)
    monkeypatch.setenv("ADVORCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(discovery, "discover", lambda disabled=(), strict=False: world.registry)
    monkeypatch.setattr(build, "cached_sources", lambda: world.sources)
    (tmp_path / "p.yaml").write_text(TEXT)
    return lambda *words: CliRunner().invoke(app, list(words))


def compute(world, text, tmp_path, make_manifest, cells=None):
    """Commits what a run of the text would have left in the default store."""
    from advorch.cli.opening import store_of

    plan = world.plan(text)
    store = store_of(plan.spec)
    for address, manifest in world.run(plan).done.items():
        if manifest and (cells is None or address in cells):
            store.commit(stored(store, manifest, tmp_path))


def stored(store, manifest, tmp_path):
    """The manifest over outputs that really are in the store."""
    from dataclasses import replace

    from advorch.artifacts import Output

    folder = tmp_path / "output"
    folder.mkdir(exist_ok=True)
    (folder / "data").write_text(manifest.key)
    outputs = {
        port: store.put_output(Output(type=artifact.type, folder=folder)) for port, artifact in manifest.outputs.items()
    }
    return replace(manifest, outputs=outputs)


def test_validate(invoke):
    done = invoke("validate", "p.yaml")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "p.yaml: valid, 2 stages, 3 cells\n"


def test_validate_raises_what_is_wrong(invoke, tmp_path):
    (tmp_path / "p.yaml").write_text(TEXT.replace("norm: l2", "nrom: l2"))
    done = invoke("validate", "p.yaml")
    assert isinstance(done.exception, InvalidPipeline)
    assert "'nrom'" in done.exception.render()


def test_validate_lists_problems_for_an_editor(invoke, tmp_path):
    (tmp_path / "p.yaml").write_text(TEXT.replace("norm: l2", "nrom: l2"))
    done = invoke("validate", "p.yaml", "-o", "json")
    assert done.exit_code == 3
    (problem,) = json.loads(done.stdout)
    assert (problem["code"], problem["level"], problem["line"]) == ("E310", "error", 10)


def test_validate_needs_no_data(invoke, tmp_path):
    (tmp_path / "p.yaml").write_text(TEXT.replace("uses: toy}", "uses: digits, with: {root: /nowhere}}"))
    assert invoke("validate", "p.yaml").exit_code == 0
    assert isinstance(invoke("plan", "p.yaml").exception, InvalidPipeline)


def test_plan_shows_what_would_run(invoke):
    done = invoke("plan", "p.yaml")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[2].split() == ["plain", "train/erm", "run", "never", "computed"]
    assert "code of toys 1.0: attack/fgsm, attack/pgd, dataset/toy, model/mlp, train/erm" in done.stderr
    assert "1 run, 2 deferred" in done.stderr
    assert "advorch pipeline run p.yaml" in done.stderr


def test_plan_tells_work_by_its_exit_code(invoke, world, tmp_path, make_manifest):
    assert invoke("plan", "p.yaml", "--detailed-exitcode").exit_code == 4
    compute(world, TEXT, tmp_path, make_manifest, ["plain"])
    assert "1 cached, 2 run" in invoke("plan", "p.yaml").stderr
    done = invoke("plan", "p.yaml", "--only", "plain", "--detailed-exitcode")
    assert done.exit_code == 0
    assert "Next" not in done.stderr


def test_plan_as_json_with_origins(invoke):
    done = invoke("plan", "p.yaml", "-S", "params.epsilon=0.25", "--show-origin", "-o", "json")
    rows = json.loads(done.stdout)
    assert [row["cell"] for row in rows] == ["plain", "hit[name=fgsm]", "hit[name=pgd]"]
    found = {item["parameter"]: item for item in rows[2]["parameters"]}
    assert found["epsilon"]["value"] == 0.25
    assert found["epsilon"]["origin"].startswith("p.yaml:10, params.epsilon from -S")
    assert found["norm"] == {"parameter": "norm", "value": "l2", "origin": "p.yaml:10"}
    assert found["steps"] == {"parameter": "steps", "value": 10, "origin": "default"}
    nested = {item["parameter"]: item["origin"] for item in rows[0]["parameters"]}
    assert nested["model.uses"] == "p.yaml:5"
    assert nested["model.with.width"] == "default"


def test_plan_prints_origins_as_a_table_of_their_own(invoke):
    done = invoke("plan", "p.yaml", "--show-origin")
    tables = done.stdout.split("\n\n")
    assert len(tables) == 2
    assert "p.yaml:5, params.epochs from p.yaml:2" in tables[1]


def test_plan_of_nothing_is_a_usage_error(invoke):
    assert isinstance(invoke("plan", "p.yaml", "--only", "hitt").exception, UsageError)


def test_graph(invoke, world, tmp_path, make_manifest):
    assert invoke("graph", "p.yaml").stdout.startswith("flowchart LR")
    assert invoke("graph", "p.yaml", "--format", "dot").stdout.startswith("digraph")
    compute(world, TEXT, tmp_path, make_manifest, ["plain"])
    drawn = json.loads(invoke("graph", "p.yaml", "--format", "json", "--status").stdout)
    assert [node["status"] for node in drawn["nodes"]] == ["cached", "run", "run"]
    assert isinstance(invoke("graph", "p.yaml", "--format", "png").exception, UsageError)


def test_explain(invoke, world, tmp_path, make_manifest):
    assert "never computed" in invoke("explain", "p.yaml", "plain").stderr
    assert "key known after plain" in invoke("explain", "p.yaml", "hit[name=pgd]").stderr
    compute(world, TEXT, tmp_path, make_manifest, ["plain"])
    assert "plain: cached under the key" in invoke("explain", "p.yaml", "plain").stderr
    done = invoke("explain", "p.yaml", "plain", "-S", "params.epochs=5", "-o", "json")
    assert json.loads(done.stdout) == [{"cell": "plain", "part": "params.epochs", "before": "3", "now": "5"}]
    table = invoke("explain", "p.yaml", "plain", "-S", "params.epochs=5")
    assert table.stdout.splitlines()[2].split() == ["params.epochs", "3", "5"]
    assert isinstance(invoke("explain", "p.yaml", "plian").exception, UsageError)


def test_new_writes_a_file_once(invoke, tmp_path):
    done = invoke("new", "sub/My Pipeline.yaml")
    assert done.exit_code == 0
    assert "name: my-pipeline" in (tmp_path / "sub/My Pipeline.yaml").read_text()
    assert isinstance(invoke("new", "sub/My Pipeline.yaml").exception, UsageError)


def test_the_starter_is_valid_with_what_ships(tmp_path):
    from advorch.plan.build import build_plan
    from advorch.registry.discovery import discover
    from advorch.spec.load import load_pipeline

    spec = load_pipeline(tmp_path / "9 lives.yaml", text=starter(tmp_path / "9 lives.yaml"))
    plan = build_plan(spec, discover(), digests=None)
    assert spec.name == "pipeline-9-lives"
    assert len(plan.cells) == 7
    assert not plan.warnings


def test_looking_imports_nothing_heavy(tmp_path):
    (tmp_path / "p.yaml").write_text(starter(tmp_path / "p.yaml"))
    code = (
        "import sys; from pathlib import Path; from advorch.cli import plan\n"
        "plan.validate(Path('p.yaml')); plan.plan(Path('p.yaml')); plan.graph(Path('p.yaml'))\n"
        "print(sorted({'torch', 'ray', 'mlflow', 'numpy', 'sklearn', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
