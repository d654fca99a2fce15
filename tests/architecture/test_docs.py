"""What the documents say is true: commands, files, codes, the example, and the generated reference."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import advorch
from advorch.cli.app import build_app
from advorch.cli.reference import words
from advorch.cli.reference.markdown import anchor
from advorch.cli.reference.page import COMMAND, page
from advorch.plan import problems
from advorch.registry.discovery import discover
from advorch.spec.codes import MEANING, Code
from advorch.spec.forms import RESERVED
from advorch.spec.operators import FUNCTIONS
from advorch.spec.shape import SECTIONS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])
REFERENCE = ROOT / "docs/yaml.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
COMMENT = re.compile(r"\s#\s.*")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(text: str) -> str:
    return FENCE.sub("", text)


def commands(text: str) -> Iterator[str]:
    """Every `advorch ...` in a code block or a code span."""
    lines = [line for _, block in FENCE.findall(text) for line in block.splitlines()]
    for code in [*lines, *SPAN.findall(prose(text))]:
        found = re.search(r"(?:^|\s)advorch ([a-z-].*)", COMMENT.sub("", code))
        if found and "=" not in found[1].split()[0]:
            yield found[1].strip()


def alternatives(command: str) -> tuple[str, list[str], str]:
    """The noun, its verbs, of which a synopsis names several (`run | plan`), and the rest."""
    noun, _, rest = command.partition(" ")
    verbs = re.match(r"[a-z]+(?: \| [a-z]+)*(?=\s|$)", rest)
    return (noun, verbs[0].split(" | "), rest[verbs.end() :]) if verbs else (noun, [], rest)


def all_of(parameter: Any) -> list[str]:
    """Every way to write an option, `--no-follow` included."""
    return [*parameter.opts, *parameter.secondary_opts]


def complaint(command: str) -> str:
    """What is wrong with a command line that a document shows."""
    known_nouns: dict[str, Any] = get_command(build_app()).commands  # type: ignore[attr-defined]
    noun, verbs, rest = alternatives(command)
    if noun.startswith("-"):
        return "" if noun in {"--help", "--version"} else f"no option {noun}"
    if noun not in known_nouns:
        return f"no command {noun}"
    known_verbs: dict[str, Any] = getattr(known_nouns[noun], "commands", {})
    unknown = [verb for verb in verbs if verb not in known_verbs]
    if unknown:
        return f"{noun} has no {', '.join(unknown)}"
    shown = [known_verbs[verb] for verb in verbs] or [known_nouns[noun]]
    known = {"--help", *(option for command in shown for item in command.params for option in all_of(item))}
    strange = set(re.findall(r"(?<=\s)--?[a-zA-Z][\w-]*", rest)) - known
    return f"no option {', '.join(sorted(strange))}" if strange else ""


def test_documents_are_there_to_be_checked() -> None:
    assert {"README.md", "docs/yaml.md", "docs/results.md", "docs/architecture.md"} <= {name(path) for path in PAGES}
    found = [command for path in PAGES for command in commands(path.read_text())]
    assert len(found) > 20
    assert complaint("pipeline dance") == "pipeline has no dance"
    assert complaint("pipeline run FILE --fast") == "no option --fast"
    assert complaint("dance") == "no command dance"
    assert alternatives("run list | show -o json") == ("run", ["list", "show"], " -o json")


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_command_exists(path: Path) -> None:
    wrong = {command: fault for command in commands(path.read_text()) if (fault := complaint(command))}
    assert not wrong


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_no_span_of_code_is_broken_over_lines(path: Path) -> None:
    """One that is would escape the checks here."""
    assert [line for line in prose(path.read_text()).splitlines() if line.count("`") % 2] == []


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_make_target_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    said = re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(), re.MULTILINE)
    assert set(said) <= targets


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    text = prose(path.read_text())
    headings = {anchor(line.lstrip("# ")) for line in text.splitlines() if line.startswith("#")}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target in headings
        elif not re.match(r"[a-z]+:", target):
            assert (path.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_files_of_the_repository_that_are_named_are_there(path: Path) -> None:
    named = re.findall(
        r"\b(?:pipelines|benchmarks|tests/(?:unit|e2e|contract|architecture|lab))/[\w./*-]*", path.read_text()
    )
    assert [one for one in named if not list(ROOT.glob(one.rstrip("./")))] == []


def test_every_pipeline_has_its_line_in_the_results() -> None:
    results = "".join(path.read_text() for path in PAGES if name(path).startswith("docs/results"))
    pipelines = {name(path) for path in ROOT.glob("pipelines/**/*.yaml")} - {"pipelines/quickstart.yaml"}
    assert len(pipelines) > 20
    assert {one for one in pipelines if one not in results} == set()


def test_the_index_of_results_is_in_order_and_whole() -> None:
    text = (ROOT / "docs/results.md").read_text()
    experiments = [int(number) for number in re.findall(r"^\| A(\d+) \|", text, re.MULTILINE)]
    assert experiments == list(range(1, 18))
    assert {path.stem for path in ROOT.glob("docs/results/*.md")} == set(re.findall(r"\(results/([\w-]+)\.md\)", text))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_code_of_a_mistake_is_one(path: Path) -> None:
    known = {code.value for code in Code} | set(problems.MEANING)
    assert set(re.findall(r"\b[EW]\d{3}\b", path.read_text())) <= known


def test_every_code_that_is_reported_is_explained() -> None:
    assert set(MEANING) == set(Code)
    sources = "".join(path.read_text() for path in (ROOT / "advorch/plan").glob("*.py") if path.name != "problems.py")
    assert set(re.findall(r'"([EW]3\d\d)"', sources)) == set(problems.MEANING)


def test_the_readme_s_pipeline_can_be_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = [block for language, block in FENCE.findall((ROOT / "README.md").read_text()) if language == "yaml"]
    assert blocks
    for block in blocks:
        (tmp_path / "pipeline.yaml").write_text(block)
        planned = advorch.load("pipeline.yaml").plan()
        assert "report" in planned.cells
        assert not planned.warnings


def test_the_readme_s_python_names_what_is_there() -> None:
    (block,) = [block for language, block in FENCE.findall((ROOT / "README.md").read_text()) if language == "python"]
    compile(block, "README.md", "exec")
    for method in re.findall(r"run\.(\w+)\(", block):
        assert hasattr(advorch.session.result.Run, method)


def test_the_reference_is_up_to_date() -> None:
    assert REFERENCE.read_text() == page(discover()), f"run `{COMMAND}`"


def test_the_reference_is_written_without_anything_heavy(tmp_path: Path) -> None:
    code = "import runpy, sys; runpy.run_module('advorch.cli.reference', run_name='__main__')\n"
    code += "assert not {'torch', 'ray', 'mlflow', 'numpy'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == REFERENCE.read_text()


def test_every_key_has_its_sentence_and_no_sentence_is_left_over() -> None:
    assert set(words.SECTIONS) == set(SECTIONS)
    said = {section: set(keys) for section, keys in words.KEYS.items()}
    assert said == {section: set(shape.fields) for section, shape in SECTIONS.items() if shape.fields}
    assert set(words.FUNCTIONS) == set(FUNCTIONS)
    assert set(words.NAMESPACES) == RESERVED
