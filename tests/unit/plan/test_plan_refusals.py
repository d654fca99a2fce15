"""Pipelines that fit together on paper and are refused: cycles, missing data, what cannot be run yet."""


def test_a_cycle_is_told_with_its_path(world):
    problem = world.problem(
        """
        version: 1
        stages:
          first: {uses: evaluate/step}
          a: {uses: evaluate/step, in: {tables: [c.table, first.table]}}
          b: {uses: evaluate/step, in: {tables: [a.table]}}
          c: {uses: evaluate/step, in: {tables: [b.table]}}
          d: {uses: evaluate/step, in: {tables: [c.table]}}
        """
    )
    assert problem.code == "E309"
    assert problem.message.endswith("a -> b -> c -> a")


def test_a_metric_makes_an_edge_and_so_a_cycle(world):
    problem = world.problem(
        """
        version: 1
        stages:
          a: {uses: evaluate/step, when: "${b.score > 1}"}
          b: {uses: evaluate/step, needs: a}
        """
    )
    assert "a -> b -> a" in problem.message


def test_cells_of_two_stages_may_interleave_without_a_cycle(world):
    plan = world.plan(
        """
        version: 1
        stages:
          first: {uses: evaluate/step}
          a: {uses: evaluate/step, matrix: {of: [b.table, first.table]}, in: {tables: "${matrix.of}"}}
          b: {uses: evaluate/step, in: {tables: "a[of=first].table"}}
        """
    )
    assert list(plan.cells) == ["first", "a[of=first]", "b", "a[of=b]"]


def test_a_matrix_is_bounded(world):
    axes = ", ".join(f"a{index}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" for index in range(5))
    problem = world.problem(f"version: 1\nstages: {{many: {{uses: evaluate/step, matrix: {{{axes}}}}}}}")
    assert problem.code == "E303"
    assert "100,000 cells" in problem.message


def test_missing_data_is_found_before_anything_runs(world, tmp_path):
    text = f"""
    version: 1
    data:
      d:
        uses: digits
        with: {{root: {tmp_path / "nowhere"}}}
    stages:
      s: {{uses: train/erm, in: {{data: d.train}}, with: {{model: {{uses: mlp}}}}}}
    """
    problem = world.problem(text)
    assert problem.code == "E317"
    assert "no such file" in problem.message
    assert problem.place.line == 6


def test_missing_weights_of_a_nested_model_are_found_too(world, tmp_path):
    text = f"""
    version: 1
    data: {{toy: {{uses: toy}}}}
    stages:
      s:
        uses: train/erm
        in: {{data: toy.train}}
        with:
          model: {{uses: remote, with: {{weights: {tmp_path / "gone.pt"}}}}}
    """
    problem = world.problem(text)
    assert (problem.code, problem.place.line) == ("E317", 9)


def test_a_sweep_with_a_stage_that_nobody_offers_has_one_line_and_its_readers_are_not_blamed(world):
    problems = world.problems(
        """
        version: 1
        data: {toy: {uses: toy}}
        stages:
          best:
            tune:
              space: {width: {int: [1, 9]}}
              objective: {metric: train.accuracy, goal: maximize}
              search: {algorithm: random, trials: 3}
            stages:
              train:
                uses: train/emr
                in: {data: toy.train}
                with: {model: {uses: mlp}}
            out: {model: train.model}
          hit: {uses: attack/pgd, in: {model: best.model, data: toy.test}, with: {epsilon: 0.1}}
        """
    )
    assert [problem.code for problem in problems] == ["E301"]
