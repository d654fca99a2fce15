"""One good pipeline of the built-ins, spoiled in one place at a time: each is refused with its place and a hint.

`▸` stands before the place that must be blamed; it is taken out before the file is written.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Command = Callable[..., Any]

GOOD = """\
version: 1
name: digits
seed: 3
params: {epsilon: 0.15, epochs: 2}
data:
  digits:
    uses: digits
    splits: {fit: "train[:400]", select: "train[400:500]", final: "test[:50]"}
tracking: {mlflow: false}
stages:
  plain:
    uses: train/erm
    in: {data: digits.fit, validation: digits.select}
    with: {model: {uses: mlp, with: {hidden: [16]}}, epochs: 2, lr: 0.01}
  robust:
    uses: defend/adversarial
    in: {data: digits.fit}
    with:
      model: {uses: linear}
      epochs: ${params.epochs}
      attack: {uses: pgd, with: {epsilon: "${params.epsilon}", steps: 3}}
  attack:
    uses: attack/${matrix.name}
    matrix: {name: [fgsm, pgd], model: [plain.model, robust.model]}
    in: {model: "${matrix.model}", data: digits.final}
    with: {epsilon: "${params.epsilon}"}
  report:
    uses: evaluate/robustness
    in: {models: [plain.model, robust.model], attacks: "attack[*].adversarial", data: digits.final}
"""


class Spoiled(NamedTuple):
    """What is replaced, by what, the codes that must follow, and words that the answer must hold."""

    old: str
    new: str
    codes: str
    words: str = ""


S = Spoiled
USES = "    uses: defend/adversarial\n"
EPOCHS = "epochs: 2, lr"
MODEL = "model: {uses: linear}\n"
INNER = 'attack: {uses: pgd, with: {epsilon: "${params.epsilon}", steps: 3}}\n'
STEPS = ", steps: 3"
OUTER = 'with: {epsilon: "${params.epsilon}"}\n'
READS = "in: {data: digits.fit, validation: digits.select}\n"
MODELS = "models: [plain.model"
ERM = f"train/erm\n    {READS}    with: {{model: {{uses: mlp, with: {{hidden: [16]}}}}, epochs: 2, lr: 0.01}}\n"
IMPORTED = "{uses: imported, with: {target: torch.nn:Identity, access: labels}}"
PRETRAINED = f"train/pretrained\n    in: {{data: digits.fit}}\n    with: {{model: {IMPORTED}}}\n"


def twice(*edits: tuple[str, str]) -> str:
    """The good pipeline, edited in several places."""
    text = GOOD
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    return text


SPOILED = {
    # keys
    "root-key": S("tracking:", "▸traking:", "E012", "did you mean 'tracking'?"),
    "no-stages": S(GOOD, twice(("version", "▸version"), ("stages:", "▸stage:")), "E013 E012", "did you mean 'stages'?"),
    "stage-key": S(USES, f"{USES}    ▸inputs: {{}}\n", "E012", "in,"),
    "stage-key-typo": S(USES, f"{USES}    ▸timout: 3h\n", "E012", "did you mean 'timeout'?"),
    "data-key": S("splits: {fit", "▸split: {fit", "E012", "did you mean 'splits'?"),
    "model-key": S("{uses: linear}", "{uses: linear, ▸params: {}}", "E310", "allowed: uses, with"),
    "model-without-name": S(MODEL, "▸model: {▸name: linear}\n", "E310 E310", "needs the parameter 'model.uses'"),
    # names of components
    "stage-name": S("attack/${matrix.name}", "▸attack/pdg", "E301", "did you mean 'pgd'?"),
    "matrix-name": S(GOOD, twice(("attack/${", "▸attack/${"), ("[fgsm", "[fsgm")), "E301", "did you mean 'fgsm'?"),
    "unknown-kind": S("defend/adversarial", "▸defence/adversarial", "E017", "kinds: train, attack, defend"),
    "no-kind": S("train/erm", "▸erm", "E017", "write kind/name"),
    "other-kind": S("defend/adversarial", "▸train/adversarial", "E301", "did you mean 'defend/adversarial'?"),
    "no-stage": S("train/erm", "▸train/zebra", "E301", "train offers: "),
    "dataset-name": S("uses: digits\n", "uses: ▸digit\n", "E301", "did you mean 'digits'?"),
    "model-name": S("{uses: linear}", "{uses: ▸liner}", "E301", "did you mean 'linear'?"),
    "attack-name": S("{uses: pgd", "{uses: ▸pdg", "E301", "did you mean 'pgd'?"),
    "attack-with-kind": S("{uses: pgd", "{uses: ▸attack/pgd", "E301", "write 'pgd'"),
    # parameters
    "epoch": S(EPOCHS, "▸epoch: 2, lr", "E310", "did you mean 'epochs'?"),
    "epsilom": S(OUTER, OUTER.replace("epsilon:", "▸epsilom:"), "E310", "did you mean 'epsilon'?"),
    "attack-parameter": S(STEPS, ", ▸step: 3", "E310", "did you mean 'steps'?"),
    "model-parameter": S("{hidden:", "{▸hiden:", "E310", "did you mean 'hidden'?"),
    "no-epsilon": S(OUTER, "with: ▸{}\n", "E310", "attack/fgsm needs the parameter 'epsilon'"),
    "attack-without-epsilon": S(INNER, "attack: {uses: pgd, ▸with: {steps: 3}}\n", "E310", "size of the ball"),
    "no-attack": S(f"{MODEL}      epochs: ${{params.epochs}}\n      {INNER}", f"▸{MODEL}", "E310", "'attack'"),
    "no-model": S(f"{MODEL}      epochs", "▸epochs", "E316", "model: {uses: NAME}"),
    "text": S(EPOCHS, "epochs: ▸two, lr", "E310", "takes a whole number, not the text 'two'"),
    "quoted": S(EPOCHS, 'epochs: ▸"2", lr', "E310", "without quotes: 2"),
    "half": S(EPOCHS, "epochs: ▸2.5, lr", "E310", "takes a whole number, not 2.5"),
    "true": S(EPOCHS, "epochs: ▸true, lr", "E310", "takes a whole number, not true"),
    "null": S(EPOCHS, "epochs: ▸null, lr", "E310", "takes a whole number, not null"),
    "zero": S(EPOCHS, "epochs: ▸0, lr", "E310", "must be at least 1, not 0"),
    "negative": S("lr: 0.01", "lr: ▸-0.01", "E310", "must be greater than 0, not -0.01"),
    "infinite": S("lr: 0.01", "lr: ▸.inf", "E310", "takes a finite number, not inf"),
    "over-zero": S("lr: 0.01", "lr: ▸1/0", "E310", "takes a number, not the text '1/0'"),
    "no-list": S("hidden: [16]", "hidden: ▸16", "E310", "takes a list, not 16"),
    "text-in-list": S("hidden: [16]", "hidden: [16, ▸wide]", "E310", "'hidden[1]' of model/mlp"),
    "no-map": S(MODEL, "model: ▸linear\n", "E310", "write {uses: linear}"),
    "choice": S("lr: 0.01", "optimizer: ▸adan", "E310", "did you mean 'adam'?"),
    "norm": S(STEPS, ", norm: ▸inf", "E310", "did you mean 'linf'?"),
    "share": S(MODEL, f"{MODEL}      alpha: ▸1.5\n", "E310", "must be at most 1, not 1.5"),
    # references, ports and types
    "stage-reference": S(MODELS, "models: [▸plian.model", "E304", "did you mean 'plain'?"),
    "reference": S(MODELS, "models: [▸plain", "E017", "write stage.output"),
    "output": S(MODELS, "models: [▸plain.modle", "E305", "did you mean 'model'?"),
    "split": S("validation: digits.select", "validation: ▸digits.slect", "E304", "did you mean 'select'?"),
    "dataset-split": S('"train[:400]"', '▸"training[:400]"', "E304", "did you mean 'train'?"),
    "split-text": S('"train[:400]"', '▸"train[a:b]"', "E017", "write split or split[start:stop]"),
    "port": S("validation: digits", "▸valid: digits", "E305", "did you mean 'validation'?"),
    "open-port": S(
        GOOD, twice(("attack:\n", "▸attack:\n"), (", data: digits.final}\n    w", "}\n    w")), "E306", "digits.SPLIT"
    ),
    "type": S('"attack[*].adversarial"', "▸plain.model", "E308", "takes adversarial samples, but"),
    "model-as-data": S("data: digits.fit}", "data: ▸plain.model}", "E308", "for example digits.SPLIT"),
    "list-into-one": S("data: digits.fit}", "▸data: [digits.fit, digits.final]}", "E307", "use a matrix"),
    "glob-into-one": S("data: digits.fit}", 'data: ▸"attack[*].adversarial"}', "E307", "use a matrix"),
    "own-output": S('"${matrix.model}"', '▸"attack[*].adversarial"', "E309", "reads its own output"),
    "no-selector": S('"attack[*]', '▸"attack', "E304", "attack[*].adversarial"),
    "no-such-cell": S('"attack[*]', '▸"attack[name=pdg,*]', "E304", "did you mean 'pgd'?"),
    "cycle": S(
        GOOD,
        twice(("plain:", "▸plain:"), (READS, 'in: {data: "attack[name=pgd,model=plain].adversarial"}\n')),
        "E309",
        "plain -> attack[name=pgd,model=plain] -> plain",
    ),
    "needs": S(USES, f"{USES}    needs: ▸plan\n", "E304", "did you mean 'plain'?"),
    # expressions
    "name-in-expression": S("${params.epochs}", "${▸params.epoch}", "E022", "did you mean 'params.epochs'?"),
    "metric-in-expression": S("${params.epochs}", "${▸plain.accurracy}", "E311", "did you mean 'accuracy'?"),
    "axis-in-expression": S("${matrix.name}", "${▸matrix.nam}", "E022", "did you mean 'matrix.name'?"),
    "half-an-expression": S("${params.epochs}", "${params.epochs ▸*}", "E020", "ends too early"),
    "call": S("${params.epochs}", "${▸open('x')}", "E020", "there is no function 'open'"),
    "trial-without-a-sweep": S("${params.epochs}", "${▸trial.epochs}", "E022"),
    "environment": S("${params.epochs}", "${▸env.HOME}", "E024", "set a parameter with -S"),
    "division": S("${params.epochs}", "${2 ▸/ 0}", "E021", "division by zero"),
    "expression-in-text": S("${params.epochs}", "▸${params.epochs} times", "E310", "not the text '2 times'"),
    "bare-expression": S('"${params.epsilon}", steps', "▸${params.epsilon}, steps", "E002", 'quote it: "${params'),
    # YAML
    "duplicate": S(USES, f"{USES}    ▸uses: train/erm\n", "E003", "the first is at line 16"),
    "tab": S("    in: {data: digits.fit}\n", "▸\tin: {data: digits.fit}\n", "E005", "indent with spaces"),
    "indentation": S("    in: {data: digits.fit}\n", "   ▸in: {data: digits.fit}\n", "E001", "indentation"),
    "no-means-text": S("mlflow: false", "mlflow: ▸no", "E014", "write true or false"),
    "sexagesimal": S(USES, f"{USES}    timeout: ▸1:30\n", "E018", "1h30m"),
    "tag": S(EPOCHS, "epochs: ▸!!int 2, lr", "E006", "write a plain value"),
    # what an attacker may know and change
    "pixels": S(INNER, INNER.replace('"${params.epsilon}"', "▸8"), "E315", "did you mean 8/255?"),
    "other-norm": S(INNER, "attack: {uses: sign-noise, with: {epsilon: 0.1, norm: ▸l2}}\n", "E313", "its norms: linf"),
    "targeted": S(
        INNER, "attack: {uses: deepfool, with: {epsilon: 0.1, targeted: ▸true}}\n", "E313", "set targeted: false"
    ),
    "labels-only": S(
        GOOD,
        twice((ERM, PRETRAINED), ("attack/${matrix.name}", "▸attack/${matrix.name}")),
        "E314",
        "needs the model's gradients, but model/imported grants its labels alone",
    ),
}  # fmt: skip


def spoil(case: Spoiled) -> tuple[str, list[str]]:
    """The text without its marks, and where they stood."""
    assert case.old in GOOD
    text, places = GOOD.replace(case.old, case.new, 1), []
    while "▸" in text:
        before, _, after = text.partition("▸")
        places.append(f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}")
        text = before + after
    return text, places


def headlines(said: str) -> list[list[str]]:
    """Code and place of every problem."""
    return [line.split("  ")[0].removeprefix("error[").split("] ") for line in said.splitlines() if "error[" in line]


def test_the_pipeline_itself_is_good(command_line: Command, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    answer = command_line("pipeline", "validate", "good.yaml")
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "good.yaml: valid, 4 stages, 7 cells\n"


def test_the_table_is_as_large_as_promised() -> None:
    assert len(SPOILED) >= 70


@pytest.mark.parametrize("name", SPOILED)
def test_a_mistake_is_told_with_its_place(command_line: Command, tmp_path: Path, name: str) -> None:
    case = SPOILED[name]
    text, places = spoil(case)
    (tmp_path / f"{name}.yaml").write_text(text)
    answer = command_line("pipeline", "plan", f"{name}.yaml")
    assert (answer.code, answer.out) == (3, "")
    expected = zip(case.codes.split(), places, strict=True)
    assert headlines(answer.err) == [[code, f"{name}.yaml:{place}"] for code, place in expected]
    assert case.words in answer.err
    assert "Traceback" not in answer.err
    assert max(map(len, answer.err.splitlines())) < 300


@pytest.mark.parametrize("command", ["validate", "graph", "run"])
def test_every_command_says_the_same(command_line: Command, tmp_path: Path, command: str) -> None:
    (tmp_path / "epoch.yaml").write_text(spoil(SPOILED["epoch"])[0])
    answer = command_line("pipeline", command, "epoch.yaml")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err == command_line("pipeline", "plan", "epoch.yaml").err


GOLDEN = """
    root-key model-without-name matrix-name attack-with-kind epsilom no-epsilon attack-without-epsilon no-model text
    quoted no-map choice norm reference split port open-port type list-into-one no-selector cycle bare-expression
    duplicate pixels other-norm targeted labels-only
"""


@pytest.mark.parametrize("name", GOLDEN.split())
def test_the_whole_text_is_as_agreed(
    command_line: Command, tmp_path: Path, golden: Callable[[str, str], None], name: str
) -> None:
    (tmp_path / f"{name}.yaml").write_text(spoil(SPOILED[name])[0])
    golden(name, command_line("pipeline", "plan", f"{name}.yaml").err)
