"""Plans as pictures."""

import json

import pytest

from advorch.plan.graph import GraphFormat, graph

TEXT = """\
version: 1
data: {toy: {uses: toy, splits: {fit: "train[:10]"}}}
stages:
  plain: {uses: train/erm, in: {data: toy.fit}, with: {model: {uses: mlp}}}
  hit:
    uses: attack/${matrix.name}
    matrix: {name: [fgsm, pgd]}
    in: {model: plain.model, data: toy.fit}
    with: {epsilon: 0.1}
    needs: first
  first: {uses: evaluate/step}
"""


@pytest.fixture
def plan(world):
    return world.plan(TEXT)


def test_mermaid(plan):
    lines = graph(plan, GraphFormat.MERMAID, {"plain": "cached"}).splitlines()
    assert lines == [
        "flowchart LR",
        '  n0["plain<br/>train/erm<br/>cached"]',
        '  n1["first<br/>evaluate/step"]',
        '  subgraph s_n2["hit"]',
        '    n2["hit[name=fgsm]<br/>attack/fgsm"]',
        '    n3["hit[name=pgd]<br/>attack/pgd"]',
        "  end",
        '  n4[("toy:train[:10]")]',
        "  n4 -->|data| n0",
        "  n0 -->|model| n2",
        "  n4 -->|data| n2",
        "  n1 -->|after| n2",
        "  n0 -->|model| n3",
        "  n4 -->|data| n3",
        "  n1 -->|after| n3",
    ]


def test_dot(plan):
    text = graph(plan, GraphFormat.DOT)
    assert text.startswith("digraph pipeline {")
    assert text.count("{") == text.count("}")
    assert '"plain" -> "hit[name=pgd]" [label="model"];' in text
    assert '"hit[name=pgd]" [label="hit[name=pgd]\\nattack/pgd"];' in text


def test_json(plan):
    drawn = json.loads(graph(plan, GraphFormat.JSON, {"first": "run"}))
    assert drawn["format"] == "graph/1"
    assert [node["cell"] for node in drawn["nodes"]] == list(plan.cells)
    assert {"from": "toy:train[:10]", "to": "plain", "port": "data"} in drawn["edges"]
    assert [node.get("status") for node in drawn["nodes"]] == [None, "run", None, None]


def test_what_would_end_a_label_is_written_otherwise(world):
    text = "version: 1\nstages: {s: {uses: evaluate/step, matrix: {v: ['a\"b', 'c d']}}}\n"
    assert "s[v=&num;0]" in graph(world.plan(text), GraphFormat.MERMAID)
