"""What is wrong around a pipeline: its size, what it includes, `-S`, profiles, flags, and data that is not there."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Command = Callable[..., Any]
Golden = Callable[[str, str], None]

CORPUS = Path(__file__).parents[1] / "unit" / "spec" / "malformed"

SMALL = """\
version: 1
params: {epsilon: 0.1, epochs: 1}
data: {digits: {uses: digits}}
tracking: {mlflow: false}
profiles: {quick: {params: {epochs: 1}}}
stages:
  plain:
    uses: train/erm
    in: {data: digits.train}
    with: {model: {uses: linear}, epochs: "${params.epochs}"}
  hit:
    uses: attack/fgsm
    in: {model: plain.model, data: digits.test}
    with: {epsilon: "${params.epsilon}"}
"""

LAUGHS = "".join(f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'ha'] * 10)}]\n" for n in range(9))


class Case(NamedTuple):
    """Files, what is asked beside the file `main.yaml`, the codes with their places, and words of the answer."""

    main: str
    places: str
    words: str = ""
    asked: tuple[str, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()


CASES = {
    # size and depth
    "ten-megabytes": Case(f"{SMALL}x-pad: {'a' * 10_000_000}\n", "E009 main.yaml:1:1", "4 MiB"),
    "laughs": Case(LAUGHS + SMALL, "E009 main.yaml:5:46", "100,000"),
    "brackets": Case(f"{SMALL}x-deep: {'[' * 50_000}\n", "E009 main.yaml:15:72", "64"),
    "self-alias": Case(f"x-a: &a [*a]\n{SMALL}", "E010 main.yaml:1:10"),
    "unknown-alias": Case(SMALL.replace("{uses: linear}", "*net"), "E010 main.yaml:10:19"),
    "two-documents": Case(f"{SMALL}---\n{SMALL}", "E007 main.yaml:15:1"),
    "empty": Case("# nothing yet\n", "E011 main.yaml:1:1"),
    "five-thousand-typos": Case(
        SMALL + "".join(f"  s{n}: {{uses: train/erm, ues: 1}}\n" for n in range(5000)), "E012 main.yaml:15:25 ..."
    ),
    # includes
    "include-missing": Case(
        f"include: comon.yaml\n{SMALL}", "E030 main.yaml:1:10", "'common.yaml'?", (), (("common.yaml", ""),)
    ),
    "include-itself": Case(f"include: main.yaml\n{SMALL}", "E031 main.yaml:1:10", "main.yaml"),
    "include-typo": Case(
        f"include: common.yaml\n{SMALL}", "E012 common.yaml:1:12", "did you mean 'timeout'?", (),
        (("common.yaml", "defaults: {timout: 1h}\n"),),
    ),
    "include-parameter": Case(
        f"include: common.yaml\n{SMALL}".replace('epochs: "${params.epochs}"', "lr: 0.1"), "E310 common.yaml:1:38",
        "'epochs'", (), (("common.yaml", "stages: {plain: {with: {patience: 2, epochss: 1}}}\n"),),
    ),
    # profiles and -S
    "profile": Case(SMALL, "E032 --profile quik:1:1", "did you mean 'quick'?", ("--profile", "quik")),
    "profile-key": Case(
        SMALL.replace("{epochs: 1}}}", "{epoch: 1}}}"), "E033 main.yaml:5:29", "did you mean 'epochs'?",
        ("--profile", "quick"),
    ),
    "set-nothing": Case(SMALL, "E034 -S epochs:1:1", "for example", ("-S", "epochs")),
    "set-unknown": Case(SMALL, "E033 -S params.epoch=3:1:8", "did you mean 'epochs'?", ("-S", "params.epoch=3")),
    "set-stage": Case(SMALL, "E033 -S plan.with.lr=1:1:1", "did you mean 'plain'?", ("-S", "plan.with.lr=1")),
    "set-parameter": Case(SMALL, "E310 -S plain.with.epoch=3:1:12", "'epochs'?", ("-S", "plain.with.epoch=3")),
    "set-type": Case(SMALL, "E310 main.yaml:10:43", "'two'", ("-S", "params.epochs=two")),
    "set-component": Case(SMALL, "E301 -S hit.uses=attack/pdg:1:10", "'pgd'?", ("-S", "hit.uses=attack/pdg")),
    "set-pixels": Case(SMALL, "E315 main.yaml:14:21", "did you mean 8/255?", ("-S", "params.epsilon=8")),
    "set-split": Case(SMALL, "E304 -S hit.in.data=digits.tset:1:13", "'test'?", ("-S", "hit.in.data=digits.tset")),
    "set-many": Case(
        SMALL, "E033 -S a=1:1:1 E018 -S plain.timeout=4:1:15", "", ("-S", "a=1", "-S", "plain.timeout=4")
    ),
    # what is not on this machine
    "no-data": Case(
        SMALL.replace("{uses: digits}", "{uses: mnist, with: {root: nowhere}}"), "E317 main.yaml:3:43", "no such file",
    ),
    "no-weights": Case(
        SMALL.replace("{uses: linear}", "{uses: imported, with: {target: torch.nn:Identity, weights: gone.pt}}"),
        "E317 main.yaml:10:79", "gone.pt",
    ),
    "no-module": Case(
        SMALL.replace("{uses: linear}", "{uses: imported, with: {target: nowhere.nets:Net}}"), "E317 main.yaml:10:42",
        "model/imported: no module called 'nowhere' can be imported",
    ),
}  # fmt: skip


def headlines(said: str) -> list[str]:
    """Code and place of every problem."""
    heads = [line.split("  ")[0] for line in said.splitlines() if line.startswith("error[")]
    return [head.removeprefix("error[").replace("] ", " ") for head in heads]


def ask(command_line: Command, folder: Path, case: Case) -> Any:
    for name, text in (("main.yaml", case.main), *case.beside):
        (folder / name).write_text(text)
    return command_line("pipeline", "plan", "main.yaml", *case.asked)


@pytest.mark.parametrize("name", CASES)
def test_it_is_told_with_its_place(command_line: Command, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    answer = ask(command_line, tmp_path, case)
    assert (answer.code, answer.out) == (3, "")
    found = " ".join(headlines(answer.err))
    assert found.startswith(case.places.removesuffix(" ...")) if case.places.endswith("...") else found == case.places
    assert case.words in answer.err
    assert "Traceback" not in answer.err


def test_the_small_pipeline_is_good(command_line: Command, tmp_path: Path) -> None:
    assert ask(command_line, tmp_path, Case(SMALL, "")).code == 0


@pytest.mark.parametrize(
    "name",
    ["ten-megabytes", "laughs", "include-missing", "profile", "set-parameter", "set-pixels", "no-data", "no-weights"],
)
def test_the_whole_text_is_as_agreed(command_line: Command, tmp_path: Path, golden: Golden, name: str) -> None:
    golden(f"around-{name}", ask(command_line, tmp_path, CASES[name]).err)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_corpus_of_the_file_format_is_refused_by_the_command_line(command_line: Command, path: Path) -> None:
    expected = [line.split() for line in (CORPUS / "expected.txt").read_text().splitlines() if line[0] != "#"]
    answer = command_line("pipeline", "validate", path)
    assert (answer.code, answer.out) == (3, "")
    assert headlines(answer.err) == [
        f"{code} {path}:{row}:{at}" for name, code, row, at in expected if name == path.stem
    ]


def test_data_that_is_not_here_is_no_mistake_of_the_file(command_line: Command, tmp_path: Path) -> None:
    (tmp_path / "main.yaml").write_text(CASES["no-data"].main)
    assert command_line("pipeline", "validate", "main.yaml").code == 0


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("plan", "mian.yaml"), "in .: main.yaml"),
        (("plan", "."), "name a pipeline file"),
        (("plan", "main.yaml", "--only", "plan"), "did you mean 'plain'?"),
        (("plan", "main.yaml", "--force", "plan"), "did you mean 'plain'?"),
        (("run", "main.yaml", "--force", "plan", "--executor", "inline"), "did you mean 'plain'?"),
        (("run", "main.yaml", "--executor", "inlin"), "executors: ray, inline"),
        (("graph", "main.yaml", "--format", "png"), "mermaid, dot, json"),
        (("explain", "main.yaml", "plan"), "did you mean 'plain'?"),
        (("plan", "main.yaml", "-o", "yaml"), "'table', 'json', 'ndjson'"),
        (("paln", "main.yaml"), "plan"),
    ],
)
def test_a_flag_that_makes_no_sense_ends_with_two(
    command_line: Command, tmp_path: Path, asked: tuple[str, ...], words: str
) -> None:
    (tmp_path / "main.yaml").write_text(SMALL)
    answer = command_line("pipeline", *asked)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / ".advorch" / "runs").exists(), "nothing was begun"


@pytest.mark.parametrize("name", ["set-component", "no-data", "ten-megabytes"])
def test_the_same_from_a_process_of_its_own(
    command_line: Command, advorch: Callable[..., "subprocess.Popen[str]"], tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    answer = ask(command_line, tmp_path, case)
    process = advorch("pipeline", "run", "main.yaml", *case.asked)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "")
    assert headlines(err) == headlines(answer.err)


def test_problems_for_an_editor(command_line: Command, tmp_path: Path) -> None:
    import json

    (tmp_path / "main.yaml").write_text(SMALL.replace("train/erm", "train/emr"))
    answer = command_line("pipeline", "validate", "main.yaml", "-o", "json")
    assert (answer.code, answer.err) == (3, "")
    [problem] = json.loads(answer.out)
    assert (problem["code"], problem["file"], problem["line"], problem["column"]) == ("E301", "main.yaml", 8, 11)
    assert problem["level"] == "error"
