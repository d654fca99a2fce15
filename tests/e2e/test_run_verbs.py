"""Every verb on real runs of the built-ins: what is told of them, in words and as data, and with which exit code."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import advorch
from advorch.engine.driver import Policy
from advorch.session.running import Options
from advorch.session.workspace import Workspace

Command = Callable[..., Any]

QUICKSTART = Path(__file__).parents[2] / "pipelines" / "quickstart.yaml"

PIPELINE = """\
version: 1
name: verbs
params: {epsilon: 0.1, epochs: 1}
data: {digits: {uses: digits, splits: {fit: "train[:300]", final: "test[:40]"}}}
tracking: {mlflow: false}
stages:
  plain:
    uses: train/erm
    in: {data: digits.fit}
    with: {model: {uses: linear}, epochs: "${params.epochs}"}
  hit:
    uses: attack/${matrix.name}
    matrix: {name: [fgsm, pgd]}
    in: {model: plain.model, data: digits.final}
    with: {epsilon: "${params.epsilon}"}
  report:
    uses: evaluate/robustness
    in: {models: [plain.model], attacks: "hit[*].adversarial", data: digits.final}
  broken:
    uses: train/pretrained
    in: {data: digits.fit}
    with: {model: {uses: imported, with: {target: "torch.nn:Nothing"}}}
"""
CELLS = ["plain", "hit[name=fgsm]", "hit[name=pgd]", "report", "broken"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two runs in a workspace, the second with another epsilon, so that training is cached; one stage fails in both."""
    root = tmp_path_factory.mktemp("verbs")
    (root / "verbs.yaml").write_text(PIPELINE)
    workspace = Workspace(root / ".advorch")
    options = Options(executor="inline", quiet=True, policy=Policy(keep_going=True))
    names = []
    for overrides in ([], ["epsilon=0.2"]):
        done = advorch.load(root / "verbs.yaml", overrides=overrides, workspace=workspace).plan().run(options)
        assert done.exit_code == 5
        names.append(done.id)
    return {"root": root, "first": names[0], "second": names[1]}


@pytest.fixture
def ask(command_line: Command, site: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line where the two runs are."""
    monkeypatch.chdir(site["root"])
    return command_line


def rows(answer: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(answer.out)
    return found


def test_list(ask: Command, site: dict[str, Any]) -> None:
    answer = ask("run", "list", "-o", "json")
    assert (answer.code, answer.err) == (0, "")
    newest, oldest = rows(answer)
    assert (newest["run"], oldest["run"]) == (site["second"], site["first"])
    assert {row["exit_code"] for row in (newest, oldest)} == {5}
    assert newest["cells"] == ["1 cached", "3 done", "1 failed"]
    assert newest["pipeline"] == "verbs"
    table = ask("run", "list").out.splitlines()
    assert [line.split()[0] for line in table[2:]] == [site["second"], site["first"]]


def test_show(ask: Command, site: dict[str, Any]) -> None:
    answer = ask("run", "show", "last", "-o", "json")
    assert answer.code == 0
    cells = {row["cell"]: row for row in rows(answer)}
    assert sorted(cells) == sorted(CELLS)
    assert [cells[cell]["status"] for cell in CELLS] == ["cached", "done", "done", "done", "failed"]
    assert cells["hit[name=pgd]"]["params"]["epsilon"] == 0.2
    assert set(cells["plain"]["metrics"]) == {"accuracy", "epochs", "loss"}
    assert cells["broken"]["error_class"] == "user"
    assert "Nothing" in cells["broken"]["message"]
    by_name = ask("run", "show", site["first"])
    assert by_name.code == 0
    assert site["first"] in by_name.err
    assert "broken: " in by_name.err
    assert by_name.out.splitlines()[2].startswith("plain")


def test_the_beginning_of_a_name_is_enough_where_it_is_one(ask: Command, site: dict[str, Any]) -> None:
    assert ask("run", "show", site["second"][:-1], "-o", "json").code == 0
    both = ask("run", "show", site["second"][:9])
    assert both.code == 2
    assert site["first"] in both.err
    nobody = ask("run", "show", "20010101")
    assert (nobody.code, nobody.out) == (2, "")
    assert "Traceback" not in nobody.err


def test_logs(ask: Command) -> None:
    answer = ask("run", "logs", "last", "--stage", "broken")
    assert answer.code == 0
    assert "error: " in answer.out
    assert "Nothing" in answer.out
    assert "hint: " in answer.out
    followed = ask("run", "logs", "-f", "last")
    assert followed.code == 5, "a watching command returns the run's code"
    quiet = ask("run", "logs", "last", "--stage", "plain")
    assert (quiet.code, quiet.out) == (0, "")
    assert "printed nothing" in quiet.err
    nobody = ask("run", "logs", "last", "--stage", "brokn")
    assert (nobody.code, nobody.out) == (2, "")
    assert "did you mean 'broken'?" in nobody.err


def test_compare(ask: Command, site: dict[str, Any]) -> None:
    first, second = site["first"], site["second"]
    answer = ask("run", "compare", first, second, "-o", "json")
    assert answer.code == 0
    found = {(row["cell"], row["metric"]): row for row in rows(answer)}
    moved = found["hit[name=fgsm]", "mean_distance"]
    assert moved[first] == pytest.approx(0.1)
    assert moved["difference"] == pytest.approx(moved[second] - moved[first])
    assert found["plain", "loss"]["difference"] == 0
    assert "hit[name=pgd]: epsilon is 0.1 / 0.2" in answer.err
    assert ask("run", "compare", first, first).code == 2


def test_report(ask: Command, site: dict[str, Any]) -> None:
    answer = ask("run", "report", site["second"])
    assert answer.code == 0
    page = Path(answer.out.strip())
    text = page.read_text()
    assert all(cell in text.replace("<wbr>", "") for cell in CELLS)
    links = re.findall(r'href="([^"#]+)"', text)
    assert any(link.endswith(".html") for link in links)
    assert all((page.parent / link.replace("%20", " ")).exists() for link in links)
    assert "http" not in " ".join(links), "the page needs no network"


def test_rm_takes_the_run_and_leaves_its_results(ask: Command, site: dict[str, Any]) -> None:
    done = ask("pipeline", "run", "verbs.yaml", "--executor", "inline", "--only", "plain", "-q")
    assert done.code == 0
    [run] = [row["run"] for row in rows(ask("run", "list", "-o", "json")) if row["run"] not in site.values()]
    removed = ask("run", "rm", run)
    assert (removed.code, removed.out) == (0, "")
    assert run not in ask("run", "list").out
    assert ask("run", "show", run).code == 2
    assert ask("pipeline", "plan", "verbs.yaml", "--only", "plain", "--detailed-exitcode").code == 0


def test_plan_tells_work_by_its_exit_code(ask: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ["pipeline", "plan", "verbs.yaml", "--until", "report"]
    assert ask(*plan, "--detailed-exitcode").code == 0
    other = ask(*plan, "--detailed-exitcode", "-S", "params.epsilon=0.3")
    assert other.code == 4
    assert "params.epsilon: 0.2 -> 0.3" in other.out or "params.epsilon: 0.1 -> 0.3" in other.out
    assert "advorch pipeline run verbs.yaml -S params.epsilon=0.3 --until report" in other.err
    assert ask(*plan, "-S", "params.epsilon=0.3").code == 0
    monkeypatch.setenv("ADVORCH_HOME", str(tmp_path / "elsewhere"))
    assert ask(*plan, "--detailed-exitcode").code == 4


def test_explain_names_the_parameter_that_differs(ask: Command) -> None:
    answer = ask("pipeline", "explain", "verbs.yaml", "plain", "-S", "params.epochs=3", "-o", "json")
    assert answer.code == 0
    assert rows(answer) == [{"cell": "plain", "part": "params.epochs", "before": "1", "now": "3"}]
    words = ask("pipeline", "explain", "verbs.yaml", "hit[name=pgd]", "-S", "params.epsilon=0.25")
    assert "params.epsilon" in words.out
    assert "0.25" in words.out
    same = ask("pipeline", "explain", "verbs.yaml", "plain")
    assert same.code == 0
    assert "cached" in same.err
    several = ask("pipeline", "explain", "verbs.yaml", "hit", "-S", "params.epsilon=0.25", "-o", "ndjson")
    assert [json.loads(line)["cell"] for line in several.out.splitlines()] == ["hit[name=fgsm]", "hit[name=pgd]"]


def test_graphs_can_be_read(ask: Command) -> None:
    plain = json.loads(ask("pipeline", "graph", "verbs.yaml", "--format", "json").out)
    assert {node["cell"] for node in plain["nodes"]} == set(CELLS)
    known = {node["cell"] for node in plain["nodes"]} | set(plain["data"])
    assert all({edge["from"], edge["to"]} <= known for edge in plain["edges"])
    wires = {(edge["from"], edge["to"], edge["port"]) for edge in plain["edges"]}
    assert ("plain", "hit[name=pgd]", "model") in wires

    dot = ask("pipeline", "graph", "verbs.yaml", "--format", "dot", "--status").out
    arrows = set(re.findall(r'^  "([^"]+)" -> "([^"]+)" \[label="(\w+)"\];$', dot, re.M))
    assert arrows == wires
    assert dot.count("{") == dot.count("}")
    assert re.search(r'"plain" \[label="plain\\ntrain/erm\\ncached"\]', dot)

    mermaid = ask("pipeline", "graph", "verbs.yaml").out
    names = dict(re.findall(r'^ +(n\d+)[\[("]+([^"<]+)', mermaid, re.M))
    drawn = {(names[a], names[b], port) for a, port, b in re.findall(r"^ +(n\d+) -->\|(\w+)\| (n\d+)$", mermaid, re.M)}
    assert drawn == wires
    assert mermaid.startswith("flowchart ")


def test_the_schema_takes_the_quickstart_and_refuses_a_typo(ask: Command) -> None:
    import jsonschema

    answer = ask("schema")
    assert (answer.code, answer.err) == (0, "")
    schema = json.loads(answer.out)
    check = jsonschema.Draft202012Validator(schema)
    check.check_schema(schema)
    good = yaml.safe_load(QUICKSTART.read_text())
    assert not list(check.iter_errors(good))
    for stage, old, new in (("plain", "epochs", "epoch"), ("robust", "attack", "atack")):
        spoiled = yaml.safe_load(QUICKSTART.read_text())
        spoiled["stages"][stage]["with"][new] = spoiled["stages"][stage]["with"].pop(old)
        assert list(check.iter_errors(spoiled)), new
    for section, key in (("stages", "uses"), ("data", "uses")):
        spoiled = yaml.safe_load(QUICKSTART.read_text())
        next(iter(spoiled[section].values()))[f"{key}s"] = "x"
        assert list(check.iter_errors(spoiled)), section


@pytest.mark.parametrize(
    "asked",
    [
        ("pipeline", "plan", "verbs.yaml", "-S", "params.epsilon=0.4"),
        ("pipeline", "plan", "verbs.yaml", "--show-origin"),
        ("pipeline", "validate", "verbs.yaml"),
        ("pipeline", "explain", "verbs.yaml", "plain"),
        ("pipeline", "run", "verbs.yaml", "--executor", "inline", "--until", "report"),
        ("run", "list"),
        ("run", "show"),
        ("cache", "list"),
        ("cache", "verify"),
        ("plugin", "list"),
        ("plugin", "show", "attack/pgd"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_data_goes_to_stdout_alone(ask: Command, asked: tuple[str, ...], form: str) -> None:
    answer = ask(*asked, "-o", form)
    assert answer.code == 0
    found = json.loads(answer.out) if form == "json" else [json.loads(line) for line in answer.out.splitlines()]
    assert isinstance(found, list)
    assert "{" not in answer.err


@pytest.mark.ray
def test_a_run_whose_cluster_is_not_there_has_ended_and_says_so(ask: Command) -> None:
    asked = ("pipeline", "run", "verbs.yaml", "-S", "address=127.0.0.1:9", "--force", "plain", "--only", "plain")
    answer = ask(*asked)
    assert (answer.code, answer.out) == (8, "")
    assert "cannot reach 127.0.0.1:9" in answer.err
    newest = rows(ask("run", "list", "-o", "json"))[0]
    assert (newest["state"], newest["exit_code"]) == ("failed", 8)
    assert ask("run", "logs", "-f", newest["run"]).code == 8
    ask("run", "rm", newest["run"])
