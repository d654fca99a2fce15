"""Threat models that cannot be meant are refused before anything runs."""

import pytest

DATA = "version: 1\ndata: {toy: {uses: toy}, points: {uses: points}}\nstages:\n"
TRAIN = "  plain: {uses: train/erm, in: {data: toy.train}, with: {model: {uses: mlp}}}\n"


def attack(uses: str, params: str, model: str = "plain.model", data: str = "toy.test") -> str:
    return f"  hit: {{uses: attack/{uses}, in: {{model: {model}, data: {data}}}, with: {{{params}}}}}\n"


def remote(access: str) -> str:
    return TRAIN.replace("uses: mlp", f"uses: remote, with: {{access: {access}}}")


def test_a_norm_that_the_attack_does_not_know(world):
    problem = world.problem(DATA + TRAIN + attack("square", "epsilon: 0.1, norm: l2"))
    assert (problem.code, problem.hint) == ("E313", "its norms: linf")
    assert problem.place.text[problem.place.column - 1 :].startswith("l2")


def test_a_goal_that_the_attack_does_not_know(world):
    problem = world.problem(DATA + TRAIN + attack("fgsm", "epsilon: 0.1, targeted: true"))
    assert problem.code == "E313"
    assert "attack/fgsm has no targeted form" in problem.message
    world.plan(DATA + TRAIN + attack("pgd", "epsilon: 0.1, targeted: true"))


@pytest.mark.parametrize(
    ("grants", "uses", "allowed"),
    [
        ("gradients", "pgd", True),
        ("scores", "pgd", False),
        ("scores", "square", True),
        ("labels", "square", False),
        ("labels", "noise", True),
        ("nothing", "noise", True),
    ],
)
def test_access_is_that_of_the_model_that_was_trained(world, grants, uses, allowed):
    text = DATA + remote(grants) + attack(uses, "epsilon: 0.1")
    if allowed:
        world.plan(text)
    else:
        problem = world.problem(text)
        assert problem.code == "E314"
        assert f"model/remote grants its {grants}" in problem.message


def test_access_is_followed_through_stages_that_pass_a_model_on(world):
    wrap = "  wrapped: {uses: defend/wrap, in: {model: plain.model}}\n"
    problem = world.problem(DATA + remote("scores") + wrap + attack("pgd", "epsilon: 0.1", model="wrapped.model"))
    assert problem.code == "E314"


def test_a_warm_start_without_a_model_of_its_own_passes_the_access_on(world):
    warm = "  warm: {uses: train/erm, in: {data: toy.train, model: plain.model}}\n"
    problem = world.problem(DATA + remote("labels") + warm + attack("pgd", "epsilon: 0.1", model="warm.model"))
    assert problem.code == "E314"


def test_the_attack_inside_a_defence_sees_the_model_of_the_defence(world):
    defence = (
        "  robust:\n    uses: defend/trades\n    in: {data: toy.train}\n    with:\n"
        "      model: {uses: remote, with: {access: scores}}\n"
        "      attack: {uses: pgd, with: {epsilon: 0.1}}\n"
    )
    problem = world.problem(DATA + defence)
    assert problem.code == "E314"
    assert "attack: {uses" in problem.place.text


def test_an_attack_that_needs_surrogates_is_a_stage_of_its_own(world):
    hit = attack("transfer", "epsilon: 0.1").replace("data: toy.test}", "data: toy.test, surrogates: [plain.model]}")
    assert len(world.plan(DATA + TRAIN + hit).cells) == 2
    problem = world.problem(DATA + TRAIN + attack("transfer", "epsilon: 0.1"))
    assert "surrogates" in problem.message
    defence = (
        "  robust:\n    uses: defend/trades\n    in: {data: toy.train}\n    with:\n"
        "      model: {uses: mlp}\n"
        "      attack: {uses: transfer, with: {epsilon: 0.1}}\n"
    )
    problem = world.problem(DATA + defence)
    assert problem.code == "E314"
    assert "nothing can be connected to it here" in problem.message


def test_what_was_fitted_is_applied_by_a_stage_of_its_own(world):
    fitted = "  fitted:\n    uses: attack/universal\n    in: {model: plain.model, data: toy.train}\n"
    joined = "data: toy.test, perturbation: fitted.perturbation}"
    hit = attack("apply", "epsilon: 0.1").replace("data: toy.test}", joined)
    assert len(world.plan(DATA + TRAIN + fitted + hit).cells) == 3
    problem = world.problem(DATA + TRAIN + attack("apply", "epsilon: 0.1"))
    assert "perturbation" in problem.message
    crossed = hit.replace("fitted.perturbation", "plain.model")
    assert world.problem(DATA + TRAIN + fitted + crossed).code == "E308"
    defence = (
        "  robust:\n    uses: defend/trades\n    in: {data: toy.train}\n    with:\n"
        "      model: {uses: mlp}\n"
        "      attack: {uses: apply, with: {epsilon: 0.1}}\n"
    )
    assert "nothing can be connected to it here" in world.problem(DATA + defence).message
    wrong = defence.replace("apply", "universal").replace("{epsilon: 0.1}", "{}")
    assert world.problem(DATA + wrong).code.startswith("E3")


def test_nested_attacks_are_checked_in_lists_and_maps(world):
    defence = (
        "  robust:\n    uses: defend/ensemble\n    in: {data: toy.train}\n    with:\n"
        "      model: {uses: mlp}\n"
        "      attacks: [{uses: square, with: {epsilon: 0.1, norm: l2}}]\n"
        "      by_name: {a: {uses: fgsm, with: {epsilon: 0.1, targeted: true}}}\n"
    )
    problems = world.problems(DATA + defence)
    assert [(problem.code, problem.place.line) for problem in problems] == [("E313", 9), ("E313", 10)]


@pytest.mark.parametrize(
    ("epsilon", "hint"), [("8", "did you mean 8/255?"), ("1.5", "did you mean 1.5/255?"), ("300", "own units")]
)
def test_an_epsilon_beyond_the_range_of_the_data(world, epsilon, hint):
    problem = world.problem(DATA + TRAIN + attack("pgd", f"epsilon: {epsilon}"))
    assert problem.code == "E315"
    assert hint in problem.hint
    assert problem.place.text[problem.place.column - 1 :].startswith(epsilon)


@pytest.mark.parametrize(
    ("params", "data"),
    [
        ("epsilon: 0", "toy.test"),
        ("epsilon: 1", "toy.test"),
        ("epsilon: 8/255", "toy.test"),
        ("epsilon: 8, norm: l2", "toy.test"),
        ("epsilon: 8", "points.test"),
    ],
)
def test_an_epsilon_that_may_be_meant(world, params, data):
    world.plan(DATA + TRAIN + attack("pgd", params, data=data))


def test_the_range_is_followed_through_generated_and_adversarial_data(world):
    text = DATA + TRAIN + "  gan: {uses: generate/gan, in: {data: toy.train}}\n"
    text += attack("pgd", "epsilon: 0.1", data="gan.samples")
    text += "  more: {uses: attack/pgd, in: {model: plain.model, data: hit.adversarial}, with: {epsilon: 8}}\n"
    problem = world.problem(text)
    assert (problem.code, problem.place.line) == ("E315", 7)


def test_training_needs_a_model(world):
    problem = world.problem(DATA + "  plain: {uses: train/erm, in: {data: toy.train}}\n")
    assert problem.code == "E316"
    assert "model: {uses: NAME}" in problem.hint


def test_a_connected_model_is_a_model(world):
    world.plan(DATA + TRAIN + "  warm: {uses: train/erm, in: {data: toy.train, model: plain.model}}\n")


def test_a_long_chain_of_attacks_is_no_trouble(world):
    lines = [attack("pgd", "epsilon: 0.1").replace("hit", "h0")]
    for index in range(1, 1500):
        data = f"h{index - 1}.adversarial"
        lines.append(attack("pgd", "epsilon: 0.1", data=data).replace("  hit", f"  h{index}"))
    assert len(world.plan(DATA + TRAIN + "".join(lines)).cells) == 1501


LEAK = (
    "  plain: {uses: train/erm, in: {data: toy.train, validation: toy.test}, "
    "with: {model: {uses: mlp}, KEEP}}\n" + attack("pgd", "epsilon: 0.1")
)


@pytest.mark.parametrize(("keep", "warned"), [("keep: best", True), ("patience: 3", True), ("keep: last", False)])
def test_selecting_on_what_is_measured_is_a_warning(world, keep, warned):
    warnings = world.plan(DATA + LEAK.replace("KEEP", keep)).warnings
    assert [problem.code for problem in warnings] == ["W301"] * warned
    if warned:
        assert "'plain' selects its epoch" in warnings[0].message


def test_a_split_of_its_own_is_no_leak(world):
    text = DATA + LEAK.replace("KEEP", "keep: best").replace("validation: toy.test", "validation: toy.train")
    assert not world.plan(text).warnings
