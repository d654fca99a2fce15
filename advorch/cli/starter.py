"""The file that `advorch pipeline new` writes: it needs no data and runs within a minute on a laptop."""

from pathlib import Path

STARTER = """\
version: 1
name: {name}
seed: 0

params:
  epsilon: 0.2                  # pixels are in [0, 1]
  epochs: 10

data:
  digits:
    uses: digits
    splits: {{fit: "train[:1100]", select: "train[1100:]", final: test}}

stages:
  plain:
    uses: train/erm
    in: {{data: digits.fit, validation: digits.select}}
    with:
      model: {{uses: mlp}}
      epochs: ${{params.epochs}}

  robust:
    uses: defend/adversarial
    in: {{data: digits.fit, validation: digits.select}}
    with:
      model: {{uses: mlp}}
      epochs: ${{params.epochs}}
      attack: {{uses: pgd, with: {{epsilon: "${{params.epsilon}}", steps: 7}}}}

  attack:
    uses: attack/${{matrix.name}}
    matrix: {{name: [fgsm, pgd], model: [plain.model, robust.model]}}
    in: {{model: "${{matrix.model}}", data: digits.final}}
    with: {{epsilon: "${{params.epsilon}}"}}

  report:
    uses: evaluate/robustness
    in: {{models: [plain.model, robust.model], attacks: "attack[*].adversarial", data: digits.final}}
"""


def starter(path: Path) -> str:
    """The text for a file of that name."""
    return STARTER.format(name=_name(path.stem))


def _name(stem: str) -> str:
    """A file's stem as a name that needs no quotes."""
    kept = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in stem.lower()).strip("-")
    return kept if kept and kept[0].isalpha() else f"pipeline-{kept}".strip("-")
