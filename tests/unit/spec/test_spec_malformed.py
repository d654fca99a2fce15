"""Every malformed file ends with exit code 3 and its problems at their exact places, never with a traceback."""

from collections.abc import Callable
from pathlib import Path

import pytest

from advorch.errors import InvalidPipeline
from advorch.spec.codes import MEANING, Code
from advorch.spec.load import load_pipeline

HERE = Path(__file__).parent
CORPUS = HERE / "malformed"
GOLDEN = HERE / "golden"
Expected = dict[str, list[tuple[str, int, int]]]


def _expected() -> Expected:
    table: Expected = {}
    for line in (CORPUS / "expected.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, code, row, column = line.split()
            table.setdefault(name, []).append((code, int(row), int(column)))
    return table


TABLE = _expected()
STAGES = "stages:\n  plain: {uses: train/erm}\n"


def refused(path: Path, text: str | None = None, **options: object) -> InvalidPipeline:
    with pytest.raises(InvalidPipeline) as caught:
        load_pipeline(path, text=text, environ={}, **options)  # type: ignore[arg-type]
    assert caught.value.exit_code == 3
    assert "Traceback" not in caught.value.render()
    return caught.value


def places(error: InvalidPipeline) -> list[tuple[str, int, int]]:
    return [(item.code, item.place.line, item.place.column) for item in error.problems if item.place]


@pytest.fixture(autouse=True)
def _beside_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS)


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(TABLE) >= 45
    assert set(TABLE) == {path.stem for path in CORPUS.glob("*.yaml")}


@pytest.mark.parametrize("name", sorted(TABLE))
def test_each_problem_has_its_code_and_place(name: str) -> None:
    error = refused(Path(f"{name}.yaml"))
    assert places(error) == TABLE[name]
    for problem in error.problems:
        assert problem.place
        assert problem.place.source == f"{name}.yaml"
        assert problem.code in set(MEANING)


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_the_whole_text_is_as_agreed(golden: Path) -> None:
    assert refused(Path(f"{golden.stem}.yaml")).render() + "\n" == golden.read_text()


def test_ten_texts_are_agreed() -> None:
    assert len(list(GOLDEN.glob("*.txt"))) >= 10


def test_each_code_has_its_meaning() -> None:
    assert set(MEANING) == set(Code)
    assert len({code.value for code in Code}) == len(Code)


def _laughs() -> str:
    lines = ["x-0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(["version: 1", *lines, STAGES])


GENERATED: dict[str, tuple[Callable[[], str], tuple[str, int, int]]] = {
    "large": (lambda: "version: 1\nx-pad: " + "a" * 10_000_000 + "\n" + STAGES, ("E009", 1, 1)),
    "many-values": (lambda: "version: 1\nx-many: [" + "1," * 100_000 + "]\n" + STAGES, ("E009", 2, 200_000)),
    "billion-laughs": (_laughs, ("E009", 6, 46)),
    "brackets": (lambda: "version: 1\nx-deep: " + "[" * 40_000 + "\n" + STAGES, ("E009", 2, 72)),
    "closed-brackets": (lambda: "x: " + "[" * 40_000 + "]" * 40_000 + "\n", ("E009", 1, 67)),
    "braces": (lambda: "version: 1\nx-deep: " + "{a: " * 40_000 + "\n" + STAGES, ("E009", 2, 258)),
    "nested-blocks": (lambda: "".join(" " * n + f"k{n}:\n" for n in range(2_000)), ("E009", 64, 64)),
    "deep-expression": (lambda: "version: 1\nparams: {a: \"${" + "(" * 400 + "1}\"}\n" + STAGES, ("E020", 2, 40)),
    "long-expression": (lambda: f"version: 1\nparams: {{a: \"${{{'1 + ' * 400}1}}\"}}\n" + STAGES, ("E020", 2, 16)),
    "tower": (lambda: "version: 1\nparams: {a: \"${9 ** 9 ** 9 ** 9}\"}\n" + STAGES, ("E021", 2, 23)),
    "zero-byte": (lambda: "version: 1\nname: a\0b\n" + STAGES, ("E008", 2, 8)),
    "byte-order-mark": (lambda: "\ufeffversion: 1\n" + STAGES, ("E008", 1, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files(name: str, tmp_path: Path) -> None:
    make, expected = GENERATED[name]
    path = tmp_path / f"{name}.yaml"
    path.write_text(make(), encoding="utf-8")
    error = refused(path)
    assert expected in places(error)
    assert len(error.render()) < 3_000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"version: 1\nname: caf\xe9\n", ("E008", 2, 10)),
        ("version: 1\n".encode("utf-16"), ("E008", 1, 1)),
        (b"version: 1\nname: \xed\xa0\x80\n", ("E008", 2, 7)),
        (b"\xff", ("E008", 1, 1)),
        (b"", ("E011", 1, 1)),
    ],
)
def test_bytes_that_are_no_text(content: bytes, expected: tuple[str, int, int], tmp_path: Path) -> None:
    path = tmp_path / "bytes.yaml"
    path.write_bytes(content)
    assert places(refused(path)) == [expected]


@pytest.mark.parametrize(
    ("override", "expected", "hint"),
    [
        ("params.epsilom=0.1", ("E033", 1, 8), "did you mean 'epsilon'?"),
        ("epsilom=0.1", ("E033", 1, 1), "did you mean 'epsilon'?"),
        ("plain.timout=1h", ("E033", 1, 7), "did you mean 'timeout'?"),
        ("plan.timeout=1h", ("E033", 1, 1), "did you mean 'plain'?"),
        ("plain.timeout=1", ("E018", 1, 15), "write 1s"),
        ("plain.in.data=Mnist", ("E017", 1, 15), "dataset.split"),
        ("plain.in.daat=mnist.fit", ("E033", 1, 10), "did you mean 'data'?"),
        ("robust.tune.search.trials=many", ("E014", 1, 27), ""),
        ("robust.stages.trian.timeout=1h", ("E033", 1, 15), "did you mean 'train'?"),
        ("attack.matrix.name.0=pgd", ("E033", 1, 20), "a list is replaced as a whole"),
        ("epsilon", ("E034", 1, 1), "for example"),
        ("=1", ("E034", 1, 1), "for example"),
        ("epsilon=[1, 2", ("E001", 1, 9), "close it with ]"),
        ("epsilon={b}", ("E002", 1, 10), "quote it"),
        ("epsilon=a: b", ("E034", 1, 9), "quote a text"),
        ("epsilon=!!python/name:os.system", ("E006", 1, 9), ""),
        ("epsilon=${params.clean_flor}", ("E022", 1, 11), "did you mean 'params.clean_floor'?"),
        ("version=1", ("E033", 1, 1), "change it in the file"),
        ("include=x.yaml", ("E033", 1, 1), "change it in the file"),
        ("params=3", ("E014", 1, 8), ""),
    ],
)
def test_overrides_are_answered_like_the_file(override: str, expected: tuple[str, int, int], hint: str) -> None:
    error = refused(HERE / "fixtures" / "design.yaml", overrides=[override])
    assert places(error) == [expected]
    [problem] = error.problems
    assert problem.place
    assert problem.place.source == f"-S {override}"
    assert problem.place.text == override
    assert hint in problem.hint


def test_an_unknown_profile_says_which_there_are() -> None:
    error = refused(HERE / "fixtures" / "design.yaml", profile="quik")
    assert places(error) == [("E032", 1, 1)]
    assert error.problems[0].hint == "did you mean 'quick'? allowed: quick, cluster"


def test_one_pass_finds_the_problems_of_file_include_profile_and_override(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text("defaults: {timeout: soon}\n")
    path = tmp_path / "main.yaml"
    path.write_text("version: 1\ninclude: shared.yaml\nprofiles: {p: {nam: x}}\nstages:\n  plain: {use: train/erm}\n")
    error = refused(path, profile="p", overrides=["deadlin=1h", "seed=x"])
    found = [(Path(item.place.source).name, item.code) for item in error.problems if item.place]
    assert found == [
        ("main.yaml", "E033"), ("main.yaml", "E013"), ("main.yaml", "E012"), ("shared.yaml", "E018"),
        ("-S deadlin=1h", "E033"), ("-S seed=x", "E014"),
    ]  # fmt: skip


def test_a_file_of_nothing_but_mistakes_ends_early() -> None:
    text = "version: 1\nstages:\n" + "".join(f"  s{n}: {{uses: train/erm, ues: 1}}\n" for n in range(5_000))
    assert len(refused(Path("x.yaml"), text).problems) <= 200
