"""One good pipeline of the built-ins, spoiled in one place at a time: each is refused with its place and a hint.

`▸` stands before the place that must be blamed; it is taken out before the file is written.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

GOLDEN = Path(__file__).parent / "golden"

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
profiles: {quick: {params: {epochs: 1}}}
stages:
  plain:
    uses: train/erm
    in: {data: digits.fit, validation: digits.select}
    with: {model: {uses: mlp, with: {hidden: [16]}}, epochs: 2, lr: 0.01}
  robust:
    uses: defend/adversarial
    in: {data: digits.fit}
    with:
      model: {uses: mlp}
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

ROBUST = "    uses: defend/adversarial\n"
REPORT = "in: {models: [plain.model, robust.model], attacks"
TAUGHT = "with: {epsilon: \"${params.epsilon}\", steps: 3}"
IMPORTED = "{uses: imported, with: {target: torch.nn:Identity, access: labels}}"
PRETRAINED = f"    uses: train/pretrained\n    in: {{data: digits.fit}}\n    with: {{model: {IMPORTED}}}\n  robust:"


class Spoiled(NamedTuple):
    """What is replaced, by what, the codes that must follow, and words that the answer must hold."""

    old: str
    new: str
    codes: str
    words: str = ""


S = Spoiled
SPOILED = {
    # keys
    "root-key": S("tracking:", "▸traking:", "E012", "did you mean 'tracking'?"),
    "stages-key": S("stages:", "▸stage:", "E013 E012", "did you mean 'stages'?"),
    "stage-key": S(ROBUST, f"{ROBUST}    ▸inputs: {{}}\n", "E012", ""),
    "stage-key-typo": S(ROBUST, f"{ROBUST}    ▸timout: 3h\n", "E012", "did you mean 'timeout'?"),
    "data-key": S("splits: {fit", "▸split: {fit", "E012", "did you mean 'splits'?"),
    "nested-key": S("{uses: mlp}", "{uses: mlp, ▸params: {}}", "E310", "uses"),
    "nested-no-uses": S("model: {uses: mlp}\n", "model: {▸name: mlp}\n", "E310", ""),
    # names of plugins
    "stage-name": S("attack/${matrix.name}", "▸attack/pdg", "E301", "did you mean 'pgd'?"),
    "kind": S("defend/adversarial", "▸defence/adversarial", "E017", "defend"),
    "no-kind": S("train/erm", "▸erm", "E017", "kind/name"),
    "other-kind": S("defend/adversarial", "▸train/adversarial", "E301", "defend/adversarial"),
    "unknown-at-all": S("defend/adversarial", "▸defend/zebra", "E301", ""),
    "matrix-name": S("[fgsm, pgd]", "[fgsm, pdg]", "E301", "did you mean 'pgd'?"),
    "dataset-name": S("uses: digits\n", "uses: ▸digit\n", "E301", "did you mean 'digits'?"),
    "model-name": S("{uses: mlp}", "{uses: ▸mpl}", "E301", "did you mean 'mlp'?"),
    "inner-attack-name": S("{uses: pgd", "{uses: ▸pdg", "E301", "did you mean 'pgd'?"),
    "inner-attack-kind": S("{uses: pgd", "{uses: ▸attack/pgd", "E301", "write 'pgd'"),
    # parameters
    "epoch": S("epochs: 2, lr", "▸epoch: 2, lr", "E310", "did you mean 'epochs'?"),
    "epsilom": S('with: {epsilon: "${params.epsilon}"}', 'with: {▸epsilom: "${params.epsilon}"}', "E310 E310", "did you mean 'epsilon'?"),
    "inner-epsilom": S(TAUGHT, TAUGHT.replace("steps: 3", "▸step: 3"), "E310", "did you mean 'steps'?"),
    "model-parameter": S("{hidden:", "{▸hiden:", "E310", "did you mean 'hidden'?"),
    "no-epsilon": S('    with: {epsilon: "${params.epsilon}"}\n', "", "E310", "size of the ball"),
    "inner-no-epsilon": S('{epsilon: "${params.epsilon}", steps: 3}', "{steps: 3}", "E310", "size of the ball"),
    "no-attack": S('      attack: {uses: pgd, with: {epsilon: "${params.epsilon}", steps: 3}}\n', "", "E310", "'attack'"),
    "no-model": S("      model: {uses: mlp}\n", "", "E316", "model"),
    "text": S("epochs: 2, lr", "epochs: ▸two, lr", "E310", "a whole number"),
    "quoted-number": S("epochs: 2, lr", 'epochs: ▸"2", lr', "E310", "a whole number"),
    "half": S("epochs: 2, lr", "epochs: ▸2.5, lr", "E310", "a whole number"),
    "true": S("epochs: 2, lr", "epochs: ▸true, lr", "E310", "a whole number"),
    "null": S("epochs: 2, lr", "epochs: ▸null, lr", "E310", "a whole number"),
    "zero": S("epochs: 2, lr", "epochs: ▸0, lr", "E310", "at least 1"),
    "rate": S("lr: 0.01", "lr: ▸-0.01", "E310", "greater than 0"),
    "not-finite": S("lr: 0.01", "lr: ▸.inf", "E310", ""),
    "divided-by-zero": S("lr: 0.01", "lr: ▸1/0", "E310", "a number"),
    "number-for-list": S("hidden: [16]", "hidden: ▸16", "E310", "a list"),
    "text-in-list": S("hidden: [16]", "hidden: [16, ▸wide]", "E310", "a whole number"),
    "text-for-map": S("model: {uses: mlp}", "model: ▸mlp", "E310", "{uses: mlp}"),
    "choice": S("lr: 0.01", "optimizer: ▸adan", "E310", "did you mean 'adam'?"),
    "norm": S(TAUGHT, TAUGHT.replace("steps: 3", "norm: ▸inf"), "E310", "linf"),
    "share": S("      model: {uses: mlp}\n", "      model: {uses: mlp}\n      alpha: ▸1.5\n", "E310", "at most 1"),
    # references and ports
    "stage-reference": S(REPORT, REPORT.replace("plain", "▸plian"), "E304", "did you mean 'plain'?"),
    "no-output": S(REPORT, REPORT.replace("plain.model", "▸plain"), "E017", "stage.output"),
    "output": S(REPORT, REPORT.replace("plain.model", "▸plain.modle"), "E305", "did you mean 'model'?"),
    "split": S("validation: digits.select", "validation: ▸digits.slect", "E304", "did you mean 'select'?"),
    "dataset-split": S('"train[:400]"', '▸"training[:400]"', "E304", "did you mean 'train'?"),
    "split-text": S('"train[:400]"', '▸"train[a:b]"', "E017", ""),
    "port": S("validation: digits", "▸valid: digits", "E305", "did you mean 'validation'?"),
    "open-port": S(', data: digits.final}\n    with', "}\n    with", "E306", "digits.SPLIT"),
    "report-to-port": S('"attack[*].adversarial"', "▸plain.model", "E308", "takes a adversarial"),
    "model-to-data": S("data: digits.fit}", "data: ▸plain.model}", "E308", "dataset"),
    "several": S('"${matrix.model}"', '▸"attack[*].adversarial"', "E309", ""),
    "glob-into-one": S("data: digits.fit}", 'data: ▸"attack[*].adversarial"}', "E307", "matrix"),
    "no-selector": S('"attack[*]', '▸"attack', "E304", "attack[*].adversarial"),
    "cell": S('"attack[*]', '▸"attack[name=pdg,*]', "E304", "'pgd'"),
    "cycle": S("data: digits.fit, validation: digits.select}", 'data: "attack[name=pgd,model=robust].adversarial"}', "E309", "plain -> "),
    "needs": S(ROBUST, f"{ROBUST}    needs: ▸plan\n", "E304", "did you mean 'plain'?"),
    # expressions
    "expression-name": S("${params.epochs}", "${▸params.epoch}", "E022", "did you mean 'params.epochs'?"),
    "expression-metric": S("${params.epochs}", "${▸plain.accurracy}", "E311", "did you mean 'accuracy'?"),
    "expression-axis": S("${matrix.name}", "${▸matrix.nam}", "E022", "did you mean 'matrix.name'?"),
    "expression-syntax": S("${params.epochs}", "${params.epochs *▸}", "E020", ""),
    "expression-call": S("${params.epochs}", "${▸open('x')}", "E020", ""),
    "expression-trial": S("${params.epochs}", "${▸trial.epochs}", "E022", ""),
    "expression-environment": S("${params.epochs}", "${▸env.HOME}", "E024", ""),
    "expression-zero": S("${params.epochs}", "${2 ▸/ 0}", "E021", "division by zero"),
    "expression-text": S("${params.epochs}", "▸${params.epochs} times", "E310", "a whole number"),
    "unquoted": S('"${params.epsilon}", steps', "▸${params.epsilon}, steps", "E002", '"${params.epsilon}"'),
    # YAML
    "duplicate": S(ROBUST, f"{ROBUST}    ▸uses: train/erm\n", "E003", "the first is at line 17"),
    "tab": S("    in: {data: digits.fit}\n", "▸\tin: {data: digits.fit}\n", "E005", ""),
    "indentation": S("    in: {data: digits.fit}\n", "   ▸in: {data: digits.fit}\n", "E001", ""),
    "yes": S("tracking: {mlflow: false}", "tracking: {mlflow: ▸no}", "E014", "write true or false"),
    "sexagesimal": S(ROBUST, f"{ROBUST}    timeout: ▸1:30\n", "E018", "1h30m"),
    "tag": S("epochs: 2, lr", "epochs: ▸!!int 2, lr", "E006", ""),
    # what the attacker may do
    "pixels": S("{epsilon: 0.15,", "{epsilon: 8,", "E315 E315", "8/255"),
    "labels-only": S("    uses: train/erm\n    in: {data: digits.fit, validation: digits.select}\n    with: {model: {uses: mlp, with: {hidden: [16]}}, epochs: 2, lr: 0.01}\n  robust:", PRETRAINED, "E314", ""),
    "other-norm": S("[fgsm, pgd], model", "[sign-noise], model", "E313", ""),
}  # fmt: skip


def spoil(case: Spoiled) -> tuple[str, list[str]]:
    assert case.old in GOOD
    text, places = GOOD.replace(case.old, case.new, 1), []
    while "▸" in text:
        before, _, after = text.partition("▸")
        places.append(f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}")
        text = before + after
    return text, places
